"""The journal on a real database: durable before sent, idempotent, and restored as it was."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any, TypeVar

import msgspec
import pytest
from django.db import connection, transaction

from execution import models, selectors, services
from execution.domain.blotter import Blotter, OrderMoved
from execution.domain.commands import Accepted, Ack, Fill, Refusal, Rejected, Strategy, TradeStatus
from execution.domain.lease import LeaseLost
from execution.domain.ledger import Ledger
from execution.domain.moments import nanos
from execution.domain.orders import OrderEventKind, OrderState
from execution.engine import MustStop
from execution.journal import Action, AlreadyPlanned, Audit, JournalUnavailable, Terms
from execution.relayers.base import Submission
from execution.relayers.fake import FakeRelayer
from execution.store import DjangoJournal
from execution.store_postgres import PostgresJournal
from markets.domain.events import Side
from risk.models import Refusal as RefusalRow
from strategies.domain.intents import OrderType
from tests.execution_builders import CONDITION, NOW, YES, Rig, order, place, sent
from tests.execution_rows import fill_row, market_row, order_row

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite]

T = TypeVar("T")
TERMS = Terms("fake", False, 1)


def a_journal(**options: Any) -> DjangoJournal:
    """The one the engine would choose on this database."""
    return PostgresJournal(**options) if connection.vendor == "postgresql" else DjangoJournal(**options)


def journaled(scenario: Callable[[DjangoJournal], Awaitable[T]], **options: Any) -> T:
    async def run() -> T:
        journal = a_journal(**options)
        try:
            return await scenario(journal)
        finally:
            await journal.close()

    return asyncio.run(run())


def submission(client_order_id: int = 1) -> Submission:
    return Submission(order(client_order_id), f"0x{client_order_id:064x}", b'{"expiration":"0"}')


def moved(after: OrderState, event: OrderEventKind, at: int = 1_000, client_order_id: int = 1) -> OrderMoved:
    return OrderMoved(client_order_id, OrderState.PLANNED, event, after, NOW + at, "said so", 0)


LIVE = moved(OrderState.LIVE, OrderEventKind.ACCEPT)


def fill(status: TradeStatus = TradeStatus.MATCHED, trade_id: str = "t-1", client_order_id: int = 1) -> Fill:
    return Fill(
        client_order_id, trade_id, 0, CONDITION, YES, Side.BUY, 5_000, 4_000_000, 120, True, status, NOW + 5_000
    )


def committed_rows() -> list[tuple[str, str, str]]:
    """What a connection of its own sees of the orders."""
    try:
        rows = models.Order.objects.order_by("client_order_id")
        return list(rows.values_list("order_id", "state", "payload"))
    finally:
        connection.close()


def test_the_fake_relayer_reads_the_row_over_a_second_connection_before_it_acks() -> None:
    market_row()
    seen: list[tuple[str, str, str]] = []

    async def look(orders: Sequence[Submission]) -> None:
        seen.extend(await asyncio.to_thread(committed_rows))
        assert seen == [(one.order_id, "submitting", one.body.decode()) for one in orders]

    async def scenario(journal: DjangoJournal) -> Rig:
        rig = Rig(FakeRelayer(before_ack=look), journal=journal)
        await rig.hands.carry_out(place("plan-1", 1, 2))
        return rig

    rig = journaled(scenario)
    assert len(seen) == 2
    accepted = [outcome for outcome in rig.outcomes if isinstance(outcome, Accepted)]
    assert [order_id for order_id, _, _ in seen] == [outcome.order_id for outcome in accepted]
    assert models.OrderEvent.objects.filter(event="submit").count() == 2
    audit = models.ExecAudit.objects.get()
    assert (audit.plan and audit.plan.plan_id, audit.accepted, audit.orders) == ("plan-1", 2, 2)


def test_a_repeated_plan_places_nothing_also_after_a_restart() -> None:
    market_row()
    fake = FakeRelayer()

    async def scenario(journal: DjangoJournal) -> Rig:
        rig = Rig(fake, journal=journal)
        await rig.hands.carry_out(place())
        return rig

    journaled(scenario)
    second = journaled(scenario)
    assert sent(fake) == [[1]]
    assert second.outcomes == []
    assert models.Order.objects.count() == 1


def test_a_taken_client_order_id_writes_nothing_of_the_new_plan() -> None:
    market_row()

    async def scenario(journal: DjangoJournal) -> None:
        await journal.intend(place("plan-1", 1), [submission(1)], TERMS, NOW)
        with pytest.raises(AlreadyPlanned) as caught:
            await journal.intend(place("plan-2", 1, 2), [submission(1), submission(2)], TERMS, NOW)
        assert caught.value.known == {1}

    journaled(scenario)
    assert models.Plan.objects.count() == models.Order.objects.count() == 1


def test_a_token_without_a_market_is_not_written() -> None:
    async def scenario(journal: DjangoJournal) -> None:
        with pytest.raises(JournalUnavailable, match="belongs to no market"):
            await journal.intend(place(), [submission()], TERMS, NOW)

    journaled(scenario)


def hold_the_lock(taken: Event, release: Event) -> None:
    """Somebody else's long transaction."""
    try:
        with transaction.atomic():  # on SQLite this alone takes the write lock
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute(f"LOCK TABLE {models.Plan._meta.db_table} IN EXCLUSIVE MODE")
            taken.set()
            release.wait(10)
    finally:
        connection.close()


