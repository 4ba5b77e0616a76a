"""Replay: recorded frames through the same trader and a venue of paper, on the recording's own clock.

Law: pure and deterministic. `now` is the recording's time, never ours; the digest is a SHA-256 over every command, so
the same file, parameters, metadata and seed give the same digest on every run and machine.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Protocol

import msgspec

from execution.domain.commands import Cancel, Command, Outcome, Place
from markets.domain.books import BookSet
from markets.domain.cuts import Cut, Recorded, Twin, cut_assets
from markets.domain.decode import MalformedFrame, decode
from markets.domain.events import Frame, MarketEvent
from markets.domain.market import Market
from markets.domain.units import NANOS_PER_SECOND, Nanos
from polyweb.runtime.inbox import Begin, Control, Decide, FeedDown, FeedUp, Spelled, Tick
from polyweb.runtime.state import Fact
from polyweb.runtime.trader import Trader

TICK_NS: Nanos = NANOS_PER_SECOND
MAX_TICKS_IN_A_GAP = 600

_encoder = msgspec.json.Encoder()


class Venue(Protocol):
    """A pure stand-in for the exchange: takes commands, hears the market, hands out what is due."""

    def on_event(self, event: MarketEvent, now_ns: Nanos) -> None: ...

    def place(self, command: Place, now_ns: Nanos) -> None: ...

    def cancel(self, command: Cancel, now_ns: Nanos) -> None: ...

    def due(self, now_ns: Nanos) -> Sequence[Outcome]: ...


class Digest:
    """SHA-256 over commands in the order they were decided."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, commands: Iterable[Command]) -> None:
        for command in commands:
            self._hash.update(_encoder.encode(command))
            self._hash.update(b"\n")

    def hex(self) -> str:
        return self._hash.hexdigest()


def digest_of(commands: Sequence[Command]) -> str:
    """Digest of one decision; empty for none, so that quiet turns cost nothing in a session recording."""
    if not commands:
        return ""
    digest = Digest()
    digest.add(commands)
    return digest.hex()[:16]


class Watcher(Protocol):
    """Hears what became of a rehearsal's decisions, and of every turn that is over."""

    def heard(self, facts: Sequence[Fact], now_ns: Nanos) -> None: ...

    def passed(self, now_ns: Nanos) -> None: ...


class Rehearsal:
    """Drives one trader through a recording. `frames` with one receive time are one turn, as in a live burst.

    At a cut its tokens go down and come up again, as they did when it was lived; a twin's telling is left out.
    """

    def __init__(self, trader: Trader, venue: Venue, control: Control, watcher: Watcher | None = None) -> None:
        self.trader = trader
        self._watcher = watcher
        self._ticked_ns: Nanos = 0
        self.digest = Digest()
        self.first_ns: Nanos = 0
        self.last_ns: Nanos = 0
        self._venue = venue
        self._control = control

    def run(self, frames: Iterable[Recorded]) -> None:
        for _ in self.turns(frames):
            pass

    def turns(self, frames: Iterable[Recorded]) -> Iterator[Nanos]:
        """Play turn by turn, yielding the recording's time after each."""
        told = (item for item in frames if not isinstance(item, Twin))
        for received_ns, burst in groupby(told, key=_time_of):
            if not self.first_ns:
                self.first_ns = self.last_ns = self._ticked_ns = received_ns
                self.trader.apply(self._control)
            self._pass_time(received_ns)
            self._hear(received_ns)
            for item in burst:
                if isinstance(item, Cut):
                    self._cut(item)
                else:
                    self.trader.apply(item)
            self._turn(received_ns)
            yield received_ns
        self.trader.books.flush()

    def _cut(self, cut: Cut) -> None:
        assets = cut_assets(self.trader.books, cut)
        self.trader.apply(FeedDown(cut.at_ns, assets, "the recording breaks off"))
        self.trader.apply(FeedUp(cut.at_ns, assets))

    def _pass_time(self, until_ns: Nanos) -> None:
        """One tick every second, as the live engine has them, but not for ever where nothing was recorded."""
        ticks = (until_ns - self._ticked_ns) // TICK_NS
        for step in range(1, min(ticks, MAX_TICKS_IN_A_GAP) + 1):
            at_ns = self._ticked_ns + step * TICK_NS
            if at_ns < until_ns:
                self.trader.apply(Tick(at_ns))
                self._turn(at_ns)
        self._ticked_ns += max(0, ticks) * TICK_NS
        self.last_ns = max(self.last_ns, until_ns)

    def _turn(self, now_ns: Nanos) -> None:
        self._hear(now_ns)
        commands = self.trader.decide(now_ns)
        self.digest.add(commands)
        for command in commands:
            if isinstance(command, Place):
                self._venue.place(command, now_ns)
            elif isinstance(command, Cancel):
                self._venue.cancel(command, now_ns)
        facts = self.trader.drain_facts()
        if self._watcher is not None:
            self._watcher.heard(facts, now_ns)
            self._watcher.passed(now_ns)

    def _hear(self, now_ns: Nanos) -> None:
        for outcome in self._venue.due(now_ns):
            self.trader.apply(outcome)


