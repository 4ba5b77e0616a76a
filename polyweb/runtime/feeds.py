"""The two sources of market data an engine can follow: the venue's sockets, or a recording played as if it were live.

Law: a source says when it is down before anybody could act on its last words.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from markets import metrics
from markets.domain.events import Frame
from markets.domain.units import NANOS_PER_MILLI, AssetId, Nanos
from markets.feed.client import FeedClient, FeedState
from markets.feed.frames import venue_time_ns
from markets.feed.replay import paced, restamped
from polyweb.runtime.inbox import FeedDown, FeedUp, Item
from polyweb.runtime.views import Json

LATENCIES_KEPT = 500
RATE_WINDOW_S = 5.0


class Pulse:
    """Frames per second and the newest delays between the venue's time and ours."""

    def __init__(self, now_ns: Callable[[], Nanos] = time.time_ns) -> None:
        self._now_ns = now_ns
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
                metrics.FEED_LATENCY.observe(max(0.0, delay_ms / 1_000))

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


class LiveFeed:
    """The market channel over real sockets."""

    def __init__(self, url: str, push: Callable[[Item], None]) -> None:
        self._push = push
        self._pulse = Pulse()
        self._up: dict[int, set[AssetId]] = {}
        self._client = FeedClient(url, on_frame=self._frame, on_state=self._state, rng=random.Random())

    async def run(self) -> None:
        await self._client.run()

    def set_assets(self, assets: Sequence[AssetId]) -> None:
        self._client.set_assets(assets)

    def resync(self, assets: Sequence[AssetId], reason: str) -> None:
        self._client.resync(assets, reason)

    def summary(self) -> Json:
        up = sum(bool(assets) for assets in self._up.values())
        sockets = {"up": up, "sockets": self._client.sockets, "reconnects": self._client.reconnects}
        return sockets | self._pulse.summary()

    def _frame(self, frame: Frame) -> None:
        self._pulse.beat(frame)
        self._push(frame)

    def _state(self, state: FeedState) -> None:
        if state.up:
            self._up.setdefault(state.connection, set()).update(state.assets)
            self._push(FeedUp(state.at_ns, state.assets))
        else:
            self._up.get(state.connection, set()).difference_update(state.assets)
            self._push(FeedDown(state.at_ns, state.assets, state.reason))


class RecordedFeed:
    """A recording in the place of the venue, restamped to now. When it ends the books end with it."""

    def __init__(self, frames: Iterable[Frame], speed: float, push: Callable[[Item], None]) -> None:
        self._frames = frames
        self._speed = speed
        self._push = push
        self._pulse = Pulse()
        self._assets: tuple[AssetId, ...] = ()
        self._playing = asyncio.Event()
        self.ended = asyncio.Event()

    async def run(self) -> None:
        await self._playing.wait()
        self._push(FeedUp(time.time_ns(), self._assets))
        async for frame in paced(self._frames, self._speed):
            now = restamped(frame, time.time_ns())
            self._pulse.beat(now)
            self._push(now)
        self.ended.set()
        self._push(FeedDown(time.time_ns(), self._assets, "recording ended"))
        await asyncio.Event().wait()

    def set_assets(self, assets: Sequence[AssetId]) -> None:
        """A recording holds what it holds; it starts once the engine knows its markets."""
        self._assets = tuple(assets)
        self._playing.set()

    def resync(self, assets: Sequence[AssetId], reason: str) -> None:
        """A recording cannot be asked again: the next snapshot in it reseeds the book."""

    def summary(self) -> Json:
        up = int(self._playing.is_set() and not self.ended.is_set())
        return {"up": up, "sockets": 1} | self._pulse.summary()
