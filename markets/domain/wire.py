"""The shapes of market-channel frames, one lean struct per type, and their decoders.

Law: only fields that are read stand here; what else a frame holds is skipped, not built. Texts stay texts.
"""

from typing import Annotated, TypeAlias

import msgspec

from markets.domain.events import Side

# Milliseconds; the bound is the year 9999. strict=False: the venue sends text, some recorders have retyped it.
Stamp: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799_000)]


class WireLevel(msgspec.Struct, gc=False):
    price: str
    size: str


class WireBook(msgspec.Struct, gc=False):
    market: str
    asset_id: str
    timestamp: Stamp
    bids: msgspec.Raw
    asks: msgspec.Raw
    hash: str = ""
    tick_size: str | None = None
    last_trade_price: str | None = None


class WireLevels(msgspec.Struct, gc=False):
    """The sides of a book spelled in any way JSON allows."""

    bids: list[WireLevel]
    asks: list[WireLevel]


class WireChange(msgspec.Struct, gc=False):
    asset_id: str
    price: str
    size: str
    side: Side
    hash: str = ""
    best_bid: str = ""
    best_ask: str = ""


class WireChanges(msgspec.Struct, gc=False):
    """Without `price_changes` it is one of the old shapes below."""

    market: str
    timestamp: Stamp
    price_changes: list[WireChange] | None = None


class LeanChange(msgspec.Struct, gc=False):
    """WireChange without its hash, which is checked on few frames. Elsewhere nobody notices when it is no text."""

    asset_id: str
    price: str
    size: str
    side: Side
    best_bid: str = ""
    best_ask: str = ""


class LeanChanges(msgspec.Struct, gc=False):
    """WireChanges without its market, which the tokens tell as well; who reads it looks that one is named."""

    timestamp: Stamp
    price_changes: list[LeanChange]


class LeanPair(msgspec.Struct, gc=False):
    """LeanChanges with exactly two: one change as both tokens say it."""

    timestamp: Stamp
    price_changes: tuple[LeanChange, LeanChange]


class OldChange(msgspec.Struct, gc=False):
    price: str
    size: str
    side: Side


class OldChanges(msgspec.Struct, gc=False):
    """The shape before 2025-09-15: one token per frame, its hash once."""

    market: str
    asset_id: str
    timestamp: Stamp
    changes: list[OldChange]
    hash: str = ""


class OldestChange(msgspec.Struct, gc=False):
    """The 2024 shape: one change per frame, flat."""

    market: str
    asset_id: str
    timestamp: Stamp
    price: str
    size: str
    side: Side
    hash: str = ""


class WireTick(msgspec.Struct, gc=False):
    market: str
    asset_id: str
    timestamp: Stamp
    old_tick_size: str
    new_tick_size: str


class WireTrade(msgspec.Struct, gc=False):
    market: str
    asset_id: str
    timestamp: Stamp
    price: str
    size: str
    side: Side


class WireTops(msgspec.Struct, gc=False):
    market: str
    asset_id: str
    timestamp: Stamp
    best_bid: str
    best_ask: str


class WireNewMarket(msgspec.Struct, gc=False):
    market: str
    timestamp: Stamp
    assets_ids: tuple[str, ...]
    question: str = ""


class WireResolved(msgspec.Struct, gc=False):
    market: str
    timestamp: Stamp
    winning_asset_id: str


ABSENT = msgspec.Raw()


class Head(msgspec.Struct, gc=False):
    """Just enough to choose the struct. Flags tell the two old `price_change` shapes apart, and the project's first
    recordings, which have `type`, `channel` and `data`."""

    event_type: str = ""
    changes: msgspec.Raw = ABSENT
    type: msgspec.Raw = ABSENT
    channel: msgspec.Raw = ABSENT
    data: msgspec.Raw = ABSENT


read_book = msgspec.json.Decoder(WireBook, strict=False).decode
read_side = msgspec.json.Decoder(list[WireLevel]).decode
read_levels = msgspec.json.Decoder(WireLevels).decode
read_changes = msgspec.json.Decoder(WireChanges, strict=False).decode
read_lean_changes = msgspec.json.Decoder(LeanChanges, strict=False).decode
read_lean_pair = msgspec.json.Decoder(LeanPair, strict=False).decode
read_old_changes = msgspec.json.Decoder(OldChanges, strict=False).decode
read_oldest_change = msgspec.json.Decoder(OldestChange, strict=False).decode
read_tick = msgspec.json.Decoder(WireTick, strict=False).decode
read_trade = msgspec.json.Decoder(WireTrade, strict=False).decode
read_tops = msgspec.json.Decoder(WireTops, strict=False).decode
read_new_market = msgspec.json.Decoder(WireNewMarket, strict=False).decode
read_resolved = msgspec.json.Decoder(WireResolved, strict=False).decode
read_head = msgspec.json.Decoder(Head).decode
read_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
