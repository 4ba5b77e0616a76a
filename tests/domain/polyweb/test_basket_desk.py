"""Baskets at work in the trader: every way they can go wrong, and where each of them ends."""

from dataclasses import replace

from execution.domain.commands import (
    GTD_ENDS_EARLY,
    Cancel,
    CancelReason,
    Fill,
    Place,
    Strategy,
    TradeStatus,
)
from markets.domain.events import Side
from markets.domain.market import Market
from risk.domain.limits import Limits
from strategies.domain.basket_stages import Stage as At
from strategies.domain.intents import OrderType
from strategies.domain.opportunity_log import TAKEN
from tests.basket_builders import ARB, CHEAP, WIDE, Floor
from tests.builders import CONFIG, MILLI, PUSD, SECOND, SHARES, accepted, book, fill_of, new_tick, plain


def half_filled(floor: Floor) -> Place:
    """The first leg filled, the second was killed."""
    basket = floor.open()
    first, second = basket.orders
    floor.fill(first.client_order_id)
    floor.kill(second.client_order_id)
    return basket


def test_a_basket_that_fills_whole_ends_whole_with_its_profit() -> None:
    floor = Floor()
    for order in floor.open().orders:
        floor.fill(order.client_order_id)
    floor.decide()
    assert floor.stages == [At.TAKING, At.WHOLE]
    assert floor.moved[-1].filled == (100 * SHARES, 100 * SHARES)
    assert floor.moved[-1].profit == 6 * PUSD


def test_a_missing_leg_is_bought_at_what_it_costs_now() -> None:
    floor = Floor()
    half_filled(floor)
    (follow,) = floor.baskets(floor.decide())
    (order,) = follow.orders
    assert (order.side, order.price, order.size, order.order_type) == (Side.BUY, 4700, 100 * SHARES, OrderType.FAK)
    floor.fill(order.client_order_id)
    floor.decide()
    assert floor.stages == [At.TAKING, At.COMPLETING, At.WHOLE]


def test_when_the_missing_leg_became_dear_the_other_is_sold_and_the_loss_is_told() -> None:
    floor = Floor()
    basket = floor.open()
    floor.fill(basket.orders[0].client_order_id)
    other = next(market for market in floor.markets if market.condition_id == basket.orders[1].condition_id)
    floor.hear(book(other, floor.now, {4500: 100}, {9500: 100}))
    floor.kill(basket.orders[1].client_order_id)
    (follow,) = floor.baskets(floor.decide())
    (order,) = follow.orders
    assert (order.side, order.price, order.asset) == (Side.SELL, 4500, basket.orders[0].asset)
    floor.fill(order.client_order_id)
    floor.decide()
    assert floor.stages == [At.TAKING, At.UNWINDING, At.UNWOUND]
    assert floor.moved[-1].profit == -2 * PUSD


def test_shares_are_sold_only_once_they_have_settled() -> None:
    floor = Floor()
    basket = floor.open()
    number = basket.orders[0].client_order_id
    floor.fill(number, status=TradeStatus.MATCHED)
    for market in floor.markets:
        floor.hear(book(market, floor.now, {4500: 100}, {9500: 100}))
    floor.kill(basket.orders[1].client_order_id)
    assert floor.baskets(floor.decide()) == []
    settled = fill_of(floor.order(number), floor.now, 100 * SHARES, f"trade-{number}")
    floor.apply(settled)
    (follow,) = floor.baskets(floor.after(SECOND).decide())
    assert follow.orders[0].side is Side.SELL


def test_a_loss_beyond_the_cap_is_left_to_the_operator() -> None:
    floor = Floor(arb=replace(ARB, max_loss=PUSD))
    basket = floor.open()
    floor.fill(basket.orders[0].client_order_id)
    for market in floor.markets:
        floor.hear(book(market, floor.now, {4000: 100}, {9500: 100}))
    floor.kill(basket.orders[1].client_order_id)
    assert floor.baskets(floor.decide()) == []
    assert floor.stages[-1] is At.STUCK
    assert "unwind: -7.00 pUSD" in floor.moved[-1].detail


def test_nothing_is_held_against_a_basket_that_did_not_fill_at_all() -> None:
    floor = Floor()
    for order in floor.open().orders:
        floor.kill(order.client_order_id)
    floor.decide()
    assert floor.stages[:2] == [At.TAKING, At.NOTHING]


