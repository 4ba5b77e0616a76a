"""Every word the sandbox refuses with, and that nothing has happened when it did."""

import json
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_utils.crypto import keccak

from execution.sandbox.keys import KeyRing
from execution.sandbox.listing import Generation
from execution.sandbox.mischief import read_rule
from execution.sandbox.refusal import Refused
from execution.sandbox.signatures import (
    CTF_EXCHANGE,
    EXCHANGE_V3,
    NEG_RISK_EXCHANGE,
    ORDER_TYPE,
    SEPARATORS,
    OrderFields,
    order_hash,
    order_signer,
)
from tests.sandbox_builders import START_MS, Exchange, Trader, l1_headers, order_payload

KILLED = "are fully filled or killed."
NOW_S = START_MS // 1000


@pytest.fixture
def alice() -> Trader:
    return Exchange(markets=12).trader()


def best(trader: Trader) -> tuple[str, str]:
    floor = trader.exchange.generator.floor(trader.exchange.generator.markets[0].asset_ids[0])
    assert floor is not None
    return f"{floor.ladder.best_bid() / 10_000}", f"{floor.ladder.best_ask() / 10_000}"


def named(reply: tuple[int, object]) -> tuple[int, str]:
    """The refusal without the order's own id."""
    status, text = reply
    words = str(text).split(" ")
    return status, " ".join("HASH" if word.startswith("0x") else word for word in words)


def test_nothing_a_refusal_says_no_to_has_happened(alice: Trader) -> None:
    before = alice.exchange.generator.rest_book(alice.exchange.generator.asset_ids[0])
    alice.refused("BUY", "0.105", "10")
    alice.refused("BUY", "0.1", "1")
    alice.refused("BUY", "0.1", "100000")
    assert alice.exchange.generator.rest_book(alice.exchange.generator.asset_ids[0]) == before
    assert alice.exchange.venue.orders == {}
    assert alice.free() == alice.owned()


@pytest.mark.parametrize(
    ("price", "size", "text"),
    [
        ("0.105", "10", "order HASH is invalid. Price (0.105) breaks minimum tick size rule: 0.01"),
        ("0.999", "10", "order HASH is invalid. Price (0.999) breaks minimum tick size rule: 0.01"),
        ("1.2", "10", "order HASH is invalid. Price (1.2) breaks minimum tick size rule: 0.01"),
        ("0.1", "1", "order HASH is invalid. Size (1) lower than the minimum: 5"),
        ("0.1", "4.99", "order HASH is invalid. Size (4.99) lower than the minimum: 5"),
        ("0.1", "10001", "not enough balance / allowance"),
    ],
)
def test_tick_size_and_balance(alice: Trader, price: str, size: str, text: str) -> None:
    assert named(alice.refused("BUY", price, size)) == (400, text)


def test_the_same_bytes_again_are_duplicated_whatever_became_of_the_order(alice: Trader) -> None:
    payload = alice.payload("BUY", "0.1", "10")
    placed: Any = alice.call("POST", "/order", payload).document
    text = f"order {placed['orderID']} is invalid. Duplicated."
    assert alice.call("POST", "/order", payload).document == {"error": text}
    alice.call("DELETE", "/cancel-all")
    assert alice.call("POST", "/order", payload).document == {"error": text}


def test_a_post_only_order_may_not_cross(alice: Trader) -> None:
    _, ask = best(alice)
    refused = alice.refused("BUY", ask, "10", post_only=True)
    assert refused == (400, "invalid post-only order: order crosses book")


def test_killed_orders_and_the_odd_event_they_leave(alice: Trader) -> None:
    _, ask = best(alice)
    assert alice.refused("BUY", ask, "2000", kind="FOK") == (
        400, f"order couldn't be fully filled. FOK orders {KILLED}",
    )  # fmt: skip
    assert alice.refused("BUY", "0.02", "100", kind="FAK") == (
        400,
        "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found.",
    )
    first, _ = alice.exchange.heard(alice.address)
    assert (first["type"], first["size_matched"], first["created_at"], first["outcome"]) == ("CANCELLATION", "", "", "")
    assert first["status"] == f"CANCELED_order couldn't be fully filled. FOK orders {KILLED}"


