"""Two groups to begin with: who looks and who operates."""

import json
from io import StringIO

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.test import Client
from rest_framework.test import APIClient

from tests.control_builders import a_market

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

LISTS = (
    "markets", "changes", "book-events", "trade-prints", "trust-changes", "resync-events", "params/global", "arb",
    "stops", "limits", "breakers", "refusals", "incidents", "orders", "fills", "positions", "pnl", "audits", "engines",
    "reconcile-reports", "allowance-reports",
)  # fmt: skip
PAGES = ("/", "/markets/", "/orders/", "/arbitrage/", "/incidents/", "/risk/", "/system/")


def added() -> dict[str, int]:
    out = StringIO()
    call_command("roles", "--json", stdout=out)
    found: dict[str, int] = json.loads(out.getvalue())["added"]
    return found


def member(role: str) -> User:
    user = User.objects.create_user(role, password="correct horse battery")
    user.groups.add(Group.objects.get(name=role))
    return user


def api(user: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(user)
    return client


def test_the_groups_are_made_once_and_completed_later() -> None:
    first = added()
    assert first["operator"] == first["viewer"] + 14
    assert added() == {"viewer": 0, "operator": 0}
    Group.objects.get(name="operator").permissions.remove(Permission.objects.get(codename="add_stop"))
    Group.objects.get(name="viewer").permissions.add(own := Permission.objects.get(codename="add_user"))
    assert added() == {"viewer": 0, "operator": 1}
    assert own in Group.objects.get(name="viewer").permissions.all()


def test_a_viewer_sees_every_page_and_list_and_changes_nothing() -> None:
    added()
    viewer = member("viewer")
    client, caller = Client(), api(viewer)
    client.force_login(viewer, backend="django.contrib.auth.backends.ModelBackend")
    assert {page: client.get(page).status_code for page in PAGES} == dict.fromkeys(PAGES, 200)
    seen = {name: caller.get(f"/api/v1/{name}/").status_code for name in LISTS}
    assert seen == dict.fromkeys(LISTS, 200)
    assert caller.post("/api/v1/stops/", {"reason": "x"}, format="json").status_code == 403
    assert caller.patch("/api/v1/arb/", {"enabled": True}, format="json").status_code == 403


def test_an_operator_stops_resumes_switches_and_sets() -> None:
    added()
    market, caller = a_market(), api(member("operator"))
    asked = [
        caller.post("/api/v1/stops/", {"reason": "x"}, format="json"),
        caller.post("/api/v1/resume/", {"everything": True}, format="json"),
        caller.patch(f"/api/v1/markets/{market.condition_id}/", {"trading": True}, format="json"),
        caller.patch("/api/v1/params/global/", {"values": {"half_spread": "0.02"}}, format="json"),
        caller.patch("/api/v1/arb/", {"enabled": False}, format="json"),
        caller.put("/api/v1/limits/", {"kind": "loss", "scope": "total", "value": "30"}, format="json"),
    ]
    assert [answer.status_code for answer in asked] == [201, 200, 200, 200, 200, 200]
