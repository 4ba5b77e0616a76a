"""The user channel over real sockets, and users' orders in the market channel."""

import json
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.sandbox_sockets import a_user, a_venue, heard, opening, placed, ponged


async def test_the_user_channel_tells_placements_fills_and_settlement() -> None:
    async with a_venue() as (sandbox, running, http), connect(running.user_ws, ping_interval=None) as client:
        key = await a_user(http)
        await client.send(opening(key))
        await ponged(client)
        ask = sandbox.generator.rest_book(sandbox.generator.asset_ids[0])
        assert ask is not None
        asks: Any = ask["asks"]
        answer = await placed(http, sandbox, key, "BUY", asks[-1]["price"], "10")
        events = [await heard(client) for _ in range(4)]
    assert [(event["event_type"], event["status"]) for event in events] == [
        ("order", "MATCHED"), ("trade", "MATCHED"), ("trade", "MINED"), ("trade", "CONFIRMED"),
    ]  # fmt: skip
    assert [event["id"] for event in events] == [answer["orderID"], *answer["tradeIDs"] * 3]
    assert [bool(event["transaction_hash"]) for event in events[1:]] == [False, True, True]
    assert events[1]["trade_owner"] == key.key


async def test_nothing_is_told_again_after_a_reconnect_and_markets_can_be_chosen() -> None:
    async with a_venue() as (sandbox, running, http):
        key = await a_user(http)
        await placed(http, sandbox, key, "BUY", "0.1", "10")
        other = sandbox.generator.markets[1].condition_id
        async with connect(running.user_ws, ping_interval=None) as client:
            await client.send(opening(key, markets=[other]))
            await ponged(client)
            await placed(http, sandbox, key, "BUY", "0.1", "10")
            await ponged(client)
            mine = sandbox.generator.markets[0].condition_id
            await client.send(json.dumps({"operation": "subscribe", "markets": [mine]}))
            await ponged(client)
            await placed(http, sandbox, key, "BUY", "0.1", "11")
            assert (await heard(client))["original_size"] == "11"
            await client.send(json.dumps({"operation": "unsubscribe", "markets": [mine]}))
            await ponged(client)
            await placed(http, sandbox, key, "BUY", "0.1", "12")
            await ponged(client)


@pytest.mark.parametrize("first", ["PING", "{", "[]", '{"type":"market"}', '{"type":"user","auth":{"apiKey":"x"}}'])
async def test_a_user_channel_without_credentials_is_closed(first: str) -> None:
    async with a_venue() as (_, running, _), connect(running.user_ws, ping_interval=None) as client:
        await client.send(first)
        with pytest.raises(ConnectionClosed) as closed:
            await heard(client)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


async def test_users_orders_are_in_the_market_channel_with_true_hashes() -> None:
    async with a_venue() as (sandbox, running, http), connect(running.ws, ping_interval=None) as client:
        token = sandbox.generator.asset_ids[0]
        await client.send(json.dumps({"type": "market", "assets_ids": [token]}))
        await heard(client)
        await placed(http, sandbox, await a_user(http), "BUY", "0.11", "10")
        change = await heard(client)
        entry = next(entry for entry in change["price_changes"] if entry["asset_id"] == token)
        async with http.get("/book", params={"token_id": token}) as reply:
            book = await reply.json()
    assert (entry["price"], entry["size"], entry["side"], entry["hash"]) == ("0.11", "10", "BUY", book["hash"])
