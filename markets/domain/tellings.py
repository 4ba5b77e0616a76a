"""Who tells a market: of the connections of one recorded run, one at a time is believed about it.

Law: a market is told by the connection that named it first, until that names it no more; then by the next that does,
from a cut on. While it waits for a snapshot, whichever connection brings one takes over. So a reconnect is a cut, and
the second socket of a redundant pair is a twin.
"""

import re
from collections.abc import Iterator

from markets.domain.cuts import Cut, Recorded, Twin
from markets.domain.decode import named_markets
from markets.domain.events import Frame
from markets.domain.units import ConditionId

_BOOK = re.compile(rb'"event_type"\s*:\s*"book"')  # also inside the array that opens a connection


class Tellings:
    """One run of a recording, read twice: `note` every frame first, then `sort` them in the same order."""

    def __init__(self) -> None:
        self._last: dict[tuple[int, ConditionId], int] = {}
        self._connections: set[int] = set()
        self._noted = 0
        self._sorted = 0
        self._teller: dict[ConditionId, int] = {}
        self._waiting: set[ConditionId] = set()

    def note(self, frame: Frame) -> None:
        self._noted += 1
        if not frame.connection:
            return
        self._connections.add(frame.connection)
        for market in named_markets(frame.data):
            self._last[frame.connection, market] = self._noted

    def sort(self, frame: Frame) -> Iterator[Recorded]:
        """The frame, after a cut where another connection takes over; or the twin of one that is told already."""
        self._sorted += 1
        if not frame.connection or len(self._connections) == 1:
            yield frame
            return
        named = named_markets(frame.data)
        taken = {market for market in named if self._may_tell(market, frame)}
        if named and not taken:
            yield Twin(frame)
            return
        cut = tuple(
            sorted(market for market in taken if self._teller.get(market, frame.connection) != frame.connection)
        )
        if cut:
            self._waiting.update(cut)
            yield Cut(frame.received_ns, cut)
        for market in taken:
            self._teller[market] = frame.connection
        if self._waiting and _BOOK.search(frame.data):
            self._waiting -= taken
        yield frame

    def _may_tell(self, market: ConditionId, frame: Frame) -> bool:
        teller = self._teller.get(market, frame.connection)
        if teller == frame.connection or self._last.get((teller, market), 0) < self._sorted:
            return True
        return market in self._waiting and _BOOK.search(frame.data) is not None
