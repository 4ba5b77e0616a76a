"""The client of the user channel: one socket, kept alive, its words turned into outcomes.

Law: every word is passed on as it comes, but the feed is trusted only when, on this very connection, the venue has
answered and orders and trades have been read again. Callbacks are plain functions and must not block.
"""

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal
from urllib.parse import urlsplit

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from execution.domain.commands import Outcome
from execution.domain.decode import decode_words
from execution.domain.ours import OurOrders
from execution.relayers.base import Ok, Unavailable
from execution.signing import ApiCredentials
from execution.user_feed.catch_up import CaughtUp
from markets.domain.events import Frame
from markets.domain.fees import FeeSchedule
from markets.domain.units import ConditionId, Nanos
from markets.feed.client import is_local
from markets.feed.pacing import DEFAULT_TIMES, Backoff, FeedTimes
from markets.feed.subscription import PING, PONG, Liveness, Pulse

log = structlog.get_logger(__name__)

MAX_FRAME_BYTES = 4 << 20
SEND_TIMEOUT_S = 10.0
CATCH_UP_RETRY_S = 2.0


class Trust(StrEnum):
    """How far what we know of our orders can be relied on."""

    DOWN = "down"
    CATCHING_UP = "catching up"
    TRUSTED = "trusted"


@dataclass(frozen=True, slots=True)
class UserFeedState:
    trust: Trust
    at_ns: Nanos
    connection: int
    reason: str


class Silent(Exception):
    """The connection was open and said nothing, not even PONG."""


def opening(credentials: ApiCredentials, markets: Sequence[ConditionId] = ()) -> str:
    """The first message. Without markets it is all of them, whatever the width of their ids."""
    auth = {"apiKey": credentials.key, "secret": credentials.secret, "passphrase": credentials.passphrase}
    message: dict[str, object] = {"type": "user", "auth": auth}
    if markets:
        message["markets"] = list(markets)
    return json.dumps(message, separators=(",", ":"))


def _ignore(_: object) -> None:
    """For callers who do not record."""


