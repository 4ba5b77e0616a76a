"""The `replay` command: its contract, its digests, and one clear line for everything that cannot be replayed."""

import gzip
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from markets.feed.frames import read_frames
from markets.feed.recorder import Recorder
from markets.models import Event, Market, Outcome
from polyweb import replays
from tests.builders import a_market

DATA = Path(__file__).resolve().parents[2] / "data"
QUIET = DATA / "quiet_4_markets.jsonl.gz"
KEYS = [
    "frames",
    "events",
    "malformed",
    "assets",
    "span_s",
    "book_mismatches",
    "resyncs",
    "decisions",
    "orders_placed",
    "orders_cancelled",
    "fills",
    "refusals",
    "pnl_pusd",
    "inventory",
    "digest",
    "elapsed_s",
    "frames_per_s",
    "profit",
    "markouts",
    "markets",
]

# Every decision over our own recordings, with their metadata, default parameters, seed 0 and the paper venue.
# A change of these lines is a change of what the engine would have done: say in the commit what and why. To renew:
#   python manage.py replay tests/data/FILE --metadata tests/data/FILE.metadata.json --json
GOLDEN = {
    "quiet_4_markets.jsonl.gz": "5724c590b66f17e62c5481e56e9f26df03e5bd26afe13976393d42f78bde4dbc",
    "wild_tick_change.jsonl.gz": "2b272d4326d1a51db76d1749bcb7edfbd22e30150273dee2437ed921e3a98be7",
}


def metadata(recording: Path) -> Path:
    return recording.with_name(recording.name + ".metadata.json")


def output(*arguments: object) -> str:
    out = StringIO()
    call_command("replay", *map(str, arguments), stdout=out)
    return out.getvalue()


def replayed(recording: Path, *arguments: object) -> dict[str, Any]:
    found = json.loads(output(recording, "--json", *arguments))
    assert isinstance(found, dict)
    return found


def quiet(*arguments: object) -> dict[str, Any]:
    return replayed(QUIET, "--metadata", metadata(QUIET), *arguments)


def params_file(folder: Path, document: object) -> Path:
    path = folder / "params.json"
    path.write_text(json.dumps(document))
    return path


def test_json_is_one_document_with_the_promised_keys() -> None:
    found = quiet()
    assert list(found) == KEYS
    assert (found["frames"], found["malformed"], found["assets"]) == (621, 0, 8)
    assert found["orders_placed"] > 0
    assert found["fills"] > 0


@pytest.mark.parametrize("name", GOLDEN)
def test_our_recordings_replay_to_the_decisions_they_always_had(name: str) -> None:
    assert replayed(DATA / name, "--metadata", metadata(DATA / name))["digest"] == GOLDEN[name]


def test_a_jumping_market_is_not_refused_for_replacing_its_own_quotes() -> None:
    wild = DATA / "wild_tick_change.jsonl.gz"
    found = replayed(wild, "--metadata", metadata(wild))
    assert found["refusals"] * 10 < found["decisions"]
    assert found["orders_placed"] > 50


def test_twice_is_the_same_and_the_seed_is_part_of_it() -> None:
    assert quiet()["digest"] == quiet("--seed", 0)["digest"] != quiet("--seed", 3)["digest"]


def test_the_digest_does_not_depend_on_the_speed() -> None:
    assert quiet("--speed", 20_000)["digest"] == quiet("--speed", 0)["digest"] == quiet()["digest"]


def test_a_pace_waits_for_what_is_not_due_yet() -> None:
    slept: list[float] = []
    pace = replays.Pace(2.0, now_ns=lambda: int(sum(slept) * 1e9), sleep=slept.append)
    for recorded_s in (100, 101, 101, 104):
        pace.wait(recorded_s * 1_000_000_000)
    assert slept == [0.5, 1.5]
    replays.Pace(0.0, sleep=slept.append).wait(1)
    assert len(slept) == 2


@pytest.mark.parametrize("speed", ["-1", "nan", "inf"])
def test_a_speed_below_zero_or_without_end_is_refused(speed: str) -> None:
    with pytest.raises(CommandError, match="is not 0 .as fast as can be. or more"):
        output(QUIET, f"--speed={speed}")


def test_the_fake_venue_fills_nothing() -> None:
    found = quiet("--relayer", "fake")
    assert (found["fills"], found["pnl_pusd"], found["inventory"]) == (0, "0.000000", {})
    assert found["orders_placed"] > 0


def test_plain_text_zipped_text_and_segments_are_one_recording(tmp_path: Path) -> None:
    plain = tmp_path / "plain.jsonl"
    plain.write_bytes(b"\n\n" + gzip.decompress(QUIET.read_bytes()))
    recorder = Recorder(tmp_path / "segments")
    for frame in read_frames(QUIET):
        recorder.frame(frame)
    recorder.close()
    told = ("--metadata", metadata(QUIET))
    digests = {replayed(path, *told)["digest"] for path in (QUIET, plain, tmp_path / "segments", recorder.segments[0])}
    assert len(digests) == 1


@pytest.mark.django_db
def test_a_capture_of_the_venue_places_quotes(shared_data: Path) -> None:
    """27 consecutive events of one market, one of its two tokens subscribed."""
    found = replayed(shared_data / "ws_market" / "tinli_fed_2026-07-20.jsonl")
    assert (found["frames"], found["events"], found["malformed"], found["assets"]) == (27, 27, 0, 2)
    assert found["book_mismatches"] == 0
    assert found["orders_placed"] > 0


