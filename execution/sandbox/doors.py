"""When trading is open, and how many requests a signer may send.

Its one law: a bucket is asked once per request and answers for all of it; a batch passes whole or not at all.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from execution.sandbox import refusal
from execution.sandbox.refusal import Refused, post_only_mode


class Mode(StrEnum):
    OPEN = "open"
    RESTARTING = "restarting"
    POST_ONLY = "post_only"
    CANCEL_ONLY = "cancel_only"
    DISABLED = "disabled"


@dataclass(slots=True)
class Doors:
    """The venue's mode: some phases one after the other, then open again."""

    _phases: list[tuple[Mode, int]] = field(default_factory=list)

    def schedule(self, phases: list[tuple[Mode, int]], now_ms: int) -> None:
        """Go through these modes, each for so many milliseconds, beginning now."""
        self._phases = []
        for mode, lasting_ms in phases:
            now_ms += lasting_ms
            self._phases.append((mode, now_ms))

    def mode(self, now_ms: int) -> Mode:
        return next((mode for mode, until_ms in self._phases if now_ms < until_ms), Mode.OPEN)

    def _left_s(self, now_ms: int) -> int:
        until_ms = next((until_ms for _, until_ms in self._phases if now_ms < until_ms), now_ms)
        return -(-(until_ms - now_ms) // 1000)

    def admit(self, now_ms: int) -> None:
        """What every order endpoint asks, cancels included."""
        match self.mode(now_ms):
            case Mode.RESTARTING:
                raise Refused(425, refusal.RESTARTING, {}, {"Retry-After": str(self._left_s(now_ms))})
            case Mode.DISABLED:
                raise Refused(503, refusal.DISABLED)

    def admit_order(self, now_ms: int, *, post_only: bool) -> None:
        mode = self.mode(now_ms)
        if mode is Mode.CANCEL_ONLY:
            raise Refused(503, refusal.CANCEL_ONLY)
        if mode is Mode.POST_ONLY and not post_only:
            raise post_only_mode(self._left_s(now_ms))


@dataclass(frozen=True, slots=True)
class Tier:
    """A volume tier: tokens per second and burst, for orders and for cancels."""

    name: str
    orders: tuple[int, int]
    cancels: tuple[int, int]
    # The lower tiers may owe cancels for a cancel-all; that blocks later ones.
    may_owe: bool


TIERS = {
    tier.name: tier
    for tier in (
        Tier("Standard", (40, 60), (80, 120), may_owe=True),
        Tier("Copper", (60, 90), (120, 180), may_owe=True),
        Tier("Bronze", (80, 120), (160, 240), may_owe=True),
        Tier("Silver", (200, 300), (400, 600), may_owe=True),
        Tier("Gold", (400, 600), (800, 1_200), may_owe=True),
        Tier("Platinum", (450, 675), (900, 1_350), may_owe=False),
        Tier("Diamond", (525, 787), (1_050, 1_575), may_owe=False),
        Tier("Elite", (600, 900), (1_200, 1_800), may_owe=False),
    )
}


@dataclass(slots=True)
class Bucket:
    """One token bucket; tokens in thousandths, so that a rate per second is a rate per millisecond."""

    rate: int
    burst: int
    level: int
    at_ms: int

    def refill(self, now_ms: int) -> None:
        self.level = min(self.burst * 1000, self.level + max(0, now_ms - self.at_ms) * self.rate)
        self.at_ms = max(self.at_ms, now_ms)

    def wait_ms(self, cost: int) -> int:
        return max(0, -(-(cost * 1000 - self.level) // self.rate))


class Turnstile:
    """Both buckets of every signer."""

    def __init__(self, tier: Tier) -> None:
        self.tier = tier
        self._buckets: dict[tuple[str, str], Bucket] = {}

    def pass_orders(self, signer: str, cost: int, now_ms: int) -> dict[str, str]:
        """Take tokens for new orders; returns the headers to answer with."""
        return self._pass("orders", signer, cost, now_ms)

    def pass_cancels(self, signer: str, cost: int, now_ms: int) -> dict[str, str]:
        return self._pass("cancels", signer, cost, now_ms)

    def charge_cancelled(self, signer: str, cancelled: int, now_ms: int) -> dict[str, str]:
        """The second debit of a cancel-all, known only after it was done."""
        bucket = self._bucket("cancels", signer, now_ms)
        owed = bucket.level - cancelled * 1000
        bucket.level = owed if self.tier.may_owe else max(0, owed)
        return self._headers(bucket, now_ms, 0)

    def _pass(self, which: str, signer: str, cost: int, now_ms: int) -> dict[str, str]:
        bucket = self._bucket(which, signer, now_ms)
        wait_ms = bucket.wait_ms(cost)
        if wait_ms:
            headers = self._headers(bucket, now_ms, wait_ms)
            raise Refused(429, refusal.TOO_MANY, {}, headers | {"Retry-After": str(-(-wait_ms // 1000))})
        bucket.level -= cost * 1000
        return self._headers(bucket, now_ms, 0)

    def _headers(self, bucket: Bucket, now_ms: int, wait_ms: int) -> dict[str, str]:
        return {
            "Poly-RateLimit-Remaining": str(bucket.level // 1000),
            "Poly-RateLimit-Reset": str(-(-(now_ms + wait_ms) // 1000)),
            "Poly-RateLimit-Tier": self.tier.name,
        }

    def _bucket(self, which: str, signer: str, now_ms: int) -> Bucket:
        rate, burst = self.tier.orders if which == "orders" else self.tier.cancels
        bucket = self._buckets.setdefault((which, signer), Bucket(rate, burst, burst * 1000, now_ms))
        bucket.refill(now_ms)
        return bucket


BEAT_LIMIT_MS, BEAT_CHECK_MS = 10_000, 5_000


@dataclass(slots=True)
class Heartbeats:
    """The chain of heartbeats of every API key; the first beat arms it, and nothing disarms it but its end."""

    _expected: dict[str, str] = field(default_factory=dict)
    _beaten_ms: dict[str, int] = field(default_factory=dict)
    _checked_ms: int = 0

    def beat(self, key: str, sent: str, fresh: str, now_ms: int) -> str:
        """Take a beat; the answer is what the next one has to say."""
        if sent != self._expected.get(key, ""):
            extra: dict[str, object] = {
                "error_msg": refusal.INVALID_HEARTBEAT,
                "heartbeat_id": self._expected.get(key, ""),
            }
            raise Refused(400, "", extra)
        self._expected[key], self._beaten_ms[key] = fresh, now_ms
        return fresh

    def lost(self, now_ms: int) -> list[str]:
        """The keys that have been silent for too long; asked often, looks every five seconds."""
        if now_ms - self._checked_ms < BEAT_CHECK_MS:
            return []
        self._checked_ms = now_ms
        silent = [key for key, at_ms in self._beaten_ms.items() if now_ms - at_ms > BEAT_LIMIT_MS]
        for key in silent:
            del self._beaten_ms[key], self._expected[key]
        return silent
