"""All tracked books: frames and events go in, trustworthy books, dirty markets and wishes for snapshots come out.

Law: pure and deterministic; every order is the order of arrival. A delta touches only a book that has had a
snapshot in its present epoch.

`apply` is the reference: it takes decoded events and does everything. `apply_frame` does the same from raw bytes, on
a shorter way for the frames that need nothing special (see shortcuts); a property test proves that both agree.
"""

from collections.abc import Iterable

import msgspec

from markets.domain import wire
from markets.domain.bookkeeping import BURST_GRACE_NS, HASH_GRACE_NS, SNAPSHOT_GRACE_NS
from markets.domain.decode import FRACTIONS, MIRRORS, WHOLES, decode, event_type, named_assets, named_markets
from markets.domain.events import MarketEvent, Side
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
_SMALL_FRAME = 65_536
# A global of this module is found faster than a name elsewhere.
_read_changes = wire.read_lean_changes
_mirrors, _wholes, _fractions = MIRRORS, WHOLES, FRACTIONS
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
        self._long = 0
        self._met: set[type] = set()

    def apply_frame(self, data: bytes, received_ns: Nanos) -> tuple[MarketEvent, ...]:
        """Everything one frame says. Raises MalformedFrame, and then nothing of it has touched a book.

        Returned are its events if they had to be built: always for trades and whatever is rare, never for price
        changes and books that took a shorter way.
        """
        # The slice of a larger frame misses its tail: one comparison tells type and size.
        if not (data[-28:_SMALL_FRAME] == _TAIL and data[:11] == _HEAD and self._room and data.isascii()):
            return self._apply_other(data, received_ns)
        try:
            frame = _read_changes(data)
            if len(frame.price_changes) != 2:
                return () if self._take_changes(frame, received_ns) else self.apply_events(data, received_ns)
            # From here on: one mirrored change. It is `_take_changes` written out for the frame that is nearly all.
            yes, no = frame.price_changes
            tracked, at = self._by_asset[yes.asset_id], frame.timestamp
            if yes.asset_id != tracked.yes:
                yes, no = no, yes
            side, shares = yes.side, yes.size
            price, no_price = _mirrors[yes.price]
            bid, no_ask = _mirrors[yes.best_bid]
            ask, no_bid = _mirrors[yes.best_ask]
            if (
                not tracked.plain
                or at < tracked.burst_ms
                or yes.asset_id != tracked.yes
                or no.asset_id != tracked.no
                or no.price != no_price
                or no.size != shares
                or no.side is side
                or no.best_ask != no_ask
                or no.best_bid != no_bid
                or price % tracked.tick
            ):
                return self.apply_events(data, received_ns)
            whole, _, fraction = shares.partition(".")
            size = _wholes[whole] + _fractions[fraction]
        except (msgspec.MsgspecError, BadNumber, KeyError):  # decode says what is wrong with it, and where
            return self.apply_events(data, received_ns)
        # Nothing can fail any more.
        book = tracked.book
        if side is _BUY:
            levels, top = book.bids, book.bid_top
            deep = price < top
        else:
            levels, top = book.asks, book.ask_top
            deep = price > top
        if deep and size:
            levels[price] = size
        else:
            tracked.set_plainly(side is _BUY, price, size)
        tracked.burst_ms, tracked.said_bid, tracked.said_ask = at, bid, ask
        tracked.updated_ns = tracked.paired_ns = received_ns
        self._room -= 1
        if not tracked.dirty:
            self._soil(tracked)
        if book.bid_top != bid or book.ask_top != ask or bid >= ask:
            tracked.look()
        return ()

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

    def _apply_other(self, data: bytes, received_ns: Nanos) -> tuple[MarketEvent, ...]:
        if len(data) < _SMALL_FRAME and event_type(data) == b"book" and data.isascii():
            try:
                if self._take_book(wire.read_book(data), received_ns):
                    return ()
            except (msgspec.MsgspecError, BadNumber):
                pass
        return self.apply_events(data, received_ns)

    def apply_events(self, data: bytes, received_ns: Nanos) -> tuple[MarketEvent, ...]:
        """`apply_frame` for who needs every event: all of the frame's are built and returned."""
        events = decode(data)
        for event in events:
            self.apply(event, received_ns)
        self._long += 1
        if events and (self._long % ONE_IN == 0 or type(events[0]) not in self._met):
            self._met.add(type(events[0]))
            look(data, self._counters.unknown_fields)
        return events
