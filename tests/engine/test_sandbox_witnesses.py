"""The official clients, unmodified, trade on the sandbox over real sockets."""

import asyncio
import dataclasses
import functools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, TypeVar

import pytest
from eth_account import Account
from polymarket import AsyncSecureClient
from polymarket._internal.environment import PRODUCTION_CONFIG, create_environment
from polymarket.errors import OrderHeartbeatMismatchError, RequestRejectedError
from polymarket.streams import UserSpec
from py_clob_client_v2.client import ClobClient
from py_clob_client_v2.clob_types import (
    AssetType,
    BalanceAllowanceParams,
    MarketOrderArgsV2,
    OpenOrderParams,
    OrderArgsV2,
    OrderMarketCancelParams,
    OrderPayload,
    OrderType,
    PostOrdersV2Args,
)
from py_clob_client_v2.exceptions import PolyApiException

from execution.sandbox.generator import Generator
from execution.sandbox.ladder import PRICE_ONE, price_text
from execution.sandbox.listing import Generation, MarketSpec
from execution.sandbox.server import Running, Sandbox, SandboxConfig, serving
from execution.sandbox.venue import Terms

SHARE = 1_000_000
# Well-known throwaway keys.
ALICE = "0x" + "11" * 32
BOB = "0x" + "22" * 32
QUICK = Terms(cash=1_000 * SHARE, shares=100 * SHARE, mine_ms=40, confirm_ms=40)

T = TypeVar("T")


@asynccontextmanager
async def a_venue(**changes: Any) -> AsyncIterator[tuple[Sandbox, Running]]:
    settings: dict[str, Any] = {"markets": 12, "pace": 0.001, "terms": QUICK}
    sandbox = Sandbox(SandboxConfig(**(settings | changes)))
    async with serving(sandbox) as running:
        yield sandbox, running


@asynccontextmanager
async def official(running: Running, key: str = ALICE) -> AsyncIterator[AsyncSecureClient]:
    config = dataclasses.replace(
        PRODUCTION_CONFIG, clob_url=running.http, gamma_url=running.http, clob_user_ws_url=running.user_ws
    )
    environment = create_environment(name="sandbox", config=config)
    wallet = Account.from_key(key).address
    client = await AsyncSecureClient.create(private_key=key, wallet=wallet, environment=environment)
    try:
        yield client
    finally:
        await client.close()


async def in_thread(function: Callable[..., T], *arguments: Any, **named: Any) -> T:
    return await asyncio.to_thread(functools.partial(function, *arguments, **named))


async def older(running: Running, key: str = BOB, **settings: Any) -> ClobClient:
    client = ClobClient(running.http, 137, key=key, **settings)
    client.set_api_creds(await in_thread(client.create_or_derive_api_key))
    return client


def limit(token: str, price: float, size: float) -> OrderArgsV2:
    return OrderArgsV2(token_id=token, price=price, size=size, side="BUY")


def market_of(generator: Generator, generation: Generation, *, neg_risk: bool = False) -> MarketSpec:
    return next(m for m in generator.markets if m.generation is generation and m.neg_risk is neg_risk)


def far_bid(sandbox: Sandbox, asset_id: str) -> Decimal:
    """A price three ticks below the best bid of a token."""
    book = sandbox.generator.rest_book(asset_id)
    floor = sandbox.generator.floor(asset_id)
    assert book is not None
    assert floor is not None
    bids: Any = book["bids"]
    return Decimal(bids[-1]["price"]) - 3 * Decimal(floor.tick) / PRICE_ONE


def inside(sandbox: Sandbox, asset_id: str) -> tuple[str, str]:
    """Best bid and ask of a token."""
    book: Any = sandbox.generator.rest_book(asset_id)
    return book["bids"][-1]["price"], book["asks"][-1]["price"]


KINDS = [(Generation.V1, False), (Generation.V1, True), (Generation.V2, False), (Generation.V2, True)]


@pytest.mark.parametrize(("generation", "neg_risk"), KINDS)
async def test_the_unified_client_places_lists_and_cancels(generation: Generation, neg_risk: bool) -> None:
    async with a_venue(markets=30) as (sandbox, running), official(running) as client:
        market = market_of(sandbox.generator, generation, neg_risk=neg_risk)
        token = market.asset_ids[0]
        price = far_bid(sandbox, token)
        signed = await client.create_limit_order(asset_id=token, price=price, size=10, side="BUY", post_only=True)
        placed = await client.post_order(signed)
        assert placed.ok, placed
        assert placed.status == "live"
        listed = [order async for page in client.list_open_orders() for order in page.items]
        assert [(order.id, order.price, order.original_size) for order in listed] == [
            (placed.order_id, price, Decimal(10))
        ]
        assert (await client.get_order(order_id=placed.order_id)).status == "LIVE"
        done = await client.cancel_order(order_id=placed.order_id)
        assert (list(done.canceled), dict(done.not_canceled)) == ([placed.order_id], {})
        assert (await client.get_order(order_id=placed.order_id)).status == "CANCELED"


