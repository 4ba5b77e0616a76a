"""The venue's reward score by value, and when quotes are drawn into its band."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as changed

from markets.domain.market import Market
from markets.domain.units import CASH_ONE, SIZE_ONE
from strategies.domain import rewards, spread
from strategies.domain.inputs import FLAT, BookView, MarketInput
from strategies.domain.intents import QuoteSet
from strategies.domain.params import SpreadParams
from strategies.domain.rewards import Scores

SHARES = SIZE_ONE
PAYING = Market(
    "0xc", "7", "Will it?", "yes", "no",
    rewards_min_size=50 * SHARES, rewards_max_spread=300, rewards_daily=100 * CASH_ONE,
)  # fmt: skip
BOOK = BookView(((4900, 10 * SHARES), (4800, 80 * SHARES)), ((5100, 60 * SHARES),), 0)
FEW, MANY = Scores(10 * SHARES, 10 * SHARES), Scores(10**7 * SHARES, 10**7 * SHARES)
WIDE = SpreadParams(half_spread=500, reward_fills=5, size=60 * SHARES, max_inventory=300 * SHARES)


def planned(params: SpreadParams = WIDE, rivals: Scores | None = FEW, market: Market = PAYING) -> QuoteSet:
    return spread.plan(MarketInput(market, BOOK, FLAT, 0, rivals=rivals), params)


def prices(wanted: QuoteSet) -> list[int]:
    return [quote.price for quote in wanted.quotes]


def test_the_mid_is_between_levels_that_are_large_enough() -> None:
    assert rewards.adjusted_mid_x2(BOOK.bids, BOOK.asks, PAYING) == 4800 + 5100
    assert rewards.adjusted_mid_x2(BOOK.bids, BOOK.asks, replace(PAYING, rewards_min_size=70 * SHARES)) is None


def test_the_score_is_the_square_of_how_far_inside_an_order_stands() -> None:
    assert rewards.score(PAYING, 0, 90 * SHARES) == 90 * SHARES
    assert rewards.score(PAYING, 2 * 100, 90 * SHARES) == 40 * SHARES  # (2/3) squared
    assert rewards.score(PAYING, -2 * 100, 90 * SHARES) == 40 * SHARES
    assert rewards.score(PAYING, 2 * 300, 90 * SHARES) == 0
    assert rewards.score(PAYING, 2 * 400, 90 * SHARES) == 0


def test_an_order_below_the_minimum_size_scores_nothing() -> None:
    assert rewards.score_of_order(PAYING, 10_000, 5_000, 49 * SHARES) == 0
    assert rewards.score_of_order(PAYING, 10_000, 5_000, 50 * SHARES) == 50 * SHARES


def test_one_side_alone_counts_a_third_in_the_middle_and_nothing_at_the_ends() -> None:
    assert rewards.counted(10_000, Scores(90, 0)) == 30
    assert rewards.counted(10_000, Scores(90, 60)) == 60
    assert rewards.counted(1_900, Scores(90, 0)) == rewards.counted(18_100, Scores(0, 90)) == 0


def test_the_reward_is_our_share_of_the_daily_amount() -> None:
    assert rewards.daily(PAYING, 10_000, Scores(10, 10), Scores(30, 30)) == 25 * CASH_ONE
    assert rewards.daily(PAYING, 10_000, Scores(), Scores()) == 0


def test_quotes_outside_the_band_are_drawn_in_when_the_reward_is_worth_it() -> None:
    wanted = planned()
    assert prices(wanted) == [4800, 4900]  # three quarters of nothing: as near as pays best
    assert {"bid reward band (x2)", "ask reward band (x2)"} <= {step.name for step in wanted.trace}


def test_quotes_stay_out_when_others_take_nearly_all_of_it() -> None:
    assert prices(planned(rivals=MANY)) == [4500, 4500]


def test_quotes_stay_out_when_each_fill_there_would_cost_too_much() -> None:
    assert prices(planned(changed(WIDE, reward_fills=10_000))) == [4500, 4500]


def test_rewards_that_are_ignored_or_not_measured_change_nothing() -> None:
    assert prices(planned(changed(WIDE, reward_weight=0))) == [4500, 4500]
    assert prices(planned(rivals=None)) == [4500, 4500]
    assert prices(planned(market=replace(PAYING, rewards_daily=0))) == [4500, 4500]


def test_a_size_below_the_minimum_is_raised_to_it_where_inventory_allows() -> None:
    small = changed(WIDE, half_spread=100, size=20 * SHARES)
    assert {quote.size for quote in planned(small).quotes} == {50 * SHARES}
    tight = changed(small, max_inventory=40 * SHARES)
    assert {quote.size for quote in planned(tight).quotes} == {20 * SHARES}


def test_quotes_inside_the_band_are_left_alone() -> None:
    inside = changed(WIDE, half_spread=100)
    assert planned(inside).quotes == planned(inside, rivals=None).quotes


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.integers(0, 10**12), st.integers(0, 20_000))
def test_nobody_earns_more_than_is_paid(bid: int, ask: int, others: int, mid: int) -> None:
    assert 0 <= rewards.daily(PAYING, mid, Scores(bid, ask), Scores(others, others)) <= PAYING.rewards_daily
