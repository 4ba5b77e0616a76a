"""`bench quote`: one full quote decision, from a changed book to commands.

Law: what is timed is the trader's own `decide` for one market: view, measures, fair value, plan, gate, converge and
the commands. Applying the frame and the venue's answers is not. Time is processor time of this thread.
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
from markets.domain.events import Frame, Side
from markets.domain.fees import FeeSchedule
from markets.domain.market import Generation, Market
from markets.domain.units import (
    CASH_ONE,
    NANOS_PER_MILLI,
    NANOS_PER_SECOND,
    PRICE_ONE,
    SIZE_ONE,
    Nanos,
    Price,
    price_text,
)
from polyweb.benches import load
from polyweb.benches.bench import BenchError, Report, machine
from polyweb.benches.load_script import Plan
from polyweb.runtime.inbox import NO_CONTROL, Tick, TraderConfig
from polyweb.runtime.trader import Trader
from risk.domain.limits import Limits
from strategies.domain.params import SpreadParams

START: Nanos = 1_800_000_000 * NANOS_PER_SECOND
STEP_NS: Nanos = 20 * NANOS_PER_MILLI
TICK_NS: Nanos = 250 * NANOS_PER_MILLI
OUTCOMES = 5  # markets of one event: the gate looks at all of them
MARKETS, LOADED = 100, 1_000
LEVELS = 30
TICK: Price = 10
WARM_UP = 2_000
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


@dataclass(frozen=True, slots=True)
class Drawn:
    """Microseconds of every decision and of decoding one change's JSON, and what the decisions came to."""

    taken: list[float]
    bare: float
    places: int
    cancels: int
    quoting: int

    def at(self, percent: int) -> float:
        ordered = sorted(self.taken)
        return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


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
        while len(bench.taken) < options["decisions"]:
            bench.step()
    finally:
        gc.unfreeze()
    quoting = sum(desk.quoting for desk in bench.trader.desks.values())
    return Drawn(bench.taken, bench.bare_us(), bench.places, bench.cancels, quoting)


class _Bench:
    """Markets, a trader, and a venue that says yes at once."""

    def __init__(self, count: int, params: SpreadParams, seed: int) -> None:
        self.trader = Trader(TraderConfig(first_id=1, starting_cash=100_000 * CASH_ONE, hash_every=0))
        self.taken: list[float] = []
        self.places = self.cancels = 0
        self._random = Random(seed)
        self._now: Nanos = START
        self._ticked: Nanos = START
        self._trades = 0
        self.markets = tuple(_market(number) for number in range(count))
        ids = frozenset(market.condition_id for market in self.markets)
        self.trader.apply(
            msgspec.structs.replace(
                NO_CONTROL, version=1, at_ns=START, markets=self.markets, trading=ids, defaults=params, limits=WIDE
            )
        )
        self._walks = [_Walk(market, self._random) for market in self.markets]
        for walk in self._walks:
            self._hear(walk.snapshot(self._now))
        self._answer(self.trader.decide(self._now))

    def forget(self) -> None:
        self.taken, self.places, self.cancels = [], 0, 0

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
        """What `msgspec.json.decode` of the same changes costs here and now: says how fast the machine is."""
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

    def _decide(self) -> list[Command]:
        began = time.thread_time_ns()
        commands = self.trader.decide(self._now)
        taken = time.thread_time_ns() - began
        if len(self.trader.decided) == 1:
            self.taken.append(taken / 1_000)
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


def _market(number: int) -> Market:
    """One of a neg-risk event that is not known to be complete: the gate weighs all five outcomes and none of them, and
    the Dutch book, which has a bench of its own, leaves it alone.
    """
    event = number // OUTCOMES
    return Market(
        f"0x{number:064x}",
        f"event-{event}",
        f"Market {number}?",
        yes=str(10**30 + 2 * number),
        no=str(10**30 + 2 * number + 1),
        generation=Generation.V1,
        tick=TICK,
        neg_risk=True,
        fees=FeeSchedule(rate=400, rebate=2_500),
        rewards_min_size=50 * SIZE_ONE,
        rewards_max_spread=350,
        rewards_daily=25 * CASH_ONE,
        end_ms=START // NANOS_PER_MILLI + 86_400_000 * 30,
    )


