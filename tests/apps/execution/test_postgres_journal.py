"""The journal that writes from the event loop: the same rows as the ORM's, and a connection that may die."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from threading import Event
from typing import Any

import msgspec
import pytest
from django.db import connection, transaction
from django.db.models import Model

from execution import models
from execution.domain.blotter import OrderMoved
from execution.domain.commands import Fill, TradeStatus
from execution.domain.orders import OrderEventKind, OrderState
from execution.journal import Action, Audit, JournalUnavailable, Terms
from execution.postgres import APPLICATION, Links, Row, Statement
from execution.relayers.base import Submission
from execution.store import DjangoJournal
from execution.store_postgres import PostgresJournal
from markets.domain.events import Side
from tests.execution_builders import CONDITION, NO, NOW, YES, order, place
from tests.execution_rows import market_row

pytestmark = [pytest.mark.django_db(transaction=True)]

TERMS = Terms("fake", False, 1)
WRITTEN = (models.Plan, models.Order, models.OrderEvent, models.Fill, models.ExecAudit)
# What the database makes up itself, differently each time.
ITS_OWN = {"id", "created_at", "updated_at", "plan_id", "order_id", "request_id", "client_order_id", "trade_id"}
OURS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = %s
"""


@pytest.fixture(autouse=True)
def _on_postgresql() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL has this journal")


def run(scenario: Callable[[PostgresJournal], Awaitable[None]]) -> None:
    async def whole() -> None:
        journal = PostgresJournal()
        try:
            await scenario(journal)
        finally:
            await journal.close()

    asyncio.run(whole())


def submissions(*ids: int) -> list[Submission]:
    return [
        Submission(order(each, asset=NO if each % 2 else YES), f"0x{each:064x}", b'{"a":"\xc3\xa9"}') for each in ids
    ]


def moved(client_order_id: int, after: OrderState, event: OrderEventKind, at: int, **changes: Any) -> OrderMoved:
    told = OrderMoved(client_order_id, OrderState.PLANNED, event, after, NOW + at, "said “so”" * 80, 0)
    return msgspec.structs.replace(told, **changes)


def fill(client_order_id: int, trade_id: str, status: TradeStatus = TradeStatus.MATCHED) -> Fill:
    return Fill(
        client_order_id, trade_id, 0, CONDITION, YES, Side.BUY, 5_000, 4_000_001, 120, True, status, NOW + 5_000
    )


async def a_life(journal: DjangoJournal, first: int) -> None:
    """Everything the hot path writes, with repetitions, about orders from `first` on."""
    ids = (first, first + 1, first + 2)
    plan = place(f"plan-{first}", *ids)
    await journal.intend(plan, submissions(*ids), TERMS, NOW)
    live = [moved(each, OrderState.LIVE, OrderEventKind.ACCEPT, 1_000) for each in (*ids, 999)]
    ended = moved(first, OrderState.FILLED, OrderEventKind.FILL_ALL, 2_000, before=OrderState.LIVE, filled=10_000_000)
    mined = fill(first + 1, f"b-{first}", TradeStatus.MINED)
    late = [
        fill(first, f"a-{first}"),
        mined,
        fill(999, "nobody's"),
        msgspec.structs.replace(mined, status=TradeStatus.CONFIRMED),
    ]
    await journal.record(live)
    await journal.record([*live, ended, *late])
    await journal.record(
        [fill(first, f"a-{first}", TradeStatus.FAILED), fill(first + 1, f"b-{first}", TradeStatus.MINED)]
    )
    audit = Audit(
        f"r-{first}", Action.PLACE, 3, NOW, plan_id=plan.plan_id, accepted=2, unknown=1, call_us=2**40, answer="…"
    )
    await journal.audit(audit, TERMS)
    await journal.audit(audit, TERMS)
    await journal.audit(Audit(f"c-{first}", Action.CANCEL, 1, NOW, reason="stale"), TERMS)


def rows(model: type[Model]) -> Iterator[dict[str, Any]]:
    for row in model._default_manager.order_by("pk").values():
        yield {name: value for name, value in row.items() if name not in ITS_OWN}


def test_both_journals_write_the_same_rows() -> None:
    market_row()
    kept = {}
    for journal_class, first in ((DjangoJournal, 1), (PostgresJournal, 11)):
        asyncio.run(_lived(journal_class(), first))
        kept[journal_class] = {model: list(rows(model)) for model in WRITTEN}
        models.ExecAudit.objects.all().delete()
        models.Fill.objects.all().delete()
        models.OrderEvent.objects.all().delete()
        models.Order.objects.all().delete()
        models.Plan.objects.all().delete()
    assert kept[PostgresJournal] == kept[DjangoJournal]
    assert [len(found) for found in kept[PostgresJournal].values()] == [1, 3, 7, 2, 2]


async def _lived(journal: DjangoJournal, first: int) -> None:
    try:
        await a_life(journal, first)
    finally:
        await journal.close()


