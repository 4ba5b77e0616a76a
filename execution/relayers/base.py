"""The port to a venue: the few verbs we use, and what may be answered.

Law: a submit is answered per order with Accepted, Rejected (proof) or Unknown; a read is `Ok` or
`Unavailable`, never an empty list that means "do not know". What the venue does unasked (fills, cancels,
late answers) comes through the `on_outcome` callback a relayer is built with, never as a return value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeAlias, TypeVar

from execution.domain.budget import Urgency
from execution.domain.chain import ChainState, ChainWork
from execution.domain.commands import (
    Accepted,
    CancelFailed,
    Cancelled,
    ClientOrderId,
    NewOrder,
    Rejected,
    Unknown,
)
from execution.domain.decode import OrderWord, TradeWord
from execution.domain.reconcile import VenueOrder
from markets.domain.market import Market
from markets.domain.units import AssetId, Cash, ConditionId, Size

T = TypeVar("T")

Answer: TypeAlias = Accepted | Rejected | Unknown
CancelAnswer: TypeAlias = Cancelled | CancelFailed


@dataclass(frozen=True, slots=True)
class Submission:
    """An order ready to leave. Its venue id (the hash) is known, `body` are the signed bytes the journal holds.

    `urgency` is that of the command it came with: who goes first when the venue's tokens are short.
    """

    order: NewOrder
    order_id: str
    body: bytes
    urgency: Urgency = Urgency.REQUOTE


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
        """Cancel every order of this wallet; raises OSError when the venue could not be asked."""

    async def cancel_market(self, condition_id: ConditionId = "", asset: AssetId = "") -> Sequence[CancelAnswer]:
        """Cancel every order of one market or of one token; raises OSError when the venue could not be asked,
        ValueError when neither is named.
        """

    async def open_orders(self) -> Ok[tuple[VenueOrder, ...]] | Unavailable: ...

    async def order(self, client_order_id: ClientOrderId) -> Ok[OrderWord | None] | Unavailable:
        """One order in whatever state; None when the venue does not (or no longer) know it, which proves nothing."""

    async def trades(self, after_s: int = 0) -> Ok[tuple[TradeWord, ...]] | Unavailable:
        """Our trades that matched in that second (epoch) or later."""

    async def balances(self) -> Ok[Balances] | Unavailable: ...

    async def heartbeat(self) -> Ok[None] | Unavailable:
        """Tell the venue that we live. Ok: its dead-man's switch holds, or it has none."""

    async def close(self) -> None: ...


# Work on chain -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Prepared:
    """A job signed and ready to leave: `body` are the bytes the journal holds, `nonce` can be used up only once."""

    nonce: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the relayer says of one transaction: SUBMITTED, MINED, CONFIRMED or FAILED."""

    transaction_id: str
    state: ChainState
    transaction_hash: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ChainRefused:
    """Proof that nothing was taken. `again`: the same work, prepared anew, may be taken in a moment."""

    detail: str
    again: bool = False


@dataclass(frozen=True, slots=True)
class ChainLost:
    """No proof either way."""

    detail: str


@dataclass(frozen=True, slots=True)
class Absent:
    """The relayer has no transaction of this job. `spent`: its nonce was used by another, so it never will."""

    spent: bool


ChainAnswer: TypeAlias = Receipt | ChainRefused | ChainLost


class ChainRelayer(Protocol):
    """Who carries splits, merges and conversions to the chain. One job of a wallet at a time: nonces are in order."""

    async def prepare(self, work: ChainWork, markets: Sequence[Market]) -> Ok[Prepared] | Unavailable:
        """Sign the job. `markets` are those of `work.condition_ids`; raises ValueError for what has no call."""

    async def submit(self, work: ChainWork, prepared: Prepared) -> ChainAnswer:
        """Send it. The same bytes again are done once at most."""

    async def transaction(self, transaction_id: str) -> Ok[Receipt] | Unavailable: ...

    async def find(self, work: ChainWork, prepared: Prepared) -> Ok[Receipt | Absent] | Unavailable:
        """What became of a job whose answer was lost."""

    async def ready(self) -> Ok[str] | Unavailable:
        """Whether it would take a job of this wallet now, and as what; nothing is sent."""

    async def settle(self, work: ChainWork) -> None:
        """It was confirmed: whoever keeps balances of ours may look again. Failing at that changes nothing."""

    async def close(self) -> None: ...