def test_after_a_basket_that_did_not_fill_the_event_rests() -> None:
    floor = Floor(arb=replace(ARB, cool_down_ms=3_000))
    for order in floor.open().orders:
        floor.kill(order.client_order_id)
    assert floor.baskets(floor.decide()) == []
    smaller = {4500: 100}, {4700: 90}
    first = floor.markets[0]
    assert floor.baskets(floor.after(SECOND).turn(book(first, floor.now, *smaller))) == []
    assert len(floor.baskets(floor.after(3 * SECOND).turn(book(first, floor.now, {4500: 100}, {4700: 80})))) == 1


def test_rules_that_change_after_the_basket_was_found_stop_it_from_being_sent_and_completed() -> None:
    floor = Floor()
    basket = floor.open()
    assert floor.trader.objection(basket.plan_id) == ""
    changed = tuple(replace(market, rule_hash="new") for market in floor.markets)
    floor.operator(markets=changed)
    assert "rule hash of Will it happen (10)? changed" in floor.trader.objection(basket.plan_id)
    floor.fill(basket.orders[0].client_order_id)
    floor.kill(basket.orders[1].client_order_id)
    (follow,) = floor.baskets(floor.decide())
    assert follow.orders[0].side is Side.SELL
    floor.fill(follow.orders[0].client_order_id)
    floor.decide()
    assert "rule hash" in floor.moved[-1].detail


def test_a_way_out_is_taken_on_the_grid_of_now() -> None:
    floor = Floor()
    basket = floor.open()
    floor.fill(basket.orders[0].client_order_id)
    floor.operator(markets=tuple(replace(market, tick=10, rule_hash="new") for market in floor.markets))
    held = next(market for market in floor.markets if market.condition_id == basket.orders[0].condition_id)
    floor.hear(new_tick(held, floor.now, "0.001"), book(replace(held, tick=10), floor.now, {4510: 100}, {4700: 100}))
    floor.kill(basket.orders[1].client_order_id)
    (follow,) = floor.baskets(floor.decide())
    assert [(order.side, order.price, order.tick) for order in follow.orders] == [(Side.SELL, 4510, 10)]


def test_our_own_quotes_make_way_for_a_basket_and_stay_away_until_it_is_through() -> None:
    floor = Floor(defaults=plain())
    first, second = floor.markets
    floor.turn(book(first, floor.now, *CHEAP))
    floor.turn(book(second, floor.now, {5500: 100}, {5700: 100}))
    assert floor.prices(first) == [4500, 4700]
    floor.hear(book(second, floor.now, *CHEAP))
    commands = floor.decide()
    assert floor.baskets(commands) == []  # our own offer at 0.47 is in its way
    assert CancelReason.BASKET in {each.reason for each in commands if isinstance(each, Cancel)}
    floor.answer(commands)
    assert floor.baskets(floor.decide()) == []  # the book may still show what was cancelled
    commands = floor.after(MILLI).turn(*(book(market, floor.now, *CHEAP) for market in (first, second)))
    (basket,) = floor.baskets(commands)
    assert {order.price for order in basket.orders} == {4700}
    assert [each for each in commands if isinstance(each, Place)] == [basket]  # no quote beside it
    for order in basket.orders:
        floor.fill(order.client_order_id)
    floor.decide()
    floor.tick()
    assert [each.strategy for each in floor.after(SECOND).decide() if isinstance(each, Place)][:1] == [Strategy.SPREAD]


def test_the_largest_basket_the_caps_allow_is_taken() -> None:
    floor = Floor(limits=Limits(market_loss=10**12, event_loss=24 * PUSD, total_loss=10**12))
    basket = floor.open()
    assert basket.orders[0].size < 100 * SHARES
    assert 23 * PUSD < floor.trader.exposure.worst_event("set") <= 24 * PUSD


def test_a_leg_that_rests_ends_by_itself_with_everything_down() -> None:
    floor = Floor(arb=replace(ARB, maker_leg=True), config=replace(CONFIG, max_rest_s=900))
    (maker,) = floor.open().orders
    assert (maker.post_only, maker.order_type) == (True, OrderType.GTD)
    assert maker.expires_ms - GTD_ENDS_EARLY - floor.now // MILLI == 900_000


