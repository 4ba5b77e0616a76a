"""Signing: from an approved order to the bytes the venue accepts, and to the id it will have there.

Law: no Django, no clock, no network in this room; a key goes in once and never comes out in a repr.
"""

from execution.signing.auth import ApiCredentials, l1_headers, l2_headers, l2_signature
from execution.signing.eip712 import (
    BYTES32_ZERO,
    EXCHANGE_ADDRESS,
    Exchange,
    OrderPayload,
    SignatureType,
    checksum_address,
    domain_separator,
    exchange_for,
    exchange_separator,
    order_hash,
)
from execution.signing.keys import (
    KeyUnavailable,
    SigningKey,
    load_key,
    make_passphrase,
    new_key,
    read_key,
    sandbox_key,
    save_key,
)
from execution.signing.orders import (
    MAX_CLIENT_ORDER_ID,
    LocalSigner,
    OrderToSign,
    SignedOrder,
    Signer,
    StaleFence,
    order_json,
    post_order_body,
    post_orders_body,
)

__all__ = [
    "BYTES32_ZERO",
    "EXCHANGE_ADDRESS",
    "MAX_CLIENT_ORDER_ID",
    "ApiCredentials",
    "Exchange",
    "KeyUnavailable",
    "LocalSigner",
    "OrderPayload",
    "OrderToSign",
    "SignatureType",
    "SignedOrder",
    "Signer",
    "SigningKey",
    "StaleFence",
    "checksum_address",
    "domain_separator",
    "exchange_for",
    "exchange_separator",
    "l1_headers",
    "l2_headers",
    "l2_signature",
    "load_key",
    "make_passphrase",
    "new_key",
    "order_hash",
    "order_json",
    "post_order_body",
    "post_orders_body",
    "read_key",
    "sandbox_key",
    "save_key",
]