class _Walk:
    """One market's book: mostly sizes change, one time in three a best price moves by a tick."""

    def __init__(self, market: Market, random: Random) -> None:
        self.market = market
        self._random = random
        self._mid = random.randrange(200, 800) * TICK
        self.bids = {self._mid - (1 + at) * TICK: 100 + at for at in range(LEVELS)}
        self.asks = {self._mid + (1 + at) * TICK: 100 + at for at in range(LEVELS)}

    def snapshot(self, at_ns: Nanos) -> bytes:
        return _encoded(
            market=self.market.condition_id, asset_id=self.market.yes, timestamp=_ms(at_ns), hash="",
            bids=[_level(price, self.bids[price]) for price in sorted(self.bids)],
            asks=[_level(price, self.asks[price]) for price in sorted(self.asks, reverse=True)],
            tick_size=price_text(TICK), last_trade_price="", event_type="book",
        )  # fmt: skip

    def trade(self, at_ns: Nanos) -> bytes:
        side = self._random.choice((Side.BUY, Side.SELL))
        price = min(self.asks) if side is Side.BUY else max(self.bids)
        return _encoded(
            market=self.market.condition_id, asset_id=self.market.yes, price=price_text(price),
            size=str(self._random.randrange(1, 80)), fee_rate_bps="0", side=side.value, timestamp=_ms(at_ns),
            event_type="last_trade_price",
        )  # fmt: skip

    def change(self, at_ns: Nanos) -> bytes:
        changes = [self._resized()] if self._random.randrange(3) else self._moved()
        tops = max(self.bids), min(self.asks)
        entries = [entry for side, price in changes for entry in self._entries(side, price, *tops)]
        return _encoded(
            market=self.market.condition_id, price_changes=entries, timestamp=_ms(at_ns), event_type="price_change"
        )

    def _resized(self) -> tuple[Side, Price]:
        side, levels = self._random.choice(((Side.BUY, self.bids), (Side.SELL, self.asks)))
        best_first = sorted(levels, reverse=side is Side.BUY)
        price = best_first[min(self._random.randrange(6), self._random.randrange(LEVELS))]
        levels[price] = self._random.randrange(20, 900)
        return side, price

    def _moved(self) -> list[tuple[Side, Price]]:
        """The whole book a tick up or down: two levels go and two come."""
        up = self._random.random() < 0.5 if 2_000 <= self._mid <= 8_000 else self._mid < 2_000
        self._mid += TICK if up else -TICK
        changes: list[tuple[Side, Price]] = []
        for side, levels, first in ((Side.BUY, self.bids, -TICK), (Side.SELL, self.asks, TICK)):
            wanted = {self._mid + first * (1 + at) for at in range(LEVELS)}
            gone, come = set(levels) - wanted, wanted - set(levels)
            for price in sorted(gone):
                del levels[price]
            levels.update((price, self._random.randrange(20, 900)) for price in sorted(come))
            changes += [(side, price) for price in sorted(gone | come)]
        return changes

    def _entries(self, side: Side, price: Price, best_bid: Price, best_ask: Price) -> list[dict[str, str]]:
        """A change as the venue says it: of YES, and mirrored of NO."""
        size = str((self.bids if side is Side.BUY else self.asks).get(price, 0))
        other = Side.SELL if side is Side.BUY else Side.BUY
        return [
            _entry(self.market.yes, side, price, size, best_bid, best_ask),
            _entry(self.market.no, other, PRICE_ONE - price, size, PRICE_ONE - best_ask, PRICE_ONE - best_bid),
        ]


def _entry(asset: str, side: Side, price: Price, size: str, best_bid: Price, best_ask: Price) -> dict[str, str]:
    return {
        "asset_id": asset, "price": price_text(price), "size": size, "side": side.value, "hash": "",
        "best_bid": price_text(best_bid), "best_ask": price_text(best_ask),
    }  # fmt: skip


def _level(price: Price, shares: int) -> dict[str, str]:
    return {"price": price_text(price), "size": str(shares)}


def _ms(at_ns: Nanos) -> str:
    return str(at_ns // NANOS_PER_MILLI)


def _encoded(**members: object) -> bytes:
    return msgspec.json.encode(members)


def _report(rounds: Sequence[Drawn], options: Mapping[str, Any]) -> Report:
    decisions = sum(len(drawn.taken) for drawn in rounds)
    p50, p99 = median([drawn.at(50) for drawn in rounds]), median([drawn.at(99) for drawn in rounds])
    bare = median([drawn.bare for drawn in rounds])
    worst = max(max(drawn.taken) for drawn in rounds)
    places, cancels = (sum(getattr(drawn, name) for drawn in rounds) for name in ("places", "cancels"))
    figures: dict[str, object] = {
        "p50_us": round(p50, 2),
        "p99_us": round(p99, 2),
        "mean_us": round(sum(sum(drawn.taken) for drawn in rounds) / decisions, 2),
        "max_us": round(worst, 1),
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
        ("mean, longest", f"{figures['mean_us']} us, {worst:.0f} us"),
        ("decisions", f"{decisions}, of which came {places} places and {cancels} cancels"),
        (
            "markets",
            f"{options['markets']} in events of {OUTCOMES}, {LEVELS} levels a side, {options['layers']} layers",
        ),
        ("machine", machine()),
    )
    return Report(figures, table)
