"""The ladder in the trader: each rung takes down what it forbids, and flattening sells within its bound."""

from dataclasses import replace

import pytest

from execution.domain.commands import GTD_ENDS_EARLY, Cancelled, Command, Place, Refusal, Strategy
from markets.domain.events import Side
from markets.domain.units import SIZE_ONE
from polyweb.runtime.inbox import Hold, Sensed
from polyweb.runtime.ladder import EXIT_PAUSE_NS
from risk.domain.breakers import BreakerKind
from risk.domain.stops import Stop, StopLevel, StopScope
from strategies.domain.intents import OrderType
from strategies.domain.params import SpreadParams
from tests.builders import CONFIG, MILLI, SECOND, Stage, book, cancelled, fill_of, placed


def a_stop(level: StopLevel, scope: StopScope = StopScope.ALL, target: str = "", slippage: int = 300) -> Stop:
    return Stop(level, scope, target, "all out", slippage=slippage)


def long_yes(shares: int = 10) -> Stage:
    """A stage that quotes both sides and has bought YES at 0.49."""
    stage = Stage().quoting()
    bid = next(order for order in stage.live() if order.asset == stage.market.yes)
    stage.apply(fill_of(bid, stage.now, shares * SIZE_ONE))
    stage.turn()
    stage.turn()
    return stage.after(SECOND)


def turns(stage: Stage, times: int = 3) -> list[Command]:
    return [command for _ in range(times) for command in stage.turn()]


def exits_of(commands: list[Command]) -> list[Place]:
    return [each for each in commands if isinstance(each, Place) and each.strategy is Strategy.EXIT]


def reason(stage: Stage) -> str:
    return stage.trader.desks[stage.market.condition_id].reason


def test_reducing_keeps_only_the_side_that_brings_the_position_down_and_never_more_of_it() -> None:
    stage = long_yes()
    stage.operator(stops=(a_stop(StopLevel.REDUCE),))
    turns(stage)
    net = stage.trader.inventory(stage.market).net_yes
    live = [order for order in stage.live() if not order.cancel_asked]
    assert net == 10 * SIZE_ONE
    assert sum(order.remaining for order in live) == net
    assert all((order.side is Side.SELL) == (order.asset == stage.market.yes) for order in live)


def test_reducing_without_a_position_leaves_nothing_resting() -> None:
    stage = Stage().quoting().after(SECOND)
    stage.operator(stops=(a_stop(StopLevel.REDUCE),))
    turns(stage)
    assert stage.live() == ()
    assert reason(stage) == "stopped, reducing only, nothing to reduce: all out"


def test_reducing_a_position_below_the_minimum_says_that_it_is_too_little() -> None:
    stage = long_yes(shares=2)
    market = replace(stage.market, min_size=5 * SIZE_ONE)
    stage.operator(markets=(market,), stops=(a_stop(StopLevel.REDUCE),))
    turns(stage)
    assert stage.live() == ()
    assert reason(stage) == "stopped, reducing only, less is held than an order must have: all out"


def test_flattening_cancels_first_and_sells_once_nothing_of_ours_can_trade_any_more() -> None:
    stage = long_yes()
    stage.operator(stops=(a_stop(StopLevel.FLATTEN),))
    commands = stage.decide()
    assert len(cancelled(commands)) == 2
    assert exits_of(commands) == []
    assert reason(stage) == "flattening, our orders are still coming down: all out"
    stage.answer(commands)
    (place,) = exits_of(stage.decide())
    (order,) = place.orders
    assert (order.asset, order.side, order.size) == (stage.market.yes, Side.SELL, 10 * SIZE_ONE)
    assert (order.price, order.order_type, order.post_only) == (4900 - 300, OrderType.FAK, False)


