"""`bench ingest`: frames in, trustworthy books out; how long one message takes.

Law: everything is measured in one process, in rounds that take turns, and medians are compared: a machine that is
busy slows all of them alike. Time is processor time of this thread.

Measured are a bare `msgspec.json.decode` of the same bytes, the books with every check of every message (the headline;
that includes the hash of every snapshot, which the live engine checks too), the same without any hash, and the
headline with the sampled hashes of price changes on top.
"""

import gc
import time
import tracemalloc
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from markets.domain.books import DEFAULT_HASH_EVERY, BookSet
from markets.domain.decode import MalformedFrame
from markets.domain.events import Frame
from markets.domain.market import Market
from markets.domain.verification import Verification, verify
from markets.feed.frames import read_frames
from markets.feed.recorder import RecordingError
from markets.gamma import UnreadableFile
from markets.gamma.metadata import read_markets
from polyweb.benches.bench import BenchError, Report, machine, resident_mb
from polyweb.benches.calm import calm_day

NEVER_SAMPLED = 1 << 29
LEAST_MESSAGES = 10_000
PAUSE_NS = 250_000_000  # the engine lets time pass four times a second; so does the bench


@dataclass(frozen=True, slots=True)
class Times:
    """Microseconds per message, medians over the rounds."""

    bare: float
    unhashed: float
    checked: float
    sampled: float

    @property
    def snapshot_hash(self) -> float:
        return max(0.0, self.checked - self.unhashed)

    @property
    def sampled_hash(self) -> float:
        return max(0.0, self.sampled - self.checked)


class Ingest:
    help = "decode + books + every check, per message, beside a bare JSON decode of the same bytes"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, nargs="?", help="recording; without it one is generated")
        parser.add_argument("--metadata", type=Path, help="Gamma markets of the recording")
        parser.add_argument("--markets", type=int, default=250, help="markets to generate (default 250)")
        parser.add_argument("--seconds", type=int, default=60, help="seconds to generate (default 60)")
        parser.add_argument("--seed", type=int, default=7)
        parser.add_argument("--rounds", type=int, default=7)
        parser.add_argument("--limit", type=int, default=200_000, help="messages taken from the recording at most")
        parser.add_argument("--hash-every", type=int, default=DEFAULT_HASH_EVERY)

    def run(self, options: Mapping[str, Any]) -> Report:
        if min(options["rounds"], options["limit"], options["markets"], options["seconds"], options["hash_every"]) < 1:
            raise BenchError("--rounds, --limit, --markets, --seconds and --hash-every must be at least 1")
        try:
            frames, markets, name = _recorded(options)
        except (RecordingError, UnreadableFile) as error:
            raise BenchError(str(error)) from error
        found = verify(frames, markets)
        markets = markets or _as_learned(found)
        times = _measure(frames, markets, options["rounds"], options["hash_every"])
        memory = _mb_per_1000_books(frames, markets)
        return _report(name, frames, found, times, memory, options)


def _recorded(options: Mapping[str, Any]) -> tuple[list[Frame], tuple[Market, ...], str]:
    file: Path | None = options["file"]
    if file is not None:
        markets = read_markets(options["metadata"]) if options["metadata"] else ()
        return _first(file, options["limit"]), markets, file.name
    day = calm_day(seed=options["seed"], markets=options["markets"], seconds=options["seconds"])
    name = f"generated: {options['markets']} markets, {options['seconds']} s, seed {options['seed']}"
    return day.frames[: options["limit"]], day.markets, name


def _first(file: Path, limit: int) -> list[Frame]:
    return [frame for frame, _ in zip(read_frames(file), range(limit), strict=False)]


def _as_learned(found: Verification) -> tuple[Market, ...]:
    """Markets as verification understood them, so that the timed rounds do not pay for guessing."""
    return tuple([replace(market, neg_risk=found.neg_risk[market.condition_id] or False) for market in found.markets])


