"""The feed client: sockets to the venue's market channel, kept alive, their frames handed on untouched.

Law: a connection that cannot be trusted to be alive is ended, and whoever reads its books is told before anything else
arrives. Decoding is not done here; callbacks are plain functions and must not block.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from markets.domain.events import Frame
from markets.domain.units import AssetId, Nanos
from markets.feed.subscription import (
    PING,
    PONG,
    TOKENS_PER_SOCKET,
    Liveness,
    Pulse,
    ResyncQueue,
    Shards,
    opening,
    subscribe,
    unsubscribe,
)

log = logging.getLogger(__name__)

MAX_FRAME_BYTES = 16 << 20
FRAMES_AHEAD = 1024  # read off the socket but not yet handed on; beyond, TCP slows the venue down
SEND_TIMEOUT_S = 10.0
LOCAL = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class FeedState:
    """These tokens are (`up`) or are no longer delivered by that connection."""

    at_ns: Nanos
    up: bool
    assets: tuple[AssetId, ...]
    connection: int
    reason: str


@dataclass(frozen=True, slots=True)
class FeedTimes:
    """Seconds. A backoff doubles from `backoff_s` to `backoff_cap_s` and is taken between half and whole."""

    open_s: float = 10.0
    ping_s: float = 10.0
    silence_s: float = 30.0
    backoff_s: float = 0.5
    backoff_cap_s: float = 30.0
    resync_every_s: float = 0.5
    resync_rest_s: float = 5.0


DEFAULT_TIMES = FeedTimes()


class FeedDead(Exception):
    """A connection was open but lifeless."""


class FeedClient:
    """Subscribes to what `set_assets` names, on as many sockets as it takes, until `run` is cancelled.

    `on_frame` gets every frame but PONG, in order per connection; `on_state` hears of tokens coming and going.
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
        clock_ns: Callable[[], Nanos] = time.time_ns,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("ws", "wss") or not parts.hostname:
            raise ValueError(f"market feed URL {url!r} must begin with ws:// or wss:// and name a host")
        self.url = url
        self.proxy: Literal[True] | None = None if parts.hostname in LOCAL else True
        self.on_frame = on_frame
        self.on_state = on_state
        self.rng = rng
        self.times = times
        self.clock_ns = clock_ns
        self.shards = Shards(tokens_per_socket)
        self.reconnects = 0
        self._connections = 0
        self._sockets: dict[int, _Socket] = {}
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Keep the sockets going; ends only by cancellation, and then says that every token is down."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                for socket in self._sockets.values():
                    socket.start(tasks)
                await asyncio.Event().wait()
            finally:
                self._tasks = None

    def set_assets(self, assets: Sequence[AssetId]) -> None:
        """Subscribe to exactly these tokens, a market's two side by side. Live sockets are told, none is reopened."""
        for change in self.shards.want(assets):
            socket = self._sockets.get(change.shard)
            if not self.shards.assets(change.shard):
                if socket is not None:
                    del self._sockets[change.shard]
                    socket.stop()
                continue
            if socket is None:
                socket = self._sockets[change.shard] = _Socket(self, change.shard)
                if self._tasks is not None:
                    socket.start(self._tasks)
            else:
                socket.change(change.added, change.removed)

    def resync(self, assets: Sequence[AssetId], reason: str) -> None:
        """Ask for fresh snapshots by unsubscribing and subscribing again; coalesced and throttled per token."""
        log.info("market_resync", extra={"reason": reason, "assets": list(assets)})
        for asset in assets:
            shard = self.shards.shard_of(asset)
            if shard is not None and shard in self._sockets:
                self._sockets[shard].resync((asset,))

    @property
    def sockets(self) -> int:
        """Sockets that are kept open, whether they are up now or not."""
        return len(self._sockets)

    def next_connection(self) -> int:
        self._connections += 1
        return self._connections


