"""With the engine dead: the command and the watchdog cancel at the sandbox, prove it, and say so."""

import asyncio
import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from execution.models import ExecAudit, Plan
from execution.services import Beat, beat
from execution.signing import sandbox_key
from markets.models import Event, Market, Outcome
from polyweb.env import Env, Profile, read_env
from polyweb.operations import takedown, watchdog
from risk.models import Breaker, Incident, Stop
from tests.clob_script import CONDITION, Asked, Say, ScriptedClob, order_id, serving
from tests.execution_rows import order_row

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
YES, NO = "1" * 77, "2" * 77
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class Venue(ScriptedClob):
    """A CLOB with some open orders of ours, which takes what it is asked to."""

    def __init__(self, resting: dict[str, str]) -> None:
        super().__init__()
        self.resting = dict(resting)
        self.deaf = False
        keys = Say({"apiKey": "11111111-2222-4333-8444-555555555555", "secret": "MDEyMw==", "passphrase": "p"})
        self.routes = {
            "GET /auth/derive-api-key": lambda _: keys,
            "GET /data/orders": lambda _: self._listed(),
            "DELETE /cancel-all": lambda _: self._cancel(list(self.resting)),
            "DELETE /orders": lambda asked: self._cancel(_ids(asked)),
        }

    def _listed(self) -> Say:
        orders = [
            {
                "id": number, "status": "LIVE", "market": CONDITION, "asset_id": asset, "side": "BUY", "price": "0.5",
                "original_size": "10", "size_matched": "0", "order_type": "GTC",
            }
            for number, asset in self.resting.items()
        ]  # fmt: skip
        return Say({"data": orders, "next_cursor": "LTE=", "limit": 100, "count": len(orders)})

    def _cancel(self, ids: list[str]) -> Say:
        if self.deaf:
            return Say({"error": "down"}, 503)
        gone = [each for each in ids if self.resting.pop(each, None)]
        return Say({"canceled": gone, "not_canceled": {}})


def _ids(asked: Asked) -> list[str]:
    assert isinstance(asked.json, list)
    return [str(each) for each in asked.json]


@contextmanager
def at(venue: Venue) -> Iterator[str]:
    """The venue in a loop of its own: the command under test brings another."""
    loop, ready, over = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with serving(venue):
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(10)
    try:
        yield venue.url
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(10)
        loop.close()


def an_env(url: str, **changes: Any) -> Env:
    base = read_env(Profile.TEST).env
    return base.model_copy(update={"relayer": "real", "dry_run": False, "clob_url": url} | changes)


