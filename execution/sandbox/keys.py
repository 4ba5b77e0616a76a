"""API keys and the two ways a request proves whose it is.

Its one law: credentials follow from the sandbox's seed, the address and the nonce, so that a run can be
repeated; a request is believed only by its own signature.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from execution.sandbox import refusal
from execution.sandbox.refusal import Refused
from execution.sandbox.signatures import attested_address, checksummed

LONGEST_NONCE = 76


def uuid_from(text: str) -> str:
    """A version-4-looking uuid that depends on nothing but the text."""
    digits = list(hashlib.sha256(text.encode()).hexdigest()[:32])
    digits[12], digits[16] = "4", "89ab"[int(digits[16], 16) % 4]
    joined = "".join(digits)
    return "-".join((joined[:8], joined[8:12], joined[12:16], joined[16:20], joined[20:]))


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One set of credentials and the address it belongs to."""

    key: str
    secret: str
    passphrase: str
    address: str

    @property
    def document(self) -> dict[str, object]:
        return {"apiKey": self.key, "secret": self.secret, "passphrase": self.passphrase}


class KeyRing:
    """All API keys of a sandbox."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._by_key: dict[str, ApiKey] = {}
        self._by_nonce: dict[tuple[str, int], str] = {}

    def create(self, headers: Mapping[str, str]) -> ApiKey:
        address, nonce = self._attested(headers)
        if self._by_nonce.get((address, nonce)) in self._by_key:
            raise Refused(400, "Could not create api key")
        origin = f"{self._seed}:{address}:{nonce}"
        key = ApiKey(
            uuid_from(f"key:{origin}"),
            base64.urlsafe_b64encode(hashlib.sha256(f"secret:{origin}".encode()).digest()).decode(),
            hashlib.sha256(f"passphrase:{origin}".encode()).hexdigest(),
            address,
        )
        self._by_key[key.key] = key
        self._by_nonce[address, nonce] = key.key
        return key

    def derive(self, headers: Mapping[str, str]) -> ApiKey:
        found = self._by_key.get(self._by_nonce.get(self._attested(headers), ""))
        if found is None:
            raise Refused(400, "Could not derive api key!")
        return found

    def delete(self, key: ApiKey) -> None:
        self._by_key.pop(key.key, None)

    def of(self, address: str) -> list[ApiKey]:
        return [key for key in self._by_key.values() if key.address == address]

    def requester(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> ApiKey:
        """Who sent an L2 request: key, passphrase and the HMAC over time, method, path and exact body."""
        key = self._by_key.get(headers.get("POLY_API_KEY", ""))
        if key is None or not _same(key.passphrase, headers.get("POLY_PASSPHRASE", "")):
            raise Refused(401, refusal.INVALID_KEY)
        # The clients put double quotes for single ones before they sign.
        message = f"{headers.get('POLY_TIMESTAMP', '')}{method}{path}".encode() + body.replace(b"'", b'"')
        digest = hmac.new(base64.urlsafe_b64decode(key.secret), message, hashlib.sha256).digest()
        if not _same(base64.urlsafe_b64encode(digest).decode(), headers.get("POLY_SIGNATURE", "")):
            raise Refused(401, refusal.INVALID_KEY)
        if headers.get("POLY_ADDRESS", "").lower() != key.address.lower():
            raise Refused(401, refusal.INVALID_KEY)
        return key

    def listener(self, auth: object) -> ApiKey | None:
        """Who opens a user channel with these raw credentials."""
        if not isinstance(auth, dict):
            return None
        key = self._by_key.get(str(auth.get("apiKey")))
        if key is None or not _same(key.secret, str(auth.get("secret"))):
            return None
        return key if _same(key.passphrase, str(auth.get("passphrase"))) else None

    def _attested(self, headers: Mapping[str, str]) -> tuple[str, int]:
        nonce, timestamp = headers.get("POLY_NONCE", ""), headers.get("POLY_TIMESTAMP", "")
        try:
            address = checksummed(headers.get("POLY_ADDRESS"))
        except ValueError as error:
            raise Refused(401, refusal.INVALID_L1) from error
        if not (nonce.isdecimal() and timestamp.isdecimal()) or len(nonce) > LONGEST_NONCE:
            raise Refused(401, refusal.INVALID_L1)
        signer = attested_address(address, timestamp, int(nonce), headers.get("POLY_SIGNATURE", ""))
        if signer != address:
            raise Refused(401, refusal.INVALID_L1)
        return address, int(nonce)


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
