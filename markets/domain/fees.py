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


def taker_fee(schedule: FeeSchedule, price: Price, size: Size) -> Cash:
    """Fee in 1e-6 pUSD for having taken `size` at `price`, to the venue's nearest grain: what is booked."""
    if not schedule.rate:
        return 0
    numerator, scale = _exact(schedule, price, size)
    return (2 * numerator + scale) // (2 * scale) * FEE_GRAIN


def taker_fee_ceil(schedule: FeeSchedule, price: Price, size: Size) -> Cash:
    """Fee in 1e-6 pUSD for taking `size` at `price`, rounded up to the venue's grain so plans never hope."""
    if not schedule.rate:
        return 0
    numerator, scale = _exact(schedule, price, size)
    return -(-numerator // scale) * FEE_GRAIN


def _exact(schedule: FeeSchedule, price: Price, size: Size) -> tuple[int, int]:
    """The fee in grains as a fraction, before any rounding."""
    spread: int = (price * (PRICE_ONE - price)) ** schedule.exponent
    scale: int = (PRICE_ONE * PRICE_ONE) ** schedule.exponent * RATE_ONE * FEE_GRAIN
    return size * schedule.rate * spread, scale
