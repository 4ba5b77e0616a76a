"""What a stop did: counted from the orders that rested when it was given and the events they had since.

Law: counted from rows, so the page, a reload and a second browser say the same.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from execution.models import ExecAudit, Order, OrderEvent, PositionSnapshot
from execution.selectors import ENDED_STATES
from polyweb.dashboard.selectors import engine
from risk.domain.stops import StopLevel
from risk.models import Stop

SLOW = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Report:
    done: bool
    text: str


def report(stop: Stop) -> Report:
    if stop.level == StopLevel.PAUSE:
        count = _resting(stop).count()
        return Report(True, f"Nothing new is placed. {count} resting {_orders(count)} left as they were.")
    if stop.level == StopLevel.REDUCE:
        count = _resting(stop).count()
        return Report(True, f"Only what brings positions down is left. {count} {_orders(count)} resting.")
    caught = _caught(stop)
    total = caught.count()
    ended = caught.filter(state__in=ENDED_STATES).count()
    if ended < total:
        return _unfinished(stop, ended, total)
    told = "No order was resting; nothing new is placed."
    if total:
        told = f"{ended} of {total} {_orders(total)} cancelled or ended{_took(stop, caught)}."
    return _flattened(stop, told) if stop.level == StopLevel.FLATTEN else Report(True, told)


def _flattened(stop: Stop, told: str) -> Report:
    """What is held beyond pairs, as the engine last wrote it down."""
    held = _positions(stop).exclude(yes=F("no")).count()
    if not held:
        return Report(True, f"{told} Nothing is held beyond pairs.")
    if stop.released_at is not None:
        return Report(True, f"{told} Released while {held} {_positions_word(held)} held.")
    return Report(False, f"{told} {held} {_positions_word(held)} held; each market says what it waits for.")


def _positions_word(count: int) -> str:
    return "position is still" if count == 1 else "positions are still"


def _positions(stop: Stop) -> QuerySet[PositionSnapshot]:
    rows = PositionSnapshot.objects.all()
    if stop.market_id is not None:
        return rows.filter(market=stop.market_id)
    return rows.filter(market__event=stop.event_id) if stop.event_id is not None else rows


def _unfinished(stop: Stop, ended: int, total: int) -> Report:
    return Report(False, f"{ended} of {total} {_orders(total)} ended{_waiting(stop)}")


def _orders(count: int) -> str:
    return "order" if count == 1 else "orders"


def _in_scope(stop: Stop) -> QuerySet[Order]:
    rows = Order.objects.filter(dry_run=False)
    if stop.strategy:
        return rows.filter(plan__strategy=stop.strategy)
    if stop.market_id is not None:
        return rows.filter(market=stop.market_id)
    return rows.filter(market__event=stop.event_id) if stop.event_id is not None else rows


def _resting(stop: Stop) -> QuerySet[Order]:
    return _in_scope(stop).exclude(state__in=ENDED_STATES)


def _caught(stop: Stop) -> QuerySet[Order]:
    """Orders of the scope that had not ended when the stop was given."""
    later = OrderEvent.objects.filter(order=OuterRef("pk"), at__gte=stop.created_at)
    open_then = ~Q(state__in=ENDED_STATES) | Exists(later.filter(after__in=ENDED_STATES))
    return _in_scope(stop).filter(open_then, created_at__lte=stop.created_at)


def _took(stop: Stop, caught: QuerySet[Order]) -> str:
    ends = OrderEvent.objects.filter(order__in=caught, at__gte=stop.created_at, after__in=ENDED_STATES)
    last: datetime | None = ends.order_by("-at").values_list("at", flat=True).first()
    return "" if last is None else f" in {max(0.0, (last - stop.created_at).total_seconds()):.1f} s"


def _waiting(stop: Stop) -> str:
    taken = ExecAudit.objects.filter(reason=f"stop {stop.pk}", action="takedown").order_by("-at").first()
    if not engine().live and taken is not None and not taken.error:
        return f": {taken.orders} were cancelled at the venue, none rests; the engine settles the rows when it starts."
    if not engine().live:
        return ": the engine is silent, nobody is cancelling. Cancel at the venue if orders rest there."
    waited = timezone.now() - stop.created_at
    return f" after {waited.total_seconds():.0f} s, still waiting for the venue." if waited > SLOW else " so far …"
