"""What requoting may cost: cancels counted in a sliding minute, one window per market.

Law: the caller brings the clock. Only requotes are noted here; a risk cancel is never refused for lack of
budget.
"""

from collections import deque

from markets.domain.units import NANOS_PER_SECOND, Nanos

MINUTE: Nanos = 60 * NANOS_PER_SECOND


class CancelWindow:
    """Requoting cancels of one market in the minute before `now_ns`."""

    __slots__ = ("_count", "_noted")

    def __init__(self) -> None:
        self._noted: deque[tuple[Nanos, int]] = deque()
        self._count = 0

    def left(self, limit: int, now_ns: Nanos) -> int:
        """How many more may be sent now; never negative, also after the limit was lowered."""
        while self._noted and now_ns - self._noted[0][0] >= MINUTE:
            self._count -= self._noted.popleft()[1]
        return max(0, limit - self._count)

    def note(self, cancels: int, now_ns: Nanos) -> None:
        if cancels:
            self._noted.append((now_ns, cancels))
            self._count += cancels
