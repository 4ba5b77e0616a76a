"""The signer: both official clients make the same bytes of our orders; the unsignable is refused."""

import asyncio
import json
import random
from typing import Any

import pytest
from eth_account import Account
from polymarket._internal.actions.orders.orders import create_signed_order
from polymarket._internal.actions.orders.post import build_post_order_request
from polymarket._internal.actions.orders.typed_data import build_order_signature, build_order_typed_data
from polymarket._internal.actions.orders.types import UnsignedOrder
from polymarket._internal.environment import PRODUCTION_CONFIG
from polymarket.types import EvmAddress, HexString
from py_clob_client_v2.config import get_contract_config
from py_clob_client_v2.order_utils.exchange_order_builder_v2 import ExchangeOrderBuilderV2
from py_clob_client_v2.order_utils.model.order_data_v2 import OrderDataV2, order_to_json_v2
from py_clob_client_v2.order_utils.model.side import Side as ClientSide
from py_clob_client_v2.order_utils.model.signature_type_v2 import SignatureTypeV2
from py_clob_client_v2.signer import Signer as ClientSigner

from execution.signing import (
    Exchange,
    LocalSigner,
    OrderPayload,
    OrderToSign,
    SignatureType,
    SignedOrder,
    SigningKey,
    StaleFence,
    checksum_address,
    order_hash,
    post_order_body,
    post_orders_body,
)
from markets.domain.events import Side
from strategies.domain.intents import OrderType

KEY = SigningKey(b"\x11" * 32)
WALLET = checksum_address("0x" + "3c" * 20)
TOKEN = "7" * 77
OWNER = "00000000-0000-4000-8000-000000000001"
CHAINS = (137, 80002)


def an_order(**changes: Any) -> OrderToSign:
    fields: dict[str, Any] = {
        "client_order_id": 42,
        "asset_id": TOKEN,
        "side": Side.BUY,
        "price": 5_200,
        "size": 10_000_000,
        "tick": 100,
        "neg_risk": False,
        "version": "v1",
        "timestamp_ms": 1_795_305_600_000,
    }
    return OrderToSign(**{**fields, **changes})


def a_signer(kind: SignatureType = SignatureType.EOA, chain_id: int = 137) -> LocalSigner:
    return LocalSigner(KEY, KEY.address if kind is SignatureType.EOA else WALLET, kind, chain_id)


