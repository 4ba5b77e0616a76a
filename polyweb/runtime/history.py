"""The history of one run: what the observer sees goes to the event writer, or nowhere when storing is off.

Law: nothing here waits. What cannot be stored is counted and said; trading never depends on it.
"""

import asyncio
from collections.abc import Sequence

from execution.domain.commands import Command
from markets.domain.events import LastTrade, MarketEvent
from markets.domain.units import Nanos
from markets.feed.resync import ResyncRequest
from markets.store import EventWriter
from polyweb.runtime.observer import Observer
from polyweb.runtime.trader import Trader
from polyweb.runtime.views import Json


class History:
    """Hears of trades from the trader, of every decision from the loop, and of requests for snapshots from the feed."""

    def __init__(self, trader: Trader, writer: EventWriter | None) -> None:
        self._trader = trader
        self._writer = writer
        self._observer = Observer(writer.put) if writer is not None else None

    def heard(self, event: MarketEvent, received_ns: Nanos) -> None:
        if self._observer is not None and type(event) is LastTrade:
            self._observer.traded(self._trader.books, event, received_ns)

    def decided(self, _: Sequence[Command], now_ns: Nanos) -> None:
        if self._observer is not None:
            self._observer.look(self._trader.books, self._trader.decided, now_ns)

    def resynced(self, request: ResyncRequest) -> None:
        """The feed has sent a request for a snapshot: what is only wished for, as of a recording, is none."""
        if self._observer is not None and request.market:
            number = int(request.request_id) if request.request_id.isdecimal() else 0
            self._observer.asked(request.market, request.reason, number, request.at_ns)

    def flush(self) -> None:
        """At every heartbeat. Raises RuntimeError when the writer's thread has died."""
        if self._writer is not None:
            self._writer.flush()

    async def close(self) -> None:
        """Write what waits, for a few seconds at most."""
        if self._writer is not None:
            await asyncio.to_thread(self._writer.close)

    def summary(self) -> Json | None:
        if self._writer is None:
            return None
        counts = self._writer.counts
        return {
            "written": counts.written,
            "waiting": self._writer.waiting,
            "dropped": counts.overflowed + counts.refused + counts.unknown_market,
            "failures": counts.failures,
        }
