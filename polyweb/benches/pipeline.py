"""`bench pipeline`: a market's frame in on a socket, an order request out on a socket; how long, and how many a second.

Law: the venue's clock measures everybody, sample by sample in turns, in one run on one machine. Every process is real:
the sandbox, the engine with its database, and a plain loop around the venue's own client.

A sample is a market whose empty book appears in one frame. Latency is the time from that frame's departure to the
arrival of the whole request with its two quotes. Throughput is a crowd of such markets at once.
"""

import json
import os
import sys
import tempfile
import time
import urllib.request
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Self

import psycopg

from polyweb.benches.bench import BenchError, Report, machine
from polyweb.devtools.children import first_line, started, stop
from polyweb.devtools.machine import Missing
from polyweb.devtools.servers import postgres

READY_S = 180.0
SHOW_S = 60.0
PAUSE_S = 0.03
# From the frame's departure to the request's arrival, in order; medians of each over the samples.
STAGES = ("frame_in", "wait", "apply", "decide", "gate", "hand_over", "sign", "journal", "send")
_MEANINGS = {
    "frame_in": "venue writes the frame -> our socket has it",
    "wait": "until the loop's turn begins",
    "apply": "decode, book, checks",
    "decide": "strategy, fewest moves, orders (without the gate)",
    "gate": "caps, stops, breakers",
    "hand_over": "facts, session log, to the hands' task",
    "sign": "hash, signature, body",
    "journal": "rows committed in PostgreSQL",
    "send": "request written -> venue has it whole",
}
Sample = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answers:
    """What the venue measured: one sample after the other, and one crowd at once."""

    single: list[Sample]
    crowd: list[Sample]

    def latencies_us(self) -> list[float]:
        return sorted((each["asked_ns"] - each["shown_ns"]) / 1e3 for each in self.single if each["asked_ns"])

    def orders_per_s(self) -> float:
        heard = [each for each in self.crowd if each["asked_ns"]]
        if not heard:
            return 0.0
        span_ns: int = max(each["asked_ns"] for each in heard) - min(each["shown_ns"] for each in self.crowd)
        orders: int = sum(each["orders"] for each in heard)
        return orders / span_ns * 1e9

    @property
    def unanswered(self) -> int:
        return sum(not each["asked_ns"] for each in (*self.single, *self.crowd))


@dataclass(frozen=True, slots=True)
class Measured:
    """`journal` is what the engine's audits say of its own requests."""

    ours: Answers
    plain: Answers
    journal: list[Sample]
    commit_us: float


class Pipeline:
    help = "market frame in to order request out, against the sandbox, beside a plain loop with polymarket-client"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--samples", type=int, default=150, help="markets shown one by one to each (default 150)")
        parser.add_argument("--crowd", type=int, default=150, help="markets shown at once to each (default 150)")

    def run(self, options: Mapping[str, Any]) -> Report:
        samples, crowd = options["samples"], options["crowd"]
        if not 2 <= samples <= 400 or not 2 <= crowd <= 300:
            raise BenchError("--samples must be between 2 and 400, --crowd between 2 and 300 (the venue's burst)")
        try:
            with tempfile.TemporaryDirectory(prefix="polyweb-bench-") as folder:
                Path(folder).chmod(0o711)  # PostgreSQL runs as a user of its own where we are root
                found = _measure(Path(folder), samples, crowd)
        except Missing as missing:
            raise BenchError(str(missing)) from missing
        if not found.ours.latencies_us() or not found.plain.latencies_us():
            raise BenchError("no order arrived at the venue; see what the children printed above")
        return _report(found, options)


