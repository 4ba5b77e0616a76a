"""The Dutch book by value: every route, every cost, and everything that is no set."""

from dataclasses import replace
from typing import Any

import pytest

from markets.domain.events import Side
from markets.domain.market import Generation
from markets.domain.units import CASH_ONE, NANOS_PER_MILLI
from strategies.domain.arb_params import ArbParams
from strategies.domain.basket import plan
from strategies.domain.dutch_book import Scan, scan
from strategies.domain.intents import Basket, ChainStep, Conversion, NotTaken, OrderType, Route
from strategies.domain.routes import DAY_NS, Books, Moment, opportunities
from tests.dutch_builders import CHAIN, FEES, FREE, SHARES, crossed, market, neg_risk, view

CHEAP_YES = [(2000, 3000), (2000, 3000), (2000, 3500)]  # asks add up to 0.95
DEAR_BIDS = [(3500, 4000), (3500, 4000), (3500, 4000)]  # bids add up to 1.05, NO asks to 1.95


def reasons(result: Scan) -> dict[Route | None, NotTaken]:
    return {missed.route: missed.reason for missed in result.missed}


def planned(books: Books, params: ArbParams, route: Route, at: Moment = CHAIN) -> Basket | NotTaken:
    """One route alone."""
    (seen,) = [seen for seen in opportunities("ev", list(books.values()), params, at) if seen.route is route]
    return plan(seen, params)


def only(result: Scan) -> Basket:
    (basket,) = result.baskets
    return basket


# Routes


