"""Writes of the execution app: the lease, the heartbeat, reports, snapshots for the screens, retention.

Law: every function is one transaction. Orders and fills are written by the journal alone (`store.py`).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from execution.domain.lease import Lease, LeaseHeld, LeaseLost
from execution.domain.moments import moment
from execution.domain.orders import ENDED, OrderEventKind, OrderState
from execution.domain.postings import Posting, PostingLeg
from execution.domain.reconcile import Correction
from execution.models import (
    AccountOpening,
    AllowanceReport,
    EngineLease,
    EngineStatus,
    ExecAudit,
    MarketState,
    Order,
    OrderEvent,
    Plan,
    PnlPoint,
    PositionSnapshot,
    ReconcileCorrection,
    ReconcileReport,
)
from execution.models import Posting as PostingRow
from markets.domain.units import (
    Cash,
    ConditionId,
    Price,
    Size,
    cash_from_decimal,
    cash_to_decimal,
    price_to_decimal,
    size_to_decimal,
)
from markets.models import Market
from markets.services.rewriting import rewrite
from strategies.models import ArbOpportunity

DEFAULT_LEASE = "engine"
_CHUNK = 2_000


# The lease ---------------------------------------------------------------------------------------------------


def acquire_lease(*, holder: str, ttl: timedelta, name: str = DEFAULT_LEASE, now: datetime | None = None) -> Lease:
    """Become the one who trades. Raises LeaseHeld, naming holder and expiry, while another one's lease runs.

    `holder` names one process for its whole life (host, pid and start), so a lease is never shared by mistake.
    """
    now = now or timezone.now()
    EngineLease.objects.bulk_create([EngineLease(name=name, expires_at=now)], ignore_conflicts=True)
    seen = EngineLease.objects.get(name=name)
    if seen.expires_at > now:
        raise LeaseHeld(name, seen.holder, seen.expires_at)
    moved = EngineLease.objects.filter(name=name, token=seen.token, expires_at__lte=now).update(
        token=seen.token + 1, holder=holder, expires_at=now + ttl
    )
    if moved != 1:
        winner = EngineLease.objects.get(name=name)
        raise LeaseHeld(name, winner.holder, winner.expires_at)
    return Lease(name, seen.token + 1, holder, now + ttl)


def renew_lease(*, lease: Lease, ttl: timedelta, now: datetime | None = None) -> Lease:
    """Keep it. Raises LeaseLost once somebody else has taken it; an expired one nobody took is still ours."""
    expires_at = (now or timezone.now()) + ttl
    moved = EngineLease.objects.filter(name=lease.name, token=lease.token, holder=lease.holder).update(
        expires_at=expires_at
    )
    if moved != 1:
        raise LeaseLost(lease.name, lease.token)
    return Lease(lease.name, lease.token, lease.holder, expires_at)


def release_lease(*, lease: Lease, now: datetime | None = None) -> bool:
    """Let the next one start at once. False when it was not ours any more."""
    moved = EngineLease.objects.filter(name=lease.name, token=lease.token, holder=lease.holder).update(
        holder="", expires_at=now or timezone.now()
    )
    return moved == 1


# The account -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Opening:
    """From when on an account's fills count, and the cash (1e-6 pUSD) they count from."""

    cash: Cash
    at: datetime


def open_account(*, relayer: str, wallet: str, venue: str, cash: Cash, now: datetime | None = None) -> Opening:
    """The account's opening: `cash` becomes it when an engine trades this wallet at this venue for the first time."""
    row, _ = AccountOpening.objects.get_or_create(
        relayer=relayer,
        wallet=wallet,
        venue=venue,
        defaults={"cash": cash_to_decimal(cash), "at": now or timezone.now()},
    )
    return Opening(cash_from_decimal(row.cash, "cash"), row.at)


# The heartbeat -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Beat:
    """What the engine says about itself, about once a second."""

    token: int
    state: str
    relayer: str
    dry_run: bool
    started_at: datetime
    change_seen: int
    summary: Mapping[str, Any]
    name: str = DEFAULT_LEASE


def beat(status: Beat, *, now: datetime | None = None) -> None:
    """Raises LeaseLost when a newer engine has already reported."""
    values = {
        "token": status.token,
        "state": status.state,
        "relayer": status.relayer,
        "dry_run": status.dry_run,
        "started_at": status.started_at,
        "beat_at": now or timezone.now(),
        "change_seen": status.change_seen,
        "summary": dict(status.summary),
    }
    with transaction.atomic():
        if EngineStatus.objects.filter(name=status.name, token__lte=status.token).update(**values):
            return
        row = EngineStatus(name=status.name, **values)
        EngineStatus.objects.bulk_create([row], ignore_conflicts=True)
        if EngineStatus.objects.get(name=status.name).token > status.token:
            raise LeaseLost(status.name, status.token)


