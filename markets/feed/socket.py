"""One socket of one shard: its connection, and the next one when that ends.

Law: a connection that cannot be trusted to be alive is ended, whether it is silent, says only PONG, or says too much.
Whatever ended it, its owner hears that its tokens are down before the next one opens.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Literal, Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from markets.domain.events import Frame
from markets.domain.units import AssetId, Nanos
from markets.feed.filters import event_type_of
from markets.feed.messages import BatchConnection
from markets.feed.pacing import Backoff, DataWatch, FeedTimes
from markets.feed.subscription import (
    PING,
    PONG,
    Liveness,
    Pulse,
    ResyncQueue,
    opening,
    subscribe,
    unsubscribe,
)

MAX_FRAME_BYTES = 16 << 20
SEND_TIMEOUT_S = 10.0
HOLD_S = 0.01
LATE_S = 1.0  # a loop that wakes later than this has not listened either
PROBED = 4  # tokens a quiet connection is asked for at once: not every token has a book
LIFELESS = frozenset({"frozen", "silent"})
TOO_BIG = 1009


class FeedDead(Exception):
    """A connection was open but lifeless. `kind` is a bounded label."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


class RotationDue(Exception):
    """A healthy connection that has lived long enough."""


class Owner(Protocol):
    """What a socket needs of the client it belongs to."""

    url: str
    proxy: Literal[True] | None
    times: FeedTimes

    def next_connection(self) -> int: ...

    def now_ns(self) -> Nanos: ...

    def chance(self) -> float: ...

    def slot_s(self) -> float: ...

    def tokens(self, shard: int) -> tuple[AssetId, ...]: ...

    def holding_back(self) -> bool: ...

    def may_rotate(self, shard: int, side: int) -> bool: ...

    def heard(self, shard: int, side: int, frames: Sequence[Frame]) -> None: ...

    def said(self, socket: "ShardSocket", up: bool, assets: tuple[AssetId, ...], reason: str) -> None: ...

    def ended(self, kind: str) -> None: ...


