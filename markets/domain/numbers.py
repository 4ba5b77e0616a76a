"""Numbers as the wire spells them: digits and at most one dot become integers, everything else is refused.

Law: exact or refused. The memos make a price or size that was seen before one dictionary look-up; every entry
of a mirrored pair repeats the other's size, so at least half of all look-ups hit.
"""

import re

from markets.domain.units import MAX_SIZE, PRICE_ONE, SIZE_ONE, Price, Size

_MEMO_LIMIT = 65_536
_LONGEST = 40
_LEVEL = re.compile(r'"price":"([0-9.]{1,40})","size":"([0-9.]{1,40})"')


class BadNumber(ValueError):
    """Not a plain decimal, out of range, or finer than our unit. `text` is how it was spelled."""

    def __init__(self, text: str, problem: str) -> None:
        shown = repr(text) if len(text) <= _LONGEST else f"{text[:_LONGEST]!r}..."
        super().__init__(f"{shown} {problem}")
        self.text = text


def parse_price(text: str) -> Price:
    price = _parse(text, 4)
    if price > PRICE_ONE:
        raise BadNumber(text, "is no price: outside 0..1")
    return price


def parse_size(text: str) -> Size:
    size = _parse(text, 6)
    if size > MAX_SIZE:
        raise BadNumber(text, "is no size: above 2000000000 shares")
    return size


def _parse(text: str, decimals: int) -> int:
    if len(text) > _LONGEST:
        raise BadNumber(text, "is too long for a number")
    whole, _, fraction = text.partition(".")
    if not (text.isascii() and (whole + fraction).isdigit()):
        raise BadNumber(text, "is not a plain decimal number")
    fraction = fraction.rstrip("0")
    if len(fraction) > decimals:
        raise BadNumber(text, f"has more than {decimals} decimals")
    return int((whole or "0") + fraction.ljust(decimals, "0"))


class PriceMemo(dict[str, Price]):
    """`memo[text]` is the price; raise BadNumber for what is none."""

    def __missing__(self, text: str) -> Price:
        price = parse_price(text)
        if len(self) < _MEMO_LIMIT:
            self[text] = price
        return price


class SizeMemo(dict[str, Size]):
    """`memo[text]` is the size. Sizes are many, so a full memo starts over.

    A size not seen before is mostly made of two parts that were: whole shares and a fraction.
    """

    def __init__(self) -> None:
        super().__init__()
        self._wholes: dict[str, Size] = {}
        self._fractions: dict[str, Size] = {"": 0}

    def __missing__(self, text: str) -> Size:
        whole, _, fraction = text.partition(".")
        try:
            size = self._wholes[whole] + self._fractions[fraction]
        except KeyError:
            size = parse_size(text)
            self._learn(whole, fraction, size)
        if len(self) >= _MEMO_LIMIT:
            self.clear()
        self[text] = size
        return size

    def _learn(self, whole: str, fraction: str, size: Size) -> None:
        """`size` was parsed, so both parts are digits. The largest whole is left out: no fraction may follow it."""
        if len(self._wholes) < _MEMO_LIMIT and whole and size < MAX_SIZE:
            self._wholes[whole] = size - size % SIZE_ONE
        if len(self._fractions) < _MEMO_LIMIT and len(fraction) <= 6:
            self._fractions[fraction] = size % SIZE_ONE


class OddSpelling(ValueError):
    """A level that is right perhaps, but not spelled as the venue spells them."""


class LevelMemo(dict[str, tuple[Price, Size]]):
    """`memo['"price":"0.48","size":"12.5"']` is the level (4800, 12 500 000).

    A book repeats nearly all levels of the book before, so whole levels are looked up, not parsed. Raise OddSpelling
    for any other spelling, BadNumber for numbers that are none.
    """

    def __init__(self, prices: PriceMemo, sizes: SizeMemo) -> None:
        super().__init__()
        self._prices = prices
        self._sizes = sizes

    def __missing__(self, text: str) -> tuple[Price, Size]:
        found = _LEVEL.fullmatch(text)
        if found is None:
            raise OddSpelling(text)
        level = self._prices[found.group(1)], self._sizes[found.group(2)]
        if len(self) >= _MEMO_LIMIT:
            self.clear()
        self[text] = level
        return level
