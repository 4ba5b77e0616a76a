"""Every live fault does what it says, is counted, and nothing goes wrong unasked."""

import argparse
import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from execution.management.commands.sandbox import fault_script
from execution.sandbox.mischief import Fault, Mischief, Rule, read_rule
from execution.sandbox.post import Post
from execution.sandbox.venue import News
from execution.sandbox.wire import Frame
from tests.sandbox_builders import SHARE, Exchange, Trader
from tests.sandbox_sockets import a_user, a_venue, counted, faults, heard, opening, placed, ponged


def asked(exchange: Exchange, **rule: Any) -> None:
    exchange.mischief.add(read_rule(rule), exchange.now_ms)


def injected(exchange: Exchange) -> dict[str, int]:
    counts: Any = exchange.mischief.document["injected"]
    return {kind: number for kind, number in counts.items() if number}


def live(trader: Trader) -> int:
    page: Any = trader.call("GET", "/data/orders").document
    return int(page["count"])


def test_nothing_goes_wrong_unasked() -> None:
    exchange = Exchange()
    alice = exchange.trader()
    alice.placed("BUY", "0.1", "10")
    exchange.pass_time(60)
    assert injected(exchange) == {}


def test_a_dropped_answer_hides_an_order_that_was_accepted() -> None:
    exchange = Exchange()
    alice = exchange.trader()
    asked(exchange, kind="drop_answer", count=1, on="POST /order")
    reply = alice.order("BUY", "0.1", "10")
    assert (reply.dropped, live(alice)) == (True, 1)
    assert not alice.order("BUY", "0.1", "10").dropped
    assert injected(exchange) == {"drop_answer": 1}


def test_an_answer_may_come_late_or_be_an_error_though_all_was_done() -> None:
    exchange = Exchange()
    alice = exchange.trader()
    asked(exchange, kind="delay_answer", count=1, seconds=2.5)
    assert alice.order("BUY", "0.1", "10").delay_s == 2.5
    asked(exchange, kind="error_after", count=1)
    reply = alice.order("BUY", "0.1", "10")
    assert (reply.status, reply.document) == (500, {"error": "Internal server error"})
    assert live(alice) == 2
    assert injected(exchange) == {"delay_answer": 1, "error_after": 1}


@pytest.mark.parametrize(
    ("kind", "status", "text"), [("timed_out", 500, "order timed out"), ("too_many", 429, "Too Many Requests")]
)
def test_some_refusals_come_before_the_book(kind: str, status: int, text: str) -> None:
    exchange = Exchange()
    alice = exchange.trader()
    asked(exchange, kind=kind, count=1)
    assert alice.refused("BUY", "0.1", "10") == (status, text)
    assert live(alice) == 0
    assert injected(exchange) == {kind: 1}


def test_a_rule_may_name_its_request_and_others_are_left_alone() -> None:
    exchange = Exchange()
    alice = exchange.trader()
    asked(exchange, kind="too_many", on="GET /data/order")
    placed = alice.placed("BUY", "0.1", "10")
    assert alice.call("GET", f"/data/order/{placed['orderID']}").status == 429
    assert alice.call("GET", "/data/orders").status == 200


def test_a_batch_may_be_taken_in_part() -> None:
    exchange = Exchange()
    alice = exchange.trader()
    asked(exchange, kind="partial_batch", count=2)
    answers: Any = alice.call("POST", "/orders", [alice.payload("BUY", "0.1", "10") for _ in range(5)]).document
    assert [answer["success"] for answer in answers] == [False, False, True, True, True]
    assert answers[0]["errorMsg"] == "the market is not yet ready to process new orders"
    assert live(alice) == 3


def bought(exchange: Exchange, trader: Trader) -> dict[str, Any]:
    token = exchange.generator.asset_ids[0]
    book: Any = exchange.ask("GET", "/book", token_id=token).document
    return trader.placed("BUY", book["asks"][-1]["price"], "10")


def statuses(exchange: Exchange, trader: Trader) -> list[str]:
    return [event["status"] for event in exchange.heard(trader.address) if event["event_type"] == "trade"]


def test_a_failed_settlement_moves_nothing_and_gives_back_what_it_held() -> None:
    exchange = Exchange()
    alice = exchange.trader()
    asked(exchange, kind="fail_settlement", count=1)
    bought(exchange, alice)
    assert alice.free() < alice.owned()
    exchange.pass_time(10)
    assert statuses(exchange, alice) == ["MATCHED", "FAILED"]
    assert alice.free() == alice.owned() == 1_000 * SHARE
    assert alice.owned(exchange.generator.asset_ids[0]) == 100 * SHARE


def test_a_settlement_may_need_a_second_try() -> None:
    exchange = Exchange()
    alice = exchange.trader()
    asked(exchange, kind="retry_settlement", count=1)
    bought(exchange, alice)
    exchange.pass_time(10)
    assert statuses(exchange, alice) == ["MATCHED", "RETRYING", "MINED", "CONFIRMED"]
    assert alice.owned(exchange.generator.asset_ids[0]) == 110 * SHARE


