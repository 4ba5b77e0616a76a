"""The feed client: sockets to the venue's market channel, kept alive, their frames handed on untouched.

Law: whoever reads the books is told that tokens are down before anything else arrives. Decoding is not done here;
callbacks are plain functions and must not block.
"""

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from markets.domain.events import Frame
from markets.domain.units import AssetId, Nanos
from markets.feed.filters import FrameFilter
from markets.feed.pacing import DEFAULT_TIMES, FeedTimes, Stagger
from markets.feed.redundancy import SIDES, Merger, SideCount
from markets.feed.socket import ShardSocket
from markets.feed.subscription import TOKENS_PER_SOCKET, Shards

__all__ = ["FeedClient", "FeedState", "FeedTimes", "is_local"]

log = logging.getLogger(__name__)

LOCAL = ("127.0.0.1", "localhost", "::1")


def is_local(url: str) -> bool:
    return urlsplit(url).hostname in LOCAL


@dataclass(frozen=True, slots=True)
class FeedState:
    """These tokens are (`up`) or are no longer delivered, as of that connection's rise or fall.

    `frozen`: the connection was open and said nothing any more.
    """

    at_ns: Nanos
    up: bool
    assets: tuple[AssetId, ...]
    connection: int
    reason: str
    frozen: bool = False


def _never() -> bool:
    return False


