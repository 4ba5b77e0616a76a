"""Taker fees as the venue charges them: data per market, never a constant of ours.

Source: the venue's fee documentation as of 2026-08 (fee = shares * rate * (p * (1 - p)) ** exponent,
rounded to five decimals, makers pay nothing). Exponent is 1 in every schedule seen.
"""

from dataclasses import dataclass

from markets.domain.units import PRICE_ONE, Cash, Price, Size

RATE_ONE = 10_000
FEE_GRAIN: Cash = 10  # the venue rounds fees to 0.00001 pUSD


@dataclass(frozen=True, slots=True)
class FeeSchedule:
    """`rate` in 1/10 000 (0.05 is 500), `rebate` the maker's share of it in 1/10 000."""

    rate: int = 0
    exponent: int = 1
    taker_only: bool = True
    rebate: int = 0


NO_FEES = FeeSchedule()


def taker_fee_ceil(schedule: FeeSchedule, price: Price, size: Size) -> Cash:
    """Fee in 1e-6 pUSD for taking `size` at `price`, rounded up to the venue's grain so plans never hope."""
    if not schedule.rate:
        return 0
    spread: int = (price * (PRICE_ONE - price)) ** schedule.exponent
    scale: int = (PRICE_ONE * PRICE_ONE) ** schedule.exponent * RATE_ONE
    exact_numerator = size * schedule.rate * spread
    grains = -(-exact_numerator // (scale * FEE_GRAIN))
    return grains * FEE_GRAIN
