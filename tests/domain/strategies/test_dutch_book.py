"""The Dutch book by value and against a share-by-share reference in exact fractions."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markets.domain.events import Level, Side
from markets.domain.fees import NO_FEES, FeeSchedule
from markets.domain.market import SIZE_STEP, Market
from markets.domain.units import CASH_ONE, PRICE_ONE, SIZE_ONE
from strategies.domain import dutch_book
from strategies.domain.arb_params import ArbParams
from strategies.domain.basket import EDGE_ONE, Offer, Opportunity, plan
from strategies.domain.dutch_book import DutchWatch, Scan, scan
from strategies.domain.inputs import BookView
from strategies.domain.intents import Basket, NotTaken, OrderType, Route

SHARES = SIZE_ONE
ON = ArbParams(enabled=True, min_edge=0, max_size=1000 * SHARES)
FEES = FeeSchedule(rate=500)


def market(name: str, fees: FeeSchedule = NO_FEES, set_size: int = 0) -> Market:
    return Market(name, "ev", name, f"{name}-yes", f"{name}-no", fees=fees, neg_risk=set_size > 0, set_size=set_size)


def view(bids: list[Level], asks: list[Level]) -> BookView:
    return BookView(tuple(bids), tuple(asks), 0)


def neg_risk(tops: list[tuple[int, int]], size: int = 100 * SHARES) -> dict[str, tuple[Market, BookView]]:
    """An event of markets with one (best bid, best ask) each."""
    return {
        f"m{at}": (market(f"m{at}", NO_FEES, len(tops)), view([(bid, size)], [(ask, size)]))
        for at, (bid, ask) in enumerate(tops)
    }


def reasons(result: Scan) -> dict[Route | None, NotTaken]:
    return {missed.route: missed.reason for missed in result.missed}


def only(result: Scan) -> Basket:
    (basket,) = result.baskets
    return basket


def test_a_crossed_market_is_bought_on_both_sides() -> None:
    books = {"m": (market("m"), view([(5200, 30 * SHARES)], [(5000, 40 * SHARES)]))}
    basket = only(scan(books, ON))
    assert basket.route is Route.BUY_BOTH_AND_MERGE
    assert [(leg.asset, leg.side, leg.price) for leg in basket.legs] == [
        ("m-yes", Side.BUY, 5000),
        ("m-no", Side.BUY, 4800),
    ]
    assert basket.size == 30 * SHARES
    assert basket.edge == 30 * CASH_ONE * 2 // 100
    assert basket.order_type is OrderType.FOK


def test_every_yes_of_a_complete_event_below_one_is_bought_and_held() -> None:
    basket = only(scan(neg_risk([(2000, 3000), (2000, 3000), (2000, 3500)]), ON))
    assert basket.route is Route.BUY_ALL_YES
    assert (basket.size, basket.edge) == (100 * SHARES, 5 * CASH_ONE)


def test_every_no_of_a_complete_event_is_bought_and_converted() -> None:
    basket = only(scan(neg_risk([(3500, 4000), (3500, 4000), (3500, 4000)]), ON))
    assert basket.route is Route.BUY_ALL_NO_AND_CONVERT
    assert [leg.price for leg in basket.legs] == [6500, 6500, 6500]
    assert basket.edge == 5 * CASH_ONE  # two pUSD for 1.95


def test_the_fee_of_a_conversion_is_part_of_the_sum() -> None:
    books = neg_risk([(3500, 4000), (3500, 4000), (3500, 4000)])
    assert only(scan(books, replace(ON, convert_fee_bps=100))).edge == 3 * CASH_ONE
    assert not scan(books, replace(ON, convert_fee_bps=250)).baskets


def test_depth_is_walked_to_the_last_level_that_earns() -> None:
    asks = [(4800, 10 * SHARES), (4900, 10 * SHARES), (5100, 10 * SHARES)]
    books = {"m": (market("m"), view([(5000, 100 * SHARES)], asks))}
    basket = only(scan(books, ON))
    assert basket.size == 20 * SHARES
    assert basket.legs[0].price == 4900
    assert basket.edge == 10 * CASH_ONE * 3 // 100


def test_the_maximum_size_binds() -> None:
    books = {"m": (market("m"), view([(5200, 100 * SHARES)], [(5000, 100 * SHARES)]))}
    assert only(scan(books, replace(ON, max_size=7 * SHARES))).size == 7 * SHARES


def test_sizes_are_those_that_cost_whole_cents_on_every_leg() -> None:
    fine = replace(market("m"), tick=10)
    books = {"m": (fine, view([(5230, 37 * SHARES)], [(5000, 37 * SHARES)]))}
    basket = only(scan(books, ON))
    assert basket.size == 30 * SHARES  # a NO price of 0.477 gives whole cents every ten shares
    assert all(leg.price * leg.size % 10**8 == 0 for leg in basket.legs)


def test_fees_eat_a_thin_edge() -> None:
    books = {"m": (market("m", FEES), view([(5100, 100 * SHARES)], [(5000, 100 * SHARES)]))}
    assert reasons(scan(books, ON)) == {Route.BUY_BOTH_AND_MERGE: NotTaken.EATEN_BY_FEES}


def test_each_leg_pays_its_own_fee_schedule() -> None:
    books = neg_risk([(2000, 3000), (2000, 3000), (2000, 3000)])
    dear, view_of = books["m1"]
    books["m1"] = (replace(dear, fees=FEES), view_of)
    legs = only(scan(books, ON)).legs
    assert [leg.fee for leg in legs] == [0, 100 * 10_500, 0]


def test_an_edge_below_the_margin_is_left() -> None:
    books = {"m": (market("m"), view([(5100, 100 * SHARES)], [(5000, 100 * SHARES)]))}
    assert reasons(scan(books, replace(ON, min_edge=101))) == {Route.BUY_BOTH_AND_MERGE: NotTaken.BELOW_MARGIN}
    assert only(scan(books, replace(ON, min_edge=100))).edge == CASH_ONE


def test_an_edge_on_a_few_shares_is_eaten_by_depth() -> None:
    books = {"m": (market("m"), view([(5100, 4 * SHARES)], [(5000, 100 * SHARES)]))}
    assert reasons(scan(books, ON)) == {Route.BUY_BOTH_AND_MERGE: NotTaken.BELOW_MINIMUM}


def test_a_leg_worth_less_than_one_pusd_is_refused_by_the_venue_so_not_planned() -> None:
    books = {"m": (market("m"), view([(9800, 30 * SHARES)], [(9500, 30 * SHARES)]))}
    assert reasons(scan(books, ON)) == {Route.BUY_BOTH_AND_MERGE: NotTaken.BELOW_MINIMUM}


def test_an_augmented_event_is_never_touched() -> None:
    books = neg_risk([(2000, 2500), (2000, 2500)])
    first, view_of = books["m0"]
    books["m0"] = (replace(first, augmented=True), view_of)
    assert scan(books, ON).baskets == ()
    assert reasons(scan(books, ON)) == {None: NotTaken.AUGMENTED}


@pytest.mark.parametrize("set_size", [0, 1, 3])
def test_a_set_that_is_not_proved_complete_is_never_bought(set_size: int) -> None:
    books = {
        name: (replace(known, set_size=set_size), view_of)
        for name, (known, view_of) in neg_risk([(2000, 2500), (2000, 2500)]).items()
    }
    result = scan(books, ON)
    assert not result.baskets
    assert reasons(result)[None] is NotTaken.INCOMPLETE_SET


def test_a_set_with_other_in_it_is_never_bought() -> None:
    books = neg_risk([(2000, 2500), (2000, 2500)])
    last, view_of = books["m1"]
    books["m1"] = (replace(last, other=True), view_of)
    assert reasons(scan(books, ON))[None] is NotTaken.OTHER_OUTCOME


def test_a_market_that_takes_no_orders_or_has_no_offer_stops_the_set() -> None:
    books = neg_risk([(2000, 2500), (2000, 2500)])
    last, view_of = books["m1"]
    closed = {**books, "m1": (replace(last, accepting_orders=False), view_of)}
    assert reasons(scan(closed, ON))[None] is NotTaken.NOT_ACCEPTING
    bare = {**books, "m1": (last, view([(2000, SHARES)], []))}
    assert reasons(scan(bare, ON))[Route.BUY_ALL_YES] is NotTaken.NO_OFFER


def test_ordinary_binaries_of_one_event_are_no_set() -> None:
    books = {
        name: (replace(known, neg_risk=False), view_of)
        for name, (known, view_of) in neg_risk([(2000, 2500), (2000, 2500)]).items()
    }
    assert {missed.route for missed in scan(books, ON).missed} == {Route.BUY_BOTH_AND_MERGE}


def test_off_is_the_default() -> None:
    books = {"m": (market("m"), view([(5200, 100 * SHARES)], [(5000, 100 * SHARES)]))}
    assert reasons(scan(books, ArbParams())) == {None: NotTaken.DISABLED}


def test_two_sets_never_count_on_the_same_depth() -> None:
    books = neg_risk([(2000, 3000), (2000, 3000), (3500, 3200)])
    result = scan(books, ON)
    assets = [leg.asset for basket in result.baskets for leg in basket.legs]
    assert len(assets) == len(set(assets))
    assert NotTaken.DEPTH_SHARED in reasons(result).values()


def test_the_same_opportunity_has_the_same_name() -> None:
    books = neg_risk([(2000, 3000), (2000, 3000), (2000, 3500)])
    first = only(scan(books, ON, 5))
    turned = dict(reversed(books.items()))
    assert only(scan(turned, ON, 5)).plan_id == first.plan_id
    assert only(scan(books, ON, 6)).plan_id != first.plan_id
    assert only(scan(books, replace(ON, max_size=50 * SHARES), 5)).plan_id != first.plan_id


def test_markets_of_two_events_are_an_error() -> None:
    books = neg_risk([(2000, 3000), (2000, 3000)])
    last, view_of = books["m1"]
    books["m1"] = (replace(last, event_id="another"), view_of)
    with pytest.raises(ValueError, match="one event at a time"):
        scan(books, ON)
    assert scan({}, ON) == Scan((), ())


LEVELS = st.lists(
    st.tuples(st.integers(1, 99).map(lambda cents: cents * 100), st.integers(1, 300)),
    min_size=1,
    max_size=4,
    unique_by=lambda level: level[0],
)


@st.composite
def opportunities(draw: st.DrawFn) -> Opportunity:
    """Two to four legs on offer for somewhere around their payout, in tenths of shares."""
    legs = draw(st.integers(2, 4))
    offers = []
    for at in range(legs):
        rate = draw(st.sampled_from([0, 0, 100, 700]))
        asks = sorted((price, tenths * SHARES // 10) for price, tenths in draw(LEVELS))
        offers.append(Offer(market(f"m{at}", FeeSchedule(rate)), draw(st.booleans()), tuple(asks)))
    top = sum(offer.asks[0][0] for offer in offers)
    payout = top + draw(st.integers(-200, 3000))
    return Opportunity("ev", Route.BUY_ALL_YES, tuple(offers), payout * EDGE_ONE // PRICE_ONE)


def exact_cost(offer: Offer, start: int, stop: int) -> Fraction:
    """pUSD for the shares between two depths of one ladder, fee included, not rounded."""
    total, seen = Fraction(0), 0
    for price, size in offer.asks:
        part = max(0, min(stop, seen + size) - max(start, seen))
        p = Fraction(price, PRICE_ONE)
        total += Fraction(part, SIZE_ONE) * (p + Fraction(offer.market.fees.rate, 10_000) * p * (1 - p))
        seen += size
    return total


def reference_size(seen: Opportunity, params: ArbParams) -> int:
    """Buy a hundredth of a share at a time while the next one earns its margin."""
    deepest = min(params.max_size, *(sum(size for _, size in offer.asks) for offer in seen.offers))
    payout = Fraction(seen.payout, EDGE_ONE)
    size = 0
    while size < deepest:
        stop = size + SIZE_STEP
        cost = sum(exact_cost(offer, size, stop) for offer in seen.offers)
        edge = payout * Fraction(SIZE_STEP, SIZE_ONE) - cost
        if edge <= 0 or edge < Fraction(params.min_edge, PRICE_ONE) * Fraction(SIZE_STEP, SIZE_ONE):
            break
        size = stop
    return size


def limit_at(offer: Offer, size: int) -> int:
    seen = 0
    for price, offered in offer.asks:
        seen += offered
        if seen >= size:
            return price
    raise AssertionError("deeper than the ladder")


def reference_whole(seen: Opportunity, size: int) -> int:
    """The largest size up to `size` that is whole cents on each leg."""
    while size > 0:
        if all(limit_at(offer, size) * size % 10**8 == 0 for offer in seen.offers):
            return size
        size -= SIZE_STEP
    return 0


@settings(max_examples=60, deadline=None)
@given(opportunities(), st.integers(0, 300), st.integers(1, 40))
def test_a_plan_is_what_buying_share_by_share_would_have_bought(seen: Opportunity, min_edge: int, most: int) -> None:
    params = replace(ON, min_edge=min_edge, max_size=most * SHARES)
    size = reference_whole(seen, reference_size(seen, params))
    planned = plan(seen, params)
    if isinstance(planned, NotTaken):
        small = any(
            size < offer.market.min_size or size * limit_at(offer, size) < PRICE_ONE * CASH_ONE for offer in seen.offers
        )
        assert size == 0 or small or planned is NotTaken.BELOW_MARGIN
        return
    assert planned.size == size
    assert all(leg.size == size for leg in planned.legs)
    assert [leg.price for leg in planned.legs] == [limit_at(offer, size) for offer in seen.offers]
    exact = Fraction(seen.payout * size, EDGE_ONE) / SIZE_ONE - sum(exact_cost(offer, 0, size) for offer in seen.offers)
    assert 0 <= exact * CASH_ONE - planned.edge <= 1 + 11 * sum(len(offer.asks) for offer in seen.offers)
    assert planned.edge > 0
    assert planned.edge * PRICE_ONE >= min_edge * size


TOPS = st.integers(0, 100).map(lambda cents: cents * 100)


@given(st.lists(st.tuples(st.integers(0, 2), TOPS, TOPS), max_size=30), st.integers(0, 300))
def test_the_watch_fires_exactly_when_a_scan_without_fees_would_find_a_set(
    changes: list[tuple[int, int, int]], min_edge: int
) -> None:
    members = [market(f"m{at}", set_size=3) for at in range(3)]
    watch = DutchWatch(members, min_edge)
    tops = {member.condition_id: (PRICE_ONE, PRICE_ONE) for member in members}
    for at, yes, no in changes:
        changed = f"m{at}"
        fired = watch.update(changed, yes, no)
        tops[changed] = (yes or PRICE_ONE, no or PRICE_ONE)
        pays = [PRICE_ONE - sum(tops[changed])]
        pays.append(PRICE_ONE - sum(yes for yes, _ in tops.values()))
        if all(no < PRICE_ONE for _, no in tops.values()):
            pays.append(2 * PRICE_ONE - sum(no for _, no in tops.values()))
        assert fired == (max(pays) >= max(min_edge, 1))


def test_the_watch_remembers_when_the_gap_opened() -> None:
    watch = DutchWatch([market("m")])
    assert not watch.update("m", 5000, None, 1)
    assert watch.update("m", 5000, 4900, 2)
    assert watch.update("m", 4900, 4900, 3)
    assert watch.opened_ns("m") == 2
    assert not watch.update("m", 5000, 5000, 4)
    assert watch.update("m", 5000, 4000, 5)
    assert watch.opened_ns("m") == 5


def test_the_watch_ignores_what_may_never_be_a_set() -> None:
    pair = [market("a", set_size=2), market("b", set_size=2)]
    for spoilt in ({"augmented": True}, {"other": True}, {"set_size": 3}, {"accepting_orders": False}):
        watch = DutchWatch([pair[0], replace(pair[1], **spoilt)])
        assert not watch.update("a", 1000, 9000)
        assert not watch.update("b", 1000, 9000)
    assert not DutchWatch().update("nobody", 1, 1)


def test_a_complete_set_is_two_or_more_markets_that_all_say_how_many_there_are() -> None:
    assert dutch_book.is_complete_set([market("a", set_size=2), market("b", set_size=2)])
    assert not dutch_book.is_complete_set([market("a", set_size=1)])
    assert not dutch_book.is_complete_set([market("a", set_size=2), market("b", set_size=3)])
