"""Breakers in the API, the admin and on the command line: seen, released by rule, tuned within bounds."""

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from polyweb.dashboard import breakers_page
from risk import selectors, services
from risk.domain.breakers import BreakerKind
from risk.services import BreakerReport
from tests.control_builders import a_caller, a_market, an_administrator

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
API = "/api/v1/"


def tripped(kind: str = "drift") -> None:
    services.report_breakers([BreakerReport(kind, "open", timezone.now(), "5 shares unexplained")])


def run(*words: str) -> Any:
    out = io.StringIO()
    call_command("breakers", *words, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_a_breaker_says_how_it_closes() -> None:
    tripped()
    (found,) = a_caller("risk.view_breaker").get(API + "breakers/").json()["results"]
    assert (found["kind"], found["closes_by"], found["released_at"]) == ("drift", "operator", None)


def test_what_breakers_did_can_be_read_back() -> None:
    tripped()
    (found,) = a_caller("risk.view_breakerevent").get(API + "breaker-events/?kind=drift").json()["results"]
    assert (found["state"], found["reason"]) == ("open", "5 shares unexplained")


def test_a_release_over_the_api_needs_the_right_and_a_reason() -> None:
    tripped()
    body = {"kind": "drift", "reason": "counted"}
    assert a_caller("risk.view_breaker").post(API + "breakers/release/", body, format="json").status_code == 403
    caller = a_caller("risk.change_breaker", "risk.view_breaker", name="ben")
    assert caller.post(API + "breakers/release/", {"kind": "drift"}, format="json").json().keys() == {"reason"}
    answer = caller.post(API + "breakers/release/", body, format="json")
    assert (answer.status_code, answer.json()["released_by"]) == (200, "ben")
    assert [release.kind for release in selectors.releases()] == [BreakerKind.DRIFT]


@pytest.mark.parametrize("body", [{"kind": "feed_silence", "reason": "x"}, {"kind": "loss", "reason": "x"}])
def test_what_cannot_be_released_is_refused_by_field(body: dict[str, str]) -> None:
    answer = a_caller("risk.change_breaker").post(API + "breakers/release/", body, format="json")
    assert (answer.status_code, list(answer.json())) == (400, ["kind"])


def test_thresholds_are_read_with_their_bounds_and_set_within_them() -> None:
    caller = a_caller("risk.view_threshold", "risk.change_threshold")
    answer = caller.put(API + "thresholds/", {"name": "rejects", "value": 12}, format="json")
    (line,) = [each for each in answer.json() if each["name"] == "rejects"]
    assert (line["value"], line["default"], line["own"], line["unit"]) == (12, 8, True, "orders")
    wrong = caller.put(API + "thresholds/", {"name": "rejects", "value": 0}, format="json")
    assert (wrong.status_code, list(wrong.json())) == (400, ["value"])
    unknown = caller.put(API + "thresholds/", {"name": "hold", "value": 1}, format="json")
    assert (unknown.status_code, list(unknown.json())) == (400, ["name"])
    caller.put(API + "thresholds/", {"name": "rejects", "value": None}, format="json")
    assert selectors.thresholds().rejects == 8


def test_the_command_shows_releases_and_sets() -> None:
    tripped()
    assert [each["kind"] for each in run()["breakers"]] == ["drift"]
    assert run("--release", "drift")["breakers"][0]["released"]
    (line,) = [each for each in run("--set", "ack_ms", "900")["thresholds"] if each["name"] == "ack_ms"]
    assert (line["value"], line["own"]) == (900, True)
    run("--set", "ack_ms", "default")
    assert selectors.thresholds().ack_ms == 2_000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--set", "ack_ms", "soon"), "ack_ms: 'soon' is not a whole number"),
        (("--set", "ack_ms", "0"), r"ack_ms: 0 is outside 1\.\.60000 \(ms\)"),
        (("--set", "ack", "1"), "ack: is no threshold"),
        (("--release", "loss"), "the loss breaker of everything is not open"),
        (("--release", "drift", "--market", "no"), "unknown market: no"),
    ],
)
def test_a_wrong_word_is_one_clear_line(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        run(*words)


def test_the_table_for_people_names_everything() -> None:
    tripped()
    out = io.StringIO()
    call_command("breakers", stdout=out)
    text = out.getvalue()
    assert "drift            open       everything: 5 shares unexplained (closes by operator)" in text
    assert "hold_s                   5 s            default;" in text


def test_the_admin_sets_a_threshold_through_the_service_and_releases() -> None:
    client = an_administrator()
    assert client.post(reverse("admin:risk_threshold_add"), {"name": "rejects", "value": 3}).status_code == 302
    assert selectors.thresholds().rejects == 3
    refused = client.post(reverse("admin:risk_threshold_add"), {"name": "ack_ms", "value": 0})
    assert "is outside 1..60000" in refused.content.decode()
    tripped()
    row = selectors.breakers().get()
    action = {"action": "release", "_selected_action": [row.pk], "reason": "counted"}
    client.post(reverse("admin:risk_breaker_changelist"), action)
    assert selectors.releases()


def test_the_page_releases_with_a_reason_and_changes_thresholds() -> None:
    client = an_administrator()
    tripped()
    page = client.get("/incidents/").content.decode()
    assert "/breakers/drift/release/" in page
    client.post("/breakers/drift/release/", {"reason": ""})
    assert selectors.releases() == ()
    client.post("/breakers/drift/release/", {"reason": "counted"})
    assert len(selectors.releases()) == 1
    client.post("/breakers/thresholds/", {"rejects": "5", "ack_ms": "soon", "hold_s": "9999", "failures": ""})
    assert (selectors.thresholds().rejects, selectors.thresholds().ack_ms) == (5, 2_000)
    text = client.get("/incidents/").content.decode()
    assert "ack_ms: &#x27;soon&#x27; is not a whole number (ms)" in text
    assert "hold_s: 9999 is outside 1..600 (s)" in text


def test_a_market_of_a_breaker_is_named_on_the_page() -> None:
    market = a_market(question="Will it rain?")
    services.report_breakers([BreakerReport("rejects", "open", timezone.now(), "9", market.condition_id)])
    assert "Will it rain?" in an_administrator().get("/incidents/").content.decode()


def test_markets_of_one_frozen_socket_are_one_line_of_the_page() -> None:
    now = timezone.now()
    markets = [a_market(number).condition_id for number in range(1, 4)]
    services.report_breakers([BreakerReport("feed_silence", "open", now, "dead", each) for each in markets])
    (line,) = breakers_page.lines(selectors.breakers())
    (trip,) = breakers_page.trips(selectors.breaker_events())
    assert (line.count, trip.count) == (3, 3)
    assert line.names == trip.names == "Will it be 1?; Will it be 2?; Will it be 3?"


def test_breakers_that_wait_for_a_release_have_a_line_each_above_those_that_are_closed() -> None:
    now = timezone.now()
    markets = [a_market(number).condition_id for number in range(1, 3)]
    services.report_breakers([BreakerReport("loss", "open", now, "too much", each) for each in markets])
    services.report_breakers([BreakerReport("failures", "closed", now, "health has lasted")])
    shown = breakers_page.lines(selectors.breakers())
    assert [(line.row.kind, line.count, line.releasable) for line in shown] == [
        ("loss", 1, True), ("loss", 1, True), ("failures", 1, False),
    ]  # fmt: skip