# What the screens read ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Holding:
    """Newest position of one market, in domain units. `mark` is the YES price it is valued at."""

    condition_id: ConditionId
    yes: Size
    no: Size
    yes_cost: Cash
    no_cost: Cash
    realised: Cash
    unrealised: Cash
    fees: Cash
    mark: Price | None


@dataclass(frozen=True, slots=True)
class ProfitPoint:
    """`condition_id` None is the whole account."""

    condition_id: ConditionId | None
    pnl: Cash
    net_yes: Size = 0


@dataclass(frozen=True, slots=True)
class Shown:
    """What the engine shows of one market: state, why, how far its book is trusted, and the page's view of it, which
    may be JSON already.
    """

    condition_id: ConditionId
    state: str
    reason: str
    trust: str
    view: Mapping[str, Any] | msgspec.Raw


def _market_keys(condition_ids: Iterable[ConditionId]) -> dict[ConditionId, int]:
    rows = Market.objects.filter(condition_id__in=set(condition_ids))
    return dict(rows.values_list("condition_id", "pk"))


def record_positions(holdings: Sequence[Holding]) -> int:
    """Overwrite the newest position of each market; markets that are not stored are left out of the count."""
    at = timezone.now()
    rows = {
        holding.condition_id: {
            "condition_id": holding.condition_id,
            "yes": size_to_decimal(holding.yes),
            "no": size_to_decimal(holding.no),
            "yes_cost": cash_to_decimal(holding.yes_cost),
            "no_cost": cash_to_decimal(holding.no_cost),
            "realised": cash_to_decimal(holding.realised),
            "unrealised": cash_to_decimal(holding.unrealised),
            "fees": cash_to_decimal(holding.fees),
            "mark": None if holding.mark is None else price_to_decimal(holding.mark),
            "updated_at": at,
        }
        for holding in holdings
    }
    return rewrite(PositionSnapshot, list(rows.values()), key=("market",))


def record_market_states(shown: Sequence[Shown], *, now: datetime | None = None) -> int:
    """Overwrite what is shown of each market."""
    at = now or timezone.now()
    rows = {
        one.condition_id: {
            "condition_id": one.condition_id,
            "at": at,
            "state": one.state,
            "reason": one.reason[:200],
            "trust": one.trust,
            "view": one.view,
        }
        for one in shown
    }
    return rewrite(MarketState, list(rows.values()), key=("market",))


def record_pnl_points(points: Sequence[ProfitPoint], *, at: datetime) -> int:
    keys = _market_keys(point.condition_id for point in points if point.condition_id is not None)
    rows = [
        PnlPoint(
            market_id=None if point.condition_id is None else keys[point.condition_id],
            at=at,
            pnl=cash_to_decimal(point.pnl),
            net_yes=size_to_decimal(point.net_yes),
        )
        for point in points
        if point.condition_id is None or point.condition_id in keys
    ]
    PnlPoint.objects.bulk_create(rows, batch_size=500)
    return len(rows)


def record_postings(*, relayer: str, postings: Sequence[Posting]) -> int:
    """Write postings before the ledger is told; returns how many were new. One said twice is written once.

    Raises ValueError for one of a market that is not stored: a row nobody could read back would be lost money.
    """
    keys = _market_keys(leg.condition_id for posting in postings for leg in posting.legs if leg.condition_id)
    rows: list[PostingRow] = []
    for posting in postings:
        for number, leg in enumerate(posting.legs):
            if leg.condition_id and leg.condition_id not in keys:
                raise ValueError(f"condition_id: {leg.condition_id} of posting {posting.posting_id} is not stored")
            rows.append(_posting_row(relayer, posting, number, leg, keys))
    ids = {posting.posting_id for posting in postings}
    with transaction.atomic():
        stored = PostingRow.objects.filter(relayer=relayer, posting_id__in=ids)
        known = set(stored.values_list("posting_id", flat=True))
        PostingRow.objects.bulk_create([row for row in rows if row.posting_id not in known])
    return len(ids - known)


def _posting_row(
    relayer: str, posting: Posting, number: int, leg: PostingLeg, keys: Mapping[ConditionId, int]
) -> PostingRow:
    return PostingRow(
        posting_id=posting.posting_id,
        leg=number,
        kind=posting.kind.value,
        relayer=relayer,
        market_id=keys.get(leg.condition_id),
        asset_id=leg.asset,
        shares=size_to_decimal(leg.shares),
        cash=cash_to_decimal(leg.cash),
        reason=posting.reason[:500],
        at=moment(posting.at_ns),
    )