def test_a_marketable_buy_is_worth_a_dollar_at_least(alice: Trader) -> None:
    text = "invalid amount for a marketable BUY order ($0.9), min size: $1"
    alice.placed("BUY", "0.1", "5")  # half a dollar that rests is welcome
    assert alice.refused("BUY", "0.9", "1", kind="FAK") == (400, text)


@pytest.mark.parametrize(
    ("kind", "expiration"), [("GTD", NOW_S + 179), ("GTD", 0), ("GTC", NOW_S + 600), ("FOK", NOW_S + 600)]
)
def test_expirations_that_cannot_be(alice: Trader, kind: str, expiration: int) -> None:
    _, ask = best(alice)
    assert alice.refused("BUY", ask, "10", kind=kind, expiration=str(expiration)) == (400, "invalid expiration")


def test_orders_of_the_old_protocol_are_a_version_mismatch(alice: Trader) -> None:
    payload = alice.payload("BUY", "0.1", "10")
    payload["order"] |= {"feeRateBps": "0", "nonce": "0", "taker": "0x" + "00" * 20}
    assert alice.call("POST", "/order", payload).document == {"error": "order_version_mismatch"}
    assert alice.refused("BUY", "0.1", "10", version="1") == (400, "order_version_mismatch")
    assert alice.refused("BUY", "0.1", "10", domain={"verifyingContract": NEG_RISK_EXCHANGE}) == (
        400, "order_version_mismatch",
    )  # fmt: skip
    v2 = next(m for m in alice.exchange.generator.markets if m.generation is Generation.V2)
    two = {"version": "2", "verifyingContract": CTF_EXCHANGE}
    assert alice.refused("BUY", "0.1", "10", spec=v2, domain=two) == (400, "order_version_mismatch")


def test_a_signature_of_somebody_else_or_of_another_order_is_invalid(alice: Trader) -> None:
    bob = alice.exchange.trader(2)
    other = alice.payload("BUY", "0.11", "10")["order"]["signature"]
    assert alice.refused("BUY", "0.1", "10", signature=other) == (400, "invalid signature")
    assert alice.refused("BUY", "0.1", "10", signature="0x1234") == (400, "invalid signature")
    stolen = bob.payload("BUY", "0.1", "10", owner=alice.key.key)
    assert alice.call("POST", "/order", stolen).document == {
        "error": "the order signer address has to be the address of the API KEY"
    }
    foreign = bob.payload("BUY", "0.1", "10")
    assert alice.call("POST", "/order", foreign).document == {
        "error": "the order owner has to be the owner of the API KEY"
    }


def test_a_wallet_belongs_to_the_first_key_that_trades_for_it(alice: Trader) -> None:
    wallet = "0x" + "33" * 20
    bob = alice.exchange.trader(2)
    alice.placed("BUY", "0.1", "10", maker=wallet, signature_type=2)
    assert bob.refused("BUY", "0.1", "10", maker=wallet, signature_type=2) == (400, "invalid signature")
    assert alice.refused("BUY", "0.1", "10", maker=wallet) == (
        400, "the order signer address has to be the address of the API KEY",
    )  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"salt": "12"}, {"salt": 2**53}, {"makerAmount": 5}, {"makerAmount": "-5"}, {"takerAmount": "0"},
        {"side": "HOLD"}, {"signatureType": 4}, {"maker": "0x12"}, {"metadata": "0x00"}, {"expiration": None},
        {"timestamp": 5}, {"signature": "xyz"},
    ],
)  # fmt: skip
def test_odd_payloads(alice: Trader, change: dict[str, Any]) -> None:
    payload = alice.payload("BUY", "0.1", "10")
    payload["order"] |= change
    assert alice.call("POST", "/order", payload).document == {"error": "Invalid order payload"}


@pytest.mark.parametrize("payload", [None, 5, [], {}, {"order": []}, {"order": {"timestamp": "1"}}])
def test_what_is_no_payload_at_all(alice: Trader, payload: object) -> None:
    reply = alice.call("POST", "/order", payload)
    assert (reply.status, reply.document) == (400, {"error": "Invalid order payload"})


