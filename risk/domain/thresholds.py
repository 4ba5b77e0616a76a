"""Where breakers trip: every threshold defined once, with unit, bounds, default and help.

The rows, the admin form, the API and docs/risk.md are made from `DEFINITIONS`.
Law: a value out of bounds never becomes `Thresholds`; the error names the field, the bound and the value.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from markets.domain.units import NANOS_PER_MILLI, NANOS_PER_SECOND, Nanos


@dataclass(frozen=True, slots=True)
class Threshold:
    name: str
    unit: str
    minimum: int
    maximum: int
    default: int
    help: str


DEFINITIONS: tuple[Threshold, ...] = (
    Threshold("hold_s", "s", 1, 600, 5, "How long health must last before any breaker closes."),
    Threshold("cooldown_s", "s", 1, 86_400, 30, "How long a breaker that is reset by time stays open."),
    Threshold("failures", "orders", 1, 1_000, 3, "Orders in a row whose answer was lost: trips failures."),
    Threshold("error_percent", "%", 1, 100, 50, "Share of refused and lost orders: trips error_rate."),
    Threshold("error_window_s", "s", 1, 3_600, 60, "Over how long that share is taken."),
    Threshold("error_least", "orders", 1, 10_000, 20, "Fewest answered orders in the window that are a rate."),
    Threshold("rejects", "orders", 1, 10_000, 8, "Orders refused in one market: trips its rejects."),
    Threshold("rejects_window_s", "s", 1, 3_600, 10, "Within how long they must fall."),
    Threshold("ack_ms", "ms", 1, 60_000, 2_000, "Median of the last five acknowledgements: trips ack_latency."),
    Threshold("ack_factor", "times usual", 2, 1_000, 10, "The same, as a multiple of what is usual here."),
    Threshold("ack_floor_ms", "ms", 1, 60_000, 100, "Below this the multiple does not count."),
    Threshold("broken_percent", "%", 1, 100, 50, "Share of traded books that broke: trips broken_books."),
    Threshold("broken_least", "books", 1, 100_000, 4, "Fewest broken books that are a share."),
    Threshold("skew_ms", "ms", 10, 60_000, 2_000, "Our clock against the venue's: trips clock_skew."),
    Threshold("lag_ms", "ms", 10, 60_000, 1_000, "How late the event loop woke: trips loop_lag."),
    Threshold("database_ms", "ms", 10, 60_000, 3_000, "How long one beat's writes took: trips database."),
)
BY_NAME: Mapping[str, Threshold] = {each.name: each for each in DEFINITIONS}


class ThresholdError(ValueError):
    """Names the field, its bounds and the value."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(f"{field}: {text}")
        self.field = field


@dataclass(frozen=True, slots=True)
class Thresholds:
    """In the units of `DEFINITIONS`. Build with `resolve`."""

    hold_s: int = 5
    cooldown_s: int = 30
    failures: int = 3
    error_percent: int = 50
    error_window_s: int = 60
    error_least: int = 20
    rejects: int = 8
    rejects_window_s: int = 10
    ack_ms: int = 2_000
    ack_factor: int = 10
    ack_floor_ms: int = 100
    broken_percent: int = 50
    broken_least: int = 4
    skew_ms: int = 2_000
    lag_ms: int = 1_000
    database_ms: int = 3_000

    @property
    def hold_ns(self) -> Nanos:
        return self.hold_s * NANOS_PER_SECOND

    @property
    def cooldown_ns(self) -> Nanos:
        return self.cooldown_s * NANOS_PER_SECOND

    @property
    def ack_ns(self) -> Nanos:
        return self.ack_ms * NANOS_PER_MILLI

    @property
    def ack_floor_ns(self) -> Nanos:
        return self.ack_floor_ms * NANOS_PER_MILLI


def check(name: str, value: int) -> Threshold:
    """The definition of a threshold that may have this value. Raises ThresholdError."""
    known = BY_NAME.get(name)
    if known is None:
        raise ThresholdError(name, f"is no threshold; there are {', '.join(BY_NAME)}")
    if not known.minimum <= value <= known.maximum:
        raise ThresholdError(name, f"{value} is outside {known.minimum}..{known.maximum} ({known.unit})")
    return known


def resolve(values: Mapping[str, int]) -> Thresholds:
    """What is not set has its default. Raises ThresholdError."""
    for name, value in values.items():
        check(name, value)
    return Thresholds(**values)


assert {field.name: field.default for field in fields(Thresholds)} == {each.name: each.default for each in DEFINITIONS}
