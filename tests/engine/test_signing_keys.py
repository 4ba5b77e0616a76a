"""Keys and auth headers: opened from a keystore, shown to nobody, and understood by the venue."""

import base64
import json
import pickle
import random
import subprocess
import sys
from pathlib import Path

import pytest
from eth_account import Account
from polymarket._internal.hmac import build_hmac_signature
from polymarket._internal.l1_auth import sign_api_key_auth
from py_clob_client_v2.clob_types import ApiCreds, RequestArgs
from py_clob_client_v2.headers.headers import create_level_1_headers, create_level_2_headers
from py_clob_client_v2.signer import Signer as ClientSigner

from execution.signing import (
    ApiCredentials,
    KeyUnavailable,
    LocalSigner,
    SignatureType,
    SigningKey,
    l1_headers,
    l2_headers,
    l2_signature,
    load_key,
    sandbox_key,
)
from execution.signing.keys import coincurve_backend, eth_keys_backend

KEY = SigningKey(b"\x11" * 32)
OWNER = "00000000-0000-4000-8000-000000000001"
SECRET = base64.urlsafe_b64encode(bytes(range(200, 232))).decode()


def test_auth_headers_equal_both_clients() -> None:
    signer, creds = ClientSigner(KEY.reveal(), 137), ApiCreds(OWNER, SECRET, "pass")
    credentials = ApiCredentials(OWNER, SECRET, "pass")
    body = '{"heartbeat_id":"x"}'
    asked = RequestArgs("POST", "/v1/heartbeats", serialized_body=body)
    ours = l2_headers(credentials, KEY.address, 1_795_305_600, "POST", "/v1/heartbeats", body.encode())
    assert ours == create_level_2_headers(signer, creds, asked, timestamp=1_795_305_600)
    assert ours["POLY_SIGNATURE"] == build_hmac_signature(
        secret=SECRET, timestamp=1_795_305_600, method="POST", path="/v1/heartbeats", body=body
    )
    first = l1_headers(KEY, 137, 1_795_305_600, 3)
    assert first == create_level_1_headers(signer, nonce=3, timestamp=1_795_305_600)
    account = Account.from_key(KEY.reveal())
    theirs = sign_api_key_auth(account, chain_id=137, timestamp=1_795_305_600, nonce=3)
    assert first["POLY_SIGNATURE"] == theirs.signature


def test_a_query_string_is_not_signed_and_padding_of_the_secret_may_be_missing() -> None:
    bare = l2_signature(ApiCredentials(OWNER, SECRET, "p"), 1, "GET", "/data/orders")
    assert l2_signature(ApiCredentials(OWNER, SECRET.rstrip("="), "p"), 1, "GET", "/data/orders?id=1") == bare


def test_api_credentials_keep_their_secrets_out_of_their_repr() -> None:
    assert repr(ApiCredentials(OWNER, SECRET, "hush")) == f"ApiCredentials(key='{OWNER}')"
    with pytest.raises(ValueError, match="^secret: "):
        ApiCredentials(OWNER, "not base64!", "hush")


@pytest.mark.parametrize("seed", range(8))
def test_both_backends_sign_the_same_bytes(seed: int) -> None:
    rng = random.Random(seed)
    secret, digest = rng.randbytes(32), rng.randbytes(32)
    fast, pure = SigningKey(secret, coincurve_backend), SigningKey(secret, eth_keys_backend)
    account = Account.from_key(secret)
    assert fast.address == pure.address == account.address
    assert fast.sign_digest(digest) == pure.sign_digest(digest)
    assert fast.sign_digest(digest) == bytes(account.unsafe_sign_hash(digest).signature)


def test_without_coincurve_the_pure_backend_is_chosen_and_signs_the_same() -> None:
    program = (
        "import sys; sys.modules['coincurve'] = None\n"
        "from execution.signing import keys\n"
        "assert keys.BACKEND is keys.eth_keys_backend\n"
        "print(keys.SigningKey(b'\\x11' * 32).sign_digest(b'\\x22' * 32).hex())\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout.strip() == SigningKey(b"\x11" * 32, coincurve_backend).sign_digest(b"\x22" * 32).hex()


@pytest.mark.parametrize("secret", [b"", b"\x00" * 32, b"\xff" * 32, b"\x01" * 31])
def test_bytes_that_are_no_key_are_refused(secret: bytes) -> None:
    with pytest.raises(KeyUnavailable):
        SigningKey(secret)


def test_a_key_shows_its_address_and_nothing_else() -> None:
    shown = f"{KEY!r} {KEY} {LocalSigner(KEY, KEY.address, SignatureType.EOA, 137)!r}"
    assert KEY.address in shown
    assert "11" * 8 not in shown
    with pytest.raises(TypeError):
        pickle.dumps(KEY)


def test_the_sandbox_key_is_always_the_same() -> None:
    assert sandbox_key().address == sandbox_key().address == Account.from_key(sandbox_key().reveal()).address


def a_keystore(folder: Path, passphrase: str) -> tuple[Path, Path]:
    keystore, words = folder / "key.json", folder / "passphrase"
    document = Account.encrypt(bytes.fromhex(KEY.reveal()[2:]), passphrase, kdf="pbkdf2", iterations=2)
    keystore.write_text(json.dumps(document), encoding="utf-8")
    words.write_text(passphrase + "\n", encoding="utf-8")
    return keystore, words


def test_a_keystore_opens_with_its_passphrase_file(tmp_path: Path) -> None:
    assert load_key(*a_keystore(tmp_path, "correct horse")).reveal() == KEY.reveal()


def test_keystores_that_do_not_open_say_why(tmp_path: Path) -> None:
    keystore, words = a_keystore(tmp_path, "correct horse")
    written = {"wrong": "battery", "empty": "\n", "plain": KEY.reveal(), "list": "[]", "odd": '{"version":3}'}
    files = {name: tmp_path / name for name in written}
    for name, text in written.items():
        files[name].write_text(text, encoding="utf-8")
    files["binary"] = tmp_path / "binary"
    files["binary"].write_bytes(b"\xff\xfe\xff")
    cases = [
        (keystore, files["wrong"], "does not open with that passphrase"),
        (keystore, files["empty"], "is empty"),
        (keystore, tmp_path / "missing", "No such file"),
        (tmp_path / "missing", words, "No such file"),
        (files["plain"], words, "is not JSON"),
        (files["list"], words, "is not a keystore v3 file"),
        (files["odd"], words, "is not a keystore v3 file"),
        (files["binary"], words, "not text"),
    ]
    for store, passphrase_file, reason in cases:
        with pytest.raises(KeyUnavailable, match=reason) as caught:
            load_key(store, passphrase_file)
        assert "11" * 8 not in str(caught.value)
