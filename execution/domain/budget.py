"""What trading may cost: the signer's token buckets at the venue, and the requoting cancels of one market.

Law: the caller brings the clock. What would exceed a bucket is not sent: an order waits, the least urgent first; a
cancel is never held back, it only runs its own bucket into debt.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from markets.domain.units import NANOS_PER_SECOND, Nanos

MINUTE: Nanos = 60 * NANOS_PER_SECOND
MAX_BATCH = 15  # orders the venue takes in one request
MAX_CANCELS = 1_000  # ids in one cancel request


class Tier(StrEnum):
    """The venue's classes of makers, by volume of thirty days."""

    STANDARD = "Standard"
    COPPER = "Copper"
    BRONZE = "Bronze"
    SILVER = "Silver"
    GOLD = "Gold"
    PLATINUM = "Platinum"
    DIAMOND = "Diamond"
    ELITE = "Elite"


@dataclass(frozen=True, slots=True)
class Rates:
    """Tokens a second and tokens at most, for orders and for cancels."""

    orders: int
    order_burst: int
    cancels: int
    cancel_burst: int


TIERS: Mapping[Tier, Rates] = {
    Tier.STANDARD: Rates(40, 60, 80, 120),
    Tier.COPPER: Rates(60, 90, 120, 180),
    Tier.BRONZE: Rates(80, 120, 160, 240),
    Tier.SILVER: Rates(200, 300, 400, 600),
    Tier.GOLD: Rates(400, 600, 800, 1200),
    Tier.PLATINUM: Rates(450, 675, 900, 1350),
    Tier.DIAMOND: Rates(525, 787, 1050, 1575),
    Tier.ELITE: Rates(600, 900, 1200, 1800),
}


class Urgency(IntEnum):
    """Who goes first when tokens are short. A smaller number is more urgent."""

    RISK = 0
    EXIT = 1
    ARBITRAGE = 2
    REQUOTE = 3


# How much of the burst each class leaves to those before it, in twentieths. What the stop ladder may need for
# flattening is out of reach of requotes and, half of it, of arbitrage.
_RESERVED: Mapping[Urgency, int] = {Urgency.RISK: 0, Urgency.EXIT: 0, Urgency.ARBITRAGE: 2, Urgency.REQUOTE: 4}
_TWENTIETHS = 20


