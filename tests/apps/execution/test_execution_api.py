"""The API of what we did: read-only, by model permission, decimals as strings."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.utils import timezone
from rest_framework.test import APIClient

from execution import services
from execution.models import Order
from tests.execution_builders import CONDITION
from tests.execution_rows import audit_row, event_row, fill_row, market_row, order_row

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

PATHS = [
    "orders",
    "fills",
    "audits",
    "chain-jobs",
    "positions",
    "pnl",
    "engines",
    "reconcile-reports",
    "allowance-reports",
]


def reader(*models: str) -> APIClient:
    user = User.objects.create_user("reader")
    wanted = Permission.objects.filter(content_type__app_label="execution", codename__startswith="view_")
    user.user_permissions.set(wanted.filter(content_type__model__in=models) if models else wanted)
    client = APIClient()
    client.force_authenticate(user)
    return client


def rows(client: APIClient, path: str, **query: Any) -> list[Any]:
    response = client.get(f"/api/v1/{path}/", query)
    assert response.status_code == 200, response.content
    body = response.json()
    return list(body["results"] if isinstance(body, dict) else body)


@pytest.mark.parametrize("path", PATHS)
def test_strangers_see_nothing(path: str) -> None:
    assert APIClient().get(f"/api/v1/{path}/").status_code in (401, 403)


@pytest.mark.parametrize("path", PATHS)
def test_a_user_without_the_permission_sees_nothing(path: str) -> None:
    client = APIClient()
    client.force_authenticate(User.objects.create_user("nobody"))
    assert client.get(f"/api/v1/{path}/").status_code == 403


@pytest.mark.parametrize("path", PATHS)
def test_nothing_can_be_written(path: str) -> None:
    client = APIClient()
    client.force_authenticate(User.objects.create_superuser("root"))
    assert client.post(f"/api/v1/{path}/", {}, format="json").status_code == 405


def test_one_permission_opens_one_table() -> None:
    client = reader("order")
    assert client.get("/api/v1/orders/").status_code == 200
    assert client.get("/api/v1/fills/").status_code == 403


def test_orders_are_filtered_and_their_decimals_are_strings() -> None:
    market = market_row()
    order_row(market, 1)
    order_row(market, 2, state="filled", side="SELL")
    client = reader()
    assert [row["client_order_id"] for row in rows(client, "orders", live="true")] == [1]
    assert [row["client_order_id"] for row in rows(client, "orders", side="SELL")] == [2]
    assert [row["client_order_id"] for row in rows(client, "orders", plan="plan-1")] == [1]
    assert rows(client, "orders", market="0xother") == []
    (row,) = rows(client, "orders", live="true", market=CONDITION)
    assert (row["price"], row["size"], row["market"]) == ("0.5000", "10.000000", CONDITION)


def test_a_filter_value_that_makes_no_sense_names_its_field() -> None:
    response = reader().get("/api/v1/orders/", {"since": "yesterday"})
    assert response.status_code == 400
    assert "since" in response.json()


def test_one_order_tells_its_whole_life() -> None:
    order = order_row(market_row(), 1)
    event_row(order)
    fill_row(order)
    audit_row(order.plan)
    life = reader().get("/api/v1/orders/1/").json()
    assert [event["after"] for event in life["events"]] == ["live"]
    assert [fill["size"] for fill in life["fills"]] == ["4.000000"]
    assert [audit["request_id"] for audit in life["audits"]] == ["r-1"]
    assert life["payload"] == order.payload


def test_an_unknown_order_is_404() -> None:
    assert reader().get("/api/v1/orders/99/").status_code == 404


def test_a_list_of_orders_asks_the_database_a_fixed_number_of_times(django_assert_max_num_queries: Any) -> None:
    market = market_row()
    for number in range(20):
        order_row(market, number + 1)
    client = reader("order")
    with django_assert_max_num_queries(6):
        rows(client, "orders")
    assert Order.objects.count() == 20


def test_positions_by_market() -> None:
    market_row()
    services.record_positions([services.Holding(CONDITION, 5_000_000, 0, 2_500_000, 0, 0, 0, 0, None)])
    client = reader()
    assert [row["yes"] for row in rows(client, "positions", held="true")] == ["5.000000"]
    assert client.get(f"/api/v1/positions/{CONDITION}/").json()["yes_cost"] == "2.500000"


def test_the_pnl_series_of_account_and_market() -> None:
    market_row()
    services.record_pnl_points([services.ProfitPoint(None, 1_500_000)], at=timezone.now() - timedelta(minutes=1))
    client = reader()
    assert [row["pnl"] for row in rows(client, "pnl")] == ["1.500000"]
    assert rows(client, "pnl", market=CONDITION) == []


@pytest.mark.parametrize(
    ("query", "field"), [({"hours": "0"}, "hours"), ({"points": "x"}, "points"), ({"market": "none"}, "market")]
)
def test_a_wrong_pnl_question_names_its_field(query: dict[str, str], field: str) -> None:
    response = reader().get("/api/v1/pnl/", query)
    assert response.status_code == 400
    assert list(response.json()) == [field]


def test_the_engine_is_alive_while_it_reports() -> None:
    services.beat(services.Beat(1, "quoting", "paper", False, timezone.now(), 5, {"markets": 3}))
    row = reader().get("/api/v1/engines/engine/").json()
    assert (row["alive"], row["summary"]) == (True, {"markets": 3})


def test_failed_requests_can_be_singled_out() -> None:
    audit_row(None, "r-1")
    audit_row(None, "r-2", error="unknown")
    client = reader()
    assert [row["request_id"] for row in rows(client, "audits", failed="true")] == ["r-2"]
    assert [row["request_id"] for row in rows(client, "audits", failed="false")] == ["r-1"]


def test_the_openapi_document_describes_every_path_without_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    from drf_spectacular.drainage import GENERATOR_STATS
    from drf_spectacular.generators import SchemaGenerator

    GENERATOR_STATS.reset()
    generator = SchemaGenerator(urlconf="execution.api.urls")  # type: ignore[no-untyped-call]  # untyped library
    schema = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]  # untyped library
    assert {path.split("/")[1] for path in schema["paths"]} == set(PATHS)
    assert "execution" not in capsys.readouterr().err
