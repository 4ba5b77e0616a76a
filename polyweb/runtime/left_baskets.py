"""Baskets an earlier engine left under way, read from the rows it wrote before it sent anything.

Law: orders and jobs say what a basket is, a basket's own row only that it has ended: that row is written after the fact
and may be missing. What cannot be read is left to the operator.
"""

from collections.abc import Iterable
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from execution.chain_store import kept
from execution.domain.chain import NEVER_SENT, ChainRecord
from execution.domain.commands import Strategy
from execution.domain.moments import moment
from execution.models import ChainJob, Order, Plan
from markets.domain.units import Nanos
from polyweb.runtime.baskets import LegOrder, Unfinished
from strategies.domain.basket_traces import Kept, plan_in
from strategies.store import begun, ended

# Of plans without a row of their own none is older: the row comes within a beat of the plan.
ROWLESS = timedelta(days=1)


def left_baskets(relayer: str, since_ns: Nanos) -> tuple[Unfinished, ...]:
    """Those of `relayer` since that moment that can be gone on with, oldest first. One that had just ended is among
    them while its row does not say so: its orders and jobs say it again.
    """
    found = (_unfinished(plan_id, relayer) for plan_id in _candidates(relayer, since_ns))
    return tuple(left for left in found if left is not None)


def _candidates(relayer: str, since_ns: Nanos) -> Iterable[str]:
    """Plans of baskets that have not ended, oldest first; what completes or undoes one is no plan of its own."""
    since, under_way = moment(since_ns), set(begun())
    recent = Q(decided_at__gte=timezone.now() - ROWLESS)
    plans = Plan.objects.filter(strategy=Strategy.DUTCH_BOOK.value, decided_at__gte=since, orders__relayer=relayer)
    jobs = ChainJob.objects.filter(relayer=relayer, decided_at__gte=since, step=0)
    told = [
        *plans.filter(recent | Q(plan_id__in=under_way)).exclude(trace="").values_list("decided_at", "plan_id"),
        *jobs.filter(recent | Q(plan_id__in=under_way)).exclude(trace="").values_list("decided_at", "plan_id"),
    ]
    names = dict.fromkeys(name for _, name in sorted(told))
    over = ended(names)
    return [name for name in names if name not in over]


def _unfinished(plan_id: str, relayer: str) -> Unfinished | None:
    jobs = list(ChainJob.objects.filter(plan_id=plan_id, relayer=relayer).order_by("step"))
    plan = _plan(plan_id, jobs)
    if plan is None:
        return None
    own = Q(plan__plan_id=plan_id) | Q(plan__plan_id__startswith=f"{plan_id[:28]}-")
    orders = Order.objects.filter(own, relayer=relayer).select_related("plan").order_by("client_order_id")
    said = (NEVER_SENT if jobs[-1].dry_run else jobs[-1].detail) if jobs else ""
    return Unfinished(
        plan.basket,
        plan.terms,
        tuple(LegOrder(row.client_order_id, row.asset_id, row.plan.plan_id, row.post_only) for row in orders),
        tuple(ChainRecord(job.work, job.state, job.transaction_id) for job in map(kept, jobs)),
        said,
    )


def _plan(plan_id: str, jobs: list[ChainJob]) -> Kept | None:
    """As its legs were decided last, or as its first job was."""
    traces = [*Plan.objects.filter(plan_id=plan_id).values_list("trace", flat=True), *(job.trace for job in jobs[:1])]
    return next((plan for trace in traces if (plan := plan_in(trace)) is not None), None)
