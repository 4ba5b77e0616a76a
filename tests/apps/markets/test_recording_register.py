"""Finished segments reach the register at once; retention takes file, index and row together."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from markets.domain.events import Frame
from markets.feed.recorder import Recorder
from markets.feed.segment_index import SegmentIndex, index_path
from markets.models import Recording
from markets.services.recordings import register_segment, tidy_recordings

pytestmark = pytest.mark.django_db
SECOND = 1_000_000_000
NOW_NS = 1_800_000_000 * SECOND


def recorded(folder: Path, prefix: str) -> tuple[Path, SegmentIndex]:
    ended: list[tuple[Path, SegmentIndex]] = []
    recorder = Recorder(folder, prefix=prefix, on_segment=lambda path, index: ended.append((path, index)))
    for number in range(5):
        recorder.frame(Frame(NOW_NS + number * SECOND, 1, b"{}"))
    recorder.close()
    return ended[0]


def test_a_finished_segment_is_registered_with_what_its_index_says_and_twice_is_once(tmp_path: Path) -> None:
    path, index = recorded(tmp_path / "market", "market")
    for _ in range(2):
        register_segment(root=tmp_path, path=path, index=index)
    row = Recording.objects.get()
    assert (row.path, row.kind) == (f"market/{path.name}", Recording.Kind.MARKET)
    assert (row.frames, row.bytes) == (5, path.stat().st_size)
    assert row.started_at == datetime.fromtimestamp(1_800_000_000, UTC)
    assert row.ended_at == row.started_at + timedelta(seconds=4)


def test_a_session_is_known_by_its_name(tmp_path: Path) -> None:
    path, index = recorded(tmp_path / "sessions", "session")
    assert register_segment(root=tmp_path, path=path, index=index).kind == Recording.Kind.SESSION


def test_tidying_finds_registered_segments_in_order_and_counts_nothing_again(tmp_path: Path) -> None:
    path, index = recorded(tmp_path, "market")
    register_segment(root=tmp_path, path=path, index=index)
    tidied = tidy_recordings(root=tmp_path, keep=timedelta(days=1))
    assert (tidied.registered, tidied.finished, tidied.deleted, tidied.vanished) == (0, 0, 0, 0)


def test_an_old_segment_goes_with_its_index_and_its_row(tmp_path: Path) -> None:
    path, index = recorded(tmp_path, "market")
    register_segment(root=tmp_path, path=path, index=index)
    old = time.time() - 10 * 86_400
    os.utime(path, (old, old))
    assert tidy_recordings(root=tmp_path, keep=timedelta(days=1)).deleted == 1
    assert not path.exists()
    assert not index_path(path).exists()
    assert not Recording.objects.exists()


def test_a_segment_nobody_registered_is_completed_from_its_index(tmp_path: Path) -> None:
    path, _ = recorded(tmp_path, "market")
    an_hour_ago = time.time() - 3_600
    os.utime(path, (an_hour_ago, an_hour_ago))
    tidied = tidy_recordings(root=tmp_path, keep=timedelta(days=1))
    assert (tidied.registered, tidied.finished) == (1, 1)
    assert Recording.objects.get().frames == 5