def test_a_market_order_is_never_post_only(alice: Trader) -> None:
    assert alice.refused("BUY", "0.1", "10", kind="FOK", post_only=True) == (400, "Invalid order payload")


def test_tokens_without_a_book(alice: Trader) -> None:
    listed = [market for event in alice.exchange.generator.events for market in event.markets]
    closed = next(market for market in listed if not market.is_open)
    assert alice.refused("BUY", "0.1", "10", spec=closed) == (
        400, "the market is not yet ready to process new orders",
    )  # fmt: skip
    payload = alice.payload("BUY", "0.1", "10")
    payload["order"]["tokenId"] = "12345"
    reply = alice.call("POST", "/order", payload)
    assert (reply.status, reply.document) == (404, {"error": "No orderbook exists for the requested token id"})


def test_batches_are_bounded_and_answer_leg_by_leg(alice: Trader) -> None:
    good = [alice.payload("BUY", "0.1", "10") for _ in range(16)]
    assert alice.call("POST", "/orders", good).document == {"error": "Too many orders in payload: 16, max allowed: 15"}
    assert alice.call("POST", "/orders", []).document == {"error": "Invalid order payload"}
    mixed = [good[0], alice.payload("BUY", "0.1", "1"), good[0]]
    answers: Any = alice.call("POST", "/orders", mixed).document
    assert [answer["success"] for answer in answers] == [True, False, False]
    assert [bool(answer["orderID"]) for answer in answers] == [True, False, False]
    assert answers[2]["errorMsg"].endswith("Duplicated.")


def test_cancels_say_why_not(alice: Trader) -> None:
    bob = alice.exchange.trader(2)
    ids = [alice.placed("BUY", "0.1", "10")["orderID"] for _ in range(2)]
    alice.call("DELETE", "/order", {"orderID": ids[0]})
    _, ask = best(alice)
    matched = alice.placed("BUY", ask, "5")["orderID"]
    reply: Any = alice.call("DELETE", "/orders", [*ids, ids[1], matched, "0x12"]).document
    assert reply == {
        "canceled": [ids[1]],
        "not_canceled": {
            ids[0]: "Order already canceled",
            matched: "Order already matched",
            "0x12": "Order not found or already canceled",
        },
    }
    mine = bob.placed("BUY", "0.1", "10")["orderID"]
    foreign: Any = alice.call("DELETE", "/order", {"orderID": mine}).document
    assert foreign["not_canceled"] == {mine: "Order not found or already canceled"}
    assert alice.call("DELETE", "/order", {}).document == {"error": "Invalid orderID"}
    assert alice.call("DELETE", "/orders", {"a": 1}).document == {"error": "Invalid order payload"}
    many = [f"0x{number}" for number in range(1001)]
    assert alice.call("DELETE", "/orders", many).document == {"error": "Too many orders in payload, max allowed: 1000"}


def test_banned_and_closed_only_addresses(alice: Trader) -> None:
    venue = alice.exchange.venue
    venue.closed_only.add(alice.address)
    assert alice.refused("BUY", "0.1", "10") == (400, f"'{alice.address}' address in closed only mode")
    assert alice.call("GET", "/auth/ban-status/closed-only").document == {"closed_only": True}
    alice.placed("SELL", "0.9", "10")
    venue.banned.add(alice.address)
    assert alice.refused("SELL", "0.9", "10") == (400, f"'{alice.address}' address banned")


def test_requests_that_prove_nothing_are_unauthorized(alice: Trader) -> None:
    exchange = alice.exchange
    for name in ("POLY_API_KEY", "POLY_PASSPHRASE", "POLY_TIMESTAMP", "POLY_SIGNATURE", "POLY_ADDRESS"):
        headers = alice.headers("GET", "/data/orders", b"") | {name: "x"}
        with pytest.raises(Refused) as refused:
            exchange.keys.requester("GET", "/data/orders", headers, b"")
        assert (refused.value.status, refused.value.text) == (401, "Unauthorized/Invalid api key")
    headers = alice.headers("POST", "/order", b"{}")
    assert exchange.keys.requester("POST", "/order", headers, b"{}") is alice.key
    for method, path, body in (("DELETE", "/order", b"{}"), ("POST", "/orders", b"{}"), ("POST", "/order", b"{ }")):
        with pytest.raises(Refused):
            exchange.keys.requester(method, path, headers, body)


