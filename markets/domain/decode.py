"""Decode: the bytes of one market-channel frame become typed events, or `MalformedFrame` says why not and where.

Law: no dict, float or unchecked number passes this file. Prices and sizes are parsed from their text exactly
once, by digits and never through a float, so nan, 1e-6 and 1_000 have no way in. Ids stay opaque strings.
"""

import re
from collections.abc import Callable
from enum import StrEnum

import msgspec

from markets.domain import legacy, offsets, wire
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
    TickSizeChange,
    UnknownEvent,
)
from markets.domain.numbers import (
    BadNumber,
    ComplementMemo,
    FractionMemo,
    MirrorMemo,
    PriceMemo,
    SizeMemo,
    WholeMemo,
)
from markets.domain.units import AssetId, ConditionId, Price, Size

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
    """The frame cannot be believed. `reason` is a bounded label for counters, `detail` is for people, `offset` the
    byte where the trouble begins (-1 when it cannot be told)."""

    def __init__(self, reason: MalformedReason, detail: str, offset: int = -1) -> None:
        super().__init__(f"{reason}: {detail}" + (f" (byte {offset})" if offset >= 0 else ""))
        self.reason = reason
        self.detail = detail
        self.offset = offset


# Shared with the books' hot path, so that a text is parsed once wherever it is read.
PRICES = PriceMemo()
COMPLEMENTS = ComplementMemo()
TOPS = PriceMemo({"": UNSAID})
MIRRORS = MirrorMemo(TOPS)
WHOLES = WholeMemo()
FRACTIONS = FractionMemo()
SIZES = SizeMemo(WHOLES, FRACTIONS)

_EVENT_TYPE = b'"event_type":"'
_REFUSALS = (BadNumber, msgspec.DecodeError, RecursionError, legacy.NotLegacy)
_MARKET_HINT = re.compile(rb'"market"\s*:\s*"(0x[0-9a-fA-F]{1,64})"')
_ASSET_HINT = re.compile(rb'"asset_id"\s*:\s*"([0-9A-Za-z_-]{1,128})"')


def decode(data: bytes) -> tuple[MarketEvent, ...]:
    """The events of one frame, in order; () for PONG and empty frames. All else raises MalformedFrame."""
    if len(data) > MAX_FRAME_BYTES:
        raise MalformedFrame(
            MalformedReason.TOO_LARGE, f"{len(data)} bytes, at most {MAX_FRAME_BYTES}", MAX_FRAME_BYTES
        )
    if not data.isascii():
        _check_utf8(data)
    reader = _READERS.get(event_type(data))
    try:
        if reader is not None:
            return (reader(data),)
        text = data.strip()
        if not text or text == b"PONG":
            return ()
        if not text.startswith(b"["):
            return _decode_object(text)
        items = wire.read_items(text)
    except _REFUSALS as error:
        raise _refused(data, error) from error
    return _decode_items(data, items)


def decode_rest_books(data: bytes) -> tuple[BookSnapshot, ...]:
    """The books of a REST `/book` or `/books` answer. Raises MalformedFrame."""
    if len(data) > MAX_FRAME_BYTES:
        raise MalformedFrame(
            MalformedReason.TOO_LARGE, f"{len(data)} bytes, at most {MAX_FRAME_BYTES}", MAX_FRAME_BYTES
        )
    _check_utf8(data)
    text = data.strip()
    try:
        items = wire.read_items(text) if text.startswith(b"[") else [msgspec.Raw(text)]
        return tuple([_book(bytes(item)) for item in items])
    except _REFUSALS as error:
        raise _refused(data, error) from error


def market_hint(data: bytes) -> ConditionId | None:
    """The market a frame that does not decode was probably about, so that its book can be doubted."""
    found = _MARKET_HINT.search(data)
    return found.group(1).decode() if found else None


def named_markets(data: bytes) -> tuple[ConditionId, ...]:
    """Every market a frame names, whether it decodes or not, in the order it does."""
    return tuple([name.decode() for name in dict.fromkeys(_MARKET_HINT.findall(data))])


