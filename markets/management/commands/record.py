"""`manage.py record`: write what the market channel says into segments, without an engine.

Law: raw frames below decoding; what was dropped or torn is said, never hidden.
"""

import argparse
import asyncio
import contextlib
import json
import random
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from markets import selectors
from markets.domain.events import Frame
from markets.feed.background import BackgroundRecorder
from markets.feed.client import FeedClient, FeedState
from markets.feed.recorder import RecordingError
from markets.feed.segment_index import SegmentIndex

LOOK_S = 0.25


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above zero")
    return number


@dataclass(slots=True)
class _Session:
    """One run of the command. `segments` are filled in by the recorder's thread, before it ends."""

    frames: int = 0
    bytes: int = 0
    downs: int = 0
    segments: list[tuple[Path, SegmentIndex]] = field(default_factory=list)

    def state(self, state: FeedState) -> None:
        self.downs += not state.up


class Command(BaseCommand):
    help = (
        "Record raw market-channel frames into DIR until --for is over, SIGTERM or Ctrl-C. Exit code 1 when the disk"
        " refused or frames were dropped, 2 when nothing can be recorded."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where segments go")
        tokens = parser.add_mutually_exclusive_group(required=True)
        tokens.add_argument("--assets", nargs="+", metavar="TOKEN", help="token or position ids")
        tokens.add_argument("--watched", action="store_true", help="both tokens of every market traded or watched")
        parser.add_argument("--for", type=_seconds, dest="seconds", metavar="SECONDS", help="stop after so long")
        parser.add_argument("--url", help="market channel; default POLYWEB_FEED_URL")
        parser.add_argument("--json", action="store_true", dest="as_json", help="print one JSON document at the end")

    def handle(self, *_: object, **options: Any) -> None:
        assets = _watched() if options["watched"] else tuple(dict.fromkeys(options["assets"]))
        if not assets:
            raise CommandError("no market is traded or watched: watch one, or name --assets", returncode=2)
        session = _Session()
        try:
            recorder = BackgroundRecorder(
                options["out"], on_segment=lambda path, index: session.segments.append((path, index))
            )
        except RecordingError as error:
            raise CommandError(str(error), returncode=2) from error
        for torn in recorder.recorder.recovered:
            self.stderr.write(f"{torn.path}: {torn.lost_bytes} torn bytes of an earlier run were cut off")
        session.segments.clear()  # what an earlier run left is complete now, but not of this one
        started = time.monotonic()
        try:
            reconnects = asyncio.run(
                _record(options["url"] or settings.POLYWEB.feed_url, assets, session, recorder, options["seconds"])
            )
            recorder.close()
        except ValueError as error:
            recorder.close()
            raise CommandError(f"--url: {error}", returncode=2) from error
        except RecordingError as error:
            raise CommandError(str(error), returncode=1) from error
        told = _told(session, recorder.dropped, reconnects, time.monotonic() - started)
        self.stdout.write(json.dumps(told) if options["as_json"] else _as_text(told))
        if recorder.dropped:
            raise CommandError(f"{recorder.dropped} frames were dropped: the disk is too slow", returncode=1)


def _watched() -> tuple[str, ...]:
    return tuple(asset for market in selectors.subscribed_markets() for asset in (market.yes, market.no) if asset)


async def _record(
    url: str, assets: Sequence[str], session: _Session, recorder: BackgroundRecorder, seconds: float | None
) -> int:
    """Record until time is up, a signal comes or the disk refuses; returns how often a connection ended."""

    def write(frame: Frame) -> None:
        session.frames += 1
        session.bytes += len(frame.data)
        recorder.frame(frame)

    client = FeedClient(url, on_frame=write, on_state=session.state, rng=random.Random())
    client.set_assets(assets)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(client.run(), name="market sockets")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not stop.is_set() and recorder.error is None:  # noqa: ASYNC110 - two things may end it
                    await asyncio.sleep(LOOK_S)
        ended = client.reconnects
        running.cancel()
    recorder.flush()
    return ended


def _told(session: _Session, dropped: int, reconnects: int, elapsed_s: float) -> dict[str, Any]:
    return {
        "seconds": round(elapsed_s, 1),
        "frames": session.frames,
        "bytes": session.bytes,
        "dropped": dropped,
        "reconnects": reconnects,
        "segments": [
            {"path": str(path), "frames": index.frames, "bytes": index.bytes, "sha256": index.sha256}
            for path, index in session.segments
        ],
    }


def _as_text(told: dict[str, Any]) -> str:
    lines = [
        f"{told['frames']} frames ({told['bytes']} bytes) in {told['seconds']} s, {told['dropped']} dropped,"
        f" {told['reconnects']} reconnects"
    ]
    lines += [f"{part['path']}: {part['frames']} frames, {part['bytes']} bytes" for part in told["segments"]]
    return "\n".join(lines)
