"""`manage.py make_recording`: write a recording of the sandbox's market side without running it.

Its one law: the same options write the same bytes.
"""

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from execution.management.commands.sandbox import above_zero, some_markets
from execution.sandbox import recording
from execution.sandbox.crowd import Mood


class Command(BaseCommand):
    help = "Write raw market-channel frames, one per line, and FILE.metadata.json beside them."
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--seed", type=int, default=7)
        parser.add_argument("--seconds", type=above_zero, default=60.0)
        parser.add_argument("--markets", type=some_markets, default=12)
        parser.add_argument("--pace", type=above_zero, default=1.0)
        parser.add_argument("--mood", choices=[mood.value for mood in Mood], default=Mood.MIXED.value)
        parser.add_argument("--gz", action="store_true", help="compress the frames")

    def handle(self, *args: Any, **options: Any) -> None:
        made = recording.record(
            seed=options["seed"],
            seconds=options["seconds"],
            markets=options["markets"],
            pace=options["pace"],
            mood=Mood(options["mood"]),
        )
        path: Path = options["file"]
        try:
            recording.write(made, path, compress=options["gz"])
        except OSError as error:
            raise CommandError(f"cannot write {path}: {error.strerror}", returncode=2) from error
        self.stdout.write(f"{path}: {len(made.lines)} frames, {len(made.markets)} markets listed")
