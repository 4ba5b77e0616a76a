"""A child of `bench pipeline`: a plain loop around the venue's own client, as its documentation shows one.

Law: nothing but documented calls (`subscribe`, `create_limit_order`, `post_orders`), one event after the other. It
keeps no book, asks no cap and writes nothing down. What the client looks up about a market before its first order there
is looked up before the clock runs, in its favour.

Arguments are the addresses and a file with tokens by market. One line of JSON on stdout when it is subscribed.
"""

import asyncio
import dataclasses
import json
import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import uvloop
from eth_account import Account
from polymarket import AsyncSecureClient
from polymarket._internal.environment import PRODUCTION_CONFIG, create_environment
from polymarket.streams import MarketSpec

KEY = "0x" + "22" * 32  # a throwaway key; the sandbox gives every wallet its cash
SIZE = 20
ONE = Decimal(1)


async def connect(http: str, ws: str) -> AsyncSecureClient:
    config = dataclasses.replace(PRODUCTION_CONFIG, clob_url=http, gamma_url=http, clob_market_ws_url=ws)
    environment = create_environment(name="sandbox", config=config)
    return await AsyncSecureClient.create(
        private_key=KEY, wallet=Account.from_key(KEY).address, environment=environment
    )


async def quote(client: AsyncSecureClient, yes: str, no: str, bid: Decimal, ask: Decimal) -> None:
    """Both sides of a market in one request."""
    ours = await client.create_limit_order(asset_id=yes, price=bid, size=SIZE, side="BUY", post_only=True)
    theirs = await client.create_limit_order(asset_id=no, price=ONE - ask, size=SIZE, side="BUY", post_only=True)
    await client.post_orders([ours, theirs])


async def loop(http: str, ws: str, markets: Mapping[str, tuple[str, str]]) -> None:
    """Quote each market once, when its book has two sides; until cancelled."""
    client = await connect(http, ws)
    try:
        for tokens in markets.values():
            for token in tokens:
                await client.create_limit_order(asset_id=token, price=Decimal("0.5"), size=SIZE, side="BUY")
        await _follow(client, markets)
    finally:
        await client.close()


async def _follow(client: AsyncSecureClient, markets: Mapping[str, tuple[str, str]]) -> None:
    handle = await client.subscribe(MarketSpec(asset_ids=[token for tokens in markets.values() for token in tokens]))
    sys.stdout.write(json.dumps({"client": "polymarket-client"}) + "\n")
    sys.stdout.flush()
    quoted: set[str] = set()
    async with handle:
        async for event in handle:
            told: Any = event
            if told.type != "price_change" or told.payload.condition_id in quoted:
                continue
            yes, no = markets[told.payload.condition_id]
            change = next(each for each in told.payload.price_changes if each.asset_id == yes)
            if change.best_bid and change.best_ask:
                quoted.add(told.payload.condition_id)
                await quote(client, yes, no, change.best_bid, change.best_ask)


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[3]).read_text(encoding="utf-8"))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(loop(sys.argv[1], sys.argv[2], {market: (yes, no) for market, (yes, no) in given.items()}))
