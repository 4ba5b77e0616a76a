"""The sandbox over real sockets, spoken to with a WebSocket and an HTTP client of the usual libraries."""

import asyncio
import contextlib
import dataclasses
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from polymarket import AsyncPublicClient
from polymarket._internal.environment import PRODUCTION_CONFIG, create_environment
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from execution.sandbox.server import Running, Sandbox, SandboxConfig, serving

ROOT = Path(__file__).parent.parent.parent
PATIENCE_S = 5.0


@asynccontextmanager
async def a_sandbox(**changes: Any) -> AsyncIterator[tuple[Sandbox, Running]]:
    sandbox = Sandbox(SandboxConfig(**({"markets": 4, "pace": 20.0} | changes)))
    async with serving(sandbox) as running:
        yield sandbox, running


@asynccontextmanager
async def a_client(running: Running) -> AsyncIterator[ClientConnection]:
    async with connect(running.ws, ping_interval=None) as client:
        yield client


async def heard(client: ClientConnection) -> str:
    text = await asyncio.wait_for(client.recv(), PATIENCE_S)
    assert isinstance(text, str)
    return text


def opening(asset_ids: list[str], **changes: Any) -> str:
    return json.dumps({"type": "market", "assets_ids": asset_ids} | changes)


async def close_code(client: ClientConnection) -> tuple[int | None, str | None]:
    with contextlib.suppress(ConnectionClosed):
        while True:
            await heard(client)
    return client.close_code, client.close_reason


async def test_the_first_frame_is_one_array_of_the_subscribed_books() -> None:
    async with a_sandbox() as (sandbox, running), a_client(running) as client:
        wanted = sandbox.generator.asset_ids[:3]
        await client.send(opening([*wanted, "12345"]))
        text = await heard(client)
        books = json.loads(text)
        assert [book["asset_id"] for book in books] == wanted
        assert list(books[0]) == [
            "market", "asset_id", "timestamp", "hash", "bids", "asks", "tick_size",
            "event_type", "last_trade_price",
        ]  # fmt: skip
        assert text.endswith("]\n")
        assert ": " not in text


async def test_a_ping_is_answered_with_pong() -> None:
    async with a_sandbox(pace=0.001) as (_, running), a_client(running) as client:
        await client.send(opening([]))
        assert json.loads(await heard(client)) == []
        await client.send("PING")
        assert await heard(client) == "PONG"


@pytest.mark.parametrize("first", ["PING", "nonsense", "[]", '{"type":"user"}', '{"type":"market","assets_ids":[1]}'])
async def test_anything_before_a_subscription_closes_with_1008(first: str) -> None:
    async with a_sandbox() as (_, running), a_client(running) as client:
        await client.send(first)
        assert await close_code(client) == (1008, "invalid subscription payload")


async def test_only_frames_of_subscribed_tokens_arrive_and_changes_carry_both() -> None:
    async with a_sandbox() as (sandbox, running), a_client(running) as client:
        market = sandbox.generator.markets[1]
        yes = market.asset_ids[0]
        await client.send(opening([yes]))
        await heard(client)
        kinds = set()
        for _ in range(60):
            frame = json.loads(await heard(client))
            kinds.add(frame["event_type"])
            assert frame["market"] == market.condition_id
            if frame["event_type"] == "price_change":
                assert {entry["asset_id"] for entry in frame["price_changes"]} == set(market.asset_ids)
            else:
                assert frame["asset_id"] == yes
        assert "price_change" in kinds
        assert "best_bid_ask" not in kinds


async def test_custom_features_bring_best_bid_ask() -> None:
    async with a_sandbox() as (sandbox, running), a_client(running) as client:
        await client.send(opening(sandbox.generator.asset_ids, custom_feature_enabled=True))
        kinds: set[str] = set()
        await heard(client)
        while "best_bid_ask" not in kinds:
            kinds.add(json.loads(await heard(client))["event_type"])


