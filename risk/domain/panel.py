"""The panel: every breaker of one engine and the windows they judge by.

Law: pure, owned by the trader. A breaker that is closed and remembers nothing is not stored; whatever the panel knows
can be written down and taken up again, so a restart forgets nothing.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from markets.domain.units import NANOS_PER_MILLI, ConditionId, Nanos
from risk.domain import breakers
from risk.domain.breakers import Breaker, BreakerKind, BreakerState, Reset, Signal
from risk.domain.thresholds import Thresholds
from risk.domain.windows import Acks, Counted, Rolling

EVERYTHING = ""
# Refusals that say nothing about the venue: our own doing, or a mode that has a breaker of its own.
OWN_REFUSALS = frozenset({"self_trade", "dry_run", "engine_stopping", "already_planned", "halted"})


class Release(msgspec.Struct, frozen=True):
    """An operator's word that a breaker may close; it counts for what tripped before `at_ns`."""

    kind: BreakerKind
    target: str
    at_ns: Nanos


class Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the panel remembers of one target, as it is written down."""

    breakers: tuple[Breaker, ...] = ()
    answers: tuple[Counted, ...] = ()
    failures: int = 0
    acks: tuple[Nanos, int, tuple[Nanos, ...]] = (0, 0, ())


NOTHING = Kept()
_NONE: Mapping[BreakerKind, Breaker] = {}


class Panel:
    def __init__(self, thresholds: Thresholds | None = None) -> None:
        self.thresholds = thresholds or Thresholds()
        self._tripped: dict[str, dict[BreakerKind, Breaker]] = {}
        self._moved: dict[tuple[str, BreakerKind], Breaker] = {}
        self._rejects: dict[ConditionId, Rolling] = {}
        self._answers = Rolling()
        self._acks = Acks()
        self._failures = 0
        self.trips = 0

    # Asking

    def breaker(self, kind: BreakerKind, target: str = EVERYTHING) -> Breaker:
        return self._tripped.get(target, _NONE).get(kind) or Breaker(kind, target)

    @property
    def tripped(self) -> tuple[Breaker, ...]:
        """Every breaker that is not closed."""
        return tuple(breaker for mine in self._tripped.values() for breaker in mine.values())

    @property
    def well(self) -> bool:
        """Whether every breaker is closed."""
        return not self._tripped

    def standing(self, condition_id: ConditionId) -> Breaker | None:
        """The breaker that keeps orders of this market down; one of everything before its own."""
        if not self._tripped:
            return None
        mine = self._tripped.get(EVERYTHING) or self._tripped.get(condition_id)
        return next(iter(mine.values())) if mine else None

    @property
    def moved(self) -> bool:
        """Whether a breaker has changed since `drain_moved`."""
        return bool(self._moved)

    def drain_moved(self) -> list[Breaker]:
        """Breakers that changed since the last call, each as it is now."""
        moved = list(self._moved.values())
        self._moved.clear()
        return moved

    # Signals

    def trip(self, kind: BreakerKind, at_ns: Nanos, reason: str, target: str = EVERYTHING) -> None:
        """Open it, or keep it open. `reason` is for people and starts with what was seen."""
        before = self.breaker(kind, target)
        until_ns = at_ns + self.thresholds.cooldown_ns if before.reset is Reset.TIME else 0
        moved = breakers.after(before, Signal.TRIP, at_ns, reason, until_ns)
        if moved.state is not before.state:
            self.trips += 1
        self._put(before, moved)

    def fine(self, kind: BreakerKind, at_ns: Nanos, target: str = EVERYTHING) -> None:
        """What it watches is well. Cheap for a breaker that is closed."""
        before = self._tripped.get(target, _NONE).get(kind)
        if before is not None:
            self._put(before, breakers.after(before, Signal.FINE, at_ns))

    def judge(self, kind: BreakerKind, at_ns: Nanos, wrong: str, target: str = EVERYTHING) -> None:
        """Trip with what is wrong, or say that it is fine when nothing is."""
        if wrong:
            self.trip(kind, at_ns, wrong, target)
        else:
            self.fine(kind, at_ns, target)

    def release(self, releases: Iterable[Release]) -> None:
        """Take operators' releases over. What tripped since, or is not theirs to release, stays as it is."""
        for each in releases:
            before = self._tripped.get(each.target, _NONE).get(each.kind)
            if before is None or before.state is not BreakerState.OPEN or before.reset is not Reset.OPERATOR:
                continue
            if before.since_ns <= each.at_ns:
                self._put(before, breakers.after(before, Signal.RELEASED, each.at_ns))

    def settle(self, now_ns: Nanos) -> None:
        """Time passed: what was open long enough is half open, what was well long enough is closed."""
        for before in self.tripped:
            self._put(before, breakers.settled(before, now_ns, self.thresholds.hold_ns))

    def _put(self, before: Breaker, moved: Breaker) -> None:
        if moved is before:
            return
        mine = self._tripped.setdefault(moved.target, {})
        if moved.lets_through:
            mine.pop(moved.kind, None)
        else:
            mine[moved.kind] = moved
        if not mine:
            del self._tripped[moved.target]
        if moved.state is not before.state:
            self._moved[moved.target, moved.kind] = moved
            if moved.state is BreakerState.HALF_OPEN:
                self._forget(moved)

    def _forget(self, breaker: Breaker) -> None:
        """What tripped it must not trip it again by itself: it starts afresh."""
        match breaker.kind:
            case BreakerKind.FAILURES:
                self._failures = 0
            case BreakerKind.ERROR_RATE:
                self._answers.clear()
            case BreakerKind.ACK_LATENCY:
                self._acks.clear()
            case BreakerKind.REJECTS:
                self._rejects.pop(breaker.target, None)

    # What became of orders

    def acknowledged(self, at_ns: Nanos, took_ns: Nanos) -> None:
        """An order was taken `took_ns` after it was sent."""
        self._failures = 0
        self._answers.note(at_ns, good=1)
        self._acks.note(took_ns)
        median_ns, usual_ns = self._acks.median_ns(), self._acks.usual_ns
        terms = self.thresholds
        slow = usual_ns and median_ns >= terms.ack_floor_ns and median_ns >= usual_ns * terms.ack_factor
        if median_ns >= terms.ack_ns or slow:
            told = f"acknowledgements take {_ms(median_ns)} ms"
            usual = f", {_ms(usual_ns)} ms is usual" if usual_ns else ""
            self.trip(BreakerKind.ACK_LATENCY, at_ns, told + usual)
        elif median_ns:
            self._acks.learn(median_ns)

    def refused(self, at_ns: Nanos, condition_id: ConditionId, code: str) -> None:
        """An order was turned away with this code."""
        if code in OWN_REFUSALS or code.startswith("venue_"):
            return
        terms = self.thresholds
        window = self._rejects.get(condition_id)
        if window is None:
            window = self._rejects[condition_id] = Rolling()
        window.note(at_ns, bad=1)
        _, bad = window.count(at_ns, terms.rejects_window_s)
        if bad >= terms.rejects:
            told = f"{bad} orders refused in {terms.rejects_window_s} s, last: {code}"
            self.trip(BreakerKind.REJECTS, at_ns, told, condition_id)
        self._answers.note(at_ns, bad=1)
        self._judge_rate(at_ns)

    def lost(self, at_ns: Nanos) -> None:
        """The answer to an order was lost."""
        self._failures += 1
        if self._failures >= self.thresholds.failures:
            self.trip(BreakerKind.FAILURES, at_ns, f"{self._failures} orders in a row without an answer")
        self._answers.note(at_ns, bad=1)
        self._judge_rate(at_ns)

    def _judge_rate(self, at_ns: Nanos) -> None:
        terms = self.thresholds
        good, bad = self._answers.count(at_ns, terms.error_window_s)
        if good + bad >= terms.error_least and bad * 100 >= (good + bad) * terms.error_percent:
            told = f"{bad} of {good + bad} orders refused or lost in {terms.error_window_s} s"
            self.trip(BreakerKind.ERROR_RATE, at_ns, told)

    # Writing down

    def keep(self, target: str = EVERYTHING) -> Kept:
        """What is remembered of one market, or of everything."""
        mine = tuple(self._tripped.get(target, _NONE).values())
        if target == EVERYTHING:
            return Kept(mine, self._answers.keep(), self._failures, self._acks.keep())
        window = self._rejects.get(target)
        return Kept(mine, window.keep() if window is not None else ())

    def restore(self, target: str, kept: Kept) -> None:
        """Take up what was written down."""
        for each in kept.breakers:
            self._tripped.setdefault(each.target, {})[each.kind] = each
        if target == EVERYTHING:
            self._answers = Rolling(kept.answers)
            self._failures = kept.failures
            self._acks = Acks(*kept.acks)
        elif kept.answers:
            self._rejects[target] = Rolling(kept.answers)

    def targets(self) -> Iterator[ConditionId]:
        """Markets the panel remembers something of."""
        yield from dict.fromkeys([*(target for target in self._tripped if target), *self._rejects])


def _ms(nanos: Nanos) -> str:
    return f"{nanos / NANOS_PER_MILLI:.0f}"
