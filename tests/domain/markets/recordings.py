"""Recordings of the project's own generator, with the markets they are about."""

from pathlib import Path

from execution.sandbox import recording
from execution.sandbox.crowd import Mood
from markets.domain.market import Market
from markets.gamma.metadata import read_markets


def made(
    folder: Path, *, seed: int, seconds: float, markets: int, pace: float = 1.0, mood: Mood = Mood.MIXED
) -> tuple[list[str], tuple[Market, ...]]:
    path = folder / "made.jsonl"
    found = recording.record(seed=seed, seconds=seconds, markets=markets, pace=pace, mood=mood)
    recording.write(found, path, compress=False)
    return found.lines, read_markets(recording.metadata_path(path))