class _Socket:
    """One shard's connection and its next ones."""

    def __init__(self, client: FeedClient, shard: int) -> None:
        self._client = client
        self._shard = shard
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._outgoing: list[str] = []
        self._resyncs = ResyncQueue(every_s=client.times.resync_every_s, rest_s=client.times.resync_rest_s)
        self._connection = 0
        self._up: dict[AssetId, None] = {}
        self._heard = False

    def start(self, tasks: asyncio.TaskGroup) -> None:
        self._task = tasks.create_task(self._run(), name=f"market-feed-{self._shard}")

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def change(self, added: tuple[AssetId, ...], removed: tuple[AssetId, ...]) -> None:
        """Tell the open connection; one that is still to open will name the right tokens anyway."""
        if not self._up:
            return
        if removed:
            self._outgoing.append(unsubscribe(removed))
            self._resyncs.forget(removed)
            self._say(False, removed, "unsubscribed")
        if added:
            self._outgoing.append(subscribe(added))
            self._say(True, added, "subscribed")
        self._wake.set()

    def resync(self, assets: tuple[AssetId, ...]) -> None:
        if self._up:
            self._resyncs.wish(assets)
            self._wake.set()

    async def _run(self) -> None:
        attempt = 0
        while True:
            await self._connect_once()
            attempt = 1 if self._heard else attempt + 1
            self._client.reconnects += 1
            await asyncio.sleep(self._backoff_s(attempt))

    def _backoff_s(self, attempt: int) -> float:
        times = self._client.times
        ceiling = min(times.backoff_cap_s, times.backoff_s * 2 ** min(attempt - 1, 16))
        return self._client.rng.uniform(ceiling / 2, ceiling)

    async def _connect_once(self) -> None:
        """One connection from opening to its end; its tokens are said to be down whatever ended it."""
        self._heard = False
        reason = "stopped"
        try:
            async with connect(
                self._client.url,
                compression=None,
                ping_interval=None,  # the venue does not answer protocol pings reliably
                open_timeout=self._client.times.open_s,
                close_timeout=1,
                max_size=MAX_FRAME_BYTES,
                max_queue=FRAMES_AHEAD,
                proxy=self._client.proxy,
            ) as connection:
                await self._converse(connection)
        except* ConnectionClosed as closed:
            reason = f"closed: {_first(closed)}"
        except* FeedDead as dead:
            reason = f"dead: {_first(dead)}"
        except* (OSError, WebSocketException, TimeoutError) as failed:
            reason = f"failed: {type(_first(failed)).__name__}: {_first(failed)}"
        finally:
            self._say(False, tuple(self._up), reason)

    async def _converse(self, connection: ClientConnection) -> None:
        client = self._client
        assets = client.shards.assets(self._shard)
        self._connection = client.next_connection()
        self._outgoing.clear()
        await connection.send(opening(assets))
        self._say(True, assets, "connected")
        now_s = time.monotonic
        life = Liveness(now_s(), ping_s=client.times.ping_s, silence_s=client.times.silence_s)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep(connection, life), name=f"market-feed-keep-{self._shard}")
            while True:
                data = await connection.recv(decode=False)
                life.heard(now_s())
                self._heard = True
                if data != PONG:
                    client.on_frame(Frame(client.clock_ns(), self._connection, data))

    async def _keep(self, connection: ClientConnection, life: Liveness) -> None:
        """Send what is to be sent, ping in time, and end a connection that has gone silent."""
        while True:
            now_s = time.monotonic()
            pulse = life.pulse(now_s)
            if pulse is Pulse.DEAD:
                connection.transport.abort()
                raise FeedDead(f"nothing heard for {self._client.times.silence_s:g} s")
            messages, self._outgoing = self._outgoing, []
            due = self._resyncs.due(now_s)
            if due:
                messages += [unsubscribe(due), subscribe(due)]
            if pulse is Pulse.PING:
                messages.append(PING)
            async with asyncio.timeout(SEND_TIMEOUT_S):
                for message in messages:
                    await connection.send(message)
            if not self._outgoing:
                await self._rest(min(life.wait_s(now_s), self._resyncs.wait_s(now_s)))

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    def _say(self, up: bool, assets: tuple[AssetId, ...], reason: str) -> None:
        if not assets:
            return
        for asset in assets:
            if up:
                self._up[asset] = None
            else:
                self._up.pop(asset, None)
        state = FeedState(self._client.clock_ns(), up, assets, self._connection, reason)
        self._client.on_state(state)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first plain exception of a possibly nested group."""
    inner: BaseException = group
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    return inner