def test_what_the_venue_says_is_written_without_what_no_row_can_hold() -> None:
    market_row()

    async def scenario(journal: PostgresJournal) -> None:
        await journal.intend(place(), submissions(1), TERMS, NOW)
        await journal.record([moved(1, OrderState.LIVE, OrderEventKind.ACCEPT, 1, detail="a\x00b\ud800c")])

    run(scenario)
    assert models.Order.objects.get().detail == "ab?c"


def cut_connections() -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute(OURS, [APPLICATION])
    finally:
        connection.close()


def test_cut_connections_are_one_refusal_and_the_next_writes_dial_again() -> None:
    market_row()

    async def scenario(journal: PostgresJournal) -> None:
        await journal.open_orders("fake")
        await journal.intend(place("plan-1", 1), submissions(1), TERMS, NOW)
        await asyncio.to_thread(cut_connections)
        with pytest.raises(JournalUnavailable):
            await journal.intend(place("plan-2", 2), submissions(2), TERMS, NOW)
        later = [journal.intend(place(f"plan-{n}", n), submissions(n), TERMS, NOW) for n in (3, 4, 5, 6)]
        await asyncio.gather(*later)

    run(scenario)
    assert set(models.Order.objects.values_list("client_order_id", flat=True)) == {1, 3, 4, 5, 6}


def test_orders_and_fills_wait_for_the_disk_and_states_do_not() -> None:
    market_row()

    async def how(links: Links) -> str:
        _, rows = await links.run(("SHOW synchronous_commit", ()))
        return str(rows[0][0])

    async def scenario(journal: PostgresJournal) -> None:
        assert [await how(journal._ahead), await how(journal._behind)] == ["on", "off"]
        told: list[Statement] = []
        run_it = journal._behind.run

        async def listened(*statements: Statement) -> tuple[int, list[Row]]:
            told.extend(statements)
            return await run_it(*statements)

        journal._behind.run = listened  # type: ignore[method-assign]
        await journal.intend(place(), submissions(1), TERMS, NOW)
        await journal.record([moved(1, OrderState.LIVE, OrderEventKind.ACCEPT, 1_000)])
        assert len(told) == 1
        await journal.record([fill(1, "t-1"), moved(1, OrderState.CANCELLED, OrderEventKind.CANCEL, 2_000)])
        assert told[1][0] == "SET LOCAL synchronous_commit TO on"
        assert len(told) == 4

    run(scenario)
    assert models.Fill.objects.count() == 1


def hold_the_plans(taken: Event, release: Event) -> None:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE execution_plan IN EXCLUSIVE MODE")
            taken.set()
            release.wait(20)
    finally:
        connection.close()


def test_who_stops_waiting_is_free_at_once_and_others_go_on_over_a_new_connection() -> None:
    market_row()
    taken, release = Event(), Event()

    async def scenario(journal: PostgresJournal) -> None:
        holder = asyncio.create_task(asyncio.to_thread(hold_the_plans, taken, release))
        assert await asyncio.to_thread(taken.wait, 5)
        waiting = asyncio.create_task(journal.intend(place("plan-1", 1), submissions(1), TERMS, NOW))
        await asyncio.sleep(0.2)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        release.set()
        await holder
        await journal.intend(place("plan-2", 2), submissions(2), TERMS, NOW)

    run(scenario)
    assert models.Order.objects.filter(client_order_id=2).exists()


def test_a_lock_held_too_long_is_named_and_nothing_is_written() -> None:
    market_row()
    taken, release = Event(), Event()

    async def scenario(journal: PostgresJournal) -> None:
        holder = asyncio.create_task(asyncio.to_thread(hold_the_plans, taken, release))
        assert await asyncio.to_thread(taken.wait, 5)
        with pytest.raises(JournalUnavailable, match="LockNotAvailable"):
            await journal.intend(place(), submissions(1), TERMS, NOW)
        release.set()
        await holder

    run(scenario)
    assert not models.Order.objects.exists()


def test_acks_are_written_while_an_order_waits_for_a_lock() -> None:
    market_row()
    taken, release = Event(), Event()

    async def scenario(journal: PostgresJournal) -> None:
        await journal.intend(place("plan-1", 1), submissions(1), TERMS, NOW)
        holder = asyncio.create_task(asyncio.to_thread(hold_the_plans, taken, release))
        assert await asyncio.to_thread(taken.wait, 5)
        waiting = asyncio.create_task(journal.intend(place("plan-2", 2), submissions(2), TERMS, NOW))
        await asyncio.sleep(0.1)
        await journal.record([moved(1, OrderState.LIVE, OrderEventKind.ACCEPT, 1_000)])
        assert not waiting.done()
        release.set()
        await asyncio.gather(holder, waiting)

    run(scenario)
    assert models.Order.objects.get(client_order_id=1).state == "live"
    assert models.Order.objects.filter(client_order_id=2).exists()


def test_a_database_that_is_not_there_is_said_so() -> None:
    async def scenario() -> None:
        journal = PostgresJournal()
        journal._ahead.address["port"] = "1"
        try:
            with pytest.raises(JournalUnavailable, match="OperationalError"):
                await journal.intend(place(), submissions(1), TERMS, NOW)
        finally:
            await journal.close()

    asyncio.run(scenario())
