"""Calls to the venue's contracts as its gasless relayer takes them: what they ask for, and who signed them.

Its one law: call data are decoded and signers recovered here from the published interfaces; nothing is shared with
the code that encodes and signs them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_account.messages import SignableMessage, encode_defunct, encode_typed_data
from eth_utils.crypto import keccak

from execution.sandbox.refusal import Refused
from execution.sandbox.signatures import CHAIN_ID, checksummed, recovered

PUSD = "0xC011a7E12a19f7B1f670d46F03B03f3342E82DFB"
CTF_ADAPTER = "0xAdA100Db00Ca00073811820692005400218FcE1f"
NEG_RISK_ADAPTER = "0xadA2005600Dec949baf300f4C6120000bDB6eAab"
ROUTER = "0x12121212006e4CD160D18e3f00711DA5c3372600"
PROXY_FACTORY = "0xaB45c5A4B0c941a2F231C04C3f49182e1A254052"
ZERO_ADDRESS = "0x" + "00" * 20
RELAY_HUB = "0xD216153c06E857cD7f72665E0aF1d7D82172F494"
RELAY = "0x7db63fe6d62eb73fb01f8009416f4c2bb4fbda6a"
NO_CALL = "the call is none this relayer passes on"


class Verb(StrEnum):
    SPLIT = "split"
    MERGE = "merge"
    CONVERT = "convert"
    SPLIT_EVENT = "split event"
    CONVERT_ONE = "convert one"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One call: `subject` names a condition, a neg-risk market or a v2 event in hex, `which` are bits or an index."""

    verb: Verb
    contract: str
    subject: str
    amount: int
    which: int = 0


PAIR = "(address,bytes32,bytes32,uint256[],uint256)"
INTERFACES: Mapping[str, tuple[Verb, tuple[str, ...]]] = {
    f"splitPosition{PAIR}": (Verb.SPLIT, (CTF_ADAPTER, NEG_RISK_ADAPTER)),
    f"mergePositions{PAIR}": (Verb.MERGE, (CTF_ADAPTER, NEG_RISK_ADAPTER)),
    "convertPositions(bytes32,uint256,uint256)": (Verb.CONVERT, (NEG_RISK_ADAPTER,)),
    "split(bytes31,uint256)": (Verb.SPLIT, (ROUTER,)),
    "merge(bytes31,uint256)": (Verb.MERGE, (ROUTER,)),
    "horizontalSplit(bytes29,uint256)": (Verb.SPLIT_EVENT, (ROUTER,)),
    "convert(bytes29,uint16,uint256)": (Verb.CONVERT_ONE, (ROUTER,)),
}
BY_SELECTOR = {keccak(signature.encode())[:4]: signature for signature in INTERFACES}
PROXY_SELECTOR = keccak(b"proxy((uint8,address,uint256,bytes)[])")[:4]


def raw_bytes(text: object) -> bytes:
    """Raises Refused for what is no hex."""
    try:
        return bytes.fromhex(str(text).removeprefix("0x"))
    except ValueError as error:
        raise Refused(400, "invalid hex") from error