def test_a_locked_database_sends_nothing_and_the_next_order_goes_out_again() -> None:
    market_row()
    fake = FakeRelayer()
    taken, release = Event(), Event()

    async def scenario(journal: DjangoJournal) -> Rig:
        rig = Rig(fake, journal=journal)
        holder = asyncio.create_task(asyncio.to_thread(hold_the_lock, taken, release))
        assert await asyncio.to_thread(taken.wait, 5)
        await rig.hands.carry_out(place("plan-1", 1))
        release.set()
        await holder
        await rig.hands.carry_out(place("plan-2", 2))
        await journal.record([moved(OrderState.REJECTED, OrderEventKind.REJECT)])
        return rig

    rig = journaled(scenario)
    assert rig.answers() == [("Rejected", 1), ("Accepted", 2)]
    assert isinstance(rejected := rig.outcomes[0], Rejected)
    assert rejected.code == "journal_unavailable"
    assert sent(fake) == [[2]]
    # The first row may still have been committed once the lock was gone; it is closed, never sent.
    assert not models.Order.objects.filter(client_order_id=1).exclude(state="rejected").exists()


def test_a_newer_lease_in_the_database_stops_the_older_engine() -> None:
    market_row()
    fake = FakeRelayer()
    services.acquire_lease(holder="a", ttl=timedelta(seconds=-1))
    services.acquire_lease(holder="b", ttl=timedelta(seconds=60))

    async def scenario(journal: DjangoJournal) -> None:
        with pytest.raises(LeaseLost):
            await journal.intend(place(), [submission()], TERMS, NOW)
        with pytest.raises(MustStop):
            await Rig(fake, journal=journal).hands.carry_out(place())

    journaled(scenario)
    assert fake.requests == []
    assert not models.Order.objects.exists()


def test_moves_change_the_order_and_are_written_once() -> None:
    market_row()

    async def scenario(journal: DjangoJournal) -> None:
        await journal.intend(place(), [submission()], TERMS, NOW)
        gone = msgspec.structs.replace(
            moved(OrderState.CANCELLED, OrderEventKind.CANCEL, 2_000), before=OrderState.LIVE, filled=3_000_000
        )
        await journal.record([LIVE, gone])
        await journal.record([LIVE, gone])

    journaled(scenario)
    row = models.Order.objects.get()
    assert (row.state, str(row.filled), row.detail) == ("cancelled", "3.000000", "said so")
    steps = row.events.order_by("at", "pk").values_list("before", "event", "after")
    assert list(steps) == [
        ("planned", "submit", "submitting"),
        ("submitting", "accept", "live"),
        ("live", "cancelled", "cancelled"),
    ]


def test_the_answer_of_an_order_that_was_never_journaled_is_passed_over() -> None:
    async def scenario(journal: DjangoJournal) -> None:
        await journal.record([moved(OrderState.REJECTED, OrderEventKind.REJECT)])

    journaled(scenario)
    assert not models.OrderEvent.objects.exists()


def test_a_replayed_fill_changes_nothing_and_its_settlement_only_goes_forward() -> None:
    market_row()

    async def scenario(journal: DjangoJournal) -> Sequence[Fill]:
        await journal.intend(place(), [submission()], TERMS, NOW)
        await journal.record([fill(), fill(), fill(trade_id="t-2")])
        await journal.record([fill(TradeStatus.CONFIRMED)])
        await journal.record([fill(), fill(TradeStatus.MINED)])
        return await journal.fills("fake")

    fills = journaled(scenario)
    assert [(one.trade_id, one.status) for one in fills] == [
        ("t-1", TradeStatus.CONFIRMED),
        ("t-2", TradeStatus.MATCHED),
    ]
    assert fills[1] == fill(trade_id="t-2")


def test_a_fill_of_an_order_we_do_not_have_is_logged_and_the_rest_is_written() -> None:
    market_row()

    async def scenario(journal: DjangoJournal) -> None:
        await journal.intend(place(), [submission()], TERMS, NOW)
        await journal.record([fill(client_order_id=99), fill()])

    journaled(scenario)
    assert models.Fill.objects.count() == 1


def test_refusals_are_counted_and_those_of_unknown_markets_left_out() -> None:
    market_row()
    refusal = Refusal(CONDITION, Strategy.SPREAD, ("market_cap", "total_cap"), "over", NOW, trace="{}")
    foreign = msgspec.structs.replace(refusal, condition_id="0xdead")
    journaled(lambda journal: journal.record([refusal, refusal, foreign]))
    row = RefusalRow.objects.get()
    assert (row.codes, row.count, row.trace) == ("market_cap,total_cap", 2, "{}")


