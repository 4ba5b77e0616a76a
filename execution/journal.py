"""The journal port: what must be written down, and what is read back after a restart. `store.py` writes rows.

Law: `intend` returns only when the rows are committed. Whoever gets an exception from it sends nothing.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

import msgspec

from execution.domain.blotter import OrderMoved, OrderRecord
from execution.domain.commands import ClientOrderId, Fill, Place, Refusal, TradeStatus
from execution.domain.lease import LeaseLost
from execution.domain.orders import ENDED, OrderState
from execution.relayers.base import Submission
from markets.domain.units import Nanos


class JournalUnavailable(Exception):
    """The rows could not be written, or nobody knows whether they were: nothing may be sent on their strength."""


class AlreadyPlanned(Exception):
    """This plan, or one of its orders, is in the journal: nothing was written and nothing may be sent.

    `known` are the client order ids that are journaled already; what became of them stands there.
    """

    def __init__(self, plan_id: str, known: Collection[ClientOrderId]) -> None:
        super().__init__(f"plan {plan_id} is in the journal already")
        self.plan_id = plan_id
        self.known = frozenset(known)


class Action(StrEnum):
    PLACE = "place"
    RESEND = "resend"
    CANCEL = "cancel"
    CANCEL_ALL = "cancel_all"
    CHAIN = "chain"


@dataclass(frozen=True, slots=True)
class Terms:
    """Under which orders are sent: by whom, whether for show only, and with which right."""

    relayer: str
    dry_run: bool
    fencing_token: int


class Audit(msgspec.Struct, frozen=True, gc=False):
    """One request to the relayer and what came of it. Durations in microseconds."""

    request_id: str
    action: Action
    orders: int
    at_ns: Nanos
    plan_id: str = ""
    accepted: int = 0
    rejected: int = 0
    unknown: int = 0
    decision_us: int = 0
    gate_us: int = 0
    queue_us: int = 0
    sign_us: int = 0
    journal_us: int = 0
    call_us: int = 0
    answer: str = ""
    error: str = ""
    reason: str = ""


Fact: TypeAlias = OrderMoved | Fill | Refusal


SETTLED = (TradeStatus.CONFIRMED, TradeStatus.FAILED)


def advances(seen: TradeStatus, told: TradeStatus) -> bool:
    """A settlement goes forward only: an old word that arrives late never undoes CONFIRMED or FAILED."""
    return told is not seen and seen not in SETTLED and told is not TradeStatus.MATCHED


class Journal(Protocol):
    """The few verbs. All of them raise JournalUnavailable; none of them blocks the event loop."""

    async def intend(self, place: Place, submissions: Sequence[Submission], terms: Terms, at_ns: Nanos) -> None:
        """Commit plan and orders in one transaction. Raises AlreadyPlanned, or LeaseLost for an older token."""

    async def record(self, facts: Iterable[Fact]) -> None:
        """Write what happened since, in the order given. Said twice, it is written once."""

    async def audit(self, audit: Audit, terms: Terms) -> None: ...

    async def open_orders(self, relayer: str) -> Sequence[OrderRecord]:
        """Orders of `relayer` without a final state, oldest first."""

    async def ended_orders(self, relayer: str, since_ns: Nanos) -> Sequence[OrderRecord]:
        """Orders that ended after `since_ns`, and older ones with a trade whose settlement was not told."""

    async def fills(self, relayer: str) -> Sequence[Fill]:
        """Every fill of `relayer`, oldest first, with its newest status."""

    async def max_client_order_id(self) -> ClientOrderId:
        """The largest id ever used, 0 before the first."""

    async def close(self) -> None:
        """Finish what waits, then let go of the database."""


class MemoryJournal:
    """A journal that forgets with the process: for replays and tests. Keeps the same promises about repetition."""

    def __init__(self) -> None:
        self.plans: dict[str, Place] = {}
        self.orders: dict[ClientOrderId, OrderRecord] = {}
        self.bodies: dict[ClientOrderId, bytes] = {}
        self.moves: list[OrderMoved] = []
        self.refusals: list[Refusal] = []
        self.audits: list[Audit] = []
        self.newest_token = 0
        self._fills: dict[tuple[str, ClientOrderId, int], Fill] = {}

    async def intend(self, place: Place, submissions: Sequence[Submission], terms: Terms, at_ns: Nanos) -> None:
        if terms.fencing_token < self.newest_token:
            raise LeaseLost("memory", terms.fencing_token)
        known = [order.client_order_id for order in place.orders if order.client_order_id in self.orders]
        if known or place.plan_id in self.plans:
            raise AlreadyPlanned(place.plan_id, known)
        self.newest_token = terms.fencing_token
        self.plans[place.plan_id] = place
        for submission in submissions:
            order = submission.order
            self.bodies[order.client_order_id] = submission.body
            self.orders[order.client_order_id] = OrderRecord(
                order,
                place.plan_id,
                place.strategy,
                OrderState.SUBMITTING,
                0,
                place.decided_ns,
                submission.order_id,
            )

    async def record(self, facts: Iterable[Fact]) -> None:
        for fact in facts:
            match fact:
                case OrderMoved():
                    self._move(fact)
                case Fill():
                    key = (fact.trade_id, fact.client_order_id, fact.bucket)
                    seen = self._fills.get(key)
                    if seen is None or advances(seen.status, fact.status):
                        self._fills[key] = fact
                case Refusal():
                    self.refusals.append(fact)

    def _move(self, moved: OrderMoved) -> None:
        record = self.orders.get(moved.client_order_id)
        if record is None:
            return  # it was refused before it was ever written down
        self.moves.append(moved)
        self.orders[moved.client_order_id] = msgspec.structs.replace(
            record, state=moved.after, filled=max(record.filled, moved.filled)
        )

    async def audit(self, audit: Audit, terms: Terms) -> None:
        self.audits.append(audit)

    async def open_orders(self, relayer: str) -> Sequence[OrderRecord]:
        return self._records(lambda record: record.state not in ENDED)

    async def ended_orders(self, relayer: str, since_ns: Nanos) -> Sequence[OrderRecord]:
        ids = {moved.client_order_id for moved in self.moves if moved.at_ns >= since_ns}
        ids |= {fill.client_order_id for fill in self._fills.values() if fill.status not in SETTLED}
        return self._records(lambda record: record.state in ENDED and record.order.client_order_id in ids)

    def _records(self, wanted: Callable[[OrderRecord], bool]) -> list[OrderRecord]:
        fills: dict[ClientOrderId, list[tuple[str, int]]] = {}
        for trade_id, client_order_id, bucket in self._fills:
            fills.setdefault(client_order_id, []).append((trade_id, bucket))
        return [
            msgspec.structs.replace(record, fills=tuple(fills.get(client_order_id, ())))
            for client_order_id, record in sorted(self.orders.items())
            if wanted(record)
        ]

    async def fills(self, relayer: str) -> Sequence[Fill]:
        return list(self._fills.values())

    async def max_client_order_id(self) -> ClientOrderId:
        return max(self.orders, default=0)

    async def close(self) -> None:
        """Nothing to let go of."""