def named_assets(data: bytes) -> tuple[AssetId, ...]:
    """Every token a frame names, whether it decodes or not, in the order it does."""
    return tuple([name.decode() for name in dict.fromkeys(_ASSET_HINT.findall(data))])


def event_type(data: bytes) -> bytes:
    """The type that the end of a frame names; empty when it takes a closer look to tell.

    The venue writes `event_type` last or nearly so. One brace after it, the last byte, proves that it belongs to the
    frame and to nothing inside; a quote inside a text would be escaped.
    """
    begin = data.rfind(_EVENT_TYPE) + 14
    end = data.find(b'"', begin)
    if begin > 14 and data.find(b"}", end) == len(data) - 1 and data.startswith(b"{"):
        return data[begin:end]
    return b""


def _decode_items(data: bytes, items: list[msgspec.Raw]) -> tuple[MarketEvent, ...]:
    events: list[MarketEvent] = []
    for number, item in enumerate(items):
        text = bytes(item)
        try:
            events += _decode_object(text)
        except MalformedFrame as error:
            begin = offsets.of_item(data, number)
            raise MalformedFrame(error.reason, error.detail, begin + max(error.offset, 0)) from error
        except _REFUSALS as error:
            inner = _refused(text, error)
            begin = offsets.of_item(data, number)
            raise MalformedFrame(inner.reason, inner.detail, begin + max(inner.offset, 0)) from error
    return tuple(events)


def _decode_object(data: bytes) -> tuple[MarketEvent, ...]:
    if not data.startswith(b"{"):
        raise MalformedFrame(MalformedReason.NOT_AN_OBJECT, f"got {data[:20]!r}", 0)
    reader = _READERS.get(event_type(data))
    if reader is not None:
        return (reader(data),)
    head = wire.read_head(data)
    if not head.event_type:
        if head.type is not wire.ABSENT or head.channel is not wire.ABSENT or head.data is not wire.ABSENT:
            return legacy.translate_legacy_message(msgspec.json.decode(data))
        raise MalformedFrame(MalformedReason.NO_EVENT_TYPE, f"in {data[:60]!r}", 0)
    reader = _READERS.get(head.event_type.encode())
    if reader is None:
        msgspec.json.decode(data)  # unknown is fine, unreadable is not
        return (UnknownEvent(head.event_type),)
    return (reader(data),)


def _check_utf8(data: bytes) -> None:
    """msgspec checks only the strings it builds, and most of a frame is skipped."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise MalformedFrame(MalformedReason.NOT_UTF8, f"byte {data[error.start]:#04x}", error.start) from error


def _refused(data: bytes, error: Exception) -> MalformedFrame:
    detail = str(error)
    if isinstance(error, BadNumber):
        return MalformedFrame(MalformedReason.BAD_NUMBER, detail, offsets.of_bad_number(data, error.text))
    if isinstance(error, legacy.NotLegacy):
        return MalformedFrame(MalformedReason.NO_EVENT_TYPE, detail, 0)
    if isinstance(error, msgspec.ValidationError):
        missing = "missing required field" in detail
        reason = MalformedReason.MISSING_FIELD if missing else MalformedReason.BAD_FIELD
        return MalformedFrame(reason, detail, offsets.of_wrong_field(data, detail))
    offset = offsets.of_syntax_error(detail, len(data)) if isinstance(error, msgspec.DecodeError) else -1
    return MalformedFrame(MalformedReason.BAD_JSON, detail, offset)


def _book(data: bytes) -> BookSnapshot:
    book = wire.read_book(data)
    tick = PRICES[book.tick_size] if book.tick_size else None
    if tick == 0:
        raise BadNumber(str(book.tick_size), "is no tick size")
    if book.last_trade_price:
        PRICES[book.last_trade_price]  # refuse what is no price, keep the spelling
    try:
        bids, asks = _levels(wire.read_side(book.bids)), _levels(wire.read_side(book.asks))
    except (msgspec.MsgspecError, BadNumber):  # spelled oddly, or refused with its place in the whole frame
        sides = wire.read_levels(data)
        bids, asks = _any_levels(sides.bids), _any_levels(sides.asks)
    return BookSnapshot(
        book.market,
        book.asset_id,
        book.timestamp,
        bids,
        asks,
        book.hash,
        tick,
        book.last_trade_price,
        spelled_levels(book),
    )


def spelled_levels(book: wire.WireBook) -> str:
    """The `bids` and `asks` members as they were sent; "" when they are not spelled compactly."""
    text = f'"bids":{str(book.bids, "utf-8")},"asks":{str(book.asks, "utf-8")}'
    return "" if " " in text else text


def _levels(side: list[wire.WireLevel]) -> tuple[Level, ...]:
    """Raises BadNumber also for numbers that are only spelled oddly."""
    prices, wholes, fractions = PRICES, WHOLES, FRACTIONS
    levels = []
    for level in side:
        whole, _, fraction = level.size.partition(".")
        levels.append((prices[level.price], wholes[whole] + fractions[fraction]))
    return tuple(levels)


def read_side(data: msgspec.Raw, yes: bool) -> dict[Price, Size]:
    """One side of a token's book, as YES sees it. Raises msgspec.MsgspecError, BadNumber."""
    prices, wholes, fractions = PRICES if yes else COMPLEMENTS, WHOLES, FRACTIONS
    side = {}
    for level in wire.read_side(data):
        whole, _, fraction = level.size.partition(".")
        side[prices[level.price]] = wholes[whole] + fractions[fraction]
    return side


