"""What an operator does from a page: one service each, told back in words; wrong input changes nothing."""

from decimal import Decimal

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from execution.models import Order, OrderEvent, PositionSnapshot
from markets.models import Change, Market
from risk.domain.advice import BREAKERS, TROUBLES
from risk.domain.breakers import BreakerKind
from risk.domain.stops import StopLevel
from risk.models import Incident, Stop
from risk.services import open_incident
from strategies.domain.arb_params import ArbParams
from strategies.models import ArbSettings, ParamRevision, StrategyConfig
from strategies.selectors import arb_params
from tests.control_builders import a_market, a_user, an_administrator, an_event
from tests.execution_rows import order_row

pytestmark = pytest.mark.django_db
JSON = {"Accept": "application/json"}


def told(answer: object) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))  # type: ignore[attr-defined]


# Stop and resume -----------------------------------------------------------------------------------------


def test_the_stop_form_cancels_everything_unless_told_otherwise() -> None:
    answer = an_administrator().post("/stop/", {"level": "3", "scope": "all", "reason": "drill"})
    row = Stop.objects.get()
    assert (row.get_level_display(), row.scope, row.reason, row.source) == ("cancel", "all", "drill", "page")
    assert answer["Location"] == f"/stop/{row.pk}/?next=/"


def test_a_stop_names_its_market_or_event() -> None:
    market, client = a_market(1, event=an_event(9)), an_administrator()
    client.post("/stop/", {"level": "3", "scope": "market", "market": market.condition_id, "event": "9"})
    client.post("/stop/", {"level": "1", "scope": "event", "market": market.condition_id, "event": "9"})
    assert list(Stop.objects.order_by("pk").values_list("market", "event__gamma_id")) == [
        (market.pk, None),
        (None, "9"),
    ]


@pytest.mark.parametrize(
    ("wrong", "word"),
    [({"level": "7"}, "7"), ({"scope": "moon"}, "moon"), ({"scope": "market", "market": "0xnope"}, "0xnope")],
)
def test_a_wrong_stop_form_stops_nothing_and_names_the_value(wrong: dict[str, str], word: str) -> None:
    answer = an_administrator().post("/stop/", {"level": "3", "scope": "all", **wrong})
    assert answer.status_code == 400
    assert word in answer.content.decode()
    assert not Stop.objects.exists()


def test_the_button_on_a_page_gets_the_address_of_the_report() -> None:
    client = an_administrator()
    answer = client.post("/stop/", {"level": "3", "scope": "all"}, headers=JSON)
    report = client.get(answer.json()["report"], headers=JSON).json()
    assert report == {"done": True, "text": "No order was resting; nothing new is placed."}


def test_the_report_counts_the_orders_the_stop_caught() -> None:
    market, client = a_market(1), an_administrator()
    orders = [order_row(market, number) for number in (1, 2)]
    ended_before = order_row(market, 3, state="cancelled")
    OrderEvent.objects.create(order=ended_before, event="cancelled", after="cancelled", at=timezone.now())
    address = client.post("/stop/", {"level": "3", "scope": "all"}, headers=JSON).json()["report"]
    waiting = client.get(address, headers=JSON).json()
    assert not waiting["done"]
    assert waiting["text"].startswith("0 of 2 orders ended: the engine is silent")
    for order in orders:
        Order.objects.filter(pk=order.pk).update(state="cancelled")
        OrderEvent.objects.create(order=order, event="cancelled", after="cancelled", at=timezone.now())
    done = client.get(address, headers=JSON).json()
    assert done["done"]
    assert done["text"].startswith("2 of 2 orders cancelled or ended in 0.")


def test_a_strategy_is_reduced_for_some_minutes_from_the_page() -> None:
    body = {"level": "2", "scope": "strategy", "strategy": "spread", "minutes": "15"}
    answer = an_administrator().post("/stop/", body, headers=JSON)
    assert answer.status_code == 201
    row = Stop.objects.get()
    assert (row.strategy, row.level) == ("spread", StopLevel.REDUCE)
    assert row.expires_at is not None
    assert row.release_rule == "until released, or until it expires"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"level": "4", "scope": "strategy", "strategy": "spread"}, "level"),
        ({"level": "3", "scope": "wallet"}, "wallet"),
        ({"level": "3", "scope": "all", "minutes": "0"}, "minutes"),
        ({"level": "4", "scope": "all", "slippage": "2"}, "slippage"),
    ],
)
def test_a_stop_form_that_makes_no_sense_names_its_field(body: dict[str, str], field: str) -> None:
    answer = an_administrator().post("/stop/", body, headers=JSON)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert not Stop.objects.exists()