async def test_subscriptions_grow_and_shrink_while_connected() -> None:
    async with a_sandbox(pace=0.001) as (sandbox, running), a_client(running) as client:
        first, second = sandbox.generator.asset_ids[:2]
        await client.send(opening([first]))
        await heard(client)
        await client.send(json.dumps({"operation": "subscribe", "assets_ids": [first, second]}))
        assert json.loads(await heard(client))["asset_id"] == second
        await client.send(json.dumps({"operation": "unsubscribe", "assets_ids": [first, second]}))
        await client.send(opening([first]))
        await client.send("PING")
        assert await heard(client) == "PONG"


async def test_no_opening_books_when_they_are_not_wanted() -> None:
    async with a_sandbox(pace=0.001) as (sandbox, running), a_client(running) as client:
        await client.send(opening(sandbox.generator.asset_ids, initial_dump=False))
        await client.send("PING")
        assert await heard(client) == "PONG"


async def test_a_client_that_does_not_read_is_disconnected_and_others_are_not() -> None:
    async with a_sandbox(pace=200.0, backlog=50) as (sandbox, running), a_client(running) as good:
        with socket.socket() as lazy:
            lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            host, port = running.http.removeprefix("http://").split(":")
            lazy.connect((host, int(port)))
            lazy.sendall(HANDSHAKE)
            lazy.sendall(client_text(opening(sandbox.generator.asset_ids, custom_feature_enabled=True)))
            async with asyncio.timeout(20):
                await listeners(sandbox, 2)
                await listeners(sandbox, 1)
        await good.send(opening(sandbox.generator.asset_ids[:1]))
        assert json.loads(await heard(good))


async def listeners(sandbox: Sandbox, number: int) -> None:
    while sandbox.listeners != number:  # noqa: ASYNC110 - the sandbox announces nothing to its owner
        await asyncio.sleep(0.01)


