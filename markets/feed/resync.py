"""Resyncs: a book in doubt gets a fresh snapshot, at the least cost to the venue and with a trace of why.

Law: one throttled request per token, coalesced into `POST /books`; where that does not help, the socket is asked by
unsubscribing and subscribing. An HTTP answer races the socket, so changes told while it was under way are told again
after it: a snapshot never hides what came later.
"""

import asyncio
import logging
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Protocol

from markets.domain.events import Frame
from markets.domain.units import NANOS_PER_MILLI, AssetId, ConditionId, Nanos
from markets.feed.filters import event_type_of, market_of
from markets.feed.pacing import DEFAULT_TIMES, FeedTimes
from markets.feed.rest import MAX_IDS, REST_CONNECTION, BooksUnavailable, RestBook
from markets.feed.subscription import ResyncQueue

log = logging.getLogger(__name__)

TOKENS = 2  # of a market
RECENT = 100
HELD_FRAMES = 5_000
RELAPSE_S = 30.0
# These doubt the socket: an answer over HTTP would hide that it says nothing any more.
SOCKET_ONLY = frozenset({"quiet", "silent", "unproven"})
# The socket owes this one; only when it does not pay is HTTP asked.
SOCKET_FIRST = frozenset({"missing_snapshot"})


class Via(StrEnum):
    """How a snapshot was asked for."""

    REST = "rest"
    SOCKET = "socket"


@dataclass(frozen=True, slots=True)
class ResyncRequest:
    """One market's wish for snapshots. `via` and `answered_ns` are known once it was sent and answered."""

    request_id: str
    market: ConditionId
    assets: tuple[AssetId, ...]
    reason: str
    at_ns: Nanos
    via: Via | None = None
    answered_ns: Nanos = 0

    def shown(self) -> dict[str, Any]:
        return {
            "request_id": self.request_id,
            "market": self.market,
            "reason": self.reason,
            "at_ms": self.at_ns // NANOS_PER_MILLI,
            "via": self.via.value if self.via else None,
            "took_ms": (self.answered_ns - self.at_ns) // NANOS_PER_MILLI if self.answered_ns else None,
        }


class Books(Protocol):
    """Where snapshots can be had besides the socket."""

    async def books(self, assets: Sequence[AssetId]) -> tuple[RestBook, ...]: ...


class _Flight:
    """One request on its way, and the changes of its markets told meanwhile."""

    def __init__(self, markets: Sequence[ConditionId]) -> None:
        self.markets = frozenset(markets)
        self.held: list[Frame] = []
        self.overrun = False

    def hear(self, frame: Frame) -> None:
        if market_of(frame.data) not in self.markets or event_type_of(frame.data) != "price_change":
            return
        if len(self.held) < HELD_FRAMES:
            self.held.append(frame)
        else:
            self.overrun = True


def _nobody(_: ResyncRequest) -> None:
    """Nobody keeps the requests."""


