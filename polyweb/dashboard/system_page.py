"""What the system page shows: latencies from the audits, tasks, recordings, and what the process runs on.

Law: configuration is named by its kind, never with its address or password.
"""

import shlex
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection
from django.db.models import Count, Max
from django.utils import timezone
from django_celery_beat.models import PeriodicTask
from django_celery_results.models import TaskResult

from execution import selectors as execution
from execution.domain.moments import moment
from execution.models import AllowanceReport, EngineLease, EngineStatus, ReconcileReport
from markets.domain.units import NANOS_PER_MILLI
from markets.models import BookEvent, Recording, ResyncEvent, TradePrint, TrustChange
from polyweb.dashboard import market_lines
from polyweb.dashboard.selectors import engine

AUDITS = 1_000
WORST = 10
HOUR = timedelta(hours=1)
IN_PROCESS = ("fake", "paper")  # their venue lives inside the engine: nobody else can read it
STAGES = (
    ("decision_us", "input to decision"),
    ("gate_us", "gate"),
    ("queue_us", "decision to hands"),
    ("sign_us", "sign"),
    ("journal_us", "journal"),
    ("call_us", "relayer call"),
)


class Stage(NamedTuple):
    name: str
    p50: int
    p95: int
    p99: int
    worst: int


class Asked(NamedTuple):
    """A request for fresh snapshots, as the engine last told of it."""

    at: datetime
    request_id: str
    market: str
    reason: str
    via: str
    took_ms: int | None


def snapshots_asked() -> list[Asked]:
    """The newest requests of the running or last engine, newest first."""
    status = EngineStatus.objects.order_by("-beat_at").first()
    told = status.summary.get("feed", {}).get("resync_log", []) if status is not None else []
    return [
        Asked(
            moment(each["at_ms"] * NANOS_PER_MILLI),
            each["request_id"],
            each["market"],
            each["reason"],
            each["via"],
            each["took_ms"],
        )
        for each in told
    ]


def stages() -> list[Stage]:
    """Percentiles over the newest requests."""
    columns = [column for column, _ in STAGES]
    rows = list(execution.audits()[:AUDITS].values_list(*columns))
    if not rows:
        return []
    return [_stage(name, sorted(row[index] for row in rows)) for index, (_, name) in enumerate(STAGES)]


def _stage(name: str, ordered: Sequence[int]) -> Stage:
    def rank(percent: int) -> int:
        return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]

    return Stage(name, rank(50), rank(95), rank(99), ordered[-1])


def stands_on() -> list[tuple[str, str]]:
    """What this web process uses; the engine's own words are in its summary."""
    env = settings.POLYWEB
    return [
        ("profile", str(env.profile)),
        ("relayer", env.relayer + (" (dry run)" if env.relayer == "real" and env.dry_run else "")),
        ("database", connection.vendor),
        ("broker", env.broker),
        ("channel layer", env.channel_layer),
    ]


class Kept(NamedTuple):
    """One table of what was seen. Counted over the last hour: the whole is too large to count for a page."""

    name: str
    last_hour: int
    newest: datetime | None


def kept() -> list[Kept]:
    since = timezone.now() - HOUR
    return [
        Kept(
            str(model._meta.verbose_name_plural),
            model._default_manager.filter(at__gte=since).count(),
            model._default_manager.filter(at__gte=since).order_by("-at").values_list("at", flat=True).first(),
        )
        for model in (BookEvent, TradePrint, TrustChange, ResyncEvent)
    ]


class Replayable(NamedTuple):
    recording: Recording
    command: str


def recordings() -> list[Replayable]:
    """The newest files, with what to type to live through them again."""
    root = settings.POLYWEB.recordings
    project = settings.BASE_DIR
    folder = root.relative_to(project) if root.is_relative_to(project) else root
    rows = Recording.objects.order_by("-started_at")[:20]
    return [Replayable(row, f"./run manage replay {shlex.quote(str(folder / row.path))}") for row in rows]


class Schedule(NamedTuple):
    task: PeriodicTask
    every: str
    last: datetime | None


def schedules() -> list[Schedule]:
    """Beat writes down only every few minutes what it has sent, the worker each result at once; the newer counts."""
    finished = TaskResult.objects.exclude(date_done=None).exclude(periodic_task_name=None)
    done = dict(finished.values_list("periodic_task_name").annotate(last=Max("date_done")))
    rows = PeriodicTask.objects.select_related("interval", "crontab").order_by("name")
    return [
        Schedule(row, _every(row), max(filter(None, (row.last_run_at, done.get(row.name))), default=None))
        for row in rows
    ]


def _every(task: PeriodicTask) -> str:
    """A crontab that names one time of the day, in words; any other as it is written."""
    cron = task.crontab
    if cron is None:
        return str(task.scheduler)
    days = (cron.day_of_month, cron.month_of_year, cron.day_of_week)
    if days == ("*", "*", "*") and cron.hour.isdigit() and cron.minute.isdigit():
        return f"daily at {int(cron.hour):02}:{int(cron.minute):02} {cron.timezone}"
    return str(cron)


def context() -> dict[str, Any]:
    return {
        "stages": stages(),
        "stands_on": stands_on(),
        "results": TaskResult.objects.order_by("-date_created")[:15],
        "schedules": schedules(),
        "asked": snapshots_asked(),
        "recordings": recordings(),
        "kept": kept(),
        "worst": market_lines.worst(market_lines.lines(engine()))[:WORST],
        "in_process": IN_PROCESS,
        "reconciles": ReconcileReport.objects.annotate(found=Count("corrections")).order_by("-at")[:5],
        "allowance": AllowanceReport.objects.order_by("-at").first(),
        "lease": EngineLease.objects.order_by("-token").first(),
    }
