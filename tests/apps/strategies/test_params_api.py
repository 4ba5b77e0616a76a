"""REST of parameters: values with sources, writes per scope, revisions, export and import."""

from decimal import Decimal
from typing import Any

import pytest
from rest_framework.test import APIClient

from strategies import services
from strategies.domain.arb_params import ARB_BY_NAME
from strategies.domain.params import BY_NAME
from strategies.models import ParamRevision
from tests.control_builders import a_caller, a_market, a_user, an_event

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

GLOBAL = "/api/v1/params/global/"
VIEW, CHANGE = "strategies.view_strategyconfig", "strategies.change_strategyconfig"


def effective(body: dict[str, Any], name: str) -> tuple[str, str]:
    return next((item["value"], item["origin"]) for item in body["effective"] if item["name"] == name)


def test_values_come_with_source_unit_and_bounds() -> None:
    market = a_market(event=an_event(7))
    services.set_params(scope="event", event="7", values={"size": Decimal(40)}, author=None, source="cli")
    body = a_caller(VIEW).get(f"/api/v1/params/markets/{market.condition_id}/").json()
    assert (body["scope"], body["target"], body["revision"], body["own"]) == ("market", market.condition_id, 0, {})
    assert effective(body, "size") == ("40", "event")
    assert effective(body, "half_spread") == ("0.01", "default")
    first = next(item for item in body["effective"] if item["name"] == "half_spread")
    assert (first["unit"], first["minimum"], first["maximum"]) == ("pUSD per share", "0.0001", "0.4")


def test_the_schema_names_every_parameter_with_unit_and_bounds() -> None:
    schema = a_caller(VIEW).get("/api/v1/schema/", headers={"Accept": "application/json"}).json()
    values = schema["components"]["schemas"]["Values"]["properties"]
    assert tuple(values) == tuple(BY_NAME)
    for name, definition in BY_NAME.items():
        bounds = f"{definition.unit.value}, {definition.minimum} to {definition.maximum}; default {definition.default}."
        assert values[name]["description"] == f"{definition.help} {bounds}"


def test_patch_changes_the_named_values_and_put_replaces_all() -> None:
    caller = a_caller(VIEW, CHANGE)
    address = f"/api/v1/params/markets/{a_market().condition_id}/"
    caller.patch(address, {"values": {"half_spread": "0.02", "size": 30}, "reason": "try"}, format="json")
    body = caller.patch(address, {"values": {"size": None}}, format="json").json()
    assert (body["own"], body["revision"]) == ({"half_spread": "0.02"}, 2)
    body = caller.put(address, {"values": {"size": "30"}}, format="json").json()
    assert body["own"] == {"size": "30"}
    revisions = caller.get(address + "revisions/")
    assert revisions.status_code == 403  # history is a table of its own


def test_revisions_are_listed_newest_first() -> None:
    caller = a_caller(VIEW, CHANGE, "strategies.view_paramrevision")
    for size in (30, 31):
        caller.patch(GLOBAL, {"values": {"size": size}, "reason": f"to {size}"}, format="json")
    body = caller.get(GLOBAL + "revisions/").json()
    assert [(item["number"], item["reason"], item["author"]) for item in body["results"]] == [
        (2, "to 31", "ana"),
        (1, "to 30", "ana"),
    ]
    assert caller.get("/api/v1/params/markets/0xno/revisions/").status_code == 404


@pytest.mark.parametrize(
    ("values", "name", "words"),
    [
        ({"half_spread": "0.9"}, "half_spread", ["0.9", "0.0001..0.4"]),
        ({"half_spread": "wide"}, "half_spread", ["'wide'"]),
        ({"size": True}, "size", ["True"]),
        ({"post_only": "0.5"}, "post_only", ["0.5 is not a whole number", "on (1) or off (0)"]),
        ({"size": "1.234"}, "size", ["1.234 has more than 2 decimals"]),
        ({"spread": 1}, "spread", ["half_spread"]),
    ],
)
def test_a_refused_value_names_field_bound_and_value(values: Any, name: str, words: list[str]) -> None:
    answer = a_caller(CHANGE).patch(GLOBAL, {"values": values}, format="json")
    assert answer.status_code == 400
    problem = answer.json()["values"][name][0]
    assert all(word in problem for word in words)
    assert not ParamRevision.objects.exists()


def test_every_wrong_value_of_a_body_is_told_at_once() -> None:
    answer = a_caller(CHANGE).patch(GLOBAL, {"values": {"spread": 1, "size": 0, "half_spread": "0.02"}}, format="json")
    assert (answer.status_code, set(answer.json()["values"])) == (400, {"spread", "size"})


def test_a_stale_revision_is_a_409() -> None:
    caller = a_caller(CHANGE)
    body = {"values": {"size": 30}, "expected_revision": 0}
    assert caller.patch(GLOBAL, body, format="json").status_code == 200
    assert caller.patch(GLOBAL, {**body, "values": {"size": 31}}, format="json").status_code == 409


def test_an_unknown_target_is_a_404_and_reading_does_not_allow_writing() -> None:
    assert a_caller(VIEW).get("/api/v1/params/events/nope/").status_code == 404
    assert APIClient().patch(GLOBAL, {"values": {}}, format="json").status_code == 401
    reader = APIClient()
    reader.force_authenticate(a_user(VIEW, name="reader"))
    assert reader.patch(GLOBAL, {"values": {}}, format="json").status_code == 403


def test_export_and_import_over_rest() -> None:
    caller = a_caller(VIEW, CHANGE)
    caller.patch(GLOBAL, {"values": {"size": 30}}, format="json")
    document = caller.get("/api/v1/params/export/").json()
    assert document["global"] == {"size": "30"}
    document["global"] = {"half_spread": "0.02"}
    assert caller.post("/api/v1/params/import/", document, format="json").json() == {"scopes": 1}
    bad = {"markets": {"0x1": {"size": 0}}}
    answer = caller.post("/api/v1/params/import/", bad, format="json")
    assert (answer.status_code, list(answer.json())) == (400, ["markets.0x1.size"])
    assert caller.post("/api/v1/params/import/", [], format="json").status_code == 400


def test_the_dutch_book_is_switched_over_rest() -> None:
    caller = a_caller("strategies.view_arbsettings", "strategies.change_arbsettings")
    body = caller.patch("/api/v1/arb/", {"enabled": True, "min_edge": "0.01"}, format="json").json()
    assert tuple(body) == tuple(ARB_BY_NAME)
    assert (body["enabled"], body["min_edge"], body["max_size"]) == (True, "0.0100", "100.00")
    assert caller.patch("/api/v1/arb/", {"min_edge": "2"}, format="json").json().keys() == {"min_edge"}
