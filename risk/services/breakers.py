"""Breakers as rows: what the engine reports, what an operator may release, and where they trip.

Law: a trip that a person must know of is a row of history and an incident; a breaker is released only if its rule
says so, and a release is a change entry that the engine reads.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from markets.models import Market
from markets.selectors import find_market
from markets.services import record_change
from risk.domain import thresholds
from risk.domain.breakers import RESETS, BreakerKind, BreakerState, Reset
from risk.models import Breaker, BreakerEvent, Threshold
from risk.services.incidents import close_incident_by_key, open_incident

# Daily life of a market, shown where it happens: no incident, no history.
UNREMARKABLE = frozenset({BreakerKind.STALE_BOOK, BreakerKind.RESOLUTION, BreakerKind.RULES})

# One socket freezes with all its markets: a row of history for each, and one incident, until the last is over.
TOLD_TOGETHER = frozenset({BreakerKind.FEED_SILENCE})

# Whoever reports it tells people more than the reason says.
TOLD_ELSEWHERE = frozenset({BreakerKind.ENGINE_SILENCE})


class NotReleasable(ValueError):
    """This breaker is not open, or closes by a rule of its own."""


@dataclass(frozen=True, slots=True)
class BreakerReport:
    """`condition_id` empty is a breaker of everything; `until` is when time alone may end it."""

    kind: str
    state: str
    since: datetime
    reason: str = ""
    condition_id: str = ""
    until: datetime | None = None


def report_breakers(reports: Iterable[BreakerReport]) -> None:
    """Overwrite the breakers' last known state; a trip opens an incident, a closed one closes it."""
    wanted = list(reports)
    pks = market_pks(report.condition_id for report in wanted)
    with transaction.atomic():
        for report in wanted:
            market_id = pks[report.condition_id] if report.condition_id else None
            columns: dict[str, Any] = {
                "state": report.state, "reason": report.reason[:500], "since": report.since, "until": report.until,
            }  # fmt: skip
            if report.state == BreakerState.OPEN.value:
                columns |= {"released_at": None, "released_by": None, "release_reason": ""}
            target: dict[str, Any] = {"market_id": market_id} if market_id else {"market": None}
            Breaker.objects.update_or_create(kind=report.kind, **target, defaults=columns)
            if BreakerKind(report.kind) not in UNREMARKABLE:
                _remark(report, market_id)


def _remark(report: BreakerReport, market_id: int | None) -> None:
    BreakerEvent.objects.create(
        kind=report.kind, market_id=market_id, state=report.state, reason=report.reason[:500], at=report.since
    )
    if BreakerKind(report.kind) in TOLD_ELSEWHERE:
        return
    together = bool(report.condition_id) and BreakerKind(report.kind) in TOLD_TOGETHER
    key = f"breaker {report.kind} {'markets' if together else report.condition_id}".strip()
    if report.state == BreakerState.OPEN.value:
        ends = _ends(report)
        down = "Orders of its markets are taken down" if together else "Orders are taken down"
        text = f"Breaker {report.kind.replace('_', ' ')}: {report.reason}. {down}. {ends}"
        open_incident(kind="breaker", key=key, text=text, market=None if together else report.condition_id or None)
    elif report.state == BreakerState.CLOSED.value and not (together and _others_stand(report.kind)):
        close_incident_by_key(key=key)


def _others_stand(kind: str) -> bool:
    standing = Breaker.objects.filter(kind=kind, market__isnull=False)
    return standing.exclude(state=BreakerState.CLOSED.value).exists()


_ENDS = {
    Reset.HEALTH: "It closes by itself when this is over.",
    Reset.TIME: "It is tried again by itself after a while.",
    Reset.OPERATOR: "It stays until somebody releases it.",
}


def _ends(report: BreakerReport) -> str:
    reset = RESETS[BreakerKind(report.kind)]
    if reset is not Reset.OPERATOR:
        return _ENDS[reset]
    of = f" --market {report.condition_id}" if report.condition_id else ""
    return f"{_ENDS[reset]} Look at it, then: manage.py breakers --release {report.kind}{of} --reason WHY"


def release_breaker(
    *, kind: str, author: User | None, source: str, reason: str, market: Market | str | None = None
) -> Breaker:
    """Let an open breaker close again. Raises ValueError for an unknown kind, NotReleasable, UnknownMarket."""
    known = BreakerKind(kind)
    if RESETS[known] is not Reset.OPERATOR:
        raise NotReleasable(f"kind: {known.value} is not released by hand. {_ENDS[RESETS[known]]}")
    row = find_market(market) if market is not None else None
    subject = row.condition_id if row is not None else "everything"
    with transaction.atomic():
        moved = Breaker.objects.filter(kind=known.value, market=row, state=BreakerState.OPEN.value).update(
            released_at=timezone.now(), released_by=author, release_reason=reason[:500]
        )
        if not moved:
            raise NotReleasable(f"kind: the {known.value} breaker of {subject} is not open")
        breaker = Breaker.objects.get(kind=known.value, market=row)
        record_change(
            author=author, source=source, action="breaker_released", subject=subject,
            before={"kind": known.value, "reason": breaker.reason}, reason=reason,
        )  # fmt: skip
    return breaker


def set_threshold(*, name: str, value: int | None, author: User | None, source: str, reason: str = "") -> None:
    """Say where a breaker trips; None brings the default back. Raises ThresholdError naming field, bound and value."""
    known = thresholds.BY_NAME.get(name)
    thresholds.check(name, known.default if value is None and known is not None else value or 0)
    with transaction.atomic():
        row = Threshold.objects.select_for_update().filter(name=name).first()
        before = row.value if row is not None else None
        if before == value:
            return
        if value is None:
            Threshold.objects.filter(name=name).delete()
        else:
            Threshold.objects.update_or_create(name=name, defaults={"value": value})
        record_change(
            author=author, source=source, action="threshold", subject=name,
            before=None if before is None else {"value": before}, after=None if value is None else {"value": value},
            reason=reason,
        )  # fmt: skip


def market_pks(condition_ids: Iterable[str]) -> dict[str, int]:
    wanted = {item for item in condition_ids if item}
    found = dict(Market.objects.filter(condition_id__in=wanted).values_list("condition_id", "pk"))
    for missing in sorted(wanted - set(found)):
        find_market(missing)  # raises UnknownMarket
    return found
