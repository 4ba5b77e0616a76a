"""What was recorded is read back, even when the recorder died in the middle."""

from pathlib import Path

import pytest

from markets.domain.events import Frame
from markets.feed.frames import read_frames
from markets.feed.recorder import (
    Record,
    Recorder,
    RecorderLimits,
    RecordingError,
    RecordKind,
    inspect,
    read_records,
    segments,
)

SECOND = 1_000_000_000
FRAMES = [Frame(SECOND * number, number % 3, b'{"n":%d}' % number) for number in range(1, 101)]


def record(directory: Path, frames: list[Frame], **limits: int) -> Recorder:
    recorder = Recorder(directory, limits=RecorderLimits(**limits))
    for frame in frames:
        recorder.frame(frame)
    return recorder


def test_frames_come_back_as_they_came(tmp_path: Path) -> None:
    record(tmp_path, FRAMES).close()
    (segment,) = segments(tmp_path)
    assert list(read_frames(segment)) == FRAMES
    assert inspect(segment) is None


def test_segments_end_by_size_and_by_age_and_a_folder_reads_as_one(tmp_path: Path) -> None:
    record(tmp_path / "old", FRAMES, segment_ns=10 * SECOND).close()
    record(tmp_path / "big", FRAMES, segment_bytes=200).close()
    for folder in ("old", "big"):
        assert len(segments(tmp_path / folder)) > 5
        assert list(read_frames(tmp_path / folder)) == FRAMES


def test_other_items_are_kept_in_order_between_the_frames(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, prefix="session")
    recorder.frame(FRAMES[0])
    recorder.record(RecordKind.ITEM, 5, b"stop")
    recorder.record(77, 6, b"")
    recorder.close()
    (segment,) = segments(tmp_path, "session")
    assert list(read_records(segment)) == [
        Record(RecordKind.FRAME, FRAMES[0].received_ns, 1, FRAMES[0].data),
        Record(RecordKind.ITEM, 5, 0, b"stop"),
        Record(77, 6, 0, b""),
    ]
    assert list(read_frames(segment)) == FRAMES[:1]


def test_a_crash_costs_only_what_was_not_flushed(tmp_path: Path) -> None:
    recorder = record(tmp_path, FRAMES)
    recorder.flush()
    recorder.frame(FRAMES[0])
    (segment,) = segments(tmp_path)
    assert list(read_frames(segment)) == FRAMES
    recorder.close()


@pytest.mark.parametrize("cut", [1, 7, 30])
def test_a_torn_tail_is_reported_and_cut_off_on_opening(tmp_path: Path, cut: int) -> None:
    record(tmp_path, FRAMES).close()
    (segment,) = segments(tmp_path)
    whole = segment.read_bytes()
    segment.write_bytes(whole[:-cut])
    before = list(read_frames(segment))
    (torn,) = Recorder(tmp_path).recovered
    assert torn.path == segment
    assert torn.whole_bytes == segment.stat().st_size == len(whole) - cut - torn.lost_bytes
    assert before == FRAMES[: len(before)] == list(read_frames(segment))
    assert len(before) >= 98
    assert Recorder(tmp_path).recovered == ()


def test_a_damaged_part_ends_the_reading_before_it(tmp_path: Path) -> None:
    record(tmp_path, FRAMES).close()
    (segment,) = segments(tmp_path)
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 0xFF
    segment.write_bytes(data)
    read = list(read_frames(segment))
    assert read == FRAMES[: len(read)]
    assert inspect(segment) is not None


def test_a_second_start_at_the_same_instant_takes_another_name(tmp_path: Path) -> None:
    record(tmp_path, FRAMES[:1]).close()
    record(tmp_path, FRAMES[:1]).close()
    assert len(segments(tmp_path)) == 2


def test_closing_twice_and_closing_nothing_are_fine(tmp_path: Path) -> None:
    recorder = record(tmp_path, [])
    recorder.close()
    recorder.close()
    assert segments(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(RecordingError, match="cannot record there"):
        Recorder(blocked)
