"""The command judges recordings, and a bad one costs the user one clear line."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from markets.feed.frames import read_frames
from markets.models import Market

OWN = Path(__file__).resolve().parents[2] / "data" / "quiet_4_markets.jsonl.gz"
METADATA = OWN.with_name(OWN.name + ".metadata.json")

pytestmark = pytest.mark.django_db

KEYS = [
    "frames",
    "malformed",
    "events_by_type",
    "assets",
    "span_s",
    "snapshots_checked",
    "snapshot_mismatches",
    "bbo_checked",
    "bbo_mismatches",
    "hash_checked",
    "hash_matches",
    "crossed_books",
]


def output(*arguments: object) -> str:
    out = StringIO()
    call_command("verify_recording", *map(str, arguments), stdout=out)
    return out.getvalue()


def test_json_is_one_document_with_the_promised_keys() -> None:
    found = json.loads(output(OWN, "--json"))
    assert list(found) == KEYS
    assert found["hash_checked"] == found["hash_matches"] > 0
    assert (found["malformed"], found["crossed_books"], found["bbo_mismatches"]) == (0, 0, 0)


def test_metadata_changes_nothing_about_a_sound_recording() -> None:
    assert output(OWN, "--json", "--metadata", METADATA) == output(OWN, "--json")


def test_people_get_a_table_and_a_verdict() -> None:
    assert output(OWN).splitlines()[-1] == "sound"


def test_an_unsound_recording_ends_with_code_1(tmp_path: Path) -> None:
    path = tmp_path / "odd.jsonl"
    path.write_bytes(b"{\n" + next(iter(read_frames(OWN))).data)
    with pytest.raises(SystemExit) as ended:
        output(path)
    assert ended.value.code == 1


@pytest.mark.parametrize("arguments", [["missing.jsonl"], ["/dev/null"], [OWN, "--metadata", "/dev/null"]])
def test_what_cannot_be_read_is_a_clear_error(arguments: list[object]) -> None:
    with pytest.raises(CommandError, match=r"missing\.jsonl|/dev/null"):
        output(*arguments)


def test_without_metadata_the_database_says_what_the_markets_are() -> None:
    guessed = output(OWN, "--json")
    call_command("sync_markets", "--file", str(METADATA), stdout=StringIO())
    assert output(OWN, "--json") == guessed
    Market.objects.update(min_size=50)
    with pytest.raises(SystemExit):  # the minimum size enters every hash
        output(OWN)
    assert output(OWN, "--json", "--metadata", METADATA) == guessed


def test_a_document_over_many_lines_gets_a_hint(tmp_path: Path) -> None:
    path = tmp_path / "pretty.json"
    frames = [json.loads(frame.data) for frame, _ in zip(read_frames(OWN), range(3), strict=False)]
    path.write_text(json.dumps(frames, indent=2))
    with pytest.raises(CommandError, match=r"one JSON document over many lines\. Put each message on a line"):
        output(path)


def test_people_are_told_which_recipe_and_which_neg_risk_the_hashes_settled() -> None:
    lines = output(OWN).splitlines()
    assert "neg-risk no: 1 markets" in lines
    assert "neg-risk yes: 3 markets" in lines
    assert any(line.startswith("hash recipe: 10_fields_2026") for line in lines)
