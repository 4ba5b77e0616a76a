"""Writes of caps: one at a time, with author and reason.

Law: a cap changes together with its change entry, and no strategy calls this.
"""

from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from markets.models import Event, Market
from markets.selectors import find_event, find_market
from markets.services import record_change
from risk.models import Limit


def set_limit(
    *,
    kind: str,
    scope: str,
    value: Decimal | None,
    author: User | None,
    source: str,
    reason: str = "",
    market: Market | str | None = None,
    event: Event | str | None = None,
    name: str = "",
) -> Limit | None:
    """Set one cap; None removes it, so that the next wider one applies.

    Raises django.core.exceptions.ValidationError naming the wrong field, UnknownMarket or UnknownEvent.
    """
    target: dict[str, Any] = {
        "kind": kind,
        "scope": scope,
        "event": find_event(event) if event is not None else None,
        "market": find_market(market) if market is not None else None,
        "name": name,
    }
    with transaction.atomic():
        row = Limit.objects.select_for_update().filter(**target).first()
        before = None if row is None else row.value
        if value is None and row is None:
            return None
        changed = row or Limit(**target)
        if value is None:
            changed.delete()
        else:
            changed.value = value
            changed.full_clean(validate_unique=False)
            changed.save()
        if before != value:
            record_change(
                author=author, source=source, action=f"limit {kind} {scope}", subject=_subject(changed),
                before=_value(before), after=_value(value), reason=reason,
            )  # fmt: skip
    return None if value is None else changed


def _subject(row: Limit) -> str:
    if row.market is not None:
        return row.market.condition_id
    return f"event {row.event.gamma_id}" if row.event is not None else row.name or "everything"


def _value(value: Decimal | None) -> dict[str, str] | None:
    return None if value is None else {"value": f"{value.normalize():f}"}
