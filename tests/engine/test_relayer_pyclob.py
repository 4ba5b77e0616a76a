"""The relayer over an injected client: the official ones on the sandbox, and what a client cannot do."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from py_clob_client.client import ClobClient as ClobClientV1
from py_clob_client.clob_types import ApiCreds as ApiCredsV1
from py_clob_client_v2.client import ClobClient as ClobClientV2
from py_clob_client_v2.clob_types import ApiCreds as ApiCredsV2
from py_clob_client_v2.http_helpers import helpers as v2_helpers

from execution.domain.commands import Accepted, Cancelled, NewOrder, Outcome, Rejected
from execution.domain.ours import OurOrders
from execution.relayers.base import Ok, Submission
from execution.relayers.credentials import api_credentials
from execution.relayers.http import Lost, Reply
from execution.relayers.polymarket import Alarm, PolymarketConfig
from execution.relayers.pyclob import PyClobRelayer, PyClobTransport
from execution.relayers.pyclob_client import chain_of
from execution.relayers.pyclob_signer import PyClobSigner
from execution.sandbox.crowd import Mood
from execution.sandbox.listing import Generation as SandboxGeneration
from execution.sandbox.server import Sandbox, SandboxConfig, serving
from execution.signing import LocalSigner, OrderToSign, SignatureType, SigningKey, StaleFence, exchange_for
from markets.domain.events import Side
from markets.domain.units import SIZE_ONE
from strategies.domain.intents import OrderType

KEY = SigningKey(b"\x22" * 32)


class Account:
    """An injected client at a sandbox, and orders our signer made for it."""

    def __init__(self, sandbox: Sandbox, relayer: PyClobRelayer) -> None:
        self.relayer = relayer
        self.spec = next(
            spec for spec in sandbox.generator.markets if spec.generation is SandboxGeneration.V1 and spec.tick == 100
        )
        self._numbers = iter(range(1, 1_000))
        self._signer = LocalSigner(KEY, KEY.address, SignatureType.EOA, 137)

    def to_sign(
        self, number: int, price: int = 100, shares: int = 150, version: str = "v1", **changes: Any
    ) -> OrderToSign:
        terms: dict[str, Any] = {"order_type": OrderType.GTC, "post_only": True} | changes
        asset, neg_risk = self.spec.asset_ids[0], self.spec.neg_risk
        size, now_ms = shares * SIZE_ONE, time.time_ns() // 1_000_000
        return OrderToSign(number, asset, Side.BUY, price, size, 100, neg_risk, version, now_ms, **terms)

    def order_of(self, wanted: OrderToSign) -> NewOrder:
        return NewOrder(
            wanted.client_order_id,
            self.spec.condition_id,
            wanted.asset_id,
            wanted.side,
            wanted.price,
            wanted.size,
            wanted.tick,
            wanted.order_type,
            wanted.post_only,
        )

    def order(self, price: int = 100, shares: int = 150, **changes: Any) -> Submission:
        wanted = self.to_sign(next(self._numbers), price, shares, **changes)
        signed = self._signer.sign_one(wanted)
        return Submission(self.order_of(wanted), signed.order_id, signed.body)


@contextmanager
def fresh_http(module: Any) -> Iterator[None]:
    """The clients share one HTTP session per process; a test must not leave its sockets behind."""
    before = module._http_client
    module._http_client = httpx.Client(http2=True)
    try:
        yield
    finally:
        module._http_client.close()
        module._http_client = before


@asynccontextmanager
async def account(chain_id: int = 137, older: bool = False, **config: Any) -> AsyncIterator[Account]:
    from py_clob_client.http_helpers import helpers as v1_helpers

    sandbox = Sandbox(SandboxConfig(seed=11, markets=30, pace=0.0001, mood=Mood.QUIET, tier="Elite"))
    with fresh_http(v1_helpers if older else v2_helpers):
        async with serving(sandbox) as running:
            credentials = await api_credentials(running.http, KEY, 137)
            parts = (credentials.key, credentials.secret, credentials.passphrase)
            client: Any
            if older:
                client = ClobClientV1(running.http, 137, KEY.reveal(), ApiCredsV1(*parts))
            else:
                client = ClobClientV2(running.http, 137, KEY.reveal(), ApiCredsV2(*parts))
            outcomes: list[Outcome] = []
            alarms: list[Alarm] = []
            relayer = PyClobRelayer(
                client,
                PolymarketConfig(running.http, KEY.address, credentials, geoblock_url="", **config),
                OurOrders(),
                chain_id=chain_id,
                assets=list,
                on_outcome=outcomes.append,
                on_alarm=alarms.append,
            )
            try:
                yield Account(sandbox, relayer)
            finally:
                await relayer.close()
                assert alarms == []


def kinds(answers: Any) -> list[str]:
    return [type(each).__name__ for each in answers]


async def test_the_newer_official_client_carries_what_we_signed() -> None:
    async with account() as at:
        batch = [at.order() for _ in range(4)]
        assert kinds(await at.relayer.submit(batch)) == ["Accepted"] * 4
        listed = await at.relayer.open_orders()
        assert isinstance(listed, Ok)
        assert {each.order_id for each in listed.value} == {each.order_id for each in batch}
        assert kinds(await at.relayer.cancel([1, 2])) == ["Cancelled", "Cancelled"]
        assert {type(each) for each in await at.relayer.cancel_all()} == {Cancelled}
        assert await at.relayer.open_orders() == Ok(())


async def test_orders_that_rest_and_orders_that_take_go_out_separately_and_answer_in_place() -> None:
    async with account() as at:
        take = at.order(9_900, 20, order_type=OrderType.FAK, post_only=False)
        crossing = at.order(9_900, 20)
        answers = await at.relayer.submit([at.order(), take, crossing])
        assert kinds(answers) == ["Accepted", "Accepted", "Rejected"]
        assert isinstance(answers[2], Rejected)
        assert answers[2].code == "post_only_would_cross"
        trades = await at.relayer.trades()
        assert isinstance(trades, Ok)
        assert {trade.taker.order_id for trade in trades.value} == {take.order_id}


async def test_everything_else_is_asked_through_the_client_too() -> None:
    async with account() as at:
        one = at.order()
        assert await at.relayer.preflight() == ()
        await at.relayer.submit([one])
        assert kinds(await at.relayer.cancel_market(at.spec.condition_id)) == ["Cancelled"]
        found = await at.relayer.order(1)
        assert isinstance(found, Ok)
        assert found.value is not None
        assert found.value.cancelled
        assert await at.relayer.chain.beat()
        assert await at.relayer.chain.beat()


async def test_the_older_client_is_refused_with_the_reason_and_can_still_cancel() -> None:
    async with account(older=True) as at:
        (answer,) = await at.relayer.submit([at.order()])
        assert isinstance(answer, Rejected)
        assert answer.code == "client_refused"
        assert "py-clob-client signs version 1" in answer.detail
        assert any("use py-clob-client-v2" in problem for problem in await at.relayer.preflight())
        assert await at.relayer.cancel_all() == []
        assert await at.relayer.open_orders() == Ok(())


async def test_a_client_for_another_chain_is_refused() -> None:
    async with account(chain_id=80002) as at:
        assert kinds(await at.relayer.submit([at.order()])) == ["Rejected"]
        assert await at.relayer.client_problems() == ("client: signs for chain 137, the engine for 80002",)


async def test_the_client_may_sign_too_and_its_orders_are_known_before_they_are_sent() -> None:
    async with account() as at:
        signer = PyClobSigner(at.relayer.transport, 137)
        takes: dict[str, Any] = {"order_type": OrderType.FAK, "post_only": False}
        wanted = [at.to_sign(1), at.to_sign(2, price=9_900, shares=20, **takes), at.to_sign(3, version="v2")]
        for number, one in enumerate(await signer.sign(wanted[:2], 1), 1):
            order = at.order_of(wanted[number - 1])
            (answer,) = await at.relayer.submit([Submission(order, one.order_id, one.body)])
            assert isinstance(answer, Accepted)
            assert answer.order_id == one.order_id
        (other,) = await signer.sign(wanted[2:], 1)
        assert other.exchange is exchange_for("v2", False)
        with pytest.raises(StaleFence):
            await signer.sign(wanted, 0)


async def test_an_order_the_client_made_something_else_of_is_not_signed() -> None:
    async with account() as at:
        client = at.relayer.transport.client
        honest = client.create_order
        client.create_order = lambda args, options: replace(honest(args, options), makerAmount="1")
        with pytest.raises(ValueError, match="of an order that is"):
            await PyClobSigner(at.relayer.transport, 137).sign([at.to_sign(1)], 1)


async def test_the_older_client_signs_nothing() -> None:
    async with account(older=True) as at:
        with pytest.raises(ValueError, match="version 1"):
            PyClobSigner(at.relayer.transport, 137)


# A client that is not there, slow, or odd


class OddClient:
    """Does what a test says; looks like the newer one."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.chainId = "137"
        self._act = act

    def get_version(self) -> int:
        return 2

    def cancel_all(self) -> object:
        return self._act()


