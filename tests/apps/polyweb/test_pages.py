"""The pages: whole in their first response, honest about what is not there, without a line of inline code."""

import re
from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask
from django_celery_results.models import TaskResult

from execution.models import EngineStatus, MarketState, Order, OrderEvent, PnlPoint
from polyweb import on_chain
from polyweb.dashboard import system_page
from risk.services import RefusalRow, open_incident, record_refusals, stop
from tests.control_builders import a_market, a_user, an_administrator, an_event
from tests.execution_rows import order_row

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
VIEW = {
    "state": "quoting", "reason": "", "trust": "verified", "trust_reason": "",
    "book": {"bids": [["0.53", "120"], ["0.52", "400"]], "asks": [["0.55", "80"]]},
    "fair": "0.5400", "last_trade": "0.54",
    "ours": [
        {"client_order_id": "7", "order_id": f"0x{7:064x}", "outcome": "YES", "side": "BUY", "price": "0.52",
         "yes_price": "0.52", "yes_side": "bid", "size": "20", "remaining": "12.5", "state": "live", "age_ms": 900},
    ],
    "position": {"yes": "40", "no": "10", "net": "30", "mergeable": "10", "pnl": "-1.25", "mark": "0.54"},
    "trace": [
        {"name": "mid (x2)", "before": 0, "after": 10800},
        {"name": "bid inventory (size)", "before": 20000000, "after": 12500000},
    ],
}  # fmt: skip
PAGES = (
    "/",
    "/markets/",
    "/markets/?show=all",
    "/orders/",
    "/arbitrage/",
    "/incidents/",
    "/risk/",
    "/system/",
    "/stop/",
)


def body(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def a_busy_house() -> str:
    """One market quoted by a live engine, an order, an incident, a refusal; returns the market's address."""
    now = timezone.now()
    market = a_market(1, trading=True, watched=True, event=an_event(1, category="Weather"))
    order = order_row(market, 7, plan_id="plan-7")
    OrderEvent.objects.create(order=order, event="accept", before="submitting", after="live", at=now)
    MarketState.objects.create(market=market, at=now, state="quoting", trust="verified", view=VIEW)
    PnlPoint.objects.create(at=now, pnl="3.5")
    open_incident(kind="rule_changed", key="r", text="The rule text changed.", market=market)
    record_refusals([RefusalRow(market.condition_id, "spread", "market_cap", "could lose 54 pUSD", now, 3)])
    EngineStatus.objects.create(
        name="engine", token=1, state="running", relayer="paper", started_at=now, beat_at=now,
        summary={"pnl": {"total": "3.5"}, "mode": {"relayer": "paper"}},
    )  # fmt: skip
    return f"/markets/{market.condition_id}/"


VENUE = {
    "state": "not trusted",
    "mode": "post-only",
    "reason": "venue post-only; user channel down: closed",
    "wallet": "0x" + "ab" * 20,
    "heartbeat": "lapsed",
    "user_feed": {"trust": "down"},
    "budget": {"tier": "Standard", "orders": 12, "order_burst": 60, "cancels": -4, "cancel_burst": 120},
}


def test_pages_say_what_the_venue_does_not_let_us_do() -> None:
    a_busy_house()
    client = an_administrator()
    EngineStatus.objects.update(summary={"venue": VENUE})
    for address in PAGES:
        assert "Venue: venue post-only; user channel down: closed" in body(client, address)
    assert "tokens 12 / 60 orders" in words(client.get("/").content.decode())
    assert "heartbeat lapsed" in words(client.get("/system/").content.decode())


@pytest.mark.parametrize("address", PAGES)
def test_an_empty_house_has_every_page(address: str) -> None:
    assert "No engine has run on this database" in body(an_administrator(), address)


def test_every_page_of_a_busy_house_has_neither_inline_script_nor_style() -> None:
    market, client = a_busy_house(), an_administrator()
    stop(level=1, scope="all", reason="test", author=None, source="cli")
    for address in (*PAGES, market, f"/orders/0x{7:064x}/", "/stop/1/", "/login/", "/account/totp/", "/nothing/"):
        html = client.get(address).content.decode()
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=\"|javascript:", html), address
        for script in re.findall(r"<script[^>]*>", html):
            assert 'src="' in script or 'type="application/json"' in script, (address, script)


