"""Fair values from outside: set and taken back by API and admin, counted until they expire."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone

from markets.models import Change
from strategies import selectors, services
from strategies.domain.inputs import External
from strategies.models import ExternalFairValue
from tests.control_builders import a_caller, a_market, an_administrator

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

RIGHTS = tuple(f"strategies.{verb}_externalfairvalue" for verb in ("view", "change", "delete"))


def address(market: Any) -> str:
    return f"/api/v1/fair-values/{market.condition_id}/"


def test_a_value_put_by_api_counts_until_it_expires() -> None:
    market = a_market()
    said = a_caller(*RIGHTS).put(address(market), {"price": "0.62", "source": "model", "ttl_s": 60}, format="json")
    assert (said.status_code, said.json()["price"], said.json()["market"]) == (200, "0.6200", market.condition_id)
    (found,) = selectors.external_values(timezone.now()).values()
    assert found.price == 6_200
    assert selectors.external_values(timezone.now() + timedelta(seconds=61)) == {}
    assert Change.objects.get().action == "external fair value"


def test_a_second_value_replaces_the_first() -> None:
    market, caller = a_market(), a_caller(*RIGHTS)
    for price in ("0.62", "0.63"):
        caller.put(address(market), {"price": price, "ttl_s": 60}, format="json")
    assert caller.get(address(market)).json()["price"] == "0.6300"
    assert ExternalFairValue.objects.count() == 1


def test_a_value_is_taken_back_once() -> None:
    market, caller = a_market(), a_caller(*RIGHTS)
    caller.put(address(market), {"price": "0.62", "ttl_s": 60}, format="json")
    assert caller.delete(address(market)).status_code == 204
    assert caller.delete(address(market)).status_code == 404
    assert selectors.external_values(timezone.now()) == {}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"price": "1.2", "ttl_s": 60}, "price"),
        ({"price": "0.62"}, "expires_at"),
        ({"price": "0.62", "ttl_s": 60, "expires_at": "2036-01-01T00:00:00Z"}, "expires_at"),
        ({"price": "0.62", "expires_at": "2016-01-01T00:00:00Z"}, "expires_at"),
        ({"price": "0.62", "ttl_s": 0}, "ttl_s"),
    ],
)
def test_what_cannot_be_is_refused_with_its_field(body: dict[str, Any], field: str) -> None:
    said = a_caller(*RIGHTS).put(address(a_market()), body, format="json")
    assert said.status_code == 400
    assert list(said.json()) == [field]
    assert not ExternalFairValue.objects.exists()


def test_setting_a_value_needs_its_right() -> None:
    market = a_market()
    said = a_caller(RIGHTS[0]).put(address(market), {"price": "0.62", "ttl_s": 60}, format="json")
    assert said.status_code == 403


def test_a_service_refuses_a_moment_that_is_over() -> None:
    with pytest.raises(ValidationError, match="is over"):
        services.set_external(
            market=a_market(), price=Decimal("0.5"), expires_at=timezone.now(), author=None, source="cli"
        )


def test_the_admin_refuses_a_moment_that_is_over_at_its_field() -> None:
    market, gone = a_market(), timezone.now() - timedelta(hours=1)
    form = {"market": market.pk, "price": "0.4", "expires_at_0": f"{gone:%F}", "expires_at_1": f"{gone:%T}"}
    answer = an_administrator().post(reverse("admin:strategies_externalfairvalue_add"), form)
    assert "is over; name a moment to come" in answer.content.decode()
    assert not ExternalFairValue.objects.exists()


def test_the_admin_sets_and_deletes_through_the_service() -> None:
    market, client = a_market(), an_administrator()
    later = timezone.now() + timedelta(hours=1)
    form = {"market": market.pk, "price": "0.4", "expires_at_0": f"{later:%F}", "expires_at_1": f"{later:%T}"}
    answer = client.post(reverse("admin:strategies_externalfairvalue_add"), form)
    assert answer.status_code == 302, answer.content
    row = ExternalFairValue.objects.get()
    assert selectors.external_values(timezone.now()) == {
        market.condition_id: External(4_000, int(row.expires_at.timestamp()) * 10**9)
    }
    client.post(reverse("admin:strategies_externalfairvalue_delete", args=[row.pk]), {"post": "yes"})
    assert not ExternalFairValue.objects.exists()
    assert Change.objects.filter(source="admin").count() == 2
