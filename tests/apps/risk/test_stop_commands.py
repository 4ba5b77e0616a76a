"""stop and resume on the command line."""

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from risk import selectors
from risk.domain.stops import StopLevel
from tests.control_builders import a_market, an_event

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def run(*words: str) -> Any:
    out = io.StringIO()
    call_command(*words, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_stop_without_a_target_stops_everything_until_resume() -> None:
    body = run("stop", "--reason", "odd")
    assert (body["level"], body["scope"], body["in_force"]) == ("cancel", "all", 1)
    assert selectors.stops_in_force(timezone.now())[0].level is StopLevel.CANCEL
    assert run("resume") == {"released": 1, "in_force": 0}


def test_a_market_is_paused_by_slug_and_resumed_by_id() -> None:
    market = a_market()
    body = run("stop", "--market", market.slug, "--level", "pause")
    assert (body["target"], body["level"]) == (market.condition_id, "pause")
    assert run("resume") == {"released": 0, "in_force": 1}
    assert run("resume", "--market", market.condition_id) == {"released": 1, "in_force": 0}


def test_an_event_is_stopped_and_everything_resumed() -> None:
    an_event(77)
    assert run("stop", "--event", "77")["target"] == "event 77"
    run("stop")
    assert run("resume", "--all") == {"released": 2, "in_force": 0}


@pytest.mark.parametrize("words", [("stop", "--market", "no"), ("resume", "--event", "no")])
def test_an_unknown_target_is_one_clear_line(words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match="unknown (market|event): no"):
        run(*words)


def test_an_unknown_stop_is_an_error_and_a_released_one_is_not() -> None:
    number = str(run("stop")["stop"])
    with pytest.raises(CommandError, match="there is no stop 999999"):
        run("resume", "--stop", "999999")
    with pytest.raises(CommandError, match="there is no stop 0"):
        run("resume", "--stop", "0")
    assert run("resume", "--stop", number) == {"released": 1, "in_force": 0}
    assert run("resume", "--stop", number) == {"released": 0, "in_force": 0}