async def test_the_unified_client_is_filled_and_hears_of_it() -> None:
    async with a_venue() as (sandbox, running), official(running) as client:
        token = sandbox.generator.asset_ids[0]
        _, ask = inside(sandbox, token)
        async with await client.subscribe(UserSpec()) as events:
            while not sandbox.user_listeners:  # noqa: ASYNC110 - the sandbox announces nothing to its owner
                await asyncio.sleep(0.01)
            signed = await client.create_limit_order(asset_id=token, price=ask, size=5, side="BUY")
            placed = await client.post_order(signed)
            assert placed.ok
            assert (placed.status, placed.taking_amount) == ("matched", Decimal(5))
            heard = await the_trade_confirmed(events)
        assert heard[0] == "order"
        assert heard[1:] == ["MATCHED", "MINED", "CONFIRMED"]
        hashes = await client.wait_for_order_fill_settlement(placed)
        assert len(hashes) == 1
        balance = await client.get_balance_allowance(asset_type="CONDITIONAL", asset_id=token)
        assert balance.balance == 105 * SHARE


async def the_trade_confirmed(events: Any) -> list[str]:
    heard = []
    async with asyncio.timeout(5):
        async for event in events:
            heard.append(event.payload.status if event.type == "trade" else event.type)
            if heard[-1] == "CONFIRMED":
                return heard
    return heard


async def test_the_unified_client_reads_markets_and_keeps_its_heartbeat() -> None:
    async with a_venue() as (sandbox, running), official(running) as client:
        token = sandbox.generator.asset_ids[0]
        bid, ask = inside(sandbox, token)
        assert await client.get_midpoint(asset_id=token) == (Decimal(bid) + Decimal(ask)) / 2
        assert await client.get_spread(asset_id=token) == Decimal(ask) - Decimal(bid)
        assert await client.get_price(asset_id=token, side="BUY") == Decimal(bid)
        assert (await client.get_order_books(asset_ids=[token]))[0].asset_id == token
        first = await client.send_order_heartbeat()
        second = await client.send_order_heartbeat(heartbeat_id=first.heartbeat_id)
        with pytest.raises(OrderHeartbeatMismatchError):
            await client.send_order_heartbeat(heartbeat_id=first.heartbeat_id)
        assert second.heartbeat_id != first.heartbeat_id
        assert await client.get_closed_only_mode() is False


@pytest.mark.parametrize(("generation", "neg_risk"), KINDS)
async def test_the_older_client_places_lists_and_cancels(generation: Generation, neg_risk: bool) -> None:
    async with a_venue(markets=30) as (sandbox, running):
        client = await older(running)
        market = market_of(sandbox.generator, generation, neg_risk=neg_risk)
        token = market.asset_ids[1]
        price = float(far_bid(sandbox, token))
        arguments = limit(token, price, 10.0)
        if generation is Generation.V2:
            arguments = OrderArgsV2(position_id=token, price=price, size=10.0, side="BUY")
        signed = await in_thread(client.create_order, arguments)
        placed = await in_thread(client.post_order, signed, OrderType.GTC)
        assert (placed["success"], placed["status"]) == (True, "live")
        listed = await in_thread(client.get_open_orders, OpenOrderParams(asset_id=token))
        assert [order["id"] for order in listed] == [placed["orderID"]]
        assert (await in_thread(client.get_order, placed["orderID"]))["size_matched"] == "0"
        done = await in_thread(client.cancel_order, OrderPayload(orderID=placed["orderID"]))
        assert done == {"not_canceled": {}, "canceled": [placed["orderID"]]}
        with pytest.raises(PolyApiException) as refused:
            await in_thread(client.post_order, signed, OrderType.GTC)
        assert refused.value.error_msg == {"error": f"order {placed['orderID']} is invalid. Duplicated."}


async def test_the_older_client_buys_at_market_and_learns_the_transaction() -> None:
    async with a_venue() as (sandbox, running):
        client = await older(running)
        token = sandbox.generator.asset_ids[0]
        signed = await in_thread(client.create_market_order, MarketOrderArgsV2(token_id=token, amount=3.0, side="BUY"))
        placed = await in_thread(client.post_order, signed, OrderType.FOK)
        assert placed["status"] == "matched"
        assert len(placed["transactionsHashes"]) == 1
        trades = await in_thread(client.get_trades)
        assert [trade["id"] for trade in trades] == placed["tradeIDs"]
        assert trades[0]["trader_side"] == "TAKER"
        params = BalanceAllowanceParams(asset_type=AssetType.COLLATERAL)
        balance = int((await in_thread(client.get_balance_allowance, params))["balance"])
        assert 996_800_000 < balance < 997_000_000  # three dollars, and a fee of some cents


async def test_the_older_client_sends_batches_and_clears_a_market() -> None:
    async with a_venue() as (sandbox, running):
        client = await older(running)
        market = sandbox.generator.markets[0]
        token = market.asset_ids[0]
        price = float(far_bid(sandbox, token))
        orders = [
            PostOrdersV2Args(await in_thread(client.create_order, limit(token, price, size)), OrderType.GTC)
            for size in (5.0, 6.0, 1.0)
        ]
        answers = await in_thread(client.post_orders, orders, post_only=True)
        assert [answer["status"] for answer in answers] == ["live", "live", ""]
        assert answers[2]["errorMsg"].endswith("is invalid. Size (1) lower than the minimum: 5")
        swept = await in_thread(client.cancel_market_orders, OrderMarketCancelParams(market=market.condition_id))
        assert len(swept["canceled"]) == 2
        assert (await in_thread(client.cancel_all))["canceled"] == []


