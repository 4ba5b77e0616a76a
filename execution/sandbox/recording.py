"""Recordings of the market side, as a client subscribed to everything would have written them down.

Its one law: the same seed gives the same bytes.
"""

import gzip
import json
from dataclasses import dataclass
from pathlib import Path

from execution.sandbox.crowd import Mood
from execution.sandbox.gamma import Catalogue
from execution.sandbox.generator import Generator
from execution.sandbox.wire import compact

# 2026-11-22 00:00:00 UTC: recordings need a date, and one that never moves.
START_MS = 1_795_305_600_000
TOKENS_PER_DUMP = 100


@dataclass(frozen=True, slots=True)
class Recording:
    """Raw frames, one per line, and the markets they are about."""

    lines: list[str]
    markets: list[dict[str, object]]


def record(*, seed: int, seconds: float, markets: int, pace: float = 1.0, mood: Mood = Mood.MIXED) -> Recording:
    """Let a generator run and note every frame; the opening arrays come first."""
    generator = Generator(seed=seed, markets=markets, start_ms=START_MS, pace=pace, mood=mood)
    catalogue = Catalogue(generator, START_MS)
    listed = catalogue.markets()
    ids = generator.asset_ids
    dumps = [ids[start : start + TOKENS_PER_DUMP] for start in range(0, len(ids), TOKENS_PER_DUMP)]
    lines = [compact(generator.opening_books(part)) for part in dumps]
    happened = generator.advance(START_MS + int(seconds * 1000)) + generator.announce_rest()
    lines += [frame.text for frame in happened]
    return Recording(lines, listed)


def metadata_path(path: Path) -> Path:
    return path.with_name(path.name + ".metadata.json")


def write(recording: Recording, path: Path, *, compress: bool) -> None:
    """Write the frames and, beside them, the markets in Gamma's shape."""
    raw = "".join(f"{line}\n" for line in recording.lines).encode()
    # No time and no name in the gzip header, or two runs would differ.
    path.write_bytes(gzip.compress(raw, mtime=0) if compress else raw)
    metadata = json.dumps(recording.markets, indent=1, ensure_ascii=False)
    metadata_path(path).write_text(metadata + "\n", encoding="utf-8")


def read_lines(path: Path) -> list[str]:
    """The frames of a recording, plain or gzipped."""
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode()
    return [line for line in text.split("\n") if line]
