"""Readers for single Gamma fields: numbers, texts, flags, dates, and lists that come as JSON inside a string.

Law: absent and null give the caller's default; all else is right or raises `GammaError` naming the field.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any

import msgspec

from markets.gamma.values import GammaError

Raw = Mapping[str, Any]

PRICE_GRAIN = Decimal("0.0001")
MICRO = Decimal("0.000001")
ABSURD = Decimal(10) ** 13  # beyond what a column holds and beyond any figure the venue ever showed


def text(raw: Raw, key: str, *, limit: int) -> str:
    """Text cut to what the column holds; ids must use `identifier` instead."""
    value = raw.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise GammaError(key, f"{value!r} is not text")
    return value.strip().replace("\x00", "")[:limit]  # PostgreSQL cannot store NUL


def identifier(raw: Raw, key: str) -> str:
    value = raw.get(key)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise GammaError(key, f"{value!r} is not an id")
    result = str(value)
    if len(result) > 32 or not result.isprintable():
        raise GammaError(key, f"{result[:40]!r} is not an id")
    return result


def flag(raw: Raw, key: str) -> bool:
    value = raw.get(key)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise GammaError(key, f"{value!r} is neither true nor false")
    return value


def number(raw: Raw, key: str) -> Decimal | None:
    """A number or numeric text, exact; None when absent, null or empty."""
    value = raw.get(key)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise GammaError(key, f"{value!r} is not a number")
    try:
        result = Decimal(str(value))
    except InvalidOperation:
        raise GammaError(key, f"{value!r} is not a number") from None
    if not result.is_finite() or abs(result) > ABSURD:
        raise GammaError(key, f"{value!r} is not a sensible number")
    return result


def amount(raw: Raw, key: str, default: Decimal = Decimal(0)) -> Decimal:
    """A size or cash figure to six decimals, never negative."""
    value = number(raw, key)
    if value is None:
        return default
    if value < 0:
        raise GammaError(key, f"{value} is negative")
    return value.quantize(MICRO, rounding=ROUND_HALF_EVEN)


def price(raw: Raw, key: str) -> Decimal | None:
    """A price to show, to four decimals, within 0..1."""
    value = number(raw, key)
    return None if value is None else shown_price(value, key)


def shown_price(value: Decimal, key: str) -> Decimal:
    if not 0 <= value <= 1:
        raise GammaError(key, f"{value} is outside 0..1")
    return value.quantize(PRICE_GRAIN, rounding=ROUND_HALF_EVEN)


def share(raw: Raw, key: str) -> Decimal:
    """A rate within 0..1, which must fit four decimals because money is computed from it."""
    value = number(raw, key)
    if value is None:
        return Decimal(0)
    if not 0 <= value <= 1 or value != value.quantize(PRICE_GRAIN):
        raise GammaError(key, f"{value} is outside 0..1 or finer than 0.0001")
    return value


def moment(raw: Raw, key: str) -> datetime | None:
    """An ISO date or time; without a zone it is UTC."""
    value = raw.get(key)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise GammaError(key, f"{value!r} is not a date")
    try:
        result = datetime.fromisoformat(value)
        return result.astimezone(UTC) if result.tzinfo else result.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise GammaError(key, f"{value!r} is not a date") from None


def strings(raw: Raw, key: str) -> tuple[str, ...]:
    """A list of texts, plain or as JSON inside a string."""
    value = raw.get(key)
    if isinstance(value, str) and value:
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            raise GammaError(key, f"{value[:80]!r} is not a JSON list") from None
    if value is None or value == "":
        return ()
    if not isinstance(value, list):
        raise GammaError(key, f"{str(value)[:80]!r} is not a list")
    for item in value:
        if isinstance(item, bool) or not isinstance(item, str | int | float):
            raise GammaError(key, f"{item!r} is not text")
    return tuple(str(item) for item in value)


def objects(raw: Raw, key: str) -> tuple[Raw, ...]:
    value = raw.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise GammaError(key, "is not a list of objects")
    return tuple(value)
