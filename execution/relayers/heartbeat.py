"""The chain of heartbeats: the venue's dead-man switch for the orders of one API key.

Law: one sender, one beat at a time, each with the id the last one was answered with. A chain that may have lapsed means
our orders are assumed gone, told once, before the next good beat is.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from execution.relayers.errors import shortened
from execution.relayers.http import Answered, Lost

log = structlog.get_logger(__name__)

EVERY_S = 5.0
# The venue cancels 10 to 15 s after the last good beat: from here on they may be gone.
LAPSES_S = 10.0
_RETRY_S = 1.0

Post = Callable[[str], Awaitable[Answered]]


@dataclass(frozen=True, slots=True)
class Beats:
    """How often, and after how long a silence the venue cancels."""

    every_s: float = EVERY_S
    lapses_s: float = LAPSES_S
    retry_s: float = _RETRY_S


class HeartbeatChain:
    """`on_missed` hears once per lapse that resting orders must be assumed gone; `on_kept` that a new chain holds."""

    def __init__(
        self,
        post: Post,
        *,
        on_missed: Callable[[str], None],
        on_kept: Callable[[], None],
        beats: Beats | None = None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._post = post
        self._on_missed = on_missed
        self._on_kept = on_kept
        self._beats = beats or Beats()
        self._now_s = now_s
        self._id = ""
        self._good_s: float | None = None
        self._missed = False
        self.problem = ""  # why the last beat did not do; empty when it did
        self._one_at_a_time = asyncio.Lock()
        self._beating = asyncio.Event()
        self._beating.set()

    @property
    def armed(self) -> bool:
        """A beat has been answered: from now on the venue cancels when they stop."""
        return self._good_s is not None

    @property
    def holds(self) -> bool:
        return self.armed and not self._missed

    async def run(self) -> None:
        """Beat until cancelled. What comes too late is told when it is due, not when the next beat is answered."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch(), name="heartbeat-watch")
            while True:
                await self._beating.wait()
                good = await self.beat()
                await asyncio.sleep(self._beats.every_s if good else self._beats.retry_s)

    def let_lapse(self, on: bool) -> None:
        """Send no beat until told otherwise: the venue takes down whatever rests."""
        if on:
            self._beating.clear()
        else:
            self._beating.set()

    async def beat(self) -> bool:
        """Send one beat, and once more with the id the venue expects; True when the chain holds."""
        async with self._one_at_a_time:
            reply = await self._post(self._id)
            expected = _expected(reply)
            if expected is not None:
                log.warning("heartbeat_id_corrected")
                reply = await self._post(expected)
            heard = _next_id(reply)
            if heard is None:
                self.problem = _why(reply)
                log.warning("heartbeat_failed", reason=self.problem)
                self._lapse(f"the last beat was not answered: {self.problem}")
                return False
            self._lapse("the beat was answered too late")
            self._id, self._good_s, self.problem = heard, self._now_s(), ""
            if self._missed:
                self._missed = False
                self._on_kept()
            return True

    async def _watch(self) -> None:
        """A post may hang for long: whether the chain has lapsed is asked of the clock, not of the post."""
        while True:
            await asyncio.sleep(self._beats.retry_s)
            self._lapse("no beat was answered in time")

    def _lapse(self, reason: str) -> None:
        if self._missed or self._good_s is None or self._now_s() - self._good_s < self._beats.lapses_s:
            return
        self._missed = True
        log.error("heartbeat_missed", reason=reason)
        self._on_missed(reason)


def _expected(reply: Answered) -> str | None:
    """The id the venue wanted instead, "" for a new chain; None when it did not object to the id."""
    if isinstance(reply, Lost) or reply.status != 400 or not isinstance(reply.body, dict):
        return None
    heard = reply.body.get("heartbeat_id")
    return heard if isinstance(heard, str) else None


def _next_id(reply: Answered) -> str | None:
    if isinstance(reply, Lost) or not reply.ok or not isinstance(reply.body, dict):
        return None
    heard = reply.body.get("heartbeat_id")
    return heard if isinstance(heard, str) and heard else None


def _why(reply: Answered) -> str:
    return reply.detail if isinstance(reply, Lost) else f"HTTP {reply.status}: {shortened(reply.said, 120)}"


def beat_body(heartbeat_id: str) -> bytes:
    return b'{"heartbeat_id":"%b"}' % heartbeat_id.encode("ascii", "ignore")