def stopped(*words: str) -> Any:
    out = io.StringIO()
    call_command("stop", *words, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_stop_cancels_at_the_venue_without_an_engine_and_keeps_the_audit(settings: Any) -> None:
    with at(Venue({order_id(1): YES, order_id(2): NO})) as url:
        settings.POLYWEB = an_env(url)
        venue = stopped("--level", "cancel")["venue"]
    assert (venue["cancelled"], venue["left"], venue["error"]) == (2, 0, "")
    audit = ExecAudit.objects.get()
    assert (audit.action, audit.orders, audit.reason) == ("takedown", 2, f"stop {Stop.objects.get().pk}")


def test_a_stop_of_one_market_cancels_its_two_tokens_only(settings: Any) -> None:
    event = Event.objects.create(gamma_id="1", title="Event")
    market = Market.objects.create(condition_id=CONDITION, event=event, question="?", slug="q", accepting_orders=True)
    Outcome.objects.create(market=market, index=0, name="Yes", asset_id=YES)
    elsewhere = Venue({order_id(1): YES, order_id(2): NO})
    with at(elsewhere) as url:
        settings.POLYWEB = an_env(url)
        assert stopped("--market", CONDITION)["venue"]["cancelled"] == 1
    assert list(elsewhere.resting) == [order_id(2)]


def test_a_stop_of_one_event_cancels_the_tokens_of_its_markets_only(settings: Any) -> None:
    for number, asset in ((1, YES), (2, NO)):
        event = Event.objects.create(gamma_id=str(number), title="Event")
        market = Market.objects.create(condition_id=f"0x{number}", event=event, question="?", accepting_orders=True)
        Outcome.objects.create(market=market, index=0, name="Yes", asset_id=asset)
    elsewhere = Venue({order_id(1): YES, order_id(2): NO})
    with at(elsewhere) as url:
        settings.POLYWEB = an_env(url)
        assert stopped("--event", "2")["venue"]["cancelled"] == 1
    assert list(elsewhere.resting) == [order_id(1)]


def test_a_stop_of_one_strategy_cancels_what_the_journal_knows_as_its_orders_only(settings: Any) -> None:
    market = Market.objects.create(condition_id=CONDITION, question="?", accepting_orders=True)
    order_row(market, 1, order_id=order_id(1))
    basket = order_row(market, 2, order_id=order_id(2))
    Plan.objects.filter(pk=basket.plan_id).update(strategy="dutch_book")
    elsewhere = Venue({order_id(1): YES, order_id(2): NO})
    with at(elsewhere) as url:
        settings.POLYWEB = an_env(url)
        assert stopped("--strategy", "dutch_book")["venue"]["cancelled"] == 1
    assert list(elsewhere.resting) == [order_id(1)]


@pytest.mark.parametrize(
    ("wallet", "left"), [(sandbox_key().address.upper().replace("0X", "0x"), 0), ("0x" + "ab" * 20, 1)]
)
def test_a_stop_of_a_wallet_cancels_the_orders_of_that_wallet_and_of_no_other(
    settings: Any, wallet: str, left: int
) -> None:
    elsewhere = Venue({order_id(1): YES})
    with at(elsewhere) as url:
        settings.POLYWEB = an_env(url)
        told = stopped("--wallet", wallet)["venue"]
    assert (told["cancelled"], told["left"], len(elsewhere.resting)) == (1 - left, 0, left)


@pytest.mark.parametrize("level", ["pause", "reduce"])
def test_a_weaker_stop_asks_the_venue_nothing(settings: Any, level: str) -> None:
    settings.POLYWEB = an_env("http://127.0.0.1:9")
    assert stopped("--level", level)["venue"] is None


def test_paper_has_nothing_to_cancel_outside_the_engine(settings: Any) -> None:
    settings.POLYWEB = an_env("http://127.0.0.1:9", relayer="paper")
    assert stopped()["venue"] is None


def test_a_venue_that_does_not_cancel_is_an_error_and_the_stop_still_holds(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(takedown, "WITHIN_S", 0.2)
    venue = Venue({order_id(1): YES})
    venue.deaf = True
    with at(venue) as url:
        settings.POLYWEB = an_env(url)
        with pytest.raises(CommandError, match="the stop holds, but 1 orders still rest: HTTP 503: down"):
            stopped()
    assert Stop.objects.filter(released_at=None).count() == 1


def heartbeat(age_s: float) -> None:
    status = Beat(1, "running", "real", False, NOW - timedelta(hours=1), 0, {})
    beat(status, now=NOW - timedelta(seconds=age_s))


def looked(env: Env) -> str:
    return watchdog.look(silent_after=timedelta(seconds=15), env=env, now=NOW).state


def test_the_watchdog_takes_down_what_a_silent_engine_left_and_says_it_once() -> None:
    heartbeat(16)
    with at(Venue({order_id(1): YES, order_id(2): NO})) as url:
        assert [looked(an_env(url)), looked(an_env(url))] == ["silent", "silent"]
    assert Breaker.objects.get().state == "open"
    incident = Incident.objects.get(closed_at=None)
    assert "2 orders were cancelled at the venue, none rests." in incident.text
    assert ExecAudit.objects.count() == 1


def test_the_watchdog_tries_again_until_the_venue_has_proved_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "TAKEDOWN_S", 0.2)
    heartbeat(16)
    venue = Venue({order_id(1): YES})
    venue.deaf = True
    with at(venue) as url:
        looked(an_env(url))
        assert "cancelling failed and is tried again: HTTP 503: down" in Incident.objects.get().text
        venue.deaf = False
        looked(an_env(url))
    assert venue.resting == {}
    assert "none rests" in Incident.objects.get().text


def test_a_living_engine_is_left_to_cancel_for_itself() -> None:
    heartbeat(1)
    assert looked(an_env("http://127.0.0.1:9")) == "alive"
    assert not ExecAudit.objects.exists()


@pytest.mark.parametrize("command", ["reconcile", "allowances"])
def test_commands_ask_the_venue_the_running_engine_trades_at(settings: Any, command: str) -> None:
    venue = Venue({})
    with at(venue) as url:
        settings.POLYWEB = an_env("http://127.0.0.1:9")
        beat(Beat(1, "running", "real", False, NOW, 0, {"mode": {"clob": url}}), now=NOW)
        with suppress(SystemExit):  # the scripted venue tells only of orders: it counts as unread
            call_command(command, stdout=io.StringIO())
        assert venue.asked


def test_the_address_a_demo_trades_at_is_believed_only_on_this_machine() -> None:
    for told, used in (("http://127.0.0.1:4711", "http://127.0.0.1:4711"), ("https://evil.example", "http://x")):
        summary = {"mode": {"clob": told}}
        beat(Beat(1, "running", "real", False, NOW, 0, summary), now=NOW)
        assert takedown.of_running_engine(an_env("http://x")).clob_url == used
