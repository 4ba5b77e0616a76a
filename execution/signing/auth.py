"""Headers that prove who asks: L1 by the key (to make API credentials), L2 by those credentials.

Law: pure functions of the timestamp they are given. The body signed is the body sent, byte for byte.
"""

import base64
import binascii
import hmac
from dataclasses import dataclass, field

from execution.signing.eip712 import auth_digest
from execution.signing.keys import SigningKey


@dataclass(frozen=True, slots=True)
class ApiCredentials:
    """What the venue gave us for L2. The owner of an order is `key`."""

    key: str
    secret: str = field(repr=False)
    passphrase: str = field(repr=False)
    hmac_key: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        padded = self.secret + "=" * (-len(self.secret) % 4)
        try:
            decoded = base64.b64decode(padded, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("secret: the API secret is not URL-safe base64") from None
        object.__setattr__(self, "hmac_key", decoded)


def l1_headers(key: SigningKey, chain_id: int, timestamp_s: int, nonce: int = 0) -> dict[str, str]:
    signature = key.sign_digest(auth_digest(key.address, chain_id, timestamp_s, nonce))
    return {
        "POLY_ADDRESS": key.address,
        "POLY_SIGNATURE": "0x" + signature.hex(),
        "POLY_TIMESTAMP": str(timestamp_s),
        "POLY_NONCE": str(nonce),
    }


def l2_signature(credentials: ApiCredentials, timestamp_s: int, method: str, path: str, body: bytes = b"") -> str:
    """`path` may carry a query string; the venue signs without it."""
    bare, _, _ = path.partition("?")
    message = f"{timestamp_s}{method}{bare}".encode() + body
    return base64.urlsafe_b64encode(hmac.digest(credentials.hmac_key, message, "sha256")).decode()


def l2_headers(
    credentials: ApiCredentials, address: str, timestamp_s: int, method: str, path: str, body: bytes = b""
) -> dict[str, str]:
    """`address` is the signing key's, also where a proxy wallet holds the money."""
    return {
        "POLY_ADDRESS": address,
        "POLY_SIGNATURE": l2_signature(credentials, timestamp_s, method, path, body),
        "POLY_TIMESTAMP": str(timestamp_s),
        "POLY_API_KEY": credentials.key,
        "POLY_PASSPHRASE": credentials.passphrase,
    }
