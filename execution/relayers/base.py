"""The port to a venue: the few verbs we use, and what may be answered.

Law: a submit is answered per order with Accepted, Rejected (proof) or Unknown; a read is `Ok` or
`Unavailable`, never an empty list that means "do not know". What the venue does unasked (fills, cancels,
late answers) comes through the `on_outcome` callback a relayer is built with, never as a return value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeAlias, TypeVar

from execution.domain.commands import (
    Accepted,
    CancelFailed,
    Cancelled,
    ClientOrderId,
    NewOrder,
    Rejected,
    Unknown,
)
from execution.domain.reconcile import VenueOrder
from markets.domain.units import AssetId, Cash, Size

T = TypeVar("T")

Answer: TypeAlias = Accepted | Rejected | Unknown
CancelAnswer: TypeAlias = Cancelled | CancelFailed


@dataclass(frozen=True, slots=True)
class Submission:
    """An order ready to leave. Its venue id (the hash) is known, `body` are the signed bytes the journal holds."""

    order: NewOrder
    order_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Ok(Generic[T]):
    value: T


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The venue was not read. Nothing may be concluded from it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Balances:
    """What the venue says we hold: free and reserved cash together, shares per asset."""

    cash: Cash
    shares: Mapping[AssetId, Size] = field(default_factory=dict)


class Relayer(Protocol):
    @property
    def name(self) -> str: ...

    async def submit(self, orders: Sequence[Submission]) -> Sequence[Answer]:
        """Send at most one batch (15 orders). An order without an answer in the result is Unknown."""

    async def cancel(self, ids: Sequence[ClientOrderId]) -> Sequence[CancelAnswer]: ...

    async def cancel_all(self) -> Sequence[CancelAnswer]:
        """Cancel every order of this wallet; raises when the venue could not be asked."""

    async def open_orders(self) -> Ok[tuple[VenueOrder, ...]] | Unavailable: ...

    async def balances(self) -> Ok[Balances] | Unavailable: ...

    async def close(self) -> None: ...
