"""All tracked books: frames and events go in, trustworthy books, dirty markets and wishes for snapshots come out.

Law: pure and deterministic; every order is the order of arrival. A delta touches only a book that has had a
snapshot in its present epoch.

`apply` is the reference: it takes decoded events and does everything. `apply_frame` does the same from raw bytes, on
a shorter way for the frames that need nothing special (see shortcuts); a property test proves that both agree.
"""

import msgspec

from markets.domain import wire
from markets.domain.bookkeeping import BURST_GRACE_NS, HASH_GRACE_NS, SNAPSHOT_GRACE_NS
from markets.domain.decode import decode, event_type, named_assets, named_markets
from markets.domain.events import MarketEvent
from markets.domain.integrity import Doubt
from markets.domain.numbers import BadNumber
from markets.domain.oddities import ONE_IN, look
from markets.domain.shortcuts import Shortcuts
from markets.domain.units import NANOS_PER_SECOND, Nanos

__all__ = ["BURST_GRACE_NS", "HASH_GRACE_NS", "SNAPSHOT_GRACE_NS", "BookSet"]

DEFAULT_HASH_EVERY = 32
DEFAULT_SWEEP_NS: Nanos = 60 * NANOS_PER_SECOND
DEFAULT_SILENCE_NS: Nanos = 60 * NANOS_PER_SECOND

_CHANGE_TAIL = b'"event_type":"price_change"}'
_SMALL_FRAME = 65_536
_read_changes = wire.read_lean_changes  # a global is found faster than an attribute


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
        if not (data.endswith(_CHANGE_TAIL) and self._room and len(data) < _SMALL_FRAME and data.isascii()):
            return self._apply_other(data, received_ns)
        try:
            frame = _read_changes(data)
            if len(frame.price_changes) == 2:
                taken = self._take_change(frame, received_ns)
            else:
                taken = self._take_changes(frame, received_ns)
        except (msgspec.MsgspecError, BadNumber):  # decode says what is wrong with it, and where
            taken = False
        return () if taken else self._apply_decoded(data, received_ns)

    def distrust_frame(self, data: bytes, *, whole: bool) -> None:
        """A frame could not be read: whatever it meant to say is missing from the books it names.

        One that names no book of ours may have been about any, and so may an array that is not `whole`: its rest may
        have named more.
        """
        named = {market: None for market in named_markets(data) if market in self._tracked}
        named.update((tracked.condition_id, None) for tracked in self._of(named_assets(data)))
        for condition_id in named:
            self.distrust(condition_id, Doubt.MALFORMED)
        if not named or not (whole or data.lstrip().startswith(b"{")):
            self.suspect(self._by_asset, Doubt.MALFORMED)

    def _apply_other(self, data: bytes, received_ns: Nanos) -> tuple[MarketEvent, ...]:
        if len(data) < _SMALL_FRAME and event_type(data) == b"book" and data.isascii():
            try:
                if self._take_book(wire.read_book(data), received_ns):
                    return ()
            except (msgspec.MsgspecError, BadNumber):
                pass
        return self._apply_decoded(data, received_ns)

    def _apply_decoded(self, data: bytes, received_ns: Nanos) -> tuple[MarketEvent, ...]:
        events = decode(data)
        for event in events:
            self.apply(event, received_ns)
        self._long += 1
        if events and (self._long % ONE_IN == 0 or type(events[0]) not in self._met):
            self._met.add(type(events[0]))
            look(data, self._counters.unknown_fields)
        return events
