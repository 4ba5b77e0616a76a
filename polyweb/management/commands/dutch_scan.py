"""`dutch_scan FILE|--live`: every full set whose prices added up, how long, how deep, and why it was not taken."""

import asyncio
import json
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from markets.feed.frames import size_of
from markets.feed.recorder import RecordingError
from markets.gamma import UnreadableFile
from markets.management.progress import ProgressBar
from polyweb import dutch_scans
from polyweb.on_chain import chain_off
from polyweb.replays import DatabaseUnread
from polyweb.runtime.feeds import FeedPlan
from strategies import store
from strategies.domain.opportunity_log import Gap

FAILURES = (RecordingError, UnreadableFile, DatabaseUnread)


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise ArgumentTypeError(f"{text} is not above zero")
    return number


class Command(BaseCommand):
    help = (
        "Look for full sets in a recording, or with --live at the venue's feed, and say of each gap its route, lifetime"
        " (ms), gross edge (pUSD a set at best prices before costs), depth (shares), edge of the plan (pUSD after all"
        " costs) and why it was not taken. Sends no order. Costs are the Dutch-book settings."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("file", type=Path, nargs="?", help="recording, or a folder of segments")
        source.add_argument("--live", action="store_true", help="follow the feed of every market traded or watched")
        parser.add_argument("--metadata", type=Path, help="Gamma markets of the recording; else the database")
        parser.add_argument("--for", type=_seconds, dest="seconds", metavar="SECONDS", help="stop --live after so long")
        parser.add_argument(
            "--chain",
            action="store_true",
            help="reckon as if shares could be split, merged and converted, also where the settings have the chain off",
        )
        parser.add_argument("--store", action="store_true", help="keep the gaps as rows, with source scan")
        parser.add_argument("--top", type=int, default=20, metavar="N", help="lines of the table (default 20)")
        parser.add_argument("--json", action="store_true", help="one JSON document on stdout")

    def handle(self, *_: object, **options: Any) -> None:
        try:
            found = self._live(options) if options["live"] else _recorded(options)
        except FAILURES as error:
            raise CommandError(str(error)) from error
        if options["store"]:
            store.record_opportunities(found.gaps, source="scan")
        told = dutch_scans.as_json(found)
        self.stdout.write(json.dumps(told) if options["json"] else _as_text(told, options["top"]))

    def _live(self, options: dict[str, Any]) -> dutch_scans.Found:
        markets = dutch_scans.followed()
        if not markets:
            raise CommandError("no market is traded or watched: watch one first")
        env = settings.POLYWEB
        plan = FeedPlan(env.feed_url, clob_url=env.clob_url, sides=env.feed_redundancy)

        off = chain_off(env)

        def tell(gap: Gap) -> None:
            if not options["json"]:
                self.stdout.write(_line(dutch_scans.gap_json(gap, off)))

        scan = dutch_scans.scan_live(
            markets, dutch_scans.costs(), plan, options["seconds"], tell, chain=_chain(options), chain_off=off
        )
        return asyncio.run(scan)


def _recorded(options: dict[str, Any]) -> dutch_scans.Found:
    bar = ProgressBar(size_of(options["file"]))
    try:
        off = chain_off(settings.POLYWEB)
        return dutch_scans.scan_recording(
            options["file"], options["metadata"], chain=_chain(options), chain_off=off, meter=bar
        )
    finally:
        bar.done()


def _chain(options: dict[str, Any]) -> bool:
    """As the engine would reckon, unless asked to reckon with a chain in any case."""
    return options["chain"] or not chain_off(settings.POLYWEB)


def _as_text(told: dict[str, Any], top: int) -> str:
    shown = told["opportunities"][:top]
    lines = [
        f"{told['source']}: {told['markets']} markets in {told['events']} events, {told['frames']} frames over"
        f" {told['span_s']} s, {told['looks']} looks",
        f"gaps {told['gaps']}, of which {told['would_be_taken']} would have paid"
        f" and {told['tradable_here']} could be traded here" + (f": {told['chain_off']}" if told["chain_off"] else ""),
        *(f"  {count:>6}  {reason}" for reason, count in told["by_reason"].items()),
    ]
    if shown:
        lines += ["", f"{'edge':>10} {'gross':>8} {'depth':>10} {'open ms':>9}  route and reason"]
        lines += [_line(gap) for gap in shown]
    return "\n".join(lines)


def _line(gap: dict[str, Any]) -> str:
    detail = f" ({gap['detail']})" if gap["detail"] else ""
    return (
        f"{gap['edge_pusd']:>10} {gap['gross_pusd']:>8} {gap['depth_shares']:>10} {gap['lifetime_ms']:>9}"
        f"  {gap['route']}: {gap['reason']}{detail} [{gap['condition_id'][:18] or 'event ' + gap['event_id'][:18]}]"
    )
