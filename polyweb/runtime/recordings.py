"""What a run writes down: its session, and if asked to every raw market frame; finished segments reach the register.

Law: a session that cannot be written ends the engine, for it could not be replayed; raw frames that cannot be written
are counted and reported, and trading goes on.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from execution.engine import Trouble
from markets.domain.events import Frame
from markets.domain.units import Nanos
from markets.feed.background import BackgroundRecorder
from markets.feed.recorder import RecordingError, RecordKind
from markets.feed.segment_index import SegmentIndex
from polyweb.runtime.inbox import Spelled, spell
from polyweb.runtime.views import Json

log = structlog.get_logger(__name__)

RETRY_S = 5.0


@dataclass(frozen=True, slots=True)
class Finished:
    """A segment nobody writes to any more."""

    path: Path
    index: SegmentIndex


class Register(Protocol):
    """Who keeps the rows of recordings."""

    @property
    def unavailable(self) -> tuple[type[Exception], ...]: ...

    async def recorded(self, root: Path, finished: Finished) -> None: ...


class Recordings:
    """The recorders of one run below `root`: sessions/ always, market/ when `raw`."""

    def __init__(self, root: Path, *, raw: bool, register: Register, on_trouble: Callable[[Trouble], None]) -> None:
        self._root = root
        self._register = register
        self._on_trouble = on_trouble
        self._loop = asyncio.get_running_loop()
        self._finished: asyncio.Queue[Finished] = asyncio.Queue()
        self._session = BackgroundRecorder(root / "sessions", prefix="session", on_segment=self._ended)
        self._market = BackgroundRecorder(root / "market", prefix="market", on_segment=self._ended) if raw else None
        self._reported = False
        for recorder in self._recorders():
            for torn in recorder.recorder.recovered:
                log.warning("recording_torn", path=str(torn.path), lost_bytes=torn.lost_bytes)

    def _recorders(self) -> list[BackgroundRecorder]:
        return [self._session] + ([self._market] if self._market is not None else [])

    def _ended(self, path: Path, index: SegmentIndex) -> None:
        """Called in a recorder's thread."""
        self._loop.call_soon_threadsafe(self._finished.put_nowait, Finished(path, index))

    # The session: everything that enters the inbox, and every decision

    def frame(self, frame: Frame) -> None:
        self._session.frame(frame)

    def item(self, item: Spelled, at_ns: Nanos) -> None:
        self._session.record(RecordKind.ITEM, at_ns, spell(item))

    # The market: every frame of every socket, below decoding

    def raw(self, frame: Frame) -> None:
        if self._market is not None:
            self._market.frame(frame)

    # Life

    def summary(self) -> Json:
        market = self._market
        return {
            "session_dropped": self._session.dropped,
            "raw": market is not None,
            "raw_frames": market.recorder.records if market is not None else 0,
            "raw_dropped": market.dropped if market is not None else 0,
            "waiting_bytes": sum(recorder.waiting_bytes for recorder in self._recorders()),
            "error": str(market.error) if market is not None and market.error is not None else None,
        }

    def flush(self) -> None:
        """Raises what keeps the session from being written; reports once what keeps the market from it."""
        self._session.flush()
        if self._session.dropped and not self._reported:
            self._report("session", f"{self._session.dropped} items of the session were dropped: it will not replay")
        if self._market is not None and self._market.error is not None and not self._reported:
            self._report("market", str(self._market.error))

    def _report(self, key: str, text: str) -> None:
        self._reported = True
        self._on_trouble(Trouble("recording", key, text))

    async def run(self) -> None:
        """Register finished segments, for ever."""
        while True:
            await self._write(await self._finished.get())

    async def _write(self, finished: Finished) -> None:
        while True:
            try:
                await self._register.recorded(self._root, finished)
            except self._register.unavailable as error:
                log.warning("recording_unregistered", segment=finished.path.name, error=str(error))
                await asyncio.sleep(RETRY_S)
            else:
                return

    async def close(self) -> None:
        """Complete the segments and register them. What the register does not take, tidying finds later."""
        for recorder in self._recorders():
            try:
                await asyncio.to_thread(recorder.close)
            except RecordingError as error:
                log.error("recording_incomplete", error=str(error))
        await asyncio.sleep(0)  # what the threads handed over reaches the queue
        with contextlib.suppress(*self._register.unavailable):
            while not self._finished.empty():
                await self._register.recorded(self._root, self._finished.get_nowait())
