"""`replay FILE`: a recording through strategy, gate and a venue of paper, deterministically."""

import json
import math
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from markets.domain.units import cash_from_decimal
from markets.feed.frames import size_of
from markets.feed.recorder import RecordingError
from markets.gamma import UnreadableFile
from markets.management.progress import ProgressBar
from polyweb import replays
from polyweb.runtime.views import Json

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

    def handle(self, *_: object, **options: Any) -> None:
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
    return "\n".join(f"{name.replace('_', ' '):<18} {value}" for name, value in found.items())
