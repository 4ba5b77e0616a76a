"""The engine's paperwork: heartbeat, positions, market states, profit points on one thread, the lease on another.

Law: nothing stands before the lease, and no wait for a lock is long. Paperwork never blocks a turn and never stops
trading by itself; the lease does. What cannot be written is tried again with newer numbers, and said out loud.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import msgspec
from django.db import Error, close_old_connections, connections, transaction

from execution import chain_store, selectors
from execution import services as execution
from execution.domain.chain import ChainTold, ChainWork
from execution.domain.lease import Lease
from execution.domain.moments import moment
from execution.domain.postings import Posting
from execution.domain.reconcile import Correction
from execution.engine import Kept, Trouble
from execution.journal import Terms
from execution.relayers.base import Prepared
from execution.selectors import venue_known_ms
from execution.services import Beat, Holding, Opening, ProfitPoint, Shown
from markets import selectors as markets
from markets.domain.market import Market
from markets.domain.units import NANOS_PER_MILLI, Cash, ConditionId, Nanos
from markets.services.patience import settle_in
from markets.services.recordings import register_segment
from polyweb.runtime import views
from polyweb.runtime.baskets import Unfinished
from polyweb.runtime.control import read_control
from polyweb.runtime.inbox import Control
from polyweb.runtime.left_baskets import left_baskets
from polyweb.runtime.recordings import Finished
from polyweb.runtime.trader import Trader
from risk import selectors as risk_selectors
from risk import services as risk
from risk.domain.breakers import Breaker
from risk.services import BreakerReport
from strategies import store as arbitrage
from strategies.domain.basket_stages import BasketMoved
from strategies.domain.opportunity_log import Gap

T = TypeVar("T")
LEASE_TTL = timedelta(seconds=15)
# How long SQLite may keep one write waiting before it is tried again.
PAPER_WAIT_S = 2.0
LEASE_WAIT_S = 1.0


def _thread(name: str, wait_s: float) -> ThreadPoolExecutor:
    """One worker, one connection of its own."""
    return ThreadPoolExecutor(1, thread_name_prefix=name, initializer=settle_in, initargs=(wait_s,))


class Clerk:
    """Every method is awaited from the event loop and runs on a thread of the clerk's own."""

    # What a database that is locked, restarting or gone raises; the caller tries again with newer numbers.
    unavailable = (Error,)

    def __init__(self, lease_ttl: timedelta = LEASE_TTL) -> None:
        self.lease_ttl = lease_ttl
        self._paper = _thread("clerk", PAPER_WAIT_S)
        self._lease = _thread("lease", LEASE_WAIT_S)
        self._newest_posting = 0

    async def _run(self, work: Callable[[], T], thread: ThreadPoolExecutor | None = None) -> T:
        def fresh() -> T:
            close_old_connections()
            return work()

        return await asyncio.get_running_loop().run_in_executor(thread or self._paper, fresh)

    async def close(self) -> None:
        for thread in (self._paper, self._lease):
            await self._run(connections.close_all, thread)
            thread.shutdown(wait=False)

    async def acquire(self, holder: str) -> Lease:
        """Raises LeaseHeld while another engine trades for this wallet."""
        return await self._run(lambda: execution.acquire_lease(holder=holder, ttl=self.lease_ttl), self._lease)

    async def renew(self, lease: Lease) -> Lease:
        """Raises LeaseLost: somebody newer trades, this engine must stop."""
        return await self._run(lambda: execution.renew_lease(lease=lease, ttl=self.lease_ttl), self._lease)

    async def release(self, lease: Lease) -> bool:
        return await self._run(lambda: execution.release_lease(lease=lease), self._lease)

    async def abandon(self, relayers: Collection[str]) -> None:
        """Close orders and jobs of venues that died with an earlier process, and what a dry run left."""
        reason = "its venue died with an earlier engine"
        await self._run(lambda: execution.abandon_orders(relayers=relayers, reason=reason))
        await self._run(lambda: chain_store.abandon(relayers, reason))

    async def opening(self, relayer: str, wallet: str, venue: str, cash: Cash) -> Opening:
        """What the account held when an engine first traded it; `cash` (1e-6 pUSD) when this is the first."""
        return await self._run(lambda: execution.open_account(relayer=relayer, wallet=wallet, venue=venue, cash=cash))

    async def venue_known_ns(self, relayer: str) -> Nanos:
        """Until when the last engine had heard and written down everything the venue said; 0 when unknown."""
        return NANOS_PER_MILLI * await self._run(lambda: venue_known_ms(relayer))

    async def markets_named(self, condition_ids: Collection[ConditionId]) -> tuple[Market, ...]:
        """Markets as stored, followed or not."""
        return await self._run(lambda: tuple(markets.named(condition_ids)))

    async def control(self, seen: int | None, now_ns: Nanos) -> Control | None:
        return await self._run(lambda: read_control(seen, now_ns))

    async def beat(self, status: Beat) -> None:
        await self._run(lambda: execution.beat(status))

    async def trouble(self, trouble: Trouble) -> None:
        await self._run(lambda: risk.open_incident(kind=trouble.kind, key=trouble.key, text=trouble.text))

    async def settled(self, key: str) -> None:
        await self._run(lambda: risk.close_incident_by_key(key=key))

    async def reconciled(self, source: str, relayer: str, corrections: Sequence[Correction]) -> None:
        await self._run(lambda: execution.reconcile(source=source, relayer=relayer, corrections=corrections))

    async def postings(self, relayer: str) -> Sequence[Posting]:
        """What moved the money of `relayer` besides fills, oldest first."""
        self._newest_posting, found = await self._run(lambda: selectors.postings_after(relayer, 0))
        return found

    async def new_postings(self, relayer: str) -> Sequence[Posting]:
        """Those written since they were last asked for, by whomever."""
        self._newest_posting, found = await self._run(lambda: selectors.postings_after(relayer, self._newest_posting))
        return found

    async def post(self, relayer: str, postings: Sequence[Posting]) -> None:
        """Write them down; only then may the trader be told. Raises ValueError for a market that is not stored."""
        await self._run(lambda: execution.record_postings(relayer=relayer, postings=postings))

    async def chain_plan(self, work: ChainWork, terms: Terms, at_ns: Nanos) -> Kept | None:
        return await self._run(lambda: chain_store.plan(work, terms, at_ns))

    async def chain_sending(self, job_id: str, prepared: Prepared, terms: Terms, at_ns: Nanos) -> None:
        """Raises LeaseLost."""
        await self._run(lambda: chain_store.sending(job_id, prepared, terms, at_ns))

    async def chain_told(self, told: ChainTold) -> None:
        await self._run(lambda: chain_store.told(told))

    async def chain_open(self, relayer: str) -> Sequence[Kept]:
        """Jobs on chain that an earlier engine left open, oldest first."""
        return await self._run(lambda: chain_store.open_jobs(relayer))

    async def positions(self, holdings: Sequence[Holding]) -> None:
        await self._run(lambda: execution.record_positions(holdings))

    async def states(self, shown: Sequence[Shown]) -> None:
        await self._run(lambda: execution.record_market_states(shown))

    async def keep(self, breakers: Collection[Breaker], memories: Mapping[str, str], at_ns: Nanos) -> None:
        """Breakers as they are now, and what a restart must not forget."""
        reports = [_breaker_report(breaker) for breaker in breakers]

        def write() -> None:
            with transaction.atomic():
                risk.report_breakers(reports)
                risk.keep_memories(memories, at=moment(at_ns))

        await self._run(write)

    async def memories(self) -> tuple[dict[str, str], tuple[Breaker, ...]]:
        """What an earlier run kept, and the breakers it left standing."""
        return await self._run(lambda: (risk_selectors.memories(), risk_selectors.standing_breakers()))

    async def arbitrage(self, moved: Sequence[BasketMoved], gaps: Sequence[Gap]) -> None:
        def write() -> None:
            arbitrage.record_baskets(moved)
            arbitrage.record_opportunities(gaps)

        await self._run(write)

    async def left_baskets(self, relayer: str, since_ns: Nanos) -> tuple[Unfinished, ...]:
        """Baskets that an earlier engine left under way and that can be gone on with."""
        return await self._run(lambda: left_baskets(relayer, since_ns))

    async def interrupted_baskets(self, now_ns: Nanos, besides: Collection[str]) -> list[str]:
        """Plans of baskets that an earlier engine left under way, but for those that are gone on with."""
        at = moment(now_ns)
        return await self._run(
            lambda: [basket.plan_id for basket in arbitrage.interrupt_baskets(at=at, besides=besides)]
        )

    async def recorded(self, root: Path, finished: Finished) -> None:
        await self._run(lambda: register_segment(root=root, path=finished.path, index=finished.index))

    async def points(self, points: Sequence[ProfitPoint], now_ns: Nanos) -> None:
        await self._run(lambda: execution.record_pnl_points(points, at=moment(now_ns)))


