"""`bench risk`: what the gate takes to judge one proposal, and whether that grows with what else is followed.

Law: all sizes are measured in one process in rounds that take turns, and medians are compared. Every proposal is one
the gate approves, so none is refused early. What moves is wanted elsewhere every time a market's turn comes, so that it
is judged anew; the same quotes wanted again, and quotes that rest already, which the gate lets pass on a shorter way,
are figures of their own. Proposals go round all markets, which is the cold case, or stay in the same two events
whatever else is followed. Time is processor time of this thread; `operations` are the bytecodes of another pass,
untimed: they tell whether more markets mean more work, or the same work further away in memory.

A market lives in an event of five of which one wins. In each we hold shares of both outcomes, two quotes rest, and one
fill waits for the chain.
"""

import gc
import time
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from statistics import median
from typing import Any, TypeAlias

from markets.domain.events import Side
from markets.domain.fees import FeeSchedule
from markets.domain.market import Generation, Market
from markets.domain.units import CASH_ONE, NANOS_PER_SECOND, PRICE_ONE, SIZE_ONE, Price
from polyweb.benches.bench import BenchError, Report, machine
from polyweb.benches.operations import operations
from risk.domain import gate
from risk.domain.exposure import ExposureBook
from risk.domain.gate import BasketVerdict, Guard, QuoteVerdict, Refused
from risk.domain.limits import Limits
from risk.domain.payoff import Unsettled
from strategies.domain.intents import Basket, Leg, Quote, QuoteSet, Route

PER_EVENT = 5
SIZES = (10, 100, 1_000)
HEADLINE = 100
NOW = 1_000 * NANOS_PER_SECOND
BID, LEG, ASK, SHARES = 4_500, 5_000, 5_500, 20 * SIZE_ONE
LIMITS = Limits(1_000 * CASH_ONE, 5_000 * CASH_ONE, 10**9 * CASH_ONE, own={
    "shares total ": 10**9 * SIZE_ONE, "notional total ": 10**9 * CASH_ONE, "open_orders total ": 10**9,
})  # fmt: skip

Work: TypeAlias = Callable[[], None]


Asked: TypeAlias = tuple[QuoteSet, Market, Guard]


@dataclass(frozen=True, slots=True)
class Stage:
    """One exposure book and the proposals that are made to it, in turn."""

    markets: Mapping[str, Market]
    exposure: ExposureBook
    quotes: Sequence[Asked]
    elsewhere: Sequence[Asked]
    standing: Sequence[Asked]
    baskets: Sequence[tuple[Basket, Guard]]


class Risk:
    help = "judge a proposal at the gate, with 10, 100 and 1 000 markets followed"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--proposals", type=int, default=2_000, help="proposals in a round (default 2000)")
        parser.add_argument("--rounds", type=int, default=11)

    def run(self, options: Mapping[str, Any]) -> Report:
        if options["proposals"] < 1 or options["rounds"] < 1:
            raise BenchError("--proposals and --rounds must be at least 1")
        stages = {size: a_stage(size) for size in SIZES}
        for stage in stages.values():
            _check_approved(stage)
        counts = _counted(stages, options["proposals"])
        found = _measure(stages, options["proposals"], options["rounds"])
        return _report(found, counts, options)


def a_stage(count: int) -> Stage:
    markets = [_market(number) for number in range(count)]
    exposure = ExposureBook(markets)
    for number, market in enumerate(markets):
        name = market.condition_id
        held = (60 + number % 40) * SIZE_ONE
        exposure.set_position(
            name, held, held // 2, held * 45 // 100, held // 4, [Unsettled(True, 5 * SIZE_ONE, 2 * CASH_ONE)]
        )
        exposure.set_order(2 * number, name, True, Side.BUY, BID, SHARES, is_quote=True, strategy=gate.SPREAD)
        exposure.set_order(
            2 * number + 1, name, False, Side.BUY, PRICE_ONE - ASK, SHARES, is_quote=True, strategy=gate.SPREAD
        )
    known = {market.condition_id: market for market in markets}
    quotes, elsewhere = (
        [
            _proposal(market, way * (market.tick if number % 2 else -market.tick))
            for number, market in enumerate(markets)
        ]
        for way in (1, -1)
    )
    standing = [_proposal(market, 0) for market in markets]
    sets = [markets[at : at + PER_EVENT] for at in range(0, count, PER_EVENT)]
    return Stage(known, exposure, quotes, elsewhere, standing, [_basket(members) for members in sets])


def _market(number: int) -> Market:
    return Market(
        f"0x{number:064x}",
        event_id=f"event-{number // PER_EVENT}",
        question=f"Will it be {number}?",
        yes=f"{number}1",
        no=f"{number}2",
        generation=Generation.V1,
        neg_risk=True,
        set_size=PER_EVENT,
        fees=FeeSchedule(rate=300),
    )


def _proposal(market: Market, moved: Price) -> Asked:
    """Both quotes so far inside of where ours rest, or outside when below 0."""
    quotes = (
        Quote(market.yes, Side.BUY, BID + moved, SHARES),
        Quote(market.no, Side.BUY, PRICE_ONE - ASK - moved, SHARES),
    )
    guard = Guard(None, True, 0, 1_000, True, mids_x2={market.condition_id: BID + ASK})
    return QuoteSet(market.condition_id, quotes), market, guard


def _basket(members: Sequence[Market]) -> tuple[Basket, Guard]:
    legs = tuple(Leg(each.condition_id, each.yes, Side.BUY, LEG, SHARES, 0, 0) for each in members)
    basket = Basket("plan", members[0].event_id, Route.BUY_ALL_YES, SHARES, legs, 0)
    return basket, Guard(None, True, 0, 1_000, True, mids_x2={each.condition_id: BID + ASK for each in members})


