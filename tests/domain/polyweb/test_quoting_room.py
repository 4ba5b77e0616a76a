"""When the order rate is used up: old prices go, what is near enough stays, and everybody gets a turn."""

from execution.domain.commands import Cancel, Cancelled, CancelReason
from polyweb.runtime.inbox import Hold
from polyweb.runtime.unmoved import LOOK_NS
from risk.domain.limits import Limits
from tests.builders import SECOND, Stage, a_market, book, plain


def test_a_market_that_waits_for_room_decides_when_there_is_some_and_not_before() -> None:
    markets = [a_market(number) for number in (1, 2, 3)]
    stage = Stage(*markets, limits=Limits(orders_per_second=4)).quoting()
    last = markets[-1].condition_id
    desk = stage.trader.desks[last]
    assert (desk.quoting, desk.codes) == (False, ("order_rate",))
    before = desk.given
    stage.after(LOOK_NS // 10).tick()
    assert stage.turn() == []
    assert desk.given is before
    stage.after(LOOK_NS // 2).tick()
    stage.turn()
    assert stage.prices(markets[-1]) == [4900, 5100]


def test_a_market_that_waits_for_room_says_so_again_after_a_hold() -> None:
    first, second = a_market(1), a_market(2)
    stage = Stage(first, second, limits=Limits(orders_per_second=2)).quoting()
    desk = stage.trader.desks[second.condition_id]
    stage.apply(Hold(stage.now, "Redis is away"))
    stage.turn()
    assert desk.reason == "Redis is away"
    stage.apply(Hold(stage.now, ""))
    stage.turn()
    assert desk.codes == ("order_rate",)


def test_an_old_price_goes_although_there_is_no_room_for_the_new_one() -> None:
    stage = Stage(limits=Limits(orders_per_second=2), defaults=plain(min_quote_lifetime_ms=0)).quoting()
    stage.after(SECOND // 4)
    [cancel] = stage.turn(book(stage.market, stage.now, {5400: 100}, {5600: 100}))
    assert isinstance(cancel, Cancel)
    assert (cancel.reason, len(cancel.order_ids)) == (CancelReason.REQUOTE, 2)
    assert stage.prices() == []
    stage.after(SECOND).tick()
    stage.turn()
    assert stage.prices() == [5400, 5600]


def test_a_quote_near_enough_counts_as_quoted_without_room() -> None:
    stage = Stage(limits=Limits(orders_per_second=2), defaults=plain(min_change_ticks=5)).quoting()
    stage.after(SECOND // 4)
    stage.turn(book(stage.market, stage.now, {5000: 100}, {5200: 100}))
    assert stage.prices() == [4900, 5100]
    assert stage.trader.desks[stage.market.condition_id].quoting
    assert stage.refusals() == []


def test_with_room_for_one_quote_the_second_follows_when_there_is_room_again() -> None:
    first, second = a_market(1), a_market(2)
    stage = Stage(first, second, limits=Limits(orders_per_second=3)).quoting()
    desk = stage.trader.desks[second.condition_id]
    assert stage.prices(second) == [4900]
    assert (desk.quoting, desk.codes) == (True, ("order_rate",))
    assert desk.reason == "one after the other: 2 orders wanted, room for 1"
    stage.after(SECOND // 2).tick()
    stage.turn()
    assert stage.prices(second) == [4900, 5100]
    assert (desk.quoting, desk.codes) == (True, ())


def test_the_side_that_has_waited_longer_comes_first() -> None:
    stage = Stage(limits=Limits(orders_per_second=2), defaults=plain(min_quote_lifetime_ms=0)).quoting()
    desk = stage.trader.desks[stage.market.condition_id]
    stage.after(SECOND // 4).turn(book(stage.market, stage.now, {5400: 100}, {5600: 100}))
    desk.bids_replaced_ns += 1
    stage.after(SECOND // 4).tick()
    stage.turn()
    assert stage.prices() == [5600]


def test_both_sides_or_nothing_waits_for_room_for_both() -> None:
    first, second = a_market(1), a_market(2)
    limits = Limits(orders_per_second=3)
    stage = Stage(first, second, limits=limits, defaults=plain(both_sides=1)).quoting()
    assert stage.prices(second) == []
    stage.after(SECOND // 2).tick()
    stage.turn()
    assert stage.prices(second) == [4900, 5100]


def test_a_quote_near_enough_keeps_its_place_while_the_other_side_takes_the_room() -> None:
    stage = Stage(limits=Limits(orders_per_second=2), defaults=plain(min_change_ticks=3)).quoting().after(SECOND // 2)
    bid, ask = stage.live()
    stage.apply(Cancelled(ask.client_order_id, "by the venue", stage.now))
    stage.turn(book(stage.market, stage.now, {5000: 100}, {5200: 100}))
    assert stage.prices() == [4900, 5200]
    assert stage.live()[0] == bid
