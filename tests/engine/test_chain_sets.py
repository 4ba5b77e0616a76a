"""Sets that pay only over the chain, planted in the sandbox: found, traded, converted and booked to the last millionth
by the trader, its turns and both pairs of hands.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from execution.domain.chain import ChainState
from execution.domain.commands import Resync
from execution.engine import ChainHands
from execution.journal import Terms
from execution.relayers.base import Ok
from execution.relayers.chain import GaslessRelayer
from execution.sandbox.accounts import CASH as PUSD
from execution.sandbox.listing import EventSpec
from execution.signing import SignatureType
from markets.domain.events import Frame
from markets.domain.market import Generation, Market
from markets.domain.units import AssetId
from polyweb.runtime.inbox import TraderConfig
from polyweb.runtime.loop import Turns
from polyweb.runtime.trader import Trader
from risk.domain.limits import Limits
from strategies.domain.arb_params import ArbParams
from strategies.domain.basket_stages import ENDS, BasketMoved, Stage
from strategies.domain.intents import Route
from tests.builders import SECOND, a_control, book, plain
from tests.chain_builders import KEY, WALLET, an_access, market_of
from tests.chain_desk import QUICK, MemoryRows
from tests.sandbox_trading import CASH, Trading, trading

SHARE = 1_000_000
BIDS, ASKS = {3000: 50}, {4000: 50}  # every YES of four is bid for at 0.30: 1.20 in all
WIDE = replace(Limits(10**12, 10**12, 10**12), orders_per_second=1_000)


class Nobody:
    def resync(self, command: Resync) -> None:
        """The books are fed by hand."""


class Works:
    """A trader that decides turn after turn, with hands for orders and for the chain."""

    def __init__(self, at: Trading, members: list[Market]) -> None:
        self.at = at
        self.members = members
        self.rows = MemoryRows()
        self.steps: list[BasketMoved] = []
        now_ns = time.time_ns()
        self.trader = Trader(TraderConfig(first_id=1, starting_cash=CASH, hash_every=0, chain=True))
        arb = ArbParams(enabled=True, lock_rate_bps=0, max_size=20 * SHARE)
        limits, quotes = WIDE, plain(half_spread=4_000)
        self.trader.apply(a_control(tuple(members), now_ns, arb=arb, defaults=quotes, limits=limits))
        self.chain = ChainHands(
            relayer=GaslessRelayer(an_access(at.running.http), KEY, on_confirmed=None),
            rows=self.rows,
            journal=at.journal,
            terms=Terms("real", False, 1),
            market_of=self.trader.known,
            objection=self.trader.objection,
            on_told=lambda told: self.turns.push(told),
            on_trouble=at.troubles.append,
            pace=QUICK,
        )
        self.turns = Turns(
            trader=self.trader, hands=at.hands, chain=self.chain, feed=Nobody(), log=None,
            on_facts=lambda _: None, on_turn=lambda _: None,
        )  # fmt: skip
        self._heard = 0

    def show(self) -> None:
        now_ns = time.time_ns()
        for market in self.members:
            self.turns.push(Frame(now_ns, 0, book(market, now_ns, BIDS, ASKS)))

    async def run(self) -> None:
        shown = 0.0
        while True:
            if time.monotonic() - shown > 0.5:  # books grow old
                shown = time.monotonic()
                self.show()
            for outcome in self.at.outcomes[self._heard :]:
                self.turns.push(outcome)
            self._heard = len(self.at.outcomes)
            self.turns.turn()
            self.steps += self.trader.drain_baskets()
            await asyncio.sleep(0.01)

    async def ended(self) -> BasketMoved:
        async with asyncio.timeout(20):
            while True:
                for step in self.steps:
                    if step.stage in ENDS:
                        return step
                await asyncio.sleep(0.02)

    def owned(self) -> dict[AssetId, int]:
        owned = self.at.sandbox.venue.ledger.of(WALLET).owned
        ours = {asset for market in self.members for asset in (market.yes, market.no)}
        return {asset: owned[asset] for asset in ours if owned[asset]}

    async def agree(self) -> None:
        """Everything is settled, and the books of both sides say the same."""
        await self.at.until(lambda: not self.trader.ledger.in_flight and not self.trader.chain.open)
        assert self.owned() == dict(self.trader.ledger.positions)
        assert self.at.sandbox.venue.ledger.of(WALLET).owned[PUSD] == self.trader.ledger.cash


def contest(at: Trading, generation: Generation) -> EventSpec:
    return next(
        event
        for event in at.sandbox.generator.events
        if event.neg_risk and not event.augmented and event.markets[0].generation.value == generation.value
    )


@asynccontextmanager
async def at_work(generation: Generation, fee_bips: int = 0) -> AsyncIterator[Works]:
    async with trading(shares=0, kind=SignatureType.POLY_GNOSIS_SAFE, wallet=WALLET, fee_bips=fee_bips) as at:
        event = contest(at, generation)
        members = [market_of(spec, event) for spec in event.markets]
        for market, spec in zip(members, event.markets, strict=True):
            at.markets[market.condition_id] = market
            floor = at.sandbox.generator.floor(spec.asset_ids[0])
            assert floor is not None
            for side, wanted in ((floor.ladder.bids, BIDS), (floor.ladder.asks, ASKS)):
                side.clear()
                side.update({price: shares * SHARE for price, shares in wanted.items()})
        works = Works(at, members)
        async with asyncio.TaskGroup() as tasks:
            jobs = [tasks.create_task(works.chain.run()), tasks.create_task(works.run())]
            try:
                yield works
            finally:
                for job in jobs:
                    job.cancel()


async def test_every_no_is_bought_and_converted_into_cash() -> None:
    async with at_work(Generation.V1) as works:
        ended = await works.ended()
        assert (ended.stage, ended.basket.route) == (Stage.WHOLE, Route.BUY_ALL_NO_AND_CONVERT)
        await works.agree()
        assert works.owned() == {}
        assert works.trader.ledger.cash - CASH == ended.profit > 0


async def test_the_adapter_s_fee_is_paid_and_booked() -> None:
    async with at_work(Generation.V1, fee_bips=20) as works:
        ended = await works.ended()
        assert ended.stage is Stage.WHOLE
        await works.agree()
        assert works.trader.ledger.cash - CASH == ended.profit > 0


async def test_a_v2_event_is_split_and_every_yes_sold() -> None:
    async with at_work(Generation.V2) as works:
        ended = await works.ended()
        assert (ended.stage, ended.basket.route) == (Stage.WHOLE, Route.SPLIT_AND_SELL_ALL_YES)
        await works.agree()
        assert works.trader.ledger.cash - CASH == ended.profit > 0


async def test_a_lost_answer_of_the_relayer_costs_the_basket_nothing_but_time() -> None:
    async with at_work(Generation.V1) as works:
        await works.at.fault(kind="drop_answer", on="POST /submit", count=1)
        assert (await works.ended()).stage is Stage.WHOLE
        await works.agree()
        assert len(works.at.sandbox.chain.transactions) == 1


async def test_a_conversion_that_reverts_leaves_the_shares_and_says_so() -> None:
    async with at_work(Generation.V1) as works:
        await works.at.fault(kind="fail_chain")
        ended = await works.ended()
        assert ended.stage is Stage.NOT_CONVERTED
        await works.agree()
        assert set(works.owned()) == {market.no for market in works.members}


async def test_what_an_open_job_may_have_moved_is_no_drift() -> None:
    async with at_work(Generation.V1) as works:
        await works.at.until(lambda: any(each.state is ChainState.MINED for each in works.trader.chain.open))
        ledger, since_ns = works.trader.ledger, time.time_ns() - 60 * SECOND
        held = await works.at.balances(works.members)
        assert isinstance(held, Ok)
        assert ledger.cash_there(since_ns).away(held.value.cash) == 0
        for market in works.members:
            assert ledger.shares_there(market.no, since_ns).away(held.value.shares.get(market.no, 0)) == 0
        await works.ended()
