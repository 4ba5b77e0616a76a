"""What the hands for work on chain carry about: how long for whom, jobs as rows and as work in hand, and the budget.

Law: values only; nothing here touches the world.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from execution.domain.chain import ChainState, ChainTold, ChainWork
from execution.journal import Terms
from execution.relayers.base import Prepared
from markets.domain.units import Nanos


@dataclass(frozen=True, slots=True)
class ChainPace:
    """Seconds: how long for whom. `absent_s` without a trace at the relayer proves that a job was never taken."""

    submits_a_minute: int = 25
    minute_s: float = 60.0
    stale_s: float = 10.0
    patience_s: float = 60.0
    again_s: float = 1.0
    look_s: float = 0.25
    poll_s: float = 1.0
    poll_cap_s: float = 15.0
    resend_s: float = 60.0
    absent_s: float = 600.0
    late_s: float = 300.0
    call_s: float = 15.0
    rows_s: float = 5.0
    queue: int = 200


@dataclass(frozen=True, slots=True)
class Kept:
    """A job as its row has it. `prepared` is None while nothing was ever sent."""

    work: ChainWork
    state: ChainState
    prepared: Prepared | None = None
    transaction_id: str = ""
    attempts: int = 0
    sent_ns: Nanos = 0


class ChainRows(Protocol):
    """Where jobs are written. All of them raise one of `unavailable` when the database does not answer."""

    @property
    def unavailable(self) -> tuple[type[Exception], ...]: ...

    async def chain_plan(self, work: ChainWork, terms: Terms, at_ns: Nanos) -> Kept | None:
        """None when it was written now; else the job as it is known already."""

    async def chain_sending(self, job_id: str, prepared: Prepared, terms: Terms, at_ns: Nanos) -> None:
        """Raises LeaseLost for an older token."""

    async def chain_told(self, told: ChainTold) -> None:
        """State and effects in one transaction."""


@dataclass(slots=True)
class Job:
    work: ChainWork
    state: ChainState
    prepared: Prepared | None
    transaction_id: str
    sent_ns: Nanos  # 0: never
    due_ns: Nanos = 0
    wait_s: float = 0.0
    told_late: bool = False
    orphan: bool = False


@dataclass(slots=True)
class Budget:
    """So many submits within any minute."""

    number: int
    window_ns: Nanos
    sent: deque[Nanos] = field(default_factory=deque)

    def wait_ns(self, now_ns: Nanos) -> Nanos:
        while self.sent and self.sent[0] <= now_ns - self.window_ns:
            self.sent.popleft()
        return 0 if len(self.sent) < self.number else self.sent[0] + self.window_ns - now_ns
