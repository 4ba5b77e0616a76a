"""The books' short way: price changes and books that need nothing but to be checked and applied.

Law: a shortcut does exactly what the long way (bookkeeping) does, or nothing: it answers False before it has touched
anything, and the long way decides. Both are compared by a property test. No events are built here, and calls are
saved where one costs a twentieth of a frame; elsewhere readability wins.
"""

from collections.abc import Sequence

from markets.domain.bookkeeping import Bookkeeper
from markets.domain.decode import FRACTIONS, PRICES, TOPS, WHOLES, read_side
from markets.domain.events import Side
from markets.domain.hash_check import Claim
from markets.domain.integrity import Doubt
from markets.domain.units import PRICE_ONE, Millis, Nanos, Price, Size
from markets.domain.wire import LeanChange, WireBook

_BUY = Side.BUY  # a global is found faster than a member of an enum


class Shortcuts(Bookkeeper):
    """`_take_changes` and `_take_book` answer whether that was all there was to do."""

    def _take_changes(self, changes: Sequence[LeanChange], at: Millis, received_ns: Nanos) -> bool:
        """The mirrored changes of one market whose book is in good order."""
        if len(changes) != 2:
            return self._take_pairs(changes, at, received_ns)
        yes, no = changes
        tracked = self._by_asset.get(yes.asset_id)
        if tracked is None or not tracked.plain or at < tracked.burst_ms:
            return False
        market, book = tracked.market, tracked.book
        if yes.asset_id != market.yes:
            no, yes = changes
        side, shares = yes.side, yes.size
        price, bid, ask = PRICES[yes.price], TOPS[yes.best_bid], TOPS[yes.best_ask]
        if (
            no.asset_id != market.no
            or yes.asset_id != market.yes
            or PRICES[no.price] + price != PRICE_ONE
            or no.size != shares
            or no.side is side
            or TOPS[no.best_ask] + bid != PRICE_ONE
            or TOPS[no.best_bid] + ask != PRICE_ONE
        ):
            return False
        if shares == "0":
            size = 0
        else:
            whole, _, fraction = shares.partition(".")
            size = WHOLES[whole] + FRACTIONS[fraction]
        # From here on nothing can fail.
        if side is _BUY:
            top = book.bid_top
            if size and price < top:
                book.bids[price] = size
            else:
                if not size or price == top:
                    tracked.hash_check.touched.append(price)  # where a trade may have been
                book.set_bid(price, size)
        else:
            top = book.ask_top
            if size and price > top:
                book.asks[price] = size
            else:
                if not size or price == top:
                    tracked.hash_check.touched.append(price)
                book.set_ask(price, size)
        tracked.burst_ms, tracked.said_bid, tracked.said_ask = at, bid, ask
        tracked.updated_ns = tracked.paired_ns = received_ns
        self._dirty[tracked.condition_id] = None
        self._room -= 1
        if book.bid_top != bid or book.ask_top != ask or bid >= ask:
            tracked.look()
        return True

    def _take_pairs(self, changes: Sequence[LeanChange], at: Millis, received_ns: Nanos) -> bool:
        """Several mirrored changes in one frame: all are read before the first is applied."""
        if not changes or len(changes) % 2:
            return False
        tracked = self._by_asset.get(changes[0].asset_id)
        if tracked is None or not tracked.plain or at < tracked.burst_ms:
            return False
        yes_id, no_id = tracked.market.yes, tracked.market.no
        levels, bid, ask = [], 0, 0
        pairs = iter(changes)
        for yes, no in zip(pairs, pairs, strict=True):
            if yes.asset_id != yes_id:
                yes, no = no, yes
            price, shares, side = PRICES[yes.price], yes.size, yes.side
            bid, ask = TOPS[yes.best_bid], TOPS[yes.best_ask]
            if (
                no.asset_id != no_id
                or yes.asset_id != yes_id
                or PRICES[no.price] + price != PRICE_ONE
                or no.size != shares
                or no.side is side
                or TOPS[no.best_ask] + bid != PRICE_ONE
                or TOPS[no.best_bid] + ask != PRICE_ONE
            ):
                return False
            whole, _, fraction = shares.partition(".")
            levels.append((side, price, WHOLES[whole] + FRACTIONS[fraction]))
        book, touched = tracked.book, tracked.hash_check.touched
        for side, price, size in levels:
            if not size or price == (book.bid_top if side is _BUY else book.ask_top):
                touched.append(price)
            if side is _BUY:
                book.set_bid(price, size)
            else:
                book.set_ask(price, size)
        tracked.burst_ms, tracked.said_bid, tracked.said_ask = at, bid, ask
        tracked.updated_ns = tracked.paired_ns = received_ns
        self._dirty[tracked.condition_id] = None
        self._room -= 1
        if book.bid_top != bid or book.ask_top != ask or bid >= ask:
            tracked.look()
        return True

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
        book, yes = tracked.book, frame.asset_id == tracked.market.yes
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
        tracked.proved_ns = tracked.updated_ns = tracked.heard_ns[yes] = received_ns
        self._dirty[tracked.condition_id] = None
        if frame.hash and self._judge.hashes:
            spelled = f'"bids":{str(frame.bids, "ascii")},"asks":{str(frame.asks, "ascii")}'
            if not self._judge.statement_holds(tracked, Claim(yes, at, frame.hash, spelled), certain=False):
                self._break(tracked, Doubt.HASH)
            elif tracked.hash_check.misses:
                tracked.plain = False
        return True
