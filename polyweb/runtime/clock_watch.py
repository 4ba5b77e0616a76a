"""The clock watch: asks the venue for the time now and then, in its own words and in the header of its answer.

Law: it measures and says so through the inbox; the breaker decides. A venue that does not answer proves nothing.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Protocol

import structlog

from execution.relayers.http import Answered, ClobHttp, Reply
from markets.domain.units import NANOS_PER_SECOND, Nanos
from polyweb.runtime.inbox import ClockRead, Item
from risk.domain import clock
from risk.domain.clock import TimeRead

log = structlog.get_logger(__name__)

FIRST_S = 1.0
EVERY_S = 10.0


class Venue(Protocol):
    async def call(self, method: str, path: str) -> Answered: ...

    async def close(self) -> None: ...


def venue_at(url: str) -> Venue:
    """The CLOB at `url`, asked without credentials."""
    return ClobHttp(url, "", None)


class ClockWatch:
    def __init__(self, venue: Venue, push: Callable[[Item], None], now_ns: Callable[[], Nanos] = time.time_ns) -> None:
        self._venue = venue
        self._push = push
        self._now_ns = now_ns
        self._reads: deque[TimeRead] = deque(maxlen=clock.KEPT)

    async def run(self) -> None:
        try:
            await asyncio.sleep(FIRST_S)
            while True:
                await self.look()
                await asyncio.sleep(EVERY_S)
        finally:
            await self._venue.close()

    async def look(self) -> None:
        sent_ns = self._now_ns()
        answer = await self._venue.call("GET", "/time")
        received_ns = self._now_ns()
        told = _told(answer)
        if not told:
            log.info("venue_time_unread", reason=answer.text if isinstance(answer, Reply) else answer.detail)
            return
        self._reads += [TimeRead(sent_ns, received_ns, second * NANOS_PER_SECOND, NANOS_PER_SECOND) for second in told]
        low_ns, high_ns = clock.estimate(tuple(self._reads))
        self._push(ClockRead(received_ns, low_ns, high_ns))


def _told(answer: Answered) -> list[int]:
    """Whole seconds since the epoch: of the body, and of the Date header where it agrees with the body."""
    if not isinstance(answer, Reply) or not answer.ok:
        return []
    text = answer.text.strip()
    if not (text.isascii() and text.isdigit()):
        return []
    told = [int(text)]
    try:
        header = parsedate_to_datetime(answer.headers.get("date", "")).replace(tzinfo=UTC)
    except ValueError:
        return told  # no Date, or none that can be read: the body is enough
    second = int(header.timestamp())
    return [*told, second] if abs(second - told[0]) <= 1 else told
