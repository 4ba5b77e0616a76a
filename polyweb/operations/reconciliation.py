"""Our books against the venue's, from outside the engine, and against themselves.

Law: it reports and changes nothing. Where the venue cannot be read from here the report says so and concludes nothing
about it; what our own rows contradict is found all the same.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.utils import timezone

from execution import selectors, services
from execution.domain.reconcile import Correction, CorrectionKind
from execution.models import Fill, Order, ReconcileReport
from risk import services as risk

INCIDENT_KEY = "reconciliation: own rows"
LOOK_BACK = timedelta(days=1)
# Rows of one moment are written by several statements; younger ones may not be complete.
SETTLING = timedelta(seconds=30)
MAX_ROWS = 200

NO_VENUE = {
    "fake": "the fake venue lives inside the engine and cannot be read from another process",
    "paper": "the paper venue lives inside the engine and cannot be read from another process",
    "real": "the venue is compared by the engine when it starts, not from here",
}


# These have no venue anybody but the engine could read: that it was not read is no trouble.
IN_PROCESS = frozenset({"fake", "paper"})


@dataclass(frozen=True, slots=True)
class Reconciled:
    """`reason` says why the venue was not read."""

    report: ReconcileReport
    reason: str

    @property
    def result(self) -> str:
        """In two words; the report's rows say which."""
        found = len(self.report.corrections)
        if found:
            return f"{found} correction{'s' if found > 1 else ''}"
        if self.report.available:
            return "no difference"
        return "not applicable" if self.report.relayer in IN_PROCESS else "not read"


def reconcile(*, relayer: str, source: str, now: datetime | None = None) -> Reconciled:
    """Compare and keep a report; contradictions in our own rows also open an incident, which closes with them."""
    now = now or timezone.now()
    corrections = [*_unwatched(now), *_disagreeing(now)][:MAX_ROWS]
    report = services.reconcile(source=source, relayer=relayer, corrections=corrections, available=False)
    if corrections:
        first = corrections[0]
        text = f"{len(corrections)} contradictions in our own rows, first: order {first.subject} {first.kind.value}"
        risk.open_incident(kind="reconciliation", key=INCIDENT_KEY, text=text)
    else:
        risk.close_incident_by_key(key=INCIDENT_KEY)
    return Reconciled(report, NO_VENUE[relayer])


def _unwatched(now: datetime) -> Iterator[Correction]:
    """Orders that would rest while nobody is there to cancel them."""
    if selectors.engine_alive(patience=SETTLING, now=now):
        return
    rows = selectors.orders(live=True).filter(dry_run=False, updated_at__lt=now - SETTLING)
    for row in rows[:MAX_ROWS]:
        detail = f"is {row.state}, {row.relayer}"
        yield Correction(CorrectionKind.UNWATCHED, row.client_order_id, row.order_id, detail)


def _disagreeing(now: datetime) -> Iterator[Correction]:
    """Orders whose filled size is not the sum of their fills. Summed here: SQLite would add decimals as floats."""
    lately = Order.objects.filter(updated_at__gte=now - LOOK_BACK, updated_at__lt=now - SETTLING)
    sums: dict[int, Decimal] = defaultdict(Decimal)
    for order, size in Fill.objects.filter(order__in=lately).values_list("order__pk", "size").iterator():
        sums[order] += size
    traded = lately.exclude(filled=0) | lately.filter(pk__in=list(sums))
    for row in traded.order_by("pk").iterator():
        if row.filled != sums[row.pk]:
            detail = f"{row.filled} filled, fills of {sums[row.pk]}"
            yield Correction(CorrectionKind.FILLS_DISAGREE, row.client_order_id, row.order_id, detail)
