"""`manage.py orders` and `manage.py audit`: tables for people, JSON for scripts, one clear line when wrong."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.execution_builders import CONDITION
from tests.execution_rows import audit_row, event_row, market_row, order_row

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def said(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def told(*words: str) -> Any:
    return json.loads(said(*words, "--json"))


def test_live_orders_are_listed_unless_all_are_asked_for() -> None:
    market = market_row()
    order_row(market, 1)
    order_row(market, 2, state="filled")
    assert [row["client_order_id"] for row in told("orders")["orders"]] == [1]
    assert told("orders", "--state", "all")["total"] == 2


def test_a_market_is_named_by_condition_id_or_slug() -> None:
    market = market_row()
    order_row(market, 1)
    order_row(market_row("0x" + "d1" * 32, "3" * 77, "4" * 77), 2)
    assert [row["client_order_id"] for row in told("orders", "--market", CONDITION)["orders"]] == [1]
    assert told("orders", "--market", market.slug)["total"] == 1


def test_an_unknown_market_is_one_clear_line() -> None:
    with pytest.raises(CommandError, match="--market: unknown market: nonsense"):
        said("orders", "--market", "nonsense")


def test_the_table_lines_up_and_says_when_there_is_more() -> None:
    market = market_row()
    order_row(market, 1)
    order_row(market, 2, dry_run=True)
    lines = said("orders", "--limit", "1").splitlines()
    assert lines[0].startswith("created (UTC)")
    assert "live (dry run)" in lines[1]
    assert lines[2] == "1 of 2; --limit shows more"


def test_no_orders_is_said_and_not_an_error() -> None:
    assert said("orders").startswith("No orders.")
    assert said("audit") == "No requests yet.\n"


@pytest.mark.parametrize("command", ["orders", "audit"])
def test_a_limit_below_one_is_refused(command: str) -> None:
    with pytest.raises(CommandError, match="--limit: 0"):
        said(command, "--limit", "0")


def test_an_audit_of_one_plan_tells_its_whole_story() -> None:
    order = order_row(market_row(), 1)
    event_row(order)
    audit_row(order.plan, sign_us=31)
    audit_row(None, "r-2", action="cancel")
    story = told("audit", "--plan", "plan-1")
    assert [event["after"] for event in story["orders"][0]["events"]] == ["live"]
    assert [(row["request_id"], row["sign_us"]) for row in story["requests"]] == [("r-1", 31)]
    assert "submitting -> live" in said("audit", "--plan", "plan-1")
    assert len(told("audit")["requests"]) == 2


def test_an_unknown_plan_is_one_clear_line() -> None:
    with pytest.raises(CommandError, match="there is no plan nope"):
        said("audit", "--plan", "nope")
