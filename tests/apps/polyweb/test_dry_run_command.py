"""`dry_run`: what would be sent is shown byte for byte, without a secret, and nothing is sent."""

import asyncio
import json
import time
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from execution.domain.ours import OurOrders
from execution.journal import Terms
from execution.models import MarketState, Order
from execution.relayers.base import Submission
from execution.relayers.fake import FakeRelayer
from execution.relayers.polymarket import PolymarketConfig, PolymarketRelayer
from execution.signing import sandbox_key
from execution.store import DjangoJournal
from markets.models import Market
from tests.clob_script import CREDENTIALS, Say, ScriptedClob, accepted, serving
from tests.control_builders import a_market
from tests.execution_builders import Rig, order, place, sent
from tests.execution_rows import market_row

pytestmark = pytest.mark.django_db(transaction=True)

BOOK: dict[str, Any] = {"book": {"bids": [["0.49", "100"]], "asks": [["0.51", "100"]]}, "state": "idle"}


def shown(*arguments: object) -> list[dict[str, Any]]:
    out = StringIO()
    call_command("dry_run", *map(str, arguments), "--json", stdout=out)
    document = json.loads(out.getvalue())
    assert document["sent"] is False
    requests: list[dict[str, Any]] = document["requests"]
    return requests


def carried_out(plan_id: str, *ids: int, dry_run: bool = True) -> FakeRelayer:
    """A plan through the hands: signed, journaled, and with `dry_run` not sent."""
    fake = FakeRelayer()

    async def scenario() -> None:
        journal = DjangoJournal()
        try:
            rig = Rig(fake, journal=journal, terms=Terms("fake", dry_run, 1))
            await rig.hands.carry_out(place(plan_id, *ids))
        finally:
            await journal.close()

    asyncio.run(scenario())
    return fake


def test_a_dry_run_shows_the_request_of_its_newest_plan_and_has_sent_nothing() -> None:
    market_row()
    assert sent(carried_out("plan-1", 1)) == sent(carried_out("plan-2", 2, 3)) == []
    (request,) = shown()
    assert (request["plan"], request["dry_run"], request["method"], request["path"]) == (
        "plan-2",
        True,
        "POST",
        "/orders",
    )
    assert request["url"].endswith("/orders")
    rows = list(Order.objects.filter(client_order_id__in=(2, 3)).order_by("client_order_id"))
    assert [entry["order"] for entry in request["body"]] == [json.loads(row.payload) for row in rows]
    assert [each["order_hash"] for each in request["orders"]] == [row.order_id for row in rows]
    assert all(each["hash_matches"] for each in request["orders"])


def test_what_is_shown_is_what_the_relayer_sends_but_for_the_owner() -> None:
    market_row()
    carried_out("plan-1", 1)
    (request,) = shown()
    row = Order.objects.get()

    async def posted() -> tuple[dict[str, Any], set[str]]:
        async with serving(ScriptedClob().says(Say(accepted(row.order_id)))) as clob:
            relayer = PolymarketRelayer(
                PolymarketConfig(clob.url, json.loads(row.payload)["signer"], CREDENTIALS, geoblock_url=""),
                OurOrders(), assets=list, on_outcome=print, on_alarm=print,
            )  # fmt: skip
            await relayer.submit([Submission(order(1), row.order_id, row.payload.encode())])
            await relayer.close()
            (asked,) = clob.asked
            assert (asked.method, asked.path) == (request["method"], request["path"])
            body = asked.json
            assert isinstance(body, dict)
            return body, {name.lower() for name in asked.headers}

    body, names = asyncio.run(posted())
    assert request["body"] == {**body, "owner": "***"}
    assert {name.lower() for name in request["headers"]} <= names


def test_no_secret_is_shown() -> None:
    market_row()
    carried_out("plan-1", 1)
    (request,) = shown()
    hidden = {name for name, value in request["headers"].items() if value == "***"}
    assert hidden == {"POLY_SIGNATURE", "POLY_TIMESTAMP", "POLY_API_KEY", "POLY_PASSPHRASE"}
    assert request["body"]["owner"] == "***"


