"""The written table of venue errors and its data are one thing; real refusals land on the row meant for them."""

import json
import re
from pathlib import Path

import pytest

from execution.domain.venue import VenueSignal
from execution.relayers.errors import CANCEL_RULES, RULES, CancelVerdict, Verdict, judge, judge_cancel, shortened

PAGE = Path(__file__).resolve().parents[2] / "docs" / "venue-errors.md"
Row = list[str]


def rows_under(heading: str) -> list[Row]:
    """The table of one section: its cells, without head and rule."""
    section = PAGE.read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip().strip("`") for cell in line.strip("|").split(" | ")] for line in table]


def bare(cell: str) -> str:
    return "" if cell == "any" else cell


ORDERS = rows_under("Orders")
CANCELS = rows_under("Cancels")


def test_the_page_and_the_table_have_the_same_rows_in_the_same_order() -> None:
    written = [(int(bare(row[0]) or 0), bare(row[1]), row[2], row[3]) for row in ORDERS]
    assert written == [(rule.status, rule.text, rule.verdict.value, rule.code) for rule in RULES]
    assert [(bare(row[0]), row[1], row[2]) for row in CANCELS] == [
        (rule.text, rule.verdict.value, rule.code) for rule in CANCEL_RULES
    ]


@pytest.mark.parametrize("row", ORDERS, ids=lambda row: f"{row[0]} {row[3]}")
def test_an_answer_as_written_is_judged_as_written(row: Row) -> None:
    status = int(bare(row[0]) or 0)
    rule = judge(status, f"order 0x12 is invalid. {bare(row[1]).upper()}." if bare(row[1]) else "")
    assert (rule.verdict.value, rule.code) == (row[2], row[3])


@pytest.mark.parametrize("row", CANCELS, ids=lambda row: row[2])
def test_a_reason_not_to_cancel_is_judged_as_written(row: Row) -> None:
    rule = judge_cancel(f"Order {bare(row[0])}" if bare(row[0]) else "something else")
    assert (rule.verdict.value, rule.code) == (row[1], row[2])


def test_every_row_says_what_it_means() -> None:
    assert [row for row in (*ORDERS, *CANCELS) if not re.fullmatch(r"[A-Z].+\.", row[-1].strip())] == []


def test_a_mode_and_nothing_else_carries_a_signal() -> None:
    assert [rule.code for rule in RULES if (rule.signal is not None) != (rule.verdict is Verdict.MODE)] == []


def test_what_nobody_wrote_down_proves_nothing() -> None:
    for status, text in ((0, "a new kind of refusal"), (500, ""), (520, "<html>"), (503, "busy"), (302, "")):
        assert judge(status, text).verdict is Verdict.UNKNOWN
    assert judge_cancel("the dog ate it").verdict is CancelVerdict.UNPROVED


def test_timing_out_is_proof_only_where_the_venue_documents_it() -> None:
    assert judge(500, "order timed out").verdict is Verdict.REJECTED
    assert judge(504, "order timed out").verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("400.balance", 400, "insufficient_balance"),
        ("400.crosses", 400, "post_only_would_cross"),
        ("400.duplicated", 400, "duplicated"),
        ("400.min-size", 400, "below_min_size"),
        ("400.tick", 400, "off_grid"),
        ("400.version-mismatch", 400, "version_mismatch"),
        ("401", 401, "unauthorized"),
        ("404.book", 404, "no_orderbook"),
        ("425.note", 425, "restarting"),
        ("429", 429, "rate_limited"),
        ("500.timeout", 500, "timed_out_before_book"),
        ("503.cancel-only", 503, "cancel_only"),
        ("503.disabled", 503, "trading_disabled"),
        ("503.post-only", 503, "post_only_mode"),
    ],
)
def test_the_documented_examples_land_on_their_rows(shared_data: Path, name: str, status: int, code: str) -> None:
    text = (shared_data.parent / "polymarket-examples" / "errors" / f"{name}.json").read_text(encoding="utf-8")
    assert judge(status, text).code == code


def test_refusals_recorded_at_the_venue_are_all_proof(shared_data: Path) -> None:
    lines = (shared_data / "clob_rest" / "polytrader_http_exchanges_2026-03.jsonl").read_text("utf-8").split("\n")
    answers = [json.loads(line)["response"] for line in lines if line]
    refused = [judge(each["status"], each["body"]).code for each in answers if each["status"] != 200]
    assert sorted(refused) == ["fak_no_match", "fok_not_filled", "insufficient_balance"]


def test_every_signal_of_the_venue_is_named_by_some_row() -> None:
    told = {rule.signal for rule in RULES} - {None}
    assert set(VenueSignal) - told == {VenueSignal.WORKING, VenueSignal.CANCELLING, VenueSignal.CLEARED}


def test_a_text_for_people_is_one_short_line() -> None:
    assert shortened("order 0x" + "ab" * 32 + "\n is  invalid") == "order 0xabababab… is invalid"
    assert len(shortened("x" * 1000)) == 300
