"""An account at the sandbox with the real relayer, the user feed and the hands: for tests over real sockets."""

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp

from execution.domain.blotter import Blotter
from execution.domain.commands import (
    Cancel,
    CancelReason,
    ClientOrderId,
    Fill,
    NewOrder,
    Outcome,
    Place,
    Strategy,
)
from execution.domain.doubts import Look
from execution.domain.ledger import Ledger
from execution.domain.orders import OrderState
from execution.domain.ours import OurOrders
from execution.domain.postings import Posting
from execution.domain.reconcile import Correction
from execution.domain.venue import VenueMode
from execution.engine import Hands, Trouble
from execution.journal import MemoryJournal, Terms
from execution.relayers.base import Balances, Ok, Unavailable
from execution.relayers.credentials import api_credentials
from execution.relayers.heartbeat import Beats
from execution.relayers.polymarket import Alarm, PolymarketConfig, PolymarketRelayer
from execution.sandbox.crowd import Mood
from execution.sandbox.listing import Generation as SandboxGeneration
from execution.sandbox.listing import MarketSpec
from execution.sandbox.server import Running, Sandbox, SandboxConfig, serving
from execution.sandbox.venue import Terms as VenueTerms
from execution.signing import LocalSigner, SignatureType, SigningKey
from execution.user_feed import CatchUp, UserFeed
from markets.domain.events import Side
from markets.domain.fees import FeeSchedule
from markets.domain.market import Generation, Market
from markets.domain.units import SIZE_ONE, AssetId, ConditionId, Nanos, Price, Size
from markets.feed.pacing import DEFAULT_TIMES
from polyweb.runtime.inbox import Item, Sensed
from polyweb.runtime.lookout import Lookout
from polyweb.runtime.reconciler import Reconciler, Rounds, Stated

KEY = SigningKey(b"\x11" * 32)
CASH, SHARES = 10_000 * SIZE_ONE, 1_000 * SIZE_ONE


