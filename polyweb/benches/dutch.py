"""`bench dutch`: how many changes of tops of books the Dutch-book watch takes in a second, and what it keeps in memory.

Law: the watch is the engine's own, asked as the engine asks it; changes are drawn before the clock starts, and time is
processor time of this thread. What is not allowed to be a set is in the mix, as at the venue.
"""

import gc
import time
import tracemalloc
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from random import Random
from statistics import median
from typing import Any

from markets.domain.fees import FeeSchedule
from markets.domain.market import Generation, Market
from markets.domain.units import PRICE_ONE, ConditionId, Price
from polyweb.benches.bench import BenchError, Report, machine, resident_mb
from strategies.domain.arb_params import ArbParams
from strategies.domain.dutch_book import scan
from strategies.domain.dutch_watch import DutchWatch
from strategies.domain.inputs import BookView
from strategies.domain.routes import Books, Moment

Change = tuple[ConditionId, Price, Price]
TICK = 100
DEPTH = 10
SHARE = 1_000_000


class Dutch:
    help = "changes of tops of books per second through the Dutch-book watch; memory; one look at an event"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--markets", type=int, default=10_000, help="markets followed (default 10000)")
        parser.add_argument("--events", type=int, default=1_500, help="events they belong to (default 1500)")
        parser.add_argument("--changes", type=int, default=200_000, help="changes per round (default 200000)")
        parser.add_argument("--rounds", type=int, default=5)
        parser.add_argument("--seed", type=int, default=7)

    def run(self, options: Mapping[str, Any]) -> Report:
        if min(options["events"], options["changes"], options["rounds"]) < 1:
            raise BenchError("--events, --changes and --rounds must be at least 1")
        if options["markets"] < 2 * options["events"]:
            raise BenchError("--markets must be at least twice --events: a set has two or more")
        rng = Random(options["seed"])
        events = _events(options["markets"], options["events"])
        markets = [market for members in events for market in members]
        changes = _changes(markets, options["changes"], rng)
        times, fired = _rounds(markets, changes, options["rounds"])
        memory = _memory_mb(markets)
        regroup_ms = _regroup_ms(markets)
        looks = {str(size): round(_look_us(size, rng), 1) for size in (2, 8, 32, 128)}
        return _report(options, median(times), fired, memory, regroup_ms, looks)


def _events(count: int, events: int) -> list[list[Market]]:
    """A third binaries; the rest neg-risk events of all sizes, one in seven of them augmented."""
    sizes = [1 if at % 3 == 0 else 2 for at in range(events)]
    at = 1
    while sum(sizes) < count:
        sizes[at % events] += 1 if at % events % 3 else 0
        at += 1 + at % 5 // 4
    return [_event(f"e{number}", size, number) for number, size in enumerate(sizes)]


def _event(event_id: str, size: int, number: int) -> list[Market]:
    neg_risk = size > 1
    return [
        Market(
            f"0x{number:032x}{at:032x}",
            event_id,
            f"Outcome {at} of {event_id}",
            f"{event_id}-{at}-yes",
            f"{event_id}-{at}-no",
            Generation.V1,
            neg_risk=neg_risk,
            augmented=neg_risk and number % 7 == 0,
            set_size=size if neg_risk else 0,
            fees=FeeSchedule(rate=500),
        )
        for at in range(size)
    ]


def _changes(markets: Sequence[Market], count: int, rng: Random) -> list[Change]:
    """Tops a few ticks around a fair share of their event, a cent or two wide: gaps are rare, as in life."""
    sizes: dict[str, int] = {}
    for market in markets:
        sizes[market.event_id] = sizes.get(market.event_id, 0) + 1
    changes = []
    for _ in range(count):
        market = rng.choice(markets)
        fair = PRICE_ONE // max(2, sizes[market.event_id])
        bid = max(TICK, fair - fair % TICK - rng.randrange(1, 4) * TICK)
        changes.append((market.condition_id, bid + rng.randrange(2, 5) * TICK, PRICE_ONE - bid))
    return changes


def _rounds(markets: Sequence[Market], changes: Sequence[Change], rounds: int) -> tuple[list[float], int]:
    times, fired = [], 0
    for _ in range(rounds):
        watch = DutchWatch(markets)
        update = watch.update
        gc.collect()
        started = time.thread_time_ns()
        fired = sum([update(name, yes, no, 1) for name, yes, no in changes])
        times.append((time.thread_time_ns() - started) / len(changes) / 1_000)
    return times, fired


def _memory_mb(markets: Sequence[Market]) -> float:
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        watch = DutchWatch(markets)
        grown = tracemalloc.get_traced_memory()[0] - before
        assert watch.followed[0] == len(markets)
    finally:
        tracemalloc.stop()
    return grown / 1e6


def _regroup_ms(markets: Sequence[Market]) -> float:
    """A new list of markets in which nothing changed: what every reading of the operators' state costs."""
    watch = DutchWatch(markets)
    started = time.thread_time_ns()
    watch.set_markets(markets)
    return (time.thread_time_ns() - started) / 1e6


def _look_us(size: int, rng: Random) -> float:
    """One look at an event whose YES are cheap, every route priced through ten levels of each book."""
    members = _event("look", max(2, size), 1)
    fair = PRICE_ONE // (len(members) + 1)
    books: dict[ConditionId, tuple[Market, BookView]] = {}
    for market in members:
        asks = tuple((fair + level, rng.randrange(50, 500) * SHARE) for level in range(1, DEPTH + 1))
        bids = tuple((max(1, fair - level), rng.randrange(50, 500) * SHARE) for level in range(1, DEPTH + 1))
        books[market.condition_id] = (market, BookView(bids, asks, 0))
    wanted: Books = books
    params = ArbParams(enabled=True, max_size=10_000 * SHARE)
    times = []
    for _ in range(50):
        started = time.thread_time_ns()
        scan(wanted, params, Moment(1, 1))
        times.append((time.thread_time_ns() - started) / 1_000)
    return median(times)


def _report(
    options: Mapping[str, Any], us: float, fired: int, memory: float, regroup_ms: float, looks: Mapping[str, float]
) -> Report:
    figures: dict[str, object] = {
        "updates_per_s": round(1e6 / us),
        "us_per_update": round(us, 3),
        "memory_mb": round(memory, 2),
        "rss_mb": round(resident_mb(), 1),
        "markets": options["markets"],
        "events": options["events"],
        "changes": options["changes"],
        "fired_share": round(fired / options["changes"], 4),
        "same_list_again_ms": round(regroup_ms, 2),
        "look_us_by_outcomes": dict(looks),
        "rounds": options["rounds"],
        "machine": machine(),
    }
    table = (
        ("followed", f"{options['markets']} markets in {options['events']} events"),
        ("updates", f"{1e6 / us:,.0f} a second, {us:.2f} us each; {fired / options['changes']:.1%} asked for a look"),
        ("memory of the watch", f"{memory:.1f} MB"),
        ("the same list told again", f"{regroup_ms:.1f} ms"),
        ("one look, by outcomes", ", ".join(f"{size}: {us_:.0f} us" for size, us_ in looks.items())),
        ("machine", machine()),
    )
    return Report(figures, table)
