"""The command that loads saved Gamma replies."""

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from markets.models import Market
from tests.control_builders import a_gamma_market, a_gamma_set

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def sync(path: Path) -> dict[str, int]:
    out = io.StringIO()
    call_command("sync_markets", "--file", str(path), "--json", stdout=out, stderr=io.StringIO())
    result: dict[str, int] = json.loads(out.getvalue())
    return result


def lines(*documents: Any) -> bytes:
    return b"".join(json.dumps(item, ensure_ascii=False).encode() + b"\n" for item in documents)


def test_json_lines_split_at_line_feeds_only(tmp_path: Path) -> None:
    path = tmp_path / "markets.jsonl"
    odd = a_gamma_market(1, question="Before\u2028after\u0085end?")
    path.write_bytes(lines(odd, a_gamma_market(2)))
    assert sync(path) == {"events": 1, "markets": 2, "outcomes": 4, "skipped": 0, "errors": 0}
    assert Market.objects.get(condition_id=odd["conditionId"]).question == odd["question"]


def test_a_zipped_file_and_an_indented_document_are_read(tmp_path: Path) -> None:
    zipped = tmp_path / "markets.jsonl.gz"
    zipped.write_bytes(gzip.compress(lines(a_gamma_market(1))))
    indented = tmp_path / "events.json"
    indented.write_text(json.dumps({"events": [a_gamma_set(3)]}, indent=2))
    assert sync(zipped)["markets"] == 1
    assert sync(indented) == {"events": 1, "markets": 3, "outcomes": 6, "skipped": 0, "errors": 0}


def test_a_broken_line_is_counted_and_the_rest_is_stored(tmp_path: Path) -> None:
    path = tmp_path / "markets.jsonl"
    path.write_bytes(lines(a_gamma_market(1)) + b"{broken\n\n\xff\xfe\n" + lines(a_gamma_market(2)))
    assert sync(path) == {"events": 1, "markets": 2, "outcomes": 4, "skipped": 0, "errors": 2}


def test_a_broken_first_line_does_not_hide_the_others(tmp_path: Path) -> None:
    path = tmp_path / "markets.jsonl"
    path.write_bytes(b"{broken\n" + lines(a_gamma_market(1)))
    assert sync(path)["errors"] == 1
    assert Market.objects.count() == 1


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("missing.json", None, "No such file"),
        ("empty.json", b"", "empty"),
        ("blank.json", b"\n \n", "empty"),
        ("text.json", b"hello\nworld\n", "neither JSON nor JSON lines"),
        ("torn.json.gz", gzip.compress(b'{"markets": []}', mtime=0)[:-9], "ended|EOF|end-of-stream|CRC"),
        ("other.json", b'{"foo": 1}', "no market or event"),
    ],
)
def test_an_unreadable_file_gets_one_clear_line(tmp_path: Path, name: str, content: bytes | None, why: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CommandError, match=why) as caught:
        sync(path)
    assert caught.value.returncode == 1
    assert "\n" not in str(caught.value)


def test_the_real_crawl_loads_whole(shared_data: Path) -> None:
    summary = sync(shared_data / "gamma" / "tinli_markets_2026-07-20.jsonl")
    assert (summary["markets"], summary["outcomes"], summary["errors"]) == (31, 62, 0)
