"""All tracked books: frames and events go in, trustworthy books, dirty markets and wishes for snapshots come out.

Law: pure and deterministic; every order is the order of arrival. A delta touches only a book that has had a
snapshot in its present epoch.

`apply` is the reference: it takes decoded events and does everything. `apply_frame` does the same from raw bytes, on
shorter ways for the frames that need nothing special (see shortcuts), `take_run` for runs of frames. Property tests
prove that all agree.
"""

from collections.abc import Iterable, Iterator

import msgspec

from markets.domain import wire
from markets.domain.bookkeeping import BURST_GRACE_NS, HASH_GRACE_NS, SNAPSHOT_GRACE_NS
from markets.domain.decode import FRACTIONS, MIRRORS, WHOLES, decode, event_type, named_assets, named_markets
from markets.domain.events import Frame, MarketEvent, Side
from markets.domain.integrity import Doubt
from markets.domain.numbers import BadNumber
from markets.domain.oddities import ONE_IN, look
from markets.domain.shortcuts import Shortcuts
from markets.domain.units import NANOS_PER_SECOND, AssetId, Nanos

__all__ = ["BURST_GRACE_NS", "HASH_GRACE_NS", "SNAPSHOT_GRACE_NS", "BookSet"]

DEFAULT_HASH_EVERY = 32
DEFAULT_SWEEP_NS: Nanos = 60 * NANOS_PER_SECOND
DEFAULT_SILENCE_NS: Nanos = 60 * NANOS_PER_SECOND

_HEAD = b'{"market":"'
_TAIL = b'"event_type":"price_change"}'
_FRONT = slice(0, len(_HEAD))  # a slice that stands ready is three times as fast as one written out
# A slice with an end misses the tail of a larger frame: one comparison tells type and size.
_END_OF_SMALL, _END_OF_SINGLE = slice(-len(_TAIL), 65_536), slice(-len(_TAIL), 768)
_SMALL_FRAME = 65_536
_BUY = Side.BUY


