"""Reading orders and trades again: what the user channel may have missed, found at the venue.

Law: either everything was read or nothing is concluded. What the venue neither lists nor knows by its id is handed on
as missing; that alone proves no end.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from execution.domain.commands import Accepted, Ack, Outcome
from execution.domain.decode import OrderWord, TradeWord, Word
from execution.domain.doubts import Look
from execution.domain.ours import OurOrders
from execution.domain.reconcile import VenueOrder
from execution.relayers.base import Ok, Unavailable
from markets.domain.fees import FeeSchedule
from markets.domain.units import NANOS_PER_SECOND, ConditionId, Nanos

log = structlog.get_logger(__name__)

# How much earlier than strictly needed trades are asked for: clocks differ, and saying a fill twice costs nothing.
OVERLAP_S = 120
_LOOKS_AT_ONCE = 8


class AccountReads(Protocol):
    """What of a relayer's reading is needed here."""

    async def open_orders(self) -> Ok[tuple[VenueOrder, ...]] | Unavailable: ...

    async def order(self, order_id: str) -> Ok[OrderWord | None] | Unavailable: ...

    async def trades(self, after_s: int = 0) -> Ok[tuple[TradeWord, ...]] | Unavailable: ...


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """What reading again found, asked at `asked_ns`.

    `missing` are ours (by venue id), neither listed nor known; `foreign` are listed and not ours.
    """

    asked_ns: Nanos
    trades: int
    listed: tuple[VenueOrder, ...]
    missing: tuple[str, ...]
    foreign: tuple[VenueOrder, ...]

    @property
    def look(self) -> Look:
        return Look(self.asked_ns, self.listed, frozenset(self.missing))


class CatchUp:
    """`since_ns` is when the journal's knowledge ends; from then on each success moves it."""

    def __init__(
        self,
        reads: AccountReads,
        orders: OurOrders,
        *,
        fees: Callable[[ConditionId], FeeSchedule],
        on_outcome: Callable[[Outcome], None],
        since_ns: Nanos,
        now_ns: Callable[[], Nanos] = time.time_ns,
    ) -> None:
        self._reads = reads
        self._orders = orders
        self._fees = fees
        self._on_outcome = on_outcome
        self._since_ns = since_ns
        self._now_ns = now_ns

    @property
    def after_s(self) -> int:
        """From when on trades are asked for: also those whose settlement was not told before."""
        since_s = self._since_ns // NANOS_PER_SECOND
        unsettled_ms = self._orders.unsettled_ms
        if unsettled_ms is not None:
            since_s = min(since_s, unsettled_ms // 1_000)
        return max(0, since_s - OVERLAP_S)

    def look_back(self, since_ns: Nanos) -> None:
        """Read trades from then on at the next time: one that should be there was not."""
        self._since_ns = min(self._since_ns, since_ns)

    async def __call__(self) -> Ok[CaughtUp] | Unavailable:
        began_ns = self._now_ns()
        mine = self._orders.open_ids  # what is placed from here on is told by its own answer
        listed = await self._reads.open_orders()
        if isinstance(listed, Unavailable):
            return listed
        there = {order.order_id: order for order in listed.value}
        looked = await self._look([order_id for order_id in mine if order_id not in there])
        if isinstance(looked, Unavailable):
            return looked
        # Trades last: an order seen ended above has its trades in what is read now.
        trades = await self._reads.trades(self.after_s)
        if isinstance(trades, Unavailable):
            return trades
        missing = tuple(order_id for order_id, word in looked.value if word is None)
        words: list[Word] = [*trades.value, *(word for _, word in looked.value if word is not None)]
        for outcome in self._orders.understand(words, self._fees, self._now_ns()).outcomes:
            self._on_outcome(outcome)
        self._tell_resting(there)
        self._since_ns = began_ns
        foreign = tuple(order for order in listed.value if self._orders.find(order.order_id) is None)
        found = CaughtUp(began_ns, len(trades.value), listed.value, missing, foreign)
        log.info("caught_up", trades=found.trades, listed=len(there), missing=len(missing), foreign=len(foreign))
        return Ok(found)

    async def _look(self, order_ids: Sequence[str]) -> Ok[list[tuple[str, OrderWord | None]]] | Unavailable:
        """Ask for orders one by one; one that cannot be read spoils the look."""
        gate = asyncio.Semaphore(_LOOKS_AT_ONCE)

        async def one(order_id: str) -> Ok[OrderWord | None] | Unavailable:
            async with gate:
                return await self._reads.order(order_id)

        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(one(order_id)) for order_id in order_ids]
        found: list[tuple[str, OrderWord | None]] = []
        for order_id, task in zip(order_ids, asked, strict=True):
            answer = task.result()
            if isinstance(answer, Unavailable):
                return answer
            found.append((order_id, answer.value))
        return Ok(found)

    def _tell_resting(self, there: dict[str, VenueOrder]) -> None:
        """That it rests is an answer too, for an order whose own was lost. One that ended meanwhile is past it."""
        still_open = set(self._orders.open_ids)
        for order_id in there:
            order = self._orders.find(order_id)
            if order is not None and order_id in still_open:
                self._on_outcome(Accepted(order.client_order_id, order_id, Ack.LIVE, self._now_ns()))