# Reports -----------------------------------------------------------------------------------------------------


def record_allowances(
    *, wallet: str, available: bool, rows: Sequence[Mapping[str, Any]], missing: int
) -> AllowanceReport:
    return AllowanceReport.objects.create(
        wallet=wallet, available=available, rows=[dict(row) for row in rows], missing=missing
    )


def reconcile(
    *, source: str, relayer: str, corrections: Iterable[Correction], available: bool = True
) -> ReconcileReport:
    """Keep one comparison with the venue. It reports: what follows from it is the engine's to decide."""
    with transaction.atomic():
        report = ReconcileReport.objects.create(source=source, relayer=relayer, available=available)
        ReconcileCorrection.objects.bulk_create(
            ReconcileCorrection(
                report=report,
                kind=each.kind.value,
                client_order_id=each.client_order_id,
                subject=each.subject[:100],
                detail=each.detail[:500],
            )
            for each in corrections
        )
    return report


def abandon_orders(*, relayers: Collection[str], reason: str, now: datetime | None = None) -> int:
    """Close what cannot rest anywhere any more: orders of relayers that lived in a process that is gone, and
    dry-run orders that were never sent. Call it at start, before the first order."""
    at = now or timezone.now()
    gone = Order.objects.exclude(state__in=[state.value for state in ENDED]).filter(
        Q(relayer__in=relayers) | Q(dry_run=True)
    )
    after = OrderState.CANCELLED.value
    with transaction.atomic():
        rows = list(gone.select_for_update().order_by("pk"))
        OrderEvent.objects.bulk_create(
            [
                OrderEvent(
                    order=row,
                    event=OrderEventKind.CANCEL.value,
                    before=row.state,
                    after=after,
                    detail=reason,
                    at=at,
                )
                for row in rows
            ],
            batch_size=500,
        )
        keys = [row.pk for row in rows]
        for start in range(0, len(keys), _CHUNK):
            chunk = Order.objects.filter(pk__in=keys[start : start + _CHUNK])
            chunk.update(state=after, detail=reason, updated_at=at)
    return len(rows)


# Retention ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Retention:
    """How long what is kept. Fills, and orders that traded, are the books: they stay."""

    orders: timedelta = timedelta(days=30)
    audits: timedelta = timedelta(days=30)
    pnl_points: timedelta = timedelta(days=90)
    reports: timedelta = timedelta(days=90)
    opportunities: timedelta = timedelta(days=30)


def prune(keep: Retention | None = None, *, now: datetime | None = None) -> dict[str, int]:
    """Delete what is older than `keep` says, in small transactions so that the journal never waits for long."""
    keep = keep or Retention()
    now = now or timezone.now()
    pruned = {
        "audits": _delete(ExecAudit.objects.filter(at__lt=now - keep.audits)),
        "pnl_points": _delete(PnlPoint.objects.filter(at__lt=now - keep.pnl_points)),
        "reconcile_corrections": _delete(ReconcileCorrection.objects.filter(report__at__lt=now - keep.reports)),
        "reconcile_reports": _delete(ReconcileReport.objects.filter(at__lt=now - keep.reports)),
        "allowance_reports": _delete(AllowanceReport.objects.filter(at__lt=now - keep.reports)),
        "arb_opportunities": _delete(ArbOpportunity.objects.filter(opened_at__lt=now - keep.opportunities)),
    }
    return pruned | _prune_orders(now - keep.orders)


def _delete(rows: QuerySet[Any]) -> int:
    """Chunk by chunk; whatever protects a row is gone or kept on purpose, so nothing cascades."""
    deleted = 0
    while keys := list(rows.order_by("pk").values_list("pk", flat=True)[:_CHUNK]):
        with transaction.atomic():
            deleted += rows.model._default_manager.filter(pk__in=keys)._raw_delete(rows.db)
    return deleted


def _prune_orders(before: datetime) -> dict[str, int]:
    """Orders that ended without a trade. The newest stays, or its client order id would be given out again."""
    newest = Order.objects.order_by("-client_order_id").values("pk")[:1]
    ended = [state.value for state in ENDED]
    old = Order.objects.filter(state__in=ended, updated_at__lt=before, fills=None).exclude(pk__in=newest)
    orders = events = 0
    while keys := list(old.order_by("pk").values_list("pk", flat=True)[:_CHUNK]):
        with transaction.atomic():
            events += OrderEvent.objects.filter(order__in=keys)._raw_delete(old.db)
            orders += Order.objects.filter(pk__in=keys)._raw_delete(old.db)
    plans = _delete(Plan.objects.filter(orders=None, audits=None, created_at__lt=before))
    return {"orders": orders, "order_events": events, "plans": plans}
