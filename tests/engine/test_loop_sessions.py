"""A session recorded by the live loop, on a paper venue and a clock of its own, replays to the same decisions."""

import itertools
import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from execution.domain.commands import Cancel, Place, Resync
from markets.domain.events import Frame
from markets.domain.units import Nanos
from markets.feed.frames import read_frames
from markets.feed.recorder import DEFAULT_LIMITS, Recorder, RecorderLimits, RecordKind, read_records
from markets.gamma.metadata import read_markets
from polyweb import replays
from polyweb.runtime.inbox import Begin, FeedUp, Spelled, Tick, TraderConfig, spell
from polyweb.runtime.loop import SessionLog, Turns
from polyweb.runtime.recordings import Finished, Recordings
from polyweb.runtime.rehearsal_venues import PaperVenue
from polyweb.runtime.trader import Trader
from tests.builders import PUSD, SECOND, a_control

RECORDING = Path(__file__).resolve().parents[1] / "data" / "quiet_4_markets.jsonl.gz"
CASH = 1_000 * PUSD


class Session:
    """Writes a session into a folder, at once and in the test's own thread."""

    def __init__(self, folder: Path, limits: RecorderLimits = DEFAULT_LIMITS) -> None:
        self.recorder = Recorder(folder, prefix="session", limits=limits)

    def frame(self, frame: Frame) -> None:
        self.recorder.frame(frame)

    def item(self, item: Spelled, at_ns: Nanos) -> None:
        self.recorder.record(RecordKind.ITEM, at_ns, spell(item))

    def close(self) -> None:
        self.recorder.close()


class Register:
    """Takes note of finished segments, as the database would."""

    unavailable: tuple[type[Exception], ...] = (OSError,)

    def __init__(self) -> None:
        self.finished: list[Finished] = []

    async def recorded(self, root: Path, finished: Finished) -> None:
        self.finished.append(finished)


class Life:
    """The loop as the engine runs it, except for the clock: time is the recording's."""

    def __init__(self, log: SessionLog) -> None:
        self.now: Nanos = 0
        self.log = log
        self.trader = Trader(TraderConfig(1, CASH), lambda event, now: self.venue.on_event(event, now))
        self.venue = PaperVenue(self.trader.market, CASH, seed=7)
        self.turns = Turns(
            trader=self.trader,
            hands=self,
            feed=self,
            log=self.log,
            on_facts=lambda facts: None,
            on_turn=self.advance,
            now_ns=lambda: self.now,
        )

    def take(self, command: Place | Cancel) -> None:
        if isinstance(command, Place):
            self.venue.place(command, self.now)
        else:
            self.venue.cancel(command, self.now)

    def resync(self, command: Resync) -> None:
        """A recording cannot be asked again."""

    def advance(self, now_ns: Nanos) -> None:
        for outcome in self.venue.due(now_ns):
            self.turns.push(outcome)

    def play(self, seconds: int = 30) -> "Life":
        frames = list(read_frames(RECORDING))
        self.now = frames[0].received_ns
        markets = read_markets(RECORDING.with_name(RECORDING.name + ".metadata.json"))
        self.log.item(Begin(self.now, self.trader.config, (), ()), self.now)
        self.turns.push(a_control(markets, self.now))
        self.turns.push(FeedUp(self.now, tuple(asset for each in markets for asset in (each.yes, each.no))))
        end = self.now + seconds * SECOND
        heard = itertools.takewhile(lambda frame: frame.received_ns < end, frames)
        for received_ns, burst in itertools.groupby(heard, key=lambda frame: frame.received_ns):
            self.now = received_ns
            for frame in burst:
                self.turns.push(frame)
            self.turns.turn()
        self.turns.finish()
        return self


def lived(folder: Path, seconds: int = 30, limits: RecorderLimits = DEFAULT_LIMITS) -> tuple[Life, list[Path]]:
    """A life and the segments it left."""
    session = Session(folder, limits)
    life = Life(session).play(seconds)
    session.close()
    return life, session.recorder.segments


def tampered(source: Path, target: Path, spoil: bytes, instead: bytes) -> Path:
    """The same session with every `spoil` in its frames replaced."""
    copy = Recorder(target, prefix="session")
    for segment in sorted(source.iterdir()):
        for record in read_records(segment):
            data = record.payload.replace(spoil, instead) if record.kind == RecordKind.FRAME else record.payload
            copy.record(record.kind, record.received_ns, data, record.connection)
    copy.close()
    return target


def output(*arguments: object) -> str:
    out = StringIO()
    call_command("replay", *map(str, arguments), stdout=out)
    return out.getvalue()


async def test_a_session_recorded_by_the_engines_recorder_replays_to_the_same_decisions(tmp_path: Path) -> None:
    register = Register()
    recordings = Recordings(tmp_path, raw=False, register=register, on_trouble=lambda trouble: None)
    life = Life(recordings).play()
    await recordings.close()
    found = replays.run_session(tmp_path / "sessions")
    assert found["divergence"] is None
    counters = life.trader.counters
    assert counters.placed > 8
    assert counters.fills > 0
    assert (found["orders_placed"], found["orders_cancelled"], found["fills"], found["frames"]) == (
        counters.placed,
        counters.cancelled,
        counters.fills,
        counters.frames,
    )
    assert recordings.summary()["session_dropped"] == 0
    assert [finished.path.parent.name for finished in register.finished] == ["sessions"]


def test_a_session_in_several_segments_is_read_as_one(tmp_path: Path) -> None:
    life, segments = lived(tmp_path, 30, RecorderLimits(segment_bytes=20_000, part_bytes=4_000))
    assert len(segments) > 2
    found = replays.run_session(tmp_path)
    assert (found["runs"], found["divergence"]) == (1, None)
    assert found["orders_placed"] == life.trader.counters.placed


def test_the_replay_command_recognises_a_session_and_counts_its_decisions(tmp_path: Path) -> None:
    life, segments = lived(tmp_path, 10)
    for given in (tmp_path, segments[0]):
        found = json.loads(output(given, "--json"))
        assert found["session"] is True
        assert found["decisions"] > 20
        assert found["orders_placed"] == life.trader.counters.placed
        assert len(found["digest"]) == 64


def test_a_tampered_session_is_shown_and_ends_as_an_error(tmp_path: Path) -> None:
    lived(tmp_path / "true", 10)
    folder = tampered(tmp_path / "true", tmp_path / "false", b'"best_bid":"0.5', b'"best_bid":"0.4')
    out = StringIO()
    with pytest.raises(CommandError, match=r"the session was decided differently: decision \d+ at \d+ ns"):
        call_command("replay", str(folder), "--json", stdout=out)
    assert json.loads(out.getvalue())["divergence"].startswith("decision ")


def test_a_session_that_lost_its_first_segment_is_a_clear_error(tmp_path: Path) -> None:
    session = Session(tmp_path)
    session.item(Tick(1), 1)
    session.close()
    with pytest.raises(CommandError, match="has lost its beginning.*Give the folder"):
        output(tmp_path)


def test_an_item_of_another_version_is_a_clear_error(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, prefix="session")
    recorder.record(RecordKind.ITEM, 1, b'{"type":"Crystal","at_ns":1}')
    recorder.close()
    with pytest.raises(CommandError, match="holds an item that cannot be read"):
        output(tmp_path)


def test_a_session_takes_no_parameters_of_ours(tmp_path: Path) -> None:
    lived(tmp_path, 2)
    with pytest.raises(CommandError, match="brings its own; leave out --params"):
        output(tmp_path, "--params", "mine.json")
