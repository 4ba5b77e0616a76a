"""Our clock against the venue's, from its own words: what is proved about the difference, and when that is too much.

Law: an answer proves bounds, never a figure. A server that tells whole seconds was somewhere within that second, some
time between our question and its answer; only what every recent answer allows is believed.
"""

from collections.abc import Sequence
from typing import NamedTuple

from markets.domain.units import NANOS_PER_MILLI, Nanos

KEPT = 12


class TimeRead(NamedTuple):
    """The server told `server_ns`, cut down to whole `step_ns`, between these moments of our clock."""

    sent_ns: Nanos
    received_ns: Nanos
    server_ns: Nanos
    step_ns: Nanos


class Skew(NamedTuple):
    """The venue's clock minus ours is at least `low_ns` and at most `high_ns`."""

    low_ns: Nanos
    high_ns: Nanos

    @property
    def least_ns(self) -> Nanos:
        """How far apart the clocks are for certain; below 0 when ours is ahead."""
        return max(self.low_ns, 0) + min(self.high_ns, 0)


def bounds(read: TimeRead) -> Skew:
    return Skew(read.server_ns - read.received_ns, read.server_ns + read.step_ns - read.sent_ns)


def estimate(reads: Sequence[TimeRead]) -> Skew:
    """What the newest reads allow together, back to the first that contradicts them: a clock was set there.

    Raises ValueError without reads.
    """
    if not reads:
        raise ValueError("reads: nobody has told the time yet")
    low, high = bounds(reads[-1])
    for read in reversed(reads[:-1]):
        older = bounds(read)
        if max(low, older.low_ns) > min(high, older.high_ns):
            break
        low, high = max(low, older.low_ns), min(high, older.high_ns)
    return Skew(low, high)


def wrong(skew: Skew, most_ms: int) -> str:
    """What the clock breaker says; empty unless more than `most_ms` is proved."""
    least_ms = skew.least_ns // NANOS_PER_MILLI if skew.least_ns > 0 else -(-skew.least_ns // NANOS_PER_MILLI)
    if abs(least_ms) <= most_ms:
        return ""
    return f"our clock is at least {abs(least_ms)} ms {'behind' if least_ms > 0 else 'ahead of'} the venue's"
