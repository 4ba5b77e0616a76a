"""What breakers remember of the recent past: counts over a rolling time, and how long acknowledgements take.

Law: integers and the caller's clock. Everything kept can be written down and taken up again as it was.
"""

from collections import deque
from collections.abc import Iterable

from markets.domain.units import NANOS_PER_SECOND, Nanos

Counted = tuple[int, int, int]
"""A second since the epoch, and what went well and badly in it."""

RECENT = 5
LEARNED = 20  # acknowledgements before anything is usual
_FASTER, _SLOWER = 16, 128  # how soon what is usual follows down, and how slowly it lets itself be drawn up


class Rolling:
    """Good and bad of the last `span_s` seconds, in buckets of one second."""

    __slots__ = ("_bad", "_good", "_seconds")

    def __init__(self, kept: Iterable[Counted] = ()) -> None:
        self._seconds: deque[list[int]] = deque(list(each) for each in kept)
        self._good = sum(each[1] for each in self._seconds)
        self._bad = sum(each[2] for each in self._seconds)

    def note(self, at_ns: Nanos, *, good: int = 0, bad: int = 0) -> None:
        second, seconds = at_ns // NANOS_PER_SECOND, self._seconds
        if seconds and seconds[-1][0] >= second:
            newest = seconds[-1]
            newest[1] += good
            newest[2] += bad
        else:
            seconds.append([second, good, bad])
        self._good += good
        self._bad += bad

    def count(self, now_ns: Nanos, span_s: int) -> tuple[int, int]:
        """Good and bad; what is older is forgotten for ever."""
        oldest = now_ns // NANOS_PER_SECOND - span_s
        while self._seconds and self._seconds[0][0] <= oldest:
            _, good, bad = self._seconds.popleft()
            self._good -= good
            self._bad -= bad
        return self._good, self._bad

    def clear(self) -> None:
        self._seconds.clear()
        self._good = self._bad = 0

    def keep(self) -> tuple[Counted, ...]:
        return tuple((second, good, bad) for second, good, bad in self._seconds)


class Acks:
    """The last few acknowledgements, and slowly what is usual."""

    __slots__ = ("_recent", "_seen", "_usual_ns")

    def __init__(self, usual_ns: Nanos = 0, seen: int = 0, recent: Iterable[Nanos] = ()) -> None:
        self._usual_ns = usual_ns
        self._seen = seen
        self._recent: deque[Nanos] = deque(recent, maxlen=RECENT)

    def note(self, took_ns: Nanos) -> None:
        self._recent.append(took_ns)

    def learn(self, took_ns: Nanos) -> None:
        """Usual is the median of a moment in which nothing was wrong: single slow ones do not move it.

        It forgets a slow beginning at once, and a venue that gets slower bit by bit does not take it along.
        """
        self._seen += 1
        away_ns = took_ns - self._usual_ns
        if self._seen <= LEARNED:
            self._usual_ns += away_ns // self._seen
        elif away_ns < 0:
            self._usual_ns += away_ns // _FASTER
        else:
            self._usual_ns += min(away_ns, self._usual_ns) // _SLOWER

    def median_ns(self) -> Nanos:
        """Of the last five; 0 before there are five."""
        return sorted(self._recent)[RECENT // 2] if len(self._recent) == RECENT else 0

    @property
    def usual_ns(self) -> Nanos:
        """0 before enough was seen."""
        return self._usual_ns if self._seen >= LEARNED else 0

    def clear(self) -> None:
        self._recent.clear()

    def keep(self) -> tuple[Nanos, int, tuple[Nanos, ...]]:
        return self._usual_ns, self._seen, tuple(self._recent)
