"""`replay FILE`: a recording through strategy, gate and a venue of paper, deterministically."""

import json
import math
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from execution.management.tables import table
from markets.domain.units import cash_from_decimal
from markets.feed.frames import size_of, unmetered
from markets.feed.recorder import RecordingError
from markets.gamma import UnreadableFile
from markets.management.progress import ProgressBar
from polyweb import replays, sweep_plot, sweeps
from polyweb.runtime.attribution import HORIZONS_S
from polyweb.runtime.views import Json

TABLES = ("profit", "markouts", "markets", "inventory")
FAILURES = (RecordingError, UnreadableFile, replays.ParamsFileError, replays.DatabaseUnread)


def _speed(text: str) -> float:
    number = float(text)
    if not 0 <= number < math.inf:
        raise ArgumentTypeError(f"{text} is not 0 (as fast as can be) or more")
    return number


class Command(BaseCommand):
    help = (
        "Replay a recording (JSON lines, .gz, or our segments; a folder of segments): every market in it is quoted on"
        " paper. The digest is the same for the same file, parameters, metadata and seed, at any speed. Every best"
        " price and snapshot is checked and, as in the live engine, one hash in 32; verify_recording checks them all. A"
        " recorded session is decided again instead, and every decision compared: of the options it takes only --speed,"
        " and a difference ends with an error. Sizes in shares, money in pUSD, times in seconds."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="recording, or a folder of segments")
        parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
        parser.add_argument("--params", type=Path, help="parameters as `params export` writes them; else the defaults")
        parser.add_argument(
            "--metadata", type=Path, help="Gamma markets for tick, minimum size, fees and neg-risk; else the database"
        )
        parser.add_argument(
            "--relayer", choices=("paper", "fake"), default="paper", help="fake accepts everything and fills nothing"
        )
        parser.add_argument("--seed", type=int, default=0, help="varies the paper venue's latency (default 0)")
        parser.add_argument(
            "--speed",
            type=_speed,
            default=0.0,
            metavar="X",
            help="times recorded time; 0, the default: as fast as can be",
        )
        parser.add_argument(
            "--sweep",
            type=Path,
            metavar="FILE",
            help="TOML with lists of values under [sweep]: replay every combination, print a table and draw a picture",
        )
        parser.add_argument(
            "--plot", type=Path, metavar="PNG", help="where the sweep's picture goes; else beside its file"
        )

    def handle(self, *_: object, **options: Any) -> None:
        if options["sweep"]:
            self._sweep(options)
            return
        bar = ProgressBar(size_of(options["file"]))
        pace = replays.Pace(options["speed"])
        try:
            found = (
                _session(options, bar, pace)
                if replays.is_session(options["file"])
                else replays.run(_request(options), bar, pace)
            )
        except FAILURES as error:
            raise CommandError(str(error)) from error
        finally:
            bar.done()
        self.stdout.write(json.dumps(found) if options["json"] else _as_text(found))
        if found.get("divergence"):
            raise CommandError(f"the session was decided differently: {found['divergence']}")

    def _sweep(self, options: dict[str, Any]) -> None:
        picture = options["plot"] or options["sweep"].with_suffix(".png")
        try:
            if replays.is_session(options["file"]):
                raise CommandError(f"{options['file']} is a recorded session; a sweep needs a recording of frames")
            combinations = sweeps.read_sweep(options["sweep"])
            outcomes = list(sweeps.sweep(_request(options), combinations, unmetered))
            sweep_plot.draw(outcomes, picture)
        except (*FAILURES, OSError) as error:
            raise CommandError(str(error)) from error
        runs = [sweeps.told(outcome) for outcome in outcomes]
        if options["json"]:
            self.stdout.write(json.dumps({"runs": runs, "plot": str(picture)}))
            return
        self.stdout.write(_sweep_table(runs))
        self.stdout.write(f"picture: {picture}")


def _sweep_table(runs: list[Json]) -> str:
    """The best first."""
    best_first = sorted(runs, key=lambda run: -float(run["with_incentives"]))
    params = list(runs[0]["params"])
    columns = ("with_incentives", "total", "spread", "inventory", "fees", "rebates", "rewards", "fills")
    rows = [
        [str(run["run"]), *(run["params"][name] for name in params), *(str(run[name]) for name in columns),
         run["markout"]["pusd_per_share"] or "", run["most_inventory"], str(run["orders_cancelled"])]
        for run in best_first
    ]  # fmt: skip
    head = ("run", *params, "with incentives", *columns[1:], "markout 30 s", "most inventory", "cancels")
    return table(head, rows)


def _session(options: dict[str, Any], bar: ProgressBar, pace: replays.Pace) -> Json:
    given = [f"--{name}" for name in ("params", "metadata") if options[name]]
    if given:
        raise CommandError(f"{options['file']} is a recorded session and brings its own; leave out {', '.join(given)}")
    return replays.run_session(options["file"], bar, pace)


def _request(options: dict[str, Any]) -> replays.Request:
    path = options["params"]
    return replays.Request(
        recording=options["file"],
        cash=cash_from_decimal(settings.POLYWEB.paper_cash, "POLYWEB_PAPER_CASH"),
        seed=options["seed"],
        relayer=options["relayer"],
        metadata=options["metadata"],
        params=replays.read_params(path) if path else replays.Params(),
    )


def _as_text(found: dict[str, Any]) -> str:
    lines = [f"{name.replace('_', ' '):<18} {value}" for name, value in found.items() if name not in TABLES]
    if "profit" in found:
        lines.append("profit             " + ", ".join(f"{name} {value}" for name, value in found["profit"].items()))
        for horizon, markout in found["markouts"].items():
            after = f"markout {horizon} s"
            lines.append(f"{after:<18} {markout['pusd']} pUSD of {markout['fills']} fills")
    lines.append(_held_table(found["inventory"]))
    if "markets" in found:
        lines.append(_markets_table(found["markets"]))
    return "\n".join(lines)


def _held_table(held: dict[str, Json]) -> str:
    """What is left at the end, in shares."""
    rows = [[condition_id[:12], shares["yes"], shares["no"]] for condition_id, shares in held.items()]
    return table(("held", "YES", "NO"), rows) if rows else "held               nothing"


def _markets_table(markets: dict[str, Json]) -> str:
    names = ("fills", "spread", "inventory", "fees", "rounding", "total", "rebates", "rewards")
    rows = [
        [
            condition_id[:12],
            *(str(found[name]) for name in names),
            *(each["pusd"] for each in found["markouts"].values()),
        ]
        for condition_id, found in markets.items()
    ]
    return table(("market", *names, *(f"after {horizon} s" for horizon in HORIZONS_S)), rows)
