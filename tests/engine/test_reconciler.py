"""Reconciliation at the sandbox over real sockets: what explains itself is booked, the rest trips, strangers stay."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from execution.domain import postings
from execution.domain.commands import Cancelled, Fill, NewOrder, TradeStatus
from execution.domain.drift import APART_NS, LAG_NS
from execution.domain.orders import OrderState
from execution.domain.ours import OurOrders
from execution.domain.postings import PostingKind
from execution.domain.reconcile import CorrectionKind
from execution.relayers.base import Ok, Submission
from execution.relayers.polymarket import PolymarketRelayer
from execution.sandbox.accounts import CASH as CASH_ASSET
from execution.sandbox.accounts import Posting
from execution.signing import LocalSigner, OrderToSign, SignatureType
from markets.domain.events import Side
from markets.domain.units import NANOS_PER_SECOND, SIZE_ONE
from polyweb.runtime.reconciler import Reconciler, Stated
from strategies.domain.intents import OrderType
from tests.sandbox_trading import CASH, KEY, Trading, trading


@asynccontextmanager
async def empty() -> AsyncIterator[Trading]:
    """An account with cash alone, so that what is held came from trading."""
    async with trading(shares=0) as at:
        yield at


@asynccontextmanager
async def elsewhere(at: Trading) -> AsyncIterator[PolymarketRelayer]:
    """The same account used by somebody else."""
    other = PolymarketRelayer(at.config, OurOrders(), assets=list, on_outcome=lambda _: None, on_alarm=lambda _: None)
    try:
        yield other
    finally:
        await other.close()


async def place_elsewhere(at: Trading, order: NewOrder) -> str:
    """Sign and send an order that nobody here has heard of; returns its id."""
    market = at.markets[order.condition_id]
    wanted = OrderToSign(
        order.client_order_id + 5_000, order.asset, order.side, order.price, order.size, order.tick, market.neg_risk,
        market.generation.value, time.time_ns() // 1_000_000, order_type=order.order_type, post_only=order.post_only,
    )  # fmt: skip
    (signed,) = await LocalSigner(KEY, KEY.address, SignatureType.EOA, 137).sign([wanted], 1)
    async with elsewhere(at) as other:
        await other.submit([Submission(order, signed.order_id, signed.body)])
    await at.until(lambda: at.sandbox.venue.clearing.next_due() is None)
    return signed.order_id


def pay(at: Trading, pusd: int) -> None:
    """Cash that moves at the venue without a trade."""
    at.sandbox.venue.ledger.open(KEY.address, KEY.address, 0)
    at.sandbox.venue.ledger.settle([Posting(KEY.address, CASH_ASSET, pusd * SIZE_ONE)])


async def twice(at: Trading, reconciler: Reconciler, source: str = "engine") -> None:
    """Two rounds far enough apart, long after anything settled."""
    at.ahead_ns += LAG_NS + APART_NS
    assert await reconciler.reconcile(source)
    at.ahead_ns += APART_NS
    assert await reconciler.reconcile(source)


async def take(at: Trading, shares: int = 20) -> NewOrder:
    order = at.order(at.simple(), Side.BUY, 9_900, shares, order_type=OrderType.FAK, post_only=False)
    at.place(order)
    await at.until(lambda: any(isinstance(each, Fill) for each in at.outcomes))
    return order


async def test_an_account_that_agrees_needs_no_correction_and_trips_nothing() -> None:
    async with empty() as at:
        await take(at)
        await at.until(lambda: at.orders.unsettled_ms is None)
        await twice(at, at.reconciler())
        assert (at.corrections, at.sensed) == ([], ["", ""])


async def test_a_trade_under_way_is_no_drift() -> None:
    async with trading(shares=0) as at:
        at.sandbox.venue.clearing.mine_ms = 600_000
        await take(at)
        await twice(at, at.reconciler())
        assert at.ledger.in_flight
        assert at.sensed == ["", ""]


async def test_a_settlement_that_failed_is_no_drift_either() -> None:
    async with empty() as at:
        await at.fault(kind="fail_settlement")
        await take(at)
        await at.until(lambda: any(isinstance(o, Fill) and o.status is TradeStatus.FAILED for o in at.outcomes))
        await twice(at, at.reconciler())
        assert at.sensed == ["", ""]
        assert at.ledger.cash == CASH


async def test_money_that_moves_without_us_trips_the_breaker_at_the_second_look_and_says_what_differs() -> None:
    async with empty() as at:
        bought = at.order(at.simple(), Side.BUY, 9_900, 20, order_type=OrderType.FAK, post_only=False)
        await place_elsewhere(at, bought)
        reconciler = at.reconciler()
        at.ahead_ns = LAG_NS + APART_NS
        assert await reconciler.reconcile("engine")
        assert at.sensed == [""]
        at.ahead_ns += APART_NS
        assert await reconciler.reconcile("engine")
        assert "pUSD there, 10000.000000 pUSD here" in at.sensed[-1]
        assert f"YES of {bought.condition_id}" in at.sensed[-1]
        kinds = {each.kind for each in at.corrections}
        assert kinds == {CorrectionKind.CASH_DRIFT, CorrectionKind.POSITION_DRIFT}


async def test_what_differs_the_same_way_is_written_once() -> None:
    async with empty() as at:
        bought = at.order(at.simple(), Side.BUY, 9_900, 20, order_type=OrderType.FAK, post_only=False)
        await place_elsewhere(at, bought)
        reconciler = at.reconciler()
        await twice(at, reconciler)
        await twice(at, reconciler)
        assert at.reports == ["engine"]


async def test_positions_from_before_us_are_adopted_at_the_stated_price_with_a_row() -> None:
    async with trading() as at:
        market = at.simple()
        assets = [asset for each in at.markets.values() for asset in (each.yes, each.no)]
        at.stated = dict.fromkeys(assets, Stated(4_200, "the venue's average"))
        await at.reconciler().start(lambda: None, asyncio.sleep(60))
        assert at.ledger.holding(market.yes).cost == 1_000 * 4_200 * SIZE_ONE // 10_000
        assert at.ledger.cash == CASH
        assert len(at.posted) == len(assets)
        assert {posting.kind for posting in at.posted} == {PostingKind.ADOPTED}
        assert at.posted[0].reason.endswith("at 0.42: the venue's average")
        assert {each.kind for each in at.corrections} == {CorrectionKind.ADOPTED}
        assert at.sensed == [""]


async def test_markets_that_still_wait_in_the_inbox_are_read_before_the_first_quote_as_well() -> None:
    async with trading() as at:
        market = at.simple()
        at.markets, waiting = {}, at.markets
        at.stated = {market.yes: Stated(4_200, "the venue's average")}
        await at.reconciler().start(lambda: at.markets.update(waiting), asyncio.sleep(60))
        assert {leg.asset for posting in at.posted for leg in posting.legs if leg.shares} == {market.yes}


async def test_a_position_nobody_can_price_is_not_adopted_but_told_and_trips() -> None:
    async with trading() as at:
        at.markets = {at.simple().condition_id: at.simple()}
        await at.reconciler(again_s=0.0).start(lambda: None, asyncio.sleep(60))
        assert at.posted == []
        assert "manage.py book adopt" in at.troubles[0].text
        at.ahead_ns = APART_NS
        reconciler = at.reconciler()
        await twice(at, reconciler)
        assert "1000 there, 0 here" in at.sensed[-1]


async def test_a_position_is_adopted_at_first_sight_or_never() -> None:
    async with trading() as at:
        market = at.simple()
        at.markets = {market.condition_id: market}
        reconciler = at.reconciler()
        assert await reconciler.reconcile("engine")
        at.stated = dict.fromkeys((market.yes, market.no), Stated(5_000, "mid"))
        await twice(at, reconciler)
        assert at.posted == []
        assert at.sensed[-1]


async def test_a_market_followed_later_has_its_position_adopted_too() -> None:
    async with trading() as at:
        first, later = list(at.markets.values())[:2]
        at.markets = {first.condition_id: first}
        at.stated = {asset: Stated(5_000, "mid") for market in (first, later) for asset in (market.yes, market.no)}
        reconciler = at.reconciler()
        assert await reconciler.reconcile("start")
        at.markets[later.condition_id] = later
        assert await reconciler.reconcile("engine")
        assert len(at.posted) == 4
        assert at.ledger.holding(later.yes).shares == 1_000 * SIZE_ONE


async def test_a_difference_at_the_start_holds_all_quotes_until_it_was_looked_at_twice() -> None:
    async with trading() as at:
        at.markets = {at.simple().condition_id: at.simple()}
        reconciler = at.reconciler()
        assert await reconciler.reconcile("start")
        assert "looking again" in at.holds[-1]
        at.ahead_ns = APART_NS
        assert await reconciler.reconcile("engine")
        assert at.holds[-1] == ""
        assert at.sensed[-1]


async def test_what_may_not_wait_for_a_slow_start_runs_beside_it() -> None:
    async with empty() as at:
        renewed: list[bool] = []

        async def renew() -> None:
            renewed.append(True)
            await asyncio.sleep(60)

        await at.fault(kind="error_after", on="GET /data/orders", count=1)
        await at.reconciler().start(lambda: None, renew())
        assert renewed == [True]
        assert at.reports == ["start"]


async def test_settlement_dust_is_taken_over_as_a_row() -> None:
    async with empty() as at:
        order = await take(at)
        await at.until(lambda: at.orders.unsettled_ms is None)
        at.sandbox.venue.ledger.settle([Posting(KEY.address, order.asset, -7)])
        await twice(at, at.reconciler())
        assert [posting.kind for posting in at.posted] == [PostingKind.DUST]
        held = await at.balances([at.simple()])
        assert isinstance(held, Ok)
        assert at.ledger.positions[order.asset] == held.value.shares[order.asset]
        assert at.sensed == ["", ""]


async def test_shares_of_a_resolved_market_that_have_gone_were_redeemed_for_their_payout() -> None:
    async with empty() as at:
        order = await take(at)
        await at.until(lambda: at.orders.unsettled_ms is None)
        held = at.ledger.positions[order.asset]
        at.winners = {order.condition_id: order.asset}
        reconciler = at.reconciler()
        redeemed = [Posting(KEY.address, order.asset, -held), Posting(KEY.address, CASH_ASSET, held)]
        at.sandbox.venue.ledger.settle(redeemed)
        await twice(at, reconciler)
        await twice(at, reconciler)
        assert [posting.kind for posting in at.posted] == [PostingKind.PAYOUT]
        assert at.ledger.positions == {}
        assert at.ledger.pnl({}).realised > 0
        assert at.sensed == [""] * 4


async def test_strangers_orders_are_told_once_and_left_alone() -> None:
    async with empty() as at:
        theirs = await place_elsewhere(at, at.order(at.simple(), Side.BUY, 100, 150))
        reconciler = at.reconciler()
        await twice(at, reconciler)
        assert [trouble.kind for trouble in at.troubles] == ["foreign_orders"]
        assert theirs in at.sandbox.venue.orders
        assert [each.subject for each in at.corrections] == [theirs]
        listed = await at.relayer.open_orders()
        assert isinstance(listed, Ok)
        assert [each.order_id for each in listed.value] == [theirs]
        await at.relayer.cancel_ids([theirs])
        await twice(at, reconciler)
        assert at.settled == ["reconciliation: foreign orders"]


async def test_strangers_orders_go_where_the_operator_says_so_and_ours_stay() -> None:
    async with empty() as at:
        ours = at.order(at.simple(), Side.BUY, 200, 150)
        at.place(ours)
        await at.become(OrderState.LIVE, ours)
        await place_elsewhere(at, at.order(at.simple(), Side.BUY, 100, 150))
        assert await at.reconciler(cancel_foreign=True).reconcile("engine")
        listed = await at.relayer.open_orders()
        assert isinstance(listed, Ok)
        assert [each.order_id for each in listed.value] == [at.orders.order_id(ours.client_order_id)]
        assert at.troubles == []


async def test_an_order_that_ended_here_and_rests_there_is_taken_down_at_the_second_look() -> None:
    async with empty() as at:
        quote = at.order(at.simple(), Side.BUY, 100, 150)
        at.place(quote)
        await at.become(OrderState.LIVE, quote)
        at.blotter.forget(0)
        at.blotter.apply(Cancelled(quote.client_order_id, "a wrong word", at.clock()))
        reconciler = at.reconciler()
        assert await reconciler.reconcile("engine")
        assert len(at.sandbox.venue.live_orders(KEY.address)) == 1
        at.ahead_ns = APART_NS
        assert await reconciler.reconcile("engine")
        assert at.sandbox.venue.live_orders(KEY.address) == []
        assert [each.kind for each in at.corrections] == [CorrectionKind.LEFT_BEHIND]


async def test_an_order_the_account_does_not_show_is_handed_to_the_lookout() -> None:
    async with empty() as at:
        await at.fault(kind="lose_event")
        quote = at.order(at.simple(), Side.BUY, 100, 150)
        at.place(quote)
        await at.become(OrderState.LIVE, quote)
        await at.relayer.http.call("DELETE", "/cancel-all", b"")
        del at.sandbox.venue.orders[at.orders.order_id(quote.client_order_id)]
        at.ahead_ns = LAG_NS
        assert await at.reconciler().reconcile("engine")
        for _ in range(2):
            await at.lookout.look()
            at.ahead_ns += APART_NS
        assert at.state(quote) is OrderState.CANCELLED


async def test_cash_that_came_in_by_itself_is_told_and_trips_nothing_until_it_is_booked() -> None:
    async with empty() as at:
        reconciler = at.reconciler()
        assert await reconciler.reconcile("start")
        pay(at, 5)
        await twice(at, reconciler)
        assert "a deposit, a rebate or a reward?" in at.troubles[0].text
        assert {each.kind for each in at.corrections} == {CorrectionKind.CASH_DRIFT}
        at.posted.append(postings.income("r", PostingKind.REBATE, 5 * SIZE_ONE, at.clock()))
        await twice(at, reconciler)
        assert at.settled == [at.troubles[0].key]
        assert set(at.sensed) == {""}
        assert at.ledger.pnl({}).rebates == 5 * SIZE_ONE


async def test_cash_that_left_by_itself_trips() -> None:
    async with empty() as at:
        reconciler = at.reconciler()
        assert await reconciler.reconcile("start")
        pay(at, -5)
        await twice(at, reconciler)
        assert "9995.000000 pUSD there, 10000.000000 pUSD here" in at.sensed[-1]


async def test_an_account_that_stays_unread_is_told_and_settled_when_it_is_read_again() -> None:
    async with empty() as at:
        reconciler = at.reconciler()
        assert await reconciler.reconcile("start")
        await at.fault(kind="error_after", on="GET /balance-allowance", count=2)
        assert not await reconciler.reconcile("engine")
        assert at.troubles == []
        at.ahead_ns = 301 * NANOS_PER_SECOND
        assert not await reconciler.reconcile("engine")
        assert "could not be compared for 30" in at.troubles[0].text
        assert await reconciler.reconcile("engine")
        assert at.settled == [at.troubles[0].key]


async def test_a_venue_that_cannot_be_read_concludes_nothing_and_says_why() -> None:
    async with trading() as at:
        await at.fault(kind="error_after", on="GET /balance-allowance")
        reconciler = at.reconciler()
        assert not await reconciler.reconcile("engine")
        assert reconciler.problem
        assert (at.sensed, at.reports) == ([], [])
