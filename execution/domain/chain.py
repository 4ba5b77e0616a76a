"""Work on chain as values: what is asked of it, where each job stands, and what a finished one changes.

Law: a job's effects are fixed when it is decided and are booked once, by its id; an end is believed only when it is
proved, and until then everything the job may take counts as taken.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from execution.domain.postings import Posting, PostingKind, PostingLeg, merge, split
from markets.domain.market import Generation, Market
from markets.domain.units import AssetId, Cash, ConditionId, Nanos, Size
from strategies.domain.intents import ChainStep, Conversion

# The verbs are those of the routes: strategies name them, this room carries them out.
ChainVerb = Conversion

BPS_ONE = 10_000
NEVER_SENT = "dry run: signed, never sent"  # how a job ends that was by intention not sent
# How the word of a job begins that has failed because it was not sent: nothing was changed, and nothing will be.
UNSENT = ("not sent: ", "never sent: ")


class ChainState(StrEnum):
    """Where a job is. `UNKNOWN`: it may have been done; `MINED`: in a block that may still be undone."""

    PLANNED = "planned"
    SUBMITTING = "submitting"
    UNKNOWN = "unknown"
    SUBMITTED = "submitted"
    MINED = "mined"
    CONFIRMED = "confirmed"
    FAILED = "failed"


ENDS = frozenset({ChainState.CONFIRMED, ChainState.FAILED})

_S = ChainState
# Whoever only hears answers (the trader) goes from PLANNED straight to what they say. The same word said twice
# changes nothing and is in no row.
MOVES: Mapping[ChainState, frozenset[ChainState]] = {
    _S.PLANNED: frozenset({_S.SUBMITTING, _S.UNKNOWN, _S.SUBMITTED, _S.MINED, _S.CONFIRMED, _S.FAILED}),
    _S.SUBMITTING: frozenset({_S.UNKNOWN, _S.SUBMITTED, _S.MINED, _S.CONFIRMED, _S.FAILED}),
    _S.UNKNOWN: frozenset({_S.SUBMITTING, _S.SUBMITTED, _S.MINED, _S.CONFIRMED, _S.FAILED}),
    _S.SUBMITTED: frozenset({_S.UNKNOWN, _S.MINED, _S.CONFIRMED, _S.FAILED}),
    _S.MINED: frozenset({_S.UNKNOWN, _S.SUBMITTED, _S.CONFIRMED, _S.FAILED}),  # a block can be undone
    _S.CONFIRMED: frozenset(),
    _S.FAILED: frozenset({_S.CONFIRMED}),  # the proof of its failure was wrong: what moved is believed
}


class IllegalChainMove(ValueError):
    """The table has no row for this; the job is as it was."""

    def __init__(self, before: ChainState, after: ChainState) -> None:
        super().__init__(f"a job on chain that is {before.value} cannot become {after.value}")
        self.before = before
        self.after = after


def moved(before: ChainState, after: ChainState) -> ChainState:
    """The state after hearing `after`. Raises IllegalChainMove for what the table does not have."""
    if after is not before and after not in MOVES[before]:
        raise IllegalChainMove(before, after)
    return after


class ChainWork(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Do one step of a plan on chain: `amount` of `verb` on these markets. (`plan_id`, `step`) is done once, ever.

    `condition_ids` as in `ChainStep`. `effects` is what it changes when it is confirmed, decided here and now. `trace`
    is JSON of `strategies.domain.basket_traces` where the job is the first thing its basket asks for.
    """

    plan_id: str
    step: int
    verb: Conversion
    event_id: str
    condition_ids: tuple[ConditionId, ...]
    amount: Size
    decided_ns: Nanos
    effects: Posting
    why: str = ""
    trace: str = ""

    @property
    def job_id(self) -> str:
        return job_id(self.plan_id, self.step)


class ChainTold(msgspec.Struct, frozen=True, gc=False, tag=True):
    """What became of a job, for the inbox. `booked` is its effects, with the answer that confirmed them only; they
    have been written down before they come here.
    """

    job_id: str
    state: ChainState
    at_ns: Nanos
    detail: str = ""
    transaction_id: str = ""
    transaction_hash: str = ""
    booked: Posting | None = None


class ChainRecord(msgspec.Struct, frozen=True, gc=False):
    """A job as the journal knows it, to go on with after a restart."""

    work: ChainWork
    state: ChainState
    transaction_id: str = ""


def job_id(plan_id: str, step: int) -> str:
    return f"{plan_id}-{step}"


def chain_work(
    plan_id: str, number: int, step: ChainStep, event_id: str, members: Sequence[Market], fee_bps: int, now_ns: Nanos,
    why: str = "", trace: str = "",
) -> ChainWork:  # fmt: skip
    """The command for one step. Raises ValueError like `effects`."""
    booked = effects(job_id(plan_id, number), step, members, fee_bps, now_ns, why)
    return ChainWork(plan_id, number, step.what, event_id, step.condition_ids, step.size, now_ns, booked, why, trace)


