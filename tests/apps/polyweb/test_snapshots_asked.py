"""The System page names every request for a snapshot as the logs do."""

import pytest
from django.utils import timezone

from execution.models import EngineStatus
from polyweb.dashboard.system_page import snapshots_asked

pytestmark = pytest.mark.django_db
SENT = {"request_id": "7", "market": "0x01", "reason": "tops"}
REQUEST = SENT | {"at_ms": 1_800_000_000_000, "via": "rest", "took_ms": 42}


def beat(summary: dict[str, object]) -> None:
    now = timezone.now()
    EngineStatus.objects.create(
        name="engine", token=1, state="running", relayer="paper", started_at=now, beat_at=now, summary=summary
    )


def test_requests_are_read_from_the_engines_last_word() -> None:
    assert snapshots_asked() == []
    beat({"feed": {"resync_log": [REQUEST]}})
    (asked,) = snapshots_asked()
    assert (asked.request_id, asked.reason, asked.via, asked.took_ms) == ("7", "tops", "rest", 42)
    assert asked.at.isoformat() == "2027-01-15T08:00:00+00:00"


def test_an_engine_on_a_recording_has_asked_for_nothing() -> None:
    beat({"feed": {"up": 1}})
    assert snapshots_asked() == []
