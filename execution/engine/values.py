"""What the hands carry about: how long they wait, where the time went, and why something was not sent.

Law: values and errors only; nothing here touches the world.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import msgspec

from execution.domain.commands import Accepted, CancelFailed, Cancelled, ClientOrderId, Outcome, Rejected
from markets.domain.units import Nanos


class MustStop(Exception):
    """Another engine holds the lease: this one may not sign, send or even try again."""


class Trouble(msgspec.Struct, frozen=True):
    """Something a person must look at. `key` tells two reports of one trouble from two troubles."""

    kind: str
    key: str
    text: str


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the hands wait for whom, and how much they hold. Every queue is bounded by `queue`."""

    sign_s: float = 5.0
    journal_s: float = 5.0
    call_s: float = 10.0
    stale_s: float = 5.0
    audit_retry_s: float = 1.0
    place_lanes: int = 4
    cancel_lanes: int = 4
    queue: int = 1_000


class NotSent(Exception):
    """Nothing left this machine. `spare` are orders that another command has sent: not ours to answer."""

    def __init__(self, code: str, detail: str, spare: Collection[ClientOrderId] = ()) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.spare = spare


@dataclass(slots=True)
class Stages:
    """Where the time of one command went, in microseconds."""

    decision_us: int
    queue_us: int
    gate_us: int = 0
    sign_us: int = 0
    journal_us: int = 0


@dataclass(slots=True)
class Tally:
    """How the orders of one request were answered."""

    accepted: int = 0
    rejected: int = 0
    unknown: int = 0
    errors: dict[str, None] = field(default_factory=dict)

    def count(self, outcome: Outcome) -> None:
        match outcome:
            case Accepted() | Cancelled():
                self.accepted += 1
            case Rejected(code=code):
                self.rejected += 1
                self.errors[code] = None
            case CancelFailed():
                self.rejected += 1
                self.errors["cancel_failed"] = None
            case _:
                self.unknown += 1
                self.errors["unknown"] = None


def micros(nanos: int) -> int:
    return max(0, nanos // 1_000)


def timed(outcomes: Sequence[Outcome], took_ns: Nanos) -> list[Outcome]:
    """With how long the venue took for what it accepted."""
    return [
        msgspec.structs.replace(outcome, took_ns=took_ns) if isinstance(outcome, Accepted) else outcome
        for outcome in outcomes
    ]