def test_a_crossed_market_is_bought_on_both_sides() -> None:
    books = {"m": (market("m"), view([(5200, 30 * SHARES)], [(5000, 40 * SHARES)]))}
    basket = only(scan(books, FREE, CHAIN))
    assert basket.route is Route.BUY_BOTH_AND_MERGE
    assert {(leg.asset, leg.side, leg.price) for leg in basket.legs} == {
        ("m-yes", Side.BUY, 5000),
        ("m-no", Side.BUY, 4800),
    }
    assert (basket.size, basket.edge) == (30 * SHARES, 30 * CASH_ONE * 2 // 100)
    assert basket.order_type is OrderType.FOK
    assert basket.after == (ChainStep(Conversion.MERGE, ("m",), 30 * SHARES),)


def test_a_market_whose_bids_pay_more_than_a_pusd_is_split_and_sold_where_that_is_cheaper() -> None:
    books = {"m": (market("m"), view([(5250, 30 * SHARES)], [(5000, 30 * SHARES)]))}
    basket = only(scan(books, replace(FREE, max_size=7 * SHARES), CHAIN))  # NO at 0.475 only in steps of four shares
    assert basket.route is Route.SPLIT_AND_SELL_BOTH
    assert {(leg.asset, leg.side, leg.price) for leg in basket.legs} == {
        ("m-yes", Side.SELL, 5250),
        ("m-no", Side.SELL, 5000),
    }
    assert (basket.size, basket.edge) == (7 * SHARES, 7 * CASH_ONE * 25 // 1000)
    assert basket.before == (ChainStep(Conversion.SPLIT, ("m",), 7 * SHARES),)


def test_every_yes_of_a_complete_event_below_one_is_bought_and_held() -> None:
    basket = only(scan(neg_risk(CHEAP_YES), FREE))
    assert basket.route is Route.BUY_ALL_YES
    assert (basket.size, basket.edge, basket.after) == (100 * SHARES, 5 * CASH_ONE, ())


def test_every_no_of_a_complete_event_is_bought_and_converted() -> None:
    basket = only(scan(neg_risk(DEAR_BIDS), FREE, CHAIN))
    assert basket.route is Route.BUY_ALL_NO_AND_CONVERT
    assert [leg.price for leg in basket.legs] == [6500, 6500, 6500]
    assert basket.edge == 5 * CASH_ONE  # two pUSD for 1.95
    assert [step.what for step in basket.after] == [Conversion.CONVERT]


def test_in_v2_one_no_becomes_every_other_yes_and_the_pairs_are_merged() -> None:
    basket = only(scan(neg_risk(DEAR_BIDS, generation=Generation.V2), replace(FREE, convert_fee_bps=900), CHAIN))
    assert basket.route is Route.BUY_ALL_NO_AND_CONVERT
    assert basket.edge == 5 * CASH_ONE  # its conversion keeps nothing
    assert [(step.what, step.condition_ids) for step in basket.after] == [
        (Conversion.CONVERT_ONE, ("m0", "m1", "m2")),
        (Conversion.MERGE, ("m1",)),
        (Conversion.MERGE, ("m2",)),
    ]


def test_one_question_is_split_and_converted_to_sell_every_yes_that_is_bid_for() -> None:
    books = neg_risk([(5500, 6000), (5500, 6000), (1, 4000)])
    books["m2"] = (books["m2"][0], view([], [(4000, 100 * SHARES)]))
    basket = only(scan(books, FREE, CHAIN))
    assert basket.route is Route.SPLIT_AND_SELL_ALL_YES
    assert [(leg.asset, leg.side, leg.price) for leg in basket.legs] == [
        ("m0-yes", Side.SELL, 5500),
        ("m1-yes", Side.SELL, 5500),
    ]
    assert basket.edge == 10 * CASH_ONE
    assert [step.what for step in basket.before] == [Conversion.SPLIT, Conversion.CONVERT]


def test_the_adapter_s_fee_makes_a_converted_set_dearer_and_v2_splits_the_event_at_once() -> None:
    tops = [(5500, 6000), (5500, 6000), (0, 4000)]
    v1 = only(scan(_without_bid(neg_risk(tops)), replace(FREE, convert_fee_bps=500), CHAIN))
    assert v1.edge == 110 * CASH_ONE - 105_263_158  # 100 sets left of 105.263158 that were split
    assert [step.size for step in v1.before] == [105_263_158] * 2
    v2 = only(scan(_without_bid(neg_risk(tops, generation=Generation.V2)), replace(FREE, convert_fee_bps=500), CHAIN))
    assert (v2.edge, [step.what for step in v2.before]) == (10 * CASH_ONE, [Conversion.SPLIT_EVENT])


def _without_bid(books: dict[str, Any]) -> dict[str, Any]:
    books["m2"] = (books["m2"][0], view([], books["m2"][1].asks))
    return books


def test_without_a_chain_what_needs_a_split_is_told_and_the_rest_is_held_to_resolution() -> None:
    result = scan(neg_risk(DEAR_BIDS), FREE)
    assert only(result).route is Route.BUY_ALL_NO_AND_HOLD
    assert reasons(result)[Route.SPLIT_AND_SELL_ALL_YES] is NotTaken.NEEDS_CHAIN
    assert only(scan(crossed(), FREE)).route is Route.BUY_BOTH_AND_HOLD


def test_every_yes_of_a_v2_event_is_no_set_for_its_own_outcome_may_win() -> None:
    result = scan(neg_risk(CHEAP_YES, generation=Generation.V2), FREE, CHAIN)
    assert not result.baskets
    assert reasons(result)[Route.BUY_ALL_YES] is NotTaken.SYNTHETIC_OTHER


# Costs


def test_the_fee_of_a_conversion_is_part_of_the_sum() -> None:
    books, route = neg_risk(DEAR_BIDS), Route.BUY_ALL_NO_AND_CONVERT
    basket = planned(books, replace(FREE, convert_fee_bps=100), route)
    assert isinstance(basket, Basket)
    assert basket.edge == 3 * CASH_ONE
    assert planned(books, replace(FREE, convert_fee_bps=250), route) is NotTaken.EATEN_BY_COSTS


def test_what_the_venue_tells_of_an_event_s_fee_counts_if_it_is_more() -> None:
    route = Route.BUY_ALL_NO_AND_CONVERT
    books = {name: (replace(market, convert_fee_bps=100), seen) for name, (market, seen) in neg_risk(DEAR_BIDS).items()}
    for expected in (0, 50):
        basket = planned(books, replace(FREE, convert_fee_bps=expected), route)
        assert isinstance(basket, Basket)
        assert basket.edge == 3 * CASH_ONE
    assert planned(books, replace(FREE, convert_fee_bps=250), route) is NotTaken.EATEN_BY_COSTS


def test_every_call_to_the_chain_costs() -> None:
    params = replace(FREE, conversion_cost=CASH_ONE // 2)
    assert only(scan(crossed(), params, CHAIN)).edge == 2 * CASH_ONE - CASH_ONE // 2
    dear = only(scan(neg_risk(DEAR_BIDS, generation=Generation.V2), params, CHAIN))
    assert dear.route is Route.SPLIT_AND_SELL_ALL_YES  # one split beats a conversion and two merges
    assert dear.edge == 5 * CASH_ONE - CASH_ONE // 2


def test_locked_capital_costs_by_the_day_until_the_last_market_pays() -> None:
    books = {
        name: (replace(known, end_ms=10 * DAY_NS // NANOS_PER_MILLI), seen)
        for name, (known, seen) in neg_risk(CHEAP_YES).items()
    }
    params = replace(FREE, lock_rate_bps=3650, resolution_days=3, max_size=10 * SHARES)
    assert only(scan(books, params, Moment(now_ns=0))).edge == CASH_ONE // 2 - 10 * CASH_ONE * 13 // 1000
    assert only(scan(books, params, Moment(now_ns=9 * DAY_NS + 1))).edge == CASH_ONE // 2 - 10 * CASH_ONE * 4 // 1000
    late = scan(books, replace(params, max_lock_days=12), Moment(now_ns=0))
    assert reasons(late)[Route.BUY_ALL_YES] is NotTaken.LOCKED_TOO_LONG


def test_a_market_without_an_end_date_counts_as_the_longest_lock() -> None:
    params = replace(FREE, lock_rate_bps=3650, max_lock_days=20, max_size=10 * SHARES)
    assert only(scan(neg_risk(CHEAP_YES), params)).edge == CASH_ONE // 2 - 10 * CASH_ONE * 20 // 1000
    dear = scan(neg_risk(CHEAP_YES), replace(params, max_lock_days=60))
    assert reasons(dear)[Route.BUY_ALL_YES] is NotTaken.EATEN_BY_COSTS


def test_limits_stand_as_many_ticks_away_as_asked_and_the_edge_is_reckoned_there() -> None:
    basket = only(scan(crossed(), replace(FREE, slippage_ticks=0), CHAIN))
    assert basket.edge == 2 * CASH_ONE
    fine = {"m": (replace(market("m"), tick=10), crossed()["m"][1])}
    slipped = only(scan(fine, replace(FREE, slippage_ticks=5), CHAIN))
    assert sorted(leg.price for leg in slipped.legs) == [4850, 5050]
    assert slipped.edge == CASH_ONE
    assert reasons(scan(crossed(), replace(FREE, slippage_ticks=1), CHAIN)) == {
        Route.BUY_BOTH_AND_MERGE: NotTaken.EATEN_BY_COSTS,
        Route.SPLIT_AND_SELL_BOTH: NotTaken.EATEN_BY_COSTS,
    }


def test_fees_eat_a_thin_edge() -> None:
    assert reasons(scan(crossed(5100, fees=FEES), FREE, CHAIN)) == {
        Route.BUY_BOTH_AND_MERGE: NotTaken.EATEN_BY_FEES,
        Route.SPLIT_AND_SELL_BOTH: NotTaken.EATEN_BY_FEES,
    }


def test_each_leg_pays_its_own_fee_schedule() -> None:
    books = neg_risk([(2000, 3000), (2000, 3000), (2000, 3000)])
    dear, view_of = books["m1"]
    books["m1"] = (replace(dear, fees=FEES), view_of)
    fees = {leg.condition_id: leg.fee for leg in only(scan(books, FREE)).legs}
    assert fees == {"m0": 0, "m1": 100 * 10_500, "m2": 0}


def test_an_edge_below_the_margin_is_left() -> None:
    missed = reasons(scan(crossed(5100), replace(FREE, min_edge=101), CHAIN))
    assert missed[Route.BUY_BOTH_AND_MERGE] is NotTaken.BELOW_MARGIN
    assert only(scan(crossed(5100), replace(FREE, min_edge=100), CHAIN)).edge == CASH_ONE


# Sizes


def test_depth_is_walked_to_the_last_level_that_earns() -> None:
    asks = [(4800, 10 * SHARES), (4900, 10 * SHARES), (5100, 10 * SHARES)]
    books = {"m": (market("m"), view([(5000, 100 * SHARES)], asks))}
    basket = only(scan(books, FREE, CHAIN))
    assert basket.size == 20 * SHARES
    assert {leg.asset: leg.price for leg in basket.legs}["m-yes"] == 4900
    assert basket.edge == 10 * CASH_ONE * 3 // 100


def test_every_set_earns_the_margin_by_itself_and_not_only_all_of_them_together() -> None:
    asks = [(4800, 10 * SHARES), (4900, 10 * SHARES)]
    books = {"m": (market("m"), view([(5000, 100 * SHARES)], asks))}
    assert only(scan(books, replace(FREE, min_edge=150), CHAIN)).size == 10 * SHARES  # 150 on average of both
    assert only(scan(books, replace(FREE, min_edge=100), CHAIN)).size == 20 * SHARES


def test_the_largest_size_and_the_cash_of_one_plan_bind() -> None:
    assert only(scan(crossed(), replace(FREE, max_size=7 * SHARES), CHAIN)).size == 7 * SHARES
    assert only(scan(crossed(), replace(FREE, max_cost=49 * CASH_ONE), CHAIN)).size == 50 * SHARES
    books = _without_bid(neg_risk([(5500, 6000)] * 2 + [(0, 4000)]))
    sold = only(scan(books, replace(FREE, max_cost=9 * CASH_ONE), CHAIN))
    assert (sold.route, sold.size) == (Route.SPLIT_AND_SELL_ALL_YES, 9 * SHARES)  # a split costs one pUSD


def test_sizes_are_those_that_cost_whole_cents_on_every_bought_leg() -> None:
    fine = replace(market("m"), tick=10)
    books = {"m": (fine, view([(5230, 37 * SHARES)], [(5000, 37 * SHARES)]))}
    basket = only(scan(books, FREE))
    assert basket.size == 30 * SHARES  # a NO price of 0.477 gives whole cents every ten shares
    assert all(leg.price * leg.size % 10**8 == 0 for leg in basket.legs)


def test_an_edge_on_a_few_shares_is_eaten_by_depth() -> None:
    books = {"m": (market("m"), view([(5100, 4 * SHARES)], [(5000, 100 * SHARES)]))}
    assert reasons(scan(books, FREE, CHAIN))[Route.BUY_BOTH_AND_MERGE] is NotTaken.BELOW_MINIMUM


def test_a_leg_worth_less_than_one_pusd_is_refused_by_the_venue_so_not_planned() -> None:
    books = {"m": (market("m"), view([(9800, 30 * SHARES)], [(9500, 30 * SHARES)]))}
    assert reasons(scan(books, FREE))[Route.BUY_BOTH_AND_HOLD] is NotTaken.BELOW_MINIMUM


def test_the_leg_with_the_least_to_spare_goes_first() -> None:
    books = neg_risk(CHEAP_YES)
    for name, size in (("m0", 300), ("m1", 100), ("m2", 200)):
        known, seen = books[name]
        books[name] = (known, view(seen.bids, [(seen.asks[0][0], size * SHARES)]))
    assert [leg.condition_id for leg in only(scan(books, FREE)).legs] == ["m1", "m2", "m0"]


# No sets


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        ({"augmented": True}, NotTaken.AUGMENTED),
        ({"other": True}, NotTaken.OTHER_OUTCOME),
        ({"yes": ""}, NotTaken.UNHYDRATED),
        ({"blocked": "resolution disputed", "accepting_orders": False}, NotTaken.BLOCKED),
        ({"accepting_orders": False}, NotTaken.NOT_ACCEPTING),
        ({"delayed": True}, NotTaken.DELAYED),
        ({"set_size": 0}, NotTaken.INCOMPLETE_SET),
        ({"set_size": 1}, NotTaken.INCOMPLETE_SET),
        ({"set_size": 3}, NotTaken.INCOMPLETE_SET),
    ],
)
def test_one_market_that_is_not_in_order_spoils_every_set_and_says_why(
    spoilt: dict[str, Any], reason: NotTaken
) -> None:
    books = neg_risk([(2000, 2500), (2000, 2500)])
    last, view_of = books["m1"]
    books["m1"] = (replace(last, **spoilt), view_of)
    result = scan(books, FREE, CHAIN)
    assert not result.baskets
    (refused,) = [missed for missed in result.missed if missed.route is Route.BUY_ALL_YES]
    assert (refused.reason, refused.gross, refused.depth) == (reason, 5000, 100 * SHARES)


def test_a_blocked_market_is_named_with_what_blocks_it() -> None:
    known, seen = crossed()["m"]
    blocked = replace(known, blocked="rules changed: waiting for approval", accepting_orders=False)
    missed = scan({"m": (blocked, seen)}, FREE, CHAIN).missed[0]
    assert (missed.reason, missed.detail) == (NotTaken.BLOCKED, "rules changed: waiting for approval: m")


def test_a_leg_without_an_offer_leaves_no_set() -> None:
    books = neg_risk([(2000, 2500), (2000, 2500)])
    bare = {**books, "m1": (books["m1"][0], view([(2000, SHARES)], []))}
    assert reasons(scan(bare, FREE))[Route.BUY_ALL_YES] is NotTaken.NO_OFFER


def test_ordinary_binaries_of_one_event_are_no_set() -> None:
    books = {
        name: (replace(known, neg_risk=False), view_of)
        for name, (known, view_of) in neg_risk([(2000, 2500), (2000, 2500)]).items()
    }
    routes = {missed.route for missed in scan(books, FREE, CHAIN).missed}
    assert routes == {Route.BUY_BOTH_AND_MERGE, Route.SPLIT_AND_SELL_BOTH}


def test_off_is_the_default_and_still_tells_what_it_would_have_taken() -> None:
    result = scan(crossed(), ArbParams(), CHAIN)
    assert not result.baskets
    assert reasons(result)[Route.BUY_BOTH_AND_MERGE] is NotTaken.DISABLED


def test_two_sets_never_count_on_the_same_book() -> None:
    books = neg_risk([(2000, 3000), (2000, 3000), (3500, 3200)])
    result = scan(books, FREE)
    traded = [leg.condition_id for leg in only(result).legs]
    assert len(set(traded)) == len(traded) == 3
    assert NotTaken.DEPTH_SHARED in reasons(result).values()


def test_the_same_opportunity_has_the_same_name() -> None:
    books = neg_risk(CHEAP_YES)
    first = only(scan(books, FREE, Moment(5)))
    turned = dict(reversed(books.items()))
    assert only(scan(turned, FREE, Moment(5))).plan_id == first.plan_id
    assert only(scan(books, FREE, Moment(6))).plan_id != first.plan_id
    assert only(scan(books, replace(FREE, max_size=50 * SHARES), Moment(5))).plan_id != first.plan_id


def test_markets_of_two_events_are_an_error() -> None:
    books = neg_risk([(2000, 3000), (2000, 3000)])
    last, view_of = books["m1"]
    books["m1"] = (replace(last, event_id="another"), view_of)
    with pytest.raises(ValueError, match="one event at a time"):
        scan(books, FREE)
    assert scan({}, FREE) == Scan((), ())