def read_call(to: str, data: bytes) -> Wanted:
    """What a call to a contract would do; raises Refused for any other call."""
    signature = BY_SELECTOR.get(data[:4])
    if signature is None:
        raise Refused(400, NO_CALL)
    verb, contracts = INTERFACES[signature]
    contract = next((each for each in contracts if each.lower() == to.lower()), "")
    if not contract:
        raise Refused(400, NO_CALL)
    types = signature[signature.index("(") + 1 : -1].split(",")
    try:
        values = decode(types, data[4:])
    except (DecodingError, OverflowError) as error:
        raise Refused(400, f"call data of {signature} do not decode") from error
    if len(values) == 5:
        if values[0].lower() != PUSD.lower() or any(values[1]) or list(values[3]) != [1, 2]:
            raise Refused(400, "only pUSD is split into, or merged from, YES and NO")
        return Wanted(verb, contract, values[2].hex(), values[4])
    which = values[1] if len(values) == 3 else 0
    return Wanted(verb, contract, values[0].hex(), values[-1], which)


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a client submitted: one call, for a wallet, with a nonce."""

    kind: str
    owner: str
    wallet: str
    to: str
    data: bytes
    nonce: int
    signature: str
    metadata: str
    deadline_s: int = 0
    gas_limit: str = ""


def read_envelope(payload: object) -> Envelope:
    """Raises Refused naming what is wrong."""
    if not isinstance(payload, dict):
        raise Refused(400, "invalid payload")
    try:
        kind, nonce = str(payload["type"]), int(str(payload["nonce"]))
        owner, to = checksummed(payload["from"]), checksummed(payload["to"])
        deposit = payload.get("depositWalletParams") or {}
        wallet = checksummed(deposit["depositWallet"] if kind == "WALLET" else payload["proxyWallet"])
        signature, metadata = str(payload["signature"]), str(payload.get("metadata") or "")
        if kind == "WALLET":
            (call,) = deposit["calls"]
            to, data = checksummed(call["target"]), raw_bytes(call["data"])
            return Envelope(kind, owner, wallet, to, data, nonce, signature, metadata, int(deposit["deadline"]))
        data = raw_bytes(payload["data"])
        gas_limit = str(payload["signatureParams"].get("gasLimit", "")) if kind == "PROXY" else ""
    except (KeyError, TypeError, ValueError) as error:
        raise Refused(400, f"invalid payload: {error}") from error
    if kind not in ("SAFE", "PROXY"):
        raise Refused(400, f"invalid transaction type {kind}")
    return Envelope(kind, owner, wallet, to, data, nonce, signature, metadata, gas_limit=gas_limit)


def wanted_of(envelope: Envelope) -> Wanted:
    """The call in the envelope; a proxy wallet's stands inside another."""
    if envelope.kind != "PROXY":
        return read_call(envelope.to, envelope.data)
    if envelope.data[:4] != PROXY_SELECTOR:
        raise Refused(400, NO_CALL)
    try:
        (calls,) = decode(["(uint8,address,uint256,bytes)[]"], envelope.data[4:])
        ((_, to, _, data),) = calls
    except (DecodingError, ValueError) as error:
        raise Refused(400, "one call at a time") from error
    return read_call(to, data)


def signer_of(envelope: Envelope) -> str | None:
    """Who signed it; None when the signature is not even well formed."""
    signature = raw_bytes(envelope.signature)
    if len(signature) != 65:
        return None
    match envelope.kind:
        case "SAFE":
            plain = signature[:64] + bytes([signature[64] - 4])
            return recovered(encode_defunct(primitive=_safe_digest(envelope)), plain) if signature[64] > 30 else None
        case "WALLET":
            return recovered(_batch(envelope), signature)
    return recovered(encode_defunct(primitive=_proxy_digest(envelope)), signature)


def _digest(message: SignableMessage) -> bytes:
    return keccak(b"\x19" + message.version + message.header + message.body)


def _safe_digest(envelope: Envelope) -> bytes:
    numbers = ("value", "safeTxGas", "baseGas", "gasPrice")
    kinds = {
        "to": "address", "value": "uint256", "data": "bytes", "operation": "uint8", "safeTxGas": "uint256",
        "baseGas": "uint256", "gasPrice": "uint256", "gasToken": "address", "refundReceiver": "address",
        "nonce": "uint256",
    }  # fmt: skip
    message = dict.fromkeys(numbers, 0) | {
        "to": envelope.to, "data": envelope.data, "operation": 0, "gasToken": ZERO_ADDRESS,
        "refundReceiver": ZERO_ADDRESS, "nonce": envelope.nonce,
    }  # fmt: skip
    domain = {"chainId": CHAIN_ID, "verifyingContract": envelope.wallet}
    types = {"SafeTx": [{"name": name, "type": kind} for name, kind in kinds.items()]}
    return _digest(encode_typed_data(domain, types, message))


def _batch(envelope: Envelope) -> SignableMessage:
    domain = {"name": "DepositWallet", "version": "1", "chainId": CHAIN_ID, "verifyingContract": envelope.wallet}
    fields = {"wallet": "address", "nonce": "uint256", "deadline": "uint256", "calls": "Call[]"}
    call = {"target": "address", "value": "uint256", "data": "bytes"}
    types = {
        name: [{"name": key, "type": kind} for key, kind in each.items()]
        for name, each in {"Batch": fields, "Call": call}.items()
    }
    message = {
        "wallet": envelope.wallet,
        "nonce": envelope.nonce,
        "deadline": envelope.deadline_s,
        "calls": [{"target": envelope.to, "value": 0, "data": envelope.data}],
    }
    return encode_typed_data(domain, types, message)


def _proxy_digest(envelope: Envelope) -> bytes:
    def address(text: str) -> bytes:
        return bytes.fromhex(text[2:])

    numbers = (0, 0, int(envelope.gas_limit or 0), envelope.nonce)
    words = b"".join(number.to_bytes(32, "big") for number in numbers)
    who = address(envelope.owner) + address(envelope.to)
    return keccak(b"rlx:" + who + envelope.data + words + address(RELAY_HUB) + address(RELAY))
