"""Orders whose fate nobody knows, at the sandbox over real sockets: found, said again, or ended, never guessed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from execution.domain.commands import Accepted, Cancelled, Fill, NewOrder, Unknown
from execution.domain.doubts import APART_NS, GRACE_NS, RESEND_FROM_NS
from execution.domain.orders import OrderState
from execution.domain.reconcile import CorrectionKind
from execution.journal import Action
from execution.relayers.base import Ok
from execution.sandbox.mischief import Fault
from markets.domain.events import Side
from markets.domain.units import NANOS_PER_SECOND
from strategies.domain.intents import OrderType
from tests.sandbox_trading import Trading, trading


@asynccontextmanager
async def deaf() -> AsyncIterator[Trading]:
    """An account whose user channel says nothing at all, so that only looking helps."""
    async with trading() as at:
        await at.fault(kind="lose_event")
        yield at


async def lost(at: Trading, kind: str, **changes: object) -> NewOrder:
    """An order whose answer never came."""
    await at.fault(kind=kind, on="POST /order", count=1)
    terms: dict[str, object] = {"side": Side.BUY, "price": 100, "shares": 150} | changes
    quote = at.order(at.simple(), **terms)  # type: ignore[arg-type]  # the terms of one order, some of them replaced
    at.place(quote)
    await at.become(OrderState.UNKNOWN, quote)
    return quote


async def there(at: Trading) -> list[str]:
    listed = await at.relayer.open_orders()
    assert isinstance(listed, Ok)
    return [order.order_id for order in listed.value]


async def test_an_order_that_rests_is_found_by_the_first_look() -> None:
    async with deaf() as at:
        quote = await lost(at, "drop_answer")
        await at.lookout.look()
        assert at.state(quote) is OrderState.LIVE
        assert await there(at) == [at.orders.order_id(quote.client_order_id)]


async def test_an_order_that_traded_at_once_is_found_with_its_trades() -> None:
    async with deaf() as at:
        take = await lost(at, "drop_answer", price=9_900, shares=20, order_type=OrderType.FAK, post_only=False)
        await at.lookout.look()
        assert at.state(take) is OrderState.FILLED
        assert any(isinstance(each, Fill) for each in at.outcomes)
        assert at.ledger.positions[take.asset] >= take.size


async def test_an_order_that_was_taken_down_meanwhile_is_found_by_its_hash() -> None:
    async with deaf() as at:
        quote = await lost(at, "drop_answer")
        gone = at.orders.order_id(quote.client_order_id)
        await at.relayer.http.call("DELETE", "/orders", f'["{gone}"]'.encode())
        await at.lookout.look()
        assert at.state(quote) is OrderState.CANCELLED


async def test_an_order_that_never_arrived_is_said_once_more_in_the_same_bytes_and_rests() -> None:
    async with deaf() as at:
        quote = await lost(at, "lose_request")
        assert await there(at) == []
        at.ahead_ns = RESEND_FROM_NS
        await at.lookout.look()
        assert at.state(quote) is OrderState.LIVE
        assert await there(at) == [at.orders.order_id(quote.client_order_id)]
        assert [audit.action for audit in at.journal.audits] == [Action.PLACE, Action.RESEND]


async def test_a_second_copy_that_is_lost_or_refused_leaves_the_order_unknown_until_two_looks_have_missed_it() -> None:
    async with deaf() as at:
        quote = await lost(at, "lose_request")
        await at.fault(kind="mode", mode="cancel_only", seconds=30)
        at.ahead_ns = RESEND_FROM_NS
        await at.lookout.look()
        assert at.state(quote) is OrderState.UNKNOWN
        at.ahead_ns = GRACE_NS
        await at.lookout.look()
        assert at.state(quote) is OrderState.UNKNOWN
        at.ahead_ns += APART_NS
        await at.lookout.look()
        assert at.state(quote) is OrderState.CANCELLED
        assert CorrectionKind.NOT_LISTED in [each.kind for each in at.corrections]


async def test_an_order_wanted_back_is_not_said_again_and_its_cancel_is_not_lost() -> None:
    async with deaf() as at:
        quote = await lost(at, "drop_answer")
        assert at.blotter.ask_cancel([quote.client_order_id], at.clock()) == ()
        at.ahead_ns = RESEND_FROM_NS
        await at.lookout.look()
        assert at.blotter.due_cancels(at.clock()) == (quote.client_order_id,)
        assert [audit.action for audit in at.journal.audits] == [Action.PLACE]


async def test_an_order_too_old_to_be_said_again_ends_by_looking_alone() -> None:
    async with deaf() as at:
        quote = await lost(at, "lose_request")
        for ahead_ns in (GRACE_NS, GRACE_NS + APART_NS):
            at.ahead_ns = ahead_ns
            await at.lookout.look()
        assert at.state(quote) is OrderState.CANCELLED
        assert await there(at) == []
        assert [audit.action for audit in at.journal.audits] == [Action.PLACE]


async def test_a_venue_that_cannot_be_read_concludes_nothing() -> None:
    async with deaf() as at:
        quote = await lost(at, "lose_request")
        await at.fault(kind="error_after", on="GET /data/trades")
        for ahead_ns in (GRACE_NS, GRACE_NS + APART_NS, GRACE_NS + 2 * APART_NS):
            at.ahead_ns = ahead_ns
            assert await at.lookout.look() == ()
        assert at.state(quote) is OrderState.UNKNOWN


async def test_an_answer_that_arrives_late_attaches_to_its_order() -> None:
    async with trading() as at:
        await at.fault(kind="delay_answer", on="POST /order", seconds=2, count=1)
        await at.fault(kind="delay_event", seconds=1.5)
        quote = at.order(at.simple(), Side.BUY, 100, 150)
        at.place(quote)
        await at.become(OrderState.UNKNOWN, quote)
        await at.become(OrderState.LIVE, quote)
        told = [type(each) for each in at.outcomes if each.client_order_id == quote.client_order_id]
        assert told[:2] == [Unknown, Accepted]


async def test_an_order_that_vanished_without_a_word_is_missed_by_the_catch_up_and_ends_after_two_looks() -> None:
    async with deaf() as at:
        quote = at.order(at.simple(), Side.BUY, 100, 150)
        at.place(quote)
        await at.become(OrderState.LIVE, quote)
        venue = at.sandbox.venue
        order_id = at.orders.order_id(quote.client_order_id)
        await at.relayer.http.call("DELETE", "/cancel-all", b"")
        del venue.orders[order_id]
        found = await at.catch_up()
        assert isinstance(found, Ok)
        assert found.value.missing == (order_id,)
        at.lookout.report(found.value.missing)
        for ahead_ns in (GRACE_NS, GRACE_NS + APART_NS):
            at.ahead_ns = ahead_ns
            await at.lookout.look()
        assert at.state(quote) is OrderState.CANCELLED
        assert [type(each) for each in at.outcomes][-1] is Cancelled


async def test_however_many_answers_and_requests_are_lost_nothing_is_doubled_and_nothing_forgotten() -> None:
    async with deaf() as at:
        await at.fault(kind="drop_answer", probability=0.25, on="POST /orders")
        await at.fault(kind="lose_request", probability=0.25, on="POST /orders")
        quotes = [at.order(at.simple(), Side.BUY, 100, 10) for _ in range(60)]
        for start in range(0, 60, 3):
            at.place(*quotes[start : start + 3])
        await at.until(lambda: len(at.journal.audits) == 20)
        at.ahead_ns = RESEND_FROM_NS
        await at.lookout.look()
        for ahead_ns in (GRACE_NS, GRACE_NS + APART_NS):
            at.ahead_ns = ahead_ns + NANOS_PER_SECOND
            await at.lookout.look()
        resting = [at.orders.order_id(quote.client_order_id) for quote in quotes if at.state(quote) is OrderState.LIVE]
        assert sorted(resting) == sorted(await there(at))
        assert at.blotter.unknown == ()
        assert at.sandbox.mischief.injected[Fault.DROP_ANSWER]
        assert at.sandbox.mischief.injected[Fault.LOSE_REQUEST]
