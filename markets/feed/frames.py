"""Reading recordings: raw JSON lines, plain or gzipped, and our own segments all become the same frames.

Law: the bytes are passed on untouched. A raw capture carries no receive time, so its frames get the venue's, made
monotone: time that runs backwards would replay differently from how it was lived.
"""

import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from markets.domain.decode import MalformedFrame, decode
from markets.domain.events import Frame, UnknownEvent
from markets.domain.units import NANOS_PER_MILLI, Nanos
from markets.feed.recorder import ZSTD_MAGIC, RecordingError, RecordKind, read_records, segments

_GZIP_MAGIC = b"\x1f\x8b"
_STAMP = re.compile(rb'"(?:timestamp|ts_ms)"\s*:\s*"?(\d{12,14})\b')


def read_frames(path: Path) -> Iterator[Frame]:
    """The frames of a file, or of a folder of segments, in order. Raises RecordingError."""
    empty = True
    for frame in _frames(path):
        empty = False
        yield frame
    if empty:
        raise RecordingError(path, "holds no frames", "Give a recording with at least one line or record")


def require_market_frames(path: Path) -> None:
    """Raises RecordingError for a recording without a single frame of the market channel."""
    malformed = 0
    for frame in read_frames(path):
        try:
            events = decode(frame.data)
        except MalformedFrame:
            malformed += 1
            continue
        if not all(isinstance(event, UnknownEvent) for event in events):
            return
    raise RecordingError(
        path,
        f"no line of it is a market-channel frame ({malformed} malformed)",
        "Give a recording of the market channel",
    )


def _frames(path: Path) -> Iterator[Frame]:
    try:
        if path.is_dir():
            for segment in segments(path):
                yield from _segment_frames(segment)
            return
        with path.open("rb") as file:
            magic = file.read(4)
            file.seek(0)
            if magic == ZSTD_MAGIC:
                yield from _segment_frames(path)
            elif path.suffix == ".gz" and magic and not magic.startswith(_GZIP_MAGIC):
                raise RecordingError(path, "is named .gz and is not gzip", "Give it its right name, or copy it again")
            elif magic.startswith(_GZIP_MAGIC):
                with gzip.GzipFile(fileobj=file) as unpacked:
                    yield from _line_frames(path, unpacked)
            else:
                yield from _line_frames(path, file)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise RecordingError(path, f"is damaged ({error})", "Copy it again from its source") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise RecordingError(path, f"cannot be read ({reason})", "Check the path and its permissions") from error


def _segment_frames(path: Path) -> Iterator[Frame]:
    for record in read_records(path):
        if record.kind == RecordKind.FRAME:
            yield Frame(record.received_ns, record.connection, record.payload)


def _line_frames(path: Path, lines: BinaryIO | gzip.GzipFile) -> Iterator[Frame]:
    """One frame a line. Binary files iterate by newline only: U+2028 inside a string does not end a line."""
    now_ns: Nanos = 0
    for line in lines:
        data = line.strip(b"\r\n \t")
        if not data:
            continue
        if b"\x00" in data:
            raise RecordingError(path, "is not text", "Give JSON lines (plain or .gz) or a segment")
        now_ns = max(now_ns, venue_time_ns(data))
        yield Frame(now_ns, 0, data)


def venue_time_ns(data: bytes) -> Nanos:
    """The latest venue timestamp in a frame, 0 when it has none."""
    return max((int(stamp) for stamp in _STAMP.findall(data)), default=0) * NANOS_PER_MILLI
