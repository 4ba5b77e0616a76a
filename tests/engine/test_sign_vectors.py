"""Vectors of others hold, and `manage.py sign_vectors` says so of any file."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from execution.management.commands.sign_vectors import Command
from execution.signing import (
    ApiCredentials,
    Exchange,
    LocalSigner,
    OrderToSign,
    SignatureType,
    SigningKey,
    exchange_separator,
    l1_headers,
    l2_signature,
)
from execution.signing.vectors import NotVectors, check_vectors
from markets.domain.events import Side

KEY = SigningKey(b"\x11" * 32)
OWNER = "00000000-0000-4000-8000-000000000001"


def test_every_vector_of_the_clob_client_holds(shared_data: Path) -> None:
    path = shared_data / "vectors" / "order_signing_py_clob_client_v2_1.2.1.json"
    report = check_vectors(json.loads(path.read_text(encoding="utf-8")))
    assert (report.vectors, report.skipped) == (144, 48)
    assert (report.hash_matches, report.signature_matches, report.mismatches) == (96, 96, [])


def test_every_literal_of_the_clients_own_tests_holds(shared_data: Path) -> None:
    path = shared_data / "vectors" / "auth_and_signing_literals_python_sdks.json"
    literals = json.loads(path.read_text(encoding="utf-8"))
    for case in literals["hmac_l2"]:
        credentials = ApiCredentials(OWNER, case["secret"], "pass")
        signed = l2_signature(credentials, int(case["timestamp"]), case["method"], case["path"], case["body"].encode())
        assert signed == case["signature"]
    for case in literals["clob_auth_l1"]:
        key = SigningKey(bytes.fromhex(case["private_key"][2:]))
        headers = l1_headers(key, case["chain_id"], case["timestamp"], case["nonce"])
        assert (headers["POLY_ADDRESS"], headers["POLY_SIGNATURE"]) == (case["address"], case["signature"])
    nested = literals["order_v2_poly1271"]
    vector = {**nested, "version": 2, "order_hash": "0x"}
    assert check_vectors({"vectors": [vector]}).signature_matches == 1


def test_every_vector_of_the_dossier_holds(shared_data: Path) -> None:
    path = shared_data.parent / "polymarket-examples" / "crypto" / "vectors.json"
    if not path.exists():
        pytest.skip("the dossier's vectors are not beside the project")
    vectors = json.loads(path.read_text(encoding="utf-8"))
    key = SigningKey(bytes.fromhex(vectors["private_key"][2:]))
    exchanges = {
        "ctf_exchange_v2": Exchange.CTF_V2,
        "neg_risk_exchange_v2": Exchange.NEG_RISK_V2,
        "exchange_v3": Exchange.V3,
    }
    assert key.address == vectors["address"]
    for name, separator in vectors["domain_separators"].items():
        assert "0x" + exchange_separator(exchanges[name], 137).hex() == separator
    first = vectors["orders"][0]
    entries = []
    for order in vectors["orders"]:
        entry = {**first, **order} if "same_fields_as" in order else order
        own = {"maker": key.address, "signer": key.address, **entry}
        stated = {name: order[name] for name in ("order_hash", "signature") if name in order}
        version = 3 if order["domain"] == "exchange_v3" else 2
        neg_risk = order["domain"] == "neg_risk_exchange_v2"
        entries.append(
            {"version": version, "chain_id": 137, "neg_risk": neg_risk, "order": own, **stated}
            | {"private_key": vectors["private_key"]}
        )
    report = check_vectors({"vectors": entries})
    assert (report.hash_matches, report.signature_matches, report.mismatches) == (4, 3, [])
    l1 = vectors["l1_clob_auth"]
    assert l1_headers(key, 137, int(l1["timestamp"]), l1["nonce"])["POLY_SIGNATURE"] == l1["signature"]
    credentials = ApiCredentials(OWNER, vectors["l2_hmac"]["secret"], "pass")
    for case in vectors["l2_hmac"]["cases"]:
        body = case["body"].encode()
        signed = l2_signature(credentials, case["timestamp"], case["method"], case["path"], body)
        assert signed == case["signature"]


def a_vector(**changes: Any) -> dict[str, Any]:
    signer = LocalSigner(KEY, KEY.address, SignatureType.EOA, 137)
    order = OrderToSign(7, "7" * 77, Side.SELL, 5_200, 10_000_000, 100, False, "v1", 1_795_305_600_000)
    signed = signer.sign_one(order)
    return {
        "version": 2,
        "chain_id": 137,
        "neg_risk": False,
        "private_key": KEY.reveal(),
        "order": json.loads(signed.body),
        "order_hash": signed.order_id,
        "signature": signed.signature,
        **changes,
    }


def run_command(folder: Path, document: object, *options: str) -> tuple[int, str]:
    file, out = folder / "vectors.json", io.StringIO()
    file.write_text(json.dumps(document), encoding="utf-8")
    try:
        call_command(Command(stdout=out), str(file), *options)
    except SystemExit as stop:
        return int(str(stop.code)), out.getvalue()
    return 0, out.getvalue()


def test_sign_vectors_counts_what_matches(tmp_path: Path) -> None:
    numeric = a_vector(order={**a_vector()["order"], "side": 1})
    code, out = run_command(tmp_path, {"vectors": [a_vector(), numeric, {"version": 1}]}, "--json")
    assert code == 0
    assert json.loads(out) == {
        "vectors": 3,
        "skipped": 1,
        "hash_matches": 2,
        "signature_matches": 2,
        "mismatches": [],
    }


def test_sign_vectors_names_what_differs_and_fails(tmp_path: Path) -> None:
    code, out = run_command(tmp_path, {"vectors": [a_vector(order_hash="0x00")]}, "--json")
    report = json.loads(out)
    assert code == 1
    assert (report["hash_matches"], report["signature_matches"]) == (0, 1)
    assert report["mismatches"][0] == {
        "index": 0,
        "field": "order_hash",
        "expected": "0x00",
        "computed": a_vector()["order_hash"],
    }
    assert KEY.reveal()[2:] not in out


def without(entry: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != name}


@pytest.mark.parametrize(
    ("spoil", "field"),
    [
        (lambda entry: without(entry, "private_key"), "signature"),
        (lambda entry: without(entry, "order_hash"), "order_hash"),
        (lambda entry: without(entry, "order"), "order"),
        (lambda entry: {**entry, "version": 4}, "entry"),
        (lambda entry: {**entry, "chain_id": 5}, "entry"),
        (lambda entry: {**entry, "private_key": "0x00"}, "private_key"),
        (lambda entry: {**entry, "order": []}, "entry"),
        (lambda entry: {**entry, "order": {**entry["order"], "salt": "x"}}, "entry"),
        (lambda entry: {**entry, "order": {**entry["order"], "salt": -1}}, "entry"),
        (lambda entry: [], "entry"),
    ],
)
def test_a_vector_that_cannot_be_checked_is_a_mismatch(spoil: Callable[[dict[str, Any]], object], field: str) -> None:
    report = check_vectors({"vectors": [spoil(a_vector())]})
    assert [wrong.field for wrong in report.mismatches] == [field]


def test_sign_vectors_speaks_plainly_without_json(tmp_path: Path) -> None:
    code, out = run_command(tmp_path, {"vectors": [a_vector(signature="0x00")]})
    assert code == 1
    assert out.startswith("1 vectors, 0 skipped (V1): 1 hashes and 0 signatures match, 1 mismatches\n  #0 signature:")


def test_a_file_without_vectors_is_an_error(tmp_path: Path) -> None:
    documents: list[object] = [{}, [], {"vectors": []}, 3]
    for document in documents:
        with pytest.raises(NotVectors):
            check_vectors(document)
        with pytest.raises(CommandError, match="no list named 'vectors'"):
            run_command(tmp_path, document)
    broken = tmp_path / "broken.json"
    broken.write_text("{", encoding="utf-8")
    for path, reason in ((broken, "is not JSON"), (tmp_path / "missing", "No such file")):
        with pytest.raises(CommandError, match=reason):
            call_command(Command(), str(path))
