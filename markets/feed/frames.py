"""Reading recordings: raw JSON lines, plain or gzipped, and our own segments all become the same frames.

Law: the bytes are passed on untouched. A raw capture carries no receive time, so its frames get the venue's, made
monotone: time that runs backwards would replay differently from how it was lived. `read_frames` is every frame as it
came; `read_recording` also says where it broke off: a gap, another run, a connection that ended.
"""

import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from markets.domain.cuts import Cut, Recorded
from markets.domain.decode import MalformedFrame, decode
from markets.domain.events import Frame, UnknownEvent
from markets.domain.tellings import Tellings
from markets.domain.units import NANOS_PER_MILLI, Nanos
from markets.feed.recorder import ZSTD_MAGIC, Record, RecordingError, RecordKind, is_segment, read_marked, segments

_GZIP_MAGIC = b"\x1f\x8b"
_SESSION_CUTS = frozenset(("Begin", "FeedDown", "FeedUp", "Doubted"))
_METER_EVERY = 64
_DOCUMENT_LOOK = 4 << 20
_STAMP = re.compile(rb'"(?:timestamp|ts_ms)"\s*:\s*"?(\d{12,14})\b')


Meter = Callable[[int], None]


def unmetered(_: int) -> None:
    """Nobody wants to know how far reading has come."""


class _Item(msgspec.Struct):
    """What reading needs to know of an item of a session."""

    type: str
    at_ns: Nanos = 0
    assets: tuple[str, ...] = ()

    def cut(self) -> Iterator[Cut]:
        """Where the engine's own books had to begin again, so must those of whoever reads."""
        if self.type in _SESSION_CUTS:
            yield Cut(self.at_ns, None if self.type == "Begin" else self.assets)


class _NewRun(msgspec.Struct, frozen=True):
    """Another run of the recorder begins: its connections count from 1 again."""

    at_ns: Nanos


_Piece = Frame | Cut | _NewRun | Record
_item_decoder = msgspec.json.Decoder(_Item)


def read_frames(path: Path) -> Iterator[Frame]:
    """The frames of a file, or of a folder of segments, in order. Raises RecordingError."""
    return (item for item in _read(path, unmetered) if isinstance(item, Frame))


def read_recording(path: Path, meter: Meter = unmetered) -> Iterator[Recorded]:
    """The frames of a recording, the cuts in it, and the second tellings of twin connections marked as such.

    `meter` hears how many bytes were read so far. Raises RecordingError.
    """
    runs, session = _tellings(path)
    current = next(runs)
    for item in _read(path, meter):
        if isinstance(item, _NewRun):
            current = next(runs)
            yield Cut(item.at_ns)
        elif isinstance(item, Record):
            yield from _item(path, item).cut()
        elif isinstance(item, Cut) or session:
            yield item
        else:
            yield from current.sort(item)


def size_of(path: Path) -> int:
    """The bytes `meter` counts up to. 0 for what is not there: reading it will say so."""
    parts = segments(path) if path.is_dir() else [path]
    return sum(part.stat().st_size for part in parts if part.is_file())


def _tellings(path: Path) -> tuple[Iterator[Tellings], bool]:
    """Who tells what, for each run; and whether this is a session, whose frames were merged when it was lived."""
    if not path.is_dir() and not is_segment(path):
        return iter((Tellings(),)), True  # a plain capture knows no connections
    runs, session = [Tellings()], False
    for item in _read(path, unmetered):
        if isinstance(item, _NewRun):
            runs.append(Tellings())
        elif isinstance(item, Frame):
            runs[-1].note(item)
        elif isinstance(item, Record):
            session = True
    return iter(runs), session


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
    if malformed and _is_one_document(path):
        raise RecordingError(
            path,
            "is one JSON document over many lines",
            "Put each message on a line of its own, as `jq -c '.[]'` does with an array and `jq -c .` with an object",
        )
    raise RecordingError(
        path,
        f"no line of it is a market-channel frame ({malformed} malformed)",
        "Give a recording of the market channel",
    )


def _is_one_document(path: Path) -> bool:
    if path.is_dir() or path.stat().st_size > _DOCUMENT_LOOK:
        return False
    try:
        msgspec.json.decode(path.read_bytes())
    except msgspec.DecodeError:
        return False
    return True


def _read(path: Path, meter: Meter) -> Iterator[_Piece]:
    empty = True
    for item in _items(path, meter):
        empty = empty and not isinstance(item, Frame)
        yield item
    if empty:
        raise RecordingError(path, "holds no frames", "Give a recording with at least one line or record")


def _items(path: Path, meter: Meter) -> Iterator[_Piece]:
    try:
        if path.is_dir():
            yield from _segment_items(segments(path), meter)
            return
        with path.open("rb") as file:
            magic = file.read(4)
            file.seek(0)
            if magic == ZSTD_MAGIC:
                yield from _segment_items([path], meter)
            elif path.suffix == ".gz" and magic and not magic.startswith(_GZIP_MAGIC):
                raise RecordingError(path, "is named .gz and is not gzip", "Give it its right name, or copy it again")
            elif magic.startswith(_GZIP_MAGIC):
                with gzip.GzipFile(fileobj=file) as unpacked:
                    yield from _line_frames(path, unpacked, file, meter)
            else:
                yield from _line_frames(path, file, file, meter)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise RecordingError(path, f"is damaged ({error})", "Copy it again from its source") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise RecordingError(path, f"cannot be read ({reason})", "Check the path and its permissions") from error


def _segment_items(parts: list[Path], meter: Meter) -> Iterator[_Piece]:
    """Segments in a row. One run goes on in the next when its end mark has the time of that one's header."""
    before = 0
    ended_ns: Nanos | None = None
    for place, path in enumerate(parts):
        for record, packed in read_marked(path):
            meter(before + packed)
            if record.kind == RecordKind.FRAME:
                yield Frame(record.received_ns, record.connection, record.payload)
            elif record.kind == RecordKind.HEADER and place and record.received_ns != ended_ns:
                yield _NewRun(record.received_ns)
            elif record.kind == RecordKind.END:
                ended_ns = record.received_ns
            elif record.kind == RecordKind.GAP:
                yield Cut(record.received_ns)
            elif record.kind == RecordKind.ITEM:
                yield record
        before += path.stat().st_size


def _item(path: Path, record: Record) -> _Item:
    try:
        return _item_decoder.decode(record.payload)
    except msgspec.DecodeError as error:
        raise RecordingError(
            path, f"holds an item that cannot be read ({error})", "Read it with the version that wrote it"
        ) from error


def _line_frames(path: Path, lines: BinaryIO | gzip.GzipFile, file: BinaryIO, meter: Meter) -> Iterator[Frame]:
    """One frame a line. Binary files iterate by newline only: U+2028 inside a string does not end a line."""
    now_ns: Nanos = 0
    for number, line in enumerate(lines):
        if number % _METER_EVERY == 0:
            meter(file.tell())
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
