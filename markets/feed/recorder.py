"""The recorder: everything that came in, as it came, in compressed segments that survive a crash.

Law: raw bytes below decoding. A segment is a row of zstd frames (so `zstdcat` reads it too); each ends on a record
boundary and carries a checksum, so a crash costs at most the frame being written, and the next start says how much.

A record is `kind` (1 byte), receive time (8), connection (4), length (4), payload; little endian.
"""

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

import zstandard

from markets.domain.events import Frame
from markets.domain.units import NANOS_PER_SECOND, Nanos
from markets.feed.segment_index import IndexBuilder, SegmentIndex, index_path, write_index

SUFFIX = ".seg.zst"
FORMAT = b"polyweb-recording/1"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"

_RECORD = struct.Struct("<BQII")
_READ_BYTES = 1 << 20


class RecordingError(Exception):
    """A recording cannot be read or written; the text names the file and what to do."""

    def __init__(self, path: Path, problem: str, fix: str) -> None:
        super().__init__(f"{path}: {problem}. {fix}.")
        self.path = path
        self.problem = problem
        self.fix = fix


class RecordKind(IntEnum):
    """FRAME is a raw frame off a socket, ITEM anything else that entered the inbox, GAP says how many records are
    missing at its place because the disk was too slow. Other numbers are free."""

    HEADER = 0
    FRAME = 1
    ITEM = 2
    GAP = 3
    END = 255


class Record(NamedTuple):
    kind: int
    received_ns: Nanos
    connection: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Torn:
    """A segment whose end is missing or damaged: `lost_bytes` (compressed) follow its last whole part."""

    path: Path
    whole_bytes: int
    lost_bytes: int


@dataclass(frozen=True, slots=True)
class RecorderLimits:
    """When a segment ends (size on disk, age) and how much may be lost in a crash (`part_*`)."""

    segment_bytes: int = 64 << 20
    segment_ns: Nanos = 3600 * NANOS_PER_SECOND
    part_bytes: int = 64 << 10
    part_ns: Nanos = NANOS_PER_SECOND


DEFAULT_LIMITS = RecorderLimits()


def _nobody(_: Path, __: SegmentIndex) -> None:
    """Nobody wants to hear of closed segments."""


