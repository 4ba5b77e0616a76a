"""Who may open what: walks every address of the site, so that a new one without a door fails here."""

import re
from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern

from polyweb.dashboard.routing import websocket_urlpatterns
from tests.control_builders import a_market, a_user
from tests.execution_rows import order_row

# Addresses for strangers, each with its reason.
OPEN = {
    "login/",  # the door itself
    "theme/",  # a cookie with one of three words
    "health/live",  # process managers
    "health/ready",
    "metrics",  # its own rule, see test_health.py
    "favicon.ico",
    "api/v1/auth/login/",
}
SAMPLES = {"condition_id": f"0x{1:064x}", "order_id": f"0x{7:064x}"}


def addresses(patterns: list[URLPattern | URLResolver], before: str = "") -> Iterator[str]:
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern.url_patterns, route)
        elif isinstance(pattern.pattern, RoutePattern):
            yield route


EVERY = sorted(set(addresses(get_resolver().url_patterns)))
PAGES = [route for route in EVERY if not route.startswith(("api/", "admin/")) and route not in OPEN]
API = [route for route in EVERY if route.startswith("api/") and route not in OPEN]
ADMIN = [route for route in EVERY if route.startswith("admin/") and "<" not in route]
OWN_DOORS = {"admin/login/", "admin/logout/", "admin/jsi18n/"}


def filled(route: str) -> str:
    """The address with a value for every part in angle brackets."""
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda part: SAMPLES.get(part[1], "1"), route)


@pytest.fixture
def rows(db: None) -> None:
    order_row(a_market(1), 7)


def test_the_walk_finds_the_site() -> None:
    assert "" in PAGES
    assert len(PAGES) >= 16
    assert len(API) >= 10


@pytest.mark.parametrize("route", PAGES)
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_stranger_is_sent_to_the_login_page(rows: None, client: Client, route: str, method: str) -> None:
    answer = getattr(client, method)(filled(route))
    if route == "logout/":
        assert answer.status_code in (302, 405)  # logging out nobody
        return
    assert answer.status_code == 302
    assert answer["Location"].startswith("/login/")


@pytest.mark.parametrize("route", [route for route in PAGES if route not in ("logout/", "account/totp/")])
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_user_without_permissions_is_refused(rows: None, client: Client, route: str, method: str) -> None:
    client.force_login(a_user())
    assert getattr(client, method)(filled(route)).status_code == 403


@pytest.mark.parametrize("route", API)
@pytest.mark.parametrize("method", ["get", "post", "patch"])
def test_the_api_gives_a_stranger_nothing(rows: None, client: Client, route: str, method: str) -> None:
    assert getattr(client, method)(filled(route)).status_code in (401, 403)


@pytest.mark.parametrize("route", [*API, "api/v1/auth/login/"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_every_address_of_the_api_ends_in_a_slash_that_may_be_left_out(
    rows: None, client: Client, route: str, method: str
) -> None:
    assert route.endswith("/")
    call = getattr(client, method)
    assert call(filled(route).removesuffix("/")).status_code == call(filled(route)).status_code != 301


@pytest.mark.parametrize("route", [route for route in ADMIN if route not in OWN_DOORS])
def test_the_admin_sends_a_stranger_to_the_one_login_page(rows: None, client: Client, route: str) -> None:
    answer = client.get(filled(route), follow=True)
    assert answer.redirect_chain[-1][0].startswith("/login/")


def test_the_admin_tells_somebody_who_is_not_staff_that_it_is_not_allowed(db: None, client: Client) -> None:
    client.force_login(a_user())
    assert client.get("/admin/", follow=True).status_code == 403


def test_every_socket_asks_for_a_permission() -> None:
    for pattern in websocket_urlpatterns:
        assert "." in pattern.callback.consumer_class.permission  # type: ignore[attr-defined]  # channels' attribute
