"""`bench` measures and reports; a wrong wish costs its user one clear line."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from eth_keys.datatypes import PrivateKey

from polyweb.benches.official import curve
from polyweb.benches.operations import operations

OWN = Path(__file__).resolve().parents[2] / "data" / "quiet_4_markets.jsonl.gz"
QUICK = ("--rounds", "1", "--limit", "300")


def output(*arguments: object, bench: str = "ingest") -> str:
    out = StringIO()
    call_command("bench", bench, *map(str, arguments), stdout=out)
    return out.getvalue()


def test_ingest_reports_one_json_document() -> None:
    found = json.loads(output(OWN, "--json", *QUICK))
    assert {"us_per_message", "ratio_to_bare_decode", "rss_mb", "books", "sampled_hash", "machine"} <= set(found)
    assert (found["messages"], found["books"]) == (300, 4)
    assert found["sampled_hash"].keys() == {"every", "us_per_message", "share"}
    assert found["snapshot_hash"].keys() == {"snapshots", "us_per_message", "share"}
    assert found["without_hashes"].keys() == {"us_per_message", "ratio_to_bare_decode"}
    assert found["us_per_message"] > found["bare_us_per_message"] > 0


def test_without_a_file_a_recording_is_generated() -> None:
    table = output("--markets", 3, "--seconds", 5, *QUICK)
    assert "generated quotes: 3 markets, 5 s, seed 7" in table
    assert "generated trades: 3 markets, 5 s, seed 7" in table


def test_the_day_of_quotes_is_single_changes_after_the_opening_books() -> None:
    found = json.loads(output("--json", "--markets", 10, "--seconds", 60, *QUICK, "--limit", 3_000))
    events = found["events_by_type"]
    assert events["book"] >= 20
    assert events["price_change"] / found["messages"] > 0.95
    assert found["beside"][0]["events_by_type"]["book"] > 5 * events["book"]


def test_more_recordings_stand_beside_the_first() -> None:
    found = json.loads(output(OWN, OWN, "--json", *QUICK))
    assert [one["recording"] for one in found["beside"]] == [found["recording"]] == [OWN.name]
    assert found["beside"][0].keys() < found.keys()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["missing.jsonl"], "missing.jsonl"),
        (["--rounds", "0"], "at least 1"),
        ([OWN, "--metadata", "no.json"], "no.json"),
    ],
)
def test_what_cannot_be_measured_is_a_clear_error(arguments: list[object], says: str) -> None:
    with pytest.raises(CommandError, match=says):
        output(*arguments)


def test_sign_compares_us_with_both_clients_with_and_without_the_fast_curve_library() -> None:
    found = json.loads(output("--orders", 20, "--rounds", 1, "--json", bench="sign"))
    assert found["official"].keys() == {"polymarket-client", "py-clob-client-v2"}
    fastest = min(each["with_coincurve_us"] for each in found["official"].values())
    assert found["ratio_to_official"] == pytest.approx(found["us_per_order"] / fastest, rel=0.01)
    assert all(each["plainly_installed_us"] > 0 for each in found["official"].values())


def test_the_curve_library_of_the_official_clients_is_really_exchanged() -> None:
    backends = []
    for fast in (True, False):
        with curve(fast):
            backends.append(type(PrivateKey(b"\x11" * 32).backend).__name__)
    assert backends == ["CoinCurveECCBackend", "NativeECCBackend"]


def test_sign_prints_a_line_for_each_client() -> None:
    table = output("--orders", 10, "--rounds", 1, bench="sign")
    assert "polymarket-client, with coincurve" in table
    assert "py-clob-client-v2, plainly installed" in table


def test_bytecodes_are_counted_alike_the_first_time_and_every_other() -> None:
    def twice() -> None:
        for _ in range(2):
            sum(number * number for number in range(10))

    assert operations(twice) == operations(twice) > 100


def test_risk_reports_the_gates_time_for_three_numbers_of_markets() -> None:
    found = json.loads(output("--proposals", 20, "--rounds", 1, "--json", bench="risk"))
    assert found["quotes_us"].keys() == found["basket_us"].keys() == found["change_us"].keys() == {"10", "100", "1000"}
    assert found["us_per_proposal"] == found["quotes_us"]["100"] > 0
    with pytest.raises(CommandError, match="must be at least 1"):
        output("--rounds", 0, bench="risk")


def test_the_gate_does_the_same_work_whatever_else_is_followed() -> None:
    found = json.loads(output("--proposals", 1_000, "--rounds", 1, "--json", bench="risk"))
    for kind in ("quotes", "quotes_nearby", "again", "standing", "basket", "change"):
        least, most = min(found["operations"][kind].values()), max(found["operations"][kind].values())
        assert 0 < most <= least * 1.01, kind


def test_sign_needs_enough_orders_for_the_slow_ones() -> None:
    with pytest.raises(CommandError, match="--orders must be at least 10"):
        output("--orders", 9, bench="sign")


def test_dutch_reports_updates_per_second_memory_and_the_cost_of_a_look() -> None:
    found = json.loads(
        output("--markets", 60, "--events", 10, "--changes", 500, "--rounds", 1, "--json", bench="dutch")
    )
    assert {"updates_per_s", "memory_mb", "same_list_again_ms", "machine"} <= set(found)
    assert found["look_us_by_outcomes"].keys() == {"2", "8", "32", "128"}
    with pytest.raises(CommandError, match="at least twice"):
        output("--markets", 10, "--events", 10, bench="dutch")
