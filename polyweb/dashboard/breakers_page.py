"""Breakers on the incidents page: how they stand, what moved them lately, and where they trip.

Law: read from rows, so the page says the same whether the engine lives or not. A socket freezes with hundreds of
markets: what happened to all of them for one reason is one line.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from risk import selectors
from risk.domain.advice import BREAKERS
from risk.domain.breakers import RESETS, BreakerKind, BreakerState, Reset
from risk.models import Breaker, BreakerEvent

CLOSES = {Reset.HEALTH: "when it is over", Reset.TIME: "by time", Reset.OPERATOR: "when released"}
ORDER = {BreakerState.OPEN.value: 0, BreakerState.HALF_OPEN.value: 1, BreakerState.CLOSED.value: 2}
TRIPS_READ = 400
TRIPS_SHOWN = 20
NAMED = 20


@dataclass(frozen=True, slots=True)
class Line:
    """`row` stands for all that are alike: `count` markets, the first of them by `names`."""

    row: Breaker
    since: datetime
    count: int
    names: str
    closes: str
    releasable: bool
    do: str


@dataclass(frozen=True, slots=True)
class Trip:
    row: BreakerEvent
    count: int
    names: str


def context() -> dict[str, Any]:
    return {
        "breakers": lines(selectors.breakers()),
        "trips": trips(selectors.breaker_events()[:TRIPS_READ])[:TRIPS_SHOWN],
        "thresholds": selectors.threshold_lines(),
    }


def lines(rows: Iterable[Breaker]) -> list[Line]:
    """What does not let orders through first. One that waits for a release is never hidden among others."""

    def alike(row: Breaker) -> tuple[int, str, str, int]:
        alone = row.pk if row.market is None or _releasable(row) else 0
        return ORDER[row.state], row.kind, row.reason, alone

    return [_line(list(group)) for _, group in groupby(sorted(rows, key=alike), alike)]


def trips(rows: Iterable[BreakerEvent]) -> list[Trip]:
    """Newest first; what moved within one second for one reason is one line."""

    def alike(row: BreakerEvent) -> tuple[int, str, str, str]:
        return -int(row.at.timestamp()), row.kind, row.state, row.reason

    groups = (list(group) for _, group in groupby(sorted(rows, key=alike), alike))
    return [Trip(group[0], len(group), _names(group)) for group in groups]


def _line(group: list[Breaker]) -> Line:
    row = group[0]
    kind = BreakerKind(row.kind)
    do = "" if row.state == BreakerState.CLOSED.value else BREAKERS[kind].do
    since = min(each.since for each in group)
    return Line(row, since, len(group), _names(group), CLOSES[RESETS[kind]], _releasable(row), do)


def _releasable(row: Breaker) -> bool:
    waits = row.state == BreakerState.OPEN.value and row.released_at is None
    return waits and RESETS[BreakerKind(row.kind)] is Reset.OPERATOR


def _names(group: list[Breaker] | list[BreakerEvent]) -> str:
    named = sorted(row.market.question for row in group if row.market is not None)
    return "; ".join(named[:NAMED]) + (" …" if len(named) > NAMED else "")