def _breaker_report(breaker: Breaker) -> BreakerReport:
    until = moment(breaker.until_ns) if breaker.until_ns else None
    kind, state = breaker.kind.value, breaker.state.value
    return BreakerReport(kind, state, moment(breaker.since_ns), breaker.reason, breaker.target, until)


def holding(trader: Trader, market: Market) -> Holding:
    held = trader.inventory(market)
    price = views.mark(trader, market.condition_id)
    pnl = views.market_pnl(trader, market)
    return Holding(
        condition_id=market.condition_id,
        yes=held.yes,
        no=held.no,
        yes_cost=held.yes_cost,
        no_cost=held.no_cost,
        realised=pnl.realised,
        unrealised=pnl.unrealised,
        fees=pnl.fees,
        mark=price,
    )


def shown(trader: Trader, market: Market, now_ns: Nanos) -> Shown:
    """Spelled out at once: a view is some forty containers, and hundreds of them wait for their rows."""
    view = views.market_view(trader, market, now_ns)
    spelled = msgspec.Raw(msgspec.json.encode(view))
    return Shown(market.condition_id, view["state"], view["reason"], view["trust"], spelled)


def total_point(trader: Trader) -> ProfitPoint:
    return ProfitPoint(None, views.account_pnl(trader).total)


def profit_point(trader: Trader, market: Market) -> ProfitPoint | None:
    """None for a market that neither holds nor earned anything."""
    pnl, held = views.market_pnl(trader, market), trader.inventory(market)
    if not (pnl.total or held.yes or held.no):
        return None
    return ProfitPoint(market.condition_id, pnl.total, held.net_yes)
