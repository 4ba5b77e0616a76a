"""Every kind of recording reads as the same frames, or says what is wrong with it."""

import gzip
from pathlib import Path

import pytest
import zstandard

from markets.domain.events import Frame
from markets.feed.frames import read_frames
from markets.feed.recorder import RecordingError
from markets.feed.replay import paced, restamped

MS = 1_000_000
LATE, EARLY = 1_800_000_000_500, 1_800_000_000_100


def line(at_ms: int, text: str = "") -> bytes:
    return f'{{"timestamp":"{at_ms}","text":"{text}"}}'.encode()


def test_lines_end_at_a_line_feed_only_and_blank_ones_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "raw.jsonl"
    odd = line(LATE, "a\u2028b\u0085c")
    path.write_bytes(b"\n" + odd + b"\r\n\n  \n" + line(LATE))
    assert [frame.data for frame in read_frames(path)] == [odd, line(LATE)]


def test_a_raw_capture_gets_the_venues_time_made_monotone(tmp_path: Path) -> None:
    path = tmp_path / "raw.jsonl"
    both = b"[" + line(EARLY) + b"," + line(LATE) + b"]"
    path.write_bytes(b"\n".join([line(EARLY), both, line(EARLY), b"PONG", b'{"timestamp": 1800000000900}']))
    times = [frame.received_ns // MS for frame in read_frames(path)]
    assert times == [EARLY, LATE, LATE, LATE, 1_800_000_000_900]


def test_gzip_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "raw.jsonl"
    path.write_bytes(gzip.compress(line(LATE) + b"\n"))
    assert list(read_frames(path)) == [Frame(LATE * MS, 0, line(LATE))]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "holds no frames"),
        (b"\n \n", "holds no frames"),
        (b"\x7fELF\x00\x00", "is not text"),
        (gzip.compress(line(LATE), mtime=0)[:-9], "is damaged"),
        (b"\x1f\x8bnonsense", "is damaged"),
        (zstandard.compress(b"something else"), "is not a recording of this program"),
    ],
)
def test_an_unusable_recording_names_the_file_and_the_problem(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "bad.bin"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=problem) as caught:
        list(read_frames(path))
    assert str(path) in str(caught.value)


def test_a_missing_recording_is_an_error_without_a_traceback_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="No such file"):
        list(read_frames(tmp_path / "none.jsonl"))


def test_an_empty_folder_holds_no_frames(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="holds no frames"):
        list(read_frames(tmp_path))


class Clock:
    """Sleeping moves it."""

    def __init__(self) -> None:
        self.ns = 0
        self.slept: list[float] = []

    def now_ns(self) -> int:
        return self.ns

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.ns += int(seconds * 1e9)


async def test_replay_keeps_the_pace_times_its_speed() -> None:
    clock = Clock()
    frames = [Frame(second * 1_000_000_000, 0, b"{}") for second in (100, 101, 103)]
    played = [frame async for frame in paced(frames, 2.0, now_ns=clock.now_ns, sleep=clock.sleep)]
    assert played == frames
    assert clock.slept == [0.5, 1.0]


async def test_replay_at_full_speed_only_lets_others_run() -> None:
    clock = Clock()
    frames = [Frame(number * 10**9, 0, b"{}") for number in range(401)]
    played = [frame async for frame in paced(frames, 0, now_ns=clock.now_ns, sleep=clock.sleep)]
    assert len(played) == 401
    assert clock.slept == [0, 0]


def test_a_restamped_frame_differs_only_in_its_time() -> None:
    assert restamped(Frame(1, 2, b"x"), 9) == Frame(9, 2, b"x")
