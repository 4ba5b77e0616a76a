"""Market-channel events: what a frame says, once parsed; prices and sizes are integers from here on.

Law: ids stay opaque strings, nothing here is optional by accident. Field sources: the venue's market channel
documentation.
"""

from enum import StrEnum
from typing import TypeAlias

import msgspec

from markets.domain.units import AssetId, ConditionId, Millis, Nanos, Price, Size


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"


Level: TypeAlias = tuple[Price, Size]

UNSAID: Price = -1


class BookSnapshot(msgspec.Struct, frozen=True, gc=False):
    """A `book`: the whole book of one token. Levels in the order sent.

    `tick` and `last_trade` come only with opening snapshots. `last_trade` stays text, for its spelling enters
    the hash: "" means never traded, None that the frame did not say. `spelled` is the `bids` and `asks` members as
    they were sent, which is what the venue has hashed; "" when the frame is not spelled compactly.
    """

    market: ConditionId
    asset: AssetId
    timestamp_ms: Millis
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    hash: str
    tick: Price | None = None
    last_trade: str | None = None
    spelled: str = ""


class LevelChange(msgspec.Struct, frozen=True, gc=False):
    """One entry of a `price_change`: the new aggregate `size` at `price` (0 removes) and the tops after it.

    `best_bid` 0 and `best_ask` 10 000 mean an empty side; `UNSAID` means the frame did not say.
    """

    asset: AssetId
    side: Side
    price: Price
    size: Size
    best_bid: Price
    best_ask: Price
    hash: str


class PriceChange(msgspec.Struct, frozen=True, gc=False):
    market: ConditionId
    timestamp_ms: Millis
    changes: tuple[LevelChange, ...]


class TickSizeChange(msgspec.Struct, frozen=True, gc=False):
    market: ConditionId
    asset: AssetId
    timestamp_ms: Millis
    old_tick: Price
    new_tick: Price


class LastTrade(msgspec.Struct, frozen=True, gc=False):
    """A print. `side` is the taker's."""

    market: ConditionId
    asset: AssetId
    timestamp_ms: Millis
    price: Price
    size: Size
    side: Side


class BestBidAsk(msgspec.Struct, frozen=True, gc=False):
    market: ConditionId
    asset: AssetId
    timestamp_ms: Millis
    best_bid: Price
    best_ask: Price


class NewMarket(msgspec.Struct, frozen=True, gc=False):
    market: ConditionId
    timestamp_ms: Millis
    assets: tuple[AssetId, ...]
    question: str


class MarketResolved(msgspec.Struct, frozen=True, gc=False):
    market: ConditionId
    timestamp_ms: Millis
    winning_asset: AssetId


class UnknownEvent(msgspec.Struct, frozen=True, gc=False):
    """An `event_type` we do not know: counted and kept in the recording, never fatal."""

    event_type: str


MarketEvent: TypeAlias = (
    BookSnapshot | PriceChange | TickSizeChange | LastTrade | BestBidAsk | NewMarket | MarketResolved | UnknownEvent
)


class Frame(msgspec.Struct, frozen=True, gc=False):
    """Raw bytes as they came off one connection. Captures without a receive time carry the venue's."""

    received_ns: Nanos
    connection: int
    data: bytes
