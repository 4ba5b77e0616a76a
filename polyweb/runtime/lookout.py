"""The engine's lookout: while the fate of an order is unknown, ask the venue what rests there.

Law: an unreadable venue, or a journal that does not answer, proves nothing. What is proved enters by the inbox like any
other word of the venue, and is kept as a report.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from execution.domain import doubts
from execution.domain.blotter import LiveOrder
from execution.domain.doubts import Doubts
from execution.domain.reconcile import Correction
from execution.engine import Trouble
from execution.journal import Journal, JournalUnavailable
from execution.relayers.base import Ok, Relayer
from markets.domain.units import Nanos
from polyweb.runtime.inbox import Item
from polyweb.runtime.trader import Trader

log = structlog.get_logger(__name__)

LOOK_S = 5.0
SETTLE_TURNS = 100


class Reports(Protocol):
    """Who keeps what was corrected."""

    @property
    def unavailable(self) -> tuple[type[Exception], ...]: ...

    async def reconciled(self, source: str, relayer: str, corrections: Sequence[Correction]) -> None: ...


class Inbox(Protocol):
    @property
    def waiting(self) -> int: ...

    def push(self, item: Item) -> None: ...


class Lookout:
    def __init__(
        self,
        *,
        trader: Trader,
        relayer: Relayer,
        journal: Journal,
        inbox: Inbox,
        reports: Reports,
        on_trouble: Callable[[Trouble], None],
        now_ns: Callable[[], Nanos] = time.time_ns,
    ) -> None:
        self._trader = trader
        self._relayer = relayer
        self._journal = journal
        self._inbox = inbox
        self._reports = reports
        self._on_trouble = on_trouble
        self._now_ns = now_ns
        self._doubts = Doubts()

    async def run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            await self.look()

    async def look(self) -> tuple[Correction, ...]:
        """One look, when there is something to look for; returns what it proved."""
        sought = self._doubts.doubtful(self._trader.blotter.all_live(), self._now_ns())
        if not sought:
            return ()
        try:
            records = await self._journal.open_orders(self._relayer.name)
        except JournalUnavailable as error:
            log.warning("lookout_waits", orders=len(sought), reason=str(error))
            return ()
        asked_ns = self._now_ns()
        answer = await self._relayer.open_orders()
        if not isinstance(answer, Ok):
            log.warning("lookout_waits", orders=len(sought), reason=answer.reason)
            return ()
        if not await self._inbox_is_empty():
            return ()
        named = doubts.with_ids(self._unmoved(sought), {r.order.client_order_id: r.order_id for r in records})
        proved = self._doubts.judge(named, answer.value, asked_ns)
        await self._tell(proved)
        return proved

    async def _inbox_is_empty(self) -> bool:
        """Wait for the trader to fold in what has arrived: it may be the very answer. False when it does not end."""
        for _ in range(SETTLE_TURNS):
            if not self._inbox.waiting:
                return True
            await asyncio.sleep(0)
        return False

    def _unmoved(self, sought: Sequence[LiveOrder]) -> list[LiveOrder]:
        """Orders that nothing was heard of while we asked."""
        now = [(order, self._trader.blotter.order(order.client_order_id)) for order in sought]
        return [newest for order, newest in now if newest is not None and newest.state is order.state]

    async def _tell(self, proved: Sequence[Correction]) -> None:
        if not proved:
            return
        now_ns = self._now_ns()
        for correction in proved:
            outcome = doubts.outcome(correction, now_ns)
            log.warning("order_settled_by_looking", subject=correction.subject, kind=correction.kind.value)
            if outcome is not None:
                self._inbox.push(outcome)
            else:
                text = f"{correction.kind.value}: {correction.detail}"
                self._on_trouble(Trouble("reconciliation", correction.subject, text))
        try:
            await self._reports.reconciled("engine", self._relayer.name, proved)
        except self._reports.unavailable as error:
            log.error("reconciliation_not_written", error=str(error))
