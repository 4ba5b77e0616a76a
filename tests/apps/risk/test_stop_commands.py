"""stop and resume on the command line."""

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from execution.domain.moments import nanos
from markets.domain.units import NANOS_PER_SECOND
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


def test_a_strategy_is_stopped_for_some_minutes_and_resumed_by_name() -> None:
    body = run("stop", "--strategy", "dutch_book", "--level", "reduce", "--for", "30")
    assert (body["scope"], body["target"]) == ("strategy", "strategy dutch book")
    (stop,) = selectors.stops_in_force(timezone.now())
    assert 1_790 * NANOS_PER_SECOND < stop.expires_ns - nanos(timezone.now()) <= 1_800 * NANOS_PER_SECOND
    assert run("resume", "--strategy", "dutch_book") == {"released": 1, "in_force": 0}


def test_flattening_takes_its_bound_along() -> None:
    run("stop", "--level", "flatten", "--slippage", "0.01")
    assert selectors.stops_in_force(timezone.now())[0].slippage == 100


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--slippage", "much"), "--slippage: 'much' is not a number"),
        (("--slippage", "1.5"), "slippage: .*less than or equal to 1"),
        (("--for", "0"), "--for: 0 minutes; at least 1"),
        (("--wallet", "0x1"), "wallet: 0x1: an address is 0x and 40 hex digits"),
        (("--strategy", "spread", "--level", "flatten"), "level: Positions belong to no strategy"),
    ],
)
def test_a_wrong_option_is_one_clear_line_and_stops_nothing(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        run("stop", *words)
    assert selectors.stops_in_force(timezone.now()) == ()