def _check_approved(stage: Stage) -> None:
    for wanted, market, guard in (*stage.quotes, *stage.elsewhere, *stage.standing):
        _must_pass(gate.evaluate_quotes(wanted, market, stage.exposure, LIMITS, guard, NOW))
    for basket, guard in stage.baskets:
        _must_pass(gate.evaluate_basket(basket, stage.markets, stage.exposure, LIMITS, guard, NOW))


def _must_pass(verdict: QuoteVerdict | BasketVerdict) -> None:
    if isinstance(verdict, Refused):
        raise BenchError(f"the gate refused what was to be measured: {verdict.detail}")


def _quotes(stage: Stage, count: int) -> Work:
    return _judging(stage, (*stage.quotes, *stage.elsewhere), count)


def _quotes_nearby(stage: Stage, count: int) -> Work:
    return _judging(stage, (*stage.quotes[: SIZES[0]], *stage.elsewhere[: SIZES[0]]), count)


def _again(stage: Stage, count: int) -> Work:
    return _judging(stage, stage.quotes, count)


def _standing(stage: Stage, count: int) -> Work:
    return _judging(stage, stage.standing, count)


def _judging(stage: Stage, proposals: Sequence[Asked], count: int) -> Work:
    asked, exposure = cycle(proposals), stage.exposure  # one pass goes on where the last has ended

    def work() -> None:
        for wanted, market, guard in islice(asked, count):
            gate.evaluate_quotes(wanted, market, exposure, LIMITS, guard, NOW)

    return work


def _baskets(stage: Stage, count: int) -> Work:
    asked = [stage.baskets[number % len(stage.baskets)] for number in range(count)]

    def work() -> None:
        for basket, guard in asked:
            gate.evaluate_basket(basket, stage.markets, stage.exposure, LIMITS, guard, NOW)

    return work


def _changes(stage: Stage, count: int) -> Work:
    """An order's remaining size moves and moves back: what a partial fill costs the book."""
    names = list(stage.markets)
    turns = [(number // 2 % len(names), SHARES - 1 + number % 2) for number in range(count)]
    asked = [(2 * market, names[market], left) for market, left in turns]
    exposure = stage.exposure

    def work() -> None:
        for order_id, name, left in asked:
            exposure.set_order(order_id, name, True, Side.BUY, BID, left, is_quote=True, strategy=gate.SPREAD)

    return work


MEASURED: Mapping[str, Callable[[Stage, int], Work]] = {
    "quotes": _quotes,
    "quotes_nearby": _quotes_nearby,
    "again": _again,
    "standing": _standing,
    "basket": _baskets,
    "change": _changes,
}


def _counted(stages: Mapping[int, Stage], count: int) -> Mapping[str, Mapping[int, float]]:
    """Bytecodes for each kind of work and number of markets. What is looked up once has been looked up before."""
    counts: dict[str, dict[int, float]] = {}
    for kind, make in MEASURED.items():
        for size, stage in stages.items():
            work = make(stage, count)
            work()
            counts.setdefault(kind, {})[size] = operations(work) / count
    return counts


def _measure(stages: Mapping[int, Stage], count: int, rounds: int) -> Mapping[str, Mapping[int, float]]:
    """Medians in microseconds for each kind of work and number of markets."""
    works = {(kind, size): make(stage, count) for kind, make in MEASURED.items() for size, stage in stages.items()}
    times: dict[tuple[str, int], list[float]] = {key: [] for key in works}
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds + 1):  # the first warms up
            for key, work in works.items():
                began = time.thread_time_ns()
                work()
                times[key].append((time.thread_time_ns() - began) / 1_000 / count)
    finally:
        gc.enable()
    return {kind: {size: median(times[kind, size][1:]) for size in stages} for kind in MEASURED}


def _report(
    found: Mapping[str, Mapping[int, float]], counts: Mapping[str, Mapping[int, float]], options: Mapping[str, Any]
) -> Report:
    quotes = found["quotes"]
    growth = quotes[SIZES[-1]] / quotes[SIZES[0]]
    nearby = found["quotes_nearby"][SIZES[-1]] / found["quotes_nearby"][SIZES[0]]
    more = counts["quotes"][SIZES[-1]] / counts["quotes"][SIZES[0]]
    figures = {
        "us_per_proposal": round(quotes[HEADLINE], 2),
        "growth": round(growth, 3),
        "growth_nearby": round(nearby, 3),
        "growth_of_operations": round(more, 3),
        "operations": {kind: {str(size): round(many, 1) for size, many in by.items()} for kind, by in counts.items()},
        "proposals": options["proposals"],
        "rounds": options["rounds"],
        "machine": machine(),
    } | {f"{kind}_us": {str(size): round(us, 2) for size, us in sizes.items()} for kind, sizes in found.items()}
    told = {
        "quotes": "two quotes judged",
        "quotes_nearby": "the same, always in the same two events",
        "again": "two wanted again that do not rest yet",
        "standing": "two that rest already",
        "basket": "a basket of five judged",
        "change": "an order changed",
    }
    table = [
        (f"{told[kind]}, {size} markets", f"{us:.2f} us, {counts[kind][size]:.0f} operations")
        for kind, sizes in found.items()
        for size, us in sizes.items()
    ]
    grown = f"x {growth:.2f} in time (x {nearby:.2f} in the same two events), x {more:.2f} in operations"
    return Report(figures, (*table, ("1 000 markets against 10", grown), ("machine", machine())))