async def test_the_two_clients_trade_with_each_other_by_minting_a_set() -> None:
    async with a_venue() as (sandbox, running), official(running) as alice:
        bob = await older(running)
        market = sandbox.generator.markets[0]
        yes, no = market.asset_ids
        bid, ask = inside(sandbox, yes)
        # Between the traders' bid and ask there is room for one of ours.
        price = Decimal(bid) + Decimal("0.01")
        assert price < Decimal(ask)
        signed = await alice.create_limit_order(asset_id=yes, price=price, size=20, side="BUY", post_only=True)
        resting = await alice.post_order(signed)
        assert resting.ok
        taker = await in_thread(bob.create_order, limit(no, float(1 - price), 8.0))
        placed = await in_thread(bob.post_order, taker, OrderType.GTC)
        assert (placed["status"], placed["takingAmount"]) == ("matched", "8")
        order = await alice.get_order(order_id=resting.order_id)
        assert (order.size_matched, list(order.associate_trades)) == (Decimal(8), placed["tradeIDs"])
        trades = [trade async for page in alice.list_account_trades() for trade in page.items]
        trade = trades[0]
        assert (trade.trader_side, trade.asset_id) == ("MAKER", no)
        part = trade.maker_orders[0]
        assert (part.asset_id, part.price, part.matched_amount) == (yes, price, Decimal(8))


async def test_keys_are_created_once_and_derived_after_that() -> None:
    async with a_venue() as (_, running):
        client = ClobClient(running.http, 137, key=ALICE)
        created = await in_thread(client.create_api_key)
        with pytest.raises(PolyApiException) as refused:
            await in_thread(client.create_api_key)
        assert refused.value.status_code == 400
        assert await in_thread(client.derive_api_key) == created
        other = await in_thread(client.create_api_key, 5)
        assert other.api_key != created.api_key
        client.set_api_creds(created)
        assert await in_thread(client.get_api_keys) == {"apiKeys": [created.api_key, other.api_key]}
        assert await in_thread(client.delete_api_key) == "OK"
        with pytest.raises(PolyApiException) as gone:
            await in_thread(client.get_api_keys)
        assert (gone.value.status_code, gone.value.error_msg) == (401, {"error": "Unauthorized/Invalid api key"})


async def test_the_older_client_reads_what_it_needs_of_a_market() -> None:
    async with a_venue() as (sandbox, running):
        client = await older(running)
        market = sandbox.generator.markets[0]
        token = market.asset_ids[0]
        assert await in_thread(client.get_tick_size, token) == price_text(market.tick)
        assert await in_thread(client.get_neg_risk, token) is False
        assert await in_thread(client.get_fee_rate_bps, token) == 0
        info = await in_thread(client.get_clob_market_info, market.condition_id)
        assert info["fd"]["r"] == market.fees.rate
        assert (await in_thread(client.get_market, market.condition_id))["tokens"][1]["token_id"] == market.asset_ids[1]
        assert (await in_thread(client.get_last_trade_price, token)) == {"price": "0.5", "side": ""}
        assert (await in_thread(client.get_markets))["count"] == len(sandbox.generator.events[0].markets) + sum(
            len(event.markets) for event in sandbox.generator.events[1:]
        )
        book = await in_thread(client.get_order_book, token)
        assert await in_thread(client.get_order_book_hash, book) == book["hash"]


async def test_a_refused_order_is_an_error_with_the_venue_s_words() -> None:
    async with a_venue() as (sandbox, running), official(running) as client:
        token = sandbox.generator.asset_ids[0]
        _, ask = inside(sandbox, token)
        signed = await client.create_limit_order(asset_id=token, price=ask, size=5, side="BUY", post_only=True)
        with pytest.raises(RequestRejectedError) as refused:
            await client.post_order(signed)
        assert (refused.value.status, "order crosses book" in str(refused.value)) == (400, True)


@pytest.mark.parametrize("signature_type", [1, 2, 3])
async def test_the_older_client_trades_for_a_wallet_that_is_not_its_key(signature_type: int) -> None:
    async with a_venue() as (sandbox, running):
        wallet = "0x" + "44" * 20
        client = await older(running, signature_type=signature_type, funder=wallet)
        token = sandbox.generator.asset_ids[0]
        _, ask = inside(sandbox, token)
        signed = await in_thread(client.create_order, limit(token, float(ask), 10.0))
        placed = await in_thread(client.post_order, signed, OrderType.GTC)
        assert placed["status"] == "matched"
        trades = await in_thread(client.get_trades)
        assert trades[0]["maker_address"] == wallet
        assert sandbox.venue.ledger.of(wallet).owned[token] == 110 * SHARE
