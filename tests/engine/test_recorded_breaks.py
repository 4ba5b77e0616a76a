"""Where a recording of ours breaks off, books begin again: a true recording is never called unsound for it."""

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from markets.domain.cuts import Cut, Twin
from markets.domain.events import Frame, Side
from markets.domain.integrity import Doubt
from markets.domain.verification import Verification, verify
from markets.feed.frames import read_frames, read_recording
from markets.feed.recorder import Recorder, RecorderLimits, RecordKind
from polyweb import replays
from polyweb.runtime.inbox import NO_CONTROL, Begin, Doubted, FeedDown, FeedUp, Spelled, TraderConfig, spell
from tests.domain.markets.wire import CONDITION, NO, START_MS, YES, Venue, trade

MS = 1_000_000


class Tape:
    """A recorder and the venue it listens to; every frame comes 3 ms after it was said."""

    def __init__(self, folder: Path, limits: RecorderLimits | None = None) -> None:
        self.venue = Venue()
        self.folder = folder
        self._said = 0
        self._limits = limits or RecorderLimits()
        self.start()

    def start(self) -> None:
        self.recorder = Recorder(self.folder, limits=self._limits)

    @property
    def now_ns(self) -> int:
        return (self.venue.now_ms + 3) * MS

    def hear(self, data: bytes, *connections: int) -> None:
        for place, connection in enumerate(connections):
            self.recorder.frame(Frame(self.now_ns + place, connection, data))

    def opening(self, *connections: int) -> None:
        self.hear(b"[" + self.venue.snapshot() + b"," + self.venue.snapshot(False) + b"]", *connections)

    def changes(self, count: int, *connections: int) -> None:
        for number in range(count):
            self._said += 1
            self.hear(self.venue.change(Side.BUY, 1_000 + 100 * number, self._said), *connections)

    def miss(self, count: int = 3) -> None:
        """The venue goes on and nobody hears it."""
        for number in range(count):
            self.venue.set(Side.SELL, 5_200 + 100 * number, 9, later_ms=200)

    def item(self, item: Spelled) -> None:
        self.recorder.record(RecordKind.ITEM, self.now_ns, spell(item))

    def verified(self) -> Verification:
        self.recorder.close()
        return verify(read_recording(self.folder))


@pytest.fixture
def tape(tmp_path: Path) -> Tape:
    return Tape(tmp_path / "tape")


def replayed(tape: Tape) -> dict[str, object]:
    found = replays.run(replays.Request(tape.folder, 1_000_000_000))
    assert isinstance(found, dict)
    return found


def assert_sound(found: Verification, cuts: int, changes: int) -> None:
    assert found.sound(), found.books
    assert (found.cuts, found.books.bbo_checked) == (cuts, changes)


@pytest.mark.django_db
def test_a_reconnect_begins_the_books_again(tape: Tape) -> None:
    tape.opening(1)
    tape.changes(5, 1)
    tape.miss()
    tape.opening(2)
    tape.changes(4, 2)
    assert_sound(tape.verified(), cuts=1, changes=9)
    assert replayed(tape)["book_mismatches"] == 0
    assert not verify(read_frames(tape.folder)).sound()  # what it would be called without knowing of connections


@pytest.mark.django_db
def test_a_gap_begins_the_books_again(tape: Tape) -> None:
    tape.opening(1)
    tape.changes(5, 1)
    tape.miss()
    tape.recorder.gap(tape.now_ns, 3)
    tape.changes(2, 1)  # of a book that is not known
    tape.hear(tape.venue.snapshot(opening=False), 1)
    tape.changes(4, 1)
    assert_sound(tape.verified(), cuts=1, changes=9)
    assert replayed(tape)["book_mismatches"] == 0


@pytest.mark.django_db
def test_another_run_in_the_same_folder_begins_the_books_again(tape: Tape) -> None:
    tape.opening(1)
    tape.changes(5, 1)
    tape.recorder.close()
    tape.miss()
    tape.start()
    tape.opening(1)
    tape.changes(4, 1)
    assert_sound(tape.verified(), cuts=1, changes=9)
    assert replayed(tape)["book_mismatches"] == 0