@pytest.mark.parametrize(
    "change",
    [
        {"POLY_NONCE": "1"}, {"POLY_TIMESTAMP": "5"}, {"POLY_ADDRESS": "0x" + "33" * 20}, {"POLY_NONCE": "-1"},
        {"POLY_SIGNATURE": "0x12"}, {"POLY_SIGNATURE": ""}, {"POLY_ADDRESS": "me"}, {"POLY_SIGNATURE": "zz"},
    ],
)  # fmt: skip
def test_wallet_attestations_are_checked(change: dict[str, str]) -> None:
    ring = KeyRing(7)
    with pytest.raises(Refused) as refused:
        ring.create(l1_headers("0x" + "11" * 32) | change)
    assert (refused.value.status, refused.value.text) == (401, "Invalid L1 Request headers")


def test_the_same_seed_gives_the_same_credentials() -> None:
    headers = l1_headers("0x" + "11" * 32)
    assert KeyRing(7).create(headers) == KeyRing(7).create(headers) != KeyRing(8).create(headers)


def test_public_reads_refuse_what_does_not_exist() -> None:
    exchange = Exchange()
    token = exchange.generator.asset_ids[0]
    for path in ("/book", "/midpoint", "/spread", "/tick-size", "/neg-risk", "/fee-rate", "/last-trade-price"):
        reply = exchange.ask("GET", path, token_id="1")
        assert (reply.status, reply.document) == (404, {"error": "No orderbook exists for the requested token id"})
    for path in ("/clob-markets/0x12", "/markets-by-token/12", "/markets/0x12"):
        assert exchange.ask("GET", path).document == {"error": "market not found"}
    assert exchange.ask("GET", "/price", token_id=token, side="HOLD").document == {"error": "Invalid side"}
    assert exchange.ask("GET", "/markets", next_cursor="%").document == {"error": "Invalid next_cursor"}
    assert exchange.ask("POST", "/books").document == {"error": "Invalid payload"}


def test_lists_come_in_pages_that_end(alice: Trader) -> None:
    cursor, counts, seen = "MA==", [], set()
    placed = {alice.placed("BUY", "0.01", "5")["orderID"] for _ in range(501)}
    while cursor != "LTE=":
        page: Any = alice.call("GET", "/data/orders", query={"next_cursor": cursor}).document
        counts.append(page["count"])
        seen |= {order["id"] for order in page["data"]}
        cursor = page["next_cursor"]
    assert (counts, seen) == ([500, 1], placed)
    assert alice.call("GET", "/data/orders", query={"next_cursor": "LTE="}).document == {
        "data": [], "next_cursor": "LTE=", "limit": 500, "count": 0,
    }  # fmt: skip


def test_a_deposit_wallet_signs_through_its_owner() -> None:
    """ERC-7739: the wallet is maker and signer, the owner's key signs the order nested in the wallet's domain."""
    alice = Exchange().trader()
    wallet = "0x" + "33" * 20
    payload = alice.payload("BUY", "0.1", "10", maker=wallet, signer=wallet, signature_type=3)
    payload["order"]["signature"] = wallet_signature(alice, payload["order"])
    reply: Any = alice.call("POST", "/order", payload)
    assert reply.document["status"] == "live", reply.document
    payload["order"]["salt"] += 1
    assert alice.call("POST", "/order", payload).document == {"error": "invalid signature"}


