"""The index beside a recorded segment: what is in it, where its parts begin, and the checksum of its bytes.

Law: derived, never needed. A segment without its index (the recorder died) reads all the same, and the index is made
again from it; one whose checksum does not fit is said to be damaged.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from markets.domain.units import Nanos

INDEX_SUFFIX = ".index.json"
FORMAT = "polyweb-segment-index/1"
_READ_BYTES = 1 << 20


class Part(NamedTuple):
    """A zstd frame of a segment that can be read on its own."""

    offset: int
    first_ns: Nanos
    records: int


class SegmentIndex(msgspec.Struct, frozen=True):
    """One closed segment. `records` counts frames and everything else, `dropped` what the buffer had no room for."""

    segment: str
    bytes: int
    sha256: str
    frames: int
    records: int
    dropped: int
    first_ns: Nanos
    last_ns: Nanos
    connections: tuple[int, ...]
    parts: tuple[Part, ...]
    whole: bool = True
    format: str = FORMAT

    def offset_at(self, at_ns: Nanos) -> int:
        """Where to begin reading for everything received from `at_ns` on."""
        offset = 0
        for part in self.parts:
            if part.first_ns > at_ns:
                break
            offset = part.offset
        return offset


def index_path(segment: Path) -> Path:
    return segment.with_name(segment.name + INDEX_SUFFIX)


def write_index(directory: Path, index: SegmentIndex) -> None:
    """Write beside and put in place at once: a half-written index is never seen."""
    path = index_path(directory / index.segment)
    draft = path.with_suffix(".tmp")
    draft.write_bytes(msgspec.json.encode(index))
    draft.replace(path)


def read_index(segment: Path) -> SegmentIndex | None:
    """The stored index, or None when there is none that can be read."""
    try:
        return msgspec.json.decode(index_path(segment).read_bytes(), type=SegmentIndex)
    except (OSError, msgspec.DecodeError):
        return None


def checksum(path: Path) -> str:
    digest = hashlib.sha256()
    for block in _blocks(path):
        digest.update(block)
    return digest.hexdigest()


def is_intact(segment: Path, index: SegmentIndex) -> bool:
    """Whether the segment's bytes are those the index was made of."""
    return segment.stat().st_size == index.bytes and checksum(segment) == index.sha256


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            yield block


class IndexBuilder:
    """Grows with a segment, part by part."""

    def __init__(self) -> None:
        self._parts: list[Part] = []
        self._connections: dict[int, None] = {}
        self._hash = hashlib.sha256()
        self._bytes = 0
        self._frames = self._records = self._dropped = 0
        self._first_ns: Nanos = 0
        self._last_ns: Nanos = 0
        self._part_first_ns: Nanos = 0
        self._part_records = 0

    @property
    def size(self) -> int:
        """Bytes of the segment so far."""
        return self._bytes

    def record(self, at_ns: Nanos, connection: int | None) -> None:
        """One record of the part being filled; `connection` is None for everything but frames."""
        if not self._part_records:
            self._part_first_ns = at_ns
        self._part_records += 1
        self._records += 1
        self._first_ns = self._first_ns or at_ns
        self._last_ns = max(self._last_ns, at_ns)
        if connection is not None:
            self._frames += 1
            self._connections[connection] = None

    def dropped(self, count: int) -> None:
        self._dropped += count

    def packed(self, data: bytes) -> None:
        """These bytes were written; they hold what was recorded since the last call."""
        if self._part_records:
            self._parts.append(Part(self._bytes, self._part_first_ns, self._part_records))
            self._part_records = 0
        self._hash.update(data)
        self._bytes += len(data)

    def finished(self, segment: str, *, whole: bool = True) -> SegmentIndex:
        return SegmentIndex(
            segment=segment,
            bytes=self._bytes,
            sha256=self._hash.hexdigest(),
            frames=self._frames,
            records=self._records,
            dropped=self._dropped,
            first_ns=self._first_ns,
            last_ns=self._last_ns,
            connections=tuple(self._connections),
            parts=tuple(self._parts),
            whole=whole,
        )
