"""Order amounts: what a price and a size become in the two integers the venue signs and settles by.

Law: an amount is exact or refused. Nothing here rounds a price; sizes only ever shrink, to the venue's two
decimals. Amounts are 1e-6 pUSD or 1e-6 share, whichever the maker or taker side of the order gives.
"""

from typing import NamedTuple

from markets.domain.events import Side
from markets.domain.market import SIZE_STEP
from markets.domain.units import PRICE_ONE, Cash, Price, Size, cash_floor, floor_to_step

CASH_CENT: Cash = 10_000

# Every tick the venue uses, and the grid (in 1e-6) of the product price * size at that tick: 0.1 leaves three
# decimals, 0.01 four, 0.005 and 0.001 five, 0.0025 and 0.0001 six.
AMOUNT_STEP: dict[Price, int] = {1000: 1000, 100: 100, 50: 10, 25: 1, 10: 10, 1: 1}


class Amounts(NamedTuple):
    """What we give and what we want for it."""

    maker_amount: int
    taker_amount: int


def _check_price(price: Price, tick: Price) -> None:
    if tick not in AMOUNT_STEP:
        raise ValueError(f"tick: {tick} is none of the venue's ticks {sorted(AMOUNT_STEP)}")
    if not tick <= price <= PRICE_ONE - tick:
        raise ValueError(f"price: {price} is outside {tick}..{PRICE_ONE - tick}")
    if price % tick:
        raise ValueError(f"price: {price} is not a multiple of tick {tick}")


def _check_size(size: Size) -> Size:
    floored = floor_to_step(size, SIZE_STEP)
    if floored <= 0:
        raise ValueError(f"size: {size} is less than the smallest order size {SIZE_STEP}")
    return floored


def limit_amounts(side: Side, price: Price, size: Size, tick: Price) -> Amounts:
    """Amounts of an order that may rest (GTC, GTD). Exact: two-decimal size times price is whole in 1e-6."""
    _check_price(price, tick)
    shares = _check_size(size)
    cash = cash_floor(price, shares)
    return Amounts(cash, shares) if side is Side.BUY else Amounts(shares, cash)


def market_amounts(side: Side, price: Price, amount: int, tick: Price) -> Amounts:
    """Amounts of a FOK or FAK order: a BUY gives `amount` of cash, a SELL of shares, two decimals each.

    The shares a BUY asks for are rounded down, so the price it states is `price` or a hair above and still
    crosses a level resting there. (The official clients first round up four decimals further out. No fraction
    with a denominator below 10 000 is that close to a whole step, so it changes nothing.)
    """
    _check_price(price, tick)
    given = floor_to_step(amount, CASH_CENT if side is Side.BUY else SIZE_STEP)
    if given <= 0:
        raise ValueError(f"amount: {amount} is less than two decimals can hold")
    if side is Side.SELL:
        return Amounts(given, cash_floor(price, given))
    return Amounts(given, floor_to_step(given * PRICE_ONE // price, AMOUNT_STEP[tick]))


def take_amounts(side: Side, price: Price, size: Size, tick: Price) -> Amounts:
    """Amounts of a FOK or FAK order for `size` shares at `price` or better.

    A BUY must give whole cents: where price * size is none, it asks for fewer shares and never pays more.
    """
    _check_price(price, tick)
    shares = _check_size(size)
    if side is Side.SELL:
        return market_amounts(side, price, shares, tick)
    cash = floor_to_step(cash_floor(price, shares), CASH_CENT)
    if cash <= 0:
        raise ValueError(f"size: {size} at {price} is worth less than the cent a BUY must give")
    return market_amounts(side, price, cash, tick)
