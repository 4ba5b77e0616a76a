"""Decode: the bytes of one market-channel frame become typed events, or `MalformedFrame` says why not.

Law: no dict, float or unchecked number passes this file. Prices and sizes are parsed from their text exactly
once, by digits and never through a float, so nan, 1e-6 and 1_000 have no way in. Ids stay opaque strings.
"""

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, TypeAlias

import msgspec

from markets.domain.events import (
    UNSAID,
    BestBidAsk,
    BookSnapshot,
    LastTrade,
    Level,
    LevelChange,
    MarketEvent,
    MarketResolved,
    NewMarket,
    PriceChange,
    Side,
    TickSizeChange,
    UnknownEvent,
)
from markets.domain.numbers import BadNumber, PriceMemo, SizeMemo
from markets.domain.units import ConditionId

MAX_FRAME_BYTES = 16 * 1024 * 1024  # an opening dump of 200 tokens is about 2 MB


class MalformedReason(StrEnum):
    TOO_LARGE = "too_large"
    NOT_UTF8 = "not_utf8"
    BAD_JSON = "bad_json"
    NOT_AN_OBJECT = "not_an_object"
    NO_EVENT_TYPE = "no_event_type"
    MISSING_FIELD = "missing_field"
    BAD_FIELD = "bad_field"
    BAD_NUMBER = "bad_number"


class MalformedFrame(Exception):
    """The frame cannot be believed. `reason` is a bounded label for counters, `detail` is for people."""

    def __init__(self, reason: MalformedReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


_Stamp: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799_000)]


class _Level(msgspec.Struct, gc=False):
    price: str
    size: str


class _Book(msgspec.Struct, gc=False):
    market: str
    asset_id: str
    timestamp: _Stamp
    bids: list[_Level]
    asks: list[_Level]
    hash: str = ""
    tick_size: str | None = None
    last_trade_price: str | None = None


class _Change(msgspec.Struct, gc=False):
    asset_id: str
    price: str
    size: str
    side: Side
    hash: str = ""
    best_bid: str = ""
    best_ask: str = ""


class _PriceChanges(msgspec.Struct, gc=False):
    market: str
    timestamp: _Stamp
    price_changes: list[_Change]


class _OldChange(msgspec.Struct, gc=False):
    price: str
    size: str
    side: Side


class _OldChanges(msgspec.Struct, gc=False):
    """The shape before 2025-09-15: one token per frame, its hash once."""

    market: str
    asset_id: str
    timestamp: _Stamp
    changes: list[_OldChange]
    hash: str = ""


class _OldestChange(msgspec.Struct, gc=False):
    """The 2024 shape: one change per frame, flat."""

    market: str
    asset_id: str
    timestamp: _Stamp
    price: str
    size: str
    side: Side
    hash: str = ""


class _Tick(msgspec.Struct, gc=False):
    market: str
    asset_id: str
    timestamp: _Stamp
    old_tick_size: str
    new_tick_size: str


class _Trade(msgspec.Struct, gc=False):
    market: str
    asset_id: str
    timestamp: _Stamp
    price: str
    size: str
    side: Side


class _Tops(msgspec.Struct, gc=False):
    market: str
    asset_id: str
    timestamp: _Stamp
    best_bid: str
    best_ask: str


class _NewMarket(msgspec.Struct, gc=False):
    market: str
    timestamp: _Stamp
    assets_ids: tuple[str, ...]
    question: str = ""


class _Resolved(msgspec.Struct, gc=False):
    market: str
    timestamp: _Stamp
    winning_asset_id: str


_ABSENT = msgspec.Raw()


class _Head(msgspec.Struct, gc=False):
    """Just enough to choose the struct; the two flags tell the old `price_change` shapes apart."""

    event_type: str = ""
    price_changes: msgspec.Raw = _ABSENT
    changes: msgspec.Raw = _ABSENT


# strict=False: the venue sends timestamps as text, some recorders have retyped them as numbers.
_book = msgspec.json.Decoder(_Book, strict=False).decode
_price_changes = msgspec.json.Decoder(_PriceChanges, strict=False).decode
_old_changes = msgspec.json.Decoder(_OldChanges, strict=False).decode
_oldest_change = msgspec.json.Decoder(_OldestChange, strict=False).decode
_tick = msgspec.json.Decoder(_Tick, strict=False).decode
_trade = msgspec.json.Decoder(_Trade, strict=False).decode
_tops = msgspec.json.Decoder(_Tops, strict=False).decode
_new_market = msgspec.json.Decoder(_NewMarket, strict=False).decode
_resolved = msgspec.json.Decoder(_Resolved, strict=False).decode
_head = msgspec.json.Decoder(_Head).decode
_items = msgspec.json.Decoder(list[msgspec.Raw]).decode

_PRICES = PriceMemo()
_REPORTED_TOPS = PriceMemo({"": UNSAID})
_SIZES = SizeMemo()

_MARKET_HINT = re.compile(rb'"market"\s*:\s*"(0x[0-9a-fA-F]{1,64})"')
# The venue writes `event_type` last, so a suffix test saves scanning nine frames in ten twice.
_PRICE_CHANGE_TAIL = b'"event_type":"price_change"}'