def test_a_run_that_died_is_another_run_too(tape: Tape) -> None:
    tape.opening(1)
    tape.changes(5, 1)
    tape.recorder.close()
    (segment,) = tape.recorder.segments
    os.truncate(segment, segment.stat().st_size - 3)  # its end mark was not written out
    tape.miss()
    tape.start()
    assert len(tape.recorder.recovered) == 1
    tape.opening(1)
    tape.changes(4, 1)
    assert_sound(tape.verified(), cuts=1, changes=9)


def test_a_run_in_many_segments_is_one(tmp_path: Path) -> None:
    tape = Tape(tmp_path / "tape", RecorderLimits(segment_bytes=2_000, part_bytes=1_500))
    tape.opening(1)
    tape.changes(30, 1)
    found = tape.verified()
    assert len(tape.recorder.segments) > 2
    assert_sound(found, cuts=0, changes=30)


@pytest.mark.django_db
def test_twins_tell_one_story(tape: Tape) -> None:
    tape.opening(1, 2)
    tape.changes(6, 1, 2)
    tape.hear(trade("0.51", tape.venue.now_ms), 2, 1)
    tape.changes(6, 2, 1)
    found = tape.verified()
    assert found.sound(), found.books
    assert (found.frames, found.books.snapshots_checked) == (28, 1)
    assert found.twins >= 12
    assert found.books.bbo_checked >= 11
    assert replayed(tape)["book_mismatches"] == 0


def test_a_twin_goes_on_when_the_first_ends_and_is_believed_from_its_next_book(tape: Tape) -> None:
    tape.opening(1, 2)
    tape.changes(5, 1, 2)
    tape.changes(3, 2)
    tape.opening(3)
    tape.changes(4, 2, 3)
    found = tape.verified()
    assert found.sound(), found.books
    assert found.books.bbo_checked >= 8


def test_what_a_twin_alone_heard_wrong_is_not_blamed_on_the_book(tape: Tape) -> None:
    tape.opening(1, 2)
    tape.changes(3, 1, 2)
    tape.hear(tape.venue.change(Side.BUY, 5_000, 1), 1)  # the second never tells it
    tape.changes(3, 1, 2)
    assert tape.verified().sound()


def test_one_altered_digit_is_found_after_a_reconnect_as_before_it(tape: Tape) -> None:
    tape.opening(1)
    tape.changes(2, 1)
    tape.opening(2)
    tape.hear(tape.venue.change(Side.BUY, 4_800, 5, wrong={"best_bid": "0.48"}), 2)
    assert tape.verified().books.bbo_mismatches == 1


def test_a_lost_change_of_one_connection_is_still_found(tape: Tape) -> None:
    tape.opening(1)
    tape.changes(2, 1)
    tape.miss()
    tape.changes(2, 1)
    assert not tape.verified().sound()


def test_a_session_says_itself_when_its_feed_was_down(tape: Tape) -> None:
    begin = Begin(START_MS * MS, TraderConfig(first_id=1, starting_cash=1), (), ())
    for item in (begin, NO_CONTROL, FeedUp(tape.now_ns, (YES, NO))):
        tape.item(item)
    tape.opening(1, 2)
    tape.changes(3, 1)
    tape.changes(3, 2)  # first wins, whoever it is
    tape.item(FeedDown(tape.now_ns, (YES, NO), "hung up"))
    tape.miss()
    tape.item(FeedUp(tape.now_ns, (YES, NO)))
    tape.opening(3)
    tape.changes(4, 3)
    tape.item(Doubted(tape.now_ns, (YES,), Doubt.OVERFLOW))
    tape.miss()
    tape.hear(tape.venue.snapshot(opening=False), 3)
    found = tape.verified()
    assert_sound(found, cuts=3, changes=10)
    assert found.twins == 0


def kinds(items: Iterable[object]) -> list[str]:
    return [type(item).__name__ for item in items]


def test_cut_and_twin_stand_where_they_happened(tape: Tape) -> None:
    tape.opening(1, 2)
    tape.changes(1, 1, 2)
    tape.opening(3)
    tape.recorder.close()
    told = list(read_recording(tape.folder))
    assert kinds(told) == ["Frame", "Twin", "Frame", "Cut", "Frame", "Cut", "Frame"]
    assert [item.names for item in told if isinstance(item, Cut)] == [(CONDITION,)] * 2
    assert [item.frame.connection for item in told if isinstance(item, Twin)] == [2]
