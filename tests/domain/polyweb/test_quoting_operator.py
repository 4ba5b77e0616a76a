"""What an operator, the gate and the venue's limits do to quotes."""

from dataclasses import replace

from execution.domain.commands import Cancel, CancelReason, Command, Place, Refusal
from markets.domain.events import Side
from markets.domain.fees import FeeSchedule
from markets.domain.market import Market
from polyweb.runtime.inbox import Hold
from risk.domain.limits import Limits
from risk.domain.stops import Stop, StopLevel, StopScope
from tests.builders import (
    MILLI,
    PUSD,
    SECOND,
    SHARES,
    Stage,
    a_market,
    book,
    cancelled,
    fill_of,
    placed,
    plain,
)

LONG_LIVED = plain(min_quote_lifetime_ms=600_000, max_cancels_per_minute=1)


def reasons(commands: list[Command]) -> list[CancelReason]:
    return [command.reason for command in commands if isinstance(command, Cancel)]


def moved(market: Market, at: int) -> bytes:
    return book(market, at, {5400: 100}, {5600: 100})


def test_a_stop_that_cancels_takes_everything_of_its_scope_down_at_once() -> None:
    first, second = a_market(1), a_market(2)
    stage = Stage(first, second, defaults=LONG_LIVED).quoting()
    stage.operator(stops=(Stop(StopLevel.CANCEL, StopScope.MARKET, first.condition_id, "news"),))
    assert reasons(stage.turn()) == [CancelReason.STOPPED]
    assert (stage.prices(first), stage.prices(second)) == ([], [4900, 5100])
    assert stage.trader.desks[first.condition_id].reason == "stopped: news"
    stage.operator(stops=(Stop(StopLevel.CANCEL, StopScope.ALL, "", "all out"),))
    assert len(cancelled(stage.turn())) == 2


def test_a_pause_keeps_what_rests_and_places_nothing_new() -> None:
    stage = Stage().quoting().after(SECOND)
    stage.operator(stops=(Stop(StopLevel.PAUSE, StopScope.ALL, "", "lunch"),))
    assert stage.turn(moved(stage.market, stage.now)) == []
    assert stage.prices() == [4900, 5100]
    desk = stage.trader.desks[stage.market.condition_id]
    assert not desk.quoting
    assert desk.codes == ("stopped",)


