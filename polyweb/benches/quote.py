"""`bench quote`: one full quote decision, from a changed book to commands.

Law: what is timed is the trader's own `judge` of one market: stops and breakers, view, measures, fair value, plan,
gate, converge and the commands. The turn around it (the Dutch book's watch, lists of what changed) is timed in every
other decision and told apart. Applying the frame and the venue's answers is not timed. Time is processor time of this
thread.
"""

import gc
import time
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from statistics import median
from typing import Any

import msgspec

from execution.domain.commands import Accepted, Ack, Cancel, Cancelled, Command, Fill, Place, TradeStatus
from markets.domain.events import Frame
from markets.domain.units import (
    CASH_ONE,
    NANOS_PER_MILLI,
    SIZE_ONE,
    ConditionId,
    Nanos,
)
from polyweb.benches import load
from polyweb.benches.bench import BenchError, Report, machine
from polyweb.benches.load_script import Plan
from polyweb.benches.operations import operations
from polyweb.benches.quote_walk import LEVELS, OUTCOMES, START, Walk, a_market
from polyweb.runtime.inbox import NO_CONTROL, Tick, TraderConfig
from polyweb.runtime.trader import Trader
from risk.domain.limits import Limits
from strategies.domain.params import SpreadParams

STEP_NS: Nanos = 20 * NANOS_PER_MILLI
TICK_NS: Nanos = 250 * NANOS_PER_MILLI
MARKETS, LOADED = 100, 1_000
WARM_UP = 2_000
COUNTED = 400
FILLED_ONE_IN = 200

# Caps that are computed and never reached: a refusal would cost less than a decision.
WIDE = Limits(
    market_loss=10**6 * CASH_ONE, event_loss=10**6 * CASH_ONE, total_loss=10**9 * CASH_ONE, orders_per_second=1_000
)

# Everything the quoter can weigh is in force.
PARAMS = SpreadParams(
    fair_value=2,
    trade_flow=20,
    half_spread=30,
    layer_step=10,
    size=60 * SIZE_ONE,
    max_inventory=600 * SIZE_ONE,
    max_from_trade=3_000,
    max_cancels_per_minute=6_000,
    keep_queue_ticks=2,
    replace_window_ms=100,
    sweep_size=50_000 * SIZE_ONE,
)


DECISION, TURN = "decision", "turn"
KEPT, CANCELS, PLACES = "kept", "cancels", "places"  # what came of a decision
UNMOVED = "unmoved"  # nothing a plan reads had moved: no whole decision, and not counted as one


@dataclass(frozen=True, slots=True)
class Drawn:
    """Microseconds of every decision, of every turn, of the decisions of each kind, and of decoding one change's JSON;
    bytecodes of a decision; and what the decisions came to.
    """

    taken: dict[str, list[float]]
    bare: float
    operations: float
    places: int
    cancels: int
    quoting: int

    def at(self, percent: int, kind: str = DECISION) -> float:
        ordered = sorted(self.taken[kind])
        return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] if ordered else 0.0


class Quote:
    help = "one full quote decision on 30-level books: view, fair value, plan, gate, converge"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--markets", type=int, help="markets, in events of five (default 100; with --load 1000)")
        parser.add_argument("--decisions", type=int, default=20_000, help="decisions timed in a round (default 20000)")
        parser.add_argument("--layers", type=int, default=1, help="quotes on each side (default 1)")
        parser.add_argument("--rounds", type=int, default=3, help="rounds of which the median is told (default 3)")
        parser.add_argument("--seed", type=int, default=7)
        loaded = parser.add_argument_group("a whole engine under load")
        loaded.add_argument("--load", action="store_true", help="an engine in a process of its own, over real sockets")
        loaded.add_argument("--rate", type=int, default=5_000, help="messages a second (default 5000)")
        loaded.add_argument("--burst", type=int, default=20_000, help="messages in every tenth second (default 20000)")
        loaded.add_argument("--seconds", type=int, default=30, help="how long (default 30)")
        loaded.add_argument("--sqlite", action="store_true", help="on SQLite, not on a PostgreSQL of its own")

    def run(self, options: Mapping[str, Any]) -> Report:
        if options["markets"] is None:
            options = {**options, "markets": LOADED if options["load"] else MARKETS}
        if options["load"]:
            plan = Plan(**{name: options[name] for name in ("markets", "rate", "burst", "seconds", "seed")})
            return load.measure(plan, sqlite=options["sqlite"])
        if min(options["markets"], options["decisions"], options["layers"], options["rounds"]) < 1:
            raise BenchError("--markets, --decisions, --layers and --rounds must be at least 1")
        if options["layers"] > 10:
            raise BenchError("--layers may be 10 at most")
        params = msgspec.structs.replace(PARAMS, layers=options["layers"])
        rounds = [_round(options, params, options["seed"] + number) for number in range(options["rounds"])]
        return _report(rounds, options)


