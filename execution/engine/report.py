"""Telling: outcomes to the trader, trouble to people, audits to the journal, numbers to Prometheus.

Law: a lost report never undoes what was done, and never makes it be done again.
"""

import asyncio
from collections.abc import Callable, Sequence
from uuid import uuid4

from execution import metrics
from execution.domain.commands import Accepted, CancelFailed, Cancelled, NewOrder, Outcome, Rejected, Unknown
from execution.engine.values import NotSent, Pace, Stages, Tally, Trouble
from execution.journal import Action, Audit, Journal, JournalUnavailable, Terms
from markets.domain.units import Nanos


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

    def refuse(self, orders: Sequence[NewOrder], why: NotSent) -> None:
        """Nothing of these orders left this machine, which is proof."""
        for order in orders:
            self.deliver(Rejected(order.client_order_id, why.code, why.detail, self.now_ns()))

    def stages(self, stages: Stages) -> None:
        metrics.STAGES.labels("decision").observe(stages.decision_us / 1e6)
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
        return Audit(
            request_id=uuid4().hex,
            action=action,
            orders=orders,
            at_ns=self.now_ns(),
            accepted=tally.accepted,
            rejected=tally.rejected,
            unknown=tally.unknown,
            decision_us=stages.decision_us,
            queue_us=stages.queue_us,
            sign_us=stages.sign_us,
            journal_us=stages.journal_us,
            error=",".join(tally.errors)[:64],
        )

    async def write_audit(self, audit: Audit) -> None:
        """A lost audit is told, and never undoes what was sent."""
        try:
            async with asyncio.timeout(self._pace.journal_s):
                await self._journal.audit(audit, self._terms)
        except (JournalUnavailable, TimeoutError) as error:
            self.trouble("journal_unavailable", "audit", f"An audit was lost: {error or 'no answer'}")
