"""Health for process managers, metrics for scrapers."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from execution.models import EngineStatus
from polyweb import health
from tests.control_builders import an_administrator


def an_engine(state: str = "running", age_s: float = 0) -> None:
    beat = timezone.now() - timedelta(seconds=age_s)
    EngineStatus.objects.create(
        name="engine", token=1, state=state, relayer="paper", started_at=beat, beat_at=beat, summary={}
    )


def test_live_asks_nothing_but_the_process(client: Client) -> None:
    answer = client.get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "live"})


@pytest.mark.django_db
@pytest.mark.sqlite
def test_ready_when_database_migrations_and_engine_are(client: Client) -> None:
    an_engine()
    answer = client.get("/health/ready")
    assert answer.status_code == 200, answer.json()
    assert answer.json()["status"] == "ready"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("state", "age_s", "word"),
    [("running", 11, "silent since"), ("stopped", 0, "stopped"), ("starting", 0, "starting")],
)
def test_not_ready_says_why(client: Client, state: str, age_s: float, word: str) -> None:
    an_engine(state, age_s)
    answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert word in answer.json()["checks"]["engine"]["detail"]


@pytest.mark.django_db
def test_without_an_engine_nothing_is_ready(client: Client) -> None:
    answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["checks"]["engine"] == {"ok": False, "detail": "no engine has ever run on this database"}


def test_a_database_that_does_not_answer_is_named_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import OperationalError

    def refuse() -> health.Finding:
        raise OperationalError("secret host name")

    monkeypatch.setattr(health, "_database", refuse)
    findings = health.readiness()
    assert findings["database"] == health.Finding(False, "OperationalError")
    assert not findings["engine"].ok


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["127.0.0.1", "172.18.0.4", "::1"])
def test_metrics_are_for_the_private_network(client: Client, address: str) -> None:
    answer = client.get("/metrics", REMOTE_ADDR=address)
    assert answer.status_code == 200
    assert "django_http_requests" in answer.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "meta",
    [
        {"REMOTE_ADDR": "8.8.8.8"},
        {"REMOTE_ADDR": ""},
        {"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "8.8.8.8"},
    ],
)
def test_metrics_are_not_for_strangers(client: Client, meta: dict[str, str]) -> None:
    assert client.get("/metrics", **meta).status_code == 403  # type: ignore[arg-type]  # the stubs know no META


@pytest.mark.django_db
def test_metrics_are_for_staff_wherever_they_are() -> None:
    assert an_administrator().get("/metrics", REMOTE_ADDR="8.8.8.8").status_code == 200