def test_the_policy_forbids_inline_code() -> None:
    policy = an_administrator().get("/")["Content-Security-Policy"]
    assert {"script-src 'self'", "style-src 'self'"} <= set(policy.split("; "))
    assert "unsafe" not in policy


def test_the_market_page_shows_the_ladder_our_order_and_why() -> None:
    text = words(body(an_administrator(), a_busy_house()))
    assert "bid 52 400 ◂ 12.50" in text
    assert "fair 54.00" in text
    assert "mid 54.00" in text
    assert "bid inventory 12.50" in text
    assert "−1.25" in text


def test_the_overview_says_what_needs_a_person() -> None:
    a_busy_house()
    text = words(body(an_administrator(), "/"))
    assert "The rule text changed." in text
    assert "+3.50 pUSD" in text


def test_an_old_heartbeat_is_said_on_every_page_and_its_figures_are_not_live() -> None:
    a_busy_house()
    EngineStatus.objects.update(beat_at=timezone.now() - timedelta(seconds=6))
    html = body(an_administrator(), "/markets/")
    assert "The engine is silent since" in html
    assert 'data-fresh="no"' in html


def test_the_market_list_filters_by_state_and_words() -> None:
    a_busy_house()
    a_market(2, watched=True)
    client = an_administrator()
    assert "Will it be 2?" not in body(client, "/markets/?state=quoting")
    assert "Will it be 1?" not in body(client, "/markets/?state=watching")
    assert "Will it be 2?" not in body(client, "/markets/?q=be+1")


def test_a_market_nobody_follows_is_found_among_everything_the_venue_lists() -> None:
    a_market(3)
    client = an_administrator()
    assert "Will it be 3?" not in body(client, "/markets/")
    assert "Will it be 3?" in body(client, "/markets/?show=all&q=3")


def test_an_order_shows_its_whole_life() -> None:
    a_busy_house()
    text = words(body(an_administrator(), f"/orders/0x{7:064x}/"))
    assert "BUY 10 YES at 50¢" in text
    assert "live accept" in text


@pytest.mark.parametrize("address", ["/markets/0xnope/", "/orders/0xnope/", "/stop/99/", "/nothing/"])
def test_what_is_not_there_is_a_page_that_says_so(address: str) -> None:
    answer = an_administrator().get(address)
    assert answer.status_code == 404
    assert "Nothing here" in answer.content.decode()


def test_a_page_for_somebody_who_may_only_look_offers_nothing_to_change() -> None:
    address, client = a_busy_house(), Client()
    client.force_login(a_user("markets.view_market"))
    html = body(client, address)
    assert 'id="params-form"' not in html
    assert "may not stop trading" in html


def test_an_unknown_query_is_no_error() -> None:
    a_busy_house()
    client = an_administrator()
    for address in ("/orders/?page=zzz&state=nope", "/markets/?sort=nope&state=nope&category=nope"):
        assert client.get(address).status_code == 200


def test_a_schedule_says_in_words_when_it_runs_and_ran_last_whoever_knows_it_first() -> None:
    nightly = CrontabSchedule.objects.create(minute="17", hour="3", timezone="UTC")
    often = IntervalSchedule.objects.create(every=30, period="seconds")
    started = timezone.now() - timedelta(minutes=9)
    PeriodicTask.objects.all().delete()
    PeriodicTask.objects.create(name="Tidying", task="t", crontab=nightly, last_run_at=started)
    PeriodicTask.objects.create(name="Watching", task="w", interval=often)
    TaskResult.objects.create(task_id="1", periodic_task_name="Watching", status="SUCCESS")
    tidying, watching = system_page.schedules()
    assert (tidying.every, tidying.last) == ("daily at 03:17 UTC", started)
    assert watching.every == "every 30 seconds"
    assert watching.last is not None


def test_an_orders_life_says_nothing_twice() -> None:
    a_busy_house()
    order = Order.objects.get()
    OrderEvent.objects.create(
        order=order, event="cancelled", before="live", after="cancelled", at=timezone.now(), detail="cancelled"
    )
    life = words(body(an_administrator(), f"/orders/{order.order_id}/")).split("Ids and plan")[0].split("Life")[1]
    assert life.count("cancelled") == 1
    assert "live accept" in life


def test_why_a_route_is_not_taken_here_stands_below_its_name() -> None:
    page = body(an_administrator(), "/arbitrage/")
    reasons = [why for _, why in on_chain.routes(settings.POLYWEB) if why]
    assert reasons
    assert page.count('<dd class="why') == len(reasons)
