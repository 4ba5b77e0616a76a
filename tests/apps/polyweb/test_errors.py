"""What a caller hears when the answer is no: JSON under /api/, a page elsewhere, and the reason in words."""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import OperationalError, connection
from django.test import Client, override_settings
from rest_framework.test import APIClient

from markets.services.patience import waiting_at_most
from polyweb import health
from polyweb.errors import UNAVAILABLE
from polyweb.logs import Expected
from tests.control_builders import a_caller, a_market, a_user, an_administrator

API = "/api/v1/"
GOOD = {"username": "ana", "password": "correct horse battery"}
LOCKED = pytest.mark.django_db(transaction=True)


@contextmanager
def locked() -> Iterator[None]:
    """Somebody else holds what a stop and a login must write."""
    if connection.vendor == "sqlite":
        with closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)) as link:
            link.execute("BEGIN EXCLUSIVE")
            with waiting_at_most(0.2):
                yield
        return
    with psycopg.connect(**_same_server()) as link, connection.cursor() as cursor:
        link.execute("LOCK TABLE risk_stop, auth_user, django_session IN EXCLUSIVE MODE")
        cursor.execute("SET lock_timeout = '200ms'")
        yield
        cursor.execute("RESET lock_timeout")


def _same_server() -> dict[str, Any]:
    given = connection.get_connection_params()
    return {name: given[name] for name in ("dbname", "user", "password", "host", "port") if name in given}


@LOCKED
@pytest.mark.sqlite
def test_a_locked_database_is_503_with_a_time_to_come_back() -> None:
    caller = a_caller("risk.add_stop")
    with locked():
        answer = caller.post(f"{API}stops/", {"reason": "odd"}, format="json")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.json() == {"detail": UNAVAILABLE}


@LOCKED
@pytest.mark.sqlite
def test_a_page_on_a_locked_database_says_the_same() -> None:
    a_user()
    client = Client(raise_request_exception=False)
    with locked():
        answer = client.post("/login/", GOOD)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "end the engine with SIGTERM" in answer.content.decode()


@LOCKED
@pytest.mark.sqlite
def test_a_database_that_cannot_be_written_is_not_ready() -> None:
    if connection.vendor == "sqlite":
        with locked():
            found = health.readiness()["database"]
        assert found == health.Finding(False, "sqlite cannot be written: database is locked")
    else:
        with connection.cursor() as cursor:
            cursor.execute("SET default_transaction_read_only = on")
        found = health.readiness()["database"]
        with connection.cursor() as cursor:
            cursor.execute("RESET default_transaction_read_only")
        assert found == health.Finding(False, "postgresql cannot be written: it is read-only")
    assert health.readiness()["database"].ok


@pytest.mark.django_db
def test_an_unknown_address_of_the_api_is_json() -> None:
    answer = APIClient().get(f"{API}nothing/here")
    assert (answer.status_code, answer.json()) == (404, {"detail": "There is no page or row at this address."})
    assert "<html" in Client().get("/nothing/here").content.decode()


@pytest.mark.django_db
@override_settings(AXES_ENABLED=True)
def test_a_locked_name_is_json_under_the_api() -> None:
    a_user()
    for _ in range(5):
        answer = APIClient().post(f"{API}auth/login/", {**GOOD, "password": "wrong"}, format="json")
    assert answer.status_code == 429
    assert answer.json()["detail"].endswith("this name is locked from your address for 15 minutes.")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("limit=abc", {"limit": ["abc is not a whole number of at least 1"]}),
        ("limit=0", {"limit": ["0 is not a whole number of at least 1"]}),
        ("offset=-1", {"offset": ["-1 is not a whole number of at least 0"]}),
        ("trading=maybe", {"trading": ["maybe is neither true nor false"]}),
    ],
)
def test_a_query_that_makes_no_sense_is_named(query: str, problem: dict[str, list[str]]) -> None:
    answer = a_caller("markets.view_market").get(f"{API}markets/?{query}")
    assert (answer.status_code, answer.json()) == (400, problem)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["markets/", "orders/", "limits/", "stops/", "book-events/", "pnl/"])
def test_a_misspelt_parameter_is_not_an_unfiltered_list(path: str) -> None:
    caller = APIClient()
    caller.force_authenticate(an_administrator_user())
    answer = caller.get(f"{API}{path}?tradnig=true")
    assert answer.status_code == 400
    assert "known are " in answer.json()["tradnig"][0]


def an_administrator_user() -> User:
    an_administrator()
    return User.objects.get(username="root")


@pytest.mark.django_db
def test_known_parameters_still_filter_and_page() -> None:
    a_market(1, trading=True)
    a_market(2)
    caller = a_caller("markets.view_market")
    assert caller.get(f"{API}markets/?trading=true&limit=1&offset=0&order=question&search=").json()["count"] == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "body", "problem"),
    [
        (
            "limits/",
            {"kind": "loss", "scope": "total", "value": "-1"},
            {"value": ["-1: Ensure this value is greater than or equal to 0."]},
        ),
        (
            "limits/",
            {"kind": "loss", "scope": "total", "value": "much"},
            {"value": ["much: A valid number is required."]},
        ),
        ("arb/", {"min_edge": "2"}, {"min_edge": ["2: Ensure this value is less than or equal to 0.5."]}),
    ],
)
def test_a_refused_figure_is_named_with_its_value_and_bound(
    path: str, body: dict[str, str], problem: dict[str, list[str]]
) -> None:
    caller = a_caller("risk.change_limit", "strategies.change_arbsettings")
    answer = (caller.put if path == "limits/" else caller.patch)(f"{API}{path}", body, format="json")
    assert (answer.status_code, answer.json()) == (400, problem)


@pytest.mark.parametrize("error", [PermissionDenied("no"), OperationalError("database is locked")])
def test_an_expected_refusal_is_logged_without_a_traceback(error: Exception) -> None:
    told = (type(error), error, None)
    record = logging.LogRecord("django.request", logging.WARNING, "", 0, "Forbidden: %s", ("/x",), told)
    assert Expected().filter(record)
    assert record.__dict__["exc_info"] is None
    assert record.__dict__["error"] == f"{type(error).__name__}: {error}"


def test_a_mistake_of_ours_keeps_its_traceback() -> None:
    told = (KeyError, KeyError("x"), None)
    record = logging.LogRecord("django.request", logging.ERROR, "", 0, "x", None, told)
    assert Expected().filter(record)
    assert record.exc_info is not None