def decode(data: bytes) -> tuple[MarketEvent, ...]:
    """The events of one frame, in order; () for PONG and empty frames. All else raises MalformedFrame."""
    try:
        if not data.isascii():
            data.decode()
        if data.endswith(_PRICE_CHANGE_TAIL) and len(data) <= MAX_FRAME_BYTES:
            return (_read_price_changes(data),)
        return _decode_any(data)
    except BadNumber as error:
        raise MalformedFrame(MalformedReason.BAD_NUMBER, str(error)) from error
    except UnicodeDecodeError as error:
        raise MalformedFrame(MalformedReason.NOT_UTF8, f"byte {error.start}") from error
    except msgspec.ValidationError as error:
        missing = "missing required field" in str(error)
        reason = MalformedReason.MISSING_FIELD if missing else MalformedReason.BAD_FIELD
        raise MalformedFrame(reason, str(error)) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise MalformedFrame(MalformedReason.BAD_JSON, str(error)) from error


def market_hint(data: bytes) -> ConditionId | None:
    """The market a frame that does not decode was probably about, so that its book can be doubted."""
    found = _MARKET_HINT.search(data)
    return found.group(1).decode() if found else None


def _decode_any(data: bytes) -> tuple[MarketEvent, ...]:
    if len(data) > MAX_FRAME_BYTES:
        raise MalformedFrame(MalformedReason.TOO_LARGE, f"{len(data)} bytes, at most {MAX_FRAME_BYTES}")
    text = data.strip()
    if not text or text == b"PONG":
        return ()
    if text.startswith(b"["):
        return tuple([_decode_object(bytes(item)) for item in _items(text)])
    return (_decode_object(text),)


def _decode_object(data: bytes) -> MarketEvent:
    if not data.startswith(b"{"):
        raise MalformedFrame(MalformedReason.NOT_AN_OBJECT, f"got {data[:20]!r}")
    head = _head(data)
    if not head.event_type:
        raise MalformedFrame(MalformedReason.NO_EVENT_TYPE, f"in {data[:60]!r}")
    if head.event_type == "price_change" and head.price_changes is _ABSENT:
        return _read_oldest_change(data) if head.changes is _ABSENT else _read_old_changes(data)
    reader = _READERS.get(head.event_type)
    if reader is None:
        msgspec.json.decode(data)  # unknown is fine, unreadable is not
        return UnknownEvent(head.event_type)
    return reader(data)


def _levels(levels: list[_Level]) -> tuple[Level, ...]:
    prices, sizes = _PRICES, _SIZES
    return tuple([(prices[level.price], sizes[level.size]) for level in levels])


def _read_book(data: bytes) -> BookSnapshot:
    book = _book(data)
    tick = _PRICES[book.tick_size] if book.tick_size else None
    if book.last_trade_price:
        _PRICES[book.last_trade_price]  # refuse what is no price, keep the spelling
    return BookSnapshot(
        book.market,
        book.asset_id,
        book.timestamp,
        _levels(book.bids),
        _levels(book.asks),
        book.hash,
        tick,
        book.last_trade_price,
    )


def _read_price_changes(data: bytes) -> PriceChange:
    frame = _price_changes(data)
    prices, tops, sizes = _PRICES, _REPORTED_TOPS, _SIZES
    return PriceChange(
        frame.market,
        frame.timestamp,
        tuple(
            [
                LevelChange(
                    change.asset_id,
                    change.side,
                    prices[change.price],
                    sizes[change.size],
                    tops[change.best_bid],
                    tops[change.best_ask],
                    change.hash,
                )
                for change in frame.price_changes
            ]
        ),
    )


def _read_old_changes(data: bytes) -> PriceChange:
    frame = _old_changes(data)
    changes = [
        LevelChange(frame.asset_id, old.side, _PRICES[old.price], _SIZES[old.size], UNSAID, UNSAID, frame.hash)
        for old in frame.changes
    ]
    return PriceChange(frame.market, frame.timestamp, tuple(changes))


def _read_oldest_change(data: bytes) -> PriceChange:
    frame = _oldest_change(data)
    change = LevelChange(
        frame.asset_id, frame.side, _PRICES[frame.price], _SIZES[frame.size], UNSAID, UNSAID, frame.hash
    )
    return PriceChange(frame.market, frame.timestamp, (change,))


def _read_tick(data: bytes) -> TickSizeChange:
    tick = _tick(data)
    old, new = _PRICES[tick.old_tick_size], _PRICES[tick.new_tick_size]
    if not new:
        raise BadNumber(f"new tick size {tick.new_tick_size!r} is zero")
    return TickSizeChange(tick.market, tick.asset_id, tick.timestamp, old, new)


def _read_trade(data: bytes) -> LastTrade:
    trade = _trade(data)
    price, size = _PRICES[trade.price], _SIZES[trade.size]
    return LastTrade(trade.market, trade.asset_id, trade.timestamp, price, size, trade.side)


def _read_tops(data: bytes) -> BestBidAsk:
    tops = _tops(data)
    bid, ask = _REPORTED_TOPS[tops.best_bid], _REPORTED_TOPS[tops.best_ask]
    return BestBidAsk(tops.market, tops.asset_id, tops.timestamp, bid, ask)


def _read_new_market(data: bytes) -> NewMarket:
    new = _new_market(data)
    return NewMarket(new.market, new.timestamp, new.assets_ids, new.question)


def _read_resolved(data: bytes) -> MarketResolved:
    resolved = _resolved(data)
    return MarketResolved(resolved.market, resolved.timestamp, resolved.winning_asset_id)


_READERS: dict[str, Callable[[bytes], MarketEvent]] = {
    "book": _read_book,
    "price_change": _read_price_changes,
    "tick_size_change": _read_tick,
    "last_trade_price": _read_trade,
    "best_bid_ask": _read_tops,
    "new_market": _read_new_market,
    "market_resolved": _read_resolved,
}
