"""Recording beside the event loop: the loop appends to a bounded buffer, a thread compresses and writes.

Law: the disk never makes the loop wait. What the buffer has no room for is dropped, counted, and leaves a GAP record
where it is missing. A disk that refuses ends the recording; whether that ends anything else is the owner's business.
"""

import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from markets.domain.events import Frame
from markets.domain.units import Nanos
from markets.feed.recorder import DEFAULT_LIMITS, Recorder, RecorderLimits, RecordingError, RecordKind
from markets.feed.segment_index import SegmentIndex

BUFFER_BYTES = 64 << 20
RECORD_OVERHEAD = 128  # what a buffered record costs beside its payload
TURN_S = 0.05
FLUSH_S = 1.0
CLOSE_S = 10.0


class _Waiting(NamedTuple):
    """A record on its way to the thread. `missing` were dropped just before it."""

    kind: int
    at_ns: Nanos
    payload: bytes
    connection: int
    missing: int


def _nobody(_: Path, __: SegmentIndex) -> None:
    """Nobody wants to hear of closed segments."""


class BackgroundRecorder:
    """A `Recorder` in a thread of its own. Only one thread may call `frame`, `record` and `close`.

    `on_segment` is called in the recorder's thread, but for what earlier runs left: that, in the caller's.
    """

    def __init__(
        self,
        directory: Path,
        *,
        prefix: str = "market",
        limits: RecorderLimits = DEFAULT_LIMITS,
        buffer_bytes: int = BUFFER_BYTES,
        on_segment: Callable[[Path, SegmentIndex], None] = _nobody,
    ) -> None:
        self._recorder = Recorder(directory, prefix=prefix, limits=limits, on_segment=on_segment)
        self._buffer: deque[_Waiting] = deque()
        self._room = buffer_bytes
        self._taken = self._given = 0
        self._missing = 0
        self._last_ns: Nanos = 0
        self._stop = threading.Event()
        self.dropped = 0
        self.error: RecordingError | None = None
        self._thread = threading.Thread(target=self._work, name=f"recorder-{prefix}", daemon=True)
        self._thread.start()

    @property
    def recorder(self) -> Recorder:
        """To look at: what was recovered, how many records and segments were written."""
        return self._recorder

    @property
    def waiting_bytes(self) -> int:
        return self._taken - self._given

    def frame(self, frame: Frame) -> None:
        self.record(RecordKind.FRAME, frame.received_ns, frame.data, frame.connection)

    def record(self, kind: int, at_ns: Nanos, payload: bytes, connection: int = 0) -> None:
        """Hand one record over, or drop and count it when too much waits or the disk has refused."""
        cost = len(payload) + RECORD_OVERHEAD
        if self.error is not None or self._taken - self._given + cost > self._room:
            self.dropped += 1
            self._missing += 1
            return
        self._taken += cost
        self._buffer.append(_Waiting(kind, at_ns, payload, connection, self._missing))
        self._missing = 0

    def flush(self) -> None:
        """The thread flushes by itself; this raises what has stopped it, if anything did."""
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        """Write what waits and complete the segment. Blocks; raises RecordingError. Safe to call twice."""
        self._stop.set()
        self._thread.join(CLOSE_S)
        if self._thread.is_alive():
            raise RecordingError(Path(self._thread.name), "did not finish writing", "Check the disk")
        self.flush()

    def _work(self) -> None:
        try:
            idle_s = 0.0
            while not self._stop.wait(TURN_S):
                idle_s = 0.0 if self._write_waiting() else idle_s + TURN_S
                if idle_s >= FLUSH_S:
                    self._recorder.flush()
                    idle_s = 0.0
            self._write_waiting()
            if self._missing:
                self._recorder.gap(self._last_ns, self._missing)
            self._recorder.close()
        except RecordingError as error:
            self.error = error

    def _write_waiting(self) -> bool:
        wrote = False
        while self._buffer:
            waiting = self._buffer.popleft()
            if waiting.missing:
                self._recorder.gap(waiting.at_ns, waiting.missing)
            self._recorder.record(waiting.kind, waiting.at_ns, waiting.payload, waiting.connection)
            self._given += len(waiting.payload) + RECORD_OVERHEAD
            self._last_ns = waiting.at_ns
            wrote = True
        return wrote
