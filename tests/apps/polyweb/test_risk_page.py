"""The risk page: what stands against each cap, how full it is, and who changed which."""

from decimal import Decimal

import pytest
from django.utils import timezone

from execution.models import PositionSnapshot
from polyweb.dashboard.risk_page import context
from polyweb.dashboard.standing import standing
from polyweb.runtime.memory import EngineMemory, written
from risk import services
from tests.control_builders import a_market, a_user, an_administrator, an_event
from tests.execution_builders import YES
from tests.execution_rows import market_row, order_row

pytestmark = pytest.mark.django_db


def test_positions_and_open_orders_stand_against_every_cap_they_are_part_of() -> None:
    market = a_market(1, event=an_event(77))
    PositionSnapshot.objects.create(market=market, yes=100, yes_cost=40)
    now = standing()
    sums = now.exposure.sums(market.condition_id)
    assert (sums.yes.shares, sums.event.notional) == (100_000_000, 40_000_000)
    assert now.exposure.worst_total() == 40_000_000


def test_an_open_order_counts_with_what_is_left_of_it_and_an_ended_one_not_at_all() -> None:
    market = market_row()
    order_row(market, 1, price=Decimal("0.4"), size=Decimal(50), filled=Decimal(20))
    order_row(market, 2, state="cancelled")
    sums = standing().exposure.sums(market.condition_id, "spread")
    assert (sums.market.shares, sums.market.notional, sums.strategy.orders) == (30_000_000, 12_000_000, 1)


def test_caps_are_shown_in_their_own_unit_the_fullest_first() -> None:
    market = a_market(1, event=an_event(77))
    PositionSnapshot.objects.create(market=market, yes=100, yes_cost=40)
    services.set_limit(kind="shares", scope="outcome", market=market, value=Decimal(125), author=None, source="api")
    seen = context({"risk": {"daily_loss": "12.50"}})
    first = seen["fullest"][0]
    assert (first.subject, first.kind, first.used, first.cap, first.percent) == (
        "YES: Will it be 1?", "shares", 100, 125, 80
    )  # fmt: skip
    everything = {(line.subject, line.kind): line.used for line in seen["everything"]}
    assert everything["everything", "loss"] == 40
    assert everything["today", "daily loss"] == Decimal("12.5")
    assert ("the last hour", "rolling loss") not in everything  # the engine did not say


def test_an_event_is_told_from_a_market_of_the_same_name() -> None:
    event = an_event(77)
    market = a_market(1, event=event)
    PositionSnapshot.objects.create(market=market, yes=100, yes_cost=40)
    subjects = [line.subject for line in context({})["fullest"]]
    assert f"event: {event.title}" in subjects
    assert market.question in subjects


def test_the_page_draws_usage_and_names_who_changed_a_cap() -> None:
    market = a_market(1)
    PositionSnapshot.objects.create(market=market, yes=100, yes_cost=40)
    author = a_user(name="bea")
    services.set_limit(kind="loss", scope="total", value=Decimal(80), author=author, source="api", reason="quiet week")
    page = an_administrator().get("/risk/").content.decode()
    assert '<rect width="50%"' in page
    assert all(word in page for word in ("bea", "quiet week", "loss total"))


def test_an_empty_book_says_what_would_fill_the_page() -> None:
    page = an_administrator().get("/risk/").content.decode()
    assert "Nothing is held and nothing rests" in page
    assert "Every cap has its default" in page


def test_shares_that_baskets_hold_stand_against_the_dutch_books_caps() -> None:
    market = market_row()
    PositionSnapshot.objects.create(market=market, yes=100, yes_cost=40)
    services.keep_memories({"": written(EngineMemory(sets={YES: {"plan": 30_000_000}}))}, at=timezone.now())
    exposure = standing().exposure
    dutch, spread = (exposure.sums(market.condition_id, name).strategy for name in ("dutch_book", "spread"))
    assert (dutch.shares, dutch.notional) == (30_000_000, 12_000_000)
    assert (spread.shares, spread.notional) == (70_000_000, 28_000_000)


def test_an_engine_memory_that_cannot_be_read_leaves_the_page_as_if_no_basket_held_anything() -> None:
    market = market_row()
    PositionSnapshot.objects.create(market=market, yes=100, yes_cost=40)
    services.keep_memories({"": "{"}, at=timezone.now())
    assert standing().exposure.sums(market.condition_id, "spread").strategy.shares == 100_000_000