def a_post(**rule: Any) -> Post:
    mischief = Mischief(7)
    mischief.add(read_rule(rule), 0)
    return Post(mischief)


def news(*numbers: int) -> list[News]:
    return [News("alice", {"number": number}) for number in numbers]


def numbers(out: list[News]) -> list[object]:
    return [item.document["number"] for item in out]


def test_events_may_come_twice_or_not_at_all() -> None:
    assert numbers(a_post(kind="duplicate_event", count=1).events(news(1, 2), 0)) == [1, 1, 2]
    assert numbers(a_post(kind="lose_event", count=1).events(news(1, 2), 0)) == [2]


def test_an_event_may_come_after_the_next_one_but_comes() -> None:
    post = a_post(kind="reorder_event", count=1)
    assert numbers(post.events(news(1), 0)) == []
    assert numbers(post.events(news(2, 3), 10)) == [2, 1, 3]
    alone = a_post(kind="reorder_event", count=1)
    assert numbers(alone.events(news(1), 0)) == []
    assert numbers(alone.events([], 1_000)) == [1]


def test_an_event_may_come_late() -> None:
    post = a_post(kind="delay_event", count=1, seconds=2)
    assert numbers(post.events(news(1, 2), 0)) == [2]
    assert numbers(post.events([], 1_999)) == []
    assert numbers(post.events([], 2_000)) == [1]


CHANGE = (
    '{"market":"0x1","price_changes":[{"asset_id":"1","side":"BUY"},{"asset_id":"2","side":"SELL"}],'
    '"timestamp":"1","event_type":"price_change"}'
)


def test_frames_may_be_lost_or_name_the_wrong_side() -> None:
    change, book = Frame(("1",), CHANGE), Frame(("1",), '{"event_type":"book"}')
    assert a_post(kind="lose_frame", count=1).frames([change, book]) == [book]
    swapped = a_post(kind="wrong_side", count=1).frames([book, change, change])
    assert swapped[0] is book
    assert [entry["side"] for entry in json.loads(swapped[1].text)["price_changes"]] == ["SELL", "BUY"]
    assert swapped[2] is change


def test_the_dice_are_seeded_and_follow_the_probability() -> None:
    def rolls(seed: int) -> list[bool]:
        mischief = Mischief(seed)
        mischief.add(Rule(Fault.DROP_ANSWER, probability=0.1), 0)
        return [mischief.strikes(Fault.DROP_ANSWER) is not None for _ in range(2_000)]

    assert rolls(1) == rolls(1) != rolls(2)
    assert 140 < sum(rolls(1)) < 260


# -- over real sockets ---------------------------------------------------------------------------------------------


async def test_a_dropped_answer_is_a_broken_connection_and_a_known_order() -> None:
    async with a_venue() as (sandbox, _, http):
        key = await a_user(http)
        await faults(http, {"kind": "drop_answer", "count": 1})
        with pytest.raises(aiohttp.ClientError):
            await placed(http, sandbox, key, "BUY", "0.1", "10")
        assert len(sandbox.venue.live_orders(key.address)) == 1
        assert await counted(http) == {"drop_answer": 1}
        assert (await placed(http, sandbox, key, "BUY", "0.1", "10"))["status"] == "live"


async def test_a_late_answer_comes_late() -> None:
    async with a_venue() as (sandbox, _, http):
        key = await a_user(http)
        await faults(http, {"kind": "delay_answer", "count": 1, "seconds": 0.3})
        begun = asyncio.get_running_loop().time()
        await placed(http, sandbox, key, "BUY", "0.1", "10")
        assert asyncio.get_running_loop().time() - begun >= 0.3


async def test_a_frozen_socket_answers_pings_and_tells_nothing() -> None:
    async with a_venue() as (sandbox, running, http), connect(running.user_ws, ping_interval=None) as client:
        key = await a_user(http)
        await client.send(opening(key))
        await ponged(client)
        await faults(http, {"kind": "freeze", "channel": "user", "seconds": 0.4})
        await placed(http, sandbox, key, "BUY", "0.1", "10")
        await ponged(client)
        await asyncio.sleep(0.45)
        await placed(http, sandbox, key, "BUY", "0.1", "11")
        assert (await heard(client))["original_size"] == "11"
        assert await counted(http) == {"freeze": 1}


async def test_a_frozen_market_channel_answers_no_subscription_and_freezes_who_comes_meanwhile() -> None:
    async with a_venue() as (sandbox, running, http), connect(running.ws, ping_interval=None) as first:
        greeting = json.dumps({"type": "market", "assets_ids": [sandbox.generator.markets[0].asset_ids[0]]})
        await first.send(json.dumps({"type": "market", "assets_ids": []}))
        await heard(first)
        await faults(http, {"kind": "freeze", "channel": "market", "seconds": 0.5})
        await first.send(greeting.replace('"type"', '"operation":"subscribe","type"'))
        async with connect(running.ws, ping_interval=None) as second:
            await second.send(greeting)
            for client in (first, second):
                await client.send("PING")
                assert await asyncio.wait_for(client.recv(), 5) == "PONG"
            await asyncio.sleep(0.55)
        async with connect(running.ws, ping_interval=None) as third:
            await third.send(greeting)
            assert str(await asyncio.wait_for(third.recv(), 5)).startswith("[{")


