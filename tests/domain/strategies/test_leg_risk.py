"""What to do with a basket that did not fill whole: the cheapest way out, in figures that add up."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets.domain.events import Level, Side
from markets.domain.units import CASH_ONE, Size, cash_ceil
from strategies.domain.arb_params import ArbParams
from strategies.domain.dutch_book import scan
from strategies.domain.intents import Basket, Leg
from strategies.domain.leg_risk import DUST, Choice, Standing, judge, still_pays
from tests.dutch_builders import FREE, SHARES, market, neg_risk, standings, walk

BASKET: Basket = scan(neg_risk([(2900, 3000), (2900, 3000), (2900, 3500)]), FREE).baskets[0]  # 100 sets for 0.95
ASK: tuple[Level, ...] = ((3000, 500 * SHARES),)
BID: tuple[Level, ...] = ((2900, 500 * SHARES),)
BOLD = ArbParams(max_loss=100 * CASH_ONE)


def leg(
    at: int, filled: int, *, asks: tuple[Level, ...] = ASK, bids: tuple[Level, ...] = BID, free: Size | None = None
) -> Standing:
    """A leg that bought `filled` shares at 0.30, all settled unless said otherwise."""
    size = filled * SHARES
    return Standing(
        market(f"m{at}", set_size=3), True, size, cash_ceil(3000, size), asks, bids, size if free is None else free
    )


def test_legs_that_filled_alike_are_whole_and_no_fill_is_nothing() -> None:
    whole = judge(BASKET, [leg(0, 100), leg(1, 100), leg(2, 100)], BOLD)
    assert (whole.choice, whole.profit) == (Choice.WHOLE, 10 * CASH_ONE)
    assert judge(BASKET, [leg(0, 0), leg(1, 0), leg(2, 0)], BOLD).choice is Choice.NOTHING


def test_a_missing_leg_is_bought_when_that_costs_less_than_selling_the_others() -> None:
    verdict = judge(BASKET, [leg(0, 100), leg(1, 100), leg(2, 0)], BOLD)
    assert (verdict.choice, verdict.profit) == (Choice.COMPLETE, 10 * CASH_ONE)
    assert verdict.legs == (Leg("m2", "m2-yes", Side.BUY, 3000, 100 * SHARES, 30 * CASH_ONE, 0),)


def test_what_no_other_leg_matches_is_sold_when_the_missing_one_became_dear() -> None:
    verdict = judge(BASKET, [leg(0, 100), leg(1, 100), leg(2, 0, asks=((9000, 500 * SHARES),))], BOLD)
    assert (verdict.choice, verdict.profit) == (Choice.UNWIND, -2 * CASH_ONE)
    assert [(one.asset, one.side, one.price) for one in verdict.legs] == [
        ("m0-yes", Side.SELL, 2900),
        ("m1-yes", Side.SELL, 2900),
    ]


def test_part_of_a_leg_is_completed_or_undone_down_to_what_matches() -> None:
    dear = ((9000, 500 * SHARES),)
    verdict = judge(BASKET, [leg(0, 100), leg(1, 100), leg(2, 40, asks=dear)], BOLD)
    assert verdict.choice is Choice.UNWIND
    assert [one.size for one in verdict.legs] == [60 * SHARES] * 2
    cheap = judge(BASKET, [leg(0, 100), leg(1, 100), leg(2, 40)], BOLD)
    assert [(one.asset, one.size) for one in cheap.legs] == [("m2-yes", 60 * SHARES)]


def test_shares_that_have_not_settled_cannot_be_sold_yet() -> None:
    dear = ((9000, 500 * SHARES),)
    standing = [leg(0, 100, free=0), leg(1, 100), leg(2, 0, asks=dear)]
    assert judge(BASKET, standing, BOLD).choice is Choice.WAIT


def test_they_are_held_when_that_is_cheapest_and_the_cap_allows_it() -> None:
    standing = [leg(0, 10), leg(1, 0, asks=((9000, 500 * SHARES),)), leg(2, 0)]
    assert judge(BASKET, standing, replace(BOLD, max_held=4 * CASH_ONE)).choice is Choice.HOLD
    assert judge(BASKET, standing, replace(BOLD, max_held=2 * CASH_ONE)).choice is Choice.UNWIND


def test_a_loss_beyond_the_cap_or_no_way_out_is_the_operators() -> None:
    empty: tuple[Level, ...] = ()
    stuck = judge(BASKET, [leg(0, 100, bids=empty), leg(1, 0, asks=empty), leg(2, 0)], BOLD)
    assert stuck.choice is Choice.STUCK
    assert "complete: 100 of m1 cannot be bought; unwind: 100 of m0 cannot be sold" in stuck.detail
    dear = [leg(0, 100, bids=((1000, 500 * SHARES),)), leg(1, 0, asks=((9000, 500 * SHARES),)), leg(2, 0)]
    assert judge(BASKET, dear, replace(BOLD, max_loss=5 * CASH_ONE)).choice is Choice.STUCK


def test_a_set_whose_terms_changed_is_never_completed() -> None:
    verdict = judge(BASKET, [leg(0, 100), leg(1, 100), leg(2, 0)], BOLD, may_complete=False)
    assert verdict.choice is Choice.UNWIND


def test_a_difference_worth_less_than_the_venues_least_order_is_none() -> None:
    near = leg(2, 100)
    almost = Standing(near.market, True, 99_990_000, near.paid, near.asks, near.bids, near.free)
    assert judge(BASKET, [leg(0, 100), leg(1, 100), almost], BOLD).choice is Choice.WHOLE


def test_a_basket_that_buys_and_sells_is_not_judged() -> None:
    legs = (Leg("m0", "m0-yes", Side.SELL, 3000, SHARES, 0, 0), Leg("m1", "m1-yes", Side.BUY, 3000, SHARES, 0, 0))
    with pytest.raises(ValueError, match="all buy or all sell"):
        judge(Basket("p", "ev", BASKET.route, SHARES, legs, 0), [leg(0, 1), leg(1, 1)], BOLD)


def test_a_first_leg_goes_on_resting_while_the_others_still_make_it_pay() -> None:
    others = [leg(1, 0), leg(2, 0)]
    assert still_pays(BASKET, 2900, others, 100 * SHARES, FREE)
    assert not still_pays(BASKET, 4000, others, 100 * SHARES, FREE)
    assert not still_pays(BASKET, 2900, [leg(1, 0, asks=())], 100 * SHARES, FREE)


@given(standings(leg), st.integers(0, 50), st.integers(0, 50))
def test_following_the_verdict_ends_balanced_and_loses_no_more_than_allowed(
    standing: list[Standing], max_loss: int, max_held: int
) -> None:
    params = ArbParams(max_loss=max_loss * CASH_ONE, max_held=max_held * CASH_ONE)
    verdict = judge(BASKET, standing, params)
    if verdict.choice not in (Choice.COMPLETE, Choice.UNWIND):
        return
    held = {each.market.asset(True): each.filled for each in standing}
    cash = -sum(each.paid for each in standing)
    books = {each.market.asset(True): each for each in standing}
    for one in verdict.legs:
        buys = one.side is Side.BUY
        held[one.asset] += one.size if buys else -one.size
        moved = walk(books[one.asset].asks if buys else books[one.asset].bids, one.size)
        cash += -moved if buys else moved
    least = min(held.values())
    assert sum(min(size - least, books[asset].at_stake(size - least)) for asset, size in held.items()) <= 3 * DUST
    assert cash + least * CASH_ONE // SHARES >= verdict.profit - 3
    assert verdict.profit >= -params.max_loss
