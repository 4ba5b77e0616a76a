"""The engine's lookout: while the fate of an order is unknown, ask the venue what rests there.

Law: an unreadable venue, or a journal that does not answer, proves nothing. What is proved enters by the inbox like any
other word of the venue, and is kept as a report.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Protocol, TypeAlias

import structlog

from execution.domain import doubts
from execution.domain.blotter import Blotter, LiveOrder
from execution.domain.commands import ClientOrderId
from execution.domain.doubts import Doubts, Look
from execution.domain.reconcile import Correction
from execution.engine import Trouble
from execution.journal import Journal, JournalUnavailable
from execution.relayers.base import Ok, Relayer, Unavailable
from markets.domain.units import Nanos
from polyweb.runtime.inbox import Item

log = structlog.get_logger(__name__)

LOOK_S = 5.0
SETTLE_TURNS = 100


class VenueUnreadable(Exception):
    """The engine does not start while it cannot know what rests at the venue and what is held there."""


class Reports(Protocol):
    """Who keeps what was corrected."""

    @property
    def unavailable(self) -> tuple[type[Exception], ...]: ...

    async def reconciled(self, source: str, relayer: str, corrections: Sequence[Correction]) -> None: ...


class Inbox(Protocol):
    @property
    def waiting(self) -> int: ...

    def push(self, item: Item) -> None: ...


Looking: TypeAlias = Callable[[], Awaitable[Ok[Look] | Unavailable]]


def listing(relayer: Relayer, now_ns: Callable[[], Nanos] = time.time_ns) -> Looking:
    """Looking at a venue that can only list: what it does not list, it does not have."""

    async def look() -> Ok[Look] | Unavailable:
        asked_ns = now_ns()
        answer = await relayer.open_orders()
        return Ok(Look(asked_ns, answer.value)) if isinstance(answer, Ok) else answer

    return look


async def _never(_: Sequence[ClientOrderId]) -> None:
    """For venues that lose nothing on the way: nothing is ever said twice there."""


class Lookout:
    """`look` asks the venue, `resend` says lost orders once more; `relayer` names whose orders they are."""

    def __init__(
        self,
        *,
        blotter: Blotter,
        relayer: str,
        look: Looking,
        journal: Journal,
        inbox: Inbox,
        reports: Reports,
        on_trouble: Callable[[Trouble], None],
        resend: Callable[[Sequence[ClientOrderId]], Awaitable[None]] = _never,
        now_ns: Callable[[], Nanos] = time.time_ns,
    ) -> None:
        self._blotter = blotter
        self._relayer = relayer
        self._look = look
        self._resend = resend
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

    def report(self, missing: Iterable[str]) -> None:
        """Whoever else looked did not find these orders of ours, by venue id: look for them too."""
        self._doubts.report(missing)

    async def look(self) -> tuple[Correction, ...]:
        """One look, when there is something to look for; returns what it proved."""
        sought = self._doubts.doubtful(self._blotter.all_live(), self._now_ns())
        if not sought:
            return ()
        try:
            records = await self._journal.open_orders(self._relayer)
        except JournalUnavailable as error:
            log.warning("lookout_waits", orders=len(sought), reason=str(error))
            return ()
        answer = await self._look()
        if not isinstance(answer, Ok):
            log.warning("lookout_waits", orders=len(sought), reason=answer.reason)
            return ()
        if not await self._inbox_is_empty():
            return ()
        named = doubts.with_ids(self._unmoved(sought), {r.order.client_order_id: r.order_id for r in records})
        again = self._doubts.again(named, answer.value, self._now_ns())
        proved = self._doubts.judge(named, answer.value)
        await self._tell(proved)
        if again:
            log.warning("order_said_again", orders=len(again))
            await self._resend(again)
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
        now = [(order, self._blotter.order(order.client_order_id)) for order in sought]
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
            await self._reports.reconciled("engine", self._relayer, proved)
        except self._reports.unavailable as error:
            log.error("reconciliation_not_written", error=str(error))
