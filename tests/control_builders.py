"""Rows and callers for tests of markets, strategies and risk: one function each, defaults that work."""

from typing import Any

from django.contrib.auth.models import Permission, User
from django.test import Client
from rest_framework.test import APIClient

from markets.models import Event, Market, Outcome


def an_event(number: int = 1, **changes: Any) -> Event:
    return Event.objects.create(**({"gamma_id": str(number), "title": f"Event {number}"} | changes))


def a_market(number: int = 1, **changes: Any) -> Market:
    values = {"question": f"Will it be {number}?", "slug": f"will-{number}", "accepting_orders": True}
    market = Market.objects.create(condition_id=f"0x{number:064x}", **(values | changes))
    for index, name in enumerate(("Yes", "No")):
        Outcome.objects.create(market=market, index=index, name=name, asset_id=f"{number}{index}")
    return market


def a_user(*permissions: str, name: str = "ana", staff: bool = False) -> User:
    """Permissions as "app_label.codename"."""
    user = User.objects.create_user(name, password="correct horse battery", is_staff=staff)
    for permission in permissions:
        app, _, codename = permission.partition(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return user


def a_caller(*permissions: str, name: str = "ana") -> APIClient:
    """A client of the REST API signed in with these permissions."""
    client = APIClient()
    client.force_authenticate(a_user(*permissions, name=name))
    return client


def an_administrator() -> Client:
    client = Client()
    client.force_login(
        User.objects.create_superuser("root", password="correct horse battery"),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    return client


def a_gamma_market(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A market as Gamma writes it, odd types included."""
    raw: dict[str, Any] = {
        "id": str(1000 + number),
        "conditionId": f"0x{number:064x}",
        "question": f"Will it be {number}?",
        "slug": f"will-it-be-{number}",
        "description": "Resolves by the almanac.",
        "outcomes": '["Yes", "No"]',
        "outcomePrices": '["0.52", "0.48"]',
        "clobTokenIds": f'["{number}0", "{number}1"]',
        "version": "v1",
        "active": True,
        "closed": False,
        "acceptingOrders": True,
        "enableOrderBook": True,
        "orderPriceMinTickSize": 0.001,
        "orderMinSize": 5,
        "negRisk": False,
        "volume24hr": 12.3456789,
        "rewardsMinSize": 20,
        "rewardsMaxSpread": 3.5,
        "endDate": "2027-01-31T12:00:00Z",
        "events": [{"id": "77", "slug": "almanac", "title": "Almanac"}],
    }
    return raw | changes


def a_gamma_set(count: int = 3, **changes: Any) -> dict[str, Any]:
    """A neg-risk event with its markets, as the event listing writes it."""
    markets = [
        a_gamma_market(number, negRisk=True, groupItemTitle=name, events=None)
        for number, name in enumerate(("Ada", "Bram", "Cleo", "Dion")[:count], start=1)
    ]
    raw: dict[str, Any] = {
        "id": "77",
        "slug": "contest",
        "title": "Contest",
        "negRisk": True,
        "enableNegRisk": True,
        "negRiskAugmented": False,
        "closed": False,
        "tags": [{"label": "All"}, {"label": "Culture"}],
        "markets": markets,
    }
    return raw | changes
