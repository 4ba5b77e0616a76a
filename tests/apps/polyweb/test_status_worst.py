"""`status --top` and `--verbose`: the markets whose books give most trouble, with the ratio that says so."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from execution.services import Beat, Shown, beat, record_market_states
from tests.control_builders import a_market

pytestmark = pytest.mark.django_db


def status(*arguments: str) -> str:
    out = StringIO()
    call_command("status", *arguments, stdout=out)
    return out.getvalue()


def worst(*arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(status("--json", *arguments))["markets"]["worst"]
    return found


def shown(number: int, *, resyncs: int, changes: int, trust: str = "verified", doubt: str = "") -> None:
    market = a_market(number, trading=True)
    view = {"resyncs": resyncs, "changes": changes, "trust_reason": doubt, "ours": []}
    record_market_states([Shown(market.condition_id, "idle", "", trust, view)])


def an_engine(**more: object) -> None:
    beat(Beat(1, "running", "paper", False, timezone.now(), 0, {"history": {"written": 9, "waiting": 0}, **more}))


def test_untrusted_books_come_first_then_those_with_most_resyncs_per_change() -> None:
    an_engine()
    shown(1, resyncs=2, changes=1_000)
    shown(2, resyncs=1, changes=100)
    shown(3, resyncs=0, changes=5_000)
    shown(4, resyncs=0, changes=10, trust="broken", doubt="missing_snapshot")
    found = worst()
    assert [row["question"] for row in found] == [f"Will it be {number}?" for number in (4, 2, 1)]
    assert [row["resyncs_per_1000"] for row in found] == [0.0, 10.0, 2.0]


def test_top_says_how_many_of_the_worst_are_shown() -> None:
    an_engine()
    for number in (1, 2, 3):
        shown(number, resyncs=number, changes=1_000)
    assert len(worst("--top", "2")) == 2
    text = status("--top", "2")
    assert "worst books" in text
    assert "Will it be 3?" in text.partition("worst books")[2]


def test_verbose_shows_the_ratio_and_what_is_stored() -> None:
    an_engine()
    shown(1, resyncs=3, changes=1_000, trust="suspect", doubt="hash")
    text = status("--verbose")
    assert "history     waiting 0, written 9" in text
    assert text.splitlines()[-1].split() == ["3", "3", "suspect", "hash", "Will", "it", "be", "1?"]


def test_verbose_lists_the_newest_requests_for_snapshots_a_line_each() -> None:
    asked = {"request_id": "7", "market": "0x01", "reason": "missing_snapshot", "at_ms": 1_800_000_000_000}
    log = [asked | {"via": "rest", "took_ms": 42}, asked | {"request_id": "6", "via": "socket", "took_ms": None}]
    feed = {"up": 2, "endings": {"frozen": 1, "closed": 2}, "audits": {}, "resync_log": log, "latency_ms": None}
    feed["sides"] = [{"first": 6, "lead_ms": 1.5}]
    beat(Beat(1, "running", "paper", False, timezone.now(), 0, {"feed": feed}))
    lines = status("--verbose").splitlines()
    assert (
        "feed        audits none, endings (closed 2, frozen 1), latency_ms unknown, sides (first 6, lead_ms 1.5), up 2"
        in lines
    )
    assert [line for line in lines if line.startswith("resync ")] == [
        "resync      2027-01-15 08:00:00  #7 missing snapshot, by rest, answered in 42 ms: 0x01",
        "resync      2027-01-15 08:00:00  #6 missing snapshot, by socket, not answered yet: 0x01",
    ]


def test_books_without_trouble_are_not_accused() -> None:
    an_engine()
    shown(1, resyncs=0, changes=1_000)
    assert "no book gave trouble" in status("--verbose")


def test_without_an_engine_nobody_knows() -> None:
    a_market(1, trading=True)
    assert worst() == []


def test_verbose_shows_the_jobs_on_chain() -> None:
    an_engine(chain={"open": 2, "unknown": 1, "waiting": 0})
    assert "chain       open 2, unknown 1, waiting 0" in status("--verbose")
