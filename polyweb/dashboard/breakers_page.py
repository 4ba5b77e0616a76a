"""Breakers on the incidents page: how they stand, what moved them lately, and where they trip.

Law: read from rows, so the page says the same whether the engine lives or not.
"""

from dataclasses import dataclass
from typing import Any

from risk import selectors
from risk.domain.breakers import RESETS, BreakerKind, BreakerState, Reset
from risk.models import Breaker

CLOSES = {Reset.HEALTH: "when it is over", Reset.TIME: "by time", Reset.OPERATOR: "when released"}


@dataclass(frozen=True, slots=True)
class Line:
    row: Breaker
    closes: str
    releasable: bool


def context() -> dict[str, Any]:
    return {
        "breakers": [_line(row) for row in selectors.breakers()],
        "trips": selectors.breaker_events()[:20],
        "thresholds": selectors.threshold_lines(),
    }


def _line(row: Breaker) -> Line:
    reset = RESETS[BreakerKind(row.kind)]
    waits = row.state == BreakerState.OPEN.value and row.released_at is None
    return Line(row, CLOSES[reset], waits and reset is Reset.OPERATOR)
