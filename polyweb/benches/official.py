"""The venue's own clients, made to sign an order and build its request body without a network.

Law: each does what its documented way does between the user's call and the request, and nothing else; what a client
keeps between calls (its key, the market's terms) is prepared outside of the timed part, always in its favour.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from eth_account import Account

from execution.domain.amounts import limit_amounts
from execution.signing import EXCHANGE_ADDRESS, OrderToSign, SigningKey, exchange_for
from markets.domain.units import price_to_decimal, size_to_decimal

_CURVE_VARIABLE = "ECC_BACKEND_CLASS"  # eth-keys reads it whenever a key is made
HAS_COINCURVE = find_spec("coincurve") is not None


@dataclass(frozen=True, slots=True)
class Official:
    """`wanted` spells an order the client's way (not timed), `make` gives the bytes of its request (timed)."""

    name: str
    wanted: Callable[[OrderToSign], Any]
    make: Callable[[Any], bytes]


def official_clients(key: SigningKey, chain_id: int, owner: str) -> list[Official]:
    """Those that are installed: `polymarket-client` always is, `py-clob-client-v2` comes with the developer's tools."""
    found = [_polymarket_client(key, chain_id, owner)]
    if find_spec("py_clob_client_v2") is not None:
        found.append(_py_clob_client_v2(key, chain_id, owner))
    return found


@contextmanager
def curve(fast: bool) -> Iterator[None]:
    """eth-keys with coincurve, or with the pure Python that a plain installation brings. A key that was made inside
    keeps its library.
    """
    before = os.environ.pop(_CURVE_VARIABLE, None)
    if not fast:
        os.environ[_CURVE_VARIABLE] = "eth_keys.backends.NativeECCBackend"
    try:
        yield
    finally:
        os.environ.pop(_CURVE_VARIABLE, None)
        if before is not None:
            os.environ[_CURVE_VARIABLE] = before


def _polymarket_client(key: SigningKey, chain_id: int, owner: str) -> Official:
    """`create_limit_order` from its draft on: the client's reading of price and size is spared it."""
    from polymarket._internal.actions.orders.orders import create_signed_order, create_unsigned_order
    from polymarket._internal.actions.orders.post import build_post_order_request
    from polymarket._internal.actions.orders.typed_data import build_order_signature, build_order_typed_data
    from polymarket._internal.actions.orders.types import OrderDraft
    from polymarket.models.types import TokenId
    from polymarket.types import EvmAddress, HexString

    account, address = Account.from_key(key.reveal()), EvmAddress(key.address)

    def wanted(order: OrderToSign) -> tuple[OrderDraft, bool]:
        offered, requested = limit_amounts(order.side, order.price, order.size, order.tick)
        exchange = EXCHANGE_ADDRESS[exchange_for(order.version, order.neg_risk), chain_id]
        draft = OrderDraft(
            chain_id=chain_id,
            exchange_address=EvmAddress(exchange),
            expiration=order.expiration_s,
            funder_address=address,
            offered_amount=offered,
            order_type=order.order_type.value,
            side=order.side.value,
            signer=address,
            requested_amount=requested,
            asset_id=TokenId(order.asset_id),
        )
        return draft, order.post_only

    def make(asked: tuple[OrderDraft, bool]) -> bytes:
        draft, post_only = asked
        unsigned = create_unsigned_order(draft, wallet=address, wallet_type="EOA")
        message = account.sign_typed_data(full_message=build_order_typed_data(unsigned))
        signature = build_order_signature(unsigned, HexString("0x" + message.signature.hex()))
        signed = create_signed_order(unsigned, signature, post_only=post_only)
        _, request = build_post_order_request(signed, owner_api_key=owner)
        return json.dumps(request, separators=(",", ":")).encode()

    return Official("polymarket-client", wanted, make)


def _py_clob_client_v2(key: SigningKey, chain_id: int, owner: str) -> Official:
    from py_clob_client_v2.clob_types import CreateOrderOptions, OrderArgsV2
    from py_clob_client_v2.order_builder.builder import OrderBuilder
    from py_clob_client_v2.order_utils.model.order_data_v2 import order_to_json_v2
    from py_clob_client_v2.signer import Signer

    builder = OrderBuilder(Signer(key.reveal(), chain_id))

    def wanted(order: OrderToSign) -> tuple[Any, Any, str, bool]:
        arguments = OrderArgsV2(
            token_id=order.asset_id,
            price=float(price_to_decimal(order.price)),
            size=float(size_to_decimal(order.size)),
            side=order.side.value,
        )
        options = CreateOrderOptions(f"{price_to_decimal(order.tick).normalize():f}", order.neg_risk)
        return arguments, options, order.order_type.value, order.post_only

    def make(asked: tuple[Any, Any, str, bool]) -> bytes:
        arguments, options, order_type, post_only = asked
        request = order_to_json_v2(builder.build_order(arguments, options), owner, order_type, post_only)
        return json.dumps(request, separators=(",", ":"), ensure_ascii=False).encode()

    return Official("py-clob-client-v2", wanted, make)
