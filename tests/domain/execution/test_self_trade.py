"""The last look: no new order may meet one of ours, in either token."""

import pytest

from execution.domain.blotter import LiveOrder
from execution.domain.commands import NewOrder, Place, Strategy
from execution.domain.orders import OrderState
from execution.domain.self_trade import meeting
from markets.domain.events import Side
from tests.builders import SHARES, Stage, a_market

BUY, SELL = Side.BUY, Side.SELL


def new(number: int, asset: str, side: Side, price: int) -> NewOrder:
    return NewOrder(number, "m", asset, side, price, 20 * SHARES, 100)


def live(number: int, asset: str, side: Side, price: int, state: OrderState = OrderState.LIVE) -> LiveOrder:
    return LiveOrder(number, "m", asset, side, price, 20 * SHARES, 20 * SHARES, 0, state)


@pytest.mark.parametrize(
    ("order", "rests", "meets"),
    [
        (new(2, "yes", BUY, 5000), live(1, "yes", SELL, 5000), True),
        (new(2, "yes", BUY, 4900), live(1, "yes", SELL, 5000), False),
        (new(2, "yes", BUY, 5000), live(1, "no", BUY, 5000), True),  # the venue would mint a pair
        (new(2, "yes", BUY, 4900), live(1, "no", BUY, 5000), False),
        (new(2, "yes", SELL, 5000), live(1, "no", SELL, 5000), True),  # and merge one here
        (new(2, "no", SELL, 5100), live(1, "no", BUY, 5200), True),
        (new(2, "yes", BUY, 6000), live(1, "yes", BUY, 5000), False),
        (new(2, "yes", BUY, 5000), live(1, "no", BUY, 5000, OrderState.UNKNOWN), True),
    ],
)
def test_orders_meet_across_both_tokens(order: NewOrder, rests: LiveOrder, meets: bool) -> None:
    assert bool(meeting([order], [rests], "yes")) is meets


def test_two_new_orders_may_not_meet_each_other_either() -> None:
    bid, offer = new(1, "yes", BUY, 5100), new(2, "no", BUY, 5000)
    assert meeting([bid, offer], [], "yes") == "our bid at 0.51 would meet our offer at 0.5 (order 1)"
    assert meeting([bid], [], "yes") == ""


def test_an_order_does_not_meet_itself() -> None:
    assert meeting([new(1, "yes", BUY, 5100)], [live(1, "yes", BUY, 5100)], "yes") == ""


def test_the_trader_looks_at_what_rests_in_each_market_of_a_plan() -> None:
    stage = Stage().quoting()
    market, other = stage.market, a_market(2)

    def plan(price: int) -> Place:
        order = NewOrder(99, market.condition_id, market.yes, BUY, price, 20 * SHARES, 100)
        far = NewOrder(98, other.condition_id, other.yes, BUY, 9900, 20 * SHARES, 100)
        return Place("p", Strategy.DUTCH_BOOK, (far, order), stage.now)

    assert "would meet our offer at 0.51" in stage.trader.self_trade(plan(5100))
    assert stage.trader.self_trade(plan(5000)) == ""
