"""`replay FILE`: a recording through strategy, gate and a venue of paper, deterministically."""

import json
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from markets.domain.events import Frame
from markets.domain.units import cash_from_decimal
from markets.feed.recorder import RecordingError
from markets.gamma import UnreadableFile
from polyweb import replays
from polyweb.runtime.views import Json

PROGRESS_S = 0.25
FAILURES = (RecordingError, UnreadableFile, replays.ParamsFileError, replays.DatabaseUnread)


class Command(BaseCommand):
    help = (
        "Replay a recording (JSON lines, .gz, or our segments; a folder of segments) at full speed: every market in it"
        " is quoted on paper. The digest is the same for the same file, parameters, metadata and seed. A recorded"
        " session is decided again instead, and every decision compared: it takes none of the options, and a difference"
        " ends with an error. Sizes in shares, money in pUSD, times in seconds."
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

    def handle(self, *_: object, **options: Any) -> None:
        try:
            found = (
                _session(options)
                if replays.is_session(options["file"])
                else replays.run(_request(options), _Progress())
            )
        except FAILURES as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(found) if options["json"] else _as_text(found))
        if found.get("divergence"):
            raise CommandError(f"the session was decided differently: {found['divergence']}")


def _session(options: dict[str, Any]) -> Json:
    given = [f"--{name}" for name in ("params", "metadata") if options[name]]
    if given:
        raise CommandError(f"{options['file']} is a recorded session and brings its own; leave out {', '.join(given)}")
    return replays.run_session(options["file"], _Progress())


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


class _Progress:
    """A line on stderr that counts frames, when somebody is there to read it."""

    def __init__(self) -> None:
        self._on = sys.stderr.isatty()
        self._frames = 0
        self._next = time.monotonic() + PROGRESS_S

    def __call__(self, _: Frame) -> None:
        self._frames += 1
        if self._on and self._frames % 500 == 0 and time.monotonic() >= self._next:
            self._next = time.monotonic() + PROGRESS_S
            sys.stderr.write(f"\r{self._frames} frames")
            sys.stderr.flush()
