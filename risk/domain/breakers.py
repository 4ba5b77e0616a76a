"""Breakers that trip by themselves and re-arm by themselves: a market's stale book, and a silent feed.

Law: a table. Health must hold for a while before a tripped breaker closes; a pair that is not in the table is a
mistake, raises, and changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from markets.domain.units import NANOS_PER_SECOND, Nanos

DEFAULT_HOLD_NS: Nanos = 5 * NANOS_PER_SECOND


class BreakerKind(StrEnum):
    STALE_BOOK = "stale_book"
    FEED_SILENCE = "feed_silence"


class BreakerState(StrEnum):
    """Only CLOSED lets orders through; HALF_OPEN is health that has not lasted long enough yet."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Signal(StrEnum):
    BOOK_STALE = "book stale"
    BOOK_BROKEN = "book broken"
    BOOK_VERIFIED = "book verified"
    FEED_SILENT = "feed silent"
    FEED_HEARD = "feed heard"
    HELD = "health has lasted"


Table = Mapping[tuple[BreakerState, Signal], BreakerState]


def _table(trips: tuple[Signal, ...], healthy: Signal) -> Table:
    closed, opened, half = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
    table = {(state, trip): opened for state in BreakerState for trip in trips}
    table[closed, healthy] = closed
    table[opened, healthy] = half
    table[half, healthy] = half
    table[half, Signal.HELD] = closed
    return table


TRANSITIONS: Mapping[BreakerKind, Table] = {
    BreakerKind.STALE_BOOK: _table((Signal.BOOK_STALE, Signal.BOOK_BROKEN), Signal.BOOK_VERIFIED),
    BreakerKind.FEED_SILENCE: _table((Signal.FEED_SILENT,), Signal.FEED_HEARD),
}


class IllegalSignal(ValueError):
    def __init__(self, breaker: "Breaker", signal: Signal) -> None:
        super().__init__(f"a {breaker.kind} breaker that is {breaker.state} cannot take '{signal}'")


@dataclass(frozen=True, slots=True)
class Breaker:
    """`target` is a condition id, or empty for everything. `reason` is the signal that led to `state` at `since_ns`."""

    kind: BreakerKind
    target: str = ""
    state: BreakerState = BreakerState.CLOSED
    reason: str = ""
    since_ns: Nanos = 0

    @property
    def lets_through(self) -> bool:
        return self.state is BreakerState.CLOSED


def after(breaker: Breaker, signal: Signal, at_ns: Nanos) -> Breaker:
    """The breaker after a signal: the same value if its state stays, so a lasting fault keeps its first moment."""
    try:
        state = TRANSITIONS[breaker.kind][breaker.state, signal]
    except KeyError:
        raise IllegalSignal(breaker, signal) from None
    if state is breaker.state:
        return breaker
    return Breaker(breaker.kind, breaker.target, state, signal.value, at_ns)


def settled(breaker: Breaker, now_ns: Nanos, hold_ns: Nanos = DEFAULT_HOLD_NS) -> Breaker:
    """The breaker after time has passed: closed once health has lasted for `hold_ns`."""
    if breaker.state is BreakerState.HALF_OPEN and now_ns - breaker.since_ns >= hold_ns:
        return after(breaker, Signal.HELD, now_ns)
    return breaker
