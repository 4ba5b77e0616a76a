"""Admin of risk: stops and caps through the services, reports untouched."""

import pytest
from django.urls import reverse
from django.utils import timezone

from markets.models import Change
from risk import selectors, services
from risk.models import Incident, Limit, Stop
from tests.control_builders import a_market, an_administrator

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_a_stop_is_added_and_released_by_an_action() -> None:
    client, market = an_administrator(), a_market()
    body = {"level": 3, "scope": "market", "market": market.pk, "reason": "odd", "slippage": "0.05"}
    assert client.post(reverse("admin:risk_stop_add"), body).status_code == 302
    row = Stop.objects.get()
    assert (row.source, row.author and row.author.username) == ("admin", "root")
    assert client.get(reverse("admin:risk_stop_change", args=[row.pk])).status_code == 200

    action = {"action": "release", "_selected_action": [row.pk], "reason": "fine"}
    client.post(reverse("admin:risk_stop_changelist"), action)
    row.refresh_from_db()
    assert (row.released_at is not None, row.release_reason) == (True, "fine")
    assert Change.objects.count() == 2


def test_a_stop_without_its_target_is_refused_in_the_form() -> None:
    answer = an_administrator().post(reverse("admin:risk_stop_add"), {"level": 3, "scope": "market", "reason": "odd"})
    assert "exactly its own target" in answer.content.decode()
    assert not Stop.objects.exists()


def test_a_stop_that_is_over_when_it_is_given_is_refused_in_the_form() -> None:
    body = {"level": 3, "scope": "all", "reason": "odd", "slippage": "0.05"}
    body |= {"expires_at_0": "2024-01-01", "expires_at_1": "00:00:00"}
    answer = an_administrator().post(reverse("admin:risk_stop_add"), body)
    assert "would stop nothing" in answer.content.decode()
    assert not Stop.objects.exists()


def test_a_cap_is_added_changed_and_removed_with_a_journal() -> None:
    client = an_administrator()
    client.post(reverse("admin:risk_limit_add"), {"kind": "loss", "scope": "total", "value": "100"})
    row = Limit.objects.get()
    client.post(reverse("admin:risk_limit_change", args=[row.pk]), {"value": "90"})
    assert selectors.limits().total_loss == 90_000_000
    client.post(reverse("admin:risk_limit_delete", args=[row.pk]), {"post": "yes"})
    assert not Limit.objects.exists()
    assert Change.objects.count() == 3


def test_a_senseless_cap_is_refused_at_its_field() -> None:
    body = {"kind": "order_rate", "scope": "market_default", "value": "5"}
    answer = an_administrator().post(reverse("admin:risk_limit_add"), body)
    assert "one figure for everything" in answer.content.decode()
    assert not Limit.objects.exists()


def test_a_second_cap_for_the_same_target_is_refused_in_the_form() -> None:
    client, body = an_administrator(), {"kind": "loss", "scope": "total", "value": "100"}
    client.post(reverse("admin:risk_limit_add"), body)
    assert client.post(reverse("admin:risk_limit_add"), body | {"value": "5"}).status_code == 200
    assert Limit.objects.get().value == 100


def test_a_threshold_is_set_with_its_reason_in_the_journal() -> None:
    body = {"name": "rejects", "value": "12", "reason": "chatty venue"}
    assert an_administrator().post(reverse("admin:risk_threshold_add"), body).status_code == 302
    assert Change.objects.get().reason == "chatty venue"


def test_incidents_are_acknowledged_and_closed_by_actions() -> None:
    row, client = services.open_incident(kind="drift", key="k", text="5 shares"), an_administrator()
    for action in ("acknowledge", "close"):
        body = {"action": action, "_selected_action": [row.pk]}
        client.post(reverse("admin:risk_incident_changelist"), body)
    assert Incident.objects.filter(closed_at__lte=timezone.now(), acknowledged_by__username="root").exists()
