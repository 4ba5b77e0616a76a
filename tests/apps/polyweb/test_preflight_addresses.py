"""Preflight of a demo asks the sandbox the demo runs on, not the venue it never talks to."""

import pytest
from django.conf import settings
from django.utils import timezone

from execution.services import Beat, beat
from polyweb.devtools.machine import free_port
from polyweb.env import Env, Profile
from polyweb.operations import preflight
from polyweb.operations.preflight import Row, Verdict
from tests.execution_rows import LONG_AGO

pytestmark = pytest.mark.django_db


def demo() -> Env:
    nowhere = "127.0.0.1:9"
    told = {"feed_url": f"ws://{nowhere}/ws", "gamma_url": f"http://{nowhere}", "clob_url": f"http://{nowhere}"}
    found: Env = settings.POLYWEB.model_copy(update={"profile": Profile.DEMO, **told})
    return found


def engine_on(feed: str, *, long_ago: bool = False) -> None:
    now = LONG_AGO if long_ago else timezone.now()
    beat(Beat(1, "running", "paper", False, LONG_AGO, 0, {"mode": {"feed": feed}}), now=now)


def rows() -> dict[str, Row]:
    return {row.check: row for row in preflight.run(demo())}


def test_a_running_demo_says_where_its_sandbox_is() -> None:
    where = f"127.0.0.1:{free_port()}"
    engine_on(f"ws://{where}/ws/market")
    found = rows()
    assert (found["addresses"].verdict, found["addresses"].detail) == (
        Verdict.OK, f"of the running demo's sandbox, {where}"
    )  # fmt: skip
    assert all(found[name].detail.startswith(where) for name in ("feed", "gamma", "clock"))


@pytest.mark.parametrize(
    ("feed", "long_ago", "said"),
    [
        ("", False, "the demo is not running: these are the defaults"),
        ("ws://127.0.0.1:7/ws", True, "the demo is not running: these are the defaults"),
        ("recording", False, "the demo plays a recording: these are the defaults"),
    ],
)
def test_without_a_sandbox_the_defaults_are_named_as_such(feed: str, long_ago: bool, said: str) -> None:
    engine_on(feed, long_ago=long_ago)
    found = rows()
    assert (found["addresses"].verdict, found["addresses"].detail) == (Verdict.SKIPPED, said)
    assert found["feed"].detail.startswith("127.0.0.1:9")
