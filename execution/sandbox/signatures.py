"""Order hashes and who signed them.

Its one law: struct hashes are built here from the published types and addresses are recovered by eth-account;
nothing is shared with the signer it checks.
"""

from dataclasses import dataclass
from functools import lru_cache

from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data
from eth_keys.exceptions import BadSignature
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError

from execution.sandbox.listing import Generation, MarketSpec

CHAIN_ID = 137
CTF_EXCHANGE = "0xE111180000d2663C0091e4f400237545B87B996B"
NEG_RISK_EXCHANGE = "0xe2222d279d744050d28e00520010520000310F59"
EXCHANGE_V3 = "0xe3333700cA9d93003F00f0F71f8515005F6c00Aa"
EXCHANGES = (CTF_EXCHANGE, NEG_RISK_EXCHANGE, EXCHANGE_V3)
RETIRED_EXCHANGES = ("0x4bFb41d5B3570DeFd03C39a9A4D8dE6Bd8B8982E", "0xC5d563A36AE78145C45a50134d48A1215220f80a")
WALLET_SIGNATURE = 3

ORDER_TYPE = (
    "Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,uint256 takerAmount,"
    "uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder)"
)
NESTED_TYPE = (
    "TypedDataSign(Order contents,string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"
)
DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
ATTESTATION = "This message attests that I control the given wallet"


def _hash(text: str) -> bytes:
    return keccak(text.encode())


@dataclass(frozen=True, slots=True)
class OrderFields:
    """What is signed of an order."""

    salt: int
    maker: str
    signer: str
    token_id: int
    maker_amount: int
    taker_amount: int
    side: int
    signature_type: int
    timestamp: int
    metadata: bytes
    builder: bytes

    def struct_hash(self) -> bytes:
        return _struct_hash(self)


_STRUCT_TYPES = (
    "bytes32", "uint256", "address", "address", "uint256", "uint256", "uint256", "uint8", "uint8", "uint256",
    "bytes32", "bytes32",
)  # fmt: skip
_ORDER_TYPE_HASH = _hash(ORDER_TYPE)


@lru_cache(maxsize=64)
def _struct_hash(order: OrderFields) -> bytes:
    """An order is hashed for its id and for its signer, one after the other."""
    values = [
        _ORDER_TYPE_HASH, order.salt, order.maker, order.signer, order.token_id, order.maker_amount,
        order.taker_amount, order.side, order.signature_type, order.timestamp, order.metadata, order.builder,
    ]  # fmt: skip
    return keccak(encode(_STRUCT_TYPES, values))


def domain_separator(version: str, contract: str) -> bytes:
    values = [_hash(DOMAIN_TYPE), _hash("Polymarket CTF Exchange"), _hash(version), CHAIN_ID, contract]
    return keccak(encode(["bytes32", "bytes32", "bytes32", "uint256", "address"], values))


SEPARATORS = {
    CTF_EXCHANGE: domain_separator("2", CTF_EXCHANGE),
    NEG_RISK_EXCHANGE: domain_separator("2", NEG_RISK_EXCHANGE),
    EXCHANGE_V3: domain_separator("3", EXCHANGE_V3),
}
_OTHER_VERSIONS = [domain_separator("1", contract) for contract in (*EXCHANGES, *RETIRED_EXCHANGES)]


def exchange_of(spec: MarketSpec) -> str:
    """The contract that settles a market's orders."""
    if spec.generation is Generation.V2:
        return EXCHANGE_V3
    return NEG_RISK_EXCHANGE if spec.neg_risk else CTF_EXCHANGE


def order_hash(order: OrderFields, separator: bytes) -> str:
    return "0x" + keccak(b"\x19\x01" + separator + order.struct_hash()).hex()


def recovered(message: SignableMessage, signature: bytes) -> str | None:
    if len(signature) != 65:
        return None
    try:
        return str(Account.recover_message(message, signature=signature))
    except (ValueError, BadSignature, ValidationError):  # no such v, no such point
        return None


def order_signer(order: OrderFields, separator: bytes, signature: bytes) -> str | None:
    """The address that signed the order for this exchange; None when the signature is not even well formed."""
    struct_hash = order.struct_hash()
    if order.signature_type != WALLET_SIGNATURE:
        return recovered(SignableMessage(b"\x01", separator, struct_hash), signature)
    trailer = separator + struct_hash + ORDER_TYPE.encode() + len(ORDER_TYPE).to_bytes(2, "big")
    if signature[65:] != trailer:
        return None
    nested = keccak(
        encode(
            ["bytes32", "bytes32", "bytes32", "bytes32", "uint256", "address", "bytes32"],
            [_hash(NESTED_TYPE + ORDER_TYPE), struct_hash, _hash("DepositWallet"), _hash("1"),
             CHAIN_ID, order.signer, bytes(32)],
        )
    )  # fmt: skip
    return recovered(SignableMessage(b"\x01", separator, nested), signature[:65])


def meant_another_domain(order: OrderFields, signature: bytes, signer: str) -> bool:
    """True when the signature is good, only for a version or contract that does not settle this market."""
    everywhere = [*SEPARATORS.values(), *_OTHER_VERSIONS]
    return any(order_signer(order, separator, signature) == signer for separator in everywhere)


def attested_address(address: str, timestamp: str, nonce: int, signature: str) -> str | None:
    """Who signed the wallet attestation of an L1 request."""
    message = {"address": address, "timestamp": timestamp, "nonce": nonce, "message": ATTESTATION}
    fields = (("address", "address"), ("timestamp", "string"), ("nonce", "uint256"), ("message", "string"))
    signable = encode_typed_data(
        {"name": "ClobAuthDomain", "version": "1", "chainId": CHAIN_ID},
        {"ClobAuth": [{"name": name, "type": kind} for name, kind in fields]},
        message,
    )
    try:
        raw = bytes.fromhex(signature.removeprefix("0x"))
    except ValueError:
        return None
    return recovered(signable, raw)


def checksummed(address: object) -> str:
    """Raises ValueError for anything but an address."""
    if not isinstance(address, str):
        raise ValueError(f"{address!r} is no address")
    return str(to_checksum_address(address))
