"""Dutch-book baskets in the trader: taken once, whole, and only where everything is in order."""

from dataclasses import replace

import pytest

from execution.domain.commands import Cancelled, Command, Place, Strategy
from execution.domain.venue import VenueMode
from markets.domain.fees import FeeSchedule
from markets.domain.market import Market
from polyweb.runtime.inbox import FeedDown, Sensed, VenueTold
from risk.domain.breakers import BreakerKind
from risk.domain.limits import Limits
from risk.domain.stops import Stop, StopLevel, StopScope
from strategies.domain.arb_params import ArbParams
from strategies.domain.intents import NotTaken, OrderType
from tests.builders import MILLI, PUSD, SECOND, SHARES, Stage, a_market, a_set, book, cancelled, placed, plain

ARB = ArbParams(enabled=True, cool_down_ms=0)
FAR = plain(half_spread=4_000)  # so that no basket would buy from our own quotes
CHEAP = {4500: 100}, {4700: 100}  # two YES at 0.47: a set for 0.94


def baskets(commands: list[Command]) -> list[Place]:
    return [each for each in commands if isinstance(each, Place) and each.strategy is Strategy.DUTCH_BOOK]


def opened(stage: Stage) -> list[Command]:
    """The set becomes cheap, market by market."""
    found: list[Command] = []
    for market in stage.markets:
        found += stage.turn(book(market, stage.now, *CHEAP))
    return found


def test_a_cheap_set_is_bought_whole_and_once() -> None:
    stage = Stage(*a_set(), arb=ARB, defaults=FAR)
    (basket,) = baskets(opened(stage))
    assert [(order.price, order.order_type, order.post_only) for order in basket.orders] == [
        (4700, OrderType.FOK, False)
    ] * 2
    assert len({order.size for order in basket.orders}) == 1
    for _ in range(3):
        stage.after(SECOND)
        assert baskets(opened(stage)) == []


def end_legs(stage: Stage) -> None:
    for market in stage.markets:
        for order in stage.trader.blotter.live(market.condition_id, Strategy.DUTCH_BOOK):
            stage.apply(Cancelled(order.client_order_id, "no match", stage.now))


def test_the_same_gap_closed_and_opened_again_is_another_opportunity() -> None:
    stage = Stage(*a_set(), arb=ARB, defaults=FAR)
    opened(stage)
    end_legs(stage)
    first = stage.markets[0]
    assert baskets(stage.after(SECOND).turn(book(first, stage.now, {5500: 100}, {5700: 100}))) == []
    assert len(baskets(stage.after(SECOND).turn(book(first, stage.now, *CHEAP)))) == 1


def test_a_gap_that_stands_through_a_restart_is_not_taken_again_until_it_has_closed() -> None:
    stage = Stage(*a_set(), arb=ARB, defaults=FAR)
    opened(stage)
    again = Stage(*a_set(), arb=ARB, defaults=FAR).after(60 * SECOND)
    again.trader.recall(stage.trader.remember(()))
    assert baskets(opened(again)) == []
    first = again.markets[0]
    again.after(SECOND).turn(book(first, again.now, {5500: 100}, {5700: 100}))
    assert len(baskets(again.after(SECOND).turn(book(first, again.now, *CHEAP)))) == 1


def test_a_gap_that_opened_while_nothing_might_be_taken_is_taken_afterwards() -> None:
    stage = Stage(*a_set(), arb=ARB, defaults=FAR)
    stage.apply(VenueTold(stage.now, VenueMode.OPEN, False, "user channel down"))
    assert baskets(opened(stage)) == []
    stage.after(SECOND).apply(VenueTold(stage.now, VenueMode.OPEN, True, ""))
    assert len(baskets(stage.turn())) == 1


def test_a_gap_nobody_may_take_is_told_although_it_opened_while_nothing_might_be_taken() -> None:
    pair = tuple(replace(market, augmented=True, set_size=0) for market in a_set())
    stage = Stage(*pair, arb=ARB, defaults=FAR)
    stage.apply(VenueTold(stage.now, VenueMode.OPEN, False, "user channel down"))
    opened(stage)
    assert stage.trader.open_gaps == []
    stage.after(SECOND).apply(VenueTold(stage.now, VenueMode.OPEN, True, ""))
    stage.turn()
    assert {gap.reason for gap in stage.trader.open_gaps} == {NotTaken.AUGMENTED.value}


def test_what_changed_during_the_pause_after_a_basket_is_looked_at_when_it_ends() -> None:
    stage = Stage(*a_set(), arb=replace(ARB, cool_down_ms=5_000), defaults=FAR)
    opened(stage)
    end_legs(stage)
    stage.turn()
    for market in stage.markets:
        assert baskets(stage.after(SECOND).turn(book(market, stage.now, {4000: 100}, {4200: 100}))) == []
    assert len(baskets(stage.after(6 * SECOND).turn())) == 1


def test_while_legs_are_on_their_way_their_depth_is_not_bought_again() -> None:
    stage = Stage(*a_set(), arb=ARB, defaults=FAR)
    opened(stage)
    first = stage.markets[0]
    smaller = {4500: 100}, {4700: 30}  # another size is another plan
    assert baskets(stage.after(SECOND).turn(book(first, stage.now, *smaller))) == []
    end_legs(stage)
    assert len(baskets(stage.after(MILLI).turn(book(first, stage.now, *smaller)))) == 0  # the other book may be old
    assert len(baskets(stage.after(SECOND).turn())) == 1


