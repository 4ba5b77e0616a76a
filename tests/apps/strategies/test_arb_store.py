"""Rows of baskets, their steps, and gaps."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.urls import reverse

from strategies import store
from strategies.domain.basket_stages import BasketMoved, Stage
from strategies.domain.dutch_book import scan
from strategies.domain.opportunity_log import OpportunityLog
from strategies.models import ArbBasket, ArbOpportunity, ArbStep
from tests.control_builders import a_caller, an_administrator, an_event
from tests.dutch_builders import FREE, SHARES, neg_risk

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

FOUND = scan(neg_risk([(2000, 3000), (2000, 3000), (2000, 3500)]), FREE)
BASKET = FOUND.baskets[0]
SECOND = 1_000_000_000


def moved(stage: Stage, at: int, filled: int = 0, profit: int = 0) -> BasketMoved:
    return BasketMoved(BASKET, stage, at * SECOND, "said", (filled * SHARES,) * 3, 0, profit)


def test_a_basket_is_one_row_with_every_step_also_when_told_twice() -> None:
    event = an_event(gamma_id="ev")
    steps = [moved(Stage.TAKING, 1), moved(Stage.WHOLE, 2, 100, 5_000_000)]
    store.record_baskets(steps[:1])
    store.record_baskets(steps)
    row = ArbBasket.objects.get()
    assert (row.event, row.stage) == (event, "whole")
    assert (row.size, row.profit) == (Decimal(100), Decimal(5))
    assert row.ended_at == datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC)
    assert row.opened_at < row.ended_at
    assert list(ArbStep.objects.order_by("pk").values_list("stage", flat=True)) == ["legs sent", "whole"]
    assert row.filled == ["100", "100", "100"]


def test_what_an_earlier_engine_left_under_way_is_interrupted_once() -> None:
    store.record_baskets([moved(Stage.TAKING, 1)])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert [basket.plan_id for basket in store.interrupt_baskets(at=now)] == [BASKET.plan_id]
    assert store.interrupt_baskets(at=now) == []
    assert ArbBasket.objects.get().detail == "the engine ended while it was legs sent"


def test_gaps_are_rows_and_the_page_shows_both() -> None:
    an_event(gamma_id="ev")
    log = OpportunityLog()
    log.saw("ev", FOUND, SECOND)
    log.end(3 * SECOND)
    store.record_opportunities(log.drain())
    store.record_baskets([moved(Stage.STUCK, 1, 40)])
    row = ArbOpportunity.objects.get()
    assert (row.lifetime_ms, f"{row.gross:f}", f"{row.depth:f}", row.source) == (2000, "0.0500", "100.000000", "engine")
    client = an_administrator()
    page = client.get("/arbitrage/").content.decode()
    assert "pays, not sent yet" in page
    assert "unbalanced" in page
    for name in ("arbbasket", "arbopportunity"):
        assert client.get(reverse(f"admin:strategies_{name}_changelist")).status_code == 200
    caller = a_caller("strategies.view_arbbasket", "strategies.view_arbopportunity")
    (basket,) = caller.get("/api/v1/arb/baskets/?stage=unbalanced").json()["results"]
    assert (basket["event"], basket["filled"], basket["steps"][0]["stage"]) == ("ev", ["40"] * 3, "unbalanced")
    (gap,) = caller.get("/api/v1/arb/opportunities/?event=ev").json()["results"]
    assert (gap["gross"], gap["lifetime_ms"], gap["reason"]) == ("0.0500", 2000, "pays, not sent yet")
    assert caller.get("/api/v1/arb/opportunities/?source=scan").json()["results"] == []
    detail = reverse("admin:strategies_arbbasket_change", args=[ArbBasket.objects.get().pk])
    assert client.get(detail).status_code == 200