class ShardSocket:
    """Connection after connection for one side of one shard.

    Its tokens are `up` from the first data of a connection to its end; `lifeless` when that was open and said nothing.
    """

    def __init__(self, owner: Owner, shard: int, side: int = 0) -> None:
        self.shard = shard
        self.side = side
        self.connection = 0
        self.up: dict[AssetId, None] = {}
        self.lifeless = False
        self._talking = False
        self._probed = 0
        times = owner.times
        self._owner = owner
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._outgoing: list[str] = []
        self._resyncs = ResyncQueue(every_s=times.resync_every_s, rest_s=times.resync_rest_s, chance=owner.chance)
        self._watch = DataWatch(times)
        self._backoff = Backoff(times)
        self._opened_s = 0.0
        # The sides of a shard are replaced half a lifetime apart: the second one's first life is a half.
        self._life_s = times.rotate_s / (1 + side)

    def start(self, tasks: asyncio.TaskGroup) -> None:
        self._task = tasks.create_task(self._run(), name=f"market-feed-{self.shard}-{self.side}")

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def change(self, added: tuple[AssetId, ...], removed: tuple[AssetId, ...]) -> None:
        """Tell the open connection; one that is still to open will name the right tokens anyway."""
        if not self._talking:
            return
        if removed:
            self._outgoing.append(unsubscribe(removed))
            self._resyncs.forget(removed)
            self._say(False, tuple(asset for asset in removed if asset in self.up), "unsubscribed")
        if added:
            self._outgoing.append(subscribe(added))
            self._watch.asked(time.monotonic(), self._owner.times.opening_s)
            if self._watch.spoke:
                self._say(True, added, "subscribed")
        self._wake.set()

    def resync(self, assets: tuple[AssetId, ...]) -> None:
        if self.up:
            self._resyncs.wish(assets)
            self._wake.set()

    def missed(self) -> None:
        """The venue's books moved on and this socket did not say so."""
        self._watch.missed(time.monotonic())
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._owner.slot_s())
            self._opened_s = time.monotonic()
            kind = await self._connect_once()
            self._owner.ended(kind)
            if kind == "rotated":
                self._life_s = self._owner.times.rotate_s
                continue
            lived_s = time.monotonic() - self._opened_s
            await asyncio.sleep(
                self._backoff.pause_s(lived_s=lived_s, spoke=self._watch.spoke, chance=self._owner.chance())
            )

    async def _connect_once(self) -> str:
        """One connection from opening to its end, whose kind it returns; its tokens are down then, whatever it is."""
        kind, reason = "stopped", "stopped"
        times = self._owner.times
        self._watch.opened(time.monotonic())
        try:
            async with connect(
                self._owner.url,
                compression=None,
                ping_interval=None,  # the venue does not answer protocol pings reliably
                open_timeout=times.open_s,
                close_timeout=1,
                max_size=MAX_FRAME_BYTES,
                proxy=self._owner.proxy,
                create_connection=BatchConnection,
            ) as connection:
                assert isinstance(connection, BatchConnection)
                await self._converse(connection)
        except* ConnectionClosed as closed:
            first = _first(closed)
            sent = first.sent if isinstance(first, ConnectionClosed) else None
            kind = "oversized" if sent is not None and sent.code == TOO_BIG else "closed"
            reason = f"closed: {first}"
        except* FeedDead as dead:
            first = _first(dead)
            kind = first.kind if isinstance(first, FeedDead) else "dead"
            reason = f"dead: {first}"
        except* RotationDue:
            kind = reason = "rotated"
        except* (OSError, WebSocketException, TimeoutError) as failed:
            kind, reason = "failed", f"failed: {type(_first(failed)).__name__}: {_first(failed)}"
        finally:
            self._talking, self.lifeless = False, kind in LIFELESS
            self._say(False, tuple(self.up), reason)
        return kind

    async def _converse(self, connection: BatchConnection) -> None:
        owner = self._owner
        assets = owner.tokens(self.shard)
        self.connection = owner.next_connection()
        self._outgoing.clear()
        await connection.send(opening(assets))
        self._talking, self.lifeless = True, False
        now_s = time.monotonic
        life = Liveness(now_s(), ping_s=owner.times.ping_s, silence_s=owner.times.silence_s)
        self._watch.opened(now_s())

        def hear(messages: list[bytes]) -> bool:
            life.heard(now_s())
            if PONG in messages:
                messages = [message for message in messages if message != PONG]
            if messages:
                self._heard(messages, now_s())
            return not owner.holding_back()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep(connection, life), name=f"market-feed-keep-{self.shard}-{self.side}")
            try:
                await self._hold()
                connection.listen(hear)
                while True:
                    await connection.rest()
                    await self._hold()
                    connection.go_on()
            finally:
                connection.deafen()

    async def _hold(self) -> None:
        """TCP slows the venue down while we do not read."""
        while self._owner.holding_back():
            await asyncio.sleep(HOLD_S)
            self._watch.deaf(time.monotonic())

    def _heard(self, messages: Sequence[bytes], now_s: float) -> None:
        """A connection brings its tokens up with the first data: until then it is open and proves nothing."""
        watch, owner = self._watch, self._owner
        awaited, spoke = watch.awaits, watch.spoke
        answered = awaited and event_type_of(messages[0]) == "book"
        told = messages[1:] if answered else messages
        watch.heard(now_s, live=any(not message.startswith(b"[") for message in told))
        if awaited:
            self._wake.set()  # quiet is due sooner than the answer would have been
        if not spoke:
            self._say(True, owner.tokens(self.shard), "connected")
        at_ns, connection = owner.now_ns(), self.connection
        owner.heard(self.shard, self.side, [Frame(at_ns, connection, message) for message in messages])

    async def _keep(self, connection: ClientConnection, life: Liveness) -> None:
        """Send what is to be sent, ping in time, and end a connection that has gone silent or old."""
        due_s = time.monotonic()
        while True:
            now_s = time.monotonic()
            if now_s - due_s > LATE_S:
                self._watch.deaf(now_s)
            pulse = life.pulse(now_s)
            if pulse is Pulse.DEAD:
                self._give_up(connection, "silent", f"nothing heard for {self._owner.times.silence_s:g} s")
            verdict = self._watch.verdict(now_s)
            if verdict:
                self._give_up(connection, "frozen", verdict)
            if self._old_s(now_s) <= 0 and self._owner.may_rotate(self.shard, self.side):
                raise RotationDue
            messages, self._outgoing = self._outgoing, []
            due = self._resyncs.due(now_s)
            due = due or (self._to_probe() if self._watch.quiet(now_s) else ())
            if due:
                messages += [unsubscribe(due), subscribe(due)]
                self._watch.asked(now_s, self._owner.times.answer_s)
            if pulse is Pulse.PING:
                messages.append(PING)
            async with asyncio.timeout(SEND_TIMEOUT_S):
                for message in messages:
                    await connection.send(message)
            due_s = time.monotonic()
            if not self._outgoing:
                due_s += await self._rest(life.wait_s(now_s), now_s)

    def _to_probe(self) -> tuple[AssetId, ...]:
        """The next few of its tokens, in turn."""
        known = tuple(self.up)
        first, count = self._probed, min(PROBED, len(known))
        self._probed += count
        return tuple(known[(first + place) % len(known)] for place in range(count))

    def _give_up(self, connection: ClientConnection, kind: str, detail: str) -> None:
        """End the connection without a goodbye, which a dead one would not answer. Always raises."""
        connection.transport.abort()
        raise FeedDead(kind, detail)

    def _old_s(self, now_s: float) -> float:
        """Seconds until the connection's planned end; infinite without one."""
        return self._opened_s + self._life_s - now_s if self._life_s > 0 else float("inf")

    async def _rest(self, ping_wait_s: float, now_s: float) -> float:
        """Sleep until something is due; for how long at most. One that may not rotate yet looks again with the next
        ping.
        """
        waits = [ping_wait_s, self._resyncs.wait_s(now_s), self._watch.wait_s(now_s)]
        if (old_s := self._old_s(now_s)) > 0:
            waits.append(old_s)
        try:
            async with asyncio.timeout(min(waits)):
                await self._wake.wait()
            self._wake.clear()
        except TimeoutError:
            pass
        return min(waits)

    def _say(self, up: bool, assets: tuple[AssetId, ...], reason: str) -> None:
        if not assets:
            return
        for asset in assets:
            if up:
                self.up[asset] = None
            else:
                self.up.pop(asset, None)
        self._owner.said(self, up, assets, reason)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first plain exception of a possibly nested group."""
    inner: BaseException = group
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    return inner