async def test_a_disconnect_cuts_the_asked_channel_only() -> None:
    async with (
        a_venue() as (_, running, http),
        connect(running.user_ws, ping_interval=None) as user,
        connect(running.ws, ping_interval=None) as market,
    ):
        await market.send(json.dumps({"type": "market", "assets_ids": []}))
        await heard(market)
        await faults(http, {"kind": "disconnect", "channel": "user"})
        with pytest.raises(ConnectionClosed):
            await heard(user)
        await ponged(market)


async def test_a_slow_reader_answers_pings_late() -> None:
    async with a_venue() as (_, running, http), connect(running.ws, ping_interval=None) as client:
        await client.send(json.dumps({"type": "market", "assets_ids": []}))
        await heard(client)
        await faults(http, {"kind": "slow_reads", "channel": "market", "seconds": 0.3})
        begun = asyncio.get_running_loop().time()
        await ponged(client)
        assert asyncio.get_running_loop().time() - begun >= 0.25


async def test_ticks_change_on_request_and_only_what_happened_is_counted() -> None:
    async with a_venue() as (sandbox, running, http), connect(running.ws, ping_interval=None) as client:
        market = sandbox.generator.markets[0]
        await client.send(json.dumps({"type": "market", "assets_ids": [market.asset_ids[0]]}))
        await heard(client)
        await faults(http, {"kind": "tick_change", "target": market.condition_id})
        frame = await heard(client)
        assert (frame["event_type"], frame["new_tick_size"]) == ("tick_size_change", "0.001")
        await faults(http, {"kind": "tick_change", "target": market.condition_id})
        assert await counted(http) == {"tick_change": 1}


async def test_restarts_modes_and_bans_are_asked_for_like_every_fault() -> None:
    async with a_venue() as (sandbox, _, http):
        key = await a_user(http)
        await faults(http, {"kind": "restart", "seconds": 60, "post_only_seconds": 60})
        assert (await placed(http, sandbox, key, "BUY", "0.1", "10"))["error"] == "service not ready"
        await faults(http, {"kind": "mode", "mode": "cancel_only", "seconds": 60})
        assert "cancel-only" in (await placed(http, sandbox, key, "BUY", "0.1", "10"))["error"]
        await faults(http, {"kind": "mode", "mode": "open"}, {"kind": "close_only", "target": key.address})
        assert "closed only" in (await placed(http, sandbox, key, "BUY", "0.1", "10"))["error"]
        await faults(http, {"kind": "ban", "target": key.address})
        assert "banned" in (await placed(http, sandbox, key, "BUY", "0.1", "10"))["error"]
        assert await counted(http) == {"restart": 1, "mode": 2, "close_only": 1, "ban": 1}


async def test_rules_can_wait_for_their_time_and_be_taken_back() -> None:
    async with a_venue() as (_, _, http):
        shown = await faults(
            http, {"kind": "mode", "mode": "disabled", "at_seconds": 60}, {"kind": "drop_answer", "probability": 0.1}
        )
        assert [rule["kind"] for rule in shown["rules"]] == ["drop_answer", "mode"]
        async with http.delete("/sandbox/faults") as reply:
            assert (await reply.json())["rules"] == []


async def test_a_rule_that_cannot_be_meant_is_refused_with_the_reason() -> None:
    async with a_venue() as (_, _, http):
        for body, reason in (('{"kind":"mode","mode":"x"}', "mode is one of"), ("{", "Expecting"), ("5", "object")):
            async with http.post("/sandbox/faults", data=body) as reply:
                assert reply.status == 400
                assert reason in (await reply.json())["error"]


async def test_a_script_of_faults_is_read_at_start() -> None:
    rules = (read_rule({"kind": "mode", "mode": "disabled", "seconds": 60}),)
    async with a_venue(faults=rules) as (sandbox, _, http):
        answer = await placed(http, sandbox, await a_user(http), "BUY", "0.1", "10")
        assert "disabled" in answer["error"]


def test_the_command_reads_a_script_and_refuses_a_bad_one(tmp_path: Path) -> None:
    script = tmp_path / "faults.json"
    script.write_text('[{"kind":"drop_answer","probability":0.1}]')
    assert [rule.fault for rule in fault_script(str(script))] == [Fault.DROP_ANSWER]
    script.write_text("- {kind: drop_answer, on: POST /order}\n- kind: disconnect\n  at_seconds: 30\n")
    assert [rule.fault for rule in fault_script(str(script))] == [Fault.DROP_ANSWER, Fault.DISCONNECT]
    for bad in ('[{"kind":"x"}]', "5", "{", "kind: disconnect"):
        script.write_text(bad)
        with pytest.raises(argparse.ArgumentTypeError, match=r"faults\.json"):
            fault_script(str(script))
    with pytest.raises(argparse.ArgumentTypeError, match="none"):
        fault_script(str(tmp_path / "none.json"))