def test_a_flatten_is_done_when_nothing_is_held_beyond_pairs() -> None:
    market, client = a_market(1), an_administrator()
    PositionSnapshot.objects.create(market=market, yes=20, no=5)
    address = client.post("/stop/", {"level": "4", "scope": "all"}, headers=JSON).json()["report"]
    waiting = client.get(address, headers=JSON).json()
    assert (waiting["done"], "1 position is still held" in waiting["text"]) == (False, True)
    PositionSnapshot.objects.update(yes=5)
    assert client.get(address, headers=JSON).json()["done"]


def test_resume_releases_the_stop_and_says_who() -> None:
    client = an_administrator()
    client.post("/stop/", {"level": "3", "scope": "all"})
    answer = client.post(f"/stop/{Stop.objects.get().pk}/release/", {"next": "/markets/"})
    assert answer["Location"] == "/markets/"
    row = Stop.objects.get()
    assert row.released_at is not None
    assert row.released_by is not None


def test_nobody_is_sent_to_another_site_afterwards() -> None:
    answer = an_administrator().post("/stop/1/release/", {"next": "https://evil.example/"})
    assert answer["Location"] == "/incidents/"


def test_a_form_without_its_token_changes_nothing() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(a_user("risk.add_stop"))
    answer = client.post("/stop/", {"level": "3", "scope": "all"})
    assert answer.status_code == 403
    assert "The form has expired" in answer.content.decode()
    assert not Stop.objects.exists()


# Parameters ----------------------------------------------------------------------------------------------


def test_editing_a_spread_writes_a_revision_with_author_and_reason() -> None:
    market = a_market(1)
    fields = {"half_spread": "0.02", "size": "", "reason": "wider tonight", "revision": "0"}
    answer = an_administrator().post(f"/markets/{market.condition_id}/params/", fields, headers=JSON)
    assert answer.status_code == 200
    assert answer.json()["revision"] == 1
    revision = ParamRevision.objects.get()
    assert (revision.values, revision.reason, str(revision.author)) == (
        {"half_spread": "0.02"},
        "wider tonight",
        "root",
    )
    assert Change.objects.get(action="params").source == "page"


@pytest.mark.parametrize("value", ["0.5", "-1", "abc", "0.00001", "NaN"])
def test_a_wrong_value_names_field_bound_and_value(value: str) -> None:
    market = a_market(1)
    address = f"/markets/{market.condition_id}/params/"
    answer = an_administrator().post(address, {"half_spread": value, "size": "30"}, headers=JSON)
    assert answer.status_code == 400
    (error,) = answer.json()["errors"].values()
    assert error.startswith("half_spread: ")
    assert value in error
    if value in ("0.5", "-1"):
        assert "0.0001..0.4" in error
    assert not StrategyConfig.objects.filter(market=market, size__isnull=False).exists()


def test_without_a_script_the_same_error_stands_in_the_page_beside_what_was_entered() -> None:
    market = a_market(1)
    answer = an_administrator().post(f"/markets/{market.condition_id}/params/", {"half_spread": "0.5", "size": "30"})
    html = answer.content.decode()
    assert answer.status_code == 400
    assert "0.5 is outside 0.0001..0.4" in html
    assert 'value="30"' in html


def test_an_edit_based_on_an_older_revision_is_refused() -> None:
    market, client = a_market(1), an_administrator()
    address = f"/markets/{market.condition_id}/params/"
    client.post(address, {"size": "30", "revision": "0"}, headers=JSON)
    answer = client.post(address, {"size": "40", "revision": "0"}, headers=JSON)
    assert answer.status_code == 409
    assert StrategyConfig.objects.values_list("size", flat=True).get(market=market) == Decimal("30")


def test_parameters_of_a_market_that_is_not_there_are_not_found() -> None:
    assert an_administrator().post("/markets/0xnope/params/", {"size": "30"}).status_code == 404


