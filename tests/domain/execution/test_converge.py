from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from execution.domain.blotter import LiveOrder
from execution.domain.converge import Budget, Churn, Convergence, Cost, by_search, converge, cost
from execution.domain.orders import OrderState
from markets.domain.events import Side
from markets.domain.market import Market
from risk.domain.exposure import ExposureBook
from risk.domain.gate import Approved, Guard, evaluate_quotes
from risk.domain.limits import Limits
from strategies.domain.intents import Quote, QuoteSet

SHARE = 1_000_000
SIZE = 20 * SHARE
MARKET = Market("m", "e", "Will it?", "yes", "no")
LATER = 10_000


class Allowance(NamedTuple):
    churn: Churn
    budget: Budget


def allowing(
    ticks: int, lifetime: int, cancels: int, *, bids_open: bool = True, offers_open: bool = True, **more: int
) -> Allowance:
    return Allowance(Churn(ticks, lifetime, **more), Budget(cancels, bids_open, offers_open))


def unasked() -> Budget:
    raise AssertionError("nothing is to be replaced, so nobody may ask what that costs")


FREE = allowing(1, 0, 100)
WIDE = Limits(10**15, 10**15, 10**15)


def bid(price: int, size: int = SIZE) -> Quote:
    return Quote("yes", Side.BUY, price, size)


def offer(price: int, size: int = SIZE) -> Quote:
    """An offer of YES at `price`, made without shares: a bid for NO."""
    return Quote("no", Side.BUY, 10_000 - price, size)


def approved(*quotes: Quote) -> Approved[QuoteSet]:
    guard = Guard(None, True, 0, 1000, False)
    verdict = evaluate_quotes(QuoteSet("m", quotes), MARKET, ExposureBook([MARKET]), WIDE, guard, LATER)
    assert isinstance(verdict, Approved)
    return verdict


def resting(number: int, quote: Quote, *, remaining: int | None = None, cancel_asked: bool = False) -> LiveOrder:
    left = quote.size if remaining is None else remaining
    state = OrderState.CANCELLING if cancel_asked else OrderState.LIVE
    return LiveOrder(
        number, "m", quote.asset, quote.side, quote.price, quote.size, left, 0, state, cancel_asked=cancel_asked
    )


def run(
    targets: Sequence[Quote], live: Sequence[LiveOrder], allowed: Allowance = FREE, now: int = LATER
) -> Convergence:
    return converge(approved(*targets), live, MARKET, allowed.churn, lambda: allowed.budget, now)


def test_nothing_resting_places_every_target() -> None:
    assert run([bid(4800), offer(5200)], []).places == (bid(4800), offer(5200))


def test_what_rests_where_it_should_is_left_alone() -> None:
    result = run([bid(4800), offer(5200)], [resting(1, bid(4800)), resting(2, offer(5200))])
    assert result.empty
    assert result.kept == (1, 2)


def test_a_moved_target_is_cancelled_first_and_placed_after_the_proof() -> None:
    old = resting(1, bid(4800))
    assert run([bid(4700)], [old]) == Convergence(requotes=(1,), requoted_bids=True)
    asked = msgspec.structs.replace(old, cancel_asked=True)
    assert run([bid(4700)], [asked]) == Convergence()
    assert run([bid(4700)], []).places == (bid(4700),)


def test_the_cost_of_a_change_counts_what_goes_and_what_comes_in_the_end() -> None:
    live = [resting(1, bid(4800)), resting(2, offer(5200)), resting(3, offer(5300), cancel_asked=True)]
    assert cost(QuoteSet("m", (bid(4700), offer(5200))), live, MARKET, 1) == Cost(cancels=1, places=1)
    assert cost(QuoteSet("m", ()), live, MARKET, 1) == Cost(cancels=2, places=0)


def test_an_order_closer_than_the_minimum_change_stays() -> None:
    two = allowing(2, 0, 100)
    assert run([bid(4700)], [resting(1, bid(4800))], two).kept == (1,)
    assert run([bid(4600)], [resting(1, bid(4800))], two).requotes == (1,)