def _any_levels(levels: list[wire.WireLevel]) -> tuple[Level, ...]:
    return tuple([(PRICES[level.price], SIZES[level.size]) for level in levels])


def _price_changes(data: bytes) -> PriceChange:
    frame = wire.read_changes(data)
    if frame.price_changes is None:
        return _oldest_change(data) if wire.read_head(data).changes is wire.ABSENT else _old_changes(data)
    prices, tops, sizes = PRICES, TOPS, SIZES
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


def _old_changes(data: bytes) -> PriceChange:
    frame = wire.read_old_changes(data)
    changes = [
        LevelChange(frame.asset_id, old.side, PRICES[old.price], SIZES[old.size], UNSAID, UNSAID, frame.hash)
        for old in frame.changes
    ]
    return PriceChange(frame.market, frame.timestamp, tuple(changes))


def _oldest_change(data: bytes) -> PriceChange:
    frame = wire.read_oldest_change(data)
    change = LevelChange(frame.asset_id, frame.side, PRICES[frame.price], SIZES[frame.size], UNSAID, UNSAID, frame.hash)
    return PriceChange(frame.market, frame.timestamp, (change,))


def _tick(data: bytes) -> TickSizeChange:
    tick = wire.read_tick(data)
    old, new = PRICES[tick.old_tick_size], PRICES[tick.new_tick_size]
    if not new:
        raise BadNumber(tick.new_tick_size, "is no tick size")
    return TickSizeChange(tick.market, tick.asset_id, tick.timestamp, old, new)


def _trade(data: bytes) -> LastTrade:
    trade = wire.read_trade(data)
    price, size = PRICES[trade.price], SIZES[trade.size]
    return LastTrade(trade.market, trade.asset_id, trade.timestamp, price, size, trade.side)


def _tops(data: bytes) -> BestBidAsk:
    tops = wire.read_tops(data)
    bid, ask = TOPS[tops.best_bid], TOPS[tops.best_ask]
    return BestBidAsk(tops.market, tops.asset_id, tops.timestamp, bid, ask)


def _new_market(data: bytes) -> NewMarket:
    new = wire.read_new_market(data)
    return NewMarket(new.market, new.timestamp, new.assets_ids, new.question)


def _resolved(data: bytes) -> MarketResolved:
    resolved = wire.read_resolved(data)
    return MarketResolved(resolved.market, resolved.timestamp, resolved.winning_asset_id)


_READERS: dict[bytes, Callable[[bytes], MarketEvent]] = {
    b"book": _book,
    b"price_change": _price_changes,
    b"tick_size_change": _tick,
    b"last_trade_price": _trade,
    b"best_bid_ask": _tops,
    b"new_market": _new_market,
    b"market_resolved": _resolved,
}
