"""The two sources of market data an engine can follow: the venue's sockets, or a recording played as if it were live.

Law: a source says when it is down before anybody could act on its last words.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from execution.domain.commands import Resync
from markets import metrics
from markets.domain.books import BookSet
from markets.domain.cuts import Cut, Recorded, Twin, cut_assets
from markets.domain.events import Frame
from markets.domain.integrity import Doubt
from markets.domain.units import NANOS_PER_MILLI, AssetId
from markets.feed.client import FeedClient, FeedState, is_local
from markets.feed.filters import FrameFilter
from markets.feed.frames import venue_time_ns
from markets.feed.pacing import DEFAULT_TIMES, FeedTimes
from markets.feed.replay import paced, restamped
from markets.feed.rest import BooksClient
from markets.feed.resync import ResyncRequest, Resyncs
from polyweb.runtime.auditor import Auditor
from polyweb.runtime.clock_watch import ClockWatch, venue_at
from polyweb.runtime.inbox import FeedDown, FeedUp, Item
from polyweb.runtime.views import Json

LATENCIES_KEPT = 500
RATE_WINDOW_S = 5.0
SHOWN_RESYNCS = 20


class MarketFeed(Protocol):
    """The market data the engine follows: the venue's sockets, or a recording that stands in for them."""

    async def run(self) -> None: ...

    def set_assets(self, assets: Sequence[AssetId]) -> None: ...

    def resync(self, command: Resync) -> None: ...

    def summary(self) -> Json: ...


