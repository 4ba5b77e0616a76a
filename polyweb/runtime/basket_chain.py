"""A basket's steps on chain: what each will change, whether it can be asked for now, and the job that asks for it.

Law: pure. A job is booked before it is sent and never decided twice; what it takes must lie here settled; nothing here
decides what a basket does next.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from execution.domain.chain import ChainWork, chain_work, effects, takes
from execution.domain.postings import Posting
from markets.domain.market import Market
from markets.domain.units import ConditionId, Nanos, cash_to_decimal, size_text
from polyweb.runtime.baskets import Working
from polyweb.runtime.state import TradingState
from risk.domain.payoff import Shift
from strategies.domain.arb_params import ArbParams
from strategies.domain.intents import Basket, ChainStep, Conversion
from strategies.domain.leg_risk import cash_text
from strategies.domain.routes import lock_cost, lock_days

PAIRS = frozenset({Conversion.SPLIT, Conversion.MERGE})


def members(step: ChainStep, markets: Mapping[ConditionId, Market]) -> list[Market]:
    """The markets a step changes something in: the one it names, or every question of the event."""
    if step.what in PAIRS:
        return [markets[name] for name in step.condition_ids]
    return [market for market in markets.values() if market.neg_risk]


def concerned(basket: Basket, markets: Mapping[ConditionId, Market]) -> dict[ConditionId, Market]:
    """The markets of a basket's legs, then those of its steps on chain."""
    names = dict.fromkeys(leg.condition_id for leg in basket.legs)
    for step in (*basket.before, *basket.after):
        names.update(dict.fromkeys(market.condition_id for market in members(step, markets)))
    return {name: markets[name] for name in names}


def fee_bps(markets: Iterable[Market], params: ArbParams) -> int:
    """What the adapter keeps of a conversion: what the venue tells, else what the operator expects."""
    return max((market.convert_fee_bps for market in markets), default=0) or params.convert_fee_bps


def impossible(basket: Basket, markets: Mapping[ConditionId, Market]) -> str:
    """Why a step of it does not exist for these markets; "" when all do."""
    try:
        for step in (*basket.before, *basket.after):
            effects(basket.plan_id, step, members(step, markets), 0, 0)
    except ValueError as error:
        return str(error)
    return ""


class WayBack(NamedTuple):
    """What is cheapest to do with whole sets that were split and not sold; no step: to keep them. `told` says why."""

    step: ChainStep | None
    told: str


class Conversions:
    """`of_job` is the basket of every job that was sent here, by job id."""

    def __init__(self, state: TradingState) -> None:
        self._state = state
        self.of_job: dict[str, Working] = {}

    def ahead(self, basket: Basket, markets: Mapping[ConditionId, Market]) -> list[dict[ConditionId, Shift]]:
        """What has changed after each step that comes before the legs."""
        done: list[Posting] = []
        found: list[dict[ConditionId, Shift]] = []
        params = self._state.control.arb
        for number, step in enumerate(basket.before):
            whose = members(step, markets)
            done.append(effects(f"{basket.plan_id}-{number}", step, whose, fee_bps(whose, params), 0))
            found.append(self._state.shifts(done))
        return found

    def cash_short(self, basket: Basket) -> str:
        """Why the first step cannot be paid for; "" when it can."""
        first = basket.before[0]
        there = self._state.ledger.cash - self._state.chain.cash_claimed
        if there >= first.size:
            return ""
        return f"{size_text(first.size)} pUSD needed to {first.what.value}, {cash_to_decimal(there):.2f} there"

    def work(self, working: Working, step: ChainStep, why: str, now_ns: Nanos, trace: str) -> ChainWork:
        """The job for the next step. Raises ValueError for one the markets do not have."""
        whose = members(step, working.markets)
        return chain_work(
            working.basket.plan_id, working.jobs, step, working.basket.event_id, whose,
            fee_bps(whose, working.params), now_ns, why, trace,
        )  # fmt: skip

    def lacking(self, work: ChainWork) -> str:
        """What a job takes and does not lie here settled and unclaimed; "" when all of it does."""
        state = self._state
        for leg in work.effects.legs:
            market = state.known(leg.condition_id)
            wanted = takes(work.effects).get(leg.asset, 0) if leg.asset else 0
            if market is None or not wanted:
                continue
            selling = state.blotter.selling(leg.condition_id, leg.asset) + state.chain.claimed(leg.asset)
            held = state.ledger.inventory(market, {leg.asset: selling})
            there = held.yes_sellable if leg.asset == market.yes else held.no_sellable
            if there < wanted:
                token = "YES" if leg.asset == market.yes else "NO"
                return f"{size_text(wanted)} {token} of {market.question} needed, {size_text(there)} settled and free"
        return ""

    def send(self, working: Working, work: ChainWork) -> bool:
        """Book it; False when it was decided before."""
        if not self._state.work_planned(work):
            return False
        working.job = work.job_id
        working.jobs += 1
        self.of_job[work.job_id] = working
        return True

    def way_back(self, working: Working, now_ns: Nanos) -> WayBack:
        """Merge pairs that were split and not sold, or keep them until they pay; questions of an event only merge
        before they have been converted.
        """
        unsold, split = working.unsold, working.basket.before[:1]
        if not unsold:
            return WayBack(None, "")
        days = lock_days(working.markets.values(), working.params, now_ns)
        keep, merge = lock_cost(unsold, days, working.params), working.params.conversion_cost
        pairs = split and split[0].what is Conversion.SPLIT and not working.converted
        if not pairs:
            return WayBack(None, f"{size_text(unsold)} whole sets kept: {cash_text(-keep)}")
        told = f"{size_text(unsold)} pairs, merge: {cash_text(-merge)}; keep: {cash_text(-keep)}"
        if merge > keep:
            return WayBack(None, told)
        return WayBack(ChainStep(Conversion.MERGE, split[0].condition_ids, unsold), told)

    def forget(self, working: Working) -> None:
        for job in [job for job, whose in self.of_job.items() if whose is working]:
            del self.of_job[job]
