"""The disk never makes the loop wait; what it could not take is counted and marked."""

import threading
from pathlib import Path

import pytest

from markets.domain.events import Frame
from markets.feed.background import RECORD_OVERHEAD, BackgroundRecorder
from markets.feed.frames import read_frames
from markets.feed.recorder import RecordingError, RecordKind, read_records, segments
from markets.feed.segment_index import SegmentIndex

FRAMES = [Frame(number, 1, b"x" * 100) for number in range(1, 5_001)]


def test_everything_is_written_in_order(tmp_path: Path) -> None:
    ended: list[SegmentIndex] = []
    recorder = BackgroundRecorder(tmp_path, on_segment=lambda _, index: ended.append(index))
    for frame in FRAMES:
        recorder.frame(frame)
    recorder.close()
    recorder.close()
    assert list(read_frames(tmp_path)) == FRAMES
    assert (recorder.dropped, recorder.waiting_bytes, ended[0].frames) == (0, 0, 5_000)


def test_what_the_buffer_has_no_room_for_is_dropped_counted_and_marked(tmp_path: Path) -> None:
    room = 3 * (100 + RECORD_OVERHEAD)
    held, recorder = threading.Event(), BackgroundRecorder(tmp_path, buffer_bytes=room)
    for frame in FRAMES[:10]:
        recorder.frame(frame)
    while recorder.waiting_bytes:
        held.wait(0.01)
    recorder.frame(FRAMES[10])
    recorder.close()
    (path,) = segments(tmp_path)
    kinds = [(record.kind, record.payload[:2]) for record in read_records(path)]
    assert recorder.dropped == 7
    assert kinds == [(RecordKind.FRAME, b"xx")] * 3 + [(RecordKind.GAP, b"7"), (RecordKind.FRAME, b"xx")]


def test_drops_at_the_very_end_are_marked_too(tmp_path: Path) -> None:
    recorder = BackgroundRecorder(tmp_path, buffer_bytes=100 + RECORD_OVERHEAD)
    for frame in FRAMES[:3]:
        recorder.frame(frame)
    recorder.close()
    (path,) = segments(tmp_path)
    assert [record.payload for record in read_records(path)][1:] == [b"2"]


def test_a_disk_that_refuses_is_told_to_whoever_flushes_and_costs_the_loop_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    recorder = BackgroundRecorder(folder)
    folder.rmdir()
    folder.write_text("in the way")
    recorder.frame(FRAMES[0])
    with pytest.raises(RecordingError, match="cannot record there"):
        recorder.close()
    recorder.frame(FRAMES[1])
    assert recorder.dropped == 1
    with pytest.raises(RecordingError):
        recorder.flush()


def test_a_folder_that_cannot_be_written_is_named_at_once(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(RecordingError, match="cannot record there"):
        BackgroundRecorder(blocked)
