"""Celery tasks of the markets app.

Law: a task translates in, makes one call and translates out; it never trades.
"""

import random
import time
from dataclasses import asdict
from datetime import timedelta

from celery import shared_task
from django.conf import settings

from markets import services

JITTER_S = 20.0


@shared_task(name="markets.tasks.refresh_gamma", soft_time_limit=840)  # type: ignore[untyped-decorator]
def refresh_gamma(*, jitter_s: float = JITTER_S) -> dict[str, int]:
    """Walk all open events and markets; a page that cannot be had fails the task, so that somebody sees it.

    The start is delayed by a random part of `jitter_s`: installations with one schedule must not ask at once.
    """
    time.sleep(random.uniform(0, jitter_s))
    totals = services.refresh(settings.POLYWEB.gamma_url)
    return {**totals.summary(), "vanished": totals.vanished}


@shared_task(name="markets.tasks.refresh_clob_terms", soft_time_limit=840)  # type: ignore[untyped-decorator]
def refresh_clob_terms(*, jitter_s: float = JITTER_S) -> dict[str, int | str]:
    """Compare the terms of followed markets with what the CLOB says; fails when it answers for none."""
    time.sleep(random.uniform(0, jitter_s))
    return asdict(services.refresh_clob_terms(clob_url=settings.POLYWEB.clob_url))


@shared_task(name="markets.tasks.tend_event_tables", soft_time_limit=840)  # type: ignore[untyped-decorator]
def tend_event_tables(*, days: int = 14) -> dict[str, int]:
    """Make the partitions of the coming days and let go of stored events older than `days`."""
    if days < 1:
        raise ValueError(f"days: retention of less than a day: {days}")
    return asdict(services.tend_event_tables(keep=timedelta(days=days)))
