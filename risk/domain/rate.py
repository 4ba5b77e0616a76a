"""How many orders may be placed now: a token bucket over the whole wallet.

Law: integer nanoseconds only, so the same session gives the same answers everywhere; a clock that steps back gives
nothing and takes nothing.
"""

from markets.domain.units import NANOS_PER_SECOND, Nanos


class OrderRate:
    """Refills `per_second` orders a second up to `burst` (one second's worth unless said). Owned by the trader."""

    def __init__(self, per_second: int, now_ns: Nanos, burst: int | None = None) -> None:
        self._check(per_second, burst)
        self._per_second = per_second
        self._burst = per_second if burst is None else burst
        # One order is NANOS_PER_SECOND of credit, so that a nanosecond refills a whole number of it.
        self._credit = self._burst * NANOS_PER_SECOND
        self._at_ns = now_ns

    @staticmethod
    def _check(per_second: int, burst: int | None) -> None:
        if per_second < 1 or (burst is not None and burst < 1):
            raise ValueError(f"an order rate must be at least 1, got {per_second} a second, burst {burst}")

    def set_rate(self, per_second: int, now_ns: Nanos, burst: int | None = None) -> None:
        """Change the rate; what is left of the old allowance stays, up to the new burst."""
        self._check(per_second, burst)
        self.room(now_ns)
        self._per_second = per_second
        self._burst = per_second if burst is None else burst
        self._credit = min(self._credit, self._burst * NANOS_PER_SECOND)

    def room(self, now_ns: Nanos) -> int:
        if now_ns > self._at_ns:
            self._refill(now_ns)
        return self._credit // NANOS_PER_SECOND

    def take(self, count: int, now_ns: Nanos) -> None:
        """Use up room that the gate has seen. Raises ValueError, and takes nothing, if there is less."""
        if now_ns > self._at_ns:
            self._refill(now_ns)
        left = self._credit - count * NANOS_PER_SECOND
        if count < 0 or left < 0:
            raise ValueError(f"{count} orders taken with room for {self.room(now_ns)}")
        self._credit = left

    def keep(self) -> tuple[int, Nanos]:
        """The credit and its moment, to be taken up again by `restore`."""
        return self._credit, self._at_ns

    def restore(self, kept: tuple[int, Nanos]) -> None:
        """What an earlier run had used up stays used up; never more than the burst of today."""
        credit, at_ns = kept
        self._credit = max(0, min(credit, self._burst * NANOS_PER_SECOND))
        self._at_ns = at_ns

    def _refill(self, now_ns: Nanos) -> None:
        credit, full = self._credit + (now_ns - self._at_ns) * self._per_second, self._burst * NANOS_PER_SECOND
        self._credit = credit if credit < full else full
        self._at_ns = now_ns
