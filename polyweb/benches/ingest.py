"""`bench ingest`: frames in, trustworthy books out; how long one message takes.

Law: everything is measured in one process, in rounds that take turns, and medians are compared: a machine that is
busy slows all of them alike. Time is processor time of this thread.

Without a file two generated days are measured: the headline is the one of single price changes, which the target was
set on; the one with trades stands beside it. Each figure is the sum over slices of the recording of the median of all
rounds, so that a moment in which the machine was elsewhere spoils one slice of one round.

Measured are a bare `msgspec.json.decode` of the same bytes, the books with every check of every message (the headline;
that includes the hash of every snapshot, which the live engine checks too), the same without any hash, the headline
with the sampled hashes of price changes on top, and the headline with every frame handed in by itself. All others are
handed in as a busy engine does it: whatever arrived between two looks at the clock is one run.
"""

import gc
import time
import tracemalloc
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias

import msgspec

from markets.domain.books import DEFAULT_HASH_EVERY, BookSet
from markets.domain.decode import MalformedFrame
from markets.domain.events import Frame
from markets.domain.market import Market
from markets.domain.units import Nanos
from markets.domain.verification import Verification, verify
from markets.feed.frames import read_frames
from markets.feed.recorder import RecordingError
from markets.gamma import UnreadableFile
from markets.gamma.metadata import read_markets
from polyweb.benches.bench import BenchError, Report, machine, resident_mb
from polyweb.benches.calm import QUOTES, TRADES, calm_day

NEVER_SAMPLED = 1 << 29
LEAST_MESSAGES = 10_000
SLICE = 5_000  # messages that are timed in one piece, or a few more
PAUSE_NS = 250_000_000  # the engine lets time pass four times a second; so does the bench

Run: TypeAlias = Sequence[Frame]
Read: TypeAlias = Callable[[Sequence[Run]], None]


@dataclass(frozen=True, slots=True)
class Times:
    """Microseconds per message: medians over the rounds, slice by slice."""

    bare: float
    unhashed: float
    checked: float
    sampled: float
    alone: float

    @property
    def snapshot_hash(self) -> float:
        return max(0.0, self.checked - self.unhashed)

    @property
    def sampled_hash(self) -> float:
        return max(0.0, self.sampled - self.checked)