@pytest.mark.django_db
def test_without_metadata_the_database_says_what_the_markets_are() -> None:
    guessed = replayed(QUIET)
    for market in replays.known_markets(replays.tokens_in(QUIET), metadata(QUIET)):
        event, _ = Event.objects.get_or_create(gamma_id=market.event_id)
        row = Market.objects.create(
            condition_id=market.condition_id, event=event, neg_risk=market.neg_risk, min_size=50, accepting_orders=True
        )
        for index, asset in enumerate((market.yes, market.no)):
            Outcome.objects.create(market=row, index=index, name=str(index), asset_id=asset)
    known = replayed(QUIET)
    assert guessed["orders_placed"] > 0
    assert known["orders_placed"] == 0  # twenty shares are fewer than the fifty these markets ask for


def test_parameters_of_a_file_reach_general_event_and_market(tmp_path: Path) -> None:
    path = params_file(
        tmp_path,
        {
            "global": {"half_spread": "0.02", "size": "10"},
            "events": {"event-1": {"half_spread": "0.03"}},
            "markets": {"0x" + "2".zfill(64): {"half_spread": "0.04"}, "0xelsewhere": {"size": "7"}},
        },
    )
    params = replays.read_params(path)
    first, second, other = a_market(1), a_market(2), a_market(3)
    resolved = params.resolved([first, second, other])
    spreads = [resolved[market.condition_id].half_spread for market in (first, second, other)]
    assert spreads == [300, 400, 200]
    assert {each.size for each in resolved.values()} == {10_000_000, 7_000_000}
    assert resolved["0xelsewhere"].half_spread == 200


def test_parameters_change_the_digest(tmp_path: Path) -> None:
    wide = params_file(tmp_path, {"global": {"half_spread": "0.05"}})
    assert quiet("--params", wide)["digest"] != quiet()["digest"]
    same = params_file(tmp_path, {"global": {"half_spread": None}, "events": {}, "markets": {}})
    assert quiet("--params", same)["digest"] == quiet()["digest"]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"global": {"half_spread": "3"}}, "global: half_spread: 3 is outside 0.0001..0.4 (pUSD per share)"),
        ({"markets": {"0xab": {"size": 0}}}, "markets.0xab: size: 0 is outside 1..1000000 (shares)"),
        ({"events": {"7": {"min_change_ticks": 1.5}}}, "events.7: min_change_ticks: 1.5 is not a whole number"),
        ({"global": {"half_spraed": "0.01"}}, "half_spraed: is not a parameter; known are fair_value"),
        ({"global": {"size": "many"}}, "global: size: 'many' is not a number"),
        ({"global": {"size": True}}, "global: size: True is not a number"),
        ({"global": []}, "global: must be an object of parameters"),
        ({"general": {}}, "general is not known here; known are global, events, markets"),
        ({"markets": ["0xab"]}, "markets: must be an object of ids"),
        ([], "must hold one object"),
    ],
)
def test_a_wrong_parameter_file_names_field_bound_and_value(tmp_path: Path, document: object, words: str) -> None:
    path = params_file(tmp_path, document)
    with pytest.raises(CommandError) as refused:
        output(QUIET, "--metadata", metadata(QUIET), "--params", path)
    assert str(path) in str(refused.value)
    assert words in str(refused.value)


def test_parameters_that_are_no_json_or_are_not_there_are_a_clear_error(tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    for path in (broken, tmp_path / "missing.json", tmp_path):
        with pytest.raises(CommandError, match="give a file written by `params export`"):
            output(QUIET, "--params", path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "holds no frames"),
        (b"\n\n  \n", "holds no frames"),
        (b"\x00\x01\x02\x03", "is not text"),
        (b"\x1f\x8b\x08\x00rubbish", "is damaged"),
        (gzip.compress(b'{"event_type":"x"}\n' * 100, mtime=0)[:-12], "is damaged"),
    ],
)
def test_a_recording_that_cannot_be_replayed_is_a_clear_error(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "recording.jsonl"
    path.write_bytes(content)
    with pytest.raises(CommandError, match=words) as refused:
        output(path, "--json")
    assert str(path) in str(refused.value)


def test_a_recording_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        output(tmp_path / "missing.jsonl")
    with pytest.raises(CommandError, match="holds no frames"):
        output(tmp_path)


def test_metadata_that_cannot_be_used_is_a_clear_error(tmp_path: Path) -> None:
    empty = tmp_path / "empty.json"
    empty.write_text("[]")
    for path in (empty, tmp_path / "missing.json"):
        with pytest.raises(CommandError, match=path.name):
            output(QUIET, "--metadata", path)


def test_lines_that_are_no_frames_are_counted_and_the_rest_is_replayed(tmp_path: Path) -> None:
    path = tmp_path / "odd.jsonl"
    path.write_bytes(b"{\nnull\n" + gzip.decompress(QUIET.read_bytes()))
    found = replayed(path, "--metadata", metadata(QUIET))
    assert found["malformed"] == 2
    assert found["orders_placed"] > 0


def test_people_get_one_line_for_each_number() -> None:
    lines = output(QUIET, "--metadata", metadata(QUIET)).splitlines()
    told = [name for name in KEYS[:-2] if name != "inventory"]
    assert [line.split("  ")[0].strip().replace(" ", "_") for line in lines][: len(told)] == told
    held = lines[[line.split()[0] for line in lines].index("held") :]
    assert held[0].split() == ["held", "YES", "NO"]
    assert len(held) > 1
    assert [line.split()[0] for line in lines[-4:]] == [key[:12] for key in quiet()["markets"]]


def test_a_file_of_frames_is_no_session(tmp_path: Path) -> None:
    assert not replays.is_session(QUIET)
    assert not replays.is_session(tmp_path)
    assert not replays.is_session(tmp_path / "missing")
