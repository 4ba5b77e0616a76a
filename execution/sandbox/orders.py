"""Orders: from the payload a client posts to the order that rests.

Its one law: only what reads exactly like the venue's payload becomes an order; everything is integers from here
on, prices in 1/10 000 pUSD, sizes in 1/1 000 000 share.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from execution.sandbox import refusal
from execution.sandbox.ladder import PRICE_ONE, Side
from execution.sandbox.listing import MarketSpec
from execution.sandbox.refusal import Refused, invalid_order
from execution.sandbox.signatures import OrderFields, checksummed
from execution.sandbox.wire import YES

MAX_SALT = 2**53 - 1
LONGEST_NUMBER = 78


class Kind(StrEnum):
    GTC = "GTC"
    GTD = "GTD"
    FOK = "FOK"
    FAK = "FAK"

    @property
    def rests(self) -> bool:
        return self in (Kind.GTC, Kind.GTD)


@dataclass(frozen=True, slots=True)
class Ticket:
    """One posted payload, read but not judged yet."""

    fields: OrderFields
    signature: bytes
    owner: str
    kind: Kind
    expiration_s: int
    post_only: bool

    @property
    def side(self) -> Side:
        return Side(self.fields.side)

    @property
    def size(self) -> int:
        """Shares asked for."""
        return self.fields.taker_amount if self.side is Side.BUY else self.fields.maker_amount

    @property
    def cash(self) -> int:
        return self.fields.maker_amount if self.side is Side.BUY else self.fields.taker_amount


def read_ticket(payload: object) -> Ticket:
    """Raises Refused for what the venue would not even look at."""
    if not isinstance(payload, dict) or not isinstance(payload.get("order"), dict):
        raise Refused(400, refusal.INVALID_PAYLOAD)
    order = payload["order"]
    if "feeRateBps" in order or "timestamp" not in order:
        raise Refused(400, refusal.VERSION_MISMATCH)
    try:
        return _ticket(payload, order)
    except (KeyError, ValueError, TypeError) as error:
        raise Refused(400, refusal.INVALID_PAYLOAD) from error


def _ticket(payload: dict[str, object], order: dict[str, object]) -> Ticket:
    salt, post_only = order["salt"], payload.get("postOnly", False)
    kind = Kind(str(payload["orderType"]))
    if type(salt) is not int or not 0 <= salt <= MAX_SALT or not isinstance(post_only, bool):
        raise ValueError("salt is a JSON number, postOnly a boolean")
    if post_only and not kind.rests:
        raise ValueError("an order that never rests cannot be post-only")
    fields = OrderFields(
        salt,
        checksummed(order["maker"]),
        checksummed(order["signer"]),
        _whole(order["tokenId"]),
        _whole(order["makerAmount"]),
        _whole(order["takerAmount"]),
        Side[str(order["side"])].value,
        {0: 0, 1: 1, 2: 2, 3: 3}[int(str(order["signatureType"]))],
        _whole(order["timestamp"]),
        _bytes32(order["metadata"]),
        _bytes32(order["builder"]),
    )
    if not fields.maker_amount or not fields.taker_amount:
        raise ValueError("amounts are above zero")
    signature = bytes.fromhex(str(order["signature"]).removeprefix("0x"))
    expiration_s = _whole(order.get("expiration", "0"))
    return Ticket(fields, signature, str(payload["owner"]), kind, expiration_s, post_only)


def _whole(text: object) -> int:
    if not isinstance(text, str) or not text.isascii() or not text.isdecimal() or len(text) > LONGEST_NUMBER:
        raise ValueError(f"{text!r} is no whole number in a string")
    if int(text) >= 2**256:
        raise ValueError(f"{text} does not fit into 256 bits")
    return int(text)


def _bytes32(text: object) -> bytes:
    raw = bytes.fromhex(str(text).removeprefix("0x"))
    if len(raw) != 32:
        raise ValueError(f"{text!r} is not 32 bytes")
    return raw


def limit_price(ticket: Ticket, order_id: str, tick: int) -> int:
    """The order's price on the grid; raises Refused when it is off it.

    Resting orders are exact. Orders that never rest round their share amount, so theirs may miss a tick by a little.
    """
    exact = Decimal(ticket.cash * PRICE_ONE) / ticket.size
    nearest = int((exact / tick).to_integral_value()) * tick
    slack = Decimal(0) if ticket.kind.rests else Decimal(tick) / 5
    if abs(exact - nearest) > slack or not tick <= nearest <= PRICE_ONE - tick:
        price = f"{(exact / PRICE_ONE).quantize(Decimal('0.000001')):f}".rstrip("0").rstrip(".")
        rule = f"{Decimal(tick) / PRICE_ONE:f}"
        raise invalid_order(order_id, f"Price ({price}) breaks minimum tick size rule: {rule}")
    return nearest


class Status(StrEnum):
    LIVE = "LIVE"
    MATCHED = "MATCHED"
    CANCELED = "CANCELED"


@dataclass(slots=True)
class Order:
    """An accepted order; side and price are those of its own token."""

    order_id: str
    ticket: Ticket
    address: str
    spec: MarketSpec
    outcome: int
    price: int
    created_ms: int
    matched: int = 0
    status: Status = Status.LIVE
    trades: list[str] = field(default_factory=list)

    @property
    def asset_id(self) -> str:
        return self.spec.asset_ids[self.outcome]

    @property
    def wallet(self) -> str:
        return self.ticket.fields.maker

    @property
    def side(self) -> Side:
        return self.ticket.side

    @property
    def left(self) -> int:
        return self.ticket.size - self.matched

    @property
    def yes_side(self) -> Side:
        return self.side if self.outcome == YES else self.side.other

    @property
    def yes_price(self) -> int:
        return self.price if self.outcome == YES else PRICE_ONE - self.price
