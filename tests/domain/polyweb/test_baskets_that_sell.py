"""Sets held in stock and sold by the trader: what is free for it, and where a sale that filled in part ends."""

from dataclasses import replace

import pytest

from execution.domain.commands import Place, TradeStatus
from execution.domain.postings import PostingKind, adjusted
from execution.domain.postings import PostingLeg as Leg
from markets.domain.events import Side
from markets.domain.market import Market
from markets.domain.units import AssetId
from strategies.domain.basket_stages import Stage as At
from tests.basket_builders import ARB, Floor
from tests.builders import PUSD, SECOND, SHARES, Shares, book

DEAR: tuple[Shares, Shares] = ({5300: 100}, {5400: 100})  # two YES are bid for at 0.53: a set for 1.06
SALE = replace(ARB, max_size=40 * SHARES)


def stock(floor: Floor, shares: int = 40) -> Floor:
    """So many YES of both outcomes are held, at 0.50 each."""
    for market in floor.markets:
        leg = Leg(market.yes, market.condition_id, shares * SHARES)
        floor.apply(adjusted(f"stock-{market.yes}", PostingKind.ADJUSTED, leg, 5000, floor.now, "by hand"))
    return floor


def sale(floor: Floor, books: tuple[Shares, Shares] = DEAR) -> Place:
    """The quoter offers the stock first, as it decides first; its offers make way."""
    floor.hear(*(book(market, floor.now, *books) for market in floor.markets))
    for _ in range(4):
        commands = floor.decide()
        if found := floor.baskets(commands):
            return found[0]
        floor.after(SECOND).answer(commands)
    raise AssertionError("nothing was sold")


def market_of(floor: Floor, asset: AssetId) -> Market:
    return next(market for market in floor.markets if market.yes == asset)


def test_sets_in_stock_are_sold_to_bids_that_pay_more_than_a_pusd() -> None:
    floor = stock(Floor(arb=SALE))
    place = sale(floor)
    assert {(order.asset, order.side, order.price, order.size) for order in place.orders} == {
        (market.yes, Side.SELL, 5300, 40 * SHARES) for market in floor.markets
    }
    for order in place.orders:
        floor.fill(order.client_order_id)
    floor.decide()
    assert floor.stages[:2] == [At.TAKING, At.WHOLE]
    assert (floor.moved[1].profit, floor.moved[1].filled) == (40 * PUSD * 6 // 100, (40 * SHARES, 40 * SHARES))
    assert floor.trader.ledger.positions == {}


def test_shares_of_a_sale_are_not_quoted_and_are_free_again_after_it() -> None:
    floor = stock(Floor(arb=SALE))
    place = sale(floor)
    assert floor.trader.quotable(floor.market).yes == 0
    for order in place.orders:
        floor.kill(order.client_order_id)
    floor.decide()
    assert floor.stages[:2] == [At.TAKING, At.NOTHING]
    assert floor.trader.quotable(floor.market).yes == 40 * SHARES


def test_what_was_bought_for_another_set_is_no_stock() -> None:
    floor = stock(Floor(arb=SALE))
    floor.trader.sets[floor.market.yes] = {"another": 40 * SHARES}
    place = sale(floor)
    assert {order.side for order in place.orders} == {Side.BUY}


@pytest.mark.parametrize("stage", [At.COMPLETING, At.UNWINDING])
def test_a_leg_that_did_not_sell_is_sold_cheaper_or_the_other_bought_back(stage: At) -> None:
    floor = stock(Floor(arb=SALE))
    first, second = sale(floor).orders
    floor.fill(first.client_order_id)
    floor.kill(second.client_order_id)
    sold, left = market_of(floor, first.asset), market_of(floor, second.asset)
    cheaper = {5200: 100} if stage is At.COMPLETING else {1000: 100}
    floor.hear(book(sold, floor.now, *DEAR), book(left, floor.now, cheaper, {5400: 100}))
    (follow,) = floor.baskets(floor.after(SECOND).decide())
    (order,) = follow.orders
    expected = (left.yes, Side.SELL, 5200) if stage is At.COMPLETING else (sold.yes, Side.BUY, 5400)
    assert (order.asset, order.side, order.price) == expected
    floor.fill(order.client_order_id)
    floor.decide()
    assert floor.stages[:3] == [At.TAKING, stage, At.WHOLE if stage is At.COMPLETING else At.UNWOUND]
    whole = 0 if stage is At.COMPLETING else 40 * SHARES
    assert [floor.trader.ledger.holding(market.yes).shares for market in floor.markets] == [whole, whole]


def test_a_sale_whose_ways_out_all_lose_too_much_is_left_to_the_operator() -> None:
    floor = stock(Floor(arb=replace(SALE, max_loss=PUSD)))
    first, second = sale(floor).orders
    floor.fill(first.client_order_id)
    floor.kill(second.client_order_id)
    for market in floor.markets:
        floor.hear(book(market, floor.now, {1000: 100}, {9000: 100}))
    assert floor.baskets(floor.decide()) == []
    assert floor.stages[-1] is At.STUCK
    assert "complete: -14.80 pUSD; unwind: -14.80 pUSD" in floor.moved[-1].detail


def test_a_first_leg_may_rest_a_tick_above_the_bid_and_the_rest_is_sold_after_it() -> None:
    floor = stock(Floor(arb=replace(SALE, maker_leg=True)))
    (maker,) = sale(floor, ({5300: 100}, {5600: 100})).orders
    assert (maker.side, maker.price, maker.post_only) == (Side.SELL, 5400, True)
    floor.fill(maker.client_order_id, status=TradeStatus.MATCHED)
    (follow,) = floor.baskets(floor.decide())
    assert [(order.side, order.size, order.post_only) for order in follow.orders] == [(Side.SELL, 40 * SHARES, False)]