class UserFeed:
    """Runs until cancelled. `on_state` hears of every change of trust, `on_frame` of every frame before it is read."""

    def __init__(
        self,
        url: str,
        credentials: ApiCredentials,
        orders: OurOrders,
        *,
        fees: Callable[[ConditionId], FeeSchedule],
        catch_up: Callable[[], Awaitable[Ok[CaughtUp] | Unavailable]],
        on_outcome: Callable[[Outcome], None],
        on_state: Callable[[UserFeedState], None],
        on_frame: Callable[[Frame], None] = _ignore,
        rng: random.Random,
        times: FeedTimes = DEFAULT_TIMES,
        catch_up_retry_s: float = CATCH_UP_RETRY_S,
        now_ns: Callable[[], Nanos] = time.time_ns,
    ) -> None:
        if urlsplit(url).scheme not in ("ws", "wss"):
            raise ValueError(f"user channel URL {url!r} must begin with ws:// or wss://")
        self.url = url
        self.state = UserFeedState(Trust.DOWN, now_ns(), 0, "not connected yet")
        self.faults = 0  # messages that could not be read
        self.strangers = 0  # words about orders we do not know
        self._credentials = credentials
        self._orders = orders
        self._fees = fees
        self._catch_up = catch_up
        self._on_outcome = on_outcome
        self._on_state = on_state
        self._on_frame = on_frame
        self._rng = rng
        self._times = times
        self._retry_s = catch_up_retry_s
        self._now_ns = now_ns
        self._proxy: Literal[True] | None = None if is_local(url) else True
        self._connection = 0
        self._answered = asyncio.Event()
        self._doubted = asyncio.Event()

    @property
    def trusted(self) -> bool:
        return self.state.trust is Trust.TRUSTED

    def distrust(self, reason: str) -> None:
        """Something else said that what we know may be wrong (a lapsed heartbeat): read orders and trades again."""
        if self.state.trust is not Trust.DOWN:
            self._become(Trust.CATCHING_UP, reason)
            self._doubted.set()

    async def run(self) -> None:
        backoff = Backoff(self._times)
        while True:
            opened_s = time.monotonic()
            reason = await self._connect_once()
            log.warning("user_feed_down", reason=reason)
            lived_s = time.monotonic() - opened_s
            pause_s = backoff.pause_s(lived_s=lived_s, spoke=self._answered.is_set(), chance=self._rng.random())
            await asyncio.sleep(pause_s)

    async def _connect_once(self) -> str:
        """One connection from opening to its end, whose reason it returns; nothing is trusted then."""
        reason = "stopped"
        self._answered.clear()
        self._doubted.set()
        try:
            async with connect(
                self.url,
                compression=None,
                ping_interval=None,  # the venue does not answer protocol pings reliably
                open_timeout=self._times.open_s,
                close_timeout=1,
                max_size=MAX_FRAME_BYTES,
                proxy=self._proxy,
            ) as connection:
                await self._converse(connection)
        except* ConnectionClosed as closed:
            reason = f"closed: {_first(closed)}"
        except* Silent as silent:
            reason = f"silent: {_first(silent)}"
        except* (OSError, WebSocketException, TimeoutError) as failed:
            reason = f"failed: {type(_first(failed)).__name__}: {_first(failed)}"
        finally:
            self._become(Trust.DOWN, reason)
        return reason

    async def _converse(self, connection: ClientConnection) -> None:
        self._connection += 1
        await connection.send(opening(self._credentials))
        # Messages are answered in order: the PONG to this proves that the subscription above has been read, so that
        # whatever happens from then on is either told here or found by reading again.
        await connection.send(PING)
        self._become(Trust.CATCHING_UP, "connected")
        life = Liveness(time.monotonic(), ping_s=self._times.ping_s, silence_s=self._times.silence_s)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep(connection, life), name="user-feed-keep")
            tasks.create_task(self._earn_trust(), name="user-feed-catch-up")
            while True:
                data = await connection.recv(decode=False)
                life.heard(time.monotonic())
                self._answered.set()
                if data != PONG:
                    self._heard(Frame(self._now_ns(), self._connection, data))

    async def _keep(self, connection: ClientConnection, life: Liveness) -> None:
        while True:
            now_s = time.monotonic()
            match life.pulse(now_s):
                case Pulse.DEAD:
                    connection.transport.abort()  # a dead one would not answer a goodbye
                    raise Silent(f"nothing heard for {self._times.silence_s:g} s")
                case Pulse.PING:
                    async with asyncio.timeout(SEND_TIMEOUT_S):
                        await connection.send(PING)
                case Pulse.NOTHING:
                    pass
            await asyncio.sleep(life.wait_s(now_s))

    async def _earn_trust(self) -> None:
        """Read again whenever there is doubt, as often as it takes."""
        await self._answered.wait()
        while True:
            await self._doubted.wait()
            self._doubted.clear()
            answer = await self._catch_up()
            if isinstance(answer, Unavailable):
                log.warning("user_feed_cannot_catch_up", reason=answer.reason)
                self._doubted.set()
                await asyncio.sleep(self._retry_s)
            elif not self._doubted.is_set():
                self._become(Trust.TRUSTED, f"{len(answer.value.listed)} orders and {answer.value.trades} trades read")

    def _heard(self, frame: Frame) -> None:
        self._on_frame(frame)
        words = decode_words(frame.data)
        for fault in words.faults:
            self.faults += 1
            log.error("user_message_unreadable", fault=fault, data=frame.data[:500].decode("utf-8", "replace"))
        if words.faults:
            self.distrust("a message about our account could not be read")
        meaning = self._orders.understand(words.said, self._fees, frame.received_ns)
        for outcome in meaning.outcomes:
            self._on_outcome(outcome)
        if meaning.strangers:
            self.strangers += len(meaning.strangers)
            log.warning("user_word_about_a_stranger", orders=list(meaning.strangers))

    def _become(self, trust: Trust, reason: str) -> None:
        if trust is self.state.trust:
            return
        self.state = UserFeedState(trust, self._now_ns(), self._connection, reason)
        self._on_state(self.state)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first plain exception of a possibly nested group."""
    inner: BaseException = group
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    return inner