def test_a_young_order_is_not_requoted() -> None:
    slow = allowing(1, LATER + 1, 100)
    assert run([bid(4700)], [resting(1, bid(4800))], slow).empty


def test_requotes_stop_when_the_budget_is_gone_farthest_first() -> None:
    live = [resting(1, bid(4600)), resting(2, offer(5900))]
    assert run([bid(4700), offer(5200)], live, allowing(1, 0, 1)).requotes == (2,)
    assert run([bid(4700), offer(5200)], live, allowing(1, 0, 0)).empty


def test_a_side_nobody_wants_is_withdrawn_at_once_and_for_free() -> None:
    result = run([bid(4800)], [resting(1, bid(4800)), resting(2, offer(5200))], allowing(1, LATER + 1, 0))
    assert result == Convergence(withdrawals=(2,), kept=(1,))


def test_no_approval_cancels_everything_that_is_not_being_cancelled() -> None:
    live = [resting(1, bid(4800)), resting(2, offer(5200), cancel_asked=True)]
    allowed = allowing(1, LATER + 1, 0)
    assert converge(None, live, MARKET, allowed.churn, lambda: allowed.budget, 1).cancels == (1,)


def test_switching_the_token_of_a_side_is_a_replacement_too() -> None:
    sell_yes = Quote("yes", Side.SELL, 5200, SIZE)
    assert run([offer(5200)], [resting(1, sell_yes)]) == Convergence(requotes=(1,), requoted_offers=True)


@pytest.mark.parametrize(("left", "stays"), [(20.0, True), (10.0, True), (9.99, False)], ids=["whole", "half", "less"])
def test_a_partly_filled_order_stays_while_half_of_it_is_left(left: float, stays: bool) -> None:
    order = resting(1, bid(4800), remaining=int(left * SHARE))
    assert (run([bid(4800)], [order]).kept == (1,)) is stays


def test_an_order_below_the_minimum_size_is_replaced() -> None:
    order = resting(1, bid(4800, 8 * SHARE), remaining=4_990_000)
    assert run([bid(4800, 8 * SHARE)], [order]).requotes == (1,)


def test_never_more_rests_than_was_approved() -> None:
    assert run([bid(4800, 10 * SHARE)], [resting(1, bid(4800))]).requotes == (1,)


def test_an_order_off_a_coarser_grid_goes_whatever_its_age_and_for_free() -> None:
    assert run([bid(4800)], [resting(1, bid(4805))], allowing(1, LATER + 1, 0)).withdrawals == (1,)


def test_a_side_in_its_replace_window_stays_and_the_other_moves() -> None:
    live = [resting(1, bid(4600)), resting(2, offer(5400))]
    result = run([bid(4800), offer(5200)], live, allowing(1, 0, 100, bids_open=False))
    assert result == Convergence(requotes=(2,), requoted_offers=True)


def test_a_place_in_the_queue_is_kept_while_the_target_is_hardly_more_aggressive() -> None:
    queued = allowing(1, 0, 100, keep_queue_ticks=3, keep_queue_after_ns=LATER)
    assert run([bid(5000)], [resting(1, bid(4800))], queued).kept == (1,)
    assert run([offer(5000)], [resting(1, offer(5200))], queued).kept == (1,)
    assert run([bid(5100)], [resting(1, bid(4800))], queued).requotes == (1,)
    assert run([bid(5000)], [resting(1, bid(4800))], queued, LATER - 1).requotes == (1,)


def test_no_place_in_the_queue_is_worth_a_price_that_is_too_good() -> None:
    queued = allowing(1, 0, 100, keep_queue_ticks=3, keep_queue_after_ns=0)
    assert run([bid(4700)], [resting(1, bid(4800))], queued).requotes == (1,)
    assert run([offer(5300)], [resting(1, offer(5200))], queued).requotes == (1,)


