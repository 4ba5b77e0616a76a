"""Numbers as the wire spells them: digits and at most one dot become integers, everything else is refused.

Law: exact or refused. The memos make a price or size that was seen before one dictionary look-up; every entry
of a mirrored pair repeats the other's size, so at least half of all look-ups hit.
"""

from markets.domain.units import MAX_SIZE, PRICE_ONE, Price, Size

_MEMO_LIMIT = 65_536
_LONGEST = 40


class BadNumber(ValueError):
    """Not a plain decimal, out of range, or finer than our unit."""


def parse_price(text: str) -> Price:
    price = _parse(text, 4)
    if price > PRICE_ONE:
        raise BadNumber(f"price {text!r} is outside 0..1")
    return price


def parse_size(text: str) -> Size:
    size = _parse(text, 6)
    if size > MAX_SIZE:
        raise BadNumber(f"size {text!r} is above 2000000000 shares")
    return size


def _parse(text: str, decimals: int) -> int:
    if len(text) > _LONGEST:
        raise BadNumber(f"{text[:_LONGEST]!r}... is too long for a number")
    whole, _, fraction = text.partition(".")
    if not (text.isascii() and (whole + fraction).isdigit()):
        raise BadNumber(f"{text!r} is not a plain decimal number")
    fraction = fraction.rstrip("0")
    if len(fraction) > decimals:
        raise BadNumber(f"{text!r} has more than {decimals} decimals")
    return int((whole or "0") + fraction.ljust(decimals, "0"))


class PriceMemo(dict[str, Price]):
    """`memo[text]` is the price; raise BadNumber for what is none."""

    def __missing__(self, text: str) -> Price:
        price = parse_price(text)
        if len(self) < _MEMO_LIMIT:
            self[text] = price
        return price


class SizeMemo(dict[str, Size]):
    """`memo[text]` is the size. Sizes are many, so a full memo starts over."""

    def __missing__(self, text: str) -> Size:
        size = parse_size(text)
        if len(self) >= _MEMO_LIMIT:
            self.clear()
        self[text] = size
        return size
