"""Every relayer through one port: the same verbs, the same closed set of answers, and a venue that is gone."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, get_args

import httpx
import pytest
from py_clob_client_v2.client import ClobClient
from py_clob_client_v2.clob_types import ApiCreds
from py_clob_client_v2.http_helpers import helpers

from execution.domain.commands import Accepted, Cancelled, NewOrder, Outcome
from execution.domain.decode import OrderWord
from execution.domain.ours import OurOrders
from execution.relayers.base import Answer, CancelAnswer, Ok, Relayer, Submission, Unavailable
from execution.relayers.credentials import api_credentials
from execution.relayers.fake import FakeRelayer, Lose
from execution.relayers.paper import PaperExchange, PaperRelayer
from execution.relayers.polymarket import PolymarketConfig, PolymarketRelayer
from execution.relayers.pyclob import PyClobRelayer
from execution.sandbox.crowd import Mood
from execution.sandbox.listing import Generation as SandboxGeneration
from execution.sandbox.server import Running, Sandbox, SandboxConfig, serving
from execution.signing import LocalSigner, OrderToSign, SignatureType, SigningKey
from markets.domain.events import BookSnapshot, Side
from markets.domain.market import Market
from markets.domain.units import SIZE_ONE
from strategies.domain.intents import OrderType

KEY = SigningKey(b"\x33" * 32)
VERBS = {"submit", "cancel", "cancel_all", "cancel_market", "open_orders", "order", "trades", "balances", "heartbeat"}
# Bids of a cent rest behind everybody.
PRICE, SHARES = 100, 150


@dataclass
class Venue:
    """`order` makes the next one, in the first or second market; `leave` makes the venue unreachable."""

    relayer: Relayer
    order: Callable[..., Submission]
    leave: Callable[[], Awaitable[None]] | None = None


def _number() -> Callable[[], int]:
    return itertools.count(1).__next__


def _in_process() -> Callable[..., Submission]:
    number = _number()

    def order(market: int = 0) -> Submission:
        each, asset = number(), f"yes-{market}"
        wanted = NewOrder(each, f"m-{market}", asset, Side.BUY, PRICE, SHARES * SIZE_ONE, 100)
        return Submission(wanted, f"0x{each:064x}", b"{}")

    return order


@asynccontextmanager
async def fake() -> AsyncIterator[Venue]:
    relayer = FakeRelayer(clock=time.time_ns)

    async def leave() -> None:
        relayer.unavailable = "gone"
        relayer.script.append(Lose())

    yield Venue(relayer, _in_process(), leave)


@asynccontextmanager
async def paper() -> AsyncIterator[Venue]:
    markets = {f"m-{n}": Market(f"m-{n}", "e", "Will it?", f"yes-{n}", f"no-{n}") for n in (0, 1)}
    relayer = PaperRelayer(PaperExchange(markets.get, 1000 * SIZE_ONE, latency_ns=1_000), _nobody, time.time_ns)
    for n in (0, 1):
        book = BookSnapshot(f"m-{n}", f"yes-{n}", 1, ((4800, 100 * SIZE_ONE),), ((5200, 100 * SIZE_ONE),), "")
        relayer.on_event(book, time.time_ns())
    yield Venue(relayer, _in_process())


def _nobody(_: Outcome) -> None:
    """Who asks needs not be told."""


def _signed(sandbox: Sandbox) -> Callable[..., Submission]:
    signer, number = LocalSigner(KEY, KEY.address, SignatureType.EOA, 137), _number()
    simple = [m for m in sandbox.generator.markets if m.generation is SandboxGeneration.V1 and m.tick == 100]

    def order(market: int = 0) -> Submission:
        spec, each, size = simple[market], number(), SHARES * SIZE_ONE
        wanted = OrderToSign(
            each, spec.asset_ids[0], Side.BUY, PRICE, size, 100, spec.neg_risk, "v1", time.time_ns() // 1_000_000,
            post_only=True,
        )  # fmt: skip
        signed = signer.sign_one(wanted)
        own = NewOrder(each, spec.condition_id, spec.asset_ids[0], Side.BUY, PRICE, size, 100, OrderType.GTC, True)
        return Submission(own, signed.order_id, signed.body)

    return order


async def _wires(running: Running) -> tuple[PolymarketConfig, dict[str, Any]]:
    credentials = await api_credentials(running.http, KEY, 137)
    config = PolymarketConfig(
        running.http, KEY.address, credentials, geoblock_url="", call_s=2.0, cancel_s=0.1, cancel_pause_s=0.01
    )
    return config, {"assets": list, "on_outcome": _nobody, "on_alarm": _nobody}


@asynccontextmanager
async def _sandbox(build: Callable[[Running], Awaitable[PolymarketRelayer]]) -> AsyncIterator[Venue]:
    sandbox = Sandbox(SandboxConfig(seed=11, markets=30, pace=0.0001, mood=Mood.QUIET, tier="Elite"))
    gone, left = asyncio.Event(), asyncio.Event()
    ready: asyncio.Future[Running] = asyncio.get_running_loop().create_future()

    async def serve() -> None:
        async with serving(sandbox) as running:
            ready.set_result(running)
            await gone.wait()
        left.set()

    async def leave() -> None:
        gone.set()
        await left.wait()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(serve())
        relayer = await build(await ready)
        try:
            yield Venue(relayer, _signed(sandbox), leave)
        finally:
            await relayer.close()
            gone.set()


@asynccontextmanager
async def polymarket() -> AsyncIterator[Venue]:
    async def build(running: Running) -> PolymarketRelayer:
        config, wires = await _wires(running)
        return PolymarketRelayer(config, OurOrders(), **wires)

    async with _sandbox(build) as venue:
        yield venue


@asynccontextmanager
async def pyclob() -> AsyncIterator[Venue]:
    async def build(running: Running) -> PolymarketRelayer:
        config, wires = await _wires(running)
        of = config.credentials
        client = ClobClient(running.http, 137, KEY.reveal(), ApiCreds(of.key, of.secret, of.passphrase))
        return PyClobRelayer(client, config, OurOrders(), chain_id=137, **wires)

    before = helpers._http_client
    helpers._http_client = httpx.Client(http2=True)  # one session per process: a test must not leave its sockets
    try:
        async with _sandbox(build) as venue:
            yield venue
    finally:
        helpers._http_client.close()
        helpers._http_client = before


Opening = Callable[[], AbstractAsyncContextManager[Venue]]
every = pytest.mark.parametrize("venue", [fake, paper, polymarket, pyclob])
every_that_can_leave = pytest.mark.parametrize("venue", [fake, polymarket, pyclob])


def test_the_port_has_the_nine_verbs() -> None:
    told = {name for name in vars(Relayer) if not name.startswith("_")}
    assert told == VERBS | {"name", "close"}


@every
async def test_every_answer_is_one_of_the_few_and_every_read_is_ok(venue: Opening) -> None:
    async with venue() as at:
        relayer, one, two = at.relayer, at.order(), at.order()
        assert [type(each) for each in await relayer.submit([one, two])] == [Accepted, Accepted]
        listed = await relayer.open_orders()
        assert isinstance(listed, Ok)
        assert {each.order_id for each in listed.value} == {one.order_id, two.order_id}
        cancelled = await relayer.cancel([two.order.client_order_id, 77])
        assert [isinstance(each, CancelAnswer) for each in cancelled] == [True, True]
        assert isinstance(cancelled[0], Cancelled)
        for read in (relayer.trades(), relayer.balances(), relayer.heartbeat(), relayer.heartbeat()):
            assert isinstance(await read, Ok)


@every
async def test_one_order_can_be_asked_for_while_it_rests_and_when_it_is_gone(venue: Opening) -> None:
    async with venue() as at:
        one = at.order()
        number = one.order.client_order_id
        await at.relayer.submit([one])
        resting = await at.relayer.order(number)
        assert isinstance(resting, Ok)
        assert isinstance(resting.value, OrderWord)
        assert (resting.value.order_id, resting.value.price, resting.value.size) == (
            one.order_id, PRICE, SHARES * SIZE_ONE,
        )  # fmt: skip
        assert not resting.value.cancelled
        await at.relayer.cancel([number])
        gone = await at.relayer.order(number)
        assert isinstance(gone, Ok)
        assert gone.value is None or gone.value.cancelled


@every
async def test_an_order_nobody_placed_is_not_found_and_nothing_is_made_up(venue: Opening) -> None:
    async with venue() as at:
        assert await at.relayer.order(77) == Ok(None) or isinstance(await at.relayer.order(77), Unavailable)


@every
async def test_one_market_comes_down_and_the_other_stays(venue: Opening) -> None:
    async with venue() as at:
        here, there = at.order(0), at.order(1)
        await at.relayer.submit([here, there])
        answers = await at.relayer.cancel_market(here.order.condition_id)
        assert [(type(each), each.client_order_id) for each in answers] == [(Cancelled, here.order.client_order_id)]
        listed = await at.relayer.open_orders()
        assert isinstance(listed, Ok)
        assert [each.order_id for each in listed.value] == [there.order_id]
        assert [type(each) for each in await at.relayer.cancel_market(asset=there.order.asset)] == [Cancelled]


@every
async def test_a_cancel_that_names_no_market_is_refused_instead_of_taking_everything_down(venue: Opening) -> None:
    async with venue() as at:
        await at.relayer.submit([at.order()])
        with pytest.raises(ValueError, match="name a market or a token"):
            await at.relayer.cancel_market()
        assert [type(each) for each in await at.relayer.cancel_all()] == [Cancelled]


@every_that_can_leave
async def test_a_venue_that_is_gone_proves_nothing(venue: Opening) -> None:
    async with venue() as at:
        one, two = at.order(), at.order()
        await at.relayer.submit([one])
        assert at.leave is not None
        await at.leave()
        number = one.order.client_order_id
        for read in (
            at.relayer.open_orders(), at.relayer.order(number), at.relayer.trades(), at.relayer.balances(),
            at.relayer.heartbeat(),
        ):  # fmt: skip
            assert isinstance(await read, Unavailable)
        (answer,) = await at.relayer.submit([two])
        assert isinstance(answer, get_args(Answer))
        assert not isinstance(answer, Accepted)
        assert not any(isinstance(each, Cancelled) for each in await at.relayer.cancel([number]))
        for sweep in (at.relayer.cancel_all(), at.relayer.cancel_market(one.order.condition_id)):
            with pytest.raises(OSError):
                await sweep