class Trading:
    """An account at the sandbox with everything that carries out its orders and hears of them."""

    def __init__(
        self, sandbox: Sandbox, running: Running, kind: SignatureType = SignatureType.EOA, wallet: str = KEY.address
    ) -> None:
        self.kind, self.wallet = kind, wallet
        self.sandbox = sandbox
        self.running = running
        self.orders = OurOrders()
        self.blotter = Blotter()
        self.ledger = Ledger(CASH)
        self.outcomes: list[Outcome] = []
        self.alarms: list[Alarm] = []
        self.troubles: list[Trouble] = []
        self.modes: list[VenueMode] = []
        self.gone: list[str] = []
        self.corrections: list[Correction] = []
        self.reports: list[str] = []
        self.posted: list[Posting] = []
        self.sensed: list[str] = []
        self.settled: list[str] = []
        self.holds: list[str] = []
        self.winners: dict[ConditionId, AssetId] = {}
        self.stated: dict[AssetId, Stated] = {}
        self.ahead_ns: Nanos = 0
        self._numbers = itertools.count(1)
        self.markets = {spec.condition_id: _market(spec) for spec in sandbox.generator.markets}

    async def start(self, tasks: asyncio.TaskGroup, **config: Any) -> list[asyncio.Task[None]]:
        credentials = await api_credentials(self.running.http, KEY, 137)
        terms: dict[str, Any] = {
            "geoblock_url": "",
            "heartbeat": Beats(0.5, 10.0, 0.1),
            "call_s": 1.0,
            "probe_s": 0.05,
            "signature_type": self.kind,
        } | config
        self.config = PolymarketConfig(self.running.http, KEY.address, credentials, **terms)
        self.relayer = PolymarketRelayer(
            self.config,
            self.orders,
            assets=lambda: [(asset, m.generation) for m in self.markets.values() for asset in (m.yes, m.no)],
            on_outcome=self.hear,
            on_alarm=self.alarms.append,
            on_venue=lambda venue: self.modes.append(venue.mode),
            on_orders_gone=self.lapsed,
        )
        self.catch_up = CatchUp(
            self.relayer.reads,
            self.orders,
            fees=self.fees,
            on_outcome=self.hear,
            since_ns=time.time_ns(),
            now_ns=self.clock,
        )
        self.feed = UserFeed(
            self.running.user_ws,
            credentials,
            self.orders,
            fees=self.fees,
            catch_up=self.catch_up,
            on_outcome=self.hear,
            on_state=lambda _: None,
            rng=random.Random(1),
            times=replace(DEFAULT_TIMES, backoff_s=0.05, backoff_cap_s=0.1),
            catch_up_retry_s=0.05,
        )
        self.journal = MemoryJournal()
        self.hands = Hands(
            signer=LocalSigner(KEY, self.wallet, self.kind, 137),
            journal=self.journal,
            relayer=self.relayer,
            terms=Terms("real", False, 1),
            market_of=self.markets.get,
            on_outcome=self.hear,
            on_trouble=self.troubles.append,
        )
        self.lookout = Lookout(
            blotter=self.blotter,
            relayer="real",
            look=self.look,
            journal=self.journal,
            inbox=self,
            reports=self,
            on_trouble=self.troubles.append,
            resend=self.hands.resend,
            now_ns=self.clock,
        )
        running = [tasks.create_task(job) for job in (self.relayer.run(), self.feed.run(), self.hands.run())]
        await self.until(lambda: self.feed.trusted and self.relayer.chain.holds)
        return running

    def clock(self) -> Nanos:
        """Ours, for whoever waits: a test need not."""
        return time.time_ns() + self.ahead_ns

    def reconciler(self, **rounds: Any) -> Reconciler:
        return Reconciler(
            account=self,
            relayer="real",
            ledger=self.ledger,
            blotter=self.blotter,
            markets=self.markets.values,
            trades=lambda _: True,
            books=self,
            inbox=self,
            lookout=self.lookout,
            on_trouble=self.troubles.append,
            on_settled=self.settled.append,
            hold=self.holds.append,
            winners=self.winners,
            rounds=Rounds(**{"every_s": 60.0} | rounds),
            now_ns=self.clock,
        )

    async def look(self) -> Ok[Look] | Unavailable:
        answer = await self.catch_up()
        return Ok(answer.value.look) if isinstance(answer, Ok) else answer

    # As an inbox, and as who keeps reports

    waiting = 0
    unavailable: tuple[type[Exception], ...] = ()

    def push(self, item: Item) -> None:
        match item:
            case Posting():
                self.ledger.post(item)
            case Sensed():
                self.sensed.append(item.wrong)
            case _:
                assert isinstance(item, Outcome)
                self.hear(item)

    async def reconciled(self, source: str, relayer: str, corrections: Sequence[Correction]) -> None:
        self.corrections += corrections
        self.reports.append(source)

    async def post(self, relayer: str, given: Sequence[Posting]) -> None:
        self.posted += given

    async def new_postings(self, relayer: str) -> Sequence[Posting]:
        return self.posted

    # As an account that can be read

    def look_back(self, since_ns: Nanos) -> None:
        self.catch_up.look_back(since_ns)

    async def balances(self, markets: Sequence[Market]) -> Ok[Balances] | Unavailable:
        return await self.relayer.reads.balances([(a, m.generation) for m in markets for a in (m.yes, m.no)])

    async def stated_prices(self, assets: Sequence[AssetId]) -> Mapping[AssetId, Stated]:
        return {asset: self.stated[asset] for asset in assets if asset in self.stated}

    async def cancel_ids(self, order_ids: Sequence[str]) -> frozenset[str]:
        return await self.relayer.cancel_ids(order_ids)

    def number_of(self, order_id: str) -> ClientOrderId:
        order = self.orders.find(order_id)
        return order.client_order_id if order is not None else 0

    def fees(self, condition_id: ConditionId) -> FeeSchedule:
        return self.markets[condition_id].fees

    def hear(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self.blotter.apply(outcome)
        if isinstance(outcome, Fill):
            self.ledger.apply(outcome)

    def lapsed(self, reason: str) -> None:
        self.gone.append(reason)
        self.feed.distrust(reason)

    async def until(self, true: Callable[[], Any], seconds: float = 10.0) -> None:
        async with asyncio.timeout(seconds):
            while not true():  # noqa: ASYNC110 - a socket is between us
                await asyncio.sleep(0.01)

    def order(self, market: Market, side: Side, price: Price, shares: int, **changes: Any) -> NewOrder:
        terms: dict[str, Any] = {"asset": market.yes, "tick": market.tick} | changes
        return NewOrder(
            next(self._numbers), market.condition_id, side=side, price=price, size=shares * SIZE_ONE, **terms
        )

    def place(self, *orders: NewOrder) -> None:
        now_ns = time.time_ns()
        plan_id = f"plan-{orders[0].client_order_id}"
        for order in orders:
            self.blotter.plan(order, Strategy.SPREAD, now_ns)
        self.hands.take(Place(plan_id, Strategy.SPREAD, orders, now_ns))

    def cancel(self, *orders: NewOrder) -> None:
        now_ns = time.time_ns()
        ids = self.blotter.ask_cancel([order.client_order_id for order in orders], now_ns)
        self.hands.take(Cancel(ids, CancelReason.REQUOTE, now_ns))

    def state(self, order: NewOrder) -> OrderState:
        live = self.blotter.order(order.client_order_id)
        assert live is not None
        return live.state

    async def become(self, state: OrderState, *orders: NewOrder) -> None:
        try:
            await self.until(lambda: all(self.state(order) is state for order in orders))
        except TimeoutError:
            told = [f"{type(each).__name__} {each}" for each in self.outcomes][-6:]
            raise AssertionError([self.state(order) for order in orders], told) from None

    async def fault(self, **rule: object) -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.running.http}/sandbox/faults", json=rule) as answer,
        ):
            assert answer.status == 200, await answer.text()

    def simple(self) -> Market:
        """A market of today's generation, quoted in cents."""
        return next(m for m in self.markets.values() if m.generation is Generation.V1 and m.tick == 100)