def random_orders(seed: int, count: int = 12) -> list[OrderToSign]:
    rng = random.Random(seed)
    orders = []
    for _ in range(count):
        tick = rng.choice((1_000, 100, 50, 25, 10, 1))
        gtd = rng.random() < 0.3
        orders.append(
            an_order(
                client_order_id=rng.randint(1, 2**53 - 1),
                asset_id=str(rng.getrandbits(256)),
                side=rng.choice(list(Side)),
                price=tick * rng.randint(1, 10_000 // tick - 1),
                size=rng.randint(1_000_000, 10**11),
                tick=tick,
                neg_risk=rng.random() < 0.5,
                version=rng.choice(("v1", "v2")),
                timestamp_ms=rng.randint(1_700_000_000_000, 1_900_000_000_000),
                order_type=OrderType.GTD if gtd else rng.choice((OrderType.GTC, OrderType.FOK, OrderType.FAK)),
                expiration_s=1_900_000_000 if gtd else 0,
                post_only=gtd,
            )
        )
    return orders


def contract_of(signed: SignedOrder, chain_id: int) -> str:
    config = get_contract_config(chain_id)
    contracts = {
        Exchange.CTF_V2: config.exchange_v2,
        Exchange.NEG_RISK_V2: config.neg_risk_exchange_v2,
        Exchange.V3: config.exchange_v3,
    }
    return str(contracts[signed.exchange])


def by_clob_client(signed: SignedOrder, chain_id: int) -> tuple[str, dict[str, Any]]:
    """(order hash, request) py-clob-client-v2 makes of the same order."""
    ours = signed.payload
    builder = ExchangeOrderBuilderV2(
        contract_of(signed, chain_id),
        chain_id,
        ClientSigner(KEY.reveal(), chain_id),
        generate_salt=lambda: str(ours.salt),
        domain_version=signed.exchange.domain_version,
    )
    theirs = builder.build_signed_order(
        OrderDataV2(
            maker=ours.maker,
            tokenId=ours.token_id,
            makerAmount=str(ours.maker_amount),
            takerAmount=str(ours.taker_amount),
            side=ClientSide.BUY if ours.side is Side.BUY else ClientSide.SELL,
            signer=ours.signer,
            signatureType=SignatureTypeV2(ours.signature_type.value),
            timestamp=str(ours.timestamp_ms),
            expiration=str(ours.expiration_s),
        )
    )
    request = order_to_json_v2(theirs, OWNER, signed.order_type.value, post_only=signed.post_only)
    return builder.build_order_hash(builder.build_order_typed_data(theirs)), request


def by_polymarket_client(signed: SignedOrder) -> bytes:
    """The POST /order body polymarket-client makes of the same order (it knows chain 137 only)."""
    ours = signed.payload
    contracts = {
        Exchange.CTF_V2: PRODUCTION_CONFIG.standard_exchange,
        Exchange.NEG_RISK_V2: PRODUCTION_CONFIG.neg_risk_exchange,
        Exchange.V3: PRODUCTION_CONFIG.exchange_v3,
    }
    unsigned = UnsignedOrder(
        chain_id=137,
        builder=HexString(ours.builder),
        exchange_address=EvmAddress(contracts[signed.exchange]),
        expiration=ours.expiration_s,
        maker=EvmAddress(ours.maker),
        maker_amount=ours.maker_amount,
        metadata=HexString(ours.metadata),
        order_type=signed.order_type.value,
        salt=ours.salt,
        side=ours.side.value,
        signature_type=ours.signature_type.value,
        signer=EvmAddress(ours.signer),
        taker_amount=ours.taker_amount,
        timestamp=ours.timestamp_ms,
        token_id=ours.token_id,  # type: ignore[arg-type]  # their NewType over str
        protocol_version="3" if signed.exchange is Exchange.V3 else "2",
    )
    message = Account.from_key(KEY.reveal()).sign_typed_data(full_message=build_order_typed_data(unsigned))
    signature = build_order_signature(unsigned, HexString("0x" + message.signature.hex()))
    order = create_signed_order(unsigned, signature, post_only=signed.post_only)
    _, request = build_post_order_request(order, owner_api_key=OWNER)
    return json.dumps(request, separators=(",", ":")).encode()


@pytest.mark.parametrize("kind", SignatureType)
@pytest.mark.parametrize("chain_id", CHAINS)
async def test_py_clob_client_v2_makes_the_same_hash_signature_and_request(kind: SignatureType, chain_id: int) -> None:
    for signed in await a_signer(kind, chain_id).sign(random_orders(kind.value + chain_id), fencing_token=1):
        order_id, request = by_clob_client(signed, chain_id)
        ours = json.loads(post_order_body(signed, OWNER))
        assert signed.order_id == order_id == order_hash(signed.payload, signed.exchange, chain_id)
        assert {"postOnly": False, **ours} == request


@pytest.mark.parametrize("kind", SignatureType)
async def test_polymarket_client_makes_the_same_body_byte_for_byte(kind: SignatureType) -> None:
    for signed in await a_signer(kind).sign(random_orders(kind.value), fencing_token=1):
        assert post_order_body(signed, OWNER) == by_polymarket_client(signed)


@pytest.mark.parametrize(
    ("version", "neg_risk", "exchange"),
    [
        ("v1", False, Exchange.CTF_V2),
        ("v1", True, Exchange.NEG_RISK_V2),
        ("v2", False, Exchange.V3),
        ("v2", True, Exchange.V3),
    ],
)
def test_generation_and_neg_risk_choose_the_exchange(version: str, neg_risk: bool, exchange: Exchange) -> None:
    assert a_signer().sign_one(an_order(version=version, neg_risk=neg_risk)).exchange is exchange


@pytest.mark.parametrize("version", ["", "2", "v3", "V1"])
def test_an_unknown_generation_is_never_signed(version: str) -> None:
    with pytest.raises(ValueError, match="^version: "):
        a_signer().sign_one(an_order(version=version))


def test_the_client_order_id_is_the_salt() -> None:
    signed = a_signer().sign_one(an_order(client_order_id=2**53 - 1))
    assert (signed.client_order_id, json.loads(signed.body)["salt"]) == (2**53 - 1, 2**53 - 1)


def test_the_same_order_signed_twice_is_the_same_bytes() -> None:
    assert a_signer().sign_one(an_order()) == a_signer().sign_one(an_order())


def test_taking_buys_give_whole_cents() -> None:
    signed = a_signer().sign_one(an_order(price=3_330, size=10_500_000, tick=10, order_type=OrderType.FOK))
    assert (signed.payload.maker_amount, signed.payload.taker_amount) == (3_490_000, 10_480_480)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"client_order_id": 0}, "client_order_id"),
        ({"client_order_id": 2**53}, "client_order_id"),
        ({"asset_id": "0x12"}, "asset_id"),
        ({"asset_id": ""}, "asset_id"),
        ({"asset_id": "007"}, "asset_id"),
        ({"asset_id": "²"}, "asset_id"),
        ({"asset_id": str(2**256)}, "asset_id"),
        ({"asset_id": "9" * 5_000}, "asset_id"),
        ({"price": 5_250}, "price"),
        ({"size": 9_999}, "size"),
        ({"tick": 7}, "tick"),
        ({"timestamp_ms": 0}, "timestamp_ms"),
        ({"expiration_s": 1_900_000_000}, "expiration_s"),
        ({"expiration_s": -1}, "expiration_s"),
        ({"order_type": OrderType.GTD}, "expiration_s"),
        ({"order_type": OrderType.FOK, "post_only": True}, "post_only"),
    ],
)
def test_what_cannot_be_signed_names_its_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field}: "):
        a_signer().sign_one(an_order(**changes))


