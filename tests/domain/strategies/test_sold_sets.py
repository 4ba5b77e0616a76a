"""Sets that lie here and are sold: how many, at which limits, and what follows when not every leg sold."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from markets.domain.events import Level, Side
from markets.domain.units import CASH_ONE, PRICE_ONE, SIZE_ONE, AssetId, Size
from strategies.domain.arb_params import ArbParams
from strategies.domain.dutch_book import scan
from strategies.domain.intents import Basket, Leg, NotTaken, Route
from strategies.domain.leg_risk import DUST, Choice, Standing, judge, still_pays
from strategies.domain.routes import EDGE_ONE, Moment
from tests.dutch_builders import FREE, SHARES, market, neg_risk, standings, view, walk

DEAR = [(3500, 4000), (3500, 4000), (3500, 4000)]  # bids add up to 1.05
ALL_YES = {f"m{at}-yes": 60 * SHARES for at in range(3)}
BID: tuple[Level, ...] = ((3500, 500 * SHARES),)
ASK: tuple[Level, ...] = ((3600, 500 * SHARES),)
BOLD = ArbParams(max_loss=100 * CASH_ONE)


def held(free: dict[AssetId, Size]) -> Moment:
    return Moment(free=free)


def a_sale() -> Basket:
    """100 sets of three, each leg sold at 0.35."""
    legs = tuple(Leg(f"m{at}", f"m{at}-yes", Side.SELL, 3500, 100 * SHARES, -35 * CASH_ONE, 0) for at in range(3))
    return Basket("p", "ev", Route.SELL_ALL_YES_HELD, 100 * SHARES, legs, 5 * CASH_ONE, payout=-EDGE_ONE)


def leg(
    at: int, sold: int, *, asks: tuple[Level, ...] = ASK, bids: tuple[Level, ...] = BID, free: Size = 100 * SHARES
) -> Standing:
    """A leg that sold so many shares at 0.35."""
    size = sold * SHARES
    return Standing(market(f"m{at}", set_size=3), True, size, -(3500 * size // PRICE_ONE), asks, bids, free)


def test_sets_that_lie_here_are_sold_as_far_as_they_go_without_asking_the_chain() -> None:
    (basket,) = scan(neg_risk(DEAR), replace(FREE, max_size=60 * SHARES), held(ALL_YES)).baskets
    assert basket.route is Route.SELL_ALL_YES_HELD
    assert {(leg.asset, leg.side, leg.price, leg.size) for leg in basket.legs} == {
        (f"m{at}-yes", Side.SELL, 3500, 60 * SHARES) for at in range(3)
    }
    assert (basket.edge, basket.before, basket.after) == (3 * CASH_ONE, (), ())


def test_a_pair_that_lies_here_is_sold_when_the_bids_pay_more_than_a_merge() -> None:
    books = {"m": (market("m"), view([(5250, 30 * SHARES)], [(5000, 30 * SHARES)]))}
    both = held({"m-yes": 20 * SHARES, "m-no": 90 * SHARES})
    (basket,) = scan(books, replace(FREE, max_size=20 * SHARES), both).baskets
    assert (basket.route, basket.size) == (Route.SELL_BOTH_HELD, 20 * SHARES)
    assert basket.edge == 20 * CASH_ONE * 25 // 1000


def test_more_sets_that_are_bought_beat_fewer_that_are_sold() -> None:
    (basket,) = scan(neg_risk(DEAR), FREE, held(ALL_YES)).baskets
    assert (basket.route, basket.size) == (Route.BUY_ALL_NO_AND_HOLD, 100 * SHARES)


def test_a_set_of_which_one_share_is_missing_is_not_offered_for_sale() -> None:
    short = {asset: size for asset, size in ALL_YES.items() if asset != "m1-yes"}
    found = scan(neg_risk(DEAR), FREE, held(short))
    assert Route.SELL_ALL_YES_HELD not in {each.route for each in found.baskets}
    assert Route.SELL_ALL_YES_HELD not in {each.route for each in found.missed}


def test_an_event_that_is_no_set_is_not_sold_from_stock_either() -> None:
    books = neg_risk(DEAR)
    books["m0"] = (replace(books["m0"][0], augmented=True), books["m0"][1])
    found = scan(books, FREE, held(ALL_YES))
    assert {each.reason for each in found.missed if each.route is Route.SELL_ALL_YES_HELD} == {NotTaken.AUGMENTED}


def test_a_sale_that_filled_alike_is_whole() -> None:
    verdict = judge(a_sale(), [leg(0, 60), leg(1, 60), leg(2, 60)], BOLD)
    assert (verdict.choice, verdict.profit) == (Choice.WHOLE, 3 * CASH_ONE)
    assert judge(a_sale(), [leg(0, 0), leg(1, 0), leg(2, 0)], BOLD).choice is Choice.NOTHING


def test_a_leg_that_did_not_sell_is_sold_cheaper_when_buying_back_costs_more() -> None:
    verdict = judge(a_sale(), [leg(0, 100), leg(1, 100), leg(2, 0, bids=((3300, 500 * SHARES),))], BOLD)
    assert (verdict.choice, verdict.profit) == (Choice.COMPLETE, 3 * CASH_ONE)
    assert verdict.legs == (Leg("m2", "m2-yes", Side.SELL, 3300, 100 * SHARES, -33 * CASH_ONE, 0),)


def test_what_was_sold_is_bought_back_when_the_last_leg_finds_no_fair_bid() -> None:
    verdict = judge(a_sale(), [leg(0, 100), leg(1, 100), leg(2, 0, bids=((1000, 500 * SHARES),))], BOLD)
    assert (verdict.choice, verdict.profit) == (Choice.UNWIND, -2 * CASH_ONE)
    assert [(one.asset, one.side, one.price) for one in verdict.legs] == [
        ("m0-yes", Side.BUY, 3600),
        ("m1-yes", Side.BUY, 3600),
    ]


def test_what_did_not_sell_is_kept_when_that_is_cheapest_and_the_cap_allows_it() -> None:
    dear = ((9000, 500 * SHARES),)
    standing = [leg(0, 10, asks=dear), leg(1, 10, asks=dear), leg(2, 0, bids=((2000, 500 * SHARES),))]
    kept = judge(a_sale(), standing, replace(BOLD, max_held=4 * CASH_ONE))
    assert (kept.choice, kept.profit) == (Choice.HOLD, -20_000 * 10)  # sold for 7, worth 2.80 at the middle
    assert judge(a_sale(), standing, replace(BOLD, max_held=3 * CASH_ONE)).choice is Choice.COMPLETE


def test_a_leg_nobody_bids_for_any_more_is_not_forgotten() -> None:
    gone: tuple[Level, ...] = ()
    stuck = judge(a_sale(), [leg(0, 100, asks=gone), leg(1, 100), leg(2, 0, bids=gone, asks=gone)], BOLD)
    assert stuck.choice is Choice.STUCK
    assert "complete: 100 of m2 cannot be sold; unwind: 100 of m0 cannot be bought back" in stuck.detail


def test_the_rest_is_sold_only_once_it_may_be() -> None:
    assert judge(a_sale(), [leg(0, 100), leg(1, 100), leg(2, 0, free=99 * SHARES)], BOLD).choice is Choice.WAIT


def test_a_first_leg_that_rests_to_sell_stays_while_the_others_still_make_it_pay() -> None:
    others = [leg(1, 0), leg(2, 0)]
    assert still_pays(a_sale(), 3500, others, 100 * SHARES, FREE)
    assert not still_pays(a_sale(), 2900, others, 100 * SHARES, FREE)
    assert not still_pays(a_sale(), 3500, [leg(1, 0, bids=())], 100 * SHARES, FREE)


@given(standings(leg), st.integers(0, 50), st.integers(0, 50))
def test_following_the_verdict_sells_whole_sets_and_loses_no_more_than_allowed(
    standing: list[Standing], max_loss: int, max_held: int
) -> None:
    params = ArbParams(max_loss=max_loss * CASH_ONE, max_held=max_held * CASH_ONE)
    verdict = judge(a_sale(), standing, params)
    if verdict.choice not in (Choice.COMPLETE, Choice.UNWIND):
        return
    left = {each.market.asset(True): 100 * SHARES - each.filled for each in standing}
    cash = -sum(each.paid for each in standing)
    books = {each.market.asset(True): each for each in standing}
    for one in verdict.legs:
        sells = one.side is Side.SELL
        left[one.asset] += -one.size if sells else one.size
        moved = walk(books[one.asset].bids if sells else books[one.asset].asks, one.size)
        cash += moved if sells else -moved
    whole = min(left.values())
    assert whole >= 0
    loose = {asset: size - whole for asset, size in left.items()}
    assert all(
        size <= SIZE_ONE or books[asset].at_stake(size) <= 2 * DUST or size * 3500 <= 3 * DUST * PRICE_ONE
        for asset, size in loose.items()
    )
    assert cash + (whole - 100 * SHARES) * CASH_ONE // SHARES >= verdict.profit - 3
    assert verdict.profit >= -params.max_loss
