"""Telling: outcomes to the trader, trouble to people, audits to the journal, numbers to Prometheus.

Law: a lost report never undoes what was done, and never makes it be done again.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from uuid import uuid4

from execution import metrics
from execution.domain.commands import Accepted, CancelFailed, Cancelled, NewOrder, Outcome, Rejected, Unknown
from execution.engine.values import NotSent, Pace, Stages, Tally, Trouble
from execution.journal import Action, Audit, Journal, JournalUnavailable, Terms
from markets.domain.units import Nanos

AUDITS_KEPT = 1_000  # while the journal does not answer


class Report:
    """The two callbacks are called in the event loop and must not block."""

    def __init__(
        self,
        *,
        journal: Journal,
        terms: Terms,
        pace: Pace,
        on_outcome: Callable[[Outcome], None],
        on_trouble: Callable[[Trouble], None],
        now_ns: Callable[[], Nanos],
    ) -> None:
        self._journal = journal
        self._terms = terms
        self._pace = pace
        self._on_outcome = on_outcome
        self._on_trouble = on_trouble
        self.now_ns = now_ns
        self._late: deque[Audit] = deque()
        self._lost = 0
        self._run, self._audits = uuid4().hex, 0  # chance is asked for once: it is a call of the system
        self._wake = asyncio.Event()

    def refuse(self, orders: Sequence[NewOrder], why: NotSent) -> None:
        """Nothing of these orders left this machine, which is proof."""
        for order in orders:
            self.deliver(Rejected(order.client_order_id, why.code, why.detail, self.now_ns()))

    def stages(self, stages: Stages) -> None:
        metrics.STAGES.labels("decision").observe(stages.decision_us / 1e6)
        metrics.STAGES.labels("gate").observe(stages.gate_us / 1e6)
        metrics.STAGES.labels("queue").observe(stages.queue_us / 1e6)
        metrics.STAGES.labels("sign").observe(stages.sign_us / 1e6)
        metrics.STAGES.labels("journal").observe(stages.journal_us / 1e6)

    def deliver(self, outcome: Outcome) -> None:
        relayer = self._terms.relayer
        match outcome:
            case Cancelled() | CancelFailed():
                metrics.CANCELS.labels(relayer, type(outcome).__name__.lower()).inc()
            case Accepted() | Rejected() | Unknown():
                metrics.ORDERS.labels(relayer, type(outcome).__name__.lower()).inc()
        if isinstance(outcome, Rejected):
            metrics.REJECTIONS.labels(relayer, outcome.code).inc()
        self._on_outcome(outcome)

    def deliver_all(self, outcomes: Sequence[Outcome]) -> Tally:
        tally = Tally()
        for outcome in outcomes:
            tally.count(outcome)
            self.deliver(outcome)
        return tally

    def trouble(self, kind: str, key: str, text: str) -> None:
        self._on_trouble(Trouble(kind, f"{kind}:{key}", text))

    def audit_of(self, action: Action, orders: int, stages: Stages, tally: Tally | None = None) -> Audit:
        tally = tally or Tally()
        self._audits += 1
        return Audit(
            request_id=f"{self._run}-{self._audits:x}",
            action=action,
            orders=orders,
            at_ns=self.now_ns(),
            accepted=tally.accepted,
            rejected=tally.rejected,
            unknown=tally.unknown,
            decision_us=stages.decision_us,
            gate_us=stages.gate_us,
            queue_us=stages.queue_us,
            sign_us=stages.sign_us,
            journal_us=stages.journal_us,
            error=",".join(tally.errors)[:64],
        )

    async def write_audit(self, audit: Audit) -> None:
        """What cannot be written now waits behind what waits already, and never undoes what was sent."""
        if self._late:
            self._keep(audit)
            return
        problem = await self._written(audit)
        if problem:
            self._keep(audit)
            self.trouble("journal_unavailable", "audit", f"Audits wait for the journal: {problem}")

    def _keep(self, audit: Audit) -> None:
        if len(self._late) == AUDITS_KEPT:
            self._late.popleft()
            self._lost += 1
        self._late.append(audit)
        self._wake.set()

    async def run(self) -> None:
        """Write later what could not be written at once, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._late:
                await asyncio.sleep(self._pace.audit_retry_s)
                await self.flush()

    async def flush(self) -> bool:
        """Write all audits that wait; False when the journal would not."""
        while self._late:
            if await self._written(oldest := self._late[0]):
                return False
            if self._late and self._late[0] is oldest:  # the end of the engine flushes beside the retries
                self._late.popleft()
        if self._lost:
            lost, self._lost = self._lost, 0
            self.trouble("audits_lost", "audit", f"{lost} audits were lost: more than {AUDITS_KEPT} waited")
        return True

    async def _written(self, audit: Audit) -> str:
        """Empty when it was, else why not. Said twice, an audit is written once."""
        try:
            async with asyncio.timeout(self._pace.journal_s):
                await self._journal.audit(audit, self._terms)
        except TimeoutError:
            return f"TimeoutError: no answer in {self._pace.journal_s:g} s"
        except JournalUnavailable as error:
            return f"{type(error).__name__}: {error}"
        return ""