# Markets -------------------------------------------------------------------------------------------------


def test_chosen_markets_are_traded_and_paused() -> None:
    first, second = a_market(1), a_market(2)
    client = an_administrator()
    client.post("/markets/switch/", {"action": "trade", "markets": [first.condition_id, second.condition_id]})
    assert Market.objects.filter(trading=True).count() == 2
    answer = client.post("/markets/switch/", {"action": "pause", "markets": [first.condition_id]})
    assert "1 market is paused." in told(answer)
    assert list(Market.objects.filter(trading=True)) == [second]


def test_everything_a_filter_finds_is_watched_at_once() -> None:
    a_market(1, question="Rain in Rome?")
    a_market(2, question="Rain in Oslo?")
    a_market(3, question="Snow in Oslo?")
    fields = {"action": "watch", "matching": "1", "show": "all", "q": "rain"}
    an_administrator().post("/markets/switch/", fields)
    assert Market.objects.filter(watched=True).count() == 2


def test_a_market_that_does_not_exist_is_named_and_nothing_is_switched() -> None:
    market = a_market(1)
    answer = an_administrator().post(
        "/markets/switch/", {"action": "trade", "markets": [market.condition_id, "0xnope"]}
    )
    assert "0xnope" in told(answer)
    assert not Market.objects.filter(trading=True).exists()


def test_an_action_that_does_not_exist_switches_nothing() -> None:
    answer = an_administrator().post("/markets/switch/", {"action": "sell", "markets": [a_market(1).condition_id]})
    assert "sell" in told(answer)
    assert not Market.objects.filter(trading=True).exists()


# The rest ------------------------------------------------------------------------------------------------


def test_an_incident_is_acknowledged_once() -> None:
    incident, client = open_incident(kind="drift", key="d", text="Drift."), an_administrator()
    client.post(f"/incidents/{incident.pk}/acknowledge/")
    client.post(f"/incidents/{incident.pk}/acknowledge/")
    assert Incident.objects.get().acknowledged_at is not None
    assert Change.objects.filter(action="incident_acknowledged").count() == 1


def test_an_incident_is_closed_on_its_page_and_stays_there_as_closed() -> None:
    incident, client = open_incident(kind="recording", key="recording", text="The disk is full."), an_administrator()
    client.post(f"/incidents/{incident.pk}/close/", {"reason": "made room"})
    incident.refresh_from_db()
    assert incident.closed_at is not None
    assert Change.objects.get(action="incident_closed").reason == "made room"
    page = client.get("/incidents/")
    assert list(page.context["incidents"]) == []
    assert "The disk is full." in page.content.decode()


def test_an_incident_says_what_it_means_and_what_to_do_and_is_closed_by_hand_only_where_nothing_else_does() -> None:
    by_hand = open_incident(kind="recording", key="recording", text="The disk is full.")
    by_itself = open_incident(kind="breaker", key="breaker drift", text="Breaker drift.")
    page = an_administrator().get("/incidents/").content.decode()
    assert escape(BREAKERS[BreakerKind.DRIFT].means) in page
    assert escape(TROUBLES["recording"].do) in page
    assert f"/incidents/{by_hand.pk}/close/" in page
    assert f"/incidents/{by_itself.pk}/close/" not in page


def test_arbitrage_settings_out_of_bounds_are_refused_by_name() -> None:
    client = an_administrator()
    answer = client.post("/arbitrage/settings/", {"enabled": "on", "min_edge": "2", "max_size": "10"})
    assert "min_edge" in told(answer)
    assert not ArbSettings.objects.filter(enabled=True).exists()


def test_arbitrage_is_switched_on() -> None:
    an_administrator().post("/arbitrage/settings/", {"enabled": "on", "min_edge": "0.01", "max_size": "10"})
    assert arb_params() == ArbParams(enabled=True, min_edge=100, max_size=10_000_000)


def test_the_theme_is_kept_in_a_cookie_and_rendered_by_the_server() -> None:
    client = an_administrator()
    client.post("/theme/", {"theme": "dark", "next": "/markets/"})
    assert '<html lang="en" data-theme="dark">' in client.get("/").content.decode()
    client.post("/theme/", {"theme": '"><script>'})
    assert '<html lang="en" data-theme="dark">' in client.get("/").content.decode()