async def test_a_batch_with_one_bad_order_signs_none() -> None:
    with pytest.raises(ValueError, match="^price: "):
        await a_signer().sign([an_order(), an_order(price=1)], fencing_token=1)


async def test_an_older_fencing_token_is_refused_and_an_equal_one_is_not() -> None:
    signer = a_signer()
    await signer.sign([], fencing_token=7)
    assert len(await signer.sign([an_order()], fencing_token=7)) == 1
    with pytest.raises(StaleFence):
        await signer.sign([an_order()], fencing_token=6)


def test_bodies_of_a_batch_are_one_json_array() -> None:
    orders = asyncio.run(a_signer().sign(random_orders(1, count=3), fencing_token=0))
    assert json.loads(post_orders_body(orders, OWNER)) == [
        json.loads(post_order_body(order, OWNER)) for order in orders
    ]
    assert post_orders_body([], OWNER) == b"[]"


def test_an_eoa_signs_for_its_own_money_only() -> None:
    with pytest.raises(ValueError, match="^maker: "):
        LocalSigner(KEY, WALLET, SignatureType.EOA, 137)


def test_a_chain_without_exchanges_is_refused() -> None:
    with pytest.raises(ValueError, match="^chain_id: "):
        a_signer(chain_id=1)


def test_a_mistyped_address_is_refused() -> None:
    assert checksum_address(KEY.address.lower()) == KEY.address
    for wrong in (KEY.address.swapcase().replace("0X", "0x"), KEY.address[:-1], "0x" + "g" * 40, ""):
        with pytest.raises(ValueError, match="^address: "):
            checksum_address(wrong)


def test_a_payload_that_is_not_ours_has_a_hash_too() -> None:
    zero = "0x" + "00" * 20
    payload = OrderPayload(1, zero, zero, "1", 1_000_000, 2_000_000, Side.BUY, SignatureType.POLY_1271, 1_791_220_000)
    golden = "0x529d440652102e5d9aea11536d90c0a43148fc1dc7e80c525de83cd0cfe14040"
    assert order_hash(payload, Exchange.V3, 137) == golden
