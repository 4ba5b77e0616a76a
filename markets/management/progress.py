"""How far reading a file has come, for somebody who watches a terminal.

Law: to a terminal on stderr only. A pipe, a log and a test see nothing of it.
"""

import sys
import time
from collections.abc import Callable
from typing import TextIO

EVERY_S = 0.2
WIDTH = 30


class ProgressBar:
    """Call it with the bytes read so far; `done` leaves the line clean."""

    def __init__(self, total: int, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._total = total
        self._stream = stream or sys.stderr
        self._clock = clock
        self._on = total > 0 and self._stream.isatty()
        self._next = clock()
        self._shown = ""

    def __call__(self, read: int) -> None:
        if not self._on or self._clock() < self._next:
            return
        self._next = self._clock() + EVERY_S
        share = min(1.0, read / self._total)
        full = int(share * WIDTH)
        self._shown = f"[{'#' * full}{' ' * (WIDTH - full)}] {share:4.0%} of {_size(self._total)}"
        self._stream.write(f"\r{self._shown}")
        self._stream.flush()

    def done(self) -> None:
        if self._shown:
            self._stream.write(f"\r{' ' * len(self._shown)}\r")
            self._stream.flush()
            self._shown = ""


def _size(count: int) -> str:
    return f"{count / 1_000_000:.1f} MB" if count >= 100_000 else f"{count / 1_000:.1f} kB"
