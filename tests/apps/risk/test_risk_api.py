"""REST of risk: stop and resume, caps, and what the engine reported."""

from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from risk import services
from risk.models import Stop
from risk.services import BreakerReport, RefusalRow
from tests.control_builders import a_caller, a_market, a_user, an_event

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

API = "/api/v1/"
STOP, RESUME, VIEW = "risk.add_stop", "risk.change_stop", "risk.view_stop"


def test_stop_and_resume_everything() -> None:
    caller = a_caller(STOP, RESUME, VIEW)
    answer = caller.post(API + "stops/", {"reason": "odd"}, format="json")
    body = answer.json()
    assert answer.status_code == 201
    assert (body["level"], body["scope"], body["author"], body["source"]) == ("cancel", "all", "ana", "api")
    assert caller.get(API + "stops/?in_force=true").json()["count"] == 1
    answer = caller.post(API + "resume/", {"scope": "all", "reason": "fine"}, format="json")
    assert answer.json() == {"released": 1, "in_force": 0}
    assert caller.get(API + "stops/?in_force=true").json()["count"] == 0
    assert caller.get(API + "stops/").json()["results"][0]["release_reason"] == "fine"


def test_a_stop_sent_without_the_last_slash_stops() -> None:
    answer = a_caller(STOP).post(API + "stops", {"reason": "in a hurry"}, format="json")
    assert answer.status_code == 201
    assert Stop.objects.get().reason == "in a hurry"


def test_a_stop_of_one_market_or_event() -> None:
    market = a_market()
    an_event(77)
    caller = a_caller(STOP, RESUME)
    body = {"level": "pause", "market": market.condition_id, "reason": "x"}
    assert caller.post(API + "stops/", body, format="json").json()["market"] == market.condition_id
    assert caller.post(API + "stops/", {"event": "77", "reason": "x"}, format="json").json()["event"] == "77"
    answer = caller.post(API + "resume/", {"market": market.slug}, format="json")
    assert answer.json() == {"released": 1, "in_force": 1}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "reason"),
        ({"reason": "x", "level": "loud"}, "level"),
        ({"reason": "x", "market": "0xno"}, "market"),
        ({"reason": "x", "event": "no"}, "event"),
        ({"reason": "x", "market": "a", "event": "b"}, "market"),
        ({"reason": "x", "level": "flatten", "scope": "market"}, "scope"),
        ({"reason": "x", "expires_at": "2024-01-01T00:00:00Z"}, "expires_at"),
        ({"reason": "x", "level": "flatten", "markets": ["a"]}, "markets"),
    ],
)
def test_a_wrong_stop_is_refused_by_field(body: dict[str, Any], field: str) -> None:
    answer = a_caller(STOP).post(API + "stops/", body, format="json")
    assert (answer.status_code, list(answer.json())) == (400, [field])
    assert not Stop.objects.exists()


def test_a_wrong_level_is_answered_with_the_levels_there_are() -> None:
    answer = a_caller(STOP).post(API + "stops/", {"reason": "x", "level": "loud"}, format="json")
    assert answer.json() == {"level": ['"loud" is not one of pause, reduce, cancel, flatten']}


def test_a_misspelt_target_does_not_release_every_stop() -> None:
    caller = a_caller(STOP, RESUME)
    caller.post(API + "stops/", {"reason": "odd"}, format="json")
    answer = caller.post(API + "resume/", {"everything": True, "markte": "0xab"}, format="json")
    assert answer.status_code == 400
    assert "market" in answer.json()["markte"][0]
    assert Stop.objects.filter(released_at=None).count() == 1


def test_stopping_and_resuming_are_different_rights() -> None:
    stopper, resumer = a_caller(STOP), APIClient()
    resumer.force_authenticate(a_user(RESUME, name="ben"))
    assert stopper.post(API + "stops/", {"reason": "x"}, format="json").status_code == 201
    assert stopper.post(API + "resume/", {"everything": True}, format="json").status_code == 403
    assert resumer.post(API + "stops/", {"reason": "x"}, format="json").status_code == 403
    assert APIClient().post(API + "stops/", {"reason": "x"}, format="json").status_code == 401
    assert resumer.post(API + "resume/", {}, format="json").status_code == 400
    assert resumer.post(API + "resume/", {"everything": True}, format="json").json()["released"] == 1


def test_caps_are_set_listed_and_removed() -> None:
    market = a_market()
    caller = a_caller("risk.view_limit", "risk.change_limit")
    body = {"kind": "loss", "scope": "market", "market": market.condition_id, "value": "5.5", "reason": "new"}
    assert caller.put(API + "limits/", body, format="json").json()["value"] == "5.5000"
    assert caller.get(API + "limits/").json()["results"][0]["market"] == market.condition_id
    assert caller.put(API + "limits/", body | {"value": None}, format="json").status_code == 204
    assert caller.get(API + "limits/").json()["count"] == 0


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"value": "-1"}, "value"),
        ({"scope": "market"}, "scope"),
        ({"kind": "order_rate", "scope": "market_default"}, "scope"),
        ({"scope": "market", "market": "0xno"}, "market"),
    ],
)
def test_a_wrong_cap_is_refused_by_field(changes: dict[str, Any], field: str) -> None:
    body = {"kind": "loss", "scope": "total", "value": "5"} | changes
    answer = a_caller("risk.change_limit").put(API + "limits/", body, format="json")
    assert (answer.status_code, list(answer.json())) == (400, [field])


def test_what_the_engine_reported_is_read() -> None:
    market, now = a_market(), timezone.now()
    services.report_breakers([BreakerReport("stale_book", "open", now, "61 s", market.condition_id)])
    services.record_refusals([RefusalRow(market.condition_id, "spread", "market_cap,stale_book", "x", now, 3)])
    caller = a_caller("risk.view_breaker", "risk.view_refusal")
    assert caller.get(API + "breakers/").json()["results"][0]["market"] == market.condition_id
    refusal = caller.get(API + f"refusals/?code=stale_book&market={market.condition_id}").json()["results"][0]
    assert (refusal["codes"], refusal["count"]) == (["market_cap", "stale_book"], 3)


def test_an_incident_says_what_to_do_or_nothing_where_it_is_not_known() -> None:
    for kind in ("recording", "cosmic_rays"):
        services.open_incident(kind=kind, key=kind, text="Odd.")
    strange, known = a_caller("risk.view_incident").get(API + "incidents/").json()["results"]
    assert "var/recordings" in known["do"]
    assert (strange["means"], strange["do"]) == ("", "")


def test_an_incident_is_acknowledged_and_closed() -> None:
    incident = services.open_incident(kind="drift", key="k", text="5 shares")
    caller = a_caller("risk.view_incident", "risk.change_incident")
    address = f"{API}incidents/{incident.pk}/"
    assert caller.get(API + "incidents/?open=true&acknowledged=false").json()["count"] == 1
    body = caller.post(address + "acknowledge/", {"reason": "seen"}, format="json").json()
    assert body["acknowledged_by"] == "ana"
    assert caller.post(address + "close/", {}, format="json").json()["closed_at"]
    assert caller.get(API + "incidents/?open=true").json()["count"] == 0
    reader = APIClient()
    reader.force_authenticate(a_user("risk.view_incident", name="ben"))
    assert reader.post(address + "close/", {}, format="json").status_code == 403


def test_an_unknown_stop_cannot_be_resumed() -> None:
    answer = a_caller(RESUME).post(API + "resume/", {"stop": 999999}, format="json")
    assert (answer.status_code, answer.json()) == (400, {"stop": ["there is no stop 999999"]})
