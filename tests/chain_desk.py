"""The hands for work on chain at a desk of their own: rows in memory, and what the trader and the operator heard."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from execution.domain.chain import ENDS, ChainState, ChainTold, ChainWork
from execution.domain.lease import LeaseLost
from execution.engine import ChainHands, ChainPace, Kept, Trouble
from execution.journal import MemoryJournal, Terms
from execution.relayers.base import ChainRelayer, Prepared
from markets.domain.market import Market
from markets.domain.units import Nanos

QUICK = ChainPace(
    again_s=0.05, look_s=0.01, poll_s=0.02, poll_cap_s=0.05, resend_s=5.0, absent_s=30.0, late_s=60.0, call_s=2.0,
    rows_s=1.0,
)  # fmt: skip


class RowsAway(Exception):
    """The database does not answer."""


class MemoryRows:
    """Keeps the same promises as the rows."""

    unavailable: tuple[type[Exception], ...] = (RowsAway,)

    def __init__(self) -> None:
        self.jobs: dict[str, Kept] = {}
        self.steps: list[tuple[str, ChainState]] = []
        self.away = 0
        self.newest_token = 0

    def _knock(self) -> None:
        if self.away:
            self.away -= 1
            raise RowsAway("locked")

    async def chain_plan(self, work: ChainWork, terms: Terms, at_ns: Nanos) -> Kept | None:
        self._knock()
        if work.job_id in self.jobs:
            return self.jobs[work.job_id]
        self.jobs[work.job_id] = Kept(work, ChainState.PLANNED)
        return None

    async def chain_sending(self, job_id: str, prepared: Prepared, terms: Terms, at_ns: Nanos) -> None:
        self._knock()
        if terms.fencing_token < self.newest_token:
            raise LeaseLost("memory", terms.fencing_token)
        known = self.jobs[job_id]
        self.jobs[job_id] = Kept(known.work, ChainState.SUBMITTING, prepared, "", known.attempts + 1, at_ns)
        self.steps.append((job_id, ChainState.SUBMITTING))

    async def chain_told(self, told: ChainTold) -> None:
        self._knock()
        known = self.jobs[told.job_id]
        number = told.transaction_id or known.transaction_id
        self.jobs[told.job_id] = Kept(known.work, told.state, known.prepared, number, known.attempts, known.sent_ns)
        self.steps.append((told.job_id, told.state))

    def open(self) -> list[Kept]:
        return [each for each in self.jobs.values() if each.state not in ENDS]


class ChainDesk:
    """One run of the hands after another over the same rows, as engines come and go."""

    def __init__(self, relayer: ChainRelayer, markets: Sequence[Market]) -> None:
        self.relayer = relayer
        self.markets = {market.condition_id: market for market in markets}
        self.rows = MemoryRows()
        self.journal = MemoryJournal()
        self.told: list[ChainTold] = []
        self.troubles: list[Trouble] = []
        self.stands_against: dict[str, str] = {}
        self.now_ns: Callable[[], Nanos] = lambda: 1
        self.hands = self._hands({})

    def _hands(self, changes: dict[str, Any]) -> ChainHands:
        terms: dict[str, Any] = {"terms": Terms("real", False, 1), "pace": QUICK, "now_ns": self.now_ns} | changes
        return ChainHands(
            relayer=self.relayer,
            rows=self.rows,
            journal=self.journal,
            market_of=self.markets.get,
            objection=lambda plan_id: self.stands_against.get(plan_id, ""),
            on_told=self.told.append,
            on_trouble=self.troubles.append,
            **terms,
        )

    @asynccontextmanager
    async def at_work(self, **changes: Any) -> AsyncIterator[ChainHands]:
        """An engine's life; `pace` may be a dict of changes to the quick one."""
        if isinstance(changes.get("pace"), dict):
            values = {name: getattr(QUICK, name) for name in ChainPace.__dataclass_fields__}
            changes["pace"] = ChainPace(**values | changes["pace"])
        self.hands = self._hands(changes)
        self.hands.restore(self.rows.open())
        task = asyncio.create_task(self.hands.run())
        try:
            yield self.hands
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def until(self, state: ChainState, job_id: str = "", seconds: float = 8.0) -> ChainTold:
        async with asyncio.timeout(seconds):
            while True:
                for told in self.told:
                    if told.state is state and job_id in ("", told.job_id):
                        return told
                await asyncio.sleep(0.01)

    def states(self, work: ChainWork) -> list[ChainState]:
        """Steps that were written, in order, each once."""
        found = [state for job_id, state in self.rows.steps if job_id == work.job_id]
        return list(dict.fromkeys(found))


def now(work: ChainWork, at_ns: Nanos) -> ChainWork:
    """The same work, decided then."""
    return msgspec.structs.replace(work, decided_ns=at_ns)