def test_a_body_that_does_not_have_its_hash_is_said_and_fails() -> None:
    market_row()
    carried_out("plan-1", 1)
    Order.objects.update(order_id="0x" + "ab" * 32)
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("dry_run", stdout=out)
    assert "DOES NOT MATCH THE BODY" in out.getvalue()


def test_one_plan_and_one_market_can_be_asked_for() -> None:
    market = market_row()
    carried_out("plan-1", 1)
    carried_out("plan-2", 2)
    assert [request["plan"] for request in shown("--plan", "plan-1")] == ["plan-1"]
    assert [request["plan"] for request in shown("--market", market.condition_id)] == ["plan-2"]
    out = StringIO()
    call_command("dry_run", stdout=out)
    assert "BUY 10.000000 YES at 0.5000" in out.getvalue()
    assert out.getvalue().rstrip().endswith("Nothing was sent.")


def test_without_a_dry_run_the_newest_orders_of_any_relayer_are_shown() -> None:
    market_row()
    assert sent(carried_out("plan-1", 1, dry_run=False)) == [[1]]
    (request,) = shown()
    assert (request["dry_run"], request["relayer"], request["states"]) == (False, "fake", ["submitting"])


def a_quotable_market() -> Market:
    market = a_market(1, trading=True, generation="v1")
    MarketState.objects.create(market=market, at=timezone.now(), state="idle", trust="verified", view=BOOK)
    return market


def test_what_would_be_quoted_now_is_signed_on_the_spot_and_not_written_down() -> None:
    market = a_quotable_market()
    (request,) = shown("--wanted")
    assert request["source"] == "wanted"
    quoted = {(each["outcome"], each["side"], each["price"]) for each in request["orders"]}
    assert quoted == {("YES", "BUY", "0.4900"), ("NO", "BUY", "0.4900")}
    assert all(each["hash_matches"] and each["condition_id"] == market.condition_id for each in request["orders"])
    assert {(entry["orderType"], entry["postOnly"]) for entry in request["body"]} == {("GTD", True)}
    assert all(int(each["order"]["expiration"]) > time.time() + 60 for each in request["body"])
    assert not Order.objects.exists()


def test_a_market_without_a_book_says_so() -> None:
    market = a_quotable_market()
    MarketState.objects.update(view={})
    with pytest.raises(CommandError, match="No book with two sides"):
        shown("--wanted", "--market", market.condition_id)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "the journal holds no orders"),
        (["--plan", "none"], "the journal holds no plan none"),
        (["--wanted"], "no engine has shown a book"),
        (["--wanted", "--plan", "p"], "give one of them"),
        (["--limit", "0"], "--limit: 0"),
        (["--market", "nowhere"], "nowhere"),
    ],
)
def test_nothing_to_show_is_a_clear_error(arguments: list[str], says: str) -> None:
    with pytest.raises(CommandError, match=says):
        shown(*arguments)


def test_the_real_relayers_wallet_and_type_stand_in_what_would_be_quoted(settings: Any) -> None:
    a_quotable_market()
    wallet = "0x" + "3C" * 20
    changes = {"relayer": "real", "clob_url": "http://127.0.0.1:1", "funder": wallet, "signature_type": "poly-proxy"}
    settings.POLYWEB = settings.POLYWEB.model_copy(update=changes)
    (request,) = shown("--wanted")
    orders = [entry["order"] for entry in request["body"]]
    assert {(each["maker"].lower(), each["signatureType"]) for each in orders} == {(wallet.lower(), 1)}
    assert {each["signer"] for each in orders} == {sandbox_key().address}
    assert all(each["hash_matches"] for each in request["orders"])


def test_without_a_keystore_nothing_is_signed_for_the_real_venue(settings: Any) -> None:
    a_quotable_market()
    settings.POLYWEB = settings.POLYWEB.model_copy(update={"relayer": "real"})
    with pytest.raises(CommandError, match="POLYWEB_KEYSTORE"):
        shown("--wanted")
