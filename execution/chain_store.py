"""Jobs on chain on the database: written before anything is sent, found again after whatever happened.

Law: one row per (plan, step), and what a confirmed job changed is booked in the transaction that says it is confirmed.
"""

from collections.abc import Collection
from typing import Any

import msgspec
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from execution.domain.chain import ENDS, ChainState, ChainTold, ChainVerb, ChainWork, moved
from execution.domain.lease import LeaseLost
from execution.domain.moments import moment, nanos
from execution.domain.postings import Posting
from execution.engine.chain_values import Kept
from execution.journal import Terms
from execution.models import ChainJob, ChainJobEvent, EngineLease
from execution.relayers.base import Prepared
from execution.services import DEFAULT_LEASE, record_postings
from markets.domain.units import Nanos, size_from_decimal, size_to_decimal

DETAIL = 500
OPEN = [state.value for state in ChainState if state not in ENDS]


def plan(work: ChainWork, terms: Terms, at_ns: Nanos) -> Kept | None:
    """Write a new job; a job that is known already is returned as it stands, and nothing was written."""
    row = ChainJob(
        job_id=work.job_id,
        plan_id=work.plan_id,
        step=work.step,
        verb=work.verb.value,
        event_id=work.event_id,
        condition_ids=list(work.condition_ids),
        amount=size_to_decimal(work.amount),
        effects=msgspec.to_builtins(work.effects),
        why=work.why[:200],
        trace=work.trace,
        state=ChainState.PLANNED.value,
        relayer=terms.relayer,
        dry_run=terms.dry_run,
        fencing_token=terms.fencing_token,
        decided_at=moment(work.decided_ns),
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
            ChainJobEvent.objects.create(job=row, before="", after=row.state, detail=row.why, at=moment(at_ns))
    except IntegrityError:
        known = ChainJob.objects.filter(job_id=work.job_id).first()
        if known is None:
            raise
        return kept(known)
    return None


def sending(job_id: str, prepared: Prepared, terms: Terms, at_ns: Nanos, lease: str = DEFAULT_LEASE) -> None:
    """The last thing written before it leaves. Raises LeaseLost for an older token."""
    with transaction.atomic():
        if EngineLease.objects.filter(name=lease, token__gt=terms.fencing_token).exists():
            raise LeaseLost(lease, terms.fencing_token)
        row = ChainJob.objects.select_for_update().get(job_id=job_id)
        row.nonce, row.payload = prepared.nonce, prepared.body.decode()
        row.attempts, row.sent_at = row.attempts + 1, moment(at_ns)
        _move(row, ChainState.SUBMITTING, f"attempt {row.attempts}", at_ns)
        row.save()


def told(said: ChainTold) -> None:
    """What became of a job, with what it changed. Said twice it is written once."""
    with transaction.atomic():
        row = ChainJob.objects.select_for_update().get(job_id=said.job_id)
        row.transaction_id = said.transaction_id or row.transaction_id
        row.transaction_hash = said.transaction_hash or row.transaction_hash
        _move(row, said.state, said.detail, said.at_ns)
        row.save()
        if said.booked is not None:
            record_postings(relayer=row.relayer, postings=[said.booked])


def _move(row: ChainJob, after: ChainState, detail: str, at_ns: Nanos) -> None:
    before = ChainState(row.state)
    row.detail = detail[:DETAIL] or row.detail
    if moved(before, after) is before:
        return
    row.state = after.value
    if after in ENDS:
        row.ended_at = moment(at_ns)
    ChainJobEvent.objects.create(
        job=row, before=before.value, after=after.value, detail=detail[:DETAIL], at=moment(at_ns)
    )


def open_jobs(relayer: str) -> list[Kept]:
    """Jobs of `relayer` that have not ended, in the order they were decided."""
    rows = ChainJob.objects.filter(relayer=relayer, state__in=OPEN, dry_run=False).order_by("decided_at", "pk")
    return [kept(row) for row in rows]


def abandon(relayers: Collection[str], reason: str) -> int:
    """End what can never be done any more: jobs of venues that died with their process, and those of a dry run."""
    gone = ChainJob.objects.filter(state__in=OPEN)
    rows = [*gone.filter(relayer__in=relayers), *gone.filter(dry_run=True).exclude(relayer__in=relayers)]
    now_ns = nanos(timezone.now())
    for row in rows:
        told(ChainTold(row.job_id, ChainState.FAILED, now_ns, reason))
    return len(rows)


def jobs(**wanted: Any) -> QuerySet[ChainJob]:
    """Newest first."""
    return ChainJob.objects.filter(**wanted).order_by("-created_at", "-pk")


def kept(row: ChainJob) -> Kept:
    """A row as a value. Raises msgspec.ValidationError when its effects cannot be read."""
    work = ChainWork(
        plan_id=row.plan_id,
        step=row.step,
        verb=ChainVerb(row.verb),
        event_id=row.event_id,
        condition_ids=tuple(row.condition_ids),
        amount=size_from_decimal(row.amount),
        decided_ns=nanos(row.decided_at),
        effects=msgspec.convert(row.effects, Posting),
        why=row.why,
        trace=row.trace,
    )
    return Kept(
        work,
        ChainState(row.state),
        Prepared(row.nonce, row.payload.encode()) if row.payload else None,
        row.transaction_id,
        row.attempts,
        nanos(row.sent_at) if row.sent_at else 0,
    )
