"""Incidents on their page: what happened, what it means, what to do; and those that are over.

Law: read from rows. What ends by itself has no button to close it: it would only open again, or hide that it lasts.
"""

from dataclasses import dataclass
from typing import Any

from risk import selectors
from risk.domain import advice
from risk.domain.advice import Advice
from risk.models import Incident

CLOSED_SHOWN = 15


@dataclass(frozen=True, slots=True)
class Line:
    row: Incident
    advice: Advice | None
    closes_itself: bool


def context() -> dict[str, Any]:
    return {
        "incidents": [_line(row) for row in selectors.open_incidents().select_related("acknowledged_by")],
        "closed": selectors.closed_incidents()[:CLOSED_SHOWN],
    }


def _line(row: Incident) -> Line:
    return Line(row, advice.of(row.kind, row.key), row.kind in advice.SELF_CLOSING)