class Bucket:
    """Tokens that come back at a steady rate. Counted in billionths, so that integers are exact at any moment."""

    __slots__ = ("_at_ns", "_level", "burst", "rate")

    def __init__(self, rate: int, burst: int) -> None:
        self.rate = rate
        self.burst = burst
        self._level = burst * NANOS_PER_SECOND
        self._at_ns: Nanos = 0

    def left(self, now_ns: Nanos) -> int:
        """Whole tokens; negative when in debt."""
        self._refill(now_ns)
        return self._level // NANOS_PER_SECOND

    def wait_ns(self, tokens: int, keep: int, now_ns: Nanos) -> Nanos:
        """How long until `tokens` can be taken and `keep` remain; 0 is now. Raises ValueError for never."""
        if tokens + keep > self.burst:
            raise ValueError(f"tokens: {tokens} and {keep} kept are more than the burst of {self.burst}")
        self._refill(now_ns)
        short = (tokens + keep) * NANOS_PER_SECOND - self._level
        return max(0, -(-short // self.rate))

    def take(self, tokens: int, now_ns: Nanos) -> None:
        """Take them, into debt if need be."""
        self._refill(now_ns)
        self._level -= tokens * NANOS_PER_SECOND

    def at_most(self, tokens: int, now_ns: Nanos) -> None:
        self._refill(now_ns)
        self._level = min(self._level, tokens * NANOS_PER_SECOND)

    def empty_for(self, pause_ns: Nanos, now_ns: Nanos) -> None:
        """No token before `pause_ns` has passed."""
        self._refill(now_ns)
        self._level = min(self._level, -self.rate * pause_ns)

    def resize(self, rate: int, burst: int, now_ns: Nanos) -> None:
        """A new tier. What had been spent stays spent."""
        self._refill(now_ns)
        self._level += (burst - self.burst) * NANOS_PER_SECOND
        self.rate, self.burst = rate, burst

    def _refill(self, now_ns: Nanos) -> None:
        if now_ns > self._at_ns:  # a clock set back brings nothing and takes nothing
            self._level = min(self.burst * NANOS_PER_SECOND, self._level + (now_ns - self._at_ns) * self.rate)
            self._at_ns = now_ns


@dataclass(frozen=True, slots=True)
class Tokens:
    """What is left now, and the most there can be. Negative is debt: cancels are sent all the same."""

    tier: Tier
    orders: int
    order_burst: int
    cancels: int
    cancel_burst: int


class Budget:
    """The order and the cancel bucket of one signer, as we believe the venue counts them."""

    def __init__(self, tier: Tier = Tier.STANDARD) -> None:
        rates = TIERS[tier]
        self.tier = tier
        self._wanted = dict.fromkeys(Urgency, 0)
        self.orders = Bucket(rates.orders, rates.order_burst)
        self.cancels = Bucket(rates.cancels, rates.cancel_burst)

    def reserved(self, urgency: Urgency) -> int:
        """Order tokens this class must leave."""
        return self.orders.burst * _RESERVED[urgency] // _TWENTIETHS

    def batch(self, urgency: Urgency) -> int:
        """Orders in one request at most: a batch above the burst would never be admitted."""
        return min(MAX_BATCH, self.orders.burst - self.reserved(urgency))

    def admit(self, orders: int, urgency: Urgency, now_ns: Nanos) -> Nanos:
        """Take the tokens for one batch and return 0, or take none and return how long to wait before asking again.

        What more urgent batches wait for is left to them.
        """
        before = sum(wanted for other, wanted in self._wanted.items() if other < urgency)
        keep = min(self.reserved(urgency) + before, self.orders.burst - orders)
        wait_ns = self.orders.wait_ns(orders, keep, now_ns)
        if not wait_ns:
            self.orders.take(orders, now_ns)
        return wait_ns

    @contextmanager
    def waiting(self, orders: int, urgency: Urgency) -> Iterator[None]:
        """Inside, the less urgent leave these tokens alone."""
        self._wanted[urgency] += orders
        try:
            yield
        finally:
            self._wanted[urgency] -= orders

    def tokens(self, now_ns: Nanos) -> Tokens:
        orders, cancels = self.orders, self.cancels
        return Tokens(self.tier, orders.left(now_ns), orders.burst, cancels.left(now_ns), cancels.burst)

    def cancel_batch(self) -> int:
        """Cancels in one request at most."""
        return min(MAX_CANCELS, self.cancels.burst)

    def cancelling(self, orders: int, now_ns: Nanos) -> None:
        """Cancels that are being sent. Also told afterwards, for those that "cancel all" turned out to cost."""
        self.cancels.take(orders, now_ns)

    # What the venue says of its own count

    def told(self, bucket: Bucket, remaining: int, now_ns: Nanos) -> None:
        """The venue's count is believed when it is lower: requests under way are in ours and not yet in its."""
        bucket.at_most(remaining, now_ns)

    def refused(self, bucket: Bucket, retry_after_ns: Nanos, now_ns: Nanos) -> None:
        """Turned away for want of tokens."""
        bucket.empty_for(retry_after_ns, now_ns)

    def retier(self, tier: Tier, now_ns: Nanos) -> None:
        if tier is not self.tier:
            rates = TIERS[tier]
            self.tier = tier
            self.orders.resize(rates.orders, rates.order_burst, now_ns)
            self.cancels.resize(rates.cancels, rates.cancel_burst, now_ns)


class CancelWindow:
    """Requoting cancels of one market in the minute before `now_ns`."""

    __slots__ = ("_count", "_noted")

    def __init__(self, kept: Iterable[tuple[Nanos, int]] = ()) -> None:
        self._noted: deque[tuple[Nanos, int]] = deque(kept)
        self._count = sum(cancels for _, cancels in self._noted)

    def left(self, limit: int, now_ns: Nanos) -> int:
        """How many more may be sent now; never negative, also after the limit was lowered."""
        while self._noted and now_ns - self._noted[0][0] >= MINUTE:
            self._count -= self._noted.popleft()[1]
        return max(0, limit - self._count)

    def note(self, cancels: int, now_ns: Nanos) -> None:
        if cancels:
            self._noted.append((now_ns, cancels))
            self._count += cancels

    def keep(self) -> tuple[tuple[Nanos, int], ...]:
        """When how many were sent, to be taken up again by `CancelWindow(kept)`."""
        return tuple(self._noted)
