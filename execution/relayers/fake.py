"""A relayer that does what it is told: scripted answers, delays, lost answers and fills, for tests and
rehearsals.

Law: it never touches a network and never makes anything up. Without a script every order is accepted and
rests until it is cancelled or filled by a call.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from execution.domain.commands import (
    Accepted,
    Ack,
    CancelFailed,
    Cancelled,
    ClientOrderId,
    Fill,
    Outcome,
    Rejected,
    TradeStatus,
    Unknown,
)
from execution.domain.decode import OrderWord, TradeWord
from execution.domain.reconcile import VenueOrder
from execution.relayers.base import Answer, Balances, CancelAnswer, Ok, Submission, Unavailable
from execution.relayers.recall import Recall
from markets.domain.events import Side
from markets.domain.units import AssetId, Cash, ConditionId, Nanos, Price, Size, cash_ceil, cash_floor


@dataclass(frozen=True, slots=True)
class Accept:
    ack: Ack = Ack.LIVE
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Reject:
    code: str
    detail: str = ""
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Lose:
    """The answer never arrives. The venue took the order if `rests`."""

    rests: bool = True
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Break:
    """The whole request fails with an exception; orders answered before it rest, this one may or may not
    (`rests`).
    """

    error: Exception
    rests: bool = True
    delay_s: float = 0.0


Step: TypeAlias = Accept | Reject | Lose | Break
_ACCEPT = Accept()


@dataclass(slots=True)
class _Resting:
    submission: Submission
    matched: Size = 0

    @property
    def remaining(self) -> Size:
        return self.submission.order.size - self.matched


def _ignore(outcome: Outcome) -> None:
    """For callers who only look at the answers."""


class FakeRelayer:
    """`script` holds one step per order, in the order they arrive; when it is used up, orders are accepted.

    `before_ack` runs when a request has arrived and before anything is answered: there a test can look at
    the database over a second connection.
    """

    name = "fake"

    def __init__(
        self,
        script: Iterable[Step] = (),
        *,
        on_outcome: Callable[[Outcome], None] = _ignore,
        before_ack: Callable[[Sequence[Submission]], Awaitable[None]] | None = None,
        clock: Callable[[], Nanos] = time.time_ns,
        cash: Cash = 0,
    ) -> None:
        self.script: deque[Step] = deque(script)
        self.requests: list[tuple[Submission, ...]] = []
        self.cancel_requests: list[tuple[ClientOrderId, ...]] = []
        self.unavailable = ""  # a reason makes reads, cancels and cancel_all fail
        self.cash = cash
        self.shares: dict[AssetId, Size] = {}
        self._on_outcome = on_outcome
        self._before_ack = before_ack
        self._clock = clock
        self._resting: dict[ClientOrderId, _Resting] = {}
        self._recall = Recall()
        self._trades = 0

    async def submit(self, orders: Sequence[Submission]) -> Sequence[Answer]:
        self.requests.append(tuple(orders))
        if self._before_ack is not None:
            await self._before_ack(orders)
        return [await self._play(each) for each in orders]

    async def _play(self, submission: Submission) -> Answer:
        step = self.script.popleft() if self.script else _ACCEPT
        client_order_id = submission.order.client_order_id
        if not isinstance(step, Reject) and (isinstance(step, Accept) or step.rests):
            self._resting[client_order_id] = _Resting(submission)
            self._recall.arrived(submission.order, submission.order_id, self._clock())
        if step.delay_s:
            await asyncio.sleep(step.delay_s)
        match step:
            case Accept(ack):
                return Accepted(client_order_id, submission.order_id, ack, self._clock())
            case Reject(code, detail):
                return Rejected(client_order_id, code, detail, self._clock())
            case Lose():
                return Unknown(client_order_id, "the answer was lost (scripted)", self._clock())
            case Break(error):
                raise error

    async def cancel(self, ids: Sequence[ClientOrderId]) -> Sequence[CancelAnswer]:
        self.cancel_requests.append(tuple(ids))
        if self.unavailable:
            return [CancelFailed(each, self.unavailable, self._clock()) for each in ids]
        return [self._cancel(each) for each in ids]

    def _cancel(self, client_order_id: ClientOrderId) -> CancelAnswer:
        if self._resting.pop(client_order_id, None) is None:
            return CancelFailed(client_order_id, "order not found or already ended", self._clock())
        gone = Cancelled(client_order_id, "cancelled", self._clock())
        self._recall.cancelled(gone)
        return gone

    async def cancel_all(self) -> Sequence[CancelAnswer]:
        if self.unavailable:
            raise ConnectionError(self.unavailable)
        return await self.cancel(tuple(self._resting))

    async def cancel_market(self, condition_id: ConditionId = "", asset: AssetId = "") -> Sequence[CancelAnswer]:
        ids = self._recall.resting_in(condition_id, asset)
        if self.unavailable:
            raise ConnectionError(self.unavailable)
        return await self.cancel(ids)

    async def open_orders(self) -> Ok[tuple[VenueOrder, ...]] | Unavailable:
        if self.unavailable:
            return Unavailable(self.unavailable)
        return Ok(tuple(_listed(each) for each in self._resting.values()))

    async def order(self, client_order_id: ClientOrderId) -> Ok[OrderWord | None] | Unavailable:
        return Unavailable(self.unavailable) if self.unavailable else Ok(self._recall.order(client_order_id))

    async def trades(self, after_s: int = 0) -> Ok[tuple[TradeWord, ...]] | Unavailable:
        return Unavailable(self.unavailable) if self.unavailable else Ok(self._recall.trades(after_s))

    async def balances(self) -> Ok[Balances] | Unavailable:
        if self.unavailable:
            return Unavailable(self.unavailable)
        return Ok(Balances(self.cash, {asset: size for asset, size in self.shares.items() if size}))

    async def heartbeat(self) -> Ok[None] | Unavailable:
        return Unavailable(self.unavailable) if self.unavailable else Ok(None)

    async def close(self) -> None:
        """Nothing to close."""

    # What a test makes the venue do

    def fill(
        self,
        client_order_id: ClientOrderId,
        size: Size,
        *,
        price: Price | None = None,
        fee: Cash = 0,
        status: TradeStatus = TradeStatus.CONFIRMED,
    ) -> Fill:
        """Trade `size` of a resting order and tell `on_outcome`.

        Returns the fill, to be said again or changed by `say`.
        """
        resting = self._resting[client_order_id]
        order = resting.submission.order
        if not 0 < size <= resting.remaining:
            raise ValueError(f"size: {size} is outside 1..{resting.remaining}")
        resting.matched += size
        if not resting.remaining:
            del self._resting[client_order_id]
        self._trades += 1
        at = order.price if price is None else price
        buys = order.side is Side.BUY
        self.cash += (-cash_ceil(at, size) if buys else cash_floor(at, size)) - fee
        self.shares[order.asset] = self.shares.get(order.asset, 0) + (size if buys else -size)
        fill = Fill(
            client_order_id,
            f"fake-{self._trades}",
            0,
            order.condition_id,
            order.asset,
            order.side,
            at,
            size,
            fee,
            price is None,
            status,
            self._clock(),
        )
        self._recall.filled(fill)
        self._on_outcome(fill)
        return fill

    def drop(self, client_order_id: ClientOrderId, detail: str = "cancelled by the venue") -> None:
        """The venue takes an order down unasked."""
        del self._resting[client_order_id]
        gone = Cancelled(client_order_id, detail, self._clock())
        self._recall.cancelled(gone)
        self._on_outcome(gone)

    def say(self, outcome: Outcome) -> None:
        """Anything else the venue may come up with: late acceptances, repeated fills, failed settlements."""
        self._on_outcome(outcome)


def _listed(resting: _Resting) -> VenueOrder:
    order = resting.submission.order
    return VenueOrder(
        resting.submission.order_id,
        order.condition_id,
        order.asset,
        order.side,
        order.price,
        order.size,
        resting.matched,
    )
