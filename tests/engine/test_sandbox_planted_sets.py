"""The sandbox plants one set that pays and three that only look like it; over its sockets only the first is traded."""

import time
from collections.abc import Iterable

from execution.domain.commands import Fill, Place, Strategy, TradeStatus
from execution.sandbox.listing import EventSpec, Generation
from markets.domain.events import Frame
from markets.domain.market import Market
from polyweb.dutch_scans import scan_live
from polyweb.runtime.feeds import FeedPlan
from polyweb.runtime.inbox import TraderConfig
from polyweb.runtime.trader import Trader
from strategies.domain.arb_params import ArbParams
from strategies.domain.basket_stages import Stage
from strategies.domain.intents import Route
from strategies.domain.opportunity_log import TAKEN, WAITS, Gap
from tests.builders import SECOND, a_control, book, plain
from tests.sandbox_sets import SHALLOW, WIDE, Books, plant
from tests.sandbox_trading import CASH, Trading, trading

CHEAP: Books = (({1000: 50}, {2000: 50}),) * 4  # every YES of four at 0.20
DEAR: Books = (({1000: 50}, {2600: 50}), *((({1000: 50}, {2400: 50}),) * 3))  # 0.98 in all: less than the fees


def contests(at: Trading) -> list[EventSpec]:
    return [event for event in at.sandbox.generator.events if event.neg_risk]


def a_trader(markets: Iterable[Market], now_ns: int) -> Trader:
    trader = Trader(TraderConfig(first_id=1, starting_cash=CASH, hash_every=0))
    arb = ArbParams(enabled=True, lock_rate_bps=0)
    trader.apply(a_control(tuple(markets), now_ns, arb=arb, defaults=plain(half_spread=4_000), limits=WIDE))
    return trader


def fills(at: Trading) -> list[Fill]:
    return [outcome for outcome in at.outcomes if isinstance(outcome, Fill) and outcome.status is TradeStatus.MATCHED]


async def test_only_the_set_that_pays_is_bought_and_it_fills_whole() -> None:
    async with trading() as at:
        ordinary = [each for each in contests(at) if not each.augmented and each.markets[0].generation is Generation.V1]
        v2 = next(each for each in contests(at) if each.markets[0].generation is Generation.V2)
        augmented = next(each for each in contests(at) if each.augmented)
        good, costly = ordinary[:2]
        plan = {good: CHEAP, costly: DEAR, v2: SHALLOW, augmented: CHEAP}
        markets = {event.event_id: plant(at, event, books) for event, books in plan.items()}
        now_ns = time.time_ns() - 3 * SECOND  # the quotes of the first turn use the order rate up
        trader = a_trader([market for members in markets.values() for market in members], now_ns)
        for event, books in plan.items():
            for market, (bids, asks) in zip(markets[event.event_id], books, strict=False):
                trader.apply(Frame(now_ns, 0, book(market, now_ns, bids, asks)))
        commands = trader.decide(now_ns) + trader.decide(time.time_ns())
        baskets = [each for each in commands if isinstance(each, Place) and each.strategy is Strategy.DUTCH_BOOK]
        assert {gap.event_id for gap in trader.open_gaps} == {event.event_id for event in plan}
        assert {gap.event_id for gap in trader.open_gaps if gap.reason == TAKEN} == {good.event_id}
        assert {gap.reason for gap in trader.open_gaps if gap.event_id == costly.event_id} == {"fees eat the edge"}
        (basket,) = baskets
        await at.hands.carry_out(basket)
        await at.until(lambda: sum(fill.size for fill in fills(at)) >= sum(order.size for order in basket.orders))
        for outcome in at.outcomes:
            trader.apply(outcome)
        trader.decide(time.time_ns())
        ended = trader.drain_baskets()[-1]
        assert (ended.stage, ended.basket.event_id) == (Stage.WHOLE, good.event_id)
        assert ended.profit >= ended.basket.edge > 0


async def test_the_live_scan_sees_the_gap_on_the_market_channel_and_sends_nothing() -> None:
    async with trading() as at:
        good = next(each for each in contests(at) if not each.augmented)
        markets = plant(at, good, CHEAP)
        params = ArbParams(enabled=True, lock_rate_bps=0)
        told: list[Gap] = []
        found = await scan_live(markets, params, FeedPlan(at.running.ws), 2.0, told.append, chain=False)
        (gap,) = [each for each in found.gaps if each.route is Route.BUY_ALL_YES]
        assert (gap.reason, gap.edge > 0, gap.gross) == (WAITS, True, 2000)
        assert gap.lifetime_ns > 0
        assert (found.scanner.malformed, found.scanner.looks > 0) == (0, True)
        assert at.outcomes == []
