"""Verification of a recording: every check of every message, counted.

Law: the recording is judged exactly as the live feed would be, with every hash checked instead of a sample.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from markets.domain.books import BookSet
from markets.domain.cuts import Cut, Recorded, Twin, cut_assets
from markets.domain.decode import MalformedFrame, decode
from markets.domain.events import (
    BestBidAsk,
    BookSnapshot,
    Frame,
    LastTrade,
    MarketEvent,
    MarketResolved,
    NewMarket,
    PriceChange,
    TickSizeChange,
    UnknownEvent,
)
from markets.domain.integrity import BookCounters
from markets.domain.market import Market
from markets.domain.oddities import look
from markets.domain.units import AssetId, ConditionId, Nanos

EVENT_NAMES: dict[type[MarketEvent], str] = {
    BookSnapshot: "book",
    PriceChange: "price_change",
    TickSizeChange: "tick_size_change",
    LastTrade: "last_trade_price",
    BestBidAsk: "best_bid_ask",
    NewMarket: "new_market",
    MarketResolved: "market_resolved",
    UnknownEvent: "unknown",
}


@dataclass(slots=True)
class Verification:
    """What a recording holds. `first_ns` and `last_ns` are the times of its first and last timed frame.

    `markets` are those with a book; `neg_risk` is what each was judged by: what metadata or its first reproduced hash
    said, never both values. `cuts` counts the places where books had to begin again, `twins` the frames that a second
    connection told again.
    """

    books: BookCounters
    frames: int = 0
    cuts: int = 0
    twins: int = 0
    malformed: dict[str, int] = field(default_factory=dict)
    events_by_type: dict[str, int] = field(default_factory=dict)
    assets: dict[AssetId, None] = field(default_factory=dict)
    first_ns: Nanos = 0
    last_ns: Nanos = 0
    markets: tuple[Market, ...] = ()
    neg_risk: dict[ConditionId, bool | None] = field(default_factory=dict)
    recipes: dict[str, int] = field(default_factory=dict)

    @property
    def span_ns(self) -> Nanos:
        return self.last_ns - self.first_ns

    def sound(self) -> bool:
        """No crossed book, no mismatch of any kind, nothing malformed."""
        books = self.books
        found = books.crossed + books.bbo_mismatches + books.snapshot_mismatches + books.parity_mismatches
        return not found and not self.malformed and books.hash_matches == books.hash_checked


def verify(frames: Iterable[Recorded], markets: Iterable[Market] = ()) -> Verification:
    """Feed `frames` through books of `markets`; what they do not cover is tracked as it is seen.

    A cut ends the epoch of the books it is about: what was built before it is not compared with what comes after.
    """
    books = BookSet(auto_track=True, hash_every=1)
    for market in markets:
        books.track(market)
    found = Verification(books.counters)
    for item in frames:
        match item:
            case Frame():
                _hear(found, books, item)
            case Twin():
                _hear(found, None, item.frame)
            case Cut():
                assets = cut_assets(books, item)
                found.cuts += bool(assets)
                books.feed_down(assets)
                books.feed_up(assets)
    books.flush()
    found.neg_risk = {market.condition_id: books.neg_risk(market.condition_id) for market in books.markets}
    found.markets = books.markets
    found.recipes = books.recipes_matched
    return found


def _hear(found: Verification, books: BookSet | None, frame: Frame) -> None:
    """Count a frame, and tell it to the books unless they have heard it from its twin."""
    found.frames += 1
    found.twins += books is None
    found.first_ns = found.first_ns or frame.received_ns
    found.last_ns = max(found.last_ns, frame.received_ns)
    try:
        events = decode(frame.data)
    except MalformedFrame as error:
        found.malformed[error.reason.value] = found.malformed.get(error.reason.value, 0) + 1
        return
    if events:
        look(frame.data, found.books.unknown_fields)
    for event in events:
        _note(found, event)
        if books is not None:
            books.apply(event, frame.received_ns)


def _note(found: Verification, event: MarketEvent) -> None:
    name = EVENT_NAMES[type(event)]
    found.events_by_type[name] = found.events_by_type.get(name, 0) + 1
    if isinstance(event, PriceChange):
        for change in event.changes:
            found.assets[change.asset] = None
    elif isinstance(event, BookSnapshot | LastTrade | TickSizeChange | BestBidAsk):
        found.assets[event.asset] = None
