"""The engine's turns: drain the inbox, fold everything in, decide once, hand the commands over.

Law: one writer. Only a turn touches the trader, and a turn never waits; everything slow lives in tasks beside it.
"""

import asyncio
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from execution.domain.chain import ChainState, ChainTold, ChainWork
from execution.domain.commands import Cancel, Command, Place, Resync
from markets.domain.events import Frame
from markets.domain.integrity import Doubt
from markets.domain.units import Nanos
from markets.feed.backlog import coalesce, is_expendable
from polyweb.runtime.inbox import Decide, Doubted, Item, Spelled, Tick
from polyweb.runtime.rehearsal import digest_of
from polyweb.runtime.state import Fact
from polyweb.runtime.trader import Trader

TICK_S = 0.25
INBOX_LIMIT = 50_000
COALESCE_AT = 10_000
ITEMS_PER_TURN = 2_000
TIMINGS_KEPT = 2_000
# How long a thread that writes rows or recordings may keep the loop waiting; Python's own 5 ms are an age to a quote.
SWITCH_S = 0.000_5


class Feed(Protocol):
    """What the loop asks of the market feed."""

    def resync(self, command: Resync) -> None: ...


class Carrier(Protocol):
    """What the loop asks of the hands: take a command without blocking."""

    def take(self, command: Place | Cancel) -> None: ...


class ChainCarrier(Protocol):
    """What the loop asks of who splits, merges and converts: take a job without blocking."""

    def take(self, work: ChainWork) -> None: ...


class SessionLog(Protocol):
    """Writes down what entered the inbox, for replay."""

    def frame(self, frame: Frame) -> None: ...

    def item(self, item: Spelled, at_ns: Nanos) -> None: ...


def _nothing(_commands: Sequence[Command], _now_ns: Nanos) -> None:
    """Nobody listens."""


class Turns:
    """The inbox and its only reader. `push` may be called from anything running in this event loop."""

    def __init__(
        self,
        *,
        trader: Trader,
        hands: Carrier,
        chain: ChainCarrier | None = None,
        feed: Feed,
        log: SessionLog | None,
        on_facts: Callable[[list[Fact]], None],
        on_turn: Callable[[Nanos], None],
        on_decided: Callable[[Sequence[Command], Nanos], None] = _nothing,
        now_ns: Callable[[], Nanos] = time.time_ns,
    ) -> None:
        self.trader = trader
        trader.stopwatch = time.perf_counter_ns
        self.overflows = 0
        self.coalesced = 0
        self.lag_ms = 0.0
        self._hands = hands
        self._chain = chain
        self._feed = feed
        self._log = log
        self._on_facts = on_facts
        self._on_turn = on_turn
        self._on_decided = on_decided
        self._now_ns = now_ns
        self._items: deque[Item] = deque()
        self._wake = asyncio.Event()
        self._durations: deque[int] = deque(maxlen=TIMINGS_KEPT)
        self._ticked_ns: Nanos = 0
        self._closed = False
        self._look_at = COALESCE_AT

    @property
    def waiting(self) -> int:
        return len(self._items)

    @property
    def full(self) -> bool:
        """Whether sockets should not be read for the moment: what waits now may not be dropped."""
        return len(self._items) >= INBOX_LIMIT

    def push(self, item: Item) -> None:
        self._items.append(item)
        self._wake.set()
        if len(self._items) >= self._look_at and isinstance(item, Frame):
            self._relieve()

    def _relieve(self) -> None:
        """Too much waits: merge price changes, and if that does not help let them go. See docs/market-data.md."""
        before = len(self._items)
        self._items = deque(coalesce(self._items))
        self.coalesced += before - len(self._items)
        if len(self._items) >= INBOX_LIMIT:
            self._overflow()
        rest = len(self._items)
        self._look_at = 2 * rest if rest >= INBOX_LIMIT else min(max(COALESCE_AT, 2 * rest), INBOX_LIMIT)

    def _overflow(self) -> None:
        """More than can be folded in: none of the books can be trusted until their next snapshot.

        Price changes go, everything else stays: a snapshot, a tick change, an outcome or a stop is never dropped.
        """
        self.overflows += 1
        self._items = deque(item for item in self._items if not (isinstance(item, Frame) and is_expendable(item)))
        assets = tuple(asset for market in self.trader.books.markets for asset in (market.yes, market.no) if asset)
        self._items.append(Doubted(self._now_ns(), assets, Doubt.OVERFLOW))

    async def run(self) -> None:
        sys.setswitchinterval(SWITCH_S)
        while True:
            asked = time.perf_counter()
            woken = await self._wait()
            if not woken:
                self.lag_ms = max(0.0, (time.perf_counter() - asked - TICK_S) * 1_000)
            self.turn()
            await asyncio.sleep(0)  # hands, journal and sockets run between two turns

    async def _wait(self) -> bool:
        if self.trader.behind:
            return True
        try:
            async with asyncio.timeout(TICK_S):
                await self._wake.wait()
        except TimeoutError:
            return False
        return True

    def turn(self) -> None:
        """Fold in what waits, decide once, hand over. A long queue is taken in slices so that nobody starves."""
        started = time.perf_counter_ns()
        now_ns = self._now_ns()
        self._on_turn(now_ns)
        self._fold([self._items.popleft() for _ in range(min(len(self._items), ITEMS_PER_TURN))], now_ns)
        if not self._items:
            self._wake.clear()
            self._look_at = COALESCE_AT
        if now_ns - self._ticked_ns >= TICK_S * 1e9:
            self._ticked_ns = now_ns
            self._fold([Tick(now_ns)], now_ns)
        if not self._closed:
            self._carry(self.trader.decide(now_ns), now_ns)
        self._durations.append(time.perf_counter_ns() - started)

    def close(self) -> None:
        """Decide nothing more; what still comes in is folded in, so that the journal hears every outcome."""
        self._closed = True

    def finish(self) -> None:
        """Fold in everything that waits and pass on the last facts."""
        now_ns = self._now_ns()
        while self._items:
            self._fold([self._items.popleft()], now_ns)
        self._on_facts(self.trader.drain_facts())

    def _fold(self, items: Sequence[Item], now_ns: Nanos) -> None:
        """Written down first, all of it, so that a replay meets whatever the trader met."""
        if self._log is not None:
            for item in items:
                if isinstance(item, Frame):
                    self._log.frame(item)
                else:
                    self._log.item(item, now_ns)
        self.trader.apply_all(items)

    def _carry(self, commands: list[Command], now_ns: Nanos) -> None:
        if self._log is not None:
            self._log.item(Decide(now_ns, digest_of(commands)), now_ns)
        facts = self.trader.drain_facts()
        if facts:
            self._on_facts(facts)
        for command in commands:
            if isinstance(command, Place | Cancel):
                self._hands.take(command)
            elif isinstance(command, ChainWork):
                self._to_chain(command, now_ns)
            elif isinstance(command, Resync):
                self._feed.resync(command)
        self._on_decided(commands, now_ns)

    def _to_chain(self, work: ChainWork, now_ns: Nanos) -> None:
        if self._chain is not None:
            self._chain.take(work)
        else:
            self.push(ChainTold(work.job_id, ChainState.FAILED, now_ns, "not sent: this engine has no relayer"))

    def timings_us(self) -> tuple[float | None, float | None]:
        """p50 and p99 of the last turns in microseconds."""
        if not self._durations:
            return None, None
        ordered = sorted(self._durations)
        return ordered[len(ordered) // 2] / 1_000, ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)] / 1_000