class Recorder:
    """Writes segments `<prefix>-<first receive time>.seg.zst` into `directory`, which is made if missing.

    `recovered` lists the torn segments of earlier runs found (and cut back to their whole parts) on opening.
    `on_segment` hears of every segment that is complete, and first of those an earlier run could not complete.
    """

    def __init__(
        self,
        directory: Path,
        *,
        prefix: str = "market",
        limits: RecorderLimits = DEFAULT_LIMITS,
        on_segment: Callable[[Path, SegmentIndex], None] = _nobody,
    ) -> None:
        self._directory = directory
        self._prefix = prefix
        self._limits = limits
        self._on_segment = on_segment
        self._compressor = zstandard.ZstdCompressor(level=3, write_checksum=True)
        self._part = BytesIO()
        self._part_opened_ns: Nanos = 0
        self._waiting: list[tuple[Nanos, int | None]] = []
        self._waiting_dropped = 0
        self._file: BinaryIO | None = None
        self._segment_opened_ns: Nanos = 0
        self._index = IndexBuilder()
        self.records = 0
        self.segments: list[Path] = []
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self.recovered = recover(directory, prefix)
            for path, index in complete(directory, prefix):
                on_segment(path, index)
        except OSError as error:
            raise _unwritable(directory, error) from error

    def frame(self, frame: Frame) -> None:
        self.record(RecordKind.FRAME, frame.received_ns, frame.data, frame.connection)

    def gap(self, at_ns: Nanos, dropped: int) -> None:
        """So many records were dropped here."""
        self._waiting_dropped += dropped
        self.record(RecordKind.GAP, at_ns, b"%d" % dropped)

    def record(self, kind: int, at_ns: Nanos, payload: bytes, connection: int = 0) -> None:
        """Append one record. Raises RecordingError when the disk refuses."""
        part = self._part
        if not part.tell():
            self._part_opened_ns = at_ns
        part.write(_RECORD.pack(kind, at_ns, connection, len(payload)))
        part.write(payload)
        self._waiting.append((at_ns, connection if kind == RecordKind.FRAME else None))
        self.records += 1
        old = at_ns - self._part_opened_ns >= self._limits.part_ns
        if old or part.tell() >= self._limits.part_bytes:
            self.flush()

    def flush(self) -> None:
        """Write out what is buffered as one whole part. Call it from a timer too: quiet feeds do not."""
        if not self._part.tell():
            return
        try:
            self._roll()
            for at_ns, connection in self._waiting:
                self._index.record(at_ns, connection)
            self._index.dropped(self._waiting_dropped)
            self._waiting, self._waiting_dropped = [], 0
            self._write(self._part.getvalue())
        except OSError as error:
            raise _unwritable(self._directory, error) from error
        self._part = BytesIO()

    def close(self) -> None:
        """Flush and mark the segment as complete. Safe to call twice."""
        self.flush()
        try:
            self._end_segment()
        except OSError as error:
            raise _unwritable(self._directory, error) from error

    def _roll(self) -> None:
        """Make sure a segment is open that may take one more part."""
        age = self._part_opened_ns - self._segment_opened_ns
        full = self._index.size >= self._limits.segment_bytes or age >= self._limits.segment_ns
        if self._file is not None and not full:
            return
        self._end_segment()
        path = _free_path(self._directory, self._prefix, self._part_opened_ns)
        self._file = path.open("xb")
        self._segment_opened_ns, self._index = self._part_opened_ns, IndexBuilder()
        self.segments.append(path)
        self._write(_RECORD.pack(RecordKind.HEADER, self._part_opened_ns, 0, len(FORMAT)) + FORMAT)

    def _end_segment(self) -> None:
        if self._file is None:
            return
        self._write(_RECORD.pack(RecordKind.END, self._part_opened_ns, 0, 0))
        os.fsync(self._file.fileno())
        self._file.close()
        self._file = None
        index = self._index.finished(self.segments[-1].name)
        write_index(self._directory, index)
        self._on_segment(self.segments[-1], index)

    def _write(self, raw: bytes) -> None:
        assert self._file is not None, "a segment is opened before it is written to"
        packed = self._compressor.compress(raw)
        self._file.write(packed)
        self._file.flush()
        self._index.packed(packed)


def read_records(path: Path, offset: int = 0) -> Iterator[Record]:
    """The records of one segment, header and end mark left out. A torn tail ends the iteration quietly.

    `offset` is where a part begins, as the index says.
    """
    for part in _parts(path, offset):
        yield from _records(path, part.raw)


def read_marked(path: Path) -> Iterator[tuple[Record, int]]:
    """As `read_records`, with header and end mark, and with how many bytes of the file were read for each."""
    packed = 0
    for part in _parts(path):
        packed += part.packed_bytes
        for record in _all_records(path, part.raw):
            yield record, packed


def inspect(path: Path) -> Torn | None:
    """What is torn off the end of a segment, or None when it was closed properly or merely not yet."""
    whole = sum(part.packed_bytes for part in _parts(path))
    size = path.stat().st_size
    return Torn(path, whole, size - whole) if whole < size else None


def is_segment(path: Path) -> bool:
    """Whether a file begins as a segment does. What cannot be read is none."""
    try:
        with path.open("rb") as file:
            return file.read(len(ZSTD_MAGIC)) == ZSTD_MAGIC
    except OSError:
        return False


