"""Celery tasks of the execution app. Reconciliation and allowances need a relayer and live in the project.

Law: a task translates in, makes one call and translates out; it never trades.
"""

from datetime import timedelta

from celery import shared_task

from execution import services


@shared_task(name="execution.tasks.prune", soft_time_limit=840)  # type: ignore[untyped-decorator]
def prune(
    *, orders_days: int = 30, audits_days: int = 30, pnl_days: int = 90, reports_days: int = 90
) -> dict[str, int]:
    """Delete what is older than its days. Fills and orders that traded are the books and stay."""
    days = (orders_days, audits_days, pnl_days, reports_days)
    if min(days) < 1:
        raise ValueError(f"retention of less than a day: {days}")
    return services.prune(services.Retention(*(timedelta(days=each) for each in days)))
