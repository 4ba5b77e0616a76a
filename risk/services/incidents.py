"""What a person must look at: opened once per trouble, counted while it lasts, closed by a person or by itself.

Law: one open incident per key; what a person does to it is a change entry, what ends by itself is not.
"""

from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from markets.models import Market
from markets.selectors import find_market
from markets.services import record_change
from risk.models import Incident


def open_incident(*, kind: str, key: str, text: str, market: Market | str | None = None) -> Incident:
    """Open an incident, or count the open one of the same key again."""
    row = find_market(market) if market is not None else None
    if _seen_again(key, text):
        return Incident.objects.get(key=key, closed_at=None)
    try:
        with transaction.atomic():
            return Incident.objects.create(kind=kind, key=key, text=text[:1000], market=row)
    except IntegrityError:
        # Another process opened it between the two statements; the partial unique index decided.
        _seen_again(key, text)
        return Incident.objects.get(key=key, closed_at=None)


def _seen_again(key: str, text: str) -> bool:
    open_ones = Incident.objects.filter(key=key, closed_at=None)
    return bool(open_ones.update(times=F("times") + 1, seen_at=timezone.now(), text=text[:1000]))


def acknowledge_incident(*, incident: Incident, author: User | None, source: str, reason: str = "") -> bool:
    """False when somebody had already done so."""
    return _close_out(
        incident, "incident_acknowledged", {"acknowledged_at": timezone.now(), "acknowledged_by": author},
        author=author, source=source, reason=reason,
    )  # fmt: skip


def close_incident(*, incident: Incident, author: User | None, source: str, reason: str = "") -> bool:
    return _close_out(
        incident, "incident_closed", {"closed_at": timezone.now()}, author=author, source=source, reason=reason
    )


def close_incident_by_key(*, key: str) -> bool:
    """For whoever opened it, when the trouble is gone by itself; leaves no change entry."""
    return bool(Incident.objects.filter(key=key, closed_at=None).update(closed_at=timezone.now()))


def _close_out(
    incident: Incident, action: str, columns: dict[str, Any], *, author: User | None, source: str, reason: str
) -> bool:
    moment = next(name for name in columns if name.endswith("_at"))
    with transaction.atomic():
        if not Incident.objects.filter(pk=incident.pk, **{moment: None}).update(**columns):
            return False
        record_change(
            author=author, source=source, action=action, subject=f"incident {incident.pk}",
            before={"kind": incident.kind, "key": incident.key}, reason=reason,
        )  # fmt: skip
    incident.refresh_from_db()
    return True
