"""Numbers as the wire spells them: digits and at most one dot become integers, everything else is refused.

Law: exact or refused. The memos make a price or size that was seen before one dictionary look-up; every entry
of a mirrored pair repeats the other's size, so at least half of all look-ups hit.
"""

from markets.domain.units import MAX_SIZE, PRICE_ONE, SIZE_ONE, Price, Size, price_text

_MEMO_LIMIT = 65_536
_LONGEST = 40
NO_MIRROR = "no number"


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


class ComplementMemo(PriceMemo):
    """`memo[text]` is the price the other token has there: 4000 for "0.6"."""

    def __missing__(self, text: str) -> Price:
        price = PRICE_ONE - parse_price(text)
        if len(self) < _MEMO_LIMIT:
            self[text] = price
        return price


class MirrorMemo(dict[str, tuple[Price, str]]):
    """`memo["0.4"]` is the price and how the other token spells it: (4000, "0.6").

    What was not said or is spelled in another way than the venue's has no mirror, which no text equals.
    """

    def __init__(self, tops: PriceMemo) -> None:
        super().__init__()
        self._tops = tops

    def __missing__(self, text: str) -> tuple[Price, str]:
        price = self._tops[text]
        plain = price >= 0 and price_text(price) == text
        mirrored = price, price_text(PRICE_ONE - price) if plain else NO_MIRROR
        if len(self) < _MEMO_LIMIT:
            self[text] = mirrored
        return mirrored


class WholeMemo(dict[str, Size]):
    """`memo["97"]` is 97 shares. With a fraction it is still below the limit, which the largest whole is not."""

    def __missing__(self, text: str) -> Size:
        size = parse_size(text)
        if size % SIZE_ONE or size == MAX_SIZE:
            raise BadNumber(text, "is no whole number of shares")
        if len(self) >= _MEMO_LIMIT:
            self.clear()
        self[text] = size
        return size


class FractionMemo(dict[str, Size]):
    """`memo["46"]` is 0.46 of a share."""

    def __missing__(self, text: str) -> Size:
        size = parse_size(f"0.{text}") if text else 0
        if len(self) >= _MEMO_LIMIT:
            self.clear()
        self[text] = size
        return size


class SizeMemo(dict[str, Size]):
    """`memo[text]` is the size. Sizes are many, so a full memo starts over.

    A size not seen before is mostly made of two parts that were: whole shares and a fraction.
    """

    def __init__(self, wholes: WholeMemo, fractions: FractionMemo) -> None:
        super().__init__()
        self._wholes = wholes
        self._fractions = fractions

    def __missing__(self, text: str) -> Size:
        whole, _, fraction = text.partition(".")
        try:
            size = self._wholes[whole] + self._fractions[fraction]
        except BadNumber:
            size = parse_size(text)  # spelled oddly, or refused with the whole text in its mouth
        if len(self) >= _MEMO_LIMIT:
            self.clear()
        self[text] = size
        return size
