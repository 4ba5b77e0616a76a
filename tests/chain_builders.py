"""A sandbox with its gasless relayer, our side of it, and what both say a wallet holds."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from execution.domain.chain import ChainState, ChainVerb, ChainWork, chain_work
from execution.domain.ledger import Ledger
from execution.relayers.base import Ok, Prepared, Receipt
from execution.relayers.chain import GaslessAccess, GaslessRelayer
from execution.sandbox.accounts import CASH as PUSD
from execution.sandbox.listing import EventSpec, MarketSpec
from execution.sandbox.server import Running, Sandbox, SandboxConfig, serving
from execution.sandbox.venue import Terms
from execution.signing import SignatureType, SigningKey
from execution.signing.wallets import safe_wallet
from markets.domain.fees import FeeSchedule
from markets.domain.market import Generation, Market
from markets.domain.units import SIZE_ONE, AssetId, Size
from strategies.domain.intents import ChainStep

KEY = SigningKey(b"\x11" * 32)
WALLET = safe_wallet(KEY.address)
CASH = 10_000 * SIZE_ONE
FEE_BIPS = 50


def market_of(spec: MarketSpec, event: EventSpec) -> Market:
    """As the listing would describe it."""
    return Market(
        spec.condition_id,
        event.event_id,
        spec.question,
        *spec.asset_ids,
        generation=Generation(spec.generation.value),
        tick=spec.tick,
        neg_risk=spec.neg_risk,
        augmented=event.augmented,
        other=spec.is_other,
        set_size=len(event.markets) if event.neg_risk and not event.augmented else 0,
        question_id=spec.question_id,
        convert_fee_bps=event.fee_bips,
        fees=FeeSchedule(rate=round(spec.fees.rate * 10_000)),
    )


@dataclass
class AtChain:
    sandbox: Sandbox
    running: Running
    relayer: GaslessRelayer
    numbers: list[int] = field(default_factory=list)

    def event(self, generation: Generation, *, neg_risk: bool) -> list[Market]:
        """The first event of that kind that is whole."""
        for event in self.sandbox.generator.events:
            if event.neg_risk is neg_risk and not event.augmented:
                found = [market_of(spec, event) for spec in event.markets]
                if found[0].generation is generation:
                    return found
        raise LookupError(generation)

    def work(self, verb: ChainVerb, members: Sequence[Market], named: Sequence[Market], size: Size = 10) -> ChainWork:
        """A job that was never asked for before; `size` in whole shares."""
        self.numbers.append(len(self.numbers))
        step = ChainStep(verb, tuple(market.condition_id for market in named), size * SIZE_ONE)
        fee = members[0].convert_fee_bps
        return chain_work("plan", self.numbers[-1], step, members[0].event_id, members, fee, 1)

    async def prepared(self, work: ChainWork, named: Sequence[Market]) -> Prepared:
        found = await self.relayer.prepare(work, named)
        assert isinstance(found, Ok), found
        return found.value

    async def send(self, work: ChainWork, named: Sequence[Market]) -> Receipt:
        answer = await self.relayer.submit(work, await self.prepared(work, named))
        assert isinstance(answer, Receipt), answer
        return answer

    async def end(self, transaction_id: str) -> Receipt:
        """What became of it in the end."""
        async with asyncio.timeout(10):
            while True:
                found = await self.relayer.transaction(transaction_id)
                assert isinstance(found, Ok), found
                if found.value.state in (ChainState.CONFIRMED, ChainState.FAILED):
                    return found.value
                await asyncio.sleep(0.02)

    async def done(self, work: ChainWork, named: Sequence[Market]) -> Receipt:
        return await self.end((await self.send(work, named)).transaction_id)

    def owned(self, wallet: str = WALLET) -> dict[AssetId, int]:
        """What the wallet holds at the sandbox, pUSD as ""."""
        owned = self.sandbox.venue.ledger.of(wallet).owned
        return {"" if asset == PUSD else asset: amount for asset, amount in owned.items() if amount}

    async def fault(self, **rule: object) -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.running.http}/sandbox/faults", json=rule) as answer,
        ):
            assert answer.status == 200, await answer.text()


def booked(*works: ChainWork) -> dict[AssetId, int]:
    """What our books say is held after these, pUSD as ""."""
    ledger = Ledger(CASH)
    for work in works:
        ledger.post(work.effects)
    return {"": ledger.cash, **ledger.positions}


def an_access(url: str, **changes: Any) -> GaslessAccess:
    terms: dict[str, Any] = {"wallet": WALLET, "kind": SignatureType.POLY_GNOSIS_SAFE, "chain_id": 137}
    return GaslessAccess(url, **terms | {"api_key": "key"} | changes)


@asynccontextmanager
async def at_chain(
    *, clock_ms: Callable[[], int] | None = None, mine_ms: int = 40, **access: Any
) -> AsyncIterator[AtChain]:
    config = SandboxConfig(
        seed=11, markets=30, pace=0.0001, terms=Terms(cash=CASH, mine_ms=mine_ms, confirm_ms=60), fee_bips=FEE_BIPS
    )
    sandbox = Sandbox(config) if clock_ms is None else Sandbox(config, clock_ms)
    async with serving(sandbox) as running:
        relayer = GaslessRelayer(an_access(running.http, **access), KEY)
        try:
            yield AtChain(sandbox, running, relayer)
        finally:
            await relayer.close()
