"""What the CLOB says of followed markets: read, compared with Gamma, journaled once, and blocking what costs money."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
import stamina
from aiohttp import web
from aiohttp.test_utils import TestServer
from django.conf import settings
from django.test import override_settings

from markets import selectors, services
from markets.domain.fees import FeeSchedule
from markets.gamma import GammaError
from markets.gamma.clob import ClobTerms, parse_terms
from markets.models import Change, Market
from markets.services import TermsUnavailable
from markets.tasks import refresh_clob_terms
from tests.control_builders import a_market
from tests.served import served

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

FEE = {"r": 0.05, "e": 1, "to": True}


def said(number: int = 1, **changes: Any) -> dict[str, Any]:
    """As the CLOB writes the terms of `a_market`."""
    tokens = [{"t": f"{number}0", "o": "Yes"}, {"t": f"{number}1", "o": "No"}]
    return {"c": f"0x{number:064x}", "t": tokens, "mos": 5, "mts": 0.01, "mbf": 0, "tbf": 0, "v": "v1"} | changes


def told(market: Market, **changes: Any) -> Market:
    services.store_terms(condition_id=market.condition_id, terms=parse_terms(said(**changes)))
    market.refresh_from_db()
    return market


# Reading ----------------------------------------------------------------------------------------------------


def test_terms_are_read_as_the_clob_abbreviates_them() -> None:
    assert parse_terms(said(fd=FEE, nr=True)) == ClobTerms(
        condition_id=f"0x{1:064x}", tick_size=Decimal("0.01"), min_size=Decimal(5), neg_risk=True,
        fee_rate=Decimal("0.05"), fee_exponent=1, taker_only=True, assets=("10", "11"),
    )  # fmt: skip


def test_no_fee_schedule_is_none_and_not_zero() -> None:
    assert parse_terms(said()).fee_rate is None


@pytest.mark.parametrize("wrong", [{"mts": None}, {"mos": "many"}, {"nr": "no"}, {"fd": 3}, {"fd": {"r": 0.1, "e": 9}}])
def test_what_cannot_be_meant_is_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(GammaError):
        parse_terms(said(**wrong))


# Comparing --------------------------------------------------------------------------------------------------


def test_terms_that_agree_leave_no_trace_but_themselves() -> None:
    market = told(a_market(1))
    assert (selectors.clob_differences(market), selectors.blocked_by(market)) == ([], "")
    assert market.clob_checked_at is not None
    assert not Change.objects.exists()


@pytest.mark.parametrize(
    ("changes", "name"),
    [({"mts": 0.001}, "tick_size"), ({"mos": 15}, "min_size")],
)
def test_a_tick_or_size_that_differs_is_journaled_once_and_blocks_nothing(changes: dict[str, Any], name: str) -> None:
    market = told(told(a_market(1), **changes), **changes)
    assert selectors.blocked_by(market) == ""
    change = Change.objects.get()
    assert (change.action, (change.after or {})["differs"]) == ("clob_differs", [name])


@pytest.mark.parametrize(
    ("changes", "name"),
    [({"fd": FEE}, "fees"), ({"nr": True}, "neg_risk"), ({"t": [{"t": "98"}, {"t": "99"}]}, "tokens")],
)
def test_what_costs_money_blocks_until_both_say_the_same(changes: dict[str, Any], name: str) -> None:
    market = told(a_market(1, generation="v1"), **changes)
    assert selectors.to_domain(market).blocked == f"Gamma and the CLOB disagree: {name}"
    assert selectors.blocked_by(told(market)) == ""
    assert list(Change.objects.order_by("pk").values_list("action", flat=True)) == ["clob_differs", "clob_agrees"]


def test_the_neg_risk_flag_of_a_v2_market_is_not_compared() -> None:
    assert selectors.clob_differences(told(a_market(1, generation="v2", neg_risk=True))) == []


def test_fees_gamma_does_not_state_are_taken_from_the_clob() -> None:
    market = a_market(1, fees_known=False)
    assert selectors.blocked_by(market) == "fee schedule unknown"
    seen = selectors.to_domain(told(market, fd=FEE))
    assert (seen.blocked, seen.fees) == ("", FeeSchedule(rate=500, exponent=1))
    assert Change.objects.get().action == "clob_agrees"


@pytest.mark.parametrize("schedule", [None, {"r": 0.05, "e": 1, "to": False}])
def test_fees_neither_states_in_a_way_we_can_price_stay_unknown(schedule: dict[str, Any] | None) -> None:
    market = told(a_market(1, fees_known=False), fd=schedule)
    assert selectors.blocked_by(market) == "fee schedule unknown"


# Asking -----------------------------------------------------------------------------------------------------


def a_clob(answers: dict[str, dict[str, Any] | int]) -> AbstractContextManager[str]:
    """Answers by condition id, a number being a status."""

    async def handle(request: web.Request) -> web.Response:
        answer = answers.get(request.match_info["condition"], 404)
        return web.Response(status=answer) if isinstance(answer, int) else web.json_response(answer)

    @asynccontextmanager
    async def server() -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_get("/clob-markets/{condition}", handle)
        async with TestServer(app) as running:
            yield str(running.make_url("/"))

    return served(server())


def refresh_from(url: str) -> dict[str, Any]:
    changed = settings.POLYWEB.model_copy(update={"clob_url": url})
    with override_settings(POLYWEB=changed), stamina.set_testing(True, attempts=1):
        result: dict[str, Any] = refresh_clob_terms(jitter_s=0)
    return result


def test_followed_markets_are_asked_about_and_each_answer_counts() -> None:
    first, *_ = (a_market(number, watched=True) for number in range(1, 6))
    a_market(6)
    answers: dict[str, dict[str, Any] | int] = {
        f"0x{1:064x}": said(1, mos=15),
        f"0x{2:064x}": said(2),
        f"0x{3:064x}": 503,
        f"0x{4:064x}": {"mts": "what?"},
    }
    with a_clob(answers) as url:
        found = refresh_from(url)
    assert {name: found[name] for name in ("asked", "differing", "missing", "failed")} == {
        "asked": 5, "differing": 1, "missing": 1, "failed": 2
    }  # fmt: skip
    assert "HTTP 503" in found["first_error"]
    first.refresh_from_db()
    assert (first.clob_terms or {})["min_size"] == "15.000000"


def test_a_clob_that_answers_for_nobody_is_an_error_and_changes_nothing() -> None:
    market = told(a_market(1, watched=True), mos=15)
    with pytest.raises(TermsUnavailable):
        refresh_from("http://127.0.0.1:9")
    assert selectors.clob_differences(market) == ["min_size"]


def test_nobody_is_asked_when_nothing_is_followed() -> None:
    a_market(1)
    assert refresh_from("http://127.0.0.1:9")["asked"] == 0
