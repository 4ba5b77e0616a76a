"""`dutch_scan`: gaps of a recording with their reasons, as table, JSON and rows."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from markets.domain.events import Frame
from markets.feed.recorder import Recorder
from markets.models import Event, Market, Outcome
from polyweb.env import Env, Profile
from strategies.models import ArbOpportunity
from tests.builders import START
from tests.planted_sets import AUGMENTED, FEES, frames, planted

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """The planted sets as rows, and their books as a recording."""
    for event_id, pair in planted().items():
        augmented = event_id == AUGMENTED
        event = Event.objects.create(
            gamma_id=event_id, title=event_id, neg_risk=True, augmented=augmented, complete=not augmented
        )
        for market in pair:
            row = Market.objects.create(
                condition_id=market.condition_id, event=event, question=market.question, neg_risk=True,
                generation="v1", accepting_orders=True, fee_rate="0.07" if event_id == FEES else "0",
            )  # fmt: skip
            for index, name in enumerate(("Yes", "No")):
                Outcome.objects.create(market=row, index=index, name=name, asset_id=market.asset(not index))
    recorder = Recorder(tmp_path / "books")
    for at, data in enumerate(frames(START)):
        recorder.frame(Frame(START + at, 0, data))
    recorder.close()
    return tmp_path / "books"


def output(*arguments: object) -> str:
    out = StringIO()
    call_command("dutch_scan", *map(str, arguments), stdout=out)
    return out.getvalue()


def test_every_gap_of_a_recording_is_told_with_its_reason(recording: Path) -> None:
    found = json.loads(output(recording, "--json"))
    assert (found["markets"], found["events"], found["frames"]) == (8, 4, 8)
    held = [gap for gap in found["opportunities"] if gap["route"] == "buy every YES, hold to resolution"]
    assert {gap["event_id"]: gap["reason"] for gap in held} == {
        "pays": "pays, not sent yet",
        "eaten-by-fees": "fees eat the edge",
        "eaten-by-depth": "no size with an edge reaches the venue's minimum",
        "augmented": "augmented event: outcomes may be added",
    }
    assert found["opportunities"][0]["event_id"] == "pays"
    assert (found["would_be_taken"], found["opportunities"][0]["gross_pusd"]) == (1, "0.06")


def test_the_table_counts_reasons_and_the_rows_are_kept_only_when_asked(recording: Path) -> None:
    table = output(recording)
    assert "fees eat the edge" in table
    assert "of which 1 would have paid" in table
    assert not ArbOpportunity.objects.exists()
    output(recording, "--store")
    assert set(ArbOpportunity.objects.values_list("source", flat=True)) == {"scan"}


def test_what_cannot_be_scanned_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"none\.jsonl"):
        output(tmp_path / "none.jsonl")
    with pytest.raises(CommandError, match="no market is traded or watched"):
        output("--live", "--for", "1")


def test_what_could_be_traded_here_is_counted_apart_with_why_the_rest_could_not(recording: Path, settings: Any) -> None:
    settings.POLYWEB = Env.model_validate({"profile": Profile.DEV, "chain": "off"})
    told = json.loads(output(recording, "--chain", "--json"))
    assert (told["would_be_taken"], told["tradable_here"], told["chain_off"]) == (1, 1, "POLYWEB_CHAIN is off")
    assert {gap["tradable"] for gap in told["opportunities"] if gap["route"].startswith("buy every YES")} == {True}
    split = [gap for gap in json.loads(output(recording, "--json"))["opportunities"] if not gap["tradable"]]
    assert {gap["detail"] for gap in split if gap["reason"].startswith("needs")} <= {"POLYWEB_CHAIN is off"}
    assert "1 could be traded here: POLYWEB_CHAIN is off" in output(recording)
