"""Signing orders: the batch port, its in-process implementation, and the bytes of a request.

Law: what is signed is a pure function of the order asked for: signed twice, it is the same bytes and one id.
An engine that lost its lease gets nothing signed: a fencing token older than the newest seen is refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from execution.domain.amounts import limit_amounts, take_amounts
from execution.signing.eip712 import (
    BYTES32_ZERO,
    Exchange,
    OrderPayload,
    SignatureType,
    checksum_address,
    exchange_for,
    exchange_separator,
    nested_digest,
    nested_signature,
    order_digest,
    struct_hash,
)
from execution.signing.keys import SigningKey
from markets.domain.events import Side
from markets.domain.units import AssetId, Millis, Price, Size
from strategies.domain.intents import OrderType

MAX_CLIENT_ORDER_ID = (1 << 53) - 1  # the salt travels as a JSON number
_TAKES = (OrderType.FOK, OrderType.FAK)


class StaleFence(Exception):
    """Another engine holds the lease by now; whoever asked must stop."""


@dataclass(frozen=True, slots=True)
class OrderToSign:
    """`version` is the market's generation, `expiration_s` the second the venue is told (GTD), else 0."""

    client_order_id: int
    asset_id: AssetId
    side: Side
    price: Price
    size: Size
    tick: Price
    neg_risk: bool
    version: str
    timestamp_ms: Millis
    expiration_s: int = 0
    order_type: OrderType = OrderType.GTC
    post_only: bool = False


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """`order_id` is the venue's id, known before sending; `body` the JSON of the request's `order` object."""

    payload: OrderPayload
    exchange: Exchange
    order_id: str
    signature: str
    body: bytes
    order_type: OrderType
    post_only: bool

    @property
    def client_order_id(self) -> int:
        return self.payload.salt


class Signer(Protocol):
    """Turns a batch into signed orders, all or none, in the order given."""

    async def sign(self, orders: Sequence[OrderToSign], fencing_token: int) -> Sequence[SignedOrder]: ...


def order_json(payload: OrderPayload, signature: str) -> bytes:
    """The `order` object of POST /order. Every value is ASCII without a quote, so it needs no escaping."""
    return (
        f'{{"builder":"{payload.builder}","expiration":"{payload.expiration_s}","maker":"{payload.maker}",'
        f'"makerAmount":"{payload.maker_amount}","metadata":"{payload.metadata}","salt":{payload.salt},'
        f'"side":"{payload.side.value}","signature":"{signature}","signatureType":{payload.signature_type.value},'
        f'"signer":"{payload.signer}","takerAmount":"{payload.taker_amount}",'
        f'"timestamp":"{payload.timestamp_ms}","tokenId":"{payload.token_id}"}}'
    ).encode()


def post_order_body(order: SignedOrder, owner: str) -> bytes:
    """The whole body of POST /order. `owner` is the API key of the account."""
    return b'{"deferExec":false,"order":%b,"orderType":"%b","owner":"%b"%b}' % (
        order.body,
        order.order_type.value.encode(),
        owner.encode(),
        b',"postOnly":true' if order.post_only else b"",
    )


def post_orders_body(orders: Sequence[SignedOrder], owner: str) -> bytes:
    """The whole body of POST /orders."""
    return b"[" + b",".join(post_order_body(order, owner) for order in orders) + b"]"


def _check(order: OrderToSign) -> None:
    if not 1 <= order.client_order_id <= MAX_CLIENT_ORDER_ID:
        raise ValueError(f"client_order_id: {order.client_order_id} is outside 1..{MAX_CLIENT_ORDER_ID}")
    if order.timestamp_ms <= 0:
        raise ValueError(f"timestamp_ms: {order.timestamp_ms} is not a time")
    if (order.expiration_s > 0) != (order.order_type is OrderType.GTD) or order.expiration_s < 0:
        raise ValueError(f"expiration_s: {order.expiration_s} does not go with {order.order_type.value}")
    if order.post_only and order.order_type in _TAKES:
        raise ValueError(f"post_only: a {order.order_type.value} order never rests")


class LocalSigner:
    """Signs in this process: some 25 us an order, so a batch is short enough for the event loop."""

    def __init__(self, key: SigningKey, maker: str, signature_type: SignatureType, chain_id: int) -> None:
        self._key = key
        self._kind = SignatureType(signature_type)
        self._maker = checksum_address(maker)
        if self._kind is SignatureType.EOA and self._maker != key.address:
            raise ValueError(f"maker: {self._maker} is not the key's address {key.address}, as type 0 needs")
        # A deposit wallet signs for itself, by way of its owner's key.
        self._signer = self._maker if self._kind is SignatureType.POLY_1271 else key.address
        self._chain_id = chain_id
        self._separators = {exchange: exchange_separator(exchange, chain_id) for exchange in Exchange}
        self._newest_fence = -1

    def __repr__(self) -> str:
        return f"LocalSigner({self._kind.name} {self._maker}, chain {self._chain_id})"

    async def sign(self, orders: Sequence[OrderToSign], fencing_token: int) -> Sequence[SignedOrder]:
        if fencing_token < self._newest_fence:
            raise StaleFence(f"fencing token {fencing_token} is older than {self._newest_fence}")
        self._newest_fence = fencing_token
        return [self.sign_one(order) for order in orders]

    def sign_one(self, order: OrderToSign) -> SignedOrder:
        """Pure of the order; raises ValueError naming the field that cannot be signed."""
        _check(order)
        exchange = exchange_for(order.version, order.neg_risk)
        amounts = take_amounts if order.order_type in _TAKES else limit_amounts
        maker_amount, taker_amount = amounts(order.side, order.price, order.size, order.tick)
        payload = OrderPayload(
            order.client_order_id,
            self._maker,
            self._signer,
            order.asset_id,
            maker_amount,
            taker_amount,
            order.side,
            self._kind,
            order.timestamp_ms,
            order.expiration_s,
            BYTES32_ZERO,
            BYTES32_ZERO,
        )
        separator = self._separators[exchange]
        digest, signature = sign_payload(payload, self._key, separator, self._chain_id)
        hexed = "0x" + signature.hex()
        body = order_json(payload, hexed)
        return SignedOrder(payload, exchange, "0x" + digest.hex(), hexed, body, order.order_type, order.post_only)


def sign_payload(payload: OrderPayload, key: SigningKey, separator: bytes, chain_id: int) -> tuple[bytes, bytes]:
    """(order hash, signature) of a payload under one exchange's domain separator."""
    contents = struct_hash(payload)
    digest = order_digest(separator, contents)
    if payload.signature_type is not SignatureType.POLY_1271:
        return digest, key.sign_digest(digest)
    owner = key.sign_digest(nested_digest(separator, contents, chain_id, payload.signer))
    return digest, nested_signature(owner, separator, contents)
