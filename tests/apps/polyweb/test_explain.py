"""`explain MARKET` by command, API and page."""

import json
from dataclasses import replace
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from execution.domain.commands import Strategy
from execution.models import MarketState, Plan
from markets.domain.market import Market as Tradable
from markets.models import Market
from polyweb.runtime import views
from risk.domain.limits import Limits
from risk.services import RefusalRow, record_refusals
from strategies.store import record_baskets
from tests.basket_builders import CHEAP, WIDE, Floor
from tests.builders import PUSD, Stage, a_set, book
from tests.control_builders import a_caller, a_market, an_administrator, an_event
from tests.execution_rows import order_row

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def explained() -> Market:
    """A market of which the engine has said something."""
    stage = Stage().quoting()
    view = views.market_view(stage.trader, stage.market, stage.now)
    row = a_market(trading=True)
    MarketState.objects.create(market=row, at=timezone.now(), state="quoting", trust="verified", view=view)
    return row


def output(*arguments: str) -> str:
    out = StringIO()
    call_command("explain", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_tells_people_the_steps_and_scripts_everything() -> None:
    market = explained()
    text = output(market.condition_id)
    assert "quoted, 2 orders resting around 0.5" in text
    assert "half spread" in text
    found = json.loads(output(market.condition_id, "--json"))
    assert (found["verdict"], len(found["wanted"]), found["trust"]) == ("approved", 2, "verified")


def test_the_api_answers_the_same() -> None:
    market = explained()
    caller = a_caller("execution.view_marketstate")
    body = caller.get(f"/api/v1/explain/{market.condition_id}/").json()
    assert (body["verdict"], body["inputs"]["net"]) == ("approved", "0")


def refused() -> Market:
    """The same market, of which a cap then refused quotes."""
    market, stage = explained(), Stage(limits=Limits(total_loss=PUSD))
    stage.turn(book(stage.market, stage.now))
    (said,) = stage.refusals()
    codes, now = ",".join(said.codes), timezone.now()
    record_refusals([RefusalRow(market.condition_id, "spread", codes, said.detail, now, said.count, said.trace)])
    return market


def test_a_refusal_is_told_with_what_was_seen_and_every_step() -> None:
    market = refused()
    text = output(market.condition_id)
    assert "refused 1x by spread [total_cap]" in text
    assert "saw    bid 49.00 x 100, ask 51.00 x 100" in text
    assert "steps  mid 50.00 -> 50.00, half spread 1.00 -> 1.00, bid grid 49.00 -> 49.00" in text
    page = an_administrator().get(f"/markets/{market.condition_id}/").content.decode()
    assert "Saw, in cents and shares: bid 49.00 x 100, ask 51.00 x 100." in page
    body = a_caller("execution.view_marketstate").get(f"/api/v1/explain/{market.condition_id}/").json()
    assert json.loads(body["refusals"][0]["trace"])["verdict"] == "refused"


def test_a_market_nobody_looked_at_cannot_be_explained() -> None:
    market = a_market()
    with pytest.raises(CommandError, match="it is not followed"):
        output(market.condition_id)
    said = a_caller("execution.view_marketstate").get(f"/api/v1/explain/{market.condition_id}/")
    assert said.status_code == 404
    with pytest.raises(CommandError, match="0xno"):
        output("0xno")


def test_the_page_shows_verdict_and_inputs() -> None:
    market = explained()
    page = an_administrator().get(f"/markets/{market.condition_id}/").content.decode()
    assert 'data-f="why.verdict" data-fmt="text" data-empty="not looked at">approved<' in page
    assert "half spread" in page


def a_refused_basket() -> Market:
    """The market as the second leg of a basket that the gate refused, and of one that was begun."""
    market = explained()
    other = a_market(0, event=an_event(1, gamma_id="set"))
    Market.objects.filter(pk=market.pk).update(event=other.event)
    floor = Floor(*a_pair(other, market), limits=replace(WIDE, orders_per_second=1))
    floor.hear(*(book(each, floor.now, *CHEAP) for each in floor.markets))
    floor.decide()
    said = next(each for each in floor.refusals() if each.strategy is Strategy.DUTCH_BOOK)
    row = RefusalRow(
        other.condition_id, "dutch_book", ",".join(said.codes), said.detail, timezone.now(), said.count, said.trace
    )
    record_refusals([row])
    begun = Floor(*a_pair(other, market))
    begun.open()
    record_baskets(begun.moved)
    return Market.objects.get(pk=market.pk)


def a_pair(*rows: Market) -> tuple[Tradable, ...]:
    """The set of two as the trader knows it, under the names of these rows."""
    return tuple(replace(each, condition_id=row.condition_id) for each, row in zip(a_set(), rows, strict=True))


def test_a_refused_basket_is_told_leg_by_leg_for_every_market_of_its_event() -> None:
    market = a_refused_basket()
    text = output(market.condition_id)
    assert "refused 1x by dutch_book [order_rate]" in text
    assert "saw    route buy every YES, hold to resolution, YES of Will it be 0? 47.00 x 100" in text
    assert "steps  100 sets become -> +100.00, BUY 100 YES of Will it be 0? at 47.00 +100.00 -> +53.00" in text
    assert "(buy every YES, hold to resolution) legs sent" in text
    found = a_caller("execution.view_marketstate").get(f"/api/v1/explain/{market.condition_id}/").json()
    assert json.loads(found["refusals"][0]["trace"])["codes"] == ["order_rate"]
    assert json.loads(found["baskets"][0]["trace"])["verdict"] == "approved"


def test_the_arbitrage_page_and_its_api_show_the_same_legs() -> None:
    a_refused_basket()
    page = an_administrator().get("/arbitrage/").content.decode()
    assert page.count("BUY 100 YES of Will it be 0? at 47.00") == 2
    assert "Saw, in cents and shares: route buy every YES, hold to resolution, YES of Will it be 0? 47.00 x 100" in page
    (basket,) = a_caller("strategies.view_arbbasket").get("/api/v1/arb/baskets/").json()["results"]
    legs = json.loads(basket["steps"][0]["trace"])["legs"]
    assert [(leg["price"], leg["edge"]) for leg in legs] == [(4700, 53_000_000), (4700, 6_000_000)]


def test_the_order_of_a_basket_shows_why_it_was_placed_leg_by_leg() -> None:
    market = a_refused_basket()
    begun = Floor(*a_pair(Market.objects.get(question="Will it be 0?"), market))
    place = begun.open()
    Plan.objects.create(plan_id=place.plan_id, strategy="dutch_book", trace=place.trace, decided_at=timezone.now())
    order = order_row(market, 5, plan_id=place.plan_id)
    page = an_administrator().get(f"/orders/{order.order_id}/").content.decode()
    assert "Decision: approved" in page
    assert "BUY 100 YES of Will it be 0? at 47.00" in page
