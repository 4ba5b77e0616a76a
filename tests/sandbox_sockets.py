"""The sandbox over real sockets, for tests: a running venue, a user of it and what its channels say."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from websockets.asyncio.client import ClientConnection

from execution.sandbox.keys import ApiKey
from execution.sandbox.server import Running, Sandbox, SandboxConfig, serving
from execution.sandbox.venue import Terms
from tests.sandbox_builders import SHARE, Exchange, Trader, l1_headers

PATIENCE_S = 5.0
PRIVATE = "0x" + "11" * 32


@asynccontextmanager
async def a_venue(**changes: Any) -> AsyncIterator[tuple[Sandbox, Running, aiohttp.ClientSession]]:
    terms = Terms(cash=1_000 * SHARE, shares=100 * SHARE, mine_ms=20, confirm_ms=20)
    settings: dict[str, Any] = {"markets": 4, "pace": 0.001, "terms": terms}
    sandbox = Sandbox(SandboxConfig(**(settings | changes)))
    async with serving(sandbox) as running, aiohttp.ClientSession(running.http) as http:
        yield sandbox, running, http


async def faults(http: aiohttp.ClientSession, *rules: dict[str, Any]) -> Any:
    async with http.post("/sandbox/faults", json=list(rules)) as reply:
        assert reply.status == 200, await reply.text()
        return await reply.json()


async def counted(http: aiohttp.ClientSession) -> dict[str, int]:
    async with http.get("/sandbox/faults") as reply:
        return {kind: number for kind, number in (await reply.json())["injected"].items() if number}


async def a_user(http: aiohttp.ClientSession) -> ApiKey:
    headers = l1_headers(PRIVATE)
    async with http.post("/auth/api-key", headers=headers) as reply:
        made = await reply.json()
    return ApiKey(made["apiKey"], made["secret"], made["passphrase"], headers["POLY_ADDRESS"])


async def placed(http: aiohttp.ClientSession, sandbox: Sandbox, key: ApiKey, side: str, price: str, size: str) -> Any:
    """Post an order as a client does; the exchange of the builders only lends its signing."""
    trader = Trader(Exchange(), PRIVATE, key)
    body = json.dumps(trader.payload(side, price, size, spec=sandbox.generator.markets[0])).encode()
    async with http.post("/order", data=body, headers=trader.headers("POST", "/order", body)) as reply:
        return await reply.json()


def opening(key: ApiKey, **changes: Any) -> str:
    auth = {"apiKey": key.key, "secret": key.secret, "passphrase": key.passphrase}
    return json.dumps({"type": "user", "auth": auth} | changes)


async def heard(client: ClientConnection) -> Any:
    text = await asyncio.wait_for(client.recv(), PATIENCE_S)
    return text if text == "PONG" else json.loads(text)


async def ponged(client: ClientConnection) -> None:
    """Everything sent before this was read."""
    await client.send("PING")
    assert await heard(client) == "PONG"