def _measure(folder: Path, samples: int, crowd: int) -> Measured:
    needed = 2 * (samples + crowd)
    with (
        postgres(None, keep_in=folder / "pg" / "data") as database,
        started("sandbox", _python("pipeline_venue", str(needed)), dict(os.environ), speaks=True) as venue,
    ):
        where: dict[str, Any] = first_line(venue, READY_S)
        if len(where["markets"]) < needed:
            raise BenchError(f"the sandbox lists only {len(where['markets'])} of {needed} markets")
        for_us, for_them = where["markets"][::2], where["markets"][1::2]
        wanted, told, tokens = folder / "markets.json", folder / "journal.json", folder / "tokens.json"
        wanted.write_text(json.dumps([each["market"] for each in for_us]), encoding="utf-8")
        tokens.write_text(json.dumps({each["market"]: each["tokens"] for each in for_them}), encoding="utf-8")
        engine_command = _python("pipeline_engine", str(wanted), str(told))
        plain_command = _python("pipeline_plain", where["http"], where["ws"], str(tokens))
        with (
            Disk(database.url) as disk,
            started("engine", engine_command, _environment(where, database.url, folder), speaks=True) as engine,
            started("plain loop", plain_command, dict(os.environ), speaks=True) as plain,
        ):
            first_line(plain, READY_S)
            first_line(engine, READY_S)
            answers = _in_turns(where["http"], for_us, for_them, samples, disk)
            stop(engine)
        if not told.exists():
            raise BenchError("the engine did not end in order; see what it printed above")
        return Measured(*answers, json.loads(told.read_text(encoding="utf-8")), median(disk.commits_us))


class Disk:
    """How long this database takes to make one row last, asked between the samples: the floor under the journal."""

    def __init__(self, database_url: str) -> None:
        self._link = psycopg.connect(database_url, autocommit=True)
        self._link.execute("CREATE TABLE bench_disk (at bigint)")
        self.commits_us: list[float] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._link.close()

    def commit(self) -> None:
        began = time.perf_counter_ns()
        self._link.execute("INSERT INTO bench_disk VALUES (%s)", (began,), prepare=True)
        self.commits_us.append((time.perf_counter_ns() - began) / 1e3)


def _in_turns(
    http: str, for_us: Sequence[Sample], for_them: Sequence[Sample], samples: int, disk: Disk
) -> tuple[Answers, Answers]:
    single: tuple[list[Sample], list[Sample]] = ([], [])
    for pair in zip(for_us[:samples], for_them[:samples], strict=True):
        for told, market in zip(single, pair, strict=True):
            told += _show(http, [market["market"]])
            time.sleep(PAUSE_S)
        disk.commit()
    crowds = [_show(http, [each["market"] for each in markets[samples:]]) for markets in (for_us, for_them)]
    return Answers(single[0], crowds[0]), Answers(single[1], crowds[1])


def _show(http: str, markets: Sequence[str]) -> list[Sample]:
    request = urllib.request.Request(f"{http}/bench/show", json.dumps(markets).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=SHOW_S) as answer:
        shown: list[Sample] = json.loads(answer.read())
    return shown


def _python(module: str, *words: str) -> list[str]:
    return [sys.executable, "-m", f"polyweb.benches.{module}", *words]


