"""EIP-712 by hand: the order struct, the domains of the venue's exchanges, and the digests they make.

Law: pure functions of their arguments. The order hash made here is the venue's order id, so one wrong byte is
an order lost. Reference: EIP-712, ERC-7739 (deposit wallets), the venue's exchange contracts.
"""

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from Crypto.Hash.keccak import Keccak_Hash

from markets.domain.events import Side

BYTES32_ZERO = "0x" + "00" * 32
MAX_UINT256 = (1 << 256) - 1
EIP712_PREFIX = b"\x19\x01"

ORDER_TYPE = (
    b"Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,"
    b"uint256 takerAmount,uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder)"
)
_DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_NESTED_TYPE = (
    b"TypedDataSign(Order contents,string name,string version,uint256 chainId,"
    b"address verifyingContract,bytes32 salt)" + ORDER_TYPE
)
_AUTH_DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId)"
_AUTH_TYPE = b"ClobAuth(address address,string timestamp,uint256 nonce,string message)"
_AUTH_MESSAGE = b"This message attests that I control the given wallet"


def keccak256(data: bytes) -> bytes:
    # The class, not Crypto.Hash.keccak.new: its keyword parsing costs as much as the hash of an order.
    return Keccak_Hash(data, 32, False).digest()


def checksum_address(text: str) -> str:
    """The EIP-55 form. ValueError where the text is no address or its mixed case says it was mistyped."""
    body = text[2:]
    if not text.startswith("0x") or len(body) != 40 or not all(c in "0123456789abcdefABCDEF" for c in body):
        raise ValueError(f"address: {text!r} is not 0x and 40 hex digits")
    lower = body.lower()
    digest = keccak256(lower.encode()).hex()
    marks = zip(lower, digest, strict=False)
    checked = "".join(c.upper() if int(mark, 16) >= 8 else c for c, mark in marks)
    if body not in (checked, lower, body.upper()):
        raise ValueError(f"address: {text} has a wrong checksum, a character is probably mistyped")
    return "0x" + checked


class SignatureType(int, Enum):
    """Who holds the money and whose key signs for it."""

    EOA = 0
    POLY_PROXY = 1
    POLY_GNOSIS_SAFE = 2
    POLY_1271 = 3


class Exchange(Enum):
    """The contract an order is for: one each for CTF and neg-risk markets of generation v1, one for v2."""

    CTF_V2 = "CTF_V2"
    NEG_RISK_V2 = "NEG_RISK_V2"
    V3 = "V3"

    @property
    def domain_version(self) -> str:
        return "3" if self is Exchange.V3 else "2"


EXCHANGE_ADDRESS: dict[tuple[Exchange, int], str] = {
    (Exchange.CTF_V2, 137): "0xE111180000d2663C0091e4f400237545B87B996B",
    (Exchange.NEG_RISK_V2, 137): "0xe2222d279d744050d28e00520010520000310F59",
    (Exchange.V3, 137): "0xe3333700cA9d93003F00f0F71f8515005F6c00Aa",
    (Exchange.CTF_V2, 80002): "0xE111180000d2663C0091e4f400237545B87B996B",
    (Exchange.NEG_RISK_V2, 80002): "0xe2222d279d744050d28e00520010520000310F59",
    # As in the venue's Python client; another of its documents names the mainnet address for Amoy.
    (Exchange.V3, 80002): "0x9fE6e61422AdB6F610d8597F9684b16912D50C3D",
}


def exchange_for(version: str, neg_risk: bool) -> Exchange:
    """The exchange of a market of generation `version`; ValueError where the generation is not known."""
    if version == "v2":
        return Exchange.V3
    if version == "v1":
        return Exchange.NEG_RISK_V2 if neg_risk else Exchange.CTF_V2
    raise ValueError(f"version: {version!r} is neither 'v1' nor 'v2', so no order can be signed for it")


@dataclass(frozen=True, slots=True)
class OrderPayload:
    """The order as the venue sees it. All but `expiration_s` is signed."""

    salt: int
    maker: str
    signer: str
    token_id: str
    maker_amount: int
    taker_amount: int
    side: Side
    signature_type: SignatureType
    timestamp_ms: int
    expiration_s: int = 0
    metadata: str = BYTES32_ZERO
    builder: str = BYTES32_ZERO


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")


@lru_cache(maxsize=64)
def _address_word(address: str) -> bytes:
    return bytes(12) + bytes.fromhex(checksum_address(address)[2:])