def test_depth_of_a_quote_that_was_just_cancelled_is_nobody_s_offer() -> None:
    first, second = a_set()
    stage = Stage(first, second, arb=ARB)
    stage.turn(book(first, stage.now, {4500: 100}, {5500: 100}))
    assert stage.prices(first) == [4900, 5100]
    stage.after(SECOND)
    with_ours = book(first, stage.now, {4500: 100, 4900: 20}, {5100: 20, 5500: 100})
    assert baskets(stage.turn(with_ours, book(second, stage.now, *CHEAP))) == []
    stage.operator(defaults=plain(half_spread=4_000, min_quote_lifetime_ms=0))
    assert cancelled(stage.turn())
    assert baskets(stage.after(MILLI).turn(book(second, stage.now, *CHEAP))) == []
    assert baskets(stage.after(MILLI).turn(book(first, stage.now, {4500: 100}, {5500: 100}))) == []


def test_no_basket_is_bought_while_the_operator_has_it_off() -> None:
    assert baskets(opened(Stage(*a_set()))) == []


def test_a_set_with_a_market_that_is_not_traded_is_left_alone() -> None:
    markets = a_set()
    stage = Stage(*markets, arb=ARB, defaults=FAR, trading=frozenset({markets[0].condition_id}))
    assert baskets(opened(stage)) == []


def test_an_ordinary_pair_of_markets_is_no_set() -> None:
    pair: tuple[Market, ...] = (a_market(1, event_id="e"), a_market(2, event_id="e"))
    assert baskets(opened(Stage(*pair, arb=ARB, defaults=FAR))) == []


def test_one_leg_of_an_unverified_book_holds_the_whole_basket() -> None:
    stage = Stage(*a_set(), arb=ARB, defaults=FAR)
    first, second = stage.markets
    stage.turn(book(first, stage.now, *CHEAP))
    stage.hear(book(second, stage.now, *CHEAP))
    stage.apply(FeedDown(stage.now, (first.yes,), "closed"))
    assert baskets(stage.decide()) == []


def test_a_stop_of_one_leg_holds_the_whole_basket_and_says_so() -> None:
    markets = a_set()
    stop = Stop(StopLevel.PAUSE, StopScope.MARKET, markets[1].condition_id, "news")
    stage = Stage(*markets, arb=ARB, defaults=FAR, stops=(stop,))
    assert baskets(opened(stage)) == []
    codes = {refusal.codes for refusal in stage.refusals() if refusal.strategy is Strategy.DUTCH_BOOK}
    assert codes == {("stopped",)}


@pytest.mark.parametrize("scope", ["everything", "one leg"])
def test_an_open_breaker_of_everything_or_of_one_leg_holds_the_whole_basket_and_says_so(scope: str) -> None:
    markets = a_set()
    stage = Stage(*markets, arb=ARB, defaults=FAR)
    target = "" if scope == "everything" else markets[1].condition_id
    stage.apply(Sensed(stage.now, BreakerKind.LOSS, "lost", target))
    assert baskets(opened(stage)) == []
    codes = {refusal.codes for refusal in stage.refusals() if refusal.strategy is Strategy.DUTCH_BOOK}
    assert codes == {("breaker",)}


def test_a_basket_past_a_cap_is_refused_with_its_code() -> None:
    stage = Stage(*a_set(), arb=ARB, defaults=FAR, limits=Limits(event_loss=PUSD))
    assert baskets(opened(stage)) == []
    codes = {refusal.codes for refusal in stage.refusals() if refusal.strategy is Strategy.DUTCH_BOOK}
    assert codes == {("event_cap",)}


def test_legs_on_their_way_count_with_their_fees_until_their_end_is_known() -> None:
    markets = tuple(replace(market, fees=FeeSchedule(rate=100)) for market in a_set())
    stage = Stage(*markets, arb=ARB, defaults=FAR)
    stage.hear(*(book(market, stage.now, *CHEAP) for market in markets))
    before = stage.trader.exposure.worst_event("set")
    commands = stage.decide()
    (basket,) = baskets(commands)
    size = basket.orders[0].size
    assert before == 0
    assert stage.trader.exposure.worst_event("set") > size * 4700 // 10_000
    assert len(placed(commands)) > len(basket.orders)  # quotes of the same turn stand beside it


def test_a_basket_takes_no_more_than_the_depth_on_offer() -> None:
    stage = Stage(
        *a_set(), arb=replace(ARB, max_size=1_000 * SHARES), defaults=FAR, limits=Limits(10**12, 10**12, 10**12)
    )
    (basket,) = baskets(opened(stage))
    assert all(order.size <= 100 * SHARES for order in basket.orders)


def test_a_basket_does_not_buy_from_our_own_quotes() -> None:
    stage = Stage(*a_set(), arb=ARB)  # the quotes of default parameters stand at the top of the book
    assert baskets(opened(stage)) == []
    assert ("own_cross",) in {refusal.codes for refusal in stage.refusals()}
