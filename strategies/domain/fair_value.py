"""Fair value of a YES token, from the top of its book.

Law: integers only, twice the price, so that the middle of an odd spread needs no rounding.
"""

from markets.domain.units import Price
from strategies.domain.inputs import BookView


def mid_x2(book: BookView) -> int:
    """Twice the mid price. The caller has checked that the book is two-sided."""
    return book.bids[0][0] + book.asks[0][0]


def lean_x2(net_yes: int, max_inventory: int, skew: Price) -> int:
    """Twice the distance the reservation price gives way to inventory: `skew` when that is at its maximum.

    Rounded towards zero, so YES and NO inventory of one size lean equally far.
    """
    held = min(abs(net_yes), max_inventory)
    lean = 2 * skew * held // max_inventory
    return lean if net_yes > 0 else -lean
