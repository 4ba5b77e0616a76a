"""The project's first recordings: `l2_snapshot` and `l2_update` messages become today's events.

Law: the same checks as for the venue's frames. What the old shape does not say (tops, hashes, ticks) stays unsaid,
so a book built from it is judged by the checks that remain: crossed, later snapshots, order of time.

One message, also wrapped as `{"data": {...}}` (then `channel` may stand outside):

    {"type": "l2_snapshot", "channel": "l2", "market": "0x..", "seq": 1, "ts_ms": 1700000000000,
     "bids": [["0.48", "100"]], "asks": [["0.52", "80"]], "checksum": "optional"}
    {"type": "l2_update", "channel": "l2", "market": "0x..", "seq": 2, "ts_ms": 1700000000250,
     "changes": [["buy", "0.48", "0"]]}

Levels may be pairs or objects with `price` and `size`; an update may name `bids` and `asks` instead of `changes`;
numbers may be JSON numbers. `asset_id` is optional: the market's one book was the YES token's. `seq` orders messages
within one recording and `checksum` has no known recipe, so neither is judged. Channels other than `l2` are ignored.
"""

from collections.abc import Iterator
from numbers import Real
from typing import TypeGuard

from markets.domain.events import UNSAID, BookSnapshot, Level, LevelChange, MarketEvent, PriceChange, Side
from markets.domain.numbers import BadNumber, parse_price, parse_size
from markets.domain.units import Millis

SNAPSHOT, UPDATE = "l2_snapshot", "l2_update"
CHANNEL = "l2"
_SIDES = {"buy": Side.BUY, "bid": Side.BUY, "bids": Side.BUY, "sell": Side.SELL, "ask": Side.SELL, "asks": Side.SELL}
_LAST_MS: Millis = 253_402_300_799_000


class NotLegacy(ValueError):
    """Neither a message of today nor one of the project's first recordings."""


def translate_legacy_message(message: object) -> tuple[MarketEvent, ...]:
    """Today's events; () for other channels. Raises NotLegacy or BadNumber for what cannot be believed."""
    if not _is_object(message):
        raise NotLegacy("no object")
    wrapped = message.get("data")
    if _is_object(wrapped):
        message = {key: value for key, value in message.items() if key != "data"} | wrapped
    kind = message.get("type")
    if message.get("channel", CHANNEL) != CHANNEL:
        return ()
    if kind == SNAPSHOT:
        return (_snapshot(message),)
    if kind == UPDATE:
        return (_update(message),)
    raise NotLegacy(f"no event_type, and type {str(kind)[:40]!r} is none of the project's first recordings")


def _is_object(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict)


def _snapshot(message: dict[str, object]) -> BookSnapshot:
    market, asset, at = _address(message)
    bids, asks = tuple(_levels(message, "bids")), tuple(_levels(message, "asks"))
    return BookSnapshot(market, asset, at, bids, asks, hash="")


def _update(message: dict[str, object]) -> PriceChange:
    market, asset, at = _address(message)
    moves = [(Side.BUY, *level) for level in _levels(message, "bids")]
    moves += [(Side.SELL, *level) for level in _levels(message, "asks")]
    moves += _changes(message)
    changes = [LevelChange(asset, side, price, size, UNSAID, UNSAID, hash="") for side, price, size in moves]
    return PriceChange(market, at, tuple(changes))


def _address(message: dict[str, object]) -> tuple[str, str, Millis]:
    market, at = message.get("market"), message.get("ts_ms")
    if not isinstance(market, str) or not market:
        raise NotLegacy("market is missing")
    asset = message.get("asset_id", market)
    if not isinstance(asset, str) or not asset:
        raise NotLegacy("asset_id is no text")
    text = str(at)
    if isinstance(at, bool) or not (text.isascii() and text.isdigit() and len(text) <= 15 and int(text) <= _LAST_MS):
        raise NotLegacy(f"ts_ms {text[:20]!r} is no time in milliseconds")
    return market, asset, int(text)


def _list(message: dict[str, object], name: str) -> list[object]:
    items = message.get(name, [])
    if not isinstance(items, list):
        raise NotLegacy(f"{name} is no list")
    return items


def _levels(message: dict[str, object], name: str) -> Iterator[Level]:
    for item in _list(message, name):
        if _is_object(item):
            price, size = item.get("price"), item.get("size")
        elif isinstance(item, list) and len(item) == 2:
            price, size = item
        else:
            raise NotLegacy(f"{name} holds no level: {str(item)[:40]}")
        yield parse_price(_digits(price)), parse_size(_digits(size))


def _changes(message: dict[str, object]) -> Iterator[tuple[Side, int, int]]:
    for item in _list(message, "changes"):
        if _is_object(item):
            side, price, size = item.get("side"), item.get("price"), item.get("size")
        elif isinstance(item, list) and len(item) == 3:
            side, price, size = item
        else:
            raise NotLegacy(f"changes holds no change: {str(item)[:40]}")
        named = _SIDES.get(str(side).lower())
        if named is None:
            raise NotLegacy(f"side {str(side)[:20]!r} is neither buy nor sell")
        yield named, parse_price(_digits(price)), parse_size(_digits(size))


def _digits(value: object) -> str:
    """Numbers were numbers in some recordings; `repr` spells them as they were written, or in a way we refuse."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, Real):
        raise BadNumber(str(value)[:40], "is no number")
    return repr(value).removesuffix(".0")