def _measure(frames: Sequence[Frame], markets: Sequence[Market], rounds: int, hash_every: int) -> Times:
    taken: dict[str, list[float]] = {"bare": [], "unhashed": [], "checked": [], "sampled": []}
    again = max(1, LEAST_MESSAGES // len(frames))  # a short recording is read over and over, by new books each time
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        for _ in range(rounds):
            taken["bare"].append(_timed([partial(_decode_bare, frames)] * again, len(frames)))
            for name, every in (("unhashed", 0), ("checked", NEVER_SAMPLED), ("sampled", hash_every)):
                work = [partial(_ingest, _books(markets, every), frames) for _ in range(again)]
                taken[name].append(_timed(work, len(frames)))
    finally:
        gc.enable()
        gc.unfreeze()
    return Times(**{name: median(values) for name, values in taken.items()})


def _timed(work: Sequence[Callable[[], None]], messages: int) -> float:
    began = time.thread_time_ns()
    for one in work:
        one()
    return (time.thread_time_ns() - began) / (len(work) * messages) / 1_000


def _decode_bare(frames: Sequence[Frame]) -> None:
    """What any reader of JSON pays: dicts and lists of texts. Frames that are no JSON cost their refusal."""
    read = msgspec.json.decode
    for frame in frames:
        try:
            read(frame.data)
        except msgspec.DecodeError:
            continue


def _books(markets: Sequence[Market], hash_every: int) -> BookSet:
    # Sweep and silence watch ask for hashes too; what they cost belongs to the sampled share.
    quiet = hash_every in (0, NEVER_SAMPLED)
    books = BookSet(hash_every=hash_every, sweep_ns=0, silence_ns=0) if quiet else BookSet(hash_every=hash_every)
    for market in markets:
        books.track(market)
    return books


def _ingest(books: BookSet, frames: Sequence[Frame]) -> None:
    apply, next_ns = books.apply_frame, 0
    for frame in frames:
        if frame.received_ns >= next_ns:
            books.settle(frame.received_ns)
            books.drain_dirty()
            next_ns = frame.received_ns + PAUSE_NS
        try:
            apply(frame.data, frame.received_ns)
        except MalformedFrame:
            continue


def _mb_per_1000_books(frames: Sequence[Frame], markets: Sequence[Market]) -> float:
    """Traced by Python itself, in a round of its own, for tracing slows everything down."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        books = _books(markets, 0)
        _ingest(books, frames)
        books.drain_dirty()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    return grown / 1e6 * 1_000 / max(1, len(books.markets))


def _report(
    name: str, frames: Sequence[Frame], found: Verification, times: Times, memory: float, options: Mapping[str, Any]
) -> Report:
    figures: dict[str, object] = {
        "us_per_message": round(times.checked, 3),
        "ratio_to_bare_decode": round(times.checked / times.bare, 2),
        "rss_mb": round(resident_mb(), 1),
        "books": len(found.markets),
        "messages": len(frames),
        "events_by_type": found.events_by_type,
        "bare_us_per_message": round(times.bare, 3),
        "without_hashes": {
            "us_per_message": round(times.unhashed, 3),
            "ratio_to_bare_decode": round(times.unhashed / times.bare, 2),
        },
        "snapshot_hash": {
            "snapshots": found.books.snapshots,
            "us_per_message": round(times.snapshot_hash, 3),
            "share": round(times.snapshot_hash / times.sampled, 3),
        },
        "sampled_hash": {
            "every": options["hash_every"],
            "us_per_message": round(times.sampled_hash, 3),
            "share": round(times.sampled_hash / times.sampled, 3),
        },
        "all_us_per_message": round(times.sampled, 3),
        "mb_per_1000_books": round(memory, 2),
        "rounds": options["rounds"],
        "recording": name,
        "machine": machine(),
    }
    kinds = ", ".join(f"{kind} {count}" for kind, count in found.events_by_type.items())
    table = (
        ("recording", f"{name}: {len(frames)} messages ({kinds}), {len(found.markets)} books"),
        ("decode + books + checks", f"{times.checked:.2f} us/message, with the hash of every snapshot"),
        ("bare msgspec.json.decode", f"{times.bare:.2f} us/message"),
        ("ratio", f"{times.checked / times.bare:.2f}"),
        ("without any hash", f"{times.unhashed:.2f} us/message, ratio {times.unhashed / times.bare:.2f}"),
        ("hash of every snapshot", f"{times.snapshot_hash:.2f} us/message of the first line"),
        ("sampled hash and sweep", f"{times.sampled_hash:.2f} us/message more at one in {options['hash_every']}"),
        ("all of it", f"{times.sampled:.2f} us/message"),
        ("memory", f"{memory:.1f} MB per 1 000 books, {resident_mb():.0f} MB in all"),
        ("machine", machine()),
    )
    return Report(figures, table)
