"""Recompute a file of order signing vectors and say where we differ.

Law: a vector is judged by its own numbers, also those we never send (metadata, builder, another contract).
V1 orders are counted as skipped: the venue has rejected them since April 2026 and nothing here signs them.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from execution.signing.eip712 import (
    BYTES32_ZERO,
    Exchange,
    OrderPayload,
    SignatureType,
    domain_separator,
    exchange_separator,
    order_digest,
    struct_hash,
)
from execution.signing.keys import KeyUnavailable, SigningKey
from execution.signing.orders import sign_payload
from markets.domain.events import Side

_SIDES = {"0": Side.BUY, "1": Side.SELL, "BUY": Side.BUY, "SELL": Side.SELL}


class NotVectors(Exception):
    """The document is not a file of order signing vectors."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Vector `index` (from 0): what the file says of `field`, and what we make of it."""

    index: int
    field: str
    expected: str
    computed: str


@dataclass(frozen=True, slots=True)
class VectorReport:
    vectors: int
    skipped: int
    hash_matches: int
    signature_matches: int
    mismatches: list[Mismatch]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def read_payload(order: Mapping[str, Any]) -> OrderPayload:
    """An order as JSON writes it; KeyError or ValueError where a field is missing or no number."""
    return OrderPayload(
        salt=int(order["salt"]),
        maker=str(order["maker"]),
        signer=str(order["signer"]),
        token_id=str(order["tokenId"]),
        maker_amount=int(order["makerAmount"]),
        taker_amount=int(order["takerAmount"]),
        side=_SIDES[str(order["side"]).upper()],
        signature_type=SignatureType(int(order["signatureType"])),
        timestamp_ms=int(order["timestamp"]),
        expiration_s=int(order.get("expiration", 0)),
        metadata=str(order.get("metadata", BYTES32_ZERO)),
        builder=str(order.get("builder", BYTES32_ZERO)),
    )


def _separator(entry: Mapping[str, Any], version: int, chain_id: int) -> bytes:
    stated = entry.get("verifying_contract")
    if stated is not None:
        return domain_separator(str(version), chain_id, str(stated))
    if version == 3:
        return exchange_separator(Exchange.V3, chain_id)
    return exchange_separator(Exchange.NEG_RISK_V2 if entry.get("neg_risk") else Exchange.CTF_V2, chain_id)


def _recompute(entry: Mapping[str, Any]) -> dict[str, str]:
    """The fields of `entry` that can be recomputed. Without a private key that is the hash alone."""
    version, chain_id = int(entry["version"]), int(entry["chain_id"])
    if version not in (2, 3):
        raise ValueError(f"version {version} is none of 1, 2, 3")
    payload = read_payload(entry["order"])
    separator = _separator(entry, version, chain_id)
    if "private_key" not in entry:
        return {"order_hash": "0x" + order_digest(separator, struct_hash(payload)).hex()}
    key = SigningKey(bytes.fromhex(str(entry["private_key"]).removeprefix("0x")))
    digest, signature = sign_payload(payload, key, separator, chain_id)
    return {"order_hash": "0x" + digest.hex(), "signature": "0x" + signature.hex()}


def _judge(index: int, entry: object) -> tuple[set[str], list[Mismatch]]:
    """The fields that match, and the mismatches."""
    try:
        if not isinstance(entry, Mapping):
            raise ValueError("not an object")
        computed = _recompute(entry)
        expected = {name: str(entry[name]).lower() for name in ("order_hash", "signature") if name in entry}
        if "order_hash" not in expected:
            raise KeyError("order_hash")
    except KeyUnavailable as error:
        return set(), [Mismatch(index, "private_key", "a usable key", str(error))]
    except KeyError as error:
        return set(), [Mismatch(index, str(error.args[0]), "present and known", "missing or unknown")]
    except (ValueError, TypeError, OverflowError) as error:
        return set(), [Mismatch(index, "entry", "a well-formed order", str(error))]
    matches = {name for name, value in expected.items() if computed.get(name) == value}
    wrong = [
        Mismatch(index, name, expected[name], computed.get(name, "not computable without private_key"))
        for name in expected
        if name not in matches
    ]
    return matches, wrong


def check_vectors(document: object) -> VectorReport:
    """`document` is the parsed file: an object with a list `vectors`. Raises NotVectors on anything else."""
    entries = document.get("vectors") if isinstance(document, Mapping) else None
    if not isinstance(entries, list) or not entries:
        raise NotVectors("the file has no list named 'vectors', or an empty one")
    skipped = hashes = signatures = 0
    mismatches: list[Mismatch] = []
    for index, entry in enumerate(entries):
        if isinstance(entry, Mapping) and str(entry.get("version")) == "1":
            skipped += 1
            continue
        matches, wrong = _judge(index, entry)
        hashes += "order_hash" in matches
        signatures += "signature" in matches
        mismatches += wrong
    return VectorReport(len(entries), skipped, hashes, signatures, mismatches)
