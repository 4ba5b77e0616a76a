"""Health and metrics for process managers and scrapers.

Law: "live" asks nothing but this process; "ready" says yes only when the database can be written, every migration is
applied and the engine's heartbeat is fresh, and names what is missing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from django_prometheus.exports import ExportToDjangoView

from execution.models import EngineStatus
from markets.services.patience import waiting_at_most
from polyweb.access import may_scrape, no_store

FRESH = timedelta(seconds=10)  # ten missed heartbeats
WRITE_WAIT_S = 2.0


@dataclass(frozen=True, slots=True)
class Finding:
    ok: bool
    detail: str


@require_safe
def live(request: HttpRequest) -> HttpResponse:
    return no_store(JsonResponse({"status": "live"}))


@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    findings = readiness()
    ok = all(finding.ok for finding in findings.values())
    body = {
        "status": "ready" if ok else "not ready",
        "checks": {name: {"ok": item.ok, "detail": item.detail} for name, item in findings.items()},
    }
    return no_store(JsonResponse(body, status=200 if ok else 503))


def readiness() -> dict[str, Finding]:
    """Every check with its verdict. Also what `manage.py health` prints."""
    findings = {"database": _asked(_database)}
    if not findings["database"].ok:
        unknown = Finding(False, "unknown: see database")
        return {**findings, "migrations": unknown, "engine": unknown}
    return {**findings, "migrations": _asked(_migrations), "engine": _asked(_engine)}


def _asked(check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except DatabaseError as error:
        return Finding(False, type(error).__name__)


def _database() -> Finding:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
    problem = _why_not_written()
    return Finding(not problem, f"{connection.vendor} cannot be written: {problem}" if problem else connection.vendor)


def _why_not_written() -> str:
    """Reads go on while nothing can be written: a lock that is never let go, a read-only disk, a standby."""
    if connection.vendor == "sqlite":
        try:
            with waiting_at_most(WRITE_WAIT_S), transaction.atomic():  # BEGIN IMMEDIATE asks for the lock
                return ""
        except OperationalError as error:
            return str(error)
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('transaction_read_only')")
        return "it is read-only" if cursor.fetchone()[0] == "on" else ""


def _migrations() -> Finding:
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if waiting:
        return Finding(False, f"{len(waiting)} not applied; run manage.py migrate")
    return Finding(True, "applied")


def _engine() -> Finding:
    status = EngineStatus.objects.order_by("-beat_at").first()
    if status is None:
        return Finding(False, "no engine has ever run on this database")
    age = timezone.now() - status.beat_at
    if age > FRESH:
        return Finding(False, f"silent since {status.beat_at:%F %T} UTC")
    if status.state != "running":
        return Finding(False, status.state)
    return Finding(True, f"heartbeat {age.total_seconds():.1f} s ago")


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text, for staff and for direct callers on the private network (`access.may_scrape`)."""
    if not may_scrape(request):
        return HttpResponse("metrics are for this machine's network or staff\n", status=403, content_type="text/plain")
    response: HttpResponse = ExportToDjangoView(request)
    return no_store(response)
