"""`manage.py keys`: a keystore made, filled and shown, and the key itself never."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from eth_account import Account

KEY = "0x" + "11" * 32
ADDRESS = Account.from_key(KEY).address


def keys(folder: Path, *words: str) -> dict[str, Any]:
    out = io.StringIO()
    files = ("--keystore", str(folder / "key.json"), "--passphrase-file", str(folder / "passphrase"))
    call_command("keys", *words, *files, "--json", stdout=out)
    assert "11" * 32 not in out.getvalue()
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def test_a_created_key_opens_again_and_only_its_owner_reads_the_files(tmp_path: Path) -> None:
    made = keys(tmp_path, "create")
    assert keys(tmp_path, "show") == made
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("key.json", "passphrase")] == [0o600, 0o600]
    secret = Account.decrypt((tmp_path / "key.json").read_text(), (tmp_path / "passphrase").read_text().strip())
    assert Account.from_key(secret).address == made["address"]


def test_an_imported_key_keeps_its_address_and_a_passphrase_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "passphrase").write_text("long and dull\n")
    monkeypatch.setattr("sys.stdin", io.StringIO(KEY + "\n"))
    assert keys(tmp_path, "import")["address"] == ADDRESS
    assert Account.decrypt((tmp_path / "key.json").read_text(), "long and dull") == bytes.fromhex("11" * 32)


def test_a_keystore_that_exists_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text("mine")
    with pytest.raises(CommandError, match="exists already"):
        keys(tmp_path, "create")
    assert (tmp_path / "key.json").read_text() == "mine"


@pytest.mark.parametrize("text", ["", "0x12", "zz" * 32, "0x" + "00" * 32])
def test_what_is_no_key_is_refused_without_repeating_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text + "\n"))
    with pytest.raises(CommandError) as refused:
        keys(tmp_path, "import")
    assert not text or text not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_no_file_named_is_said_with_the_variable() -> None:
    with pytest.raises(CommandError, match="give --keystore or POLYWEB_KEYSTORE"):
        call_command("keys", "show")
