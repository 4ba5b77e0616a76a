"""Celery: what is scheduled exists, is editable, says so when told nonsense, and really runs in a worker."""

import sys
from importlib import import_module
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from execution.models import AllowanceReport, ReconcileReport
from execution.services import Beat, beat
from polyweb import tasks
from polyweb.celery import app
from risk.models import Incident
from tests.execution_rows import LONG_AGO
from tests.installation import Installation, eventually

SCHEDULED = (
    ("markets.migrations.0002_first_rows", "create"),
    ("markets.migrations.0004_rule_review", "schedule"),
    ("markets.migrations.0005_event_storage", "schedule"),
    ("markets.migrations.0006_clob_terms", "schedule"),
    ("execution.migrations.0002_retention_schedule", "schedule"),
    ("execution.migrations.0003_operation_schedules", "schedule"),
)


def install_schedules() -> None:
    for module, name in SCHEDULED:
        getattr(import_module(module), name)(apps, None)


@pytest.mark.django_db
@pytest.mark.sqlite
def test_every_schedule_names_a_task_that_exists() -> None:
    install_schedules()
    app.loader.import_default_modules()
    scheduled = set(PeriodicTask.objects.exclude(task__startswith="celery.").values_list("task", flat=True))
    assert scheduled <= set(app.tasks)
    assert {name for name in app.tasks if name.startswith("polyweb.tasks.")} <= scheduled


@pytest.mark.django_db
def test_schedules_installed_again_keep_what_an_operator_has_changed() -> None:
    install_schedules()
    PeriodicTask.objects.filter(name="Watchdog").update(enabled=False, kwargs='{"silent_s": 60}')
    before = PeriodicTask.objects.count()
    install_schedules()
    assert PeriodicTask.objects.count() == before
    watchdog = PeriodicTask.objects.get(name="Watchdog")
    assert (watchdog.enabled, watchdog.kwargs) == (False, '{"silent_s": 60}')


@pytest.mark.django_db
def test_every_schedule_lets_a_missed_run_go() -> None:
    install_schedules()
    endless = PeriodicTask.objects.filter(interval__isnull=False, expire_seconds=None)
    assert list(endless.exclude(task__startswith="celery.")) == []


@pytest.mark.django_db
def test_the_reports_say_that_nothing_was_read() -> None:
    assert tasks.reconcile()["available"] is False
    assert tasks.report_allowances()["available"] is False
    assert ReconcileReport.objects.get().source == "task"
    assert AllowanceReport.objects.get().missing == 0


@pytest.mark.django_db
@pytest.mark.parametrize("relayer", ["paper", "fake"])
def test_a_venue_inside_the_engine_is_no_trouble(monkeypatch: pytest.MonkeyPatch, relayer: str) -> None:
    monkeypatch.setattr(settings, "POLYWEB", settings.POLYWEB.model_copy(update={"relayer": relayer}))
    done = tasks.reconcile()
    assert (done["result"], done["available"], done["corrections"]) == ("not applicable", False, 0)
    assert ReconcileReport.objects.get().relayer == relayer


@pytest.mark.django_db
def test_the_watchdog_task_reports_a_silent_engine() -> None:
    beat(Beat(1, "running", "paper", False, LONG_AGO, 0, {}), now=LONG_AGO)
    assert tasks.watch_engine()["state"] == "silent"
    assert Incident.objects.get(closed_at=None).kind == "engine_silence"
    beat(Beat(1, "running", "paper", False, LONG_AGO, 0, {}), now=timezone.now())
    assert tasks.watch_engine(silent_s=30)["state"] == "alive"


@pytest.mark.django_db
def test_a_watchdog_that_would_cry_wolf_is_refused() -> None:
    with pytest.raises(ValueError, match="silent_s: the engine beats once a second"):
        tasks.watch_engine(silent_s=1)


@pytest.mark.django_db
def test_retention_of_less_than_a_day_is_refused() -> None:
    with pytest.raises(ValueError, match="days: retention of less than a day: 0"):
        tasks.recordings(days=0)


def test_a_worker_with_beat_completes_a_scheduled_task_and_keeps_its_result(tmp_path: Path, migrated: Path) -> None:
    place = Installation(tmp_path / "var").copied_from(migrated)
    place.rows("UPDATE django_celery_beat_intervalschedule SET every = 1 WHERE period = 'seconds'")
    words = ("worker", "-B", "-P", "threads", "-c", "1", "--schedule", str(tmp_path / "beat"), "--without-mingle")
    with place.started(str(Path(sys.executable).parent / "celery"), "-A", "polyweb", *words) as worker:
        done = "SELECT count(*) FROM django_celery_results_taskresult WHERE status = 'SUCCESS' AND task_name = ?"
        eventually(
            lambda: worker.poll() is not None or place.one(done, "polyweb.tasks.watch_engine") > 0,
            f"the watchdog ran; see {place.log}",
        )
        assert worker.poll() is None, place.log.read_text(encoding="utf-8")
    assert worker.returncode == 0
    result = "SELECT result FROM django_celery_results_taskresult WHERE task_name = ? AND status = 'SUCCESS' LIMIT 1"
    assert place.one(result, "polyweb.tasks.watch_engine") == '{"state": "never", "age_s": null}'
