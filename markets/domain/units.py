"""Units: the only converter and the only rounding between text, Decimal and the integers of `domain/`.

Law: inside `domain/` money is integers. Price is 1/10 000 pUSD (0..10 000), size 1/1 000 000 share, cash
1/1 000 000 pUSD, time epoch nanoseconds when received and milliseconds when the venue said so.
Whoever rounds says the direction in the function's name.
"""

from decimal import Decimal
from functools import lru_cache
from typing import TypeAlias

Price: TypeAlias = int
Size: TypeAlias = int
Cash: TypeAlias = int
Nanos: TypeAlias = int
Millis: TypeAlias = int
AssetId: TypeAlias = str
ConditionId: TypeAlias = str

PRICE_ONE: Price = 10_000
SIZE_ONE: Size = 1_000_000
CASH_ONE: Cash = 1_000_000
NANOS_PER_SECOND: Nanos = 1_000_000_000
NANOS_PER_MILLI: Nanos = 1_000_000

# 2 000 000 000 shares: above every book ever seen, below where float text parsing stops being exact.
MAX_SIZE: Size = 2_000_000_000 * SIZE_ONE


def complement(price: Price) -> Price:
    """The price of the other outcome's token in the same mirrored book."""
    return PRICE_ONE - price


def cash_floor(price: Price, size: Size) -> Cash:
    """Notional of `size` at `price`, rounded down to a whole 1e-6 pUSD."""
    return price * size // PRICE_ONE


def cash_ceil(price: Price, size: Size) -> Cash:
    """Notional rounded up: what a purchase may cost at most."""
    return -(-price * size // PRICE_ONE)


def floor_to_tick(price: Price, tick: Price) -> Price:
    return price - price % tick


def ceil_to_tick(price: Price, tick: Price) -> Price:
    return -(-price // tick) * tick


def floor_to_step(size: Size, step: Size) -> Size:
    """Size rounded down to the venue's grid (`step` 10 000 is two decimals)."""
    return size - size % step


def _exact(value: Decimal, scale: int, field: str) -> int:
    if not value.is_finite():
        raise ValueError(f"{field}: {value} is not a finite number")
    scaled = value * scale
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{field}: {value} has more decimals than 1/{scale} can hold")
    return int(scaled)


def price_from_decimal(value: Decimal, field: str = "price") -> Price:
    """Raise ValueError, naming `field`, when `value` is off [0, 1] or finer than 0.0001."""
    price = _exact(value, PRICE_ONE, field)
    if not 0 <= price <= PRICE_ONE:
        raise ValueError(f"{field}: {value} is outside 0..1")
    return price


def size_from_decimal(value: Decimal, field: str = "size") -> Size:
    size = _exact(value, SIZE_ONE, field)
    if not 0 <= size <= MAX_SIZE:
        raise ValueError(f"{field}: {value} is outside 0..2000000000 shares")
    return size


def signed_size_from_decimal(value: Decimal, field: str = "size") -> Size:
    """A change of a holding: as a size, but it may be negative."""
    size = size_from_decimal(abs(value), field)
    return -size if value < 0 else size


def cash_from_decimal(value: Decimal, field: str = "cash") -> Cash:
    return _exact(value, CASH_ONE, field)


def price_to_decimal(price: Price) -> Decimal:
    return Decimal(price).scaleb(-4)


def size_to_decimal(size: Size) -> Decimal:
    return Decimal(size).scaleb(-6)


def cash_to_decimal(cash: Cash) -> Decimal:
    return Decimal(cash).scaleb(-6)


@lru_cache(maxsize=PRICE_ONE + 1)
def price_text(price: Price) -> str:
    """The venue's shortest spelling: 6200 is "0.62", 10 is "0.001"."""
    whole, fraction = divmod(price, PRICE_ONE)
    return f"{whole}.{fraction:04d}".rstrip("0") if fraction else str(whole)


def size_text(size: Size) -> str:
    """The venue's shortest spelling: 97 460 000 is "97.46", 300 000 000 is "300"."""
    whole, fraction = divmod(size, SIZE_ONE)
    return f"{whole}.{fraction:06d}".rstrip("0") if fraction else str(whole)
