"""Rows written over and over: one statement, by document where the database can read one, line by line elsewhere."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from django.db import IntegrityError, connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext

from execution.models import MarketState, PositionSnapshot
from markets.services.rewriting import rewrite
from risk.models import Refusal, RuntimeState
from tests.execution_builders import CONDITION
from tests.execution_rows import market_row

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

AT = datetime(2026, 11, 23, 9, 14, 39, 123456, tzinfo=UTC)
LATER = datetime(2026, 11, 23, 9, 14, 40, tzinfo=UTC)
ODD = "a \"quote\", a 'quote', a \\ and 100 % of 「é」\n{}[],:"


def state(condition_id: str = CONDITION, **changes: Any) -> dict[str, Any]:
    told = {"at": AT, "state": "quoting", "reason": ODD, "trust": "verified", "view": {"bid": None, "why": [ODD, 1]}}
    return {"condition_id": condition_id, **told, **changes}


def position(**changes: Any) -> dict[str, Any]:
    cash = dict.fromkeys(("yes_cost", "no_cost", "realised", "unrealised", "fees"), Decimal("-0.000001"))
    shares = {"yes": Decimal("123456789.000001"), "no": Decimal(0)}
    return {"condition_id": CONDITION, **shares, **cash, "mark": None, "updated_at": AT, **changes}


def refused(count: int, **changes: Any) -> dict[str, Any]:
    told = {"strategy": "spread", "codes": "market_cap", "minute": AT, "detail": "over", "trace": "{}"}
    return {"condition_id": CONDITION, **told, "count": count, **changes}


def read(model: type[Model]) -> Mapping[str, Any]:
    return model._default_manager.values().get()


def test_what_is_written_is_read_back_exactly() -> None:
    market = market_row()
    assert rewrite(MarketState, [state()], key=("market",)) == 1
    assert rewrite(PositionSnapshot, [position()], key=("market",)) == 1
    told, held = read(MarketState), read(PositionSnapshot)
    assert {"condition_id": CONDITION, **told} == {**state(), "id": told["id"], "market_id": market.pk}
    assert {"condition_id": CONDITION, **held} == {**position(), "id": held["id"], "market_id": market.pk}


def test_a_row_with_the_same_key_is_overwritten_and_keeps_its_id() -> None:
    market_row()
    rewrite(MarketState, [state()], key=("market",))
    before = read(MarketState)["id"]
    rewrite(MarketState, [state(at=LATER, reason="", view={})], key=("market",))
    after = read(MarketState)
    assert (after["id"], after["at"], after["reason"], after["view"]) == (before, LATER, "", {})


def test_what_is_json_already_is_written_as_it_is() -> None:
    market_row()
    view = {"why": [ODD, 1], "bid": None}
    rewrite(MarketState, [state(view=msgspec.Raw(msgspec.json.encode(view)))], key=("market",))
    assert read(MarketState)["view"] == view


def test_what_is_added_adds_up_and_the_rest_is_the_newest() -> None:
    market_row()
    key = ("market", "strategy", "codes", "minute")
    rewrite(Refusal, [refused(2), refused(5, codes="stale_book")], key=key, added=("count",))
    rewrite(Refusal, [refused(3, detail="more")], key=key, added=("count",))
    found = set(Refusal.objects.values_list("codes", "count", "detail"))
    assert found == {("market_cap", 5, "more"), ("stale_book", 5, "over")}


def test_rows_of_markets_that_are_not_stored_are_left_out_and_not_counted() -> None:
    market_row()
    assert rewrite(MarketState, [state("0xdead"), state(), state("0xbeef")], key=("market",)) == 1
    assert rewrite(MarketState, [state("0xdead")], key=("market",)) == 0


def test_a_table_that_names_no_market_needs_none() -> None:
    rows = [{"target": target, "state": ODD, "at": AT} for target in ("", "0xdead")]
    assert rewrite(RuntimeState, rows, key=("target",)) == 2
    assert set(RuntimeState.objects.values_list("target", "state", "at")) == {("", ODD, AT), ("0xdead", ODD, AT)}


def test_any_number_of_rows_is_one_statement_on_postgresql_and_none_is_none() -> None:
    for number in range(20):
        market_row(f"0x{number:064x}", yes=f"{number}1", no=f"{number}2")
    with CaptureQueriesContext(connection) as asked:
        rewrite(MarketState, [], key=("market",))
        assert not asked.captured_queries
        written = rewrite(MarketState, [state(f"0x{number:064x}") for number in range(20)], key=("market",))
    assert written == 20
    assert connection.vendor != "postgresql" or len(asked.captured_queries) == 1


@pytest.mark.django_db(transaction=True)
def test_a_row_the_database_refuses_leaves_none_of_them() -> None:
    market_row()
    rows: list[dict[str, Any]] = [
        {"target": "0x1", "state": "{}", "at": AT},
        {"target": "0x2", "state": None, "at": AT},
    ]
    with pytest.raises(IntegrityError):
        rewrite(RuntimeState, rows, key=("target",))
    assert not RuntimeState.objects.exists()
