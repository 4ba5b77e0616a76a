"""Reads of the risk app: the caps and stops in force as domain values, and lists for the pages.

Law: a missing cap is the domain's default, never "unlimited".
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet

from markets.domain.units import NANOS_PER_SECOND, cash_from_decimal
from risk.domain.limits import Limits
from risk.domain.stops import Stop as DomainStop
from risk.domain.stops import StopLevel, StopScope
from risk.models import Breaker, Incident, Limit, Refusal, Stop


def limits() -> Limits:
    """Every cap in force, for the gate."""
    chosen: dict[str, Any] = {}
    by_market: dict[str, int] = {}
    by_event: dict[str, int] = {}
    for row in Limit.objects.select_related("market", "event"):
        match row.kind, row.scope:
            case Limit.Kind.ORDER_RATE, _:
                chosen["orders_per_second"] = int(row.value)
            case Limit.Kind.BOOK_AGE, _:
                chosen["max_book_age_ns"] = int(row.value * NANOS_PER_SECOND)
            case _, Limit.Scope.TOTAL:
                chosen["total_loss"] = cash_from_decimal(row.value)
            case _, Limit.Scope.EVENT_DEFAULT:
                chosen["event_loss"] = cash_from_decimal(row.value)
            case _, Limit.Scope.MARKET_DEFAULT:
                chosen["market_loss"] = cash_from_decimal(row.value)
        if row.market is not None:
            by_market[row.market.condition_id] = cash_from_decimal(row.value)
        if row.event is not None:
            by_event[row.event.gamma_id] = cash_from_decimal(row.value)
    return Limits(**chosen, market_overrides=by_market, event_overrides=by_event)


def unreleased() -> QuerySet[Stop]:
    return Stop.objects.filter(released_at=None)


def in_force(now: datetime) -> QuerySet[Stop]:
    """Rows neither released nor expired, newest first."""
    rows = unreleased().filter(Q(expires_at=None) | Q(expires_at__gt=now))
    return rows.select_related("market", "event", "author").order_by("-created_at", "-pk")


def stops_in_force(now: datetime) -> tuple[DomainStop, ...]:
    return tuple(_to_domain(row) for row in in_force(now))


def _to_domain(row: Stop) -> DomainStop:
    target = ""
    if row.market is not None:
        target = row.market.condition_id
    elif row.event is not None:
        target = row.event.gamma_id
    expires_ns = 0
    if row.expires_at is not None:
        # Through Decimal: a float's 53 bits cannot hold epoch nanoseconds.
        expires_ns = int(Decimal(str(row.expires_at.timestamp())) * NANOS_PER_SECOND)
    return DomainStop(StopLevel(row.level), StopScope(row.scope), target, row.reason, expires_ns)


def open_incidents() -> QuerySet[Incident]:
    return Incident.objects.filter(closed_at=None).select_related("market").order_by("-seen_at", "-pk")


def breakers() -> QuerySet[Breaker]:
    return Breaker.objects.select_related("market").order_by("kind", "market__question")


def refusals() -> QuerySet[Refusal]:
    return Refusal.objects.select_related("market").order_by("-minute", "-pk")