def _round(options: Mapping[str, Any], params: SpreadParams, seed: int) -> Drawn:
    bench = _Bench(options["markets"], params, seed)
    for _ in range(WARM_UP):
        bench.step()
    bench.forget()
    gc.collect()
    gc.freeze()
    try:
        while len(bench.taken[DECISION]) < options["decisions"]:
            bench.step()
    finally:
        gc.unfreeze()
    quoting = sum(desk.quoting for desk in bench.trader.desks.values())
    taken, places, cancels = bench.taken, bench.places, bench.cancels
    counted = bench.operations()
    return Drawn(taken, bench.bare_us(), counted, places, cancels, quoting)


class _Watched(Trader):
    """A trader whose judgement of one market can be timed by itself, or its bytecodes counted."""

    watch = ""
    seen = 0  # nanoseconds or bytecodes of the last judgement
    whole = True  # whether it was one: where nothing had moved none was made

    def judge(self, condition_id: ConditionId, now_ns: Nanos) -> list[Command]:
        desk = self.desks.get(condition_id)
        given = desk.given if desk is not None else None
        commands = self._watched(condition_id, now_ns)
        self.whole = desk is None or desk.given is not given
        return commands

    def _watched(self, condition_id: ConditionId, now_ns: Nanos) -> list[Command]:
        if self.watch == "time":
            began = time.thread_time_ns()
            commands = super().judge(condition_id, now_ns)
            self.seen = time.thread_time_ns() - began
            return commands
        if self.watch == "count":
            found: list[Command] = []
            self.seen = operations(lambda: found.extend(Trader.judge(self, condition_id, now_ns)))
            return found
        return super().judge(condition_id, now_ns)


class _Bench:
    """Markets, a trader, and a venue that says yes at once."""

    def __init__(self, count: int, params: SpreadParams, seed: int) -> None:
        self.trader = _Watched(TraderConfig(first_id=1, starting_cash=100_000 * CASH_ONE, hash_every=0))
        self.taken: dict[str, list[float]] = {}
        self.forget()
        self.places = self.cancels = 0
        self._random = Random(seed)
        self._now: Nanos = START
        self._ticked: Nanos = START
        self._trades = 0
        self._inner = False
        self._counts: list[int] | None = None
        self.markets = tuple(a_market(number) for number in range(count))
        ids = frozenset(market.condition_id for market in self.markets)
        self.trader.apply(
            msgspec.structs.replace(
                NO_CONTROL, version=1, at_ns=START, markets=self.markets, trading=ids, defaults=params, limits=WIDE
            )
        )
        self._walks = [Walk(market, self._random) for market in self.markets]
        for walk in self._walks:
            self._hear(walk.snapshot(self._now))
        self._answer(self.trader.decide(self._now))

    def forget(self) -> None:
        self.taken = {kind: [] for kind in (DECISION, TURN, KEPT, CANCELS, PLACES, UNMOVED)}
        self.places = self.cancels = 0

    def step(self) -> None:
        """One change of one book, the decision about it, the venue's answers, the decision about those."""
        self._now += STEP_NS
        self._pass_time()
        walk = self._random.choice(self._walks)
        if not self._random.randrange(4):
            self._hear(walk.trade(self._now))
        self._hear(walk.change(self._now))
        while self._answer(self._decide()):
            pass

    def bare_us(self) -> float:
        """What `msgspec.json.decode` of the same changes costs here and now: says how fast the machine is.

        Nobody is told of these changes, so nothing can be decided afterwards.
        """
        frames = [walk.change(self._now) for walk in self._walks for _ in range(20)]
        began = time.thread_time_ns()
        for data in frames:
            msgspec.json.decode(data)
        return (time.thread_time_ns() - began) / len(frames) / 1_000

    def _pass_time(self) -> None:
        """Ticks are turns of their own, as in the engine, and decide many markets at once: not timed."""
        if self._now - self._ticked < TICK_NS:
            return
        self._ticked = self._now
        self.trader.apply(Tick(self._now))
        while True:
            self._answer(self.trader.decide(self._now))
            if not self.trader.behind:
                break
        self._answer(self.trader.decide(self._now))

    def operations(self) -> float:
        """Bytecodes of a decision, the median of some hundred more."""
        counts: list[int] = []
        self._counts = counts
        while len(counts) < COUNTED:
            self.step()
        self._counts = None
        return median(counts)

    def _decide(self) -> list[Command]:
        """Whole turns and the judgement inside of them are timed in turns: a clock in the way costs time itself."""
        trader, inner = self.trader, not self._inner
        self._inner = inner
        trader.watch = "count" if self._counts is not None else "time" if inner else ""
        began = time.thread_time_ns()
        commands = trader.decide(self._now)
        taken = time.thread_time_ns() - began
        trader.watch = ""
        if len(trader.decided) != 1:
            return commands
        if not trader.whole:
            if inner and self._counts is None:
                self.taken[UNMOVED].append(trader.seen / 1_000)
        elif self._counts is not None:
            self._counts.append(trader.seen)
        elif inner:
            for kind in (DECISION, _kind(commands)):
                self.taken[kind].append(trader.seen / 1_000)
        else:
            self.taken[TURN].append(taken / 1_000)
        return commands

    def _hear(self, data: bytes) -> None:
        self.trader.apply(Frame(self._now, 0, data))

    def _answer(self, commands: Sequence[Command]) -> bool:
        """The venue's word on every order; True when there was one to say."""
        said = False
        for command in commands:
            if isinstance(command, Place):
                said = True
                self.places += len(command.orders)
                for order in command.orders:
                    self.trader.apply(Accepted(order.client_order_id, "", Ack.LIVE, self._now))
            elif isinstance(command, Cancel):
                said = True
                self.cancels += len(command.order_ids)
                for number in command.order_ids:
                    self.trader.apply(Cancelled(number, "", self._now))
        self._fill(commands)
        self.trader.drain_facts()
        return said

    def _fill(self, commands: Sequence[Command]) -> None:
        for command in commands:
            if isinstance(command, Place) and not self._random.randrange(FILLED_ONE_IN):
                order = command.orders[0]
                self._trades += 1
                self.trader.apply(
                    Fill(
                        order.client_order_id,
                        f"t{self._trades}",
                        0,
                        order.condition_id,
                        order.asset,
                        order.side,
                        order.price,
                        order.size,
                        0,
                        True,
                        TradeStatus.CONFIRMED,
                        self._now,
                    )
                )


