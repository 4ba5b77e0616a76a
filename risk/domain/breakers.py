"""Breakers: what trips by itself, what it covers, and the one way each may close again.

Law: a table. Which signals move a breaker follows from its reset rule alone; a pair that is not in the table is a
mistake, raises, and changes nothing. Whatever the rule, health must hold for a while before orders pass again.
"""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from markets.domain.units import NANOS_PER_SECOND, Nanos

DEFAULT_HOLD_NS: Nanos = 5 * NANOS_PER_SECOND


class BreakerKind(StrEnum):
    """Stable words: they are in rows, the API and the metrics."""

    STALE_BOOK = "stale_book"
    FEED_SILENCE = "feed_silence"
    BROKEN_BOOKS = "broken_books"
    FAILURES = "failures"
    ERROR_RATE = "error_rate"
    REJECTS = "rejects"
    ACK_LATENCY = "ack_latency"
    DRIFT = "drift"
    CLOCK_SKEW = "clock_skew"
    LOSS = "loss"
    LOOP_LAG = "loop_lag"
    DATABASE = "database"
    VENUE = "venue"
    RESOLUTION = "resolution"
    RULES = "rules"
    ENGINE_SILENCE = "engine_silence"


class Reset(StrEnum):
    """How an open breaker may begin to close: what tripped it is over, its time is over, or a person says so."""

    HEALTH = "health"
    TIME = "time"
    OPERATOR = "operator"


RESETS: Mapping[BreakerKind, Reset] = {
    BreakerKind.STALE_BOOK: Reset.HEALTH,
    BreakerKind.FEED_SILENCE: Reset.HEALTH,
    BreakerKind.BROKEN_BOOKS: Reset.HEALTH,
    # With everything down no order fails: only time can tell, so these are tried again after a while.
    BreakerKind.FAILURES: Reset.TIME,
    BreakerKind.ERROR_RATE: Reset.TIME,
    BreakerKind.REJECTS: Reset.TIME,
    BreakerKind.ACK_LATENCY: Reset.TIME,
    BreakerKind.DRIFT: Reset.OPERATOR,
    BreakerKind.CLOCK_SKEW: Reset.HEALTH,
    BreakerKind.LOSS: Reset.OPERATOR,
    BreakerKind.LOOP_LAG: Reset.TIME,
    BreakerKind.DATABASE: Reset.HEALTH,
    BreakerKind.VENUE: Reset.HEALTH,
    BreakerKind.RESOLUTION: Reset.HEALTH,
    BreakerKind.RULES: Reset.HEALTH,
    BreakerKind.ENGINE_SILENCE: Reset.HEALTH,
}


class BreakerState(StrEnum):
    """Only CLOSED lets orders through; HALF_OPEN is health that has not lasted long enough yet."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Signal(StrEnum):
    TRIP = "tripped"
    FINE = "fine again"
    EXPIRED = "its time is over"
    RELEASED = "released by an operator"
    HELD = "health has lasted"


Table = Mapping[tuple[BreakerState, Signal], BreakerState]

_CLOSED, _OPEN, _HALF = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
_ALWAYS: Table = {
    (_CLOSED, Signal.TRIP): _OPEN,
    (_OPEN, Signal.TRIP): _OPEN,
    (_HALF, Signal.TRIP): _OPEN,
    (_CLOSED, Signal.FINE): _CLOSED,
    (_HALF, Signal.FINE): _HALF,
    (_HALF, Signal.HELD): _CLOSED,
}
TRANSITIONS: Mapping[Reset, Table] = {
    Reset.HEALTH: {**_ALWAYS, (_OPEN, Signal.FINE): _HALF},
    Reset.TIME: {**_ALWAYS, (_OPEN, Signal.FINE): _OPEN, (_OPEN, Signal.EXPIRED): _HALF},
    Reset.OPERATOR: {**_ALWAYS, (_OPEN, Signal.FINE): _OPEN, (_OPEN, Signal.RELEASED): _HALF},
}


class IllegalSignal(ValueError):
    def __init__(self, breaker: "Breaker", signal: Signal) -> None:
        super().__init__(f"a {breaker.kind} breaker that is {breaker.state} cannot take '{signal}'")


class Breaker(msgspec.Struct, frozen=True, gc=False):
    """`target` is a condition id, or empty for everything. `reason` says what led to `state` at `since_ns`.

    `until_ns` is when an open breaker that is reset by time may begin to close, 0 for every other.
    """

    kind: BreakerKind
    target: str = ""
    state: BreakerState = BreakerState.CLOSED
    reason: str = ""
    since_ns: Nanos = 0
    until_ns: Nanos = 0

    @property
    def lets_through(self) -> bool:
        return self.state is BreakerState.CLOSED

    @property
    def reset(self) -> Reset:
        return RESETS[self.kind]


def after(breaker: Breaker, signal: Signal, at_ns: Nanos, reason: str = "", until_ns: Nanos = 0) -> Breaker:
    """The breaker after a signal: the same value if its state stays, so a lasting fault keeps its first moment.

    What stays open by time stays so until the last of its trips has had its time.
    """
    try:
        state = TRANSITIONS[breaker.reset][breaker.state, signal]
    except KeyError:
        raise IllegalSignal(breaker, signal) from None
    if state is breaker.state:
        if state is _OPEN and until_ns > breaker.until_ns:
            return msgspec.structs.replace(breaker, until_ns=until_ns)
        return breaker
    told = reason or (breaker.reason if state is _HALF else signal.value)
    return Breaker(breaker.kind, breaker.target, state, told, at_ns, until_ns if state is _OPEN else 0)


def settled(breaker: Breaker, now_ns: Nanos, hold_ns: Nanos = DEFAULT_HOLD_NS) -> Breaker:
    """The breaker after time has passed: half open once its time is over, closed once health has lasted."""
    if breaker.state is _OPEN and breaker.reset is Reset.TIME and now_ns >= breaker.until_ns:
        return after(breaker, Signal.EXPIRED, now_ns)
    if breaker.state is _HALF and now_ns - breaker.since_ns >= hold_ns:
        return after(breaker, Signal.HELD, now_ns)
    return breaker
