"""The register of recordings: which segments exist, and which are old enough to go.

Law: a file and its row go together, the file first; only segments of our own format inside the given folder are
touched.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.utils import timezone

from markets.domain.units import Nanos
from markets.feed.recorder import SUFFIX, RecordingError, is_segment, read_records
from markets.feed.segment_index import SegmentIndex, index_path, read_index
from markets.models import Recording

# A segment is written to at least once a second while a feed lives; one that rests for so long is finished.
FINISHED_AFTER = timedelta(minutes=5)
_NANOS_PER_MICRO = 1_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Tidied:
    registered: int
    finished: int
    deleted: int
    vanished: int


def tidy_recordings(*, root: Path, keep: timedelta, now: datetime | None = None) -> Tidied:
    """Register new segments below `root`, complete the rows of finished ones, delete those older than `keep`.

    Rows name files relative to `root`. A row whose file is gone is removed: it promises what is not there.
    """
    now = now or timezone.now()
    present = {path.relative_to(root).as_posix(): path for path in _segments(root)}
    vanished, _ = Recording.objects.exclude(path__in=present).delete()
    deleted = _delete_old(present, now - keep)
    known = set(Recording.objects.values_list("path", flat=True))
    fresh = [Recording(path=name, **_of(present[name])) for name in sorted(set(present) - known)]
    Recording.objects.bulk_create(fresh, ignore_conflicts=True)
    return Tidied(len(fresh), _finish(present, now), deleted, vanished)


def register_segment(*, root: Path, path: Path, index: SegmentIndex) -> Recording:
    """Register one finished segment, or complete its row. Saying it twice changes nothing."""
    row, _ = Recording.objects.update_or_create(
        path=path.relative_to(root).as_posix(),
        defaults={
            "kind": _kind(path),
            "started_at": _at(index.first_ns),
            "ended_at": _at(index.last_ns),
            "frames": index.records,
            "bytes": index.bytes,
        },
    )
    return row


def _kind(path: Path) -> Recording.Kind:
    return Recording.Kind.SESSION if path.name.startswith("session-") else Recording.Kind.MARKET


def _at(nanos: Nanos) -> datetime:
    return _EPOCH + timedelta(microseconds=nanos // _NANOS_PER_MICRO)


def _segments(root: Path) -> list[Path]:
    return [path for path in sorted(root.rglob(f"*{SUFFIX}")) if path.is_file() and is_segment(path)]


def _of(path: Path) -> dict[str, object]:
    opened = path.name.partition("-")[2].partition("-")[0]
    size = path.stat()
    known = opened.isdigit() and len(opened) == 20  # nanoseconds, as the recorder names its files
    started = _at(int(opened)) if known else _moment(size.st_mtime)
    return {"kind": _kind(path), "started_at": started, "bytes": size.st_size}


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _delete_old(present: dict[str, Path], before: datetime) -> int:
    """By the time of the last write, whether registered or not. Takes what it deletes out of `present`."""
    deleted = 0
    for name, path in list(present.items()):
        if _moment(path.stat().st_mtime) < before:
            path.unlink(missing_ok=True)
            index_path(path).unlink(missing_ok=True)
            Recording.objects.filter(path=name).delete()
            del present[name]
            deleted += 1
    return deleted


def _finish(present: dict[str, Path], now: datetime) -> int:
    """Count the frames of segments nobody writes to any more: read once, never again."""
    finished = 0
    for row in Recording.objects.filter(ended_at=None).order_by("started_at", "pk"):
        path = present[row.path]
        stat = path.stat()
        row.bytes = stat.st_size
        if now - _moment(stat.st_mtime) >= FINISHED_AFTER:
            row.frames = _frames(path)
            row.ended_at = _moment(stat.st_mtime)
            finished += 1
        row.save(update_fields=["bytes", "frames", "ended_at"])
    return finished


def _frames(path: Path) -> int:
    """A file that only looks like ours has none; it stays listed, so that somebody sees it, until it is old."""
    index = read_index(path)
    if index is not None:
        return index.records
    try:
        return sum(1 for _ in read_records(path))
    except RecordingError:
        return 0