def _time_of(item: Frame | Cut) -> Nanos:
    return item.at_ns if isinstance(item, Cut) else item.received_ns


class Divergence(Exception):
    """A recorded session did not replay to the decisions it recorded."""


class NoBeginning(ValueError):
    """A session recording without the item that starts a run: there is nothing to decide with."""


class SessionReplay:
    """A session recording through new traders: each `Begin` starts a run, each `Decide` is decided again and compared.

    `played` gives the trader of every run; `compared` counts decisions, `digest` is over all their commands.
    """

    def __init__(self, build: Callable[[Begin], Trader]) -> None:
        self._build = build
        self.played: list[Trader] = []
        self.compared = 0
        self.digest = Digest()
        self.first_ns: Nanos = 0
        self.last_ns: Nanos = 0

    def run(self, items: Iterable[Frame | Spelled]) -> None:
        """Raises Divergence at the first decision that differs, NoBeginning when the recording lacks its start.

        Whatever else the trader raises was raised in the session too: it comes out as it is.
        """
        trader: Trader | None = None
        for item in items:
            if isinstance(item, Begin):
                trader = self._begin(item)
            elif trader is None:
                raise NoBeginning("the session recording has lost its beginning: replay needs its first segment")
            elif isinstance(item, Decide):
                self._compare(trader, item)
            else:
                trader.apply(item)
        if trader is None:
            raise NoBeginning("the session recording is empty")

    def _begin(self, begin: Begin) -> Trader:
        trader = self._build(begin)
        trader.restore(begin.orders, begin.fills, begin.at_ns, begin.postings, begin.chain)
        trader.recall(begin.memories, begin.breakers, begin.at_ns)
        trader.take_up(begin.baskets, begin.fills)
        self.played.append(trader)
        self.first_ns = self.first_ns or begin.at_ns
        self.last_ns = begin.at_ns
        return trader

    def _compare(self, trader: Trader, recorded: Decide) -> None:
        commands = trader.decide(recorded.now_ns)
        trader.drain_facts()
        self.compared += 1
        self.last_ns = recorded.now_ns
        self.digest.add(commands)
        found = digest_of(commands)
        if found != recorded.digest:
            raise Divergence(
                f"decision {self.compared} at {recorded.now_ns} ns: recorded {recorded.digest or 'nothing'}, replayed"
                f" {found or 'nothing'}"
            )


def learn_markets(frames: Iterable[Frame]) -> tuple[Market, ...]:
    """Markets as a recording shows them: the first token seen is YES, the tick as stated or as the prices allow."""
    books = BookSet(auto_track=True, hash_every=0)
    for frame in frames:
        with contextlib.suppress(MalformedFrame):  # the engine counts it when it is played
            for event in decode(frame.data):
                books.apply(event, frame.received_ns)
    return books.markets