@asynccontextmanager
async def transport(act: Callable[[], object]) -> AsyncIterator[PyClobTransport]:
    made = PyClobTransport(OddClient(act), "http://127.0.0.1:9", timeout_s=0.1)
    try:
        yield made
    finally:
        await made.close()


async def test_what_the_client_returns_is_the_answer() -> None:
    async with transport(lambda: {"canceled": []}) as at:
        assert await at.call("DELETE", "/cancel-all") == Reply(200, '{"canceled": []}', {"canceled": []})


async def test_what_is_behind_a_slow_call_was_never_sent() -> None:
    release = threading.Event()
    async with transport(lambda: release.wait(5)) as at:
        first = asyncio.create_task(at.call("DELETE", "/cancel-all"))
        await asyncio.sleep(0.02)
        assert await at.call("DELETE", "/cancel-all") == Lost("its turn did not come in 0.1 s", sent=False)
        assert await first == Lost("no answer in 0.1 s", sent=True)
        release.set()


async def test_a_client_that_raises_has_lost_the_answer() -> None:
    def fail() -> object:
        raise OSError("reset")

    async with transport(fail) as at:
        assert await at.call("DELETE", "/cancel-all") == Lost("OSError: reset", sent=True)


async def test_what_the_client_cannot_do_is_not_sent() -> None:
    async with transport(lambda: None) as at:
        answer = await at.call("GET", "/notifications")
        assert isinstance(answer, Lost)
        assert not answer.sent


def test_the_chain_is_found_under_any_of_its_names() -> None:
    assert chain_of(OddClient(lambda: None)) == 137
    assert chain_of(object()) is None
