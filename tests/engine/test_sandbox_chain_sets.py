"""Full sets that go over the chain, traded at the sandbox over its sockets: books, orders, settlement and the gasless
relayer are the venue's; those that pay end whole, those that only look like it are left.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

from execution.domain.chain import ChainWork
from execution.domain.commands import Command, Place, Strategy
from execution.relayers.chain import GaslessRelayer
from execution.sandbox.accounts import CASH as PUSD
from execution.sandbox.listing import EventSpec, Generation
from execution.signing import SignatureType
from markets.domain.events import Frame
from markets.domain.market import Market
from polyweb.runtime.inbox import TraderConfig
from polyweb.runtime.trader import Trader
from strategies.domain.arb_params import ArbParams
from strategies.domain.basket_stages import ENDS, BasketMoved, Stage
from strategies.domain.intents import Route
from tests.builders import SECOND, a_control, book, plain
from tests.chain_builders import KEY, WALLET, an_access
from tests.chain_desk import ChainDesk
from tests.sandbox_sets import SHALLOW, WIDE, Books, plant
from tests.sandbox_trading import CASH, Trading, trading

CONVERTS: Books = (({3000: 50}, {6000: 50}),) * 4  # every YES of four is bid for at 0.30: every NO costs 2.80 of 3
SPLITS: Books = (*CONVERTS[:3], ({4500: 50}, {6000: 50}))
UNSOLD: Books = (*((({4500: 50}, {6000: 50}),) * 3), ({}, {3000: 50}))  # one NO cannot be bought, a split sells three
THIN: Books = (({2550: 50}, {6000: 50}),) * 4  # 1.02 in all: less than the fees


class Floor:
    """A trader with the hands for orders and for the chain, in turns as the engine takes them."""

    def __init__(self, at: Trading, plan: Mapping[str, tuple[EventSpec, Books]]) -> None:
        self.at = at
        self.events = {event.event_id: name for name, (event, _) in plan.items()}
        planted = {name: plant(at, event, books) for name, (event, books) in plan.items()}
        numbers = [event.number for event, _ in plan.values()]
        at.sandbox.generator.hold(numbers, time.time_ns() // 1_000_000 + 60_000)  # nobody but us moves these books
        now_ns = time.time_ns() - 3 * SECOND  # the quotes of the first turn use the order rate up
        markets = [market for members in planted.values() for market in members]
        self.trader = _a_trader(markets, now_ns)
        for name, (_, books) in plan.items():
            for market, (bids, asks) in zip(planted[name], books, strict=False):
                self.trader.apply(Frame(now_ns, 0, book(market, now_ns, bids, asks)))
        self.desk = ChainDesk(GaslessRelayer(an_access(at.running.http), KEY), markets)
        self.desk.now_ns = time.time_ns
        self.heard = self.told = 0
        self.jobs: list[ChainWork] = []
        self.ended: dict[str, BasketMoved] = {}
        self.first = self.trader.decide(now_ns)

    async def run(self, baskets: int, seconds: float = 20.0) -> None:
        """Until so many baskets have ended."""
        async with self.desk.at_work(), asyncio.timeout(seconds):
            await self._carry(self.first)
            while len(self.ended) < baskets:
                await self._carry(self._turn())
                await asyncio.sleep(0.02)

    def _turn(self) -> list[Command]:
        for outcome in self.at.outcomes[self.heard :]:
            self.trader.apply(outcome)
        self.heard = len(self.at.outcomes)
        for told in self.desk.told[self.told :]:
            self.trader.apply(told)
        self.told = len(self.desk.told)
        commands = self.trader.decide(time.time_ns())
        for step in self.trader.drain_baskets():
            if step.stage in ENDS:
                self.ended[self.events[step.basket.event_id]] = step
        return commands

    async def _carry(self, commands: Iterable[Command]) -> None:
        for command in commands:
            if isinstance(command, ChainWork):
                self.jobs.append(command)
                self.desk.hands.take(command)
            elif isinstance(command, Place) and command.strategy is Strategy.DUTCH_BOOK:
                await self.at.hands.carry_out(command)

    def owned(self) -> dict[str, int]:
        """What the wallet has at the sandbox."""
        return self.at.sandbox.venue.ledger.of(WALLET).owned

    async def settled(self) -> None:
        """Until the venue has nothing of ours under way."""
        await self.at.until(lambda: self._turn() == [] and not self.trader.ledger.in_flight)

    def differences(self) -> dict[str, tuple[int, int]]:
        """What the wallet has at the sandbox and what our ledger says, where they are not the same."""
        owned, ledger = self.at.sandbox.venue.ledger.of(WALLET).owned, self.trader.ledger
        ours = {**ledger.positions, PUSD: ledger.cash}
        listed = [asset for market in self.desk.markets.values() for asset in (market.yes, market.no)]
        pairs = {asset: (owned.get(asset, 0), ours.get(asset, 0)) for asset in (*listed, PUSD)}
        return {asset: pair for asset, pair in pairs.items() if pair[0] != pair[1]}


def _a_trader(markets: Iterable[Market], now_ns: int) -> Trader:
    trader = Trader(TraderConfig(first_id=1, starting_cash=CASH, hash_every=0, chain=True))
    arb = ArbParams(enabled=True, lock_rate_bps=400, cool_down_ms=3_600_000, deadline_ms=10_000, chain_wait_ms=15_000)
    trader.apply(a_control(tuple(markets), now_ns, arb=arb, defaults=plain(half_spread=4_000), limits=WIDE))
    return trader


@asynccontextmanager
async def a_floor(**plan: Books) -> AsyncIterator[Floor]:
    async with trading(shares=0, kind=SignatureType.POLY_GNOSIS_SAFE, wallet=WALLET) as at:
        contests = [event for event in at.sandbox.generator.events if event.neg_risk]
        plain_ones = [event for event in contests if not event.augmented]
        v1 = [event for event in plain_ones if event.markets[0].generation is Generation.V1]
        beds = {
            "v1": v1[0],
            "other_v1": v1[1],
            "v2": next(event for event in plain_ones if event.markets[0].generation is Generation.V2),
            "augmented": next(event for event in contests if event.augmented),
        }
        yield Floor(at, {name: (beds[name], books) for name, books in plan.items()})


async def test_of_four_sets_those_that_pay_go_over_the_chain_whole_and_the_others_are_left() -> None:
    async with a_floor(v1=CONVERTS, other_v1=UNSOLD, v2=SHALLOW, augmented=CONVERTS) as floor:
        await floor.run(2)
        bought, sold = floor.ended["v1"], floor.ended["other_v1"]
        assert (bought.stage, bought.basket.route) == (Stage.WHOLE, Route.BUY_ALL_NO_AND_CONVERT)
        assert (sold.stage, sold.basket.route) == (Stage.WHOLE, Route.SPLIT_AND_SELL_ALL_YES)
        assert bought.profit >= bought.basket.edge > 0
        assert sold.profit > 0
        assert sorted(work.verb.value for work in floor.jobs) == ["convert", "convert", "split"]
        assert set(floor.ended) == {"v1", "other_v1"}
        await floor.settled()
        assert floor.differences() == {}


async def test_a_v2_event_is_split_at_once_and_a_set_the_fees_eat_is_left() -> None:
    async with a_floor(v2=UNSOLD, v1=THIN) as floor:
        await floor.run(1)
        sold = floor.ended["v2"]
        assert (sold.stage, sold.basket.route) == (Stage.WHOLE, Route.SPLIT_AND_SELL_ALL_YES)
        assert [work.verb.value for work in floor.jobs] == ["split event"]
        assert sold.profit > 0
        await floor.settled()
        assert floor.differences() == {}
