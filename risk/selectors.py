"""Reads of the risk app: the caps and stops in force as domain values, and lists for the pages.

Law: a missing cap is the domain's default, never "unlimited".
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Q, QuerySet

from markets.domain.units import NANOS_PER_SECOND, Nanos, price_from_decimal
from markets.models import Change, Event
from risk.domain.breakers import Breaker as DomainBreaker
from risk.domain.breakers import BreakerKind, BreakerState
from risk.domain.caps import BY_KIND, CapKind, Level
from risk.domain.limits import Limits, spelled
from risk.domain.panel import Release
from risk.domain.stops import Stop as DomainStop
from risk.domain.stops import StopLevel, StopScope
from risk.domain.thresholds import DEFINITIONS, ThresholdError, Thresholds, check, resolve
from risk.domain.thresholds import Threshold as Definition
from risk.models import Breaker, BreakerEvent, Incident, Limit, Refusal, RuntimeState, Stop, Threshold


@dataclass(frozen=True, slots=True)
class ThresholdLine:
    """`own` is whether somebody set it; else it is the default."""

    definition: Definition
    value: int
    own: bool


def limits() -> Limits:
    """Every cap in force, for the gate."""
    total: dict[CapKind, int] = {}
    by_market: dict[str, int] = {}
    by_event: dict[str, int] = {}
    own: dict[str, int] = {}
    for row in Limit.objects.select_related("market", "event"):
        kind, level = CapKind(row.kind), row.level
        value = int(row.value * BY_KIND[kind].scale)
        named = row.market.condition_id if row.market else row.event.gamma_id if row.event else row.name
        if level is Level.TOTAL and kind in _TOTALS:
            total[kind] = value
        elif kind is CapKind.LOSS and level is Level.MARKET and row.market:
            by_market[named] = value
        elif kind is CapKind.LOSS and level is Level.EVENT and row.event:
            by_event[named] = value
        else:
            own[spelled(kind, level, named)] = value
    figures = {name: total[kind] for kind, name in _TOTALS.items() if kind in total}
    for name, level in (("market_loss", Level.MARKET), ("event_loss", Level.EVENT)):
        each = own.pop(spelled(CapKind.LOSS, level), None)
        figures |= {} if each is None else {name: each}
    categories = _categories() if any(key.split(" ")[1] == Level.CATEGORY for key in own) else {}
    return Limits(**figures, market_overrides=by_market, event_overrides=by_event, own=own, categories=categories)


_TOTALS = {
    CapKind.LOSS: "total_loss",
    CapKind.ORDER_RATE: "orders_per_second",
    CapKind.CANCEL_RATE: "cancels_per_second",
    CapKind.BOOK_AGE: "max_book_age_ns",
    CapKind.DAILY_LOSS: "daily_loss",
    CapKind.ROLLING_LOSS: "rolling_loss",
    CapKind.DRAWDOWN: "drawdown",
}


def _categories() -> dict[str, str]:
    """The category of every open event that has one; only asked for while a category is capped."""
    named = Event.objects.exclude(category="").filter(markets__closed=False).distinct()
    return dict(named.values_list("gamma_id", "category"))


def limit_history() -> QuerySet[Change]:
    """Who changed which cap, when and why; newest first."""
    return Change.objects.filter(action__startswith="limit ").select_related("author").order_by("-pk")


def unreleased() -> QuerySet[Stop]:
    return Stop.objects.filter(released_at=None)


def in_force(now: datetime) -> QuerySet[Stop]:
    """Rows neither released nor expired, newest first."""
    rows = unreleased().filter(Q(expires_at=None) | Q(expires_at__gt=now))
    return rows.select_related("market", "event", "author").order_by("-created_at", "-pk")


def stops_in_force(now: datetime) -> tuple[DomainStop, ...]:
    return tuple(_to_domain(row) for row in in_force(now))


def _to_domain(row: Stop) -> DomainStop:
    target = row.strategy or row.wallet
    if row.market is not None:
        target = row.market.condition_id
    elif row.event is not None:
        target = row.event.gamma_id
    expires_ns = 0 if row.expires_at is None else _nanos(row.expires_at)
    slippage = price_from_decimal(row.slippage, "slippage")
    return DomainStop(StopLevel(row.level), StopScope(row.scope), target, row.reason, expires_ns, slippage)


def _nanos(at: datetime) -> Nanos:
    # Through Decimal: a float's 53 bits cannot hold epoch nanoseconds.
    return int(Decimal(str(at.timestamp())) * NANOS_PER_SECOND)


def open_incidents() -> QuerySet[Incident]:
    return Incident.objects.filter(closed_at=None).select_related("market").order_by("-seen_at", "-pk")


def closed_incidents() -> QuerySet[Incident]:
    return Incident.objects.exclude(closed_at=None).select_related("market").order_by("-closed_at", "-pk")


def breaker_events() -> QuerySet[BreakerEvent]:
    return BreakerEvent.objects.select_related("market").order_by("-at", "-pk")


def thresholds() -> Thresholds:
    """Where breakers trip. A stored value that is out of bounds by now counts as not set."""
    stored = dict(Threshold.objects.values_list("name", "value"))
    good = {name: value for name, value in stored.items() if _is_threshold(name, value)}
    return resolve(good)


def _is_threshold(name: str, value: int) -> bool:
    try:
        check(name, value)
    except ThresholdError:
        return False
    return True


def threshold_lines() -> list[ThresholdLine]:
    """Every threshold with the value in force, in the order of the definitions."""
    stored = dict(Threshold.objects.values_list("name", "value"))
    in_force = asdict(thresholds())
    return [ThresholdLine(each, in_force[each.name], each.name in stored) for each in DEFINITIONS]


def releases() -> tuple[Release, ...]:
    """Open breakers an operator has released and the engine has not yet closed."""
    rows = Breaker.objects.filter(state=BreakerState.OPEN.value, released_at__isnull=False).select_related("market")
    return tuple(
        Release(BreakerKind(row.kind), row.market.condition_id if row.market else "", _nanos(row.released_at))
        for row in rows.order_by("pk")
        if row.released_at is not None
    )


def memories() -> dict[str, str]:
    """What the engine kept, by condition id and by the empty string."""
    return dict(RuntimeState.objects.values_list("target", "state"))


def memory(target: str) -> str | None:
    """What the engine kept of one market, or of everything by the empty string; None when it kept nothing."""
    return RuntimeState.objects.filter(target=target).values_list("state", flat=True).first()


def standing_breakers() -> tuple[DomainBreaker, ...]:
    """Every breaker that was not closed when the engine last said so; the watchdog's own is not the engine's."""
    rows = Breaker.objects.exclude(state=BreakerState.CLOSED.value).exclude(kind=BreakerKind.ENGINE_SILENCE.value)
    return tuple(
        DomainBreaker(
            BreakerKind(row.kind),
            row.market.condition_id if row.market else "",
            BreakerState(row.state),
            row.reason,
            _nanos(row.since),
            _nanos(row.until) if row.until is not None else 0,
        )
        for row in rows.select_related("market").order_by("pk")
    )


def breakers() -> QuerySet[Breaker]:
    return Breaker.objects.select_related("market").order_by("kind", "market__question")


def refusals() -> QuerySet[Refusal]:
    return Refusal.objects.select_related("market").order_by("-minute", "-pk")
