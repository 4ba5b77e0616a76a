"""What arbitrage saw and did on its way to the rows, and to the operator when a basket did not come out even.

Law: an unbalanced end is told at once and written as soon as the database lets it; steps wait, never get lost. Gaps
are many and small: when too many wait the oldest are dropped and counted.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from execution.domain.chain import ChainRecord
from execution.engine import Trouble
from markets.domain.units import Nanos, size_text
from polyweb.runtime.trader import Trader
from strategies import metrics
from strategies.domain.basket_stages import BALANCED, ENDS, BasketMoved
from strategies.domain.leg_risk import cash_text
from strategies.domain.opportunity_log import Gap

GAPS_KEPT = 2_000


class Register(Protocol):
    """Who keeps the rows."""

    async def interrupted_baskets(self, now_ns: Nanos, besides: Collection[str]) -> list[str]: ...

    async def arbitrage(self, moved: Sequence[BasketMoved], gaps: Sequence[Gap]) -> None: ...


class ArbBooks:
    def __init__(self, trader: Trader, register: Register, on_trouble: Callable[[Trouble], None]) -> None:
        self._trader = trader
        self._register = register
        self._on_trouble = on_trouble
        self._moved: list[BasketMoved] = []
        self._gaps: list[Gap] = []

    async def begin(self, now_ns: Nanos) -> None:
        """Before the first quote: what an earlier engine left under way and this one cannot go on with."""
        taken_up = self._trader.taken_up
        interrupted = await self._register.interrupted_baskets(now_ns, taken_up)
        under_way = self._trader.chain.open
        for plan_id in interrupted:
            jobs = ", ".join(_job(record) for record in under_way if record.work.plan_id == plan_id)
            text = f"Basket {plan_id[:12]} was under way when the engine ended: compare its legs and even them out."
            self._on_trouble(Trouble("basket_unbalanced", plan_id, f"{text} On chain: {jobs}." if jobs else text))
        for record in under_way:
            if record.work.plan_id not in (*interrupted, *taken_up):
                text = f"{_job(record)} is under way and no basket waits for it: it counts both ways until it is known."
                self._on_trouble(Trouble("chain_job_left", record.work.job_id, text))

    async def keep(self) -> None:
        """Raises what the register raises; what was not written then is tried again the next time."""
        moved, gaps = self._trader.drain_baskets(), self._trader.drain_gaps()
        metrics.observe(moved, gaps, len(self._trader.open_gaps))
        for step in moved:
            if step.stage in ENDS - BALANCED:
                self._on_trouble(Trouble("basket_unbalanced", step.basket.plan_id, _told(step)))
        for record in self._trader.drain_strays():
            text = f"{_job(record)}: an earlier engine asked for it, so no basket goes on. What it did is booked."
            self._on_trouble(Trouble("chain_job_left", record.work.job_id, text))
        self._moved += moved
        self._gaps += gaps
        if len(self._gaps) > GAPS_KEPT:
            metrics.DROPPED.inc(len(self._gaps) - GAPS_KEPT)
            del self._gaps[:-GAPS_KEPT]
        if self._moved or self._gaps:
            await self._register.arbitrage(self._moved, self._gaps)
            self._moved, self._gaps = [], []


def _job(record: ChainRecord) -> str:
    work = record.work
    return f"{work.verb.value} of {size_text(work.amount)} for basket {work.plan_id[:12]} ({record.state.value})"


def _told(step: BasketMoved) -> str:
    filled = ", ".join(f"{size / 1_000_000:g}" for size in step.filled)
    return (
        f"Basket {step.basket.plan_id[:12]} ({step.basket.route.value}) ended {step.stage.value}: legs filled {filled}"
        f" of {step.basket.size / 1_000_000:g}, paid {cash_text(step.paid)}. {step.detail}"
    )
