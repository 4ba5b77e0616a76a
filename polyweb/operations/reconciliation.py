"""Our books against the venue's, from outside the engine, and against themselves.

Law: it reports and changes none of our rows. Where the venue cannot be read from here the report says so and concludes
nothing about it; what our own rows contradict is found all the same.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.utils import timezone

from execution import selectors, services
from execution.domain.reconcile import Correction, CorrectionKind
from execution.models import Fill, Order, ReconcileCorrection, ReconcileReport
from polyweb.env import Env
from polyweb.operations import account
from risk import services as risk

INCIDENT_KEY = "reconciliation: own rows"
LOOK_BACK = timedelta(days=1)
# Rows of one moment are written by several statements; younger ones may not be complete.
SETTLING = timedelta(seconds=30)
MAX_ROWS = 200

NO_VENUE = {
    "fake": "the fake venue lives inside the engine and cannot be read from another process",
    "paper": "the paper venue lives inside the engine and cannot be read from another process",
}
ACCOUNT_KEY = "reconciliation: account"

# These have no venue anybody but the engine could read: that it was not read is no trouble.
IN_PROCESS = frozenset(NO_VENUE)
# What a stranger does is told by itself, and a person may want it so.
_STRANGE = frozenset({CorrectionKind.FOREIGN})
OWN_KINDS = frozenset({CorrectionKind.UNWATCHED.value, CorrectionKind.FILLS_DISAGREE.value})


@dataclass(frozen=True, slots=True)
class Reconciled:
    """`reason` says why the venue was not read, `rows` what was found."""

    report: ReconcileReport
    reason: str
    rows: tuple[ReconcileCorrection, ...]

    @property
    def well(self) -> bool:
        """Nothing differs, and whatever can be read was: a venue that did not answer proves nothing."""
        return not self.rows and (self.report.available or self.report.relayer in IN_PROCESS)

    @property
    def result(self) -> str:
        """In two words; the report's rows say which."""
        found = len(self.rows)
        if found:
            return f"{found} correction{'s' if found > 1 else ''}"
        if self.report.available:
            return "no difference"
        return "not applicable" if self.report.relayer in IN_PROCESS else "not read"


def reconcile(env: Env, *, source: str, cancel_foreign: bool = False, now: datetime | None = None) -> Reconciled:
    """Compare and keep a report. What differs opens an incident, which closes when nothing does.

    `cancel_foreign` takes strangers' orders down; those that went are in the report as such.
    """
    now = now or timezone.now()
    own = [*_unwatched(now), *_disagreeing(now)][:MAX_ROWS]
    theirs, reason = _account(env, cancel_foreign=cancel_foreign)
    available = theirs is not None
    report = services.reconcile(
        source=source, relayer=env.relayer, corrections=[*own, *(theirs or ())][:MAX_ROWS], available=available
    )
    _tell(INCIDENT_KEY, "contradictions in our own rows", own)
    if theirs is not None:
        _tell(ACCOUNT_KEY, "differences with the venue", [each for each in theirs if each.kind not in _STRANGE])
    return Reconciled(report, reason, tuple(report.corrections.order_by("pk")))


def _account(env: Env, *, cancel_foreign: bool) -> tuple[tuple[Correction, ...] | None, str]:
    """What differs at the venue, or None and why it was not read."""
    if env.relayer in NO_VENUE:
        return None, NO_VENUE[env.relayer]
    try:
        found = account.compare(env)
        strangers = [each.subject for each in found if each.kind in _STRANGE]
        if cancel_foreign and strangers:
            gone = account.cancel(env, strangers)
            found = tuple(_cancelled(each) if each.subject in gone else each for each in found)
    except account.AccountUnread as error:
        return None, str(error)
    return found, ""


def _cancelled(stranger: Correction) -> Correction:
    return Correction(CorrectionKind.FOREIGN_GONE, 0, stranger.subject, stranger.detail)


def _tell(key: str, what: str, found: Sequence[Correction]) -> None:
    if not found:
        risk.close_incident_by_key(key=key)
        return
    first = found[0]
    text = f"{len(found)} {what}, first: {first.subject} {first.kind.value} ({first.detail})"
    risk.open_incident(kind="reconciliation", key=key, text=text)


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