def _environment(where: Mapping[str, Any], database_url: str, folder: Path) -> dict[str, str]:
    """Nothing of the caller's settings: the engine trades for itself, at this sandbox, with this database."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("POLYWEB_")}
    told = {
        "RELAYER": "real", "DRY_RUN": "false", "DATABASE_URL": database_url, "VAR_DIR": str(folder / "var"),
        "FEED_URL": where["ws"], "USER_URL": where["user_ws"], "CLOB_URL": where["http"], "GAMMA_URL": where["http"],
        "METRICS_PORT": "0", "LOG_LEVEL": "ERROR",
    }  # fmt: skip
    return kept | {"DJANGO_SETTINGS_MODULE": "polyweb.settings.dev"} | {f"POLYWEB_{k}": v for k, v in told.items()}


# What the figures say -------------------------------------------------------------------------------------------


def _stages(single: Sequence[Sample], journal: Sequence[Sample]) -> dict[str, list[float]]:
    """Microseconds of each stage by sample: the venue's two times with what the engine says of the time between."""
    rows = {row["market"]: row for row in reversed(journal)}  # the first plan of a market
    found: dict[str, list[float]] = {name: [] for name in STAGES}
    for sample in single:
        row = rows.get(sample["market"])
        if row is None or not sample["asked_ns"] or "apply_us" not in row:
            continue
        decided_us = (row["decided_ns"] - sample["shown_ns"]) / 1e3
        total_us = (sample["asked_ns"] - sample["shown_ns"]) / 1e3
        inside_us = row["apply_us"] + row["decide_us"] + row["gate_us"]
        stages = {
            "frame_in": decided_us - row["waited_us"],
            "wait": row["waited_us"],
            "apply": row["apply_us"],
            "decide": row["decide_us"],
            "gate": row["gate_us"],
            "hand_over": row["queue_us"] - inside_us,
            "sign": row["sign_us"],
            "journal": row["journal_us"],
            "send": total_us - decided_us - row["queue_us"] - row["sign_us"] - row["journal_us"],
        }
        for name, us in stages.items():
            found[name].append(us)
    return found


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all do not exceed."""
    return ordered[max(0, -(-int(share * 1_000) * len(ordered) // 1_000) - 1)]


def _figures(answers: Answers) -> dict[str, object]:
    ordered = answers.latencies_us()
    return {
        "p50_us": round(percentile(ordered, 0.50)),
        "p95_us": round(percentile(ordered, 0.95)),
        "p99_us": round(percentile(ordered, 0.99)),
        "orders_per_s": round(answers.orders_per_s()),
        "samples": len(ordered),
        "unanswered": answers.unanswered,
    }


def _report(found: Measured, options: Mapping[str, Any]) -> Report:
    ours, plain = found.ours, found.plain
    mine, theirs, stages = _figures(ours), _figures(plain), _stages(ours.single, found.journal)
    split = {name: round(median(us), 1) for name, us in stages.items() if us}
    others = [sum(us) for us in zip(*(stages[name] for name in STAGES if name != "journal"), strict=True)]
    bare_us, ratio = median(others), median(plain.latencies_us()) / median(ours.latencies_us())
    figures: dict[str, object] = {
        **mine,
        "without_journal_p50_us": round(bare_us),
        "stages_us_p50": split,
        "durable_commit_us_p50": round(found.commit_us),
        "plain_loop": theirs,
        "plain_over_ours_p50": round(ratio, 2),
        "plain_over_ours_without_journal_p50": round(median(plain.latencies_us()) / bare_us, 2),
        "ours_over_plain_orders_per_s": round(ours.orders_per_s() / plain.orders_per_s(), 2),
        "crowd": options["crowd"],
        "machine": machine(),
        "load": round(os.getloadavg()[0], 2),
    }
    table = [
        ("frame in -> order request out", _line(mine)),
        ("plain loop, polymarket-client", f"{_line(theirs)}; nothing written down"),
        (
            "plain loop / ours",
            f"{ratio:.2f} x the median, {median(plain.latencies_us()) / bare_us:.2f} x without journal",
        ),
        *((f"  {name}", f"{us:8.0f} us   {_MEANINGS[name]}") for name, us in split.items()),
        ("one row made durable", f"{found.commit_us:.0f} us by this disk, the floor under the journal"),
        ("machine", f"{machine()}, load {os.getloadavg()[0]:.1f}"),
    ]
    return Report(figures, tuple(table))


def _line(told: Mapping[str, object]) -> str:
    lost = f", {told['unanswered']} unanswered" if told["unanswered"] else ""
    return (
        f"p50 {told['p50_us']} us, p95 {told['p95_us']} us, p99 {told['p99_us']} us,"
        f" {told['orders_per_s']} orders/s{lost}"
    )