def test_an_audit_said_twice_is_written_once() -> None:
    audit = Audit("r-1", Action.CANCEL, 2, NOW, accepted=2, call_us=2**40)

    async def scenario(journal: DjangoJournal) -> None:
        await journal.audit(audit, TERMS)
        await journal.audit(audit, TERMS)

    journaled(scenario)
    row = models.ExecAudit.objects.get()
    assert (row.plan, row.accepted, row.call_us) == (None, 2, 2_147_483_647)


def test_a_restarted_engine_gets_back_its_open_orders_fills_and_ids() -> None:
    market_row()
    good_till = msgspec.structs.replace(
        order(7), order_type=OrderType.GTD, post_only=False, expires_ms=1_760_000_600_000
    )
    plan = msgspec.structs.replace(place("plan-7", 7), orders=(good_till,))

    async def first_life(journal: DjangoJournal) -> None:
        rig = Rig(journal=journal)
        await rig.hands.carry_out(plan)
        await rig.hands.carry_out(place("plan-1", 1, 2))
        await journal.record(
            [
                msgspec.structs.replace(LIVE, client_order_id=7),
                msgspec.structs.replace(
                    moved(OrderState.PARTIALLY_FILLED, OrderEventKind.FILL_PART), client_order_id=7, filled=4_000_000
                ),
                fill(client_order_id=7),
                moved(OrderState.REJECTED, OrderEventKind.REJECT, client_order_id=2),
            ]
        )

    journaled(first_life)
    order_row(models.Order.objects.all()[0].market, 50, relayer="paper")
    order_row(models.Order.objects.all()[0].market, 51, dry_run=True)

    async def second_life(journal: DjangoJournal) -> None:
        records = await journal.open_orders("fake")
        assert [record.order.client_order_id for record in records] == [1, 7]
        assert records[1].order == good_till
        assert (records[1].filled, records[1].fills) == (4_000_000, (("t-1", 0),))
        blotter = Blotter()
        blotter.restore(records, NOW)
        assert [live.client_order_id for live in blotter.unknown] == [1]
        ledger = Ledger(0)
        ledger.restore(await journal.fills("fake"))
        assert ledger.positions == {YES: 4_000_000}
        assert await journal.max_client_order_id() == 51

    journaled(second_life)


def test_orders_that_ended_are_remembered_while_the_venue_may_still_speak_of_them() -> None:
    market = market_row()
    fill_row(order_row(market, 1, state="filled"))  # its settlement was not told
    order_row(market, 2, state="cancelled")
    order_row(market, 3, state="cancelled", relayer="paper")
    order_row(market, 4)
    models.Fill.objects.update(status="MATCHED", relayer="fake")

    async def look(journal: DjangoJournal, since_ns: int) -> list[int]:
        return [each.order.client_order_id for each in await journal.ended_orders("fake", since_ns)]

    far = nanos(datetime.now(UTC) + timedelta(hours=1))
    assert journaled(lambda journal: look(journal, 0)) == [1, 2]
    assert journaled(lambda journal: look(journal, far)) == [1]
    models.Fill.objects.update(status="CONFIRMED")
    assert journaled(lambda journal: look(journal, far)) == []


def test_what_is_restored_is_what_was_signed() -> None:
    market_row()

    async def scenario(journal: DjangoJournal) -> None:
        rig = Rig(journal=journal)
        await rig.hands.carry_out(place())
        (record,) = await journal.open_orders("fake")
        assert record.order == order(1)
        assert record.placed_ns == NOW
        accepted = rig.outcomes[0]
        assert isinstance(accepted, Accepted)
        assert (accepted.ack, accepted.order_id) == (Ack.LIVE, record.order_id)

    journaled(scenario)


def test_a_full_journal_refuses_at_once_instead_of_growing() -> None:
    market_row()

    async def scenario(journal: DjangoJournal) -> None:
        with pytest.raises(JournalUnavailable, match="wait already"):
            await journal.intend(place(), [submission()], TERMS, NOW)

    async def run() -> None:
        journal = a_journal(waiting=0)
        await scenario(journal)
        journal._limit = 1
        await journal.close()

    asyncio.run(run())


def test_a_dry_run_leaves_its_signed_orders_in_the_journal_and_none_to_restore() -> None:
    market_row()
    fake = FakeRelayer()

    async def scenario(journal: DjangoJournal) -> None:
        rig = Rig(fake, journal=journal, terms=replace(TERMS, dry_run=True))
        await rig.hands.carry_out(place())
        assert await journal.open_orders("fake") == []

    journaled(scenario)
    row = models.Order.objects.get()
    assert (row.dry_run, row.payload[:11], sent(fake)) == (True, '{"builder":', [])
    assert services.abandon_orders(relayers=(), reason="dry run ended") == 1
    assert selectors.open_order_count() == 0
