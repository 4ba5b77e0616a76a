"""What the trader tells the hands to do, and what the hands report back.

Law: a command is durable before it is sent, an outcome comes back as an event, and `Unknown` is an answer.
"""

from enum import StrEnum
from typing import TypeAlias

import msgspec

from execution.domain.chain import ChainWork
from markets.domain.events import Side
from markets.domain.units import AssetId, Cash, ConditionId, Millis, Nanos, Price, Size
from strategies.domain.intents import OrderType

ClientOrderId: TypeAlias = int

# The venue takes a GTD order down about a minute before the expiry it is told.
GTD_ENDS_EARLY: Millis = 60_000


class Strategy(StrEnum):
    SPREAD = "spread"
    DUTCH_BOOK = "dutch_book"
    EXIT = "exit"


class NewOrder(msgspec.Struct, frozen=True, gc=False, tag=True):
    """An order decided and approved.

    `client_order_id` (at most 2**53 - 1) becomes the salt, so the venue's id follows from it.
    """

    client_order_id: ClientOrderId
    condition_id: ConditionId
    asset: AssetId
    side: Side
    price: Price
    size: Size
    tick: Price
    order_type: OrderType = OrderType.GTC
    post_only: bool = True
    expires_ms: Millis = 0


class Place(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Send these orders as one plan. `plan_id` repeated places nothing twice.

    `input_ns` is when the newest input of the decision was received, 0 when nobody says; the audit times from it.
    """

    plan_id: str
    strategy: Strategy
    orders: tuple[NewOrder, ...]
    decided_ns: Nanos
    trace: str = ""
    input_ns: Nanos = 0


class CancelReason(StrEnum):
    REQUOTE = "requote"
    WITHDRAWN = "side no longer wanted"
    UNTRUSTED = "book not verified"
    STOPPED = "stopped"
    BREAKER = "breaker open"
    REFUSED = "refused by the gate"
    DISABLED = "off by operator"
    NO_QUOTE = "nothing to quote"
    VENUE = "venue or user channel"
    OFF_GRID = "tick changed"
    SHUTDOWN = "engine stopping"
    FOREIGN = "left by an earlier run"
    BASKET = "a basket goes first"
    DEADLINE = "basket out of time"
    ABANDONED = "basket no longer pays"


class Cancel(msgspec.Struct, frozen=True, gc=False, tag=True):
    order_ids: tuple[ClientOrderId, ...]
    reason: CancelReason
    decided_ns: Nanos


class Resync(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Ask the feed for fresh snapshots of one market's tokens. Logs and screens name the wish by `request_id`."""

    assets: tuple[AssetId, ...]
    reason: str
    condition_id: ConditionId = ""
    request_id: int = 0


class Refusal(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The gate or a breaker said no. `codes` are stable words, `detail` is for people, `trace` is JSON of
    `strategies.domain.traces`, "" when nothing had been planned.
    """

    condition_id: ConditionId
    strategy: Strategy
    codes: tuple[str, ...]
    detail: str
    at_ns: Nanos
    count: int = 1
    trace: str = ""


Command: TypeAlias = Place | Cancel | Resync | Refusal | ChainWork


DRY_RUN = "dry_run"  # the code of an order that was signed and journaled, and by intention not sent


class Ack(StrEnum):
    """How the venue answered a submit (dossier 4.4)."""

    LIVE = "live"
    MATCHED = "matched"
    DELAYED = "delayed"


class Accepted(msgspec.Struct, frozen=True, gc=False, tag=True):
    """`took_ns`: from the request to its answer; 0 when it was not asked for but told."""

    client_order_id: ClientOrderId
    order_id: str
    ack: Ack
    at_ns: Nanos
    took_ns: Nanos = 0


class Rejected(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Proof that the order does not rest and did not trade."""

    client_order_id: ClientOrderId
    code: str
    detail: str
    at_ns: Nanos


class Unknown(msgspec.Struct, frozen=True, gc=False, tag=True):
    """No proof either way: exposure stays reserved until reconciliation has proved what happened."""

    client_order_id: ClientOrderId
    detail: str
    at_ns: Nanos


class Cancelled(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The venue says the order no longer rests (asked by us, expired, or the venue's own doing)."""

    client_order_id: ClientOrderId
    detail: str
    at_ns: Nanos
    expired: bool = False


class CancelFailed(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The venue would not or could not cancel: already matched, unknown, or unreachable."""

    client_order_id: ClientOrderId
    detail: str
    at_ns: Nanos


class TradeStatus(StrEnum):
    MATCHED = "MATCHED"
    MINED = "MINED"
    CONFIRMED = "CONFIRMED"
    RETRYING = "RETRYING"
    FAILED = "FAILED"


class Fill(msgspec.Struct, frozen=True, gc=False, tag=True):
    """One execution of one of our orders; `fee` is what we paid.

    (`trade_id`, `client_order_id`, `bucket`) makes it idempotent, its `status` may arrive again and change.
    """

    client_order_id: ClientOrderId
    trade_id: str
    bucket: int
    condition_id: ConditionId
    asset: AssetId
    side: Side
    price: Price
    size: Size
    fee: Cash
    maker: bool
    status: TradeStatus
    at_ns: Nanos


Outcome: TypeAlias = Accepted | Rejected | Unknown | Cancelled | CancelFailed | Fill
