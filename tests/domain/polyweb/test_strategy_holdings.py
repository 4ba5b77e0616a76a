"""What each strategy holds in a running trader, as its caps count it: baskets, the quoter's inventory, a restart."""

from dataclasses import replace

from execution.domain.commands import Command, Fill, Place, Strategy
from execution.domain.postings import PostingKind, adjusted
from execution.domain.postings import PostingLeg as Leg
from markets.domain.events import Side
from markets.domain.market import Market
from polyweb.runtime.trader import Trader
from risk.domain.caps import CapKind, Level
from risk.domain.gate import RefusalCode
from risk.domain.limits import Limits, spelled
from tests.basket_builders import ARB, WIDE, Floor
from tests.builders import SECOND, SHARES, Stage, book, plain


def capped(strategy: Strategy, shares: int) -> Limits:
    return replace(WIDE, own={spelled(CapKind.SHARES, Level.STRATEGY, strategy.value): shares * SHARES})


def holdings(stage: Stage) -> tuple[int, int]:
    """Shares of the quoter and of the Dutch book, open buys with them."""
    sums = [stage.trader.exposure.sums(stage.market.condition_id, name.value).strategy for name in Strategy]
    of = dict(zip(Strategy, sums, strict=True))
    return of[Strategy.SPREAD].shares, of[Strategy.DUTCH_BOOK].shares


def a_basket(floor: Floor) -> Place:
    place = floor.open()
    for order in place.orders:
        floor.fill(order.client_order_id)
    floor.decide()
    return place


def test_a_basket_is_the_dutch_books_before_and_after_it_has_filled() -> None:
    floor = Floor(arb=replace(ARB, max_size=40 * SHARES))
    place = floor.open()
    quoted, _ = holdings(floor)
    assert holdings(floor) == (quoted, 80 * SHARES)
    for order in place.orders:
        floor.fill(order.client_order_id)
    assert holdings(floor) == (quoted, 80 * SHARES)


def shown(floor: Floor, market: Market, bids: dict[int, int], asks: dict[int, int]) -> list[Command]:
    floor.after(SECOND).hear(book(market, floor.now, bids, asks))
    return floor.decide()


def test_a_dutch_book_that_holds_sets_buys_only_what_its_cap_leaves() -> None:
    def bought_next(cap: int) -> int:
        floor = Floor(arb=replace(ARB, max_size=40 * SHARES), limits=capped(Strategy.DUTCH_BOOK, cap))
        a_basket(floor)
        dear, cheap = ({5500: 100}, {5700: 100}), ({4500: 100}, {4700: 100})
        commands = [shown(floor, market, *prices) for prices in (dear, cheap) for market in floor.markets]
        return sum(order.size for each in commands for place in floor.baskets(each) for order in place.orders)

    assert bought_next(160) == 80 * SHARES
    assert 0 < bought_next(120) <= 40 * SHARES
    assert bought_next(80) == 0


def test_a_quoter_that_holds_its_cap_only_sells_and_a_basket_is_not_bound_by_it() -> None:
    stage = Stage(limits=capped(Strategy.SPREAD, 100), defaults=plain(size=20 * SHARES, max_inventory=1_000 * SHARES))
    leg = Leg(stage.market.yes, stage.market.condition_id, 100 * SHARES)
    stage.apply(adjusted("stock", PostingKind.ADJUSTED, leg, 5000, stage.now, "by hand"))
    stage.quoting()
    assert {(order.asset, order.side) for order in stage.live()} == {(stage.market.yes, Side.SELL)}
    assert stage.refusals()[0].codes == (RefusalCode.STRATEGY_CAP.value,)

    floor = Floor(arb=replace(ARB, max_size=40 * SHARES), limits=capped(Strategy.SPREAD, 1))
    a_basket(floor)
    assert holdings(floor) == (0, 80 * SHARES)


def test_after_a_restart_the_shares_of_baskets_are_still_the_dutch_books() -> None:
    floor = Floor(arb=replace(ARB, max_size=40 * SHARES), limits=capped(Strategy.SPREAD, 1))
    place = floor.open()
    for order in place.orders:
        floor.fill(order.client_order_id)
    floor.decide()
    fills = [item for item in floor.heard if isinstance(item, Fill)]
    memories = floor.trader.remember([])
    again = Floor()
    again.trader = Trader(again.trader.config)
    again.trader.restore([], fills, floor.now)
    again.trader.recall(memories, at_ns=floor.now)
    again.apply(again.control)
    assert holdings(again) == (0, 80 * SHARES)