def effects(
    name: str, step: ChainStep, members: Sequence[Market], fee_bps: int, at_ns: Nanos, reason: str = ""
) -> Posting:
    """What a confirmed step changes, as one posting with the id `chain:<name>`.

    `members` are all markets of the event in which something changes; `fee_bps` is what the V1 adapter keeps of a
    conversion. A pair's cash is booked half on each token; in an event every question counts as equally likely, so
    that what goes in is worth what comes out whatever the ledger holds. Raises ValueError when a market is missing,
    the amount is not above 0, or a verb does not exist for these markets.
    """
    if step.size <= 0:
        raise ValueError(f"size: {step.size} is nothing to {step.what.value}")
    known = {market.condition_id: market for market in members}
    missing = [name for name in step.condition_ids if name not in known]
    if missing or not step.condition_ids:
        raise ValueError(f"condition_ids: {', '.join(missing) or 'none'} not among the markets given")
    named, posting_id = [known[name] for name in step.condition_ids], f"chain:{name}"
    match step.what:
        case Conversion.SPLIT:
            return split(posting_id, _one(named), step.size, at_ns, reason)
        case Conversion.MERGE:
            return merge(posting_id, _one(named), step.size, at_ns, reason)
        case Conversion.SPLIT_EVENT:
            kind, legs = PostingKind.SPLIT, _event(members, named, step.size)
        case Conversion.CONVERT:
            kind, legs = PostingKind.CONVERT, _convert(members, named, step.size, fee_bps)
        case Conversion.CONVERT_ONE:
            kind, legs = PostingKind.CONVERT, _convert_one(members, named[0], step.size)
    return Posting(posting_id, kind, legs, at_ns, reason)


def _one(named: Sequence[Market]) -> Market:
    if len(named) != 1:
        raise ValueError(f"condition_ids: a pair is of one market, not of {len(named)}")
    return named[0]


def _event(members: Sequence[Market], named: Sequence[Market], amount: Size) -> tuple[PostingLeg, ...]:
    """Protocol V2: one pUSD becomes a YES of every question. The synthetic Other is not listed and not booked."""
    _expect(members, Generation.V2, "split an event")
    if len(named) != len(members):
        raise ValueError(
            f"condition_ids: an event of {len(members)} questions is split whole, not {len(named)} of them"
        )
    return _bought(members, amount, amount)


def _convert(members: Sequence[Market], named: Sequence[Market], amount: Size, fee_bps: int) -> tuple[PostingLeg, ...]:
    """V1: k NO become k - 1 pUSD and a YES of every other question; the adapter keeps its fee of both."""
    _expect(members, Generation.V1, "convert")
    if len(members) < 2 or not all(market.neg_risk for market in members):
        raise ValueError("members: only the questions of a neg-risk event convert")
    converted = {market.condition_id for market in named}
    others = [market for market in members if market.condition_id not in converted]
    fee = amount * fee_bps // BPS_ONE
    cash = (len(converted) - 1) * amount
    worth = len(others) * amount // len(members)
    bought = _bought(others, amount - fee, worth) if others else ()
    kept: Cash = (len(converted) - 1) * fee
    charged = (PostingLeg(condition_id=named[0].condition_id, cash=-kept),) if kept else ()
    return (*_sold(named, amount, cash + worth), *bought, *charged)


def _convert_one(members: Sequence[Market], market: Market, amount: Size) -> tuple[PostingLeg, ...]:
    """Protocol V2: one NO becomes a YES of every other question. The synthetic Other is not listed and not booked."""
    _expect(members, Generation.V2, "convert one NO")
    others = [each for each in members if each.condition_id != market.condition_id]
    if not others:
        raise ValueError("members: only the questions of an event convert")
    worth = len(others) * amount // len(members)
    return (*_sold([market], amount, worth), *_bought(others, amount, worth))


def _bought(markets: Sequence[Market], shares: Size, cost: Cash) -> tuple[PostingLeg, ...]:
    return tuple(
        PostingLeg(market.yes, market.condition_id, shares, -part)
        for market, part in zip(markets, _parts(cost, len(markets)), strict=True)
    )


def _sold(markets: Sequence[Market], shares: Size, proceeds: Cash) -> tuple[PostingLeg, ...]:
    return tuple(
        PostingLeg(market.no, market.condition_id, -shares, part)
        for market, part in zip(markets, _parts(proceeds, len(markets)), strict=True)
    )


def _parts(whole: int, number: int) -> list[int]:
    """`whole` in so many parts that differ by one at most and add up."""
    return [whole * (at + 1) // number - whole * at // number for at in range(number)]


def _expect(members: Sequence[Market], generation: Generation, what: str) -> None:
    if any(market.generation is not generation for market in members):
        raise ValueError(f"members: to {what} takes markets of protocol {generation.value} only")


def takes(posting: Posting) -> dict[AssetId, Size]:
    """What must be there for it: shares per asset, and cash as the asset ""."""
    wanted: dict[AssetId, Size] = {}
    cash = sum(leg.cash for leg in posting.legs)
    for leg in posting.legs:
        if leg.shares < 0:
            wanted[leg.asset] = wanted.get(leg.asset, 0) - leg.shares
    if cash < 0:
        wanted[""] = -cash
    return wanted
