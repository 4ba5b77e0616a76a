"""The progress bar shows how much of a file is read, and only to a terminal."""

import gzip
import io
from pathlib import Path

from markets.feed.frames import read_recording, size_of
from markets.management.progress import ProgressBar

OWN = Path(__file__).resolve().parents[2] / "data" / "quiet_4_markets.jsonl.gz"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 1.0
        return self.now_s


def test_a_terminal_sees_the_share_of_the_file() -> None:
    terminal = Terminal()
    bar = ProgressBar(4_000_000, terminal, Clock())
    bar(1_000_000)
    bar(4_000_000)
    shown = terminal.getvalue().split("\r")
    assert shown[1].endswith("]  25% of 4.0 MB")
    assert shown[1].count("#") == 7
    assert shown[2].endswith("] 100% of 4.0 MB")
    bar.done()
    assert terminal.getvalue().endswith(" \r")


def test_a_pipe_sees_nothing() -> None:
    pipe = io.StringIO()
    bar = ProgressBar(4_000_000, pipe, Clock())
    bar(4_000_000)
    bar.done()
    assert pipe.getvalue() == ""


def test_reading_tells_how_far_it_is_up_to_the_size_of_the_file(tmp_path: Path) -> None:
    plain = tmp_path / "plain.jsonl"
    plain.write_bytes(gzip.decompress(OWN.read_bytes()))
    for path in (OWN, plain):
        heard: list[int] = []
        for _ in read_recording(path, heard.append):
            pass
        assert heard == sorted(heard)
        assert size_of(path) / 2 < heard[-1] <= size_of(path)
