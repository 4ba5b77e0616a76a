"""What is derived once must say the same as the rules it stands for, asked one by one."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as changed

from markets.domain.fees import FeeSchedule
from markets.domain.market import Market
from markets.domain.units import NANOS_PER_MILLI, PRICE_ONE, SIZE_ONE
from strategies.domain import guards
from strategies.domain.inputs import FLAT, BookView, MarketInput
from strategies.domain.params import SpreadParams
from strategies.domain.terms import FOREVER, terms_of

MARKET = Market("0xc", "7", "Will it?", "yes", "no")
NOW_MS = 1_800_000_000_000
MOMENTS_MS = st.integers(-3_000, 3_000).map(lambda away: NOW_MS + away)


@given(
    st.none() | MOMENTS_MS, st.none() | MOMENTS_MS, st.booleans(),
    st.integers(0, 2), st.integers(0, 2), st.integers(0, 2), st.integers(-(10**10), 10**10),
)  # fmt: skip
def test_before_that_moment_no_rule_about_game_or_end_has_anything_to_say(
    game_ms: int | None, end_ms: int | None, accepts: bool, margin: int, taper: int, reduce: int, away_ns: int
) -> None:
    market = replace(MARKET, game_start_ms=game_ms or 0, end_ms=end_ms or 0, accepting_orders=accepts)
    params = SpreadParams(start_margin_s=margin, taper_before_end_s=taper, reduce_before_end_s=reduce)
    until_ns = terms_of(market, params).undisturbed_until_ns
    now_ns = NOW_MS * NANOS_PER_MILLI + away_ns
    seen = MarketInput(market, BookView(((4900, 1),), ((5100, 1),), 0), FLAT, min(now_ns, until_ns - 1))
    if until_ns:
        assert guards.refusal(seen, params) is None
        assert guards.reducing(seen, params, PRICE_ONE) == ""
        assert guards.tapered_to_end(seen, params, 7 * SIZE_ONE) == 7 * SIZE_ONE


def test_a_market_without_game_or_end_is_never_disturbed() -> None:
    assert terms_of(MARKET, SpreadParams()).undisturbed_until_ns == FOREVER
    assert terms_of(replace(MARKET, accepting_orders=False), SpreadParams()).undisturbed_until_ns == 0


@given(
    st.integers(1, 98), st.integers(1, 40), st.none() | st.integers(0, PRICE_ONE),
    st.integers(1, PRICE_ONE), st.integers(1, PRICE_ONE), st.sampled_from([1, 10, 100]),
)  # fmt: skip
def test_within_reach_is_exactly_where_no_guardrail_objects(
    bid: int, spread: int, trade: int | None, from_mid: int, from_trade: int, tick: int
) -> None:
    market = replace(MARKET, tick=tick)
    view = BookView(((bid * tick, 1),), (((bid + spread) * tick, 1),), 0, trade)
    seen = MarketInput(market, view, FLAT, 0)
    params = SpreadParams(max_from_mid=from_mid, max_from_trade=from_trade)
    lowest, highest = guards.reach(seen, terms_of(market, params))
    for price in range(0, PRICE_ONE + 1, max(tick, 7)):
        allowed = tick <= price <= PRICE_ONE - tick and guards.out_of_reach(seen, params, price) is None
        assert (lowest <= price <= highest) is allowed


def test_the_edge_is_worked_out_ahead_only_where_no_fee_depends_on_the_price() -> None:
    params = SpreadParams(min_edge=30)
    everybody_pays = replace(MARKET, fees=FeeSchedule(rate=400, taker_only=False))
    takers_pay = replace(MARKET, fees=FeeSchedule(rate=400))
    assert terms_of(takers_pay, params).edge_x2 == guards.least_edge_x2(takers_pay, params, PRICE_ONE) == 60
    assert terms_of(everybody_pays, params).edge_x2 is None
    assert terms_of(takers_pay, changed(params, post_only=0)).edge_x2 is None