def test_the_first_leg_rests_post_only_and_the_others_are_taken_once_it_has_filled() -> None:
    floor = Floor(arb=replace(ARB, maker_leg=True))
    basket = floor.open()
    (maker,) = basket.orders
    assert (maker.price, maker.post_only, maker.order_type) == (4600, True, OrderType.GTC)
    floor.fill(maker.client_order_id, 40)
    commands = floor.decide()
    (cancel,) = [each for each in commands if isinstance(each, Cancel) and each.reason is CancelReason.BASKET]
    assert cancel.order_ids == (maker.client_order_id,)
    floor.answer([cancel])
    (follow,) = floor.baskets(floor.decide())
    assert [(order.side, order.size, order.post_only) for order in follow.orders] == [(Side.BUY, 40 * SHARES, False)]
    floor.fill(follow.orders[0].client_order_id)
    floor.decide()
    assert (floor.stages[-1], floor.moved[-1].profit) == (At.WHOLE, 40 * PUSD * 7 // 100)


def test_a_resting_first_leg_is_abandoned_when_the_others_became_dear_and_when_its_time_is_up() -> None:
    floor = Floor(arb=replace(ARB, maker_leg=True, deadline_ms=5_000))
    (maker,) = floor.open().orders
    floor.apply(accepted(maker.client_order_id, floor.now))
    assert not [each for each in floor.after(SECOND).decide() if isinstance(each, Cancel)]
    late = [each for each in floor.after(5 * SECOND).decide() if isinstance(each, Cancel)]
    assert late[0].reason is CancelReason.DEADLINE
    again = Floor(arb=replace(ARB, maker_leg=True))
    (maker,) = again.open().orders
    again.apply(accepted(maker.client_order_id, again.now))
    other = next(market for market in again.markets if market.condition_id != maker.condition_id)
    dear = again.turn(book(other, again.now, {4500: 100}, {5600: 100}))
    assert CancelReason.ABANDONED in {each.reason for each in dear if isinstance(each, Cancel)}
    again.decide()
    assert again.stages[-1] is At.NOTHING


def test_a_settlement_that_fails_after_the_end_is_told() -> None:
    floor = Floor()
    numbers = [order.client_order_id for order in floor.open().orders]
    for number in numbers:
        floor.fill(number, status=TradeStatus.MATCHED)
    floor.decide()
    assert floor.stages == [At.TAKING, At.WHOLE]
    fill = fill_of(floor.order(numbers[0]), floor.now, 100 * SHARES, f"trade-{numbers[0]}")
    failed = {name: getattr(fill, name) for name in fill.__struct_fields__} | {"status": TradeStatus.FAILED}
    floor.apply(type(fill)(**failed))
    floor.decide()
    assert floor.stages == [At.TAKING, At.WHOLE, At.STUCK]
    assert floor.moved[-1].filled in ((0, 100 * SHARES), (100 * SHARES, 0))


def test_the_quoter_does_not_sell_what_makes_a_set_whole() -> None:
    floor = Floor()
    for order in floor.open().orders:
        floor.fill(order.client_order_id)
    floor.decide()
    first: Market = floor.markets[0]
    assert floor.trader.inventory(first).yes == 100 * SHARES
    assert floor.trader.quotable(first).yes == 0
    assert floor.trader.quotable(first).yes_sellable == 0


def test_the_next_run_knows_which_shares_belong_to_sets() -> None:
    floor = Floor()
    for order in floor.open().orders:
        floor.fill(order.client_order_id)
    floor.decide()
    first = floor.markets[0]
    memories = floor.trader.remember(())
    again = Floor()
    again.trader.restore((), [fact for fact in floor.facts if isinstance(fact, Fill)], again.now)
    again.trader.recall(memories)
    assert again.trader.inventory(first).yes == 100 * SHARES
    assert again.trader.quotable(first).yes == 0


def test_while_the_engine_is_on_hold_no_leg_of_a_basket_rests() -> None:
    floor = Floor(arb=replace(ARB, maker_leg=True))
    (maker,) = floor.open().orders
    floor.apply(accepted(maker.client_order_id, floor.now))
    floor.trader.hold = "the lease has run out"
    asked = [each for each in floor.decide() if isinstance(each, Cancel)]
    assert maker.client_order_id in asked[-1].order_ids


def test_a_basket_refused_for_the_order_rate_is_taken_when_the_rate_allows_it() -> None:
    floor = Floor(limits=replace(WIDE, orders_per_second=2))
    floor.hear(*(book(market, floor.now, *CHEAP) for market in floor.markets))
    assert floor.baskets(floor.decide()) == []
    assert ("order_rate",) in {refusal.codes for refusal in floor.refusals()}
    assert {gap.reason for gap in floor.trader.open_gaps if gap.edge} == {"refused: order rate"}
    later = floor.baskets(floor.after(2 * SECOND).decide())
    assert len(later) == 1
    assert {gap.reason for gap in floor.trader.open_gaps if gap.edge} == {TAKEN}
