"""`manage.py record`: what the channel says lands in segments, and what could not is said."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from websockets.sync.server import ServerConnection, serve

from markets.feed.frames import read_frames
from markets.feed.recorder import segments
from markets.feed.segment_index import is_intact, read_index
from markets.models import Market, Outcome

BOOK = '{"event_type":"book","asset_id":"1","market":"0x01","timestamp":"1","bids":[],"asks":[]}'


class Venue:
    def __init__(self) -> None:
        self.wanted: list[str] = []

    def talk(self, connection: ServerConnection) -> None:
        self.wanted += json.loads(connection.recv())["assets_ids"]
        connection.send(f"[{BOOK}]")
        for _ in range(5):
            connection.send(BOOK)
        for message in connection:
            connection.send("PONG" if message == "PING" else BOOK)


@contextmanager
def venue() -> Iterator[tuple[Venue, str]]:
    talker = Venue()
    with serve(talker.talk, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield talker, f"ws://127.0.0.1:{server.socket.getsockname()[1]}/ws/market"
        finally:
            server.shutdown()
            thread.join()


def record(folder: Path, *words: str, **options: Any) -> dict[str, Any]:
    out = StringIO()
    call_command("record", "--out", str(folder), "--json", *words, stdout=out, **options)
    told: dict[str, Any] = json.loads(out.getvalue())
    return told


def test_frames_of_the_tokens_named_are_recorded_raw_until_time_is_up(tmp_path: Path) -> None:
    with venue() as (talker, url):
        told = record(tmp_path, "--assets", "1", "2", "1", "--for", "0.6", "--url", url)
    assert talker.wanted == ["1", "2"]
    assert (told["frames"], told["dropped"], told["reconnects"]) == (6, 0, 0)
    (path,) = segments(tmp_path)
    assert [frame.data.decode() for frame in read_frames(path)] == [f"[{BOOK}]", *[BOOK] * 5]
    index = read_index(path)
    assert index is not None
    assert is_intact(path, index)
    assert told["segments"] == [{"path": str(path), "frames": 6, "bytes": index.bytes, "sha256": index.sha256}]


def test_people_get_lines(tmp_path: Path) -> None:
    out = StringIO()
    with venue() as (_, url):
        call_command("record", "--out", str(tmp_path), "--assets", "1", "--for", "0.4", "--url", url, stdout=out)
    assert out.getvalue().startswith("6 frames (")


@pytest.mark.django_db
def test_watched_means_both_tokens_of_every_market_followed(tmp_path: Path) -> None:
    for number, watched in ((1, True), (2, False)):
        market = Market.objects.create(condition_id=f"0x{number:02}", question="?", watched=watched)
        for index in range(2):
            Outcome.objects.create(market=market, index=index, name="Yes", asset_id=f"{number}{index}")
    with venue() as (talker, url):
        record(tmp_path, "--watched", "--for", "0.4", "--url", url)
    assert talker.wanted == ["10", "11"]


@pytest.mark.django_db
def test_nothing_followed_is_nothing_to_record(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="watch one, or name --assets") as found:
        record(tmp_path, "--watched")
    assert found.value.returncode == 2


def test_a_folder_or_an_address_that_is_none_is_refused(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(CommandError, match="cannot record there") as found:
        record(blocked, "--assets", "1")
    assert found.value.returncode == 2
    with pytest.raises(CommandError, match="--url"):
        record(tmp_path / "new", "--assets", "1", "--url", "http://host")
    for wrong in ("0", "-1", "inf", "nan"):
        with pytest.raises(CommandError, match="--for"):
            record(tmp_path, "--assets", "1", "--for", wrong)
