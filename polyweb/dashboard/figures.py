"""How numbers read on a page. `static/polyweb/figures.js` says the same in the browser.

Law: a price is shown in cents with its market's own precision, money in pUSD with its sign, and what is not
known is a dash, never a zero.
"""

import re
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

NOTHING = "–"
MINUS = "−"
THIN = "\u202f"  # narrow, and no line ends at it
Figure = Decimal | int | float | str | None


def number(value: Figure) -> Decimal | None:
    if value is None or value == "":
        return None
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def tick_decimals(tick: Figure) -> int:
    """Decimals of a cent that the market's tick needs: 0.01 -> 0, 0.001 -> 1, 0.0025 -> 2."""
    value = number(tick)
    if value is None or value <= 0:
        return 1
    exponent = (value * 100).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 1


def _plain(value: Decimal, places: int, *, signed: bool) -> str:
    rounded = value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
    digits = f"{abs(rounded):,.{places}f}".replace(",", THIN)
    if rounded < 0:
        return MINUS + digits
    return f"+{digits}" if signed and rounded > 0 else digits


def cents(value: Figure, decimals: int = 1) -> str:
    price = number(value)
    return NOTHING if price is None else _plain(price * 100, decimals, signed=False)


def money(value: Figure) -> str:
    cash = number(value)
    return NOTHING if cash is None else _plain(cash, 2, signed=True)


def amount(value: Figure) -> str:
    """Money without a plus: caps, cash."""
    cash = number(value)
    return NOTHING if cash is None else _plain(cash, 2, signed=False)


def shares(value: Figure) -> str:
    """Whole shares without decimals, others with two."""
    size = number(value)
    if size is None:
        return NOTHING
    return _plain(size, 0 if size == size.to_integral_value() else 2, signed=False)


def net(value: Figure) -> str:
    size = number(value)
    if size is None:
        return NOTHING
    return _plain(size, 0 if size == size.to_integral_value() else 2, signed=True)


def whole(value: Figure) -> str:
    count = number(value)
    return NOTHING if count is None else _plain(count, 0, signed=False)


def micros(value: Figure) -> str:
    """A duration given in microseconds, in the unit people say."""
    span = number(value)
    if span is None:
        return NOTHING
    if span < 1_000:
        return f"{span:.0f} µs"
    return f"{span / 1_000:.1f} ms" if span < 1_000_000 else f"{span / 1_000_000:.2f} s"


def age(seconds: Figure) -> str:
    span = number(seconds)
    if span is None:
        return NOTHING
    span = max(span, Decimal(0))
    if span < 10:
        return f"{span:.1f} s"
    for limit, unit, size in ((120, "s", 1), (7_200, "min", 60), (172_800, "h", 3_600)):
        if span < limit:
            return f"{int(span // size)} {unit}"
    days = int(span // 86_400)
    return f"{days} d" if days < 730 else f"{days // 365} y"


def clock(moment: datetime) -> str:
    """UTC to the second; the browser turns it into the viewer's zone and keeps this as the title."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def short_id(text: str) -> str:
    return text if len(text) <= 14 else f"{text[:8]}…{text[-4:]}"


_LONG_ID = re.compile(r"\b(0x[0-9a-f]{4})[0-9a-f]{12,}\b")


def reason(text: str | None) -> str:
    """Ids inside a sentence are cut to what tells them apart."""
    return _LONG_ID.sub(r"\1…", text or "")


def share_of(value: Figure, whole_value: Figure) -> int:
    """Percent for bars, 0 to 100."""
    part, total = number(value), number(whole_value)
    if part is None or total is None or total <= 0:
        return 0
    return int(min(Decimal(100), abs(part) * 100 / total))