class BookSet(Shortcuts):
    """Books of the tracked markets.

    `hash_every`: one price change in so many has its hash checked (1 checks all, on both tokens; 0 none).
    `sweep_ns`, `silence_ns`: see the patrol; 0 switches them off.
    `auto_track`: replay without metadata; the first token seen of a market is YES, minimum size 5, no fees.
    """

    def __init__(
        self,
        *,
        auto_track: bool = False,
        hash_every: int = DEFAULT_HASH_EVERY,
        sweep_ns: Nanos = DEFAULT_SWEEP_NS,
        silence_ns: Nanos = DEFAULT_SILENCE_NS,
    ) -> None:
        super().__init__(auto_track=auto_track, hash_every=hash_every, sweep_ns=sweep_ns, silence_ns=silence_ns)
        self._long = self._tops_told = 0
        self._met: set[type] = set()

    def apply_frame(self, data: bytes, received_ns: Nanos) -> tuple[MarketEvent, ...]:
        """Everything one frame says. Raises MalformedFrame, and then nothing of it has touched a book.

        Returned are its events if they had to be built: always for trades and whatever is rare, never for price
        changes and books that took a shorter way.
        """
        if self.take_run(iter((Frame(received_ns, 0, data),))) is None:
            return ()
        return self.apply_events(data, received_ns)

    def take_run(self, frames: Iterator[Frame]) -> Frame | None:
        """Apply frames as long as each can go a shorter way. None when all did.

        The first that cannot is given back and nothing of it has happened: its way is `apply_events`.
        """
        while (frame := self._take_singles(frames)) is not None:
            if not self._take(frame.data, frame.received_ns):
                return frame
        return None

    def _take_singles(self, frames: Iterator[Frame]) -> Frame | None:
        """The shortest way, written out: one mirrored change of a book in good order, which nearly every frame is.

        The first frame that is anything else is given back untouched.
        """
        by_asset, dirty, read = self._by_asset, self._dirty, wire.read_lean_pair  # what is local is found fastest
        mirrors, wholes, fractions, buy = MIRRORS, WHOLES, FRACTIONS, _BUY
        tail, head, end, front, drains = _TAIL, _HEAD, _END_OF_SINGLE, _FRONT, self._drains
        room = self._room
        try:
            for frame in frames:
                data = frame.data
                if not (data[end] == tail and data[front] == head and room and data.isascii()):
                    return frame
                pair = read(data)
                yes, no = pair.price_changes
                tracked, at = by_asset[yes.asset_id], pair.timestamp
                if yes.asset_id != tracked.yes:
                    yes, no = no, yes
                    if yes.asset_id != tracked.yes:
                        return frame
                side, shares = yes.side, yes.size
                price, no_price = mirrors[yes.price]
                bid, no_ask = mirrors[yes.best_bid]
                ask, no_bid = mirrors[yes.best_ask]
                whole, _, fraction = shares.partition(".")
                size = wholes[whole] + fractions[fraction]
                if not tracked.plain or at < tracked.burst_ms or price % tracked.tick:
                    return frame
                if no.asset_id != tracked.no or no.size != shares or no.side is side:
                    return frame
                if no.price != no_price or no.best_ask != no_ask or no.best_bid != no_bid:
                    return frame
                # Nothing can fail any more.
                book = tracked.book
                if side is buy:
                    levels, top, better = book.bids, book.bid_top, price > book.bid_top
                else:
                    levels, top, better = book.asks, book.ask_top, price < book.ask_top
                if better or not size:
                    tracked.set_plainly(side is buy, price, size)
                else:
                    levels[price] = size
                    if price == top:
                        tracked.touched.append(price)  # where a trade may have been
                tracked.burst_ms, tracked.said_bid, tracked.said_ask = at, bid, ask
                tracked.updated_ns = tracked.paired_ns = frame.received_ns
                room -= 1
                if tracked.soiled != drains:
                    tracked.soiled = drains
                    dirty.append(tracked.condition_id)
                if book.bid_top != bid or book.ask_top != ask or bid >= ask:
                    tracked.look()
        except (msgspec.MsgspecError, BadNumber, KeyError):  # decode says what is wrong with it, and where
            return frame
        finally:
            self._room = room
        return None

    def distrust_frame(self, data: bytes, *, whole: bool, delivered: Iterable[AssetId] | None = None) -> None:
        """A frame could not be read: whatever it meant to say is missing from the books it names.

        One that names no book of ours may have been about any that its socket has `delivered` (None: of all), and so
        may an array that is not `whole`: its rest may have named more.
        """
        named = {market: None for market in named_markets(data) if market in self._tracked}
        named.update((tracked.condition_id, None) for tracked in self._of(named_assets(data)))
        for condition_id in named:
            self.distrust(condition_id, Doubt.MALFORMED)
        if not named or not (whole or data.lstrip().startswith(b"{")):
            self.suspect(self._by_asset if delivered is None else delivered, Doubt.MALFORMED)

    def _take(self, data: bytes, received_ns: Nanos) -> bool:
        """Whether one of the shorter ways was the frame's. Nothing of it has happened where none was."""
        try:
            if data[_END_OF_SMALL] == _TAIL:
                if data[_FRONT] != _HEAD or not data.isascii():
                    return False
                if self._room and self._take_changes(wire.read_lean_changes(data), received_ns):
                    return True
                return self._take_claim(wire.read_changes(data), received_ns)
            if len(data) >= _SMALL_FRAME or not data.isascii():
                return False
            kind = event_type(data)
            if kind == b"best_bid_ask":
                return self._take_tops(wire.read_tops(data)) and self._looked_at(data)
            if kind == b"book":
                return self._take_book(wire.read_book(data), received_ns)
        except (msgspec.MsgspecError, BadNumber):
            pass  # decode says what is wrong with it, and where
        return False

    def _looked_at(self, tops: bytes) -> bool:
        self._tops_told += 1
        if self._tops_told % ONE_IN == 1:
            look(tops, self._counters.unknown_fields)
        return True

    def apply_events(self, data: bytes, received_ns: Nanos) -> tuple[MarketEvent, ...]:
        """`apply_frame` the long way, for who needs every event: all of the frame's are built and returned."""
        events = decode(data)
        for event in events:
            self.apply(event, received_ns)
        self._long += 1
        if events and (self._long % ONE_IN == 0 or type(events[0]) not in self._met):
            self._met.add(type(events[0]))
            look(data, self._counters.unknown_fields)
        return events