def wallet_signature(trader: Trader, order: dict[str, Any]) -> str:
    market = trader.exchange.generator.markets[0]
    fields = order_payload(trader.private, "", market, 0, "BUY", "0.1", "10")["order"]
    assert fields["side"] == "BUY"
    types = [part.rsplit(" ", 1) for part in ORDER_TYPE[len("Order(") : -1].split(",")]
    message = {name: order[name] for _, name in types}
    message |= {"tokenId": int(order["tokenId"]), "makerAmount": int(order["makerAmount"]), "side": 0}
    message |= {"takerAmount": int(order["takerAmount"]), "timestamp": int(order["timestamp"])}
    domain = {"name": "Polymarket CTF Exchange", "version": "2", "chainId": 137, "verifyingContract": CTF_EXCHANGE}
    nested = {
        "contents": message, "name": "DepositWallet", "version": "1", "chainId": 137,
        "verifyingContract": order["signer"], "salt": bytes(32),
    }  # fmt: skip
    kinds = {
        "TypedDataSign": [
            {"name": "contents", "type": "Order"}, {"name": "name", "type": "string"},
            {"name": "version", "type": "string"}, {"name": "chainId", "type": "uint256"},
            {"name": "verifyingContract", "type": "address"}, {"name": "salt", "type": "bytes32"},
        ],
        "Order": [{"name": name, "type": kind} for kind, name in types],
    }  # fmt: skip
    full = {
        "domain": domain, "message": nested, "primaryType": "TypedDataSign",
        "types": kinds | {"EIP712Domain": [
            {"name": "name", "type": "string"}, {"name": "version", "type": "string"},
            {"name": "chainId", "type": "uint256"}, {"name": "verifyingContract", "type": "address"},
        ]},
    }  # fmt: skip
    inner = Account.sign_typed_data(trader.private, full_message=full).signature
    struct = OrderFields(
        order["salt"], order["maker"], order["signer"], message["tokenId"], message["makerAmount"],
        message["takerAmount"], 0, 3, message["timestamp"], bytes(32), bytes(32),
    ).struct_hash()  # fmt: skip
    trailer = SEPARATORS[CTF_EXCHANGE] + struct + ORDER_TYPE.encode() + len(ORDER_TYPE).to_bytes(2, "big")
    return f"0x{(inner + trailer).hex()}"


def test_the_order_type_hash_is_the_published_one() -> None:
    assert keccak(ORDER_TYPE.encode()).hex() == "bb86318a2138f5fa8ae32fbe8e659f8fcf13cc6ae4014a707893055433818589"
    v3 = "466c63910185bbd55e8679264200c4e0abdcbb0c6264eb3d41d13326022e095b"
    assert SEPARATORS[EXCHANGE_V3].hex() == v3


def test_hashes_and_signatures_of_the_official_client_s_vectors_are_recognised(shared_data: Path) -> None:
    path = shared_data / "vectors" / "order_signing_py_clob_client_v2_1.2.1.json"
    vectors = [v for v in json.loads(path.read_text())["vectors"] if v["version"] != 1 and v["chain_id"] == 137]
    for vector in vectors:
        order = vector["order"]
        fields = OrderFields(
            int(order["salt"]), order["maker"], order["signer"], int(order["tokenId"]), int(order["makerAmount"]),
            int(order["takerAmount"]), int(order["side"]), order["signatureType"], int(order["timestamp"]),
            bytes.fromhex(order["metadata"][2:]), bytes.fromhex(order["builder"][2:]),
        )  # fmt: skip
        separator = SEPARATORS[vector["verifying_contract"]]
        assert order_hash(fields, separator) == vector["order_hash"]
        signer = Account.from_key(vector["private_key"]).address
        assert order_signer(fields, separator, bytes.fromhex(vector["signature"][2:])) == signer
    assert len(vectors) >= 40


def test_fault_rules_are_read_strictly() -> None:
    assert read_rule({"kind": "drop_answer", "probability": 0.5, "on": "POST /order"}).probability == 0.5
    for bad in (
        5, {}, {"kind": "explode"}, {"kind": "drop_answer", "chance": 1}, {"kind": "drop_answer", "probability": 2},
        {"kind": "drop_answer", "count": 0}, {"kind": "tick_change"}, {"kind": "mode", "mode": "open?"},
        {"kind": "freeze", "channel": "tv"}, {"kind": "freeze", "seconds": "1"}, {"kind": "freeze", "on": 5},
    ):  # fmt: skip
        with pytest.raises(ValueError, match="."):
            read_rule(bad)
