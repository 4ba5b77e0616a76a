"""Fees as planned, which never hope, and as booked, which are the venue's own rounding."""

from hypothesis import given
from hypothesis import strategies as st

from markets.domain.fees import FEE_GRAIN, NO_FEES, FeeSchedule, taker_fee, taker_fee_ceil
from markets.domain.units import SIZE_ONE

SPORTS = FeeSchedule(rate=500)


def test_the_fee_is_the_documented_formula_to_five_decimals() -> None:
    assert taker_fee(SPORTS, 5_000, 100 * SIZE_ONE) == 1_250_000
    assert taker_fee(SPORTS, 5_200, 10 * SIZE_ONE) == 124_800
    assert (taker_fee(SPORTS, 100, 1_234_567), taker_fee_ceil(SPORTS, 100, 1_234_567)) == (610, 620)


def test_a_market_without_fees_costs_none() -> None:
    assert (taker_fee(NO_FEES, 5_000, SIZE_ONE), taker_fee_ceil(NO_FEES, 5_000, SIZE_ONE)) == (0, 0)


@given(rate=st.integers(1, 10_000), price=st.integers(1, 9_999), size=st.integers(1, 10**13))
def test_what_is_booked_is_never_more_than_what_was_planned_and_less_than_a_grain_below(
    rate: int, price: int, size: int
) -> None:
    schedule = FeeSchedule(rate=rate)
    assert 0 <= taker_fee_ceil(schedule, price, size) - taker_fee(schedule, price, size) <= FEE_GRAIN