class FeedClient:
    """Subscribes to what `set_assets` names, on as many sockets as it takes, until `run` is cancelled.

    `on_frame` gets every frame but PONG that is news and passes `passing`, in order per shard; `on_raw` gets every
    frame of every socket before that; `on_state` hears of tokens coming and going. `sides` sockets serve each shard.
    While `held_back` says so nothing is read.
    """

    def __init__(
        self,
        url: str,
        *,
        on_frame: Callable[[Frame], None],
        on_state: Callable[[FeedState], None],
        rng: random.Random,
        times: FeedTimes = DEFAULT_TIMES,
        tokens_per_socket: int = TOKENS_PER_SOCKET,
        sides: int = 1,
        passing: FrameFilter | None = None,
        on_raw: Callable[[Frame], None] | None = None,
        held_back: Callable[[], bool] = _never,
        clock_ns: Callable[[], Nanos] = time.time_ns,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("ws", "wss") or not parts.hostname:
            raise ValueError(f"market feed URL {url!r} must begin with ws:// or wss:// and name a host")
        if not 1 <= sides <= SIDES:
            raise ValueError(f"{sides} sockets per shard: must be 1 or {SIDES}")
        self.url = url
        self.proxy: Literal[True] | None = None if is_local(url) else True
        self.times = times
        self.passing = passing or FrameFilter()
        self.shards = Shards(tokens_per_socket)
        self.endings: Counter[str] = Counter()
        self._on_frame = on_frame
        self._on_raw = on_raw
        self._on_state = on_state
        self._rng = rng
        self._clock_ns = clock_ns
        self._held_back = held_back
        self._stagger = Stagger(times.stagger_s)
        self._sides = sides
        self._connections = 0
        self._sockets: dict[int, tuple[ShardSocket, ...]] = {}
        self._mergers: dict[int, Merger] = {}
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Keep the sockets going; ends only by cancellation, and then says that every token is down."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                for socket in self._every_socket():
                    socket.start(tasks)
                await asyncio.Event().wait()
            finally:
                self._tasks = None

    def set_assets(self, assets: Sequence[AssetId]) -> None:
        """Subscribe to exactly these tokens, a market's two side by side. Live sockets are told, none is reopened."""
        for change in self.shards.want(assets):
            sockets = self._sockets.get(change.shard)
            if not self.shards.assets(change.shard):
                self._mergers.pop(change.shard, None)
                for socket in self._sockets.pop(change.shard, ()):
                    socket.stop()
            elif sockets is None:
                self._open(change.shard)
            else:
                for socket in sockets:
                    socket.change(change.added, change.removed)

    def _open(self, shard: int) -> None:
        self._sockets[shard] = tuple(ShardSocket(self, shard, side) for side in range(self._sides))
        if self._sides > 1:
            self._mergers[shard] = Merger()
        if self._tasks is not None:
            for socket in self._sockets[shard]:
                socket.start(self._tasks)

    def resync(self, assets: Sequence[AssetId], reason: str) -> None:
        """Ask for fresh snapshots by unsubscribing and subscribing again; coalesced and throttled per token.

        Of two sockets only one is asked: the other goes on telling what happens meanwhile.
        """
        log.info("market_resubscribe", extra={"reason": reason, "assets": list(assets)})
        for asset in assets:
            socket = next((each for each in self._sockets_of(asset) if each.up), None)
            if socket is not None:
                if socket.shard in self._mergers:
                    self._mergers[socket.shard].awaits((asset,))
                socket.resync((asset,))

    def missed(self, asset: AssetId) -> None:
        """The venue's book of this token is newer than anything its sockets have told: they are to prove they live."""
        for socket in self._sockets_of(asset):
            socket.missed()

    # What can be asked

    @property
    def sockets(self) -> int:
        """Sockets that are kept open, whether they are up now or not."""
        return sum(len(sides) for sides in self._sockets.values())

    @property
    def sockets_up(self) -> int:
        return sum(bool(socket.up) for socket in self._every_socket())

    @property
    def reconnects(self) -> int:
        """Connections that ended and were, or will be, opened again."""
        return self.endings.total()

    @property
    def duplicates(self) -> int:
        return sum(merger.duplicates for merger in self._mergers.values())

    def assets_up(self) -> tuple[AssetId, ...]:
        return tuple(dict.fromkeys(asset for socket in self._every_socket() for asset in socket.up))

    def side_counts(self) -> tuple[SideCount, ...]:
        """What each side of redundant sockets brought, over all shards; () without redundancy."""
        totals = tuple(SideCount() for _ in range(self._sides)) if self._sides > 1 else ()
        for merger in self._mergers.values():
            for total, count in zip(totals, merger.sides, strict=True):
                total.frames += count.frames
                total.first += count.first
                total.lead_ns += count.lead_ns
                total.lost += count.lost
        return totals

    def _sockets_of(self, asset: AssetId) -> tuple[ShardSocket, ...]:
        shard = self.shards.shard_of(asset)
        return self._sockets.get(shard, ()) if shard is not None else ()

    def _every_socket(self) -> list[ShardSocket]:
        return [socket for sides in self._sockets.values() for socket in sides]

    # What the sockets ask and say

    def next_connection(self) -> int:
        self._connections += 1
        return self._connections

    def now_ns(self) -> Nanos:
        return self._clock_ns()

    def chance(self) -> float:
        return self._rng.random()

    def slot_s(self) -> float:
        return self._stagger.take(time.monotonic())

    def tokens(self, shard: int) -> tuple[AssetId, ...]:
        return self.shards.assets(shard)

    def holding_back(self) -> bool:
        return self._held_back()

    def may_rotate(self, shard: int, side: int) -> bool:
        """A connection is replaced on schedule only while its twin carries on."""
        return any(other.up for other in self._sockets.get(shard, ()) if other.side != side)

    def heard(self, shard: int, side: int, frames: Sequence[Frame]) -> None:
        if self._on_raw is not None:
            for frame in frames:
                self._on_raw(frame)
        merger = self._mergers.get(shard)
        if merger is not None:
            frames = [frame for frame in frames if merger.take(side, frame)]
        on_frame, passes = self._on_frame, self.passing.passes
        for frame in frames:
            if passes(frame.data):
                on_frame(frame)

    def said(self, socket: ShardSocket, up: bool, assets: tuple[AssetId, ...], reason: str) -> None:
        """Pass on what a socket says of its tokens, unless a twin delivers them anyway."""
        at_ns = self._clock_ns()
        merger = self._mergers.get(socket.shard)
        if merger is not None and up:
            merger.up(socket.side, at_ns)
        elif merger is not None and not socket.up:
            merger.down(socket.side)
        twins = [other for other in self._sockets.get(socket.shard, ()) if other is not socket]
        changed = tuple(asset for asset in assets if not any(asset in twin.up for twin in twins))
        if changed:
            frozen = not up and socket.lifeless
            self._on_state(FeedState(at_ns, up, changed, socket.connection, reason, frozen))

    def ended(self, kind: str) -> None:
        self.endings[kind] += 1
