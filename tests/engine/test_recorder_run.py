"""What a run writes down: its session always, raw frames on demand, and the register hears of what is finished."""

import asyncio
from pathlib import Path

import pytest

from execution.engine import Trouble
from markets.domain.events import Frame
from markets.feed.frames import read_frames
from markets.feed.recorder import RecordKind, read_records, segments
from polyweb.runtime.inbox import Tick, read
from polyweb.runtime.recordings import Finished, Recordings
from tests.builders import START

FRAME = Frame(START, 3, b'{"event_type":"book"}')


class Away(Exception):
    """The database is."""


class Rows:
    """A register that may be away for a while."""

    def __init__(self, away: int = 0) -> None:
        self.away = away
        self.rows: list[str] = []

    @property
    def unavailable(self) -> tuple[type[Exception], ...]:
        return (Away,)

    async def recorded(self, root: Path, finished: Finished) -> None:
        if self.away:
            self.away -= 1
            raise Away
        self.rows.append(f"{finished.path.relative_to(root).parent}: {finished.index.records}")


async def a_run(folder: Path, rows: Rows, *, raw: bool) -> list[Trouble]:
    troubles: list[Trouble] = []
    recordings = Recordings(folder, raw=raw, register=rows, on_trouble=troubles.append)
    recordings.raw(FRAME)
    recordings.frame(FRAME)
    recordings.item(Tick(START), START)
    recordings.flush()
    await recordings.close()
    return troubles


async def test_a_session_holds_what_entered_the_inbox_and_raw_frames_lie_apart(tmp_path: Path) -> None:
    rows = Rows()
    assert await a_run(tmp_path, rows, raw=True) == []
    assert sorted(rows.rows) == ["market: 1", "sessions: 2"]
    assert list(read_frames(tmp_path / "market")) == [FRAME]
    (session,) = segments(tmp_path / "sessions")
    frame, item = read_records(session)
    assert (frame.kind, item.kind) == (RecordKind.FRAME, RecordKind.ITEM)
    assert read(item.payload) == Tick(START)


async def test_raw_frames_are_recorded_only_when_asked_for(tmp_path: Path) -> None:
    rows = Rows()
    await a_run(tmp_path, rows, raw=False)
    assert rows.rows == ["sessions: 2"]
    assert not (tmp_path / "market").exists()


async def test_what_a_dead_run_left_is_registered_by_the_next(tmp_path: Path) -> None:
    await a_run(tmp_path, Rows(), raw=False)
    (session,) = segments(tmp_path / "sessions")
    for index in session.parent.glob("*.index.json"):
        index.unlink()
    session.write_bytes(session.read_bytes()[:-4])
    rows = Rows()
    recordings = Recordings(tmp_path, raw=False, register=rows, on_trouble=print)
    duty = asyncio.create_task(recordings.run())
    async with asyncio.timeout(5):
        while not rows.rows:  # noqa: ASYNC110 - a row is waited for
            await asyncio.sleep(0.01)
    duty.cancel()
    await recordings.close()
    assert rows.rows == ["sessions: 2"]


async def test_a_register_that_is_away_costs_no_segment_and_holds_no_shutdown_up(tmp_path: Path) -> None:
    rows = Rows(away=1)
    await a_run(tmp_path, rows, raw=True)
    assert len(segments(tmp_path / "sessions")) == len(segments(tmp_path / "market")) == 1
    assert len(rows.rows) <= 1


async def test_a_session_that_cannot_be_written_ends_the_run_and_raw_frames_only_trouble_it(tmp_path: Path) -> None:
    troubles: list[Trouble] = []
    recordings = Recordings(tmp_path, raw=True, register=Rows(), on_trouble=troubles.append)
    (tmp_path / "market").rmdir()
    (tmp_path / "market").write_text("in the way")
    recordings.raw(FRAME)
    await recordings.close()
    recordings.flush()
    recordings.flush()
    assert [(trouble.kind, trouble.key) for trouble in troubles] == [("recording", "market")]
    assert "cannot record there" in recordings.summary()["error"]
    (tmp_path / "other").mkdir()
    broken = Recordings(tmp_path / "other", raw=False, register=Rows(), on_trouble=troubles.append)
    (tmp_path / "other" / "sessions").rmdir()
    (tmp_path / "other" / "sessions").write_text("in the way")
    broken.frame(FRAME)
    await broken.close()
    with pytest.raises(Exception, match="cannot record there"):
        broken.flush()