def test_an_order_is_renewed_when_it_is_too_old_although_it_is_where_it_should_be() -> None:
    mortal = allowing(1, 0, 100, max_age_ns=LATER)
    assert run([bid(4800)], [resting(16, bid(4800))], mortal).requotes == (16,)
    assert run([bid(4800)], [resting(16, bid(4800))], mortal, LATER - 1).kept == (16,)


def test_orders_of_one_age_are_not_all_renewed_at_once() -> None:
    mortal = allowing(1, 0, 100, max_age_ns=LATER)
    ages = [
        next(at for at in range(0, LATER + 1, 5) if run([bid(4800)], [resting(n, bid(4800))], mortal, at).requotes)
        for n in range(16)
    ]
    assert len(set(ages)) == 16
    assert min(ages) >= LATER * 9 // 10


@pytest.mark.parametrize(("tolerance", "stays"), [(0, False), (24, False), (25, True), (100, True)])
def test_the_size_tolerance_says_how_small_a_rest_may_be(tolerance: int, stays: bool) -> None:
    order = resting(1, bid(4800), remaining=15 * SHARE)
    assert (run([bid(4800)], [order], allowing(1, 0, 100, size_tolerance=tolerance)).kept == (1,)) is stays


def test_a_new_order_waits_for_the_old_one_it_would_meet() -> None:
    result = run([bid(5300), offer(5600)], [resting(1, offer(5200))])
    assert result == Convergence(requotes=(1,), requoted_offers=True)


def test_a_kept_order_in_the_way_of_a_new_one_goes() -> None:
    wide = allowing(3, 0, 100)
    result = run([bid(5200), offer(5300)], [resting(1, offer(5200))], wide)
    assert result == Convergence(requotes=(1,), requoted_offers=True)


def test_the_most_orders_are_kept_when_layers_shift() -> None:
    two = allowing(2, 0, 100)
    live = [resting(1, bid(4800)), resting(2, bid(4700))]
    assert run([bid(4900), bid(4800)], live, two).kept == (1, 2)


TICKS = st.integers(1, 48)
SIZES = st.integers(5, 40).map(lambda shares: shares * SHARE)
BIDS = st.builds(bid, TICKS.map(lambda t: t * 100), SIZES) | st.builds(
    lambda price, size: Quote("no", Side.SELL, 10_000 - price, size), TICKS.map(lambda t: t * 100), SIZES
)
OFFERS = st.builds(offer, TICKS.map(lambda t: 10_000 - t * 100), SIZES)
TARGETS = st.tuples(st.lists(BIDS, max_size=3), st.lists(OFFERS, max_size=3)).map(lambda pair: pair[0] + pair[1])
ANY = st.builds(bid, st.integers(1, 99).map(lambda t: t * 100), SIZES) | st.builds(
    offer, st.integers(1, 99).map(lambda t: t * 100), SIZES
)


def yes_side(item: Quote | LiveOrder) -> tuple[bool, int]:
    yes = item.asset == "yes"
    return (item.side is Side.BUY) == yes, item.price if yes else 10_000 - item.price


def uncrossed(live: Sequence[Quote]) -> list[Quote]:
    kept: list[Quote] = []
    for quote in live:
        sides = [yes_side(each) for each in [*kept, quote]]
        bids, offers = [p for b, p in sides if b], [p for b, p in sides if not b]
        if not bids or not offers or max(bids) < min(offers):
            kept.append(quote)
    return kept