def test_a_pause_keeps_what_rests_when_the_order_rate_is_used_up_too() -> None:
    stage = Stage(limits=Limits(orders_per_second=2), defaults=plain(min_quote_lifetime_ms=0)).quoting()
    stage.after(SECOND // 4).operator(stops=(Stop(StopLevel.PAUSE, StopScope.ALL, "", "lunch"),))
    assert stage.turn(moved(stage.market, stage.now)) == []
    assert stage.prices() == [4900, 5100]


def test_a_stop_that_is_released_or_expires_lets_quotes_back() -> None:
    stage = Stage().quoting()
    until = stage.now + SECOND
    stage.operator(stops=(Stop(StopLevel.CANCEL, StopScope.ALL, "", "a second", until),))
    stage.turn()
    assert stage.live() == ()
    stage.after(SECOND - 1).tick()
    assert placed(stage.turn()) == []
    stage.after(1).tick()
    assert len(placed(stage.turn())) == 2


def test_trading_switched_off_takes_the_quotes_down_and_on_again_brings_them_back() -> None:
    stage = Stage(defaults=LONG_LIVED).quoting()
    stage.operator(trading=frozenset())
    assert reasons(stage.turn()) == [CancelReason.DISABLED]
    stage.operator(trading=frozenset({stage.market.condition_id}))
    assert len(placed(stage.turn())) == 2


def test_changed_parameters_move_the_quotes_at_the_next_decision() -> None:
    stage = Stage().quoting().after(SECOND)
    wider = plain(half_spread=300)
    stage.operator(params={stage.market.condition_id: wider})
    assert cancelled(stage.turn()) == [1, 2]
    stage.turn()
    assert stage.prices() == [4700, 5300]


def test_a_smaller_cap_takes_down_only_the_quotes_beyond_it() -> None:
    first, second = a_market(1), a_market(2)
    stage = Stage(first, second, defaults=LONG_LIVED).quoting()
    stage.operator(limits=Limits(market_overrides={first.condition_id: PUSD}))
    assert reasons(stage.turn()) == [CancelReason.REFUSED]
    assert (stage.prices(first), stage.prices(second)) == ([], [4900, 5100])
    assert stage.trader.desks[first.condition_id].reason == "market could lose 9.8 pUSD, cap 1 pUSD"


def test_a_cap_that_is_removed_lets_quotes_back() -> None:
    stage = Stage(defaults=LONG_LIVED).quoting()
    stage.operator(limits=Limits(market_overrides={stage.market.condition_id: PUSD}))
    stage.turn()
    stage.operator(limits=Limits())
    assert len(placed(stage.turn())) == 2


def test_parameters_of_one_market_leave_the_others_alone() -> None:
    first, second = a_market(1), a_market(2)
    stage = Stage(first, second).quoting().after(SECOND)
    stage.operator(params={first.condition_id: plain(half_spread=300)})
    stage.turn()
    stage.turn()
    assert (stage.prices(first), stage.prices(second)) == ([4700, 5300], [4900, 5100])


def test_a_refusal_is_noted_with_its_codes_and_takes_the_quotes_down() -> None:
    stage = Stage().quoting().after(SECOND)
    stage.operator(limits=Limits(market_loss=15 * PUSD))
    stage.operator(params={stage.market.condition_id: plain(size=100 * SHARES)})
    commands = stage.turn()
    assert reasons(commands) == [CancelReason.REFUSED]
    assert [refusal.codes for refusal in stage.refusals()] == [("market_cap",)]
    assert stage.refusals()[0].detail.endswith("could lose 49 pUSD, cap 15 pUSD")
    assert stage.trader.desks[stage.market.condition_id].codes == ("market_cap",)
    assert stage.trader.counters.refusals == 1


def test_a_market_that_stops_accepting_orders_is_not_quoted() -> None:
    stage = Stage().quoting()
    stage.operator(markets=(replace(stage.market, accepting_orders=False),))
    assert reasons(stage.turn()) == [CancelReason.NO_QUOTE]


def test_the_order_rate_holds_back_new_quotes_until_there_is_room() -> None:
    first, second = a_market(1), a_market(2)
    stage = Stage(first, second, limits=Limits(orders_per_second=2)).quoting()
    assert (len(stage.prices(first)), len(stage.prices(second))) == (2, 0)
    assert [refusal.codes for refusal in stage.refusals()] == [("order_rate",)]
    stage.after(SECOND).tick()
    stage.turn()
    assert len(stage.prices(second)) == 2


def test_a_young_quote_stays_and_moves_when_it_is_old_enough() -> None:
    stage = Stage(defaults=plain(min_quote_lifetime_ms=2_000)).quoting().after(SECOND)
    assert stage.turn(moved(stage.market, stage.now)) == []
    stage.after(SECOND).tick()
    assert cancelled(stage.turn()) == [1, 2]


def test_requoting_stops_when_the_minutes_cancels_are_used_up() -> None:
    stage = Stage(defaults=plain(max_cancels_per_minute=2)).quoting()
    stage.after(SECOND).turn(moved(stage.market, stage.now))
    stage.turn()
    assert stage.prices() == [5400, 5600]
    stage.after(SECOND).turn(book(stage.market, stage.now))
    assert stage.prices() == [5400, 5600]
    stage.after(60 * SECOND)
    assert len(cancelled(stage.turn(book(stage.market, stage.now, {4800: 10}, {5000: 10})))) == 2


def test_a_new_quote_waits_until_the_old_one_is_proved_gone() -> None:
    stage = Stage().quoting().after(SECOND)
    stage.hear(moved(stage.market, stage.now))
    asked = stage.decide()
    assert cancelled(asked) == [1, 2]
    stage.after(100 * MILLI).hear(book(stage.market, stage.now, {5500: 100}, {5700: 100}))
    assert stage.decide() == []
    stage.answer(asked)
    assert len(placed(stage.turn())) == 2
    assert stage.prices() == [5500, 5700]


def test_a_fill_leans_the_quotes_away_and_offers_what_was_bought() -> None:
    stage = Stage().quoting().after(SECOND)
    bid = next(order for order in stage.live() if order.asset == stage.market.yes)
    stage.apply(fill_of(bid, stage.now))
    stage.turn()
    stage.turn()
    asks = [order for order in stage.live() if order.side is Side.SELL]
    assert [order.asset for order in asks] == [stage.market.yes]
    assert max(stage.prices()) <= 5100
    assert min(stage.prices()) < 4900


def test_quotes_are_post_only_and_pay_no_fee_in_the_exposure() -> None:
    dear = a_market(fees=FeeSchedule(rate=500))
    stage = Stage(dear)
    assert all(order.post_only for order in placed(stage.turn(book(dear, stage.now))))
    assert stage.trader.exposure.worst_total() == 20 * PUSD * 49 // 100


def test_at_a_cap_the_side_that_reduces_is_still_offered() -> None:
    stage = Stage(limits=Limits(market_loss=12 * PUSD)).quoting().after(SECOND)
    bid = next(order for order in stage.live() if order.asset == stage.market.yes)
    stage.apply(fill_of(bid, stage.now))
    stage.turn()
    stage.turn()
    assert [(order.side, order.asset) for order in stage.live()] == [(Side.SELL, stage.market.yes)]
    desk = stage.trader.desks[stage.market.condition_id]
    assert desk.reason.startswith("reducing only: market ")
    assert desk.codes == ("market_cap",)


def test_at_a_cap_half_the_size_is_offered_while_that_fits() -> None:
    stage = Stage(limits=Limits(market_loss=15 * PUSD)).quoting().after(SECOND)
    bid = next(order for order in stage.live() if order.asset == stage.market.yes)
    stage.apply(fill_of(bid, stage.now))
    stage.turn()
    stage.turn()
    assert [(order.side, order.size) for order in stage.live()] == [(Side.BUY, 10 * SHARES), (Side.SELL, 20 * SHARES)]
    assert stage.trader.desks[stage.market.condition_id].reason.startswith("smaller: market ")


def test_an_engine_that_lost_its_right_to_trade_takes_everything_down_until_it_is_back() -> None:
    stage = Stage().quoting()
    stage.apply(Hold(stage.now, "lease ran out"))
    assert reasons(stage.turn()) == [CancelReason.STOPPED]
    assert stage.trader.desks[stage.market.condition_id].reason == "lease ran out"
    stage.apply(Hold(stage.now, ""))
    assert len(placed(stage.turn())) == 2


def test_a_repeated_refusal_is_said_once_a_minute_with_its_count() -> None:
    stage = Stage(limits=Limits(market_loss=1 * PUSD)).quoting()
    for _ in range(9):
        stage.after(SECOND).turn(moved(stage.market, stage.now))
    assert [fact.count for fact in stage.facts if isinstance(fact, Refusal)] == [1]
    stage.after(60 * SECOND).turn(moved(stage.market, stage.now))
    assert [fact.count for fact in stage.facts if isinstance(fact, Refusal)] == [1, 9, 1]


def test_a_hold_that_leaves_orders_to_the_venue_sends_nothing_and_quotes_nothing() -> None:
    stage = Stage().quoting()
    resting = stage.prices()
    stage.apply(Hold(stage.now, "Redis unreachable", leave=True))
    assert stage.turn() == []
    assert stage.prices() == resting
    desk = stage.trader.desks[stage.market.condition_id]
    assert (desk.quoting, desk.reason) == (False, "Redis unreachable")
    stage.apply(Hold(stage.now, ""))
    stage.turn()
    assert desk.quoting


def test_the_loops_stopwatch_times_the_gate_once_for_each_plan() -> None:
    stage = Stage()
    ticks = iter(range(0, 10_000, 7))
    stage.trader.stopwatch = lambda: next(ticks)
    (place,) = [command for command in stage.turn(book(stage.market, stage.now)) if isinstance(command, Place)]
    assert stage.trader.gate_ns(place.plan_id) == 7
    assert stage.trader.gate_ns(place.plan_id) == 0
