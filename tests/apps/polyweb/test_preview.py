"""The preview of parameters: the engine's own plan on the book that is shown, told before anything is applied."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from execution.models import MarketState, PositionSnapshot
from markets.models import Change
from risk import services
from strategies.models import StrategyConfig
from tests.control_builders import a_market, a_user, an_administrator

pytestmark = pytest.mark.django_db


def our(number: int, outcome: str, side: str, price: str) -> dict[str, Any]:
    size = {"size": "20", "remaining": "20"}
    return {"client_order_id": str(number), "outcome": outcome, "side": side, "price": price, "state": "live"} | size


VIEW: dict[str, Any] = {
    "state": "quoting",
    "book": {"bids": [["0.49", "100"]], "asks": [["0.51", "100"]]},
    "ours": [our(1, "YES", "BUY", "0.49"), our(2, "NO", "BUY", "0.49")],
    "position": {"yes": "0", "no": "0", "yes_cost": "0.000000", "no_cost": "0.000000"},
}


def asked(view: dict[str, Any] = VIEW, *, client: Client | None = None, **values: str) -> Any:
    market = a_market(1, trading=True)
    MarketState.objects.create(market=market, at=timezone.now(), state="quoting", trust="verified", view=view)
    return (client or an_administrator()).post(f"/markets/{market.condition_id}/preview/", values)


def test_wider_quotes_cost_two_cancels_and_two_places() -> None:
    found = asked(half_spread="0.03").json()
    assert {side: quote["price"] for side, quote in found["before"].items()} == {"bid": "0.4900", "ask": "0.5100"}
    assert {side: quote["price"] for side, quote in found["after"].items()} == {"bid": "0.4700", "ask": "0.5300"}
    assert found["text"].startswith("Applying costs 2 cancels, 2 places")


def test_what_moves_no_order_costs_nothing() -> None:
    assert asked(min_quote_lifetime_ms="900").json()["text"] == "Applying moves no order."


def test_values_that_quote_nothing_say_why() -> None:
    assert asked(size="2").json()["text"] == "With these nothing is quoted: size below the market minimum."


def test_an_empty_field_inherits() -> None:
    StrategyConfig.objects.filter(scope="global").update(half_spread="0.02")
    assert asked(half_spread="").json()["after"]["bid"]["price"] == "0.4800"


def test_a_preview_writes_nothing() -> None:
    asked(half_spread="0.03")
    assert not Change.objects.exists()
    assert not StrategyConfig.objects.filter(scope="market").exists()


def test_without_a_book_there_is_nothing_to_preview() -> None:
    assert asked({"state": "idle", "book": {"bids": [], "asks": []}}).json()["text"].startswith("No book")


def test_a_value_out_of_bounds_is_named() -> None:
    answer = asked(half_spread="0.9")
    assert answer.status_code == 400
    assert "outside" in answer.json()["errors"]["half_spread"]


def test_who_may_not_edit_gets_no_preview() -> None:
    client = Client()
    client.force_login(a_user("markets.view_market"))
    assert asked(client=client, half_spread="0.03").status_code == 403


def test_what_the_gate_would_refuse_is_said_before_anything_is_applied() -> None:
    services.set_limit(kind="shares", scope="order_default", value=Decimal(10), author=None, source="api")
    found = asked(half_spread="0.03").json()
    assert found["refused"] == "order could hold 20 shares, cap 10"
    assert found["text"] == "The gate would refuse this: order could hold 20 shares, cap 10."


def test_the_gate_is_asked_with_what_other_markets_hold() -> None:
    other = a_market(2)
    PositionSnapshot.objects.create(market=other, yes=1_500, yes_cost=495)
    found = asked(half_spread="0.03").json()
    assert found["refused"] == "total could lose 504.4 pUSD, cap 500 pUSD"