def recover(directory: Path, prefix: str) -> tuple[Torn, ...]:
    """Cut a torn tail off the last segment of the earlier run, so that what is left is whole; say what was lost.

    Only the last segment can be torn: the others were closed before it was begun. One writer per prefix.
    """
    torn = []
    for path in segments(directory, prefix)[-1:]:
        found = inspect(path)
        if found is not None:
            os.truncate(path, found.whole_bytes)
            torn.append(found)
    return tuple(torn)


def build_index(path: Path) -> SegmentIndex:
    """The index of a segment as its bytes tell it: for one whose recorder died before it could write it."""
    builder, whole, offset = IndexBuilder(), False, 0
    data = path.read_bytes()
    for part in _parts(path):
        for record in _records(path, part.raw):
            builder.record(record.received_ns, record.connection if record.kind == RecordKind.FRAME else None)
            if record.kind == RecordKind.GAP:
                builder.dropped(int(record.payload))
        whole = part.raw[:1] == bytes([RecordKind.END])
        builder.packed(data[offset : offset + part.packed_bytes])
        offset += part.packed_bytes
    return builder.finished(path.name, whole=whole)


def complete(directory: Path, prefix: str) -> list[tuple[Path, SegmentIndex]]:
    """Write the index an earlier run did not get to; returns what was written. Call it before recording.

    As with a torn tail, only the last segment can lack its own.
    """
    written = []
    for path in segments(directory, prefix)[-1:]:
        if not index_path(path).exists():
            index = build_index(path)
            write_index(directory, index)
            written.append((path, index))
    return written


def segments(directory: Path, prefix: str = "") -> list[Path]:
    """Segments of a directory in the order they were written."""
    return sorted(directory.glob(f"{prefix}*{SUFFIX}"), key=lambda path: path.name)


class _Part(NamedTuple):
    raw: bytes
    packed_bytes: int


def _parts(path: Path, offset: int = 0) -> Iterator[_Part]:
    """Whole zstd frames of a segment, up to its end or the first that is torn or damaged."""
    with path.open("rb") as file:
        file.seek(offset)
        pending = file.read(_READ_BYTES)
        while pending:
            decompressor = zstandard.ZstdDecompressor().decompressobj()
            raw, packed = [], 0
            while not decompressor.eof:
                if not pending:
                    return
                try:
                    raw.append(decompressor.decompress(pending))
                except zstandard.ZstdError:
                    return
                packed += len(pending)
                pending = b"" if decompressor.eof else file.read(_READ_BYTES)
            rest = decompressor.unused_data
            yield _Part(b"".join(raw), packed - len(rest))
            pending = rest or file.read(_READ_BYTES)


def _records(path: Path, raw: bytes) -> Iterator[Record]:
    return (record for record in _all_records(path, raw) if record.kind not in (RecordKind.HEADER, RecordKind.END))


def _all_records(path: Path, raw: bytes) -> Iterator[Record]:
    at = 0
    while at < len(raw):
        if at + _RECORD.size > len(raw):
            raise _foreign(path)
        kind, received_ns, connection, length = _RECORD.unpack_from(raw, at)
        at += _RECORD.size
        payload = raw[at : at + length]
        if len(payload) != length or (kind == RecordKind.HEADER and payload != FORMAT):
            raise _foreign(path)
        at += length
        yield Record(kind, received_ns, connection, payload)


def _free_path(directory: Path, prefix: str, opened_ns: Nanos) -> Path:
    """A name no earlier segment has, sorting after those of this start."""
    number = 0
    while True:
        path = directory / f"{prefix}-{opened_ns:020d}-{number:03d}{SUFFIX}"
        if not path.exists():
            return path
        number += 1


def _foreign(path: Path) -> RecordingError:
    return RecordingError(path, "is not a recording of this program's format 1", "Give a segment written by `record`")


def _unwritable(directory: Path, error: OSError) -> RecordingError:
    reason = error.strerror or str(error)
    return RecordingError(directory, f"cannot record there ({reason})", "Free space or choose another folder")