class Resyncs:
    """Takes wishes, sends requests. `on_frame` gets snapshots as frames, `on_resync` every request as it is sent.

    Without `books` every request goes by `resubscribe`.
    """

    def __init__(
        self,
        *,
        books: Books | None,
        resubscribe: Callable[[Sequence[AssetId], str], None],
        on_frame: Callable[[Frame], None],
        rng: random.Random,
        on_resync: Callable[[ResyncRequest], None] = _nobody,
        times: FeedTimes = DEFAULT_TIMES,
        clock_ns: Callable[[], Nanos] = time.time_ns,
    ) -> None:
        self.sent: Counter[Via] = Counter()
        self.failures: Counter[str] = Counter()
        self._books = books
        self._resubscribe = resubscribe
        self._on_frame = on_frame
        self._on_resync = on_resync
        self._clock_ns = clock_ns
        self._queue = ResyncQueue(
            every_s=times.resync_every_s, rest_s=times.resync_rest_s, batch=MAX_IDS // TOKENS, chance=rng.random
        )
        self._wishes: dict[ConditionId, ResyncRequest] = {}
        self._last: dict[ConditionId, tuple[Via, float]] = {}
        self._recent: deque[ResyncRequest] = deque(maxlen=RECENT)
        self._flight: _Flight | None = None
        self._wake = asyncio.Event()
        self._unnamed = 0

    @property
    def recent(self) -> list[dict[str, Any]]:
        """The newest requests, newest first, for people."""
        return [request.shown() for request in reversed(self._recent)]

    def ask(self, market: ConditionId, assets: Sequence[AssetId], reason: str, request_id: str = "") -> None:
        """Wish for snapshots of a market's tokens. A wish that still waits keeps its first reason and id."""
        if not request_id:
            self._unnamed += 1
            request_id = f"feed-{self._unnamed}"
        request = ResyncRequest(request_id, market, tuple(assets), reason, self._clock_ns())
        if self._books is None or not market or self._choose(request) is Via.SOCKET:
            self._by_socket(request)
            return
        self._wishes.setdefault(market, request)
        self._queue.wish([market])
        self._wake.set()

    def hear(self, frame: Frame) -> None:
        """Every frame that goes to the books passes here too."""
        if self._flight is not None:
            self._flight.hear(frame)

    async def run(self) -> None:
        """Send what is due, for ever."""
        while True:
            due = self._queue.due(time.monotonic())
            if due:
                await self._fetch([self._wishes.pop(market) for market in due])
            await self._rest(self._queue.wait_s(time.monotonic()))

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds if seconds != float("inf") else None):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    def _choose(self, request: ResyncRequest) -> Via:
        """HTTP, unless the socket itself is in doubt. What did not help a moment ago is not tried again at once."""
        if request.reason in SOCKET_ONLY or len(request.assets) > TOKENS:
            return Via.SOCKET
        last, at_s = self._last.get(request.market, (None, 0.0))
        if last is not None and time.monotonic() - at_s < RELAPSE_S:
            return Via.REST if last is Via.SOCKET else Via.SOCKET
        return Via.SOCKET if request.reason in SOCKET_FIRST else Via.REST

    async def _fetch(self, requests: list[ResyncRequest]) -> None:
        """One batch. What it does not answer goes by the socket."""
        flight = self._flight = _Flight([request.market for request in requests])
        assets = [asset for request in requests for asset in request.assets]
        answer: tuple[RestBook, ...] = ()
        try:
            answer = await self._client().books(assets)
        except BooksUnavailable as error:
            self.failures[error.reason] += 1
            log.warning("books_unavailable", extra={"reason": str(error), "tokens": len(assets)})
        finally:
            self._flight = None
        if flight.overrun:
            self.failures["overrun"] += 1
            answer = ()
        self._deliver(answer, flight)
        answered = {book.market for book in answer}
        for request in requests:
            if request.market in answered:
                self._note(replace(request, via=Via.REST, answered_ns=self._clock_ns()))
            else:
                self._by_socket(request)

    def _client(self) -> Books:
        assert self._books is not None, "wishes are queued only with a client"
        return self._books

    def _deliver(self, answer: Sequence[RestBook], flight: _Flight) -> None:
        """The snapshots, and after them again what was told while they were under way."""
        for book in answer:
            if book.market in flight.markets:
                self._on_frame(Frame(self._clock_ns(), REST_CONNECTION, book.data))
        answered = {book.market for book in answer}
        for frame in flight.held:
            if market_of(frame.data) in answered:
                self._on_frame(Frame(self._clock_ns(), frame.connection, frame.data))

    def _by_socket(self, request: ResyncRequest) -> None:
        self._resubscribe(request.assets, request.reason)
        self._note(replace(request, via=Via.SOCKET))

    def _note(self, request: ResyncRequest) -> None:
        assert request.via is not None, "noted when it was sent"
        self.sent[request.via] += 1
        self._last[request.market] = (request.via, time.monotonic())
        self._recent.append(request)
        fields = {"request_id": request.request_id, "market": request.market, "reason": request.reason}
        log.info("market_resync", extra=fields | {"via": request.via.value})
        self._on_resync(request)
