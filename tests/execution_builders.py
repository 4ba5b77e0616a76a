"""Builders for tests of the hands and the journal: one market, orders in it, a relayer that does as it is told."""

from collections.abc import Callable, Sequence

from execution.domain.commands import (
    Accepted,
    Ack,
    CancelFailed,
    Cancelled,
    ClientOrderId,
    NewOrder,
    Outcome,
    Place,
    Strategy,
)
from execution.domain.reconcile import VenueOrder
from execution.engine import Hands, Pace, Trouble
from execution.journal import Journal, MemoryJournal, Terms
from execution.relayers.base import Answer, Balances, CancelAnswer, Ok, Relayer, Submission, Unavailable
from execution.signing import LocalSigner, SignatureType, Signer, sandbox_key
from markets.domain.events import Side
from markets.domain.market import Generation, Market
from markets.domain.units import Nanos

NOW: Nanos = 1_760_000_000_000_000_000
YES, NO = "1" * 77, "2" * 77
CONDITION = "0x" + "c0" * 32
MARKET = Market(CONDITION, "event-1", "Will it rain?", YES, NO, generation=Generation.V1)


def order(client_order_id: ClientOrderId = 1, *, asset: str = YES, price: int = 5_000) -> NewOrder:
    return NewOrder(client_order_id, CONDITION, asset, Side.BUY, price, 10_000_000, 100)


def place(plan_id: str = "plan-1", *ids: ClientOrderId) -> Place:
    orders = tuple(order(client_order_id) for client_order_id in ids or (1,))
    return Place(plan_id, Strategy.SPREAD, orders, NOW, input_ns=NOW - 42_000)


class Desk:
    """A relayer that accepts everything, unless `answer` says otherwise. Remembers what it was asked."""

    name = "fake"

    def __init__(self, answer: Callable[[Sequence[Submission]], Sequence[Answer]] | None = None) -> None:
        self.submitted: list[list[ClientOrderId]] = []
        self.cancelled: list[list[ClientOrderId]] = []
        self.all_cancelled = 0
        self._answer = answer or accept

    async def submit(self, orders: Sequence[Submission]) -> Sequence[Answer]:
        self.submitted.append([one.order.client_order_id for one in orders])
        return self._answer(orders)

    async def cancel(self, ids: Sequence[ClientOrderId]) -> Sequence[CancelAnswer]:
        self.cancelled.append(list(ids))
        return [Cancelled(i, "asked", NOW) if i != 404 else CancelFailed(i, "not found", NOW) for i in ids]

    async def cancel_all(self) -> Sequence[CancelAnswer]:
        self.all_cancelled += 1
        return []

    async def open_orders(self) -> Ok[tuple[VenueOrder, ...]] | Unavailable:
        return Ok(())

    async def balances(self) -> Ok[Balances] | Unavailable:
        return Ok(Balances(0))

    async def close(self) -> None: ...


def accept(orders: Sequence[Submission]) -> Sequence[Answer]:
    return [Accepted(one.order.client_order_id, one.order_id, Ack.LIVE, NOW) for one in orders]


def signer() -> LocalSigner:
    key = sandbox_key()
    return LocalSigner(key, key.address, SignatureType.EOA, 137)


class Rig:
    """Hands with everything they touch, and what they told."""

    def __init__(
        self,
        relayer: Relayer | None = None,
        *,
        journal: Journal | None = None,
        signs: Signer | None = None,
        terms: Terms | None = None,
        market: Market | None = MARKET,
        rehearsal: Generation = Generation.UNKNOWN,
        pace: Pace | None = None,
    ) -> None:
        self.outcomes: list[Outcome] = []
        self.troubles: list[Trouble] = []
        self.relayer = relayer or Desk()
        self.journal = journal or MemoryJournal()
        self.hands = Hands(
            signer=signs or signer(),
            journal=self.journal,
            relayer=self.relayer,
            terms=terms or Terms("fake", False, 1),
            market_of=lambda condition_id: market if condition_id == CONDITION else None,
            on_outcome=self.outcomes.append,
            on_trouble=self.troubles.append,
            pace=pace or Pace(sign_s=0.5, journal_s=0.5, call_s=0.05, place_lanes=2, queue=10),
            rehearsal=rehearsal,
            now_ns=lambda: NOW + 1_000,
        )

    def answers(self) -> list[tuple[str, ClientOrderId]]:
        return [(type(outcome).__name__, outcome.client_order_id) for outcome in self.outcomes]