def _kind(commands: Sequence[Command]) -> str:
    if any(isinstance(command, Place) for command in commands):
        return PLACES
    return CANCELS if any(isinstance(command, Cancel) for command in commands) else KEPT


def _report(rounds: Sequence[Drawn], options: Mapping[str, Any]) -> Report:
    decisions = sum(len(drawn.taken[DECISION]) for drawn in rounds)
    p50, p99 = median([drawn.at(50) for drawn in rounds]), median([drawn.at(99) for drawn in rounds])
    turn = [median([drawn.at(percent, TURN) for drawn in rounds]) for percent in (50, 99)]
    by_kind = {kind: median([drawn.at(50, kind) for drawn in rounds]) for kind in (KEPT, CANCELS, PLACES)}
    counted = median([drawn.operations for drawn in rounds])
    unmoved = sum(len(drawn.taken[UNMOVED]) for drawn in rounds)
    unmoved_us = median([drawn.at(50, UNMOVED) for drawn in rounds])
    bare = median([drawn.bare for drawn in rounds])
    worst = max(max(drawn.taken[DECISION]) for drawn in rounds)
    places, cancels = (sum(getattr(drawn, name) for drawn in rounds) for name in ("places", "cancels"))
    figures: dict[str, object] = {
        "p50_us": round(p50, 2),
        "p99_us": round(p99, 2),
        "mean_us": round(sum(sum(drawn.taken[DECISION]) for drawn in rounds) / decisions, 2),
        "max_us": round(worst, 1),
        "turn_p50_us": round(turn[0], 2),
        "turn_p99_us": round(turn[1], 2),
        "p50_us_by_outcome": {kind: round(us, 2) for kind, us in by_kind.items()},
        "operations": round(counted),
        "unmoved": unmoved,
        "unmoved_p50_us": round(unmoved_us, 2),
        "bare_decode_us": round(bare, 2),
        "p50_in_bare_decodes": round(p50 / bare, 1),
        "p99_in_bare_decodes": round(p99 / bare, 1),
        "decisions": decisions,
        "places": places,
        "cancels": cancels,
        "markets": options["markets"],
        "markets_quoting": min(drawn.quoting for drawn in rounds),
        "levels": LEVELS,
        "layers": options["layers"],
        "rounds": options["rounds"],
        "machine": machine(),
    }
    table = (
        ("one quote decision", f"{p50:.1f} us at p50, {p99:.1f} us at p99 (medians of {len(rounds)} rounds)"),
        ("in bare decodes", f"{p50 / bare:.0f} and {p99 / bare:.0f}; one change decoded bare takes {bare:.2f} us here"),
        ("of which", ", ".join(f"{kind} {us:.1f} us" for kind, us in by_kind.items()) + " at p50"),
        ("bytecodes", f"{counted:.0f} (median)"),
        ("besides", f"{unmoved} changes nothing reads, {unmoved_us:.1f} us each to see that"),
        ("with the turn around it", f"{turn[0]:.1f} us at p50, {turn[1]:.1f} us at p99"),
        ("mean, longest", f"{figures['mean_us']} us, {worst:.0f} us"),
        ("decisions", f"{decisions}, of which came {places} places and {cancels} cancels"),
        (
            "markets",
            f"{options['markets']} in events of {OUTCOMES}, {LEVELS} levels a side, {options['layers']} layers",
        ),
        ("machine", machine()),
    )
    return Report(figures, table)
