"""Saved Gamma replies: JSON or JSON lines, plain or gzip.

Law: lines end at a line feed and nowhere else (real questions contain U+2028); a bad line is reported and
never fatal.
"""

import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

import msgspec

MAX_DOCUMENT = 512 * 1024 * 1024
GZIP_MAGIC = b"\x1f\x8b"


class UnreadableFile(Exception):
    """The file as a whole cannot be read; one clear line."""


def read_documents(path: Path, on_position: Callable[[int], None] | None = None) -> Iterator[Any]:
    """Yield documents, or a `ValueError` for each line that is none; `on_position` hears the place in the file.

    Raises UnreadableFile when the file is missing, empty or not Gamma's at all.
    """
    try:
        with path.open("rb") as raw:
            magic = raw.read(2)
            zipped = magic == GZIP_MAGIC
            if path.suffix == ".gz" and magic and not zipped:
                raise UnreadableFile(f"{path}: is named .gz and is not gzip")
            raw.seek(0)
            file = cast("IO[bytes]", gzip.GzipFile(fileobj=raw) if zipped else raw)
            for document in _documents(path, file):
                if on_position is not None:
                    on_position(raw.tell())
                yield document
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UnreadableFile(f"{path}: {reason}") from error


def _documents(path: Path, file: IO[bytes]) -> Iterator[Any]:
    first = b""
    while not first.strip():
        line = file.readline()
        if not line:
            raise UnreadableFile(f"{path}: the file is empty")
        first = line
    try:
        yield _decode(first.removeprefix(b"\xef\xbb\xbf"))
    except ValueError as error:
        # Not one document per line: either one document over many lines, or a bad first line.
        rest = file.read(MAX_DOCUMENT)
        yield from _whole_or_lines(path, first, rest, error)
        return
    for line in file:
        if line.strip():
            yield _decode_or_error(line)


def _whole_or_lines(path: Path, first: bytes, rest: bytes, error: ValueError) -> Iterator[Any]:
    try:
        yield _decode((first + rest).removeprefix(b"\xef\xbb\xbf"))
    except ValueError:
        found = [_decode_or_error(line) for line in rest.split(b"\n") if line.strip()]
        if not any(isinstance(item, dict | list) for item in found):
            raise UnreadableFile(f"{path}: neither JSON nor JSON lines ({error})") from None
        yield error
        yield from found


def _decode(line: bytes) -> Any:
    try:
        return msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(str(error)[:200]) from None


def _decode_or_error(line: bytes) -> Any:
    try:
        return _decode(line)
    except ValueError as error:
        return error
