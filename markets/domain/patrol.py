"""The patrol: time-driven looks at books that no frame has proved lately, and at markets that say nothing.

Law: bounded work per call, in a fixed order. It names what is due; the book set asks for it.

Sweep: tops alone betray few lost deltas, so every book is proved by its hash within a bounded time, soonest where
there was a trade. Each market is visited twice in `sweep_ns`: one not proved for half of it owes a hash with its next
frame, and one not proved for all of it, because no frame came, is asked for a snapshot.
Silence: a market that says nothing for `silence_ns` while its event speaks, or a token that is not named while its
complement is, is first asked for a snapshot; only without an answer is it doubted.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from markets.domain.integrity import Doubt
from markets.domain.tracked import Tracked
from markets.domain.units import NANOS_PER_SECOND, ConditionId, Nanos

MOST_VISITS = 64
HOT_PART = 8
LOOK_EVERY_NS: Nanos = NANOS_PER_SECOND


@dataclass(frozen=True, slots=True)
class Patrolled:
    """`ask`: wants a snapshot, and why. `doubt`: has been asked in vain."""

    tracked: Tracked
    reason: Doubt
    doubt: bool = False


class Patrol:
    """0 switches the sweep or the silence watch off."""

    def __init__(self, sweep_ns: Nanos, silence_ns: Nanos, answer_ns: Nanos) -> None:
        self._sweep_ns = sweep_ns
        self._silence_ns = silence_ns
        self._answer_ns = answer_ns
        self._hot: dict[ConditionId, None] = {}
        self._round: deque[ConditionId] = deque()
        self._asked: dict[ConditionId, Nanos] = {}
        self._swept_ns: Nanos = 0
        self._looked_ns: Nanos = 0

    def traded(self, condition_id: ConditionId) -> None:
        self._hot[condition_id] = None

    def forget(self, condition_id: ConditionId) -> None:
        self._hot.pop(condition_id, None)
        self._asked.pop(condition_id, None)

    def sweep(self, markets: Mapping[ConditionId, Tracked], now_ns: Nanos) -> list[Patrolled]:
        """Visit whose turn it is: hashes fall due, and markets without frames are named for a snapshot."""
        elapsed_ns, self._swept_ns = now_ns - self._swept_ns, now_ns
        if not self._sweep_ns or not markets:
            return []
        visits = min(MOST_VISITS, 1 + len(markets) * 2 * elapsed_ns // self._sweep_ns)
        for condition_id in list(self._hot)[:visits]:
            del self._hot[condition_id]
            tracked = markets.get(condition_id)
            if tracked is not None and self._unproved_ns(tracked, now_ns) >= self._sweep_ns // HOT_PART:
                tracked.ask_for_hash()
        return [found for tracked in self._next(markets, visits) if (found := self._visit(tracked, now_ns))]

    def _next(self, markets: Mapping[ConditionId, Tracked], visits: int) -> Iterator[Tracked]:
        for _ in range(min(visits, len(markets))):
            if not self._round:
                self._round.extend(markets)
            tracked = markets.get(self._round.popleft())
            if tracked is not None:
                yield tracked

    def _visit(self, tracked: Tracked, now_ns: Nanos) -> Patrolled | None:
        unproved_ns = self._unproved_ns(tracked, now_ns)
        if unproved_ns >= self._sweep_ns // 2:
            tracked.ask_for_hash()
        asked_ns = self._asked.get(tracked.condition_id, 0)
        if unproved_ns < self._sweep_ns or now_ns - asked_ns < self._sweep_ns:
            return None
        self._asked[tracked.condition_id] = now_ns
        return Patrolled(tracked, Doubt.UNPROVEN)

    def _unproved_ns(self, tracked: Tracked, now_ns: Nanos) -> Nanos:
        """Only a book that is believed needs proof."""
        return now_ns - tracked.proved_ns if tracked.book.seeded and tracked.doubt is Doubt.NONE else 0

    def silences(self, markets: Mapping[ConditionId, Tracked], now_ns: Nanos) -> list[Patrolled]:
        if not self._silence_ns or now_ns - self._looked_ns < LOOK_EVERY_NS:
            return []
        self._looked_ns = now_ns
        named_since_ns = now_ns - self._silence_ns  # nearly all: both tokens, and nobody waits for a word of them
        quiet = [one for one in markets.values() if one.silence_ns or one.paired_ns <= named_since_ns]
        if not quiet:
            return []
        spoke: dict[str, Nanos] = {}
        for tracked in markets.values():
            event = tracked.market.event_id
            spoke[event] = max(spoke.get(event, 0), tracked.updated_ns)
        found = []
        for tracked in quiet:
            others_ns = spoke[tracked.market.event_id] if tracked.market.event_id else tracked.updated_ns
            silent = self._silent(tracked, others_ns, now_ns)
            if silent is not None:
                found.append(silent)
        return found

    def _silent(self, tracked: Tracked, others_ns: Nanos, now_ns: Nanos) -> Patrolled | None:
        if not tracked.book.seeded or not tracked.feed_up or tracked.doubt not in (Doubt.NONE, Doubt.SILENT):
            return None
        heard_ns = min(tracked.heard(True), tracked.heard(False)) if tracked.market.no else tracked.updated_ns
        if now_ns - heard_ns < self._silence_ns or now_ns - others_ns >= self._silence_ns:
            tracked.silence_ns = 0
            return None
        if not tracked.silence_ns:
            tracked.silence_ns = now_ns
            return Patrolled(tracked, Doubt.SILENT)
        if tracked.doubt is Doubt.NONE and now_ns - tracked.silence_ns >= self._answer_ns:
            return Patrolled(tracked, Doubt.SILENT, doubt=True)
        if now_ns - tracked.silence_ns >= self._silence_ns:
            tracked.silence_ns = now_ns
            return Patrolled(tracked, Doubt.SILENT)
        return None
