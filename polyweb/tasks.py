"""Celery tasks that see the whole project: reconciliation, allowances, recordings, the watchdog.

Law: a task translates in, makes one call and translates out; it never trades. Names are stable: schedules in the
database refer to them.
"""

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from celery import shared_task
from django.conf import settings

from markets.services import tidy_recordings
from polyweb.operations import approvals, reconciliation, rule_review, watchdog


@shared_task(name="polyweb.tasks.reconcile", soft_time_limit=120)  # type: ignore[untyped-decorator]
def reconcile() -> dict[str, Any]:
    """Compare the account with our rows where the venue can be read, and our rows with each other."""
    done = reconciliation.reconcile(settings.POLYWEB, source="task")
    return {
        "result": done.result,
        "available": done.report.available,
        "corrections": len(done.rows),
        "reason": done.reason,
    }


@shared_task(name="polyweb.tasks.report_allowances", soft_time_limit=120)  # type: ignore[untyped-decorator]
def report_allowances() -> dict[str, Any]:
    """Report what the wallet has approved against what trading needs; nothing is ever sent."""
    done = approvals.report_allowances(settings.POLYWEB, needed=settings.POLYWEB.paper_cash)
    return {"available": done.report.available, "missing": done.report.missing, "reason": done.reason}


@shared_task(name="polyweb.tasks.tidy_recordings", soft_time_limit=840)  # type: ignore[untyped-decorator]
def recordings(*, days: int = 14) -> dict[str, int]:
    """Register new segments and delete those last written to more than `days` ago."""
    if days < 1:
        raise ValueError(f"days: retention of less than a day: {days}")
    return asdict(tidy_recordings(root=settings.POLYWEB.recordings, keep=timedelta(days=days)))


@shared_task(name="polyweb.tasks.watch_engine", soft_time_limit=60)  # type: ignore[untyped-decorator]
def watch_engine(*, silent_s: float = 15.0) -> dict[str, Any]:
    """Trip the breaker, open an incident and cancel what rests when the last heartbeat is more than `silent_s` old."""
    if silent_s < 2:
        raise ValueError(f"silent_s: the engine beats once a second; {silent_s:g} s would cry wolf")
    return asdict(watchdog.look(silent_after=timedelta(seconds=silent_s)))


@shared_task(name="polyweb.tasks.review_rules", soft_time_limit=60)  # type: ignore[untyped-decorator]
def review_rules() -> dict[str, int]:
    """Open an incident for every followed market whose changed rules wait for approval; close those approved."""
    return asdict(rule_review.review())
