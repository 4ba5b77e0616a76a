"""Stored events over REST and in the admin: by market and time, newest first."""

from datetime import UTC, datetime, timedelta

import pytest

from markets.models import BookEvent, Market, ResyncEvent, TradePrint, TrustChange
from tests.control_builders import a_caller, a_market, an_administrator

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

START = datetime(2031, 5, 10, 12, tzinfo=UTC)
EVENTS = "/api/v1/book-events/"
VIEW = "markets.view_bookevent"


def a_top(market: Market, minute: int, bid: str = "0.48") -> BookEvent:
    at = START + timedelta(minutes=minute)
    return BookEvent.objects.create(market=market, at=at, bid=bid, bid_size="5", ask="0.52", ask_size="7")


@pytest.mark.parametrize("path", ["book-events", "trade-prints", "trust-changes", "resync-events"])
def test_reading_needs_the_permission(path: str) -> None:
    assert a_caller().get(f"/api/v1/{path}/").status_code == 403


def test_tops_are_listed_newest_first_with_decimal_strings() -> None:
    market = a_market(1)
    a_top(market, 0)
    a_top(market, 1, "0.49")
    body = a_caller(VIEW).get(EVENTS).json()
    assert [row["bid"] for row in body["results"]] == ["0.4900", "0.4800"]
    assert body["results"][0]["market"] == market.condition_id
    assert body["results"][0]["at"] == "2031-05-10T12:01:00Z"


@pytest.mark.parametrize(
    ("query", "minutes"),
    [
        (f"market=0x{1:064x}", [2, 0]),
        ("market=will-2", [1]),
        ("market=0xunknown", []),
        ("since=2031-05-10T12:01:00Z", [2, 1]),
        ("since=2031-05-10T12:00:00Z&until=2031-05-10T12:02:00Z", [1, 0]),
    ],
)
def test_market_and_time_narrow_the_list(query: str, minutes: list[int]) -> None:
    first, second = a_market(1), a_market(2)
    for minute, market in enumerate((first, second, first)):
        a_top(market, minute)
    rows = a_caller(VIEW).get(f"{EVENTS}?{query}").json()["results"]
    assert [datetime.fromisoformat(row["at"]).minute for row in rows] == minutes


def test_a_cursor_leads_through_everything() -> None:
    market = a_market(1)
    for minute in range(5):
        a_top(market, minute)
    caller, address, seen = a_caller(VIEW), f"{EVENTS}?limit=2", []
    while address:
        body = caller.get(address).json()
        seen += [row["id"] for row in body["results"]]
        address = body["next"]
    assert len(set(seen)) == 5


def test_trades_trust_and_resyncs_say_what_happened() -> None:
    market = a_market(1)
    TradePrint.objects.create(market=market, at=START, venue_at=START, yes=False, price="0.53", size="7", side="BUY")
    TrustChange.objects.create(market=market, at=START, trust="broken", reason="hash")
    ResyncEvent.objects.create(market=market, at=START, reason="hash", request_id=7)
    caller = a_caller("markets.view_tradeprint", "markets.view_trustchange", "markets.view_resyncevent")
    trade, trust, resync = (
        caller.get(f"/api/v1/{path}/").json()["results"][0]
        for path in ("trade-prints", "trust-changes", "resync-events")
    )
    assert (trade["yes"], trade["price"], trade["size"], trade["side"]) == (False, "0.5300", "7.000000", "BUY")
    assert (trust["trust"], trust["reason"]) == ("broken", "hash")
    assert (resync["reason"], resync["request_id"]) == ("hash", 7)


@pytest.mark.parametrize("name", ["bookevent", "tradeprint", "trustchange", "resyncevent", "rulerevision"])
def test_the_admin_lists_them(name: str) -> None:
    a_top(a_market(1), 0)
    assert an_administrator().get(f"/admin/markets/{name}/").status_code == 200
