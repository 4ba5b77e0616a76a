"""REST of markets and changes: who may, what is listed, what a switch does."""

import pytest
from rest_framework.test import APIClient

from markets.models import Change, Market
from tests.control_builders import a_caller, a_market, an_event

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

MARKETS = "/api/v1/markets/"
VIEW, CHANGE = "markets.view_market", "markets.change_market"


def address(market: Market) -> str:
    return f"{MARKETS}{market.condition_id}/"


@pytest.mark.parametrize(
    "path",
    [
        "markets/", "changes/", "params/global/", "params/export/", "arb/", "limits/", "stops/", "breakers/",
        "refusals/", "incidents/",
    ],
)  # fmt: skip
def test_strangers_are_asked_to_sign_in_and_users_need_the_permission(path: str) -> None:
    assert APIClient().get(f"/api/v1/{path}").status_code == 401
    assert a_caller().get(f"/api/v1/{path}").status_code == 403


def test_markets_are_listed_busiest_first_with_decimal_strings() -> None:
    event = an_event(7, title="Almanac", category="Weather")
    a_market(1, volume_24h=5)
    a_market(2, volume_24h=9, event=event, best_bid="0.51")

    body = a_caller(VIEW).get(MARKETS).json()

    assert body["count"] == 2
    first = body["results"][0]
    assert (first["event"], first["event_title"], first["category"]) == ("7", "Almanac", "Weather")
    assert (first["best_bid"], first["tick_size"], first["trading"]) == ("0.5100", "0.0100", False)
    assert [item["asset_id"] for item in first["outcomes"]] == ["20", "21"]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("search=almanac%20be", [2]),
        ("event=7", [2]),
        ("category=weather", [2]),
        ("trading=true", [1]),
        ("closed=true", [3]),
        ("min_volume_24h=2", [3]),
        ("order=-volume_24h&limit=1", [3]),
    ],
)
def test_filters_and_search_narrow_the_list(query: str, numbers: list[int]) -> None:
    a_market(1, trading=True)
    a_market(2, event=an_event(7, title="Almanac", category="Weather"))
    a_market(3, closed=True, volume_24h=3)
    body = a_caller(VIEW).get(f"{MARKETS}?{query}").json()
    assert [item["condition_id"] for item in body["results"]] == [f"0x{n:064x}" for n in numbers]


def test_a_switch_is_thrown_with_author_and_reason() -> None:
    market = a_market()
    answer = a_caller(VIEW, CHANGE).patch(address(market), {"trading": True, "reason": "go"}, format="json")
    assert (answer.status_code, answer.json()["trading"]) == (200, True)
    change = Change.objects.get()
    assert (change.author and change.author.username, change.source, change.reason) == ("ana", "api", "go")


def test_reading_is_not_enough_to_switch() -> None:
    market = a_market()
    assert a_caller(VIEW).patch(address(market), {"trading": True}, format="json").status_code == 403


def test_a_closed_market_is_not_switched_on() -> None:
    market = a_market(closed=True)
    answer = a_caller(VIEW, CHANGE).patch(address(market), {"trading": True}, format="json")
    assert (answer.status_code, list(answer.json())) == (400, ["trading"])


def test_an_empty_switch_and_an_unknown_market_are_refused() -> None:
    caller = a_caller(VIEW, CHANGE)
    assert caller.patch(address(a_market()), {}, format="json").status_code == 400
    assert caller.patch(f"{MARKETS}0xabc/", {"trading": True}, format="json").status_code == 404


def test_a_filter_switches_many_after_a_dry_run_counted_them() -> None:
    for number in (1, 2, 3):
        a_market(number, neg_risk=number > 1)
    a_market(4, neg_risk=True, closed=True)
    caller = a_caller(CHANGE)
    body = {"filter": {"neg_risk": True}, "trading": True, "watched": True, "dry_run": True}
    counts = {"matched": 3, "trading_changed": 2, "watched_changed": 2}

    assert caller.post(f"{MARKETS}switch/", body, format="json").json() == counts | {"dry_run": True}
    assert not Market.objects.filter(trading=True).exists()

    body["dry_run"] = False
    assert caller.post(f"{MARKETS}switch/", body, format="json").json() == counts | {"dry_run": False}
    assert Market.objects.filter(trading=True, watched=True).count() == 2


def test_switching_by_the_switched_field_itself_switches_both() -> None:
    a_market(1, trading=True)
    body = {"filter": {"trading": True}, "trading": False, "watched": True}
    a_caller(CHANGE).post(f"{MARKETS}switch/", body, format="json")
    market = Market.objects.get()
    assert (market.trading, market.watched) == (False, True)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"trading": True}, "filter"),
        ({"trading": True, "filter": {}}, "filter"),
        ({"trading": True, "filter": {"closd": False}}, "filter"),
        ({"trading": True, "filter": {"min_volume_24h": "lots"}}, "filter"),
        ({"trading": True, "condition_ids": ["0xno"]}, "condition_ids"),
        ({"filter": {"closed": False}}, "trading"),
    ],
)
def test_a_doubtful_bulk_switch_changes_nothing(body: dict[str, object], field: str) -> None:
    a_market()
    answer = a_caller(CHANGE).post(f"{MARKETS}switch/", body, format="json")
    assert (answer.status_code, list(answer.json())) == (400, [field])
    assert not Market.objects.filter(trading=True).exists()


def test_the_journal_is_read_newest_first() -> None:
    market = a_market()
    caller = a_caller(CHANGE, VIEW, "markets.view_change")
    for on in (True, False):
        caller.patch(address(market), {"trading": on}, format="json")
    body = caller.get(f"/api/v1/changes/?subject={market.condition_id}").json()
    assert [item["action"] for item in body["results"]] == ["trading_off", "trading_on"]
    assert caller.delete(f"/api/v1/changes/{body['results'][0]['id']}/").status_code in (403, 405)
