"""`verify_recording FILE`: judge a recording with every check the live feed has."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection

from markets import models, selectors
from markets.domain.decode import named_markets
from markets.domain.market import Market
from markets.domain.verification import Verification, verify
from markets.feed.frames import read_frames, read_recording, require_market_frames, size_of
from markets.feed.recorder import RecordingError, inspect, is_segment
from markets.gamma import UnreadableFile
from markets.gamma.metadata import read_markets
from markets.management.progress import ProgressBar


class Command(BaseCommand):
    help = (
        "Check a recording (JSON lines, .gz, or our segments): decoding, best prices, crossed books, snapshots and book"
        " hashes. Nothing is sampled: every frame, every price change and every hash is checked. Books begin again, and"
        " are not compared, where the recording breaks off: a gap, another run, a new connection. Exit code 1 when"
        " anything is found."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="recording, or a folder of segments")
        parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
        parser.add_argument(
            "--metadata",
            type=Path,
            help="Gamma markets (JSON or JSON lines) for minimum sizes and neg-risk; else the database; for a market"
            " neither has the minimum size is 5 and both values of neg-risk are tried until its first hash has settled"
            " which is its own",
        )

    def handle(self, *_: object, **options: Any) -> None:
        file: Path = options["file"]
        bar = ProgressBar(size_of(file))
        try:
            markets = read_markets(options["metadata"]) if options["metadata"] else None
            require_market_frames(file)
            if is_segment(file):
                self._warn_torn(file)
            found = verify(read_recording(file, bar), self._stored(file) if markets is None else markets)
        except (RecordingError, UnreadableFile) as error:
            raise CommandError(str(error)) from error
        finally:
            bar.done()
        self.stdout.write(_as_json(found) if options["json"] else _as_text(found))
        if not found.sound():
            sys.exit(1)

    def _stored(self, file: Path) -> tuple[Market, ...]:
        """The recording's markets as the database has them; without a database they are judged by their hashes."""
        named = {name for frame in read_frames(file) for name in named_markets(frame.data)}
        try:
            if models.Market._meta.db_table not in connection.introspection.table_names():
                return ()
            rows = list(
                selectors.with_tokens(models.Market.objects.filter(condition_id__in=named)).order_by("condition_id")
            )
        except OperationalError as error:
            self.stderr.write(f"judged without metadata, the database cannot be read: {error}")
            return ()
        return tuple([selectors.to_domain(row) for row in rows if len(row.outcomes.all()) == 2])

    def _warn_torn(self, file: Path) -> None:
        torn = inspect(file)
        if torn is not None:
            self.stderr.write(f"{file}: the last {torn.lost_bytes} bytes are torn and left out")


def _figures(found: Verification) -> dict[str, object]:
    books = found.books
    return {
        "frames": found.frames,
        "malformed": sum(found.malformed.values()),
        "events_by_type": found.events_by_type,
        "assets": len(found.assets),
        "span_s": round(found.span_ns / 1e9, 3),
        "snapshots_checked": books.snapshots_checked,
        "snapshot_mismatches": books.snapshot_mismatches,
        "bbo_checked": books.bbo_checked,
        "bbo_mismatches": books.bbo_mismatches,
        "hash_checked": books.hash_checked,
        "hash_matches": books.hash_matches,
        "crossed_books": books.crossed,
    }


def _as_json(found: Verification) -> str:
    return json.dumps(_figures(found))


def _as_text(found: Verification) -> str:
    lines = [f"{name.replace('_', ' '):<22} {value}" for name, value in _figures(found).items()]
    lines += [f"begun again: {found.cuts} times, where the recording breaks off"] if found.cuts else []
    lines += [f"told twice: {found.twins} frames of a second connection"] if found.twins else []
    lines += [f"malformed: {reason} {count}" for reason, count in found.malformed.items()]
    lines += [f"hash recipe: {recipe} {count}" for recipe, count in found.recipes.items()]
    lines += [f"neg-risk {value}: {count} markets" for value, count in _neg_risk(found).items()]
    lines += [f"unknown event: {name} {count}" for name, count in found.books.unknown_events.items()]
    lines += [f"unknown field: {name}" for name in found.books.unknown_fields]
    lines.append("sound" if found.sound() else "NOT SOUND: see the figures that should be 0 or equal")
    return "\n".join(lines)


def _neg_risk(found: Verification) -> dict[str, int]:
    """One value per market, kept for the whole file: neg-risk belongs to a market, and a file may hold both kinds."""
    names = {True: "yes", False: "no", None: "unknown"}
    counts: dict[str, int] = {}
    for value in found.neg_risk.values():
        counts[names[value]] = counts.get(names[value], 0) + 1
    return counts
