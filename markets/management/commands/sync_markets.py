"""Load markets from a saved Gamma reply, or from the live service."""

import json
import sys
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from markets import services
from markets.gamma import CrawlFailed, UnreadableFile, read_documents
from markets.services import Totals

BAR = 30
SHOWN_ERRORS = 10


class Command(BaseCommand):
    help = (
        "Store events, markets and outcomes from a saved Gamma reply (JSON or JSON lines, plain or .gz) or from "
        "the live service. Prices are in pUSD per share, sizes in shares."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        source = parser.add_mutually_exclusive_group()
        source.add_argument("--file", type=Path, help="markets, events or result pages")
        source.add_argument("--url", help="Gamma's base URL; default is POLYWEB_GAMMA_URL")
        parser.add_argument(
            "--believe-shrinking",
            action="store_true",
            help="live: mark markets as vanished even when most of the known ones are not listed any more",
        )
        parser.add_argument("--json", action="store_true", help="print the counts as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        totals = self._from_file(options["file"]) if options["file"] else self._live(**options)
        for line in totals.first_errors[:SHOWN_ERRORS]:
            self.stderr.write(line)
        summary = totals.summary()
        if options["json"]:
            self.stdout.write(json.dumps(summary))
        else:
            self.stdout.write(", ".join(f"{count} {name}" for name, count in summary.items()))
        if not summary["events"] and not summary["markets"]:
            raise CommandError("nothing was stored: no market or event was found")

    def _from_file(self, path: Path) -> Totals:
        bar = _Bar(path.stat().st_size if path.is_file() else 0)
        try:
            return services.store_documents(read_documents(path, bar.at), bar.draw)
        except UnreadableFile as error:
            raise CommandError(str(error)) from error
        finally:
            bar.end()

    def _live(self, *, url: str | None, believe_shrinking: bool, **_: Any) -> Totals:
        bar = _Bar(0)
        try:
            address = url or settings.POLYWEB.gamma_url
            return services.refresh(address, bar.draw, believe_shrinking=believe_shrinking)
        except CrawlFailed as error:
            raise CommandError(str(error)) from error
        finally:
            bar.end()


class _Bar:
    """Progress on stderr for eyes only: silent unless it is a terminal."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._position = 0
        self._drawn_at = 0.0
        self._on = sys.stderr.isatty()

    def at(self, position: int) -> None:
        self._position = position

    def draw(self, totals: Totals) -> None:
        if not self._on or time.monotonic() - self._drawn_at < 0.1:
            return
        self._drawn_at = time.monotonic()
        done = min(1.0, self._position / self._size) if self._size else 0.0
        bar = f"[{'#' * round(BAR * done):<{BAR}}] {done:4.0%} " if self._size else ""
        print(f"\r{bar}{len(totals.outcomes_of)} markets", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._on and self._drawn_at:
            print(file=sys.stderr)