@given(TARGETS, st.lists(ANY, max_size=5), st.integers(1, 4))
def test_doing_it_and_asking_again_gives_nothing_and_never_doubles_or_crosses(
    targets: list[Quote], old: list[Quote], ticks: int
) -> None:
    numbers = count(1)
    live = [resting(next(numbers), quote) for quote in uncrossed(old)]
    churn = allowing(ticks, 0, 100)
    for _ in range(4):
        result = run(targets, live, churn)
        for place in result.places:
            side, price = yes_side(place)
            same = [each for each in live if yes_side(each)[0] is side]
            assert all(each.client_order_id in result.kept for each in same)
            assert len(same) + sum(yes_side(p)[0] is side for p in result.places) <= len(targets)
            others = [yes_side(each)[1] for each in live if yes_side(each)[0] is not side]
            assert all(price < other if side else price > other for other in others)
        asked = [msgspec.structs.replace(o, cancel_asked=o.client_order_id in result.cancels) for o in live]
        placed = [resting(next(numbers), quote) for quote in result.places]
        assert run(targets, [*asked, *placed], churn).empty
        live = [o for o in live if o.client_order_id not in result.cancels] + placed
        if result.empty:
            break
    assert run(targets, live, churn).empty
    assert len(live) == len(targets)


LIVE = st.lists(st.tuples(ANY, st.booleans(), st.integers(1, 100)), max_size=4).map(
    lambda rows: [
        resting(number, quote, remaining=max(1, quote.size * left // 100), cancel_asked=asked)
        for number, (quote, asked, left) in enumerate(rows, 1)
    ]
)


@given(TARGETS, LIVE, st.integers(1, 4), st.integers(0, LATER * 2))
def test_until_when_nothing_is_to_be_done_nothing_is(
    targets: list[Quote], live: list[LiveOrder], ticks: int, age: int
) -> None:
    churn = Churn(ticks, 0, keep_queue_ticks=2, keep_queue_after_ns=LATER, max_age_ns=age)
    same = [order for order in live if not order.cancel_asked]
    for wanted in (targets, [Quote(each.asset, each.side, each.price, each.size) for each in same]):
        quotes = QuoteSet("m", tuple(wanted))
        until = by_search(quotes, live, MARKET, churn, lambda: Budget(100), LATER).until_ns
        for later in {LATER, until - 1, min(until - 1, 2 * LATER)} if until else ():
            again = by_search(quotes, live, MARKET, churn, unasked, later)
            assert again == Convergence(kept=tuple(order.client_order_id for order in live), until_ns=until)


CLOSE = st.sampled_from([4800, 4900, 5000, 5100])
CLOSE_BIDS, CLOSE_OFFERS = CLOSE.map(bid), CLOSE.map(offer)
RESTS = st.tuples(CLOSE_BIDS, CLOSE_OFFERS) | st.tuples(CLOSE_OFFERS, CLOSE_BIDS) | st.tuples(CLOSE_BIDS | CLOSE_OFFERS)
FATES = st.tuples(st.sampled_from([False, False, False, True]), st.sampled_from([100, 100, 60]), st.integers(0, LATER))
APART = st.sampled_from([(4800, 4900), (4800, 5000), (4900, 5100), (5000, 5100), (4800, 5100)])
BOTH = APART.map(lambda prices: (bid(prices[0]), offer(prices[1])))
ONE_EACH = BOTH | BOTH | BOTH | st.tuples(CLOSE_BIDS) | st.tuples(CLOSE_OFFERS) | st.just(())
MOSTLY = st.sampled_from([True, True, True, False])


@settings(max_examples=500)
@given(
    ONE_EACH, RESTS | st.tuples(CLOSE_BIDS, CLOSE_BIDS) | st.just(()), st.tuples(FATES, FATES),
    st.sampled_from([1, 1, 2, 3]), st.sampled_from([0, 1, 2, 2]), st.sampled_from([0, 0, LATER // 2]), MOSTLY, MOSTLY,
    st.sampled_from([100, 100, 700]),
)  # fmt: skip
def test_with_one_of_each_on_a_side_the_short_way_agrees_with_the_search(
    targets: tuple[Quote, ...],
    rests: tuple[Quote, ...],
    fates: tuple[tuple[bool, int, int], ...],
    ticks: int,
    budget: int,
    lifetime: int,
    bids_open: bool,
    offers_open: bool,
    tick: int,
) -> None:
    live = [
        msgspec.structs.replace(resting(number, quote, remaining=left, cancel_asked=asked), placed_ns=placed)
        for number, (quote, (asked, percent, placed)) in enumerate(zip(rests, fates, strict=False), 1)
        for left in [max(1, quote.size * percent // 100)]
    ]
    churn = Churn(ticks, lifetime, keep_queue_ticks=2, keep_queue_after_ns=lifetime)
    allowed = Budget(budget, bids_open, offers_open)
    market, guard = replace(MARKET, tick=tick), Guard(None, True, 0, 1000, False)
    verdict = evaluate_quotes(QuoteSet("m", targets), MARKET, ExposureBook([MARKET]), WIDE, guard, LATER)
    assume(isinstance(verdict, Approved))
    assert isinstance(verdict, Approved)
    short = converge(verdict, live, market, churn, lambda: allowed, LATER)
    assert short == by_search(verdict.proposal, live, market, churn, lambda: allowed, LATER)


def test_two_orders_stand_in_whatever_order_they_were_placed() -> None:
    wanted = (bid(4800), offer(5200))
    live = [resting(1, bid(4800)), resting(2, offer(5200))]
    assert run(wanted, live).until_ns
    assert run(wanted, live[::-1]).until_ns
    assert not run(wanted, [live[0], live[0]]).until_ns
    assert not run(wanted, [live[0], resting(2, offer(5200), cancel_asked=True)]).until_ns


def test_what_a_replacement_may_cost_is_asked_only_when_something_is_to_be_replaced() -> None:
    wanted, live = approved(bid(4800), offer(5200)), [resting(1, bid(4800)), resting(2, offer(5200))]
    for rests in (live, live[:1], live[1:], []):
        assert not converge(wanted, rests, MARKET, FREE.churn, unasked, LATER).cancels
    with pytest.raises(AssertionError, match="nothing is to be replaced"):
        converge(approved(bid(4700), offer(5200)), live, MARKET, FREE.churn, unasked, LATER)


@given(TARGETS, LIVE, st.integers(1, 4), st.integers(0, 2))
def test_a_side_is_added_to_only_when_each_order_on_it_stands_for_a_target_of_its_own(
    targets: list[Quote], live: list[LiveOrder], ticks: int, budget: int
) -> None:
    """What the gate relies on when it counts the worse of old and new quotes of a side and not both."""
    result = run(targets, live, allowing(ticks, 0, budget))
    for side in (True, False):
        places = [place for place in result.places if yes_side(place)[0] is side]
        rests = [order for order in live if yes_side(order)[0] is side]
        wanted = [target for target in targets if yes_side(target)[0] is side]
        if places:
            assert all(order.client_order_id in result.kept for order in rests)
            assert len(rests) + len(places) <= len(wanted)
        for place in places:
            wanted.remove(place)
        for order in rests if places else []:
            stands_for = [t for t in wanted if t.asset == order.asset and order.remaining <= t.size]
            assert stands_for


@given(TARGETS, LIVE, st.integers(1, 4))
def test_what_rests_after_converging_can_lose_no_more_than_the_gate_approved(
    targets: list[Quote], live: list[LiveOrder], ticks: int
) -> None:
    exposure = ExposureBook([MARKET])
    for order in live:
        rests = (order.asset == "yes", order.side, order.price, order.remaining)
        exposure.set_order(order.client_order_id, "m", *rests, is_quote=True)
    guard = Guard(None, True, 0, 1000, False)
    verdict = evaluate_quotes(QuoteSet("m", tuple(targets)), MARKET, exposure, WIDE, guard, LATER)
    assert isinstance(verdict, Approved)
    result = converge(verdict, live, MARKET, Churn(ticks, 0), lambda: Budget(100), LATER)
    for number, place in enumerate(result.places, 100):
        exposure.set_order(number, "m", place.asset == "yes", place.side, place.price, place.size, is_quote=True)
    assert exposure.worst_total() <= verdict.worst_after
