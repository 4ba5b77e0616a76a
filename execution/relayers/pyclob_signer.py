"""Signing by the injected client's own `create_order`, for those who leave the key with it.

Law: what the client made is believed only after its amounts, token and side were compared with ours; its hash is
computed here, so that the order is known before it is sent. Its salt is the client's: signed twice it is two orders.
"""

import asyncio
import importlib
from collections.abc import Sequence
from typing import Any, Final

from execution.domain.amounts import limit_amounts, take_amounts
from execution.domain.ours import NEVER_REST
from execution.relayers.pyclob_client import PyClobTransport
from execution.signing import (
    MAX_CLIENT_ORDER_ID,
    OrderPayload,
    OrderToSign,
    SignatureType,
    SignedOrder,
    StaleFence,
    exchange_for,
    order_hash,
    order_json,
)
from markets.domain.events import Side
from markets.domain.units import price_text, price_to_decimal, size_to_decimal

_DOMAINS: Final = {"v1": 2, "v2": 3}  # which exchange version the orders of a market's generation are for


class PyClobSigner:
    """A signer over the same client, in the same thread, as the relayer's transport."""

    def __init__(self, transport: PyClobTransport, chain_id: int) -> None:
        if transport.generation != 2:
            raise ValueError("client: py-clob-client signs version 1 orders, which the venue rejects")
        self._transport = transport
        self._chain_id = chain_id
        self._types = importlib.import_module(f"{type(transport.client).__module__.partition('.')[0]}.clob_types")
        self._newest_fence = -1

    async def sign(self, orders: Sequence[OrderToSign], fencing_token: int) -> Sequence[SignedOrder]:
        if fencing_token < self._newest_fence:
            raise StaleFence(f"fencing token {fencing_token} is older than {self._newest_fence}")
        self._newest_fence = fencing_token
        return await asyncio.wrap_future(self._transport.submit(lambda: [self._sign_one(order) for order in orders]))

    def _sign_one(self, order: OrderToSign) -> SignedOrder:
        """In the client's thread: it may ask the venue for the tick size first."""
        exchange = exchange_for(order.version, order.neg_risk)
        takes = order.order_type in NEVER_REST
        amounts = (take_amounts if takes else limit_amounts)(order.side, order.price, order.size, order.tick)
        made = self._taking(order, amounts.maker_amount) if takes else self._resting(order)
        payload = _payload(made, order)
        ours = (order.asset_id, order.side, *amounts)
        theirs = (payload.token_id, payload.side, payload.maker_amount, payload.taker_amount)
        if theirs != ours or not 1 <= payload.salt <= MAX_CLIENT_ORDER_ID:
            raise ValueError(f"client: made {theirs} of an order that is {ours}")
        order_id = order_hash(payload, exchange, self._chain_id)
        signature = str(made.signature)
        body = order_json(payload, signature)
        return SignedOrder(payload, exchange, order_id, signature, body, order.order_type, order.post_only)

    def _options(self, order: OrderToSign) -> Any:
        return self._types.PartialCreateOrderOptions(
            tick_size=price_text(order.tick), neg_risk=order.neg_risk, version=_DOMAINS[order.version]
        )

    def _resting(self, order: OrderToSign) -> Any:
        # The client counts in floats; what comes out is compared with our integers.
        wanted = self._types.OrderArgsV2(
            token_id=order.asset_id,
            price=float(price_to_decimal(order.price)),
            size=float(size_to_decimal(order.size)),
            side=order.side.value,
            expiration=order.expiration_s,
        )
        return self._transport.client.create_order(wanted, self._options(order))

    def _taking(self, order: OrderToSign, given: int) -> Any:
        """A BUY names the cash it gives, a SELL the shares; both are spelt in millionths."""
        wanted = self._types.MarketOrderArgsV2(
            token_id=order.asset_id,
            amount=float(size_to_decimal(given)),
            side=order.side.value,
            price=float(price_to_decimal(order.price)),
            order_type=order.order_type.value,
        )
        return self._transport.client.create_market_order(wanted, self._options(order))


def _payload(made: Any, order: OrderToSign) -> OrderPayload:
    side = made.side if isinstance(made.side, int) else ("BUY", "SELL").index(str(made.side))
    return OrderPayload(
        int(made.salt),
        str(made.maker),
        str(made.signer),
        str(made.tokenId),
        int(made.makerAmount),
        int(made.takerAmount),
        Side.SELL if side else Side.BUY,
        SignatureType(int(made.signatureType)),
        int(made.timestamp),
        order.expiration_s,
        str(made.metadata),
        str(made.builder),
    )