def test_what_did_not_sell_is_tried_again_after_a_pause_within_the_same_bound() -> None:
    stage = long_yes()
    stage.operator(stops=(a_stop(StopLevel.FLATTEN),))
    (order,) = placed(turns(stage))
    stage.apply(Cancelled(order.client_order_id, "killed", stage.now))
    stage.after(EXIT_PAUSE_NS - MILLI).hear(book(stage.market, stage.now, {4700: 100}, {5100: 100}))
    assert placed(stage.turn()) == []
    stage.after(MILLI).tick()
    (again,) = placed(stage.turn())
    assert again.price == 4600
    stage.apply(Cancelled(again.client_order_id, "killed", stage.now))
    stage.after(EXIT_PAUSE_NS).hear(book(stage.market, stage.now, {4500: 100}, {5100: 100}))
    assert placed(turns(stage)) == []
    assert reason(stage) == "flattening, bids are below the slippage bound: all out"


def test_once_flat_nothing_more_is_sold() -> None:
    stage = long_yes()
    stage.operator(stops=(a_stop(StopLevel.FLATTEN),))
    turns(stage)
    (order,) = stage.live()
    stage.apply(fill_of(order, stage.now, trade_id="trade-2"))
    stage.after(EXIT_PAUSE_NS).tick()
    assert placed(turns(stage)) == []
    assert reason(stage) == "flattening, nothing is held: all out"
    assert stage.trader.inventory(stage.market).net_yes == 0


def test_nothing_is_sold_while_another_engine_may_trade() -> None:
    stage = long_yes()
    stage.apply(Hold(stage.now, "lease ran out"))
    stage.operator(stops=(a_stop(StopLevel.FLATTEN),))
    assert placed(turns(stage)) == []


@pytest.mark.parametrize(("kind", "sells"), [(BreakerKind.LOSS, True), (BreakerKind.CLOCK_SKEW, False)])
def test_a_breaker_about_us_is_no_reason_to_keep_what_is_held(kind: BreakerKind, sells: bool) -> None:
    stage = long_yes()
    stage.apply(Sensed(stage.now, kind, "seen"))
    stage.operator(stops=(a_stop(StopLevel.FLATTEN),))
    assert bool(exits_of(turns(stage))) is sells
    assert bool([each for each in stage.refusals() if each.strategy is Strategy.EXIT]) is not sells


def test_a_stop_of_another_strategy_leaves_the_quotes_alone() -> None:
    stage = Stage().quoting().after(SECOND)
    stage.operator(stops=(a_stop(StopLevel.CANCEL, StopScope.STRATEGY, "dutch_book"),))
    assert turns(stage) == []
    stage.operator(stops=(a_stop(StopLevel.CANCEL, StopScope.STRATEGY, "spread"),))
    assert len(cancelled(turns(stage))) == 2


def test_a_stop_of_a_wallet_we_cannot_tell_apart_from_ours_holds() -> None:
    stage = Stage().quoting().after(SECOND)
    stage.operator(stops=(a_stop(StopLevel.CANCEL, StopScope.WALLET, "0xab"),))
    assert len(cancelled(turns(stage))) == 2


def test_a_refusal_to_sell_says_which_rule() -> None:
    stage = long_yes()
    stage.apply(Sensed(stage.now, BreakerKind.VENUE, "cancel-only"))
    stage.operator(stops=(a_stop(StopLevel.FLATTEN),))
    turns(stage)
    (refusal,) = [fact for fact in stage.facts if isinstance(fact, Refusal)]
    assert (refusal.codes, refusal.detail) == (("breaker",), "venue breaker: cancel-only")


@pytest.mark.parametrize(("bound_s", "rests_s"), [(240, 240), (0, 600), (3_600, 600)])
def test_no_quote_rests_longer_than_the_bound_with_everything_down(bound_s: int, rests_s: int) -> None:
    stage = Stage(config=replace(CONFIG, max_rest_s=bound_s), defaults=SpreadParams(quote_expiry_s=600))
    orders = placed(stage.turn(book(stage.market, stage.now)))
    ends = {order.expires_ms - GTD_ENDS_EARLY - stage.now // MILLI for order in orders}
    assert ends == {rests_s * 1_000}