HANDSHAKE = (
    b"GET /ws/market HTTP/1.1\r\nHost: sandbox\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def client_text(text: str) -> bytes:
    """One text frame of a client, masked with zeros."""
    raw = text.encode()
    return b"\x81" + bytes([0x80 | 126]) + len(raw).to_bytes(2, "big") + bytes(4) + raw


async def test_a_silent_client_is_dropped() -> None:
    async with a_sandbox(pace=0.001, silence_s=0.2) as (_, running), a_client(running) as client:
        await client.send(opening([]))
        assert (await close_code(client))[0] == 1001


async def test_books_over_http_equal_the_channel() -> None:
    async with a_sandbox(pace=0.001) as (sandbox, running), a_client(running) as client:
        ids = sandbox.generator.asset_ids[:2]
        await client.send(opening(ids))
        greeted = json.loads(await heard(client))
        async with aiohttp.ClientSession(running.http) as http:
            one = await (await http.get("/book", params={"token_id": ids[0]})).json()
            many = await (await http.post("/books", json=[{"token_id": asset_id} for asset_id in ids])).json()
        assert [book["hash"] for book in many] == [book["hash"] for book in greeted]
        assert one == many[0]
        assert list(one)[-4:] == ["min_order_size", "tick_size", "neg_risk", "last_trade_price"]


async def test_small_reads_and_their_refusals() -> None:
    async with a_sandbox() as (_, running), aiohttp.ClientSession(running.http) as http:
        assert await (await http.get("/ok")).json() == "OK"
        assert await (await http.get("/version")).json() == {"version": 2}
        assert abs(await (await http.get("/time")).json() - 1.7e9) < 1e9
        missing = await http.get("/book", params={"token_id": "1"})
        assert (missing.status, await missing.json()) == (
            404, {"error": "No orderbook exists for the requested token id"},
        )  # fmt: skip
        assert (await http.post("/books", data="{")).status == 400
        assert (await http.post("/books", json=[{"token_id": "1"}] * 501)).status == 400


async def test_the_listing_is_paged_by_cursor_and_v1_by_default() -> None:
    async with a_sandbox(markets=12) as (sandbox, running), aiohttp.ClientSession(running.http) as http:
        seen: list[dict[str, Any]] = []
        query = [("limit", "5"), ("version", "v1"), ("version", "v2")]
        cursor: str | None = ""
        while cursor is not None:
            page = await (await http.get("/markets/keyset", params=[*query, ("after_cursor", cursor)])).json()
            seen += page["markets"]
            cursor = page["next_cursor"]
        listed = [market for event in sandbox.generator.events for market in event.markets]
        assert [market["id"] for market in seen] == [market.market_id for market in listed]
        default = (await (await http.get("/markets/keyset")).json())["markets"]
        assert {market["version"] for market in default} == {"v1"}
        one = await (await http.get(f"/markets/{seen[0]['id']}")).json()
        assert one["conditionId"] == seen[0]["conditionId"]
        events = (await (await http.get("/events/keyset", params={"limit": "100"})).json())["events"]
        assert [len(event["markets"]) for event in events if event["negRisk"]] == [4, 4]
        assert (await http.get("/events/none")).status == 404
        for bad in ({"offset": "0"}, {"limit": "0"}, {"after_cursor": "!"}):
            assert (await http.get("/markets/keyset", params=bad)).status == 422


async def test_the_official_client_lists_and_reads_books_here() -> None:
    async with a_sandbox(markets=12) as (sandbox, running):
        config = dataclasses.replace(PRODUCTION_CONFIG, clob_url=running.http, gamma_url=running.http)
        environment = create_environment(name="sandbox", config=config)
        async with AsyncPublicClient(environment=environment) as client:
            pages = client.list_events(version=["v1", "v2"], page_size=3)
            events = [event async for page in pages for event in page.items]
            book = await client.get_order_book(token_id=sandbox.generator.asset_ids[0])
    assert [event.id for event in events] == [event.event_id for event in sandbox.generator.events]
    assert len(book.bids) > 3


async def started(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "manage.py", "sandbox", "--markets", "2", *arguments,
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_command_says_where_it_listens_and_stops_cleanly(number: signal.Signals) -> None:
    process = await started()
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), 30)
    listening = json.loads(line)
    assert listening["markets"] == 2
    assert listening["user_ws"] == listening["ws"].replace("market", "user")
    async with connect(listening["ws"], ping_interval=None) as client:
        await client.send(opening([]))
        await heard(client)
        process.send_signal(number)
        out, err = await asyncio.wait_for(process.communicate(), 10)
    assert (process.returncode, out, err) == (0, b"", b"")


async def test_the_command_sets_up_the_venue(tmp_path: Path) -> None:
    script = tmp_path / "faults.json"
    script.write_text('[{"kind":"mode","mode":"disabled","seconds":60}]')
    options = ("--cash", "5", "--shares", "3", "--tier", "Elite", "--settle", "0.1", "--faults", str(script))
    process = await started(*options)
    assert process.stdout is not None
    listening = json.loads(await asyncio.wait_for(process.stdout.readline(), 30))
    async with aiohttp.ClientSession(listening["http"]) as http:
        shown = await (await http.get("/sandbox/faults")).json()
    process.terminate()
    await asyncio.wait_for(process.communicate(), 10)
    assert (process.returncode, shown["injected"]["mode"]) == (0, 1)


async def test_a_fault_script_that_cannot_be_read_is_one_clear_line(tmp_path: Path) -> None:
    process = await started("--faults", str(tmp_path / "none.json"))
    _, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 2
    assert "none.json" in err.decode().splitlines()[-1]


async def test_a_taken_port_is_one_clear_line_and_code_2() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = await started("--port", str(port))
        out, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 2
    assert out == b""
    assert err.decode().splitlines() == [f"CommandError: port {port} on 127.0.0.1 is taken; choose another with --port"]
