"""Every finished segment has an index that says what is in it and proves its bytes."""

from pathlib import Path

from markets.domain.events import Frame
from markets.feed.recorder import (
    Record,
    Recorder,
    RecorderLimits,
    RecordKind,
    build_index,
    read_records,
    segments,
)
from markets.feed.segment_index import SegmentIndex, index_path, is_intact, read_index

SECOND = 1_000_000_000
FRAMES = [Frame(SECOND * number, number % 3, b'{"n":%d}' % number) for number in range(1, 101)]


def record(directory: Path, frames: list[Frame], **limits: int) -> list[tuple[Path, SegmentIndex]]:
    ended: list[tuple[Path, SegmentIndex]] = []
    recorder = Recorder(
        directory, limits=RecorderLimits(**limits), on_segment=lambda path, index: ended.append((path, index))
    )
    for frame in frames:
        recorder.frame(frame)
    recorder.close()
    return ended


def test_a_closed_segment_is_told_of_and_its_index_lies_beside_it(tmp_path: Path) -> None:
    ((path, index),) = record(tmp_path, FRAMES)
    assert (index.frames, index.records, index.first_ns, index.last_ns) == (100, 100, SECOND, 100 * SECOND)
    assert (sorted(index.connections), index.whole) == ([0, 1, 2], True)
    assert read_index(path) == index
    assert is_intact(path, index)
    assert segments(tmp_path) == [path]


def test_a_changed_byte_shows_in_the_checksum(tmp_path: Path) -> None:
    ((path, index),) = record(tmp_path, FRAMES)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert not is_intact(path, index)
    path.write_bytes(data + b"x")
    assert not is_intact(path, index)


def test_reading_may_begin_in_the_middle(tmp_path: Path) -> None:
    ((path, index),) = record(tmp_path, FRAMES, part_ns=10 * SECOND)
    assert len(index.parts) > 5
    read = list(read_records(path, index.offset_at(50 * SECOND)))
    assert read[0].received_ns <= 50 * SECOND
    assert read[-1] == Record(RecordKind.FRAME, 100 * SECOND, 1, FRAMES[-1].data)
    assert len(read) < 65
    assert len(list(read_records(path, index.offset_at(0)))) == 100


def test_the_index_of_a_segment_whose_recorder_died_is_made_on_the_next_start(tmp_path: Path) -> None:
    ((path, index),) = record(tmp_path, FRAMES)
    index_path(path).unlink()
    path.write_bytes(path.read_bytes()[:-3])
    told: list[tuple[Path, SegmentIndex]] = []
    recorder = Recorder(tmp_path, on_segment=lambda path, index: told.append((path, index)))
    assert len(recorder.recovered) == 1
    ((found, rebuilt),) = told
    assert (found, rebuilt.records, rebuilt.whole) == (path, 100, False)
    assert is_intact(path, rebuilt)
    assert rebuilt.parts == index.parts


def test_a_rebuilt_index_of_a_whole_segment_is_the_one_that_was_written(tmp_path: Path) -> None:
    ((path, index),) = record(tmp_path, FRAMES, part_bytes=100)
    assert build_index(path) == index


def test_dropped_records_are_counted_where_they_are_missing(tmp_path: Path) -> None:
    ended: list[SegmentIndex] = []
    recorder = Recorder(tmp_path, on_segment=lambda _, index: ended.append(index))
    recorder.frame(FRAMES[0])
    recorder.gap(5, 17)
    recorder.close()
    (path,) = segments(tmp_path)
    assert list(read_records(path))[1] == Record(RecordKind.GAP, 5, 0, b"17")
    assert (ended[0].dropped, ended[0].frames, ended[0].records) == (17, 1, 2)
    assert build_index(path).dropped == 17
