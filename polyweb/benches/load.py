"""`bench quote --load`: one engine following many markets at a steady rate of messages with bursts in it.

Law: every process is real and so are the sockets between them: the sandbox with a script of what to say, PostgreSQL,
the engine as `run_engine` starts it. The engine has one processor for itself, everything else the others.
"""

import contextlib
import json
import os
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from polyweb.benches.bench import BenchError, Report
from polyweb.benches.load_report import SETTLE_S, Json, Told, report
from polyweb.benches.load_script import Plan
from polyweb.devtools.children import first_line, started, stop
from polyweb.devtools.machine import Missing
from polyweb.devtools.servers import postgres

READY_S = 900.0
PATIENCE_S = 60.0  # beside the script's own length
MOST_MESSAGES = 1_000_000


def measure(plan: Plan, *, sqlite: bool = False) -> Report:
    """Raises BenchError. `sqlite`: the engine writes there and not to a PostgreSQL of its own."""
    messages = plan.rate * plan.seconds + (plan.burst - plan.rate) * len(plan.bursts_ms())
    if min(plan.markets, plan.rate, plan.burst, plan.seconds) < 1:
        raise BenchError("--markets, --rate, --burst and --seconds must be at least 1")
    if messages > MOST_MESSAGES:
        raise BenchError(
            f"--rate, --burst and --seconds make {messages} messages, at most {MOST_MESSAGES} are prepared"
        )
    try:
        with tempfile.TemporaryDirectory(prefix="polyweb-bench-") as folder:
            Path(folder).chmod(0o711)  # PostgreSQL runs as a user of its own where we are root
            told = _run(Path(folder), plan, sqlite)
    except Missing as missing:
        raise BenchError(str(missing)) from missing
    return report(plan, told)


def _run(folder: Path, plan: Plan, sqlite: bool) -> Told:
    wanted, times, seen = folder / "markets.json", folder / "times.json", folder / "seen.json"
    words = json.dumps(asdict(plan))
    with (
        _processors() as own,
        _database(folder, sqlite) as database_url,
        started("sandbox", _python("load_venue", words, str(times)), dict(os.environ), speaks=True) as venue,
    ):
        where = first_line(venue, READY_S)
        wanted.write_text(json.dumps(where["markets"]), encoding="utf-8")
        command = _python("load_engine", str(wanted), str(seen), own)
        with started("engine", command, _environment(where, database_url, folder), speaks=True) as engine:
            quoting: int = first_line(engine, READY_S)["quoting"]
            said = _start(where["http"], plan.seconds + PATIENCE_S)
            time.sleep(SETTLE_S + 1)  # what waits is still decided
            stop(engine)
    if not seen.exists():
        raise BenchError("the engine did not end in order; see what it printed above")
    return Told(_read(times), said, _read(seen), quoting, alone=bool(own))


@contextlib.contextmanager
def _database(folder: Path, sqlite: bool) -> Iterator[str]:
    if sqlite:
        yield f"sqlite:///{folder / 'bench.sqlite3'}"
        return
    with postgres(None, keep_in=folder / "pg" / "data") as server:
        yield server.url


@contextlib.contextmanager
def _processors() -> Iterator[str]:
    """The processor kept for the engine, "" where there is only one: we and all other children stay off it."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set[int]()
    if len(allowed) < 2:
        yield ""
        return
    own = min(allowed)
    os.sched_setaffinity(0, allowed - {own})
    try:
        yield str(own)
    finally:
        os.sched_setaffinity(0, allowed)


def _start(http: str, within_s: float) -> Json:
    """Let the script be played to its end."""
    request = urllib.request.Request(f"{http}/bench/start", b"", method="POST")
    with urllib.request.urlopen(request, timeout=within_s) as answer:
        said: Json = json.loads(answer.read())
    return said


def _read(path: Path) -> Json:
    found: Json = json.loads(path.read_text(encoding="utf-8"))
    return found


def _python(module: str, *words: str) -> list[str]:
    return [sys.executable, "-m", f"polyweb.benches.{module}", *words]


def _environment(where: Json, database_url: str, folder: Path) -> dict[str, str]:
    """Nothing of the caller's settings but where Python finds us."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("POLYWEB_")}
    told = {
        "RELAYER": "fake", "DATABASE_URL": database_url, "VAR_DIR": str(folder / "var"), "FEED_URL": where["ws"],
        "CLOB_URL": where["http"], "GAMMA_URL": where["http"], "METRICS_PORT": "0", "LOG_LEVEL": "ERROR",
    }  # fmt: skip
    return kept | {"DJANGO_SETTINGS_MODULE": "polyweb.settings.dev"} | {f"POLYWEB_{k}": v for k, v in told.items()}