class Pulse:
    """Frames per second and the newest delays between the venue's time and ours."""

    def __init__(self) -> None:
        self._delays_ms: deque[float] = deque(maxlen=LATENCIES_KEPT)
        self._counted = 0
        self._since = time.monotonic()
        self._rate = 0.0

    def beat(self, frame: Frame) -> None:
        self._counted += 1
        if self._counted % 16 == 0:  # reading the venue's time costs more than it tells on every frame
            venue_ns = venue_time_ns(frame.data)
            if venue_ns:
                delay_ms = (frame.received_ns - venue_ns) / NANOS_PER_MILLI
                self._delays_ms.append(delay_ms)
                metrics.observe_latency(frame.received_ns, venue_ns // NANOS_PER_MILLI)

    def summary(self) -> Json:
        elapsed = time.monotonic() - self._since
        if elapsed >= RATE_WINDOW_S:
            self._rate, self._counted, self._since = self._counted / elapsed, 0, time.monotonic()
        rate = self._rate or (self._counted / elapsed if elapsed > 0 else 0.0)
        delays = sorted(self._delays_ms)
        return {
            "frames_per_s": round(rate, 1),
            "latency_ms": round(delays[len(delays) // 2], 1) if delays else None,
        }


# Announcements of any new market whatever, which no book needs and which come in hundreds.
UNWANTED = frozenset({"new_market"})


@dataclass(frozen=True, slots=True)
class FeedPlan:
    """How the live feed is run. Without `clob_url` books are asked for on the socket only and never audited."""

    url: str
    clob_url: str = ""
    sides: int = 1
    audit_s: float = 0.0
    times: FeedTimes = DEFAULT_TIMES


def _nothing(_: object) -> None:
    """Nobody listens."""


def _never() -> bool:
    return False


@dataclass(slots=True)
class FeedWires:
    """What the feed calls besides the inbox; filled in when the engine is put together.

    `raw` gets every frame of every socket as it came, if anybody wants them, `full` says when not to read any.
    """

    raw: Callable[[Frame], None] | None = None
    full: Callable[[], bool] = _never
    on_resync: Callable[[ResyncRequest], None] = _nothing


class LiveFeed:
    """The market channel over real sockets, with the CLOB's books to resync from and to be audited against."""

    def __init__(self, plan: FeedPlan, push: Callable[[Item], None], wires: FeedWires) -> None:
        rng = random.Random()
        self._push = push
        self._wires = wires
        self._twins = plan.sides > 1  # then a socket also brings tokens that came up on the other one
        self._pulse = Pulse()
        self._client = FeedClient(
            plan.url,
            on_frame=self._frame,
            on_state=self._state,
            rng=rng,
            times=plan.times,
            sides=plan.sides,
            passing=FrameFilter(UNWANTED),
            on_raw=wires.raw,
            held_back=lambda: wires.full(),
        )
        self._books = _books_client(plan)
        self._resyncs = Resyncs(
            books=self._books,
            resubscribe=self._client.resync,
            on_frame=self._rest_frame,
            rng=rng,
            on_resync=lambda request: wires.on_resync(request),
            times=plan.times,
        )
        self._auditor = (
            Auditor(
                books=self._books,
                assets=self._client.assets_up,
                push=push,
                rng=rng,
                every_s=plan.audit_s,
            )
            if self._books is not None and plan.audit_s
            else None
        )
        self._clock = ClockWatch(venue_at(plan.clob_url), push) if plan.clob_url else None

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                if self._clock is not None:
                    tasks.create_task(self._clock.run(), name="clock watch")
                tasks.create_task(self._client.run(), name="market sockets")
                tasks.create_task(self._resyncs.run(), name="resyncs")
                if self._auditor is not None:
                    tasks.create_task(self._auditor.run(), name="book audit")
        finally:
            if self._books is not None:
                await self._books.close()

    def set_assets(self, assets: Sequence[AssetId]) -> None:
        self._client.set_assets(assets)

    def resync(self, command: Resync) -> None:
        """Ask for snapshots. A finding of the audit also puts the sockets concerned to the proof."""
        if command.reason == Doubt.AUDIT:
            for asset in command.assets:
                self._client.missed(asset)
        request_id = str(command.request_id) if command.request_id else ""
        self._resyncs.ask(command.condition_id, command.assets, command.reason, request_id)

    def summary(self) -> Json:
        client, resyncs = self._client, self._resyncs
        return self._pulse.summary() | {
            "up": client.sockets_up,
            "sockets": client.sockets,
            "reconnects": client.reconnects,
            "endings": dict(client.endings),
            "filtered": client.passing.filtered,
            "duplicates": client.duplicates,
            "sides": [
                {"frames": side.frames, "first": side.first, "lead_ms": round(side.lead_ms, 3), "lost": side.lost}
                for side in client.side_counts()
            ],
            "resyncs_via": {via.value: count for via, count in resyncs.sent.items()},
            "resync_failures": dict(resyncs.failures),
            "resync_log": resyncs.recent[:SHOWN_RESYNCS],
            "audits": dict(self._auditor.counts) if self._auditor is not None else {},
        }

    def _frame(self, frame: Frame) -> None:
        self._pulse.beat(frame)
        self._resyncs.hear(frame)
        self._push(frame)

    def _rest_frame(self, frame: Frame) -> None:
        """A snapshot over HTTP, or a change told again after it: recorded like any other frame."""
        if self._wires.raw is not None:
            self._wires.raw(frame)
        self._push(frame)

    def _state(self, state: FeedState) -> None:
        if state.up:
            self._push(FeedUp(state.at_ns, state.assets, 0 if self._twins else state.connection))
        else:
            self._push(FeedDown(state.at_ns, state.assets, state.reason, state.frozen))


def _books_client(plan: FeedPlan) -> BooksClient | None:
    """None when there is nobody to ask: a local feed has nothing in common with a venue that is elsewhere."""
    if not plan.clob_url or (is_local(plan.url) and not is_local(plan.clob_url)):
        return None
    return BooksClient(plan.clob_url, proxied=not is_local(plan.clob_url))


class RecordedFeed:
    """A recording in the place of the venue, restamped to now. When it ends the books end with it.

    At a cut in it the tokens concerned go down and come up again; a twin's telling is left out. `books` say which
    tokens a market has.
    """

    def __init__(self, frames: Iterable[Recorded], speed: float, books: BookSet, push: Callable[[Item], None]) -> None:
        self._told = (item for item in frames if not isinstance(item, Twin))
        self._books = books
        self._speed = speed
        self._push = push
        self._pulse = Pulse()
        self._assets: tuple[AssetId, ...] = ()
        self._playing = asyncio.Event()
        self.ended = asyncio.Event()

    async def run(self) -> None:
        await self._playing.wait()
        self._push(FeedUp(time.time_ns(), self._assets))
        async for item in paced(self._told, self._speed):
            if isinstance(item, Cut):
                self._cut(item)
                continue
            now = restamped(item, time.time_ns())
            self._pulse.beat(now)
            self._push(now)
        self.ended.set()
        self._push(FeedDown(time.time_ns(), self._assets, "recording ended"))
        await asyncio.Event().wait()

    def _cut(self, cut: Cut) -> None:
        assets, now_ns = cut_assets(self._books, cut), time.time_ns()
        self._push(FeedDown(now_ns, assets, "the recording breaks off"))
        self._push(FeedUp(now_ns, assets))

    def set_assets(self, assets: Sequence[AssetId]) -> None:
        """A recording holds what it holds; it starts once the engine knows its markets."""
        self._assets = tuple(assets)
        self._playing.set()

    def resync(self, command: Resync) -> None:
        """A recording cannot be asked again: the next snapshot in it reseeds the book."""

    def summary(self) -> Json:
        up = int(self._playing.is_set() and not self.ended.is_set())
        return {"up": up, "sockets": 1} | self._pulse.summary()
