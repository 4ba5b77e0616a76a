"""Baskets an earlier engine left under way, at work again.

Law: pure. What is durable is believed (orders, fills, jobs), never what a screen said last; where a basket stood
follows from what was asked for. Nothing is gone on with before every book is believed and every market followed.
"""

from collections.abc import Sequence

import msgspec

from execution.domain.chain import ENDS, UNSENT, ChainState
from execution.domain.commands import Fill
from markets.domain.integrity import Trust
from markets.domain.units import NANOS_PER_MILLI, SIZE_ONE, Nanos
from polyweb.runtime.baskets import Unfinished, Working, terms_of
from polyweb.runtime.state import TradingState
from strategies.domain.arb_params import ArbParams
from strategies.domain.basket_stages import ON_CHAIN, Stage
from strategies.domain.intents import ChainStep


def as_it_stood(left: Unfinished, fills: Sequence[Fill]) -> Working:
    """The basket as the engine that ended had it, but for its markets: they are not known yet."""
    basket = left.basket
    working = Working(basket, {}, ArbParams(), _stage(left), 0)
    working.left, working.why = left.terms, left.said
    working.again = bool(left.jobs) and (left.jobs[-1].state not in ENDS or left.said.startswith(UNSENT))
    numbers = {leg.asset: number for number, leg in enumerate(basket.legs)}
    working.orders = {order.client_order_id: numbers[order.asset] for order in left.orders}
    working.tries = len({order.plan_id for order in left.orders} - {basket.plan_id})
    for fill in fills:
        if fill.client_order_id in working.orders:
            working.hear(fill)
    for job in left.jobs:
        if job.state is ChainState.CONFIRMED:
            working.done(job.work)
    working.jobs = len(left.jobs)
    if working.stage in ON_CHAIN:
        working.job = left.jobs[-1].work.job_id
    _what_is_left(working, left)
    return working


def _stage(left: Unfinished) -> Stage:
    """Where it stood: at the last thing that was asked for."""
    if left.jobs[_prepared(left) :]:
        return Stage.CONVERTING if left.basket.after else Stage.MERGING_BACK
    if not left.orders:
        return Stage.PREPARING
    last = left.orders[-1]
    if last.plan_id == left.basket.plan_id:
        return Stage.MAKING if last.post_only else Stage.TAKING
    return Stage.UNWINDING if f"-{Stage.UNWINDING.value[0]}" in last.plan_id else Stage.COMPLETING


def _prepared(left: Unfinished) -> int:
    """How many of its jobs came before the legs."""
    asked = 0
    for number, job in enumerate(left.jobs):
        steps = left.basket.before[asked : asked + 1]
        if not steps or steps[0].what is not job.work.verb:
            return number
        asked += job.state is not ChainState.FAILED  # one that was never sent is asked for once more
    return len(left.jobs)


def _after_last(left: Unfinished, steps: tuple[ChainStep, ...]) -> tuple[ChainStep, ...]:
    """The steps that have not been asked for."""
    failed_last = left.jobs[-1].state is ChainState.FAILED
    return steps[sum(job.state is not ChainState.FAILED for job in left.jobs) + failed_last :]


def _what_is_left(working: Working, left: Unfinished) -> None:
    """The steps on chain after the last one, and how it ends after them."""
    match working.stage:
        case Stage.PREPARING:
            working.todo = _after_last(left, left.basket.before)
        case Stage.CONVERTING:
            size = left.jobs[0].work.amount
            steps = _after_last(left, left.basket.after)
            working.todo = tuple(msgspec.structs.replace(step, size=size) for step in steps)
            working.ends_as = _even(working)
        case Stage.MERGING_BACK:
            working.todo = ()
            failed = left.jobs[_prepared(left) - 1].state is ChainState.FAILED
            working.ends_as = Stage.NOT_CONVERTED if failed else _even(working)
        case _:
            working.todo = ()


def _even(working: Working) -> Stage:
    """How its legs ended: a share is worth a pUSD at most, so one more of a leg is no imbalance."""
    if max(working.sizes) - min(working.sizes) > SIZE_ONE:
        return Stage.HELD
    return Stage.WHOLE if working.matched and not working.tries else Stage.UNWOUND


def not_yet(working: Working, state: TradingState) -> str:
    """Why it cannot be judged now, in words; "" when it can."""
    for condition_id in working.left:
        market = state.market(condition_id)
        if market is None:
            return f"market {condition_id[:12]} of it is not followed"
        if state.books.trust(condition_id) is not Trust.VERIFIED:
            return f"the book of {market.question} is not verified"
    return ""


def take_up(working: Working, state: TradingState, now_ns: Nanos) -> None:
    """From now on it is a basket at work like any other, under the parameters of now. `not_yet` must have said ""."""
    markets = {name: market for name in working.left if (market := state.market(name)) is not None}
    changed = [markets[name].question for name, terms in working.left.items() if terms_of(markets[name]) != terms]
    if changed:
        working.aborted = f"terms of {', '.join(changed)} changed while no engine ran"
    working.markets, working.left, working.params = markets, {}, state.control.arb
    working.sent_ns = now_ns
    working.deadline_ns = now_ns + working.params.deadline_ms * NANOS_PER_MILLI
