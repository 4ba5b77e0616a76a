"""The books' short way: price changes in groups, books, and tops, that need nothing but to be checked and applied.

Law: a shortcut does exactly what the long way (bookkeeping) does, or nothing: it answers False before it has touched
anything, and the long way decides. Both are compared by a property test. One thing they do not see is a hash that is
no text, where no hash is checked: reading it costs more than it tells. No events are built here. The shortest way of
all, for the single change that nearly every frame is, stands in `books`.
"""

from collections.abc import Sequence
from typing import TypeAlias

from markets.domain.bookkeeping import Bookkeeper
from markets.domain.decode import FRACTIONS, MIRRORS, TOPS, WHOLES, read_side, spelled_levels
from markets.domain.events import UNSAID, Side
from markets.domain.hash_check import Claim
from markets.domain.integrity import Doubt
from markets.domain.judge import Proof
from markets.domain.tracked import Tracked
from markets.domain.units import Millis, Nanos, Price, Size
from markets.domain.wire import LeanChange, LeanChanges, WireBook, WireChange, WireChanges, WireTops

_BUY = Side.BUY  # a global is found faster than a member of an enum


# What a frame of changes says of a book, as YES sees it: levels (whether a bid, price, size) and the two tops.
Told: TypeAlias = tuple[list[tuple[bool, Price, Size]], Price, Price]


class Shortcuts(Bookkeeper):
    """The `_take` methods answer whether that was all there was to do."""

    def _take_changes(self, frame: LeanChanges, received_ns: Nanos) -> bool:
        """Any number of mirrored changes of one book in good order; all are read before the first is applied."""
        changes, at = frame.price_changes, frame.timestamp
        tracked = self._by_asset.get(changes[0].asset_id) if changes and not len(changes) % 2 else None
        if tracked is None or not tracked.plain or at < tracked.burst_ms:
            return False
        told = _told(changes, tracked)
        if told is None:
            return False
        self._room -= 1
        self._apply_told(tracked, told, at, received_ns)
        book, (_, bid, ask) = tracked.book, told
        if book.bid_top != bid or book.ask_top != ask or bid >= ask:
            tracked.look()
        return True

    def _take_claim(self, frame: WireChanges, received_ns: Nanos) -> bool:
        """The same changes when their hash may be wanted, or when they end a burst that left something to judge."""
        changes, at = frame.price_changes, frame.timestamp
        if not changes or len(changes) % 2:
            return False
        tracked = self._by_asset.get(changes[0].asset_id)
        if tracked is None or at < tracked.burst_ms:
            return False
        ends_burst = tracked.unsettled and at > tracked.burst_ms
        told = _told(changes, tracked) if ends_burst or tracked.orderly() else None
        if told is None:
            return False
        if ends_burst:
            self._close_burst(tracked, at)  # which is what the long way begins with, too
            tracked.burst_ms = at
            if not tracked.orderly():
                return False
        self._count_hot()
        yes, no = changes[-2:] if changes[-1].asset_id == tracked.no else changes[:-3:-1]
        self._judge.hear_claim(tracked, yes, no, at)
        self._apply_told(tracked, told, at, received_ns)
        tracked.look()
        counters = self._counters
        counters.events += 1
        counters.deltas += 1
        counters.bbo_checked += 1
        self._make_room()
        return True

    def _apply_told(self, tracked: Tracked, told: Told, at: Millis, received_ns: Nanos) -> None:
        levels, tracked.said_bid, tracked.said_ask = told
        for is_bid, price, size in levels:
            tracked.set_plainly(is_bid, price, size)
        tracked.burst_ms = at
        tracked.updated_ns = tracked.paired_ns = received_ns
        self._soil(tracked)

    def _take_book(self, frame: WireBook, received_ns: Nanos) -> bool:
        """A later snapshot that says what the book built from deltas holds already."""
        tracked, at = self._by_asset.get(frame.asset_id), frame.timestamp
        if (
            tracked is None
            or not tracked.plain
            or at < tracked.burst_ms
            or frame.tick_size is not None
            or frame.last_trade_price is not None
        ):
            return False
        book, yes = tracked.book, frame.asset_id == tracked.yes
        own, other = (frame.bids, frame.asks) if yes else (frame.asks, frame.bids)
        if read_side(own, yes) != book.bids or read_side(other, yes) != book.asks:
            return False
        counters = self._counters
        counters.events += 1
        counters.snapshots += 1
        counters.snapshots_checked += 1
        if at > tracked.burst_ms:
            tracked.hear_tops(None, None)
        bid, ask = book.bid_top, book.ask_top
        tracked.hash_check.touched.extend((bid, ask, bid, ask))
        tracked.burst_ms = tracked.snapshot_ms = at
        tracked.updated_ns = tracked.heard_ns[yes] = received_ns
        self._soil(tracked)
        if frame.hash and self._judge.hashes:
            proof = self._judge.weigh(tracked, Claim(yes, at, frame.hash, spelled_levels(frame)), certain=False)
            if proof is Proof.REFUTED:
                self._break(tracked, Doubt.HASH)
            elif tracked.hash_check.misses:
                tracked.plain = False
        else:
            tracked.proved_ns = received_ns
        return True

    def _take_tops(self, tops: WireTops) -> bool:
        """Tops told by themselves, of a token that is known."""
        bid, ask = TOPS[tops.best_bid], TOPS[tops.best_ask]
        tracked = self._by_asset.get(tops.asset_id)
        if tracked is None:
            return False
        self._counters.events += 1
        if tops.timestamp == tracked.burst_ms and tracked.book.seeded and bid != UNSAID and ask != UNSAID:
            self._counters.bbo_checked += 1
            tracked.hear_best(tops.asset_id == tracked.yes, bid, ask)
            tracked.look()
            if tracked.suspicious:
                self._soil(tracked)
        return True


def _told(changes: Sequence[LeanChange | WireChange], tracked: Tracked) -> Told | None:
    """What mirrored pairs say of the book; None unless all of them are that. Raises BadNumber."""
    yes_asset, no_asset, tick = tracked.yes, tracked.no, tracked.tick
    mirrors, wholes, fractions = MIRRORS, WHOLES, FRACTIONS
    levels, bid, ask = [], 0, 0
    entries = iter(changes)
    for yes, no in zip(entries, entries, strict=True):
        if yes.asset_id != yes_asset:
            yes, no = no, yes
        price, no_price = mirrors[yes.price]
        bid, no_ask = mirrors[yes.best_bid]
        ask, no_bid = mirrors[yes.best_ask]
        if (
            no.asset_id != no_asset
            or yes.asset_id != yes_asset
            or no.price != no_price
            or no.size != yes.size
            or no.side is yes.side
            or no.best_ask != no_ask
            or no.best_bid != no_bid
            or price % tick
        ):
            return None
        whole, _, fraction = yes.size.partition(".")
        levels.append((yes.side is _BUY, price, wholes[whole] + fractions[fraction]))
    return levels, bid, ask