@lru_cache(maxsize=64)
def _bytes32(text: str) -> bytes:
    raw = bytes.fromhex(text.removeprefix("0x"))
    if len(raw) != 32:
        raise ValueError(f"bytes32: {text!r} has {len(raw)} bytes")
    return raw


@lru_cache(maxsize=4096)
def _token_word(token_id: str) -> bytes:
    plain = token_id.isascii() and token_id.isdigit() and len(token_id) <= 78
    # A leading zero would sign one text and send another.
    if not plain or str(value := int(token_id)) != token_id or value > MAX_UINT256:
        raise ValueError(f"asset_id: {token_id!r} is not a decimal number of 256 bits")
    return _word(value)


_ORDER_TYPEHASH = keccak256(ORDER_TYPE)
_NESTED_TYPEHASH = keccak256(_NESTED_TYPE)
_WALLET_DOMAIN = keccak256(b"DepositWallet") + keccak256(b"1")
_ORDER_TYPE_TRAILER = ORDER_TYPE + len(ORDER_TYPE).to_bytes(2, "big")
_SIDE_WORD = {Side.BUY: _word(0), Side.SELL: _word(1)}
_TYPE_WORD = {kind: _word(kind.value) for kind in SignatureType}


@lru_cache(maxsize=64)
def domain_separator(domain_version: str, chain_id: int, contract: str) -> bytes:
    name = keccak256(b"Polymarket CTF Exchange")
    version = keccak256(domain_version.encode())
    return keccak256(keccak256(_DOMAIN_TYPE) + name + version + _word(chain_id) + _address_word(contract))


def exchange_separator(exchange: Exchange, chain_id: int) -> bytes:
    """The domain separator of one of the venue's own contracts; ValueError on a chain without one."""
    contract = EXCHANGE_ADDRESS.get((exchange, chain_id))
    if contract is None:
        raise ValueError(f"chain_id: the venue has no {exchange.value} exchange on chain {chain_id}")
    return domain_separator(exchange.domain_version, chain_id, contract)


def struct_hash(order: OrderPayload) -> bytes:
    return keccak256(
        b"".join(
            (
                _ORDER_TYPEHASH,
                order.salt.to_bytes(32, "big"),
                _address_word(order.maker),
                _address_word(order.signer),
                _token_word(order.token_id),
                order.maker_amount.to_bytes(32, "big"),
                order.taker_amount.to_bytes(32, "big"),
                _SIDE_WORD[order.side],
                _TYPE_WORD[order.signature_type],
                order.timestamp_ms.to_bytes(32, "big"),
                _bytes32(order.metadata),
                _bytes32(order.builder),
            )
        )
    )


def order_digest(separator: bytes, contents: bytes) -> bytes:
    return keccak256(EIP712_PREFIX + separator + contents)


def order_hash(payload: OrderPayload, exchange: Exchange, chain_id: int) -> str:
    """The EIP-712 digest, which is the venue's order id."""
    return "0x" + order_digest(exchange_separator(exchange, chain_id), struct_hash(payload)).hex()


def nested_digest(separator: bytes, contents: bytes, chain_id: int, wallet: str) -> bytes:
    """ERC-7739: what the owner of a deposit wallet signs, so that it is good for this wallet only."""
    nested = keccak256(
        _NESTED_TYPEHASH + contents + _WALLET_DOMAIN + _word(chain_id) + _address_word(wallet) + bytes(32)
    )
    return keccak256(EIP712_PREFIX + separator + nested)


def nested_signature(owner_signature: bytes, separator: bytes, contents: bytes) -> bytes:
    """The owner's signature with what the wallet contract needs to rebuild the nested digest."""
    return owner_signature + separator + contents + _ORDER_TYPE_TRAILER


def auth_digest(address: str, chain_id: int, timestamp_s: int, nonce: int) -> bytes:
    """What an L1 request proves: that the key of `address` was here at that second."""
    separator = keccak256(
        keccak256(_AUTH_DOMAIN_TYPE) + keccak256(b"ClobAuthDomain") + keccak256(b"1") + _word(chain_id)
    )
    contents = keccak256(
        keccak256(_AUTH_TYPE)
        + _address_word(address)
        + keccak256(str(timestamp_s).encode())
        + _word(nonce)
        + keccak256(_AUTH_MESSAGE)
    )
    return keccak256(EIP712_PREFIX + separator + contents)
