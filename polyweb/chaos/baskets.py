"""Baskets that go over the chain, in the middle of a trial: planted again and again, and counted.

Law: what the venue did is read from its own transactions, what we believe of it from our rows.
"""

from collections import Counter

from execution.domain.chain import ENDS as JOB_ENDS
from execution.domain.chain import ChainState
from execution.models import ChainJob, ChainJobEvent
from execution.sandbox.chain import UNDER_WAY, State
from execution.sandbox.desk import SUBMIT
from execution.sandbox.mischief import Fault, read_rule
from execution.sandbox.planting import Plant, beds
from execution.sandbox.server import Sandbox
from polyweb.chaos.plan import Plan, Result
from strategies.domain.basket_stages import BALANCED, ENDS
from strategies.models import ArbBasket, ArbStep

EVERY_S, STANDING_S, LONGEST_S = 8, 6, 7_200
SLOW_SHARE, SLOW_S = 0.5, 1.5
HELD_SHARE, HELD_S = 0.3, 0.15
TAKEN_UP = "taken up after a restart"
ENDED = [stage.value for stage in ENDS]


def chain_events(sandbox: Sandbox) -> tuple[str, ...]:
    """Gamma ids of the events whose sets pay over the chain only."""
    found = beds(sandbox.generator.events)
    return tuple(found[what].event_id for what in (Plant.CONVERT, Plant.SPLIT) if what in found)


def make_trouble(sandbox: Sandbox, plan: Plan) -> None:
    """Sets to trade from now on, and what goes wrong with their jobs."""
    now_ms = sandbox.catch_up()
    rules: list[dict[str, object]] = [
        {"kind": "plant_sets", "at_seconds": at, "seconds": STANDING_S} for at in range(EVERY_S, LONGEST_S, EVERY_S)
    ]
    rules += [
        {"kind": "slow_chain", "probability": SLOW_SHARE, "seconds": SLOW_S},
        {"kind": "drop_answer", "on": SUBMIT, "probability": plan.drop_rate},
        {"kind": "delay_answer", "on": SUBMIT, "probability": HELD_SHARE, "seconds": HELD_S},
        {"kind": "fail_chain", "probability": plan.failed_rate},
    ]
    for rule in rules:
        sandbox.mischief.add(read_rule(rule), now_ms)


def under_way(sandbox: Sandbox) -> bool:
    """Whether the venue has taken a transaction that has not been mined."""
    return any(each.state in UNDER_WAY for each in sandbox.chain.transactions.values())


def done(sandbox: Sandbox) -> int:
    """Transactions that have changed balances."""
    return sum(each.state in (State.MINED, State.CONFIRMED) for each in sandbox.chain.transactions.values())


def jobs_open() -> int:
    """Blocking: jobs that have not ended in our rows."""
    return ChainJob.objects.exclude(state__in=[state.value for state in JOB_ENDS]).count()


def open_baskets() -> int:
    """Blocking: baskets that have begun and not ended, and jobs that have not."""
    return ArbBasket.objects.exclude(stage__in=ENDED).count() + jobs_open()


def count(sandbox: Sandbox, result: Result) -> None:
    """Blocking: what came of it all."""
    result.jobs = done(sandbox)
    result.jobs_failed = sandbox.mischief.injected[Fault.FAIL_CHAIN]
    ended = Counter(ArbBasket.objects.values_list("stage", flat=True))
    result.baskets = dict(sorted(ended.items()))
    result.baskets_taken_up = ArbStep.objects.filter(detail=TAKEN_UP).values("basket").distinct().count()
    result.problems += [f"{number} baskets are still {stage}" for stage, number in ended.items() if stage not in ENDED]
    told = ArbBasket.objects.exclude(stage__in=[stage.value for stage in BALANCED]).order_by("pk")
    result.baskets_to_look_at = [f"{row.route}, {row.stage}: {row.detail}" for row in told]
    lost = ChainJobEvent.objects.filter(after=ChainState.UNKNOWN.value, detail__startswith="answer lost")
    result.job_answers_lost = lost.count()
