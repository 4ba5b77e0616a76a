"""Paper money in the live loop: the paper exchange behind the relayer port.

Law: one thread. The trader's tap feeds the same market events, answers come when the exchange's own clock
has reached them, everything unasked goes to `on_outcome`. A clock that stands still (a recording that ended)
means no answer, which is Unknown, never a hang.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from execution.domain.commands import (
    Accepted,
    CancelFailed,
    Cancelled,
    ClientOrderId,
    Fill,
    Outcome,
    Rejected,
    Unknown,
)
from execution.domain.decode import OrderWord, TradeWord
from execution.domain.reconcile import VenueOrder
from execution.relayers.base import Answer, Balances, CancelAnswer, Ok, Submission, Unavailable
from execution.relayers.paper_exchange import PaperExchange
from execution.relayers.recall import Recall, concerns
from markets.domain.events import MarketEvent
from markets.domain.units import AssetId, ConditionId, Nanos

__all__ = ["PaperExchange", "PaperRelayer"]

POLL_S = 0.005
_SILENCE = "the paper venue's clock stands still"

T = TypeVar("T")


class _Slot(Generic[T]):
    """Where a waiting caller finds its answer."""

    answer: T | None = None


class PaperRelayer:
    name = "paper"

    def __init__(
        self,
        exchange: PaperExchange,
        on_outcome: Callable[[Outcome], None],
        clock: Callable[[], Nanos],
        *,
        answer_timeout_s: float = 5.0,
    ) -> None:
        self.exchange = exchange
        self._on_outcome = on_outcome
        self._clock = clock
        self._polls = max(1, int(answer_timeout_s / POLL_S))
        self._submits: dict[ClientOrderId, _Slot[Accepted | Rejected]] = {}
        self._cancels: dict[ClientOrderId, _Slot[CancelAnswer]] = {}
        self._recall = Recall()
        self._flying: dict[ClientOrderId, Submission] = {}

    def on_event(self, event: MarketEvent, now_ns: Nanos) -> None:
        """The trader's tap: call it with every decoded event, then fills come out of `on_outcome`."""
        self.exchange.on_event(event, now_ns)
        self.advance(now_ns)

    def advance(self, now_ns: Nanos) -> None:
        """Hand out what has happened up to `now_ns`; also call it when the market is silent."""
        for outcome in self.exchange.due(now_ns):
            self._hand_out(outcome)

    def _hand_out(self, outcome: Outcome) -> None:
        self._remember(outcome)
        match outcome:
            case Accepted() | Rejected() if outcome.client_order_id in self._submits:
                self._submits.pop(outcome.client_order_id).answer = outcome
            case Cancelled() | CancelFailed() if outcome.client_order_id in self._cancels:
                self._cancels.pop(outcome.client_order_id).answer = outcome
            case _:
                self._on_outcome(outcome)

    def _remember(self, outcome: Outcome) -> None:
        match outcome:
            case Accepted(client_order_id) if client_order_id in self._flying:
                arrived = self._flying.pop(client_order_id)
                self._recall.arrived(arrived.order, arrived.order_id, outcome.at_ns)
            case Rejected(client_order_id):
                self._flying.pop(client_order_id, None)
            case Fill():
                self._recall.filled(outcome)
            case Cancelled():
                self._recall.cancelled(outcome)

    async def submit(self, orders: Sequence[Submission]) -> Sequence[Answer]:
        now_ns = self._clock()
        slots: dict[ClientOrderId, _Slot[Accepted | Rejected]] = {}
        for each in orders:
            slots[each.order.client_order_id] = self._submits[each.order.client_order_id] = _Slot()
            self._flying[each.order.client_order_id] = each
            self.exchange.submit(each.order, each.order_id, now_ns)
        await self._wait(slots, self._submits)
        return [slot.answer or Unknown(each, _SILENCE, self._clock()) for each, slot in slots.items()]

    async def cancel(self, ids: Sequence[ClientOrderId]) -> Sequence[CancelAnswer]:
        """An order already being cancelled is not asked for twice; both callers get its one answer."""
        now_ns = self._clock()
        slots: dict[ClientOrderId, _Slot[CancelAnswer]] = {}
        for each in ids:
            if each not in self._cancels:
                self._cancels[each] = _Slot()
                self.exchange.cancel((each,), now_ns)
            slots[each] = self._cancels[each]
        await self._wait(slots, self._cancels)
        return [slot.answer or CancelFailed(each, _SILENCE, self._clock()) for each, slot in slots.items()]

    async def cancel_all(self) -> Sequence[CancelAnswer]:
        return await self.cancel(self.exchange.open_ids)

    async def cancel_market(self, condition_id: ConditionId = "", asset: AssetId = "") -> Sequence[CancelAnswer]:
        resting = self._recall.resting_in(condition_id, asset)
        flying = [number for number, each in self._flying.items() if concerns(each.order, condition_id, asset)]
        return await self.cancel([*resting, *flying])

    async def open_orders(self) -> Ok[tuple[VenueOrder, ...]] | Unavailable:
        return Ok(self.exchange.open_orders)

    async def order(self, client_order_id: ClientOrderId) -> Ok[OrderWord | None] | Unavailable:
        return Ok(self._recall.order(client_order_id))

    async def trades(self, after_s: int = 0) -> Ok[tuple[TradeWord, ...]] | Unavailable:
        return Ok(self._recall.trades(after_s))

    async def balances(self) -> Ok[Balances] | Unavailable:
        ledger = self.exchange.ledger
        return Ok(Balances(ledger.cash, ledger.positions))

    async def heartbeat(self) -> Ok[None] | Unavailable:
        """A venue in this process dies with it and needs no switch."""
        return Ok(None)

    async def close(self) -> None:
        """Nothing to close: no socket, no task."""

    async def _wait(self, slots: Mapping[ClientOrderId, "_Slot[T]"], waiting: dict[ClientOrderId, "_Slot[T]"]) -> None:
        """Until every slot has its answer or patience ends; then late answers go to `on_outcome`."""
        try:
            for _ in range(self._polls):
                self.advance(self._clock())
                if all(slot.answer is not None for slot in slots.values()):
                    return
                await asyncio.sleep(POLL_S)
        finally:
            for each, slot in slots.items():
                if waiting.get(each) is slot:
                    del waiting[each]