def _market(spec: MarketSpec) -> Market:
    v2 = spec.generation is SandboxGeneration.V2
    return Market(
        spec.condition_id,
        "event",
        "?",
        spec.asset_ids[0],
        spec.asset_ids[1],
        generation=Generation.V2 if v2 else Generation.V1,
        tick=spec.tick,
        neg_risk=spec.neg_risk,
        fees=FeeSchedule(rate=round(spec.fees.rate * 10_000)),
    )


@asynccontextmanager
async def trading(
    pace: float = 0.0001,
    shares: Size = SHARES,
    mood: Mood = Mood.QUIET,
    clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    kind: SignatureType = SignatureType.EOA,
    wallet: str = KEY.address,
    fee_bips: int = 0,
    **config: Any,
) -> AsyncIterator[Trading]:
    sandbox = Sandbox(
        SandboxConfig(
            seed=11,
            markets=30,
            pace=pace,
            mood=mood,
            tier="Elite",
            terms=VenueTerms(cash=CASH, shares=shares, mine_ms=100, confirm_ms=200),
            fee_bips=fee_bips,
        ),
        clock_ms,
    )
    async with serving(sandbox) as running:
        at = Trading(sandbox, running, kind, wallet)
        async with asyncio.TaskGroup() as tasks:
            jobs = await at.start(tasks, **config)
            try:
                yield at
            finally:
                for job in jobs:
                    job.cancel()
                await asyncio.wait(jobs)  # a heartbeat on its way out would open the closed session again
                await at.relayer.close()