@dataclass(frozen=True, slots=True)
class Recorded:
    """Something to measure. Without `markets` they are learned from the frames."""

    name: str
    frames: Sequence[Frame]
    markets: tuple[Market, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    recorded: Recorded
    found: Verification
    times: Times
    mb_per_1000_books: float


class Reader:
    """Books that read a recording, run after run, and let time pass between two runs as the engine does."""

    def __init__(self, markets: Sequence[Market], hash_every: int) -> None:
        # Sweep and silence watch ask for hashes too; what they cost belongs to the sampled share.
        quiet = hash_every in (0, NEVER_SAMPLED)
        self.books = (
            BookSet(hash_every=hash_every, sweep_ns=0, silence_ns=0) if quiet else BookSet(hash_every=hash_every)
        )
        for market in markets:
            self.books.track(market)

    def read(self, runs: Sequence[Run]) -> None:
        for run in runs:
            self._pause(run)
            waiting = iter(run)
            while (frame := self.books.take_run(waiting)) is not None:
                _apply(self.books.apply_events, frame)

    def read_alone(self, runs: Sequence[Run]) -> None:
        for run in runs:
            self._pause(run)
            for frame in run:
                _apply(self.books.apply_frame, frame)

    def _pause(self, run: Run) -> None:
        self.books.settle(run[0].received_ns)
        self.books.drain_dirty()


def _apply(apply: Callable[[bytes, Nanos], object], frame: Frame) -> None:
    try:
        apply(frame.data, frame.received_ns)
    except MalformedFrame:
        return


class Ingest:
    help = "decode + books + every check, per message, beside a bare JSON decode of the same bytes"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", type=Path, nargs="*", help="recordings, the first is the headline; else generated")
        parser.add_argument("--metadata", type=Path, help="Gamma markets of the recordings")
        parser.add_argument("--markets", type=int, default=250, help="markets to generate (default 250)")
        parser.add_argument("--seconds", type=int, default=120, help="seconds to generate (default 120)")
        parser.add_argument("--seed", type=int, default=7)
        parser.add_argument("--rounds", type=int, default=7)
        parser.add_argument("--limit", type=int, default=200_000, help="messages taken from a recording at most")
        parser.add_argument("--hash-every", type=int, default=DEFAULT_HASH_EVERY)

    def run(self, options: Mapping[str, Any]) -> Report:
        if min(options["rounds"], options["limit"], options["markets"], options["seconds"], options["hash_every"]) < 1:
            raise BenchError("--rounds, --limit, --markets, --seconds and --hash-every must be at least 1")
        try:
            recordings = _recordings(options)
            measured = [_measured(one, options["rounds"], options["hash_every"]) for one in recordings]
        except (RecordingError, UnreadableFile) as error:
            raise BenchError(str(error)) from error
        return _report(measured, options)


def _recordings(options: Mapping[str, Any]) -> list[Recorded]:
    limit, markets, seconds, seed = options["limit"], options["markets"], options["seconds"], options["seed"]
    known = read_markets(options["metadata"]) if options["metadata"] else ()
    if options["files"]:
        return [Recorded(file.name, _first(file, limit), known) for file in options["files"]]
    days = [(mix, calm_day(mix, seed=seed, markets=markets, seconds=seconds)) for mix in (QUOTES, TRADES)]
    name = f"{markets} markets, {seconds} s, seed {seed}"
    return [Recorded(f"generated {mix.name}: {name}", day.frames[:limit], day.markets) for mix, day in days]


def _first(file: Path, limit: int) -> list[Frame]:
    return [frame for frame, _ in zip(read_frames(file), range(limit), strict=False)]


def _as_learned(found: Verification) -> tuple[Market, ...]:
    """Markets as verification understood them, so that the timed rounds do not pay for guessing."""
    return tuple([replace(market, neg_risk=found.neg_risk[market.condition_id] or False) for market in found.markets])


def _measured(recorded: Recorded, rounds: int, hash_every: int) -> Measured:
    if not recorded.frames:
        raise BenchError(f"{recorded.name} holds no frame")
    found = verify(recorded.frames, recorded.markets)
    markets = recorded.markets or _as_learned(found)
    times = _times(recorded.frames, markets, rounds, hash_every)
    return Measured(recorded, found, times, _mb_per_1000_books(recorded.frames, markets))


def _times(frames: Sequence[Frame], markets: Sequence[Market], rounds: int, hash_every: int) -> Times:
    readers: dict[str, Callable[[], Read]] = {
        "bare": lambda: _decode_bare,
        "unhashed": lambda: Reader(markets, 0).read,
        "checked": lambda: Reader(markets, NEVER_SAMPLED).read,
        "sampled": lambda: Reader(markets, hash_every).read,
        "alone": lambda: Reader(markets, NEVER_SAMPLED).read_alone,
    }
    slices = _slices(_runs(frames))
    again = max(1, LEAST_MESSAGES // len(frames))  # a short recording is read over and over, by new books each time
    laps: dict[str, list[list[int]]] = {name: [] for name in readers}
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, reader in readers.items():
                laps[name].append(_laps(reader, slices, again))
    finally:
        gc.enable()
        gc.unfreeze()
    messages = again * len(frames)
    return Times(**{name: sum(map(median, zip(*taken, strict=True))) / messages / 1e3 for name, taken in laps.items()})


def _runs(frames: Sequence[Frame]) -> list[Run]:
    """Cut where the engine would look at the clock."""
    runs: list[list[Frame]] = []
    pause_ns = 0
    for frame in frames:
        if not runs or frame.received_ns >= pause_ns:
            runs.append([])
            pause_ns = frame.received_ns + PAUSE_NS
        runs[-1].append(frame)
    return list(runs)


def _slices(runs: Sequence[Run]) -> list[list[Run]]:
    """Neighbouring runs, together as long as a slice is."""
    slices: list[list[Run]] = []
    length = SLICE
    for run in runs:
        if length >= SLICE:
            slices.append([])
            length = 0
        slices[-1].append(run)
        length += len(run)
    return slices


def _laps(reader: Callable[[], Read], slices: Sequence[Sequence[Run]], again: int) -> list[int]:
    """Nanoseconds of processor time for each slice."""
    laps = [0] * len(slices)
    for _ in range(again):
        read = reader()
        for place, runs in enumerate(slices):
            began = time.thread_time_ns()
            read(runs)
            laps[place] += time.thread_time_ns() - began
    return laps


def _decode_bare(runs: Sequence[Run]) -> None:
    """What any reader of JSON pays: dicts and lists of texts. Frames that are no JSON cost their refusal."""
    read = msgspec.json.decode
    for run in runs:
        for frame in run:
            try:
                read(frame.data)
            except msgspec.DecodeError:
                continue


def _mb_per_1000_books(frames: Sequence[Frame], markets: Sequence[Market]) -> float:
    """Traced by Python itself, in a round of its own, for tracing slows everything down."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        reader = Reader(markets, 0)
        reader.read(_runs(frames))
        reader.books.drain_dirty()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    return grown / 1e6 * 1_000 / max(1, len(reader.books.markets))


def _report(measured: Sequence[Measured], options: Mapping[str, Any]) -> Report:
    every = options["hash_every"]
    figures = _figures(measured[0], every) | {
        "rss_mb": round(resident_mb(), 1),
        "rounds": options["rounds"],
        "beside": [_figures(one, every) for one in measured[1:]],
        "machine": machine(),
    }
    table = [line for one in measured for line in _lines(one, every)]
    table += [("memory in all", f"{resident_mb():.0f} MB"), ("machine", machine())]
    return Report(figures, tuple(table))


def _figures(one: Measured, every: int) -> dict[str, object]:
    times = one.times
    return {
        "recording": one.recorded.name,
        "messages": len(one.recorded.frames),
        "books": len(one.found.markets),
        "events_by_type": one.found.events_by_type,
        "us_per_message": round(times.checked, 3),
        "ratio_to_bare_decode": round(times.checked / times.bare, 2),
        "bare_us_per_message": round(times.bare, 3),
        "without_hashes": {
            "us_per_message": round(times.unhashed, 3),
            "ratio_to_bare_decode": round(times.unhashed / times.bare, 2),
        },
        "snapshot_hash": {
            "snapshots": one.found.books.snapshots,
            "us_per_message": round(times.snapshot_hash, 3),
            "share": round(times.snapshot_hash / times.sampled, 3),
        },
        "sampled_hash": {
            "every": every,
            "us_per_message": round(times.sampled_hash, 3),
            "share": round(times.sampled_hash / times.sampled, 3),
        },
        "all_us_per_message": round(times.sampled, 3),
        "one_by_one": {
            "us_per_message": round(times.alone, 3),
            "ratio_to_bare_decode": round(times.alone / times.bare, 2),
        },
        "mb_per_1000_books": round(one.mb_per_1000_books, 2),
    }


def _lines(one: Measured, every: int) -> list[tuple[str, str]]:
    times, name = one.times, one.recorded.name
    kinds = ", ".join(f"{kind} {count}" for kind, count in one.found.events_by_type.items())
    return [
        ("recording", f"{name}: {len(one.recorded.frames)} messages ({kinds}), {len(one.found.markets)} books"),
        ("decode + books + checks", f"{times.checked:.2f} us/message, with the hash of every snapshot"),
        ("bare msgspec.json.decode", f"{times.bare:.2f} us/message"),
        ("ratio", f"{times.checked / times.bare:.2f}"),
        ("without any hash", f"{times.unhashed:.2f} us/message, ratio {times.unhashed / times.bare:.2f}"),
        ("hash of every snapshot", f"{times.snapshot_hash:.2f} us/message of the first line"),
        ("sampled hash and sweep", f"{times.sampled_hash:.2f} us/message more at one in {every}"),
        ("all of it", f"{times.sampled:.2f} us/message"),
        ("each frame by itself", f"{times.alone:.2f} us/message, ratio {times.alone / times.bare:.2f}"),
        ("memory", f"{one.mb_per_1000_books:.1f} MB per 1 000 books"),
        ("", ""),
    ]
