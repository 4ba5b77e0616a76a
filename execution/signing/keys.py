"""The signing key: where it comes from, and the only object that holds it.

Law: a key never appears in a repr, a log or a pickle. Real money needs an encrypted keystore and a passphrase
file.
"""

import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from execution.signing.eip712 import checksum_address, keccak256

SignDigest = Callable[[bytes], bytes]

_CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class KeyUnavailable(Exception):
    """The key could not be loaded; the message says which file and why, and never what is in it."""


def coincurve_backend(secret: bytes) -> tuple[bytes, SignDigest]:
    """libsecp256k1: about 20 us a signature. Returns the 64-byte public key and the signing function."""
    from coincurve import PrivateKey

    key = PrivateKey(secret)
    sign = key.sign_recoverable

    def sign_digest(digest: bytes) -> bytes:
        raw = sign(digest, hasher=None)
        return raw[:64] + (b"\x1c" if raw[64] else b"\x1b")

    return key.public_key.format(compressed=False)[1:], sign_digest


def eth_keys_backend(secret: bytes) -> tuple[bytes, SignDigest]:
    """Pure Python, some 2 ms a signature, where coincurve has no wheel. Same bytes (RFC 6979, low s)."""
    from eth_keys.backends.native.main import NativeECCBackend
    from eth_keys.datatypes import PrivateKey

    key = PrivateKey(secret, backend=NativeECCBackend())

    def sign_digest(digest: bytes) -> bytes:
        raw = key.sign_msg_hash(digest).to_bytes()
        return bytes(raw[:64]) + (b"\x1c" if raw[64] else b"\x1b")

    return bytes(key.public_key.to_bytes()), sign_digest


try:
    import coincurve as _coincurve  # noqa: F401 - only to learn whether it is there
except ImportError:
    BACKEND = eth_keys_backend
else:
    BACKEND = coincurve_backend


class SigningKey:
    """A secp256k1 key that signs 32-byte digests. `backend` is chosen once, when this module is imported."""

    __slots__ = ("_secret", "address", "sign_digest")

    def __init__(self, secret: bytes, backend: Callable[[bytes], tuple[bytes, SignDigest]] = BACKEND) -> None:
        if len(secret) != 32 or not 0 < int.from_bytes(secret, "big") < _CURVE_ORDER:
            raise KeyUnavailable("a signing key is 32 bytes and on the curve; this one is not")
        public, self.sign_digest = backend(secret)
        self._secret = secret
        self.address = checksum_address("0x" + keccak256(public)[12:].hex())

    def reveal(self) -> str:
        """The key as 0x hex, for a venue client that insists on holding one itself."""
        return "0x" + self._secret.hex()

    def __repr__(self) -> str:
        return f"SigningKey({self.address})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signing key is not to be copied or pickled")


def _read(path: Path, what: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise KeyUnavailable(f"{what} {path}: {reason}") from None


def load_key(keystore: Path, passphrase_file: Path) -> SigningKey:
    """Open a keystore v3 file. Takes about half a second, which is what the format is for."""
    from eth_account import Account  # heavy to import, and needed only here

    document = _read(keystore, "keystore")
    passphrase = _read(passphrase_file, "passphrase file").rstrip("\r\n")
    if not passphrase:
        raise KeyUnavailable(f"passphrase file {passphrase_file} is empty")
    try:
        secret = bytes(Account.decrypt(json.loads(document), passphrase))
    except json.JSONDecodeError:
        raise KeyUnavailable(f"keystore {keystore} is not JSON, so it is no keystore v3 file") from None
    except (ValueError, KeyError, TypeError, AttributeError, NotImplementedError) as error:
        if "MAC" in str(error):
            raise KeyUnavailable(f"keystore {keystore} does not open with that passphrase") from None
        raise KeyUnavailable(f"keystore {keystore} is not a keystore v3 file") from None
    return SigningKey(secret)


def new_key() -> SigningKey:
    """A key nobody has had before."""
    while True:
        try:
            return SigningKey(secrets.token_bytes(32))
        except KeyUnavailable:  # one chance in 2^128 that it lies off the curve
            continue


def read_key(text: str) -> SigningKey:
    """A key as people keep it: 64 hex digits, with or without 0x. Raises KeyUnavailable without repeating it."""
    try:
        return SigningKey(bytes.fromhex(text.strip().removeprefix("0x")))
    except ValueError:
        raise KeyUnavailable("a private key is 0x and 64 hex digits; this is not") from None


def make_passphrase(path: Path) -> None:
    """A random passphrase in a new file that only its owner may read. Raises KeyUnavailable."""
    _write_new(path, secrets.token_urlsafe(32) + "\n")


def save_key(key: SigningKey, keystore: Path, passphrase_file: Path) -> None:
    """Write a new keystore v3 file that only its owner may read. Takes about half a second. Raises KeyUnavailable."""
    from eth_account import Account

    passphrase = _read(passphrase_file, "passphrase file").rstrip("\r\n")
    if not passphrase:
        raise KeyUnavailable(f"passphrase file {passphrase_file} is empty")
    _write_new(keystore, json.dumps(Account.encrypt(bytes.fromhex(key.reveal()[2:]), passphrase)))


def _write_new(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise KeyUnavailable(f"{path}: {error.strerror}") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def sandbox_key() -> SigningKey:
    """The key of every sandbox, fake and paper account. Worthless: everybody has it, never fund it."""
    return SigningKey(keccak256(b"polyweb sandbox key: public, worthless, never fund"))
