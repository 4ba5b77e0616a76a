"""Recordings gone wrong: every fault ends in a wish for a snapshot in bounded time, and nothing is believed between.

The bounds are stated where they are asserted: in books and price changes of the market, or in seconds of its time.
"""

import json
import re

import pytest

from execution.sandbox import faults
from execution.sandbox.recording import START_MS
from execution.sandbox.wire import compact
from markets.domain.books import BookSet
from markets.domain.decode import MalformedFrame, market_hint
from markets.domain.events import Frame, Side
from markets.domain.integrity import Doubt, Trust
from markets.domain.market import Market
from markets.domain.units import NANOS_PER_MILLI, NANOS_PER_SECOND, AssetId, ConditionId
from markets.domain.verification import verify
from tests.domain.markets.recordings import made
from tests.domain.markets.wire import CONDITION, MARKET, NO, YES, Venue, followed

STAMP = re.compile(r'"timestamp":"(\d{13})"')
Recorded = tuple[list[str], tuple[Market, ...]]


class Reader:
    """Plays lines as a live engine would hear them: applies frames, lets time pass, notes wishes."""

    def __init__(self, markets: tuple[Market, ...], hash_every: int = 8) -> None:
        self.books = BookSet(hash_every=hash_every)
        self.wishes: list[tuple[ConditionId, Doubt, int]] = []
        self.frames: dict[ConditionId, int] = {}
        self.now_ms = START_MS
        for market in markets:
            self.books.track(market)

    def hear(self, line: str) -> None:
        data = line.encode()
        stamp = STAMP.search(line)
        self.now_ms = max(self.now_ms, int(stamp.group(1)) if stamp else 0)
        market = market_hint(data) or ""
        self.frames[market] = self.frames.get(market, 0) + ("price_change" in line or "bids" in line)
        try:
            self.books.apply_frame(data, self.now_ms * NANOS_PER_MILLI)
        except MalformedFrame:
            self.books.distrust(market, Doubt.MALFORMED)
        self.books.settle(self.now_ms * NANOS_PER_MILLI)
        self._note()

    def _note(self) -> None:
        for wish in self.books.drain_resyncs():
            self.wishes.append((wish.condition_id, wish.reason, self.frames.get(wish.condition_id, 0)))
            assert self.books.doubt(wish.condition_id) is not Doubt.NONE or wish.reason in (
                Doubt.SILENT,
                Doubt.UNPROVEN,
            )

    def rest(self, seconds: int) -> None:
        for _ in range(seconds * 4):
            self.now_ms += 250
            self.books.settle(self.now_ms * NANOS_PER_MILLI)
            self._note()


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return made(tmp_path_factory.mktemp("made"), seed=9, seconds=30, markets=3, pace=4.0)


def market_of(line: str) -> ConditionId:
    return market_hint(line.encode()) or ""


def test_the_good_recording_asks_for_nothing(good: Recorded) -> None:
    lines, markets = good
    reader = Reader(markets)
    for line in lines:
        reader.hear(line)
    assert {reason for _, reason, _ in reader.wishes} <= {Doubt.TICK_CHANGE}


@pytest.mark.parametrize("nth", [5, 40, 90])
def test_a_dropped_delta_ends_in_a_resync(good: Recorded, nth: int) -> None:
    """Within 6 frames when every hash is checked; a snapshot, which every trade brings, may heal the book before."""
    lines, markets = good
    place = faults.positions(lines, "price_change")[nth]
    key = market_of(lines[place])
    reader = Reader(markets, hash_every=1)
    for line in lines[:place]:
        reader.hear(line)
    before = reader.frames[key]
    for line in lines[place + 1 :]:
        reader.hear(line)
        if reader.wishes or reader.books.counters.snapshot_mismatches:
            break
    assert reader.wishes or reader.books.counters.snapshot_mismatches == 1
    assert reader.frames[key] - before <= 6


@pytest.mark.parametrize("nth", [3, 30, 77])
def test_a_delta_on_the_wrong_side_ends_in_a_resync(good: Recorded, nth: int) -> None:
    """Within 6 frames of that market: tops and hash of the frame itself are true and do not fit."""
    lines, markets = good
    place = faults.positions(lines, "price_change")[nth]
    key = market_of(lines[place])
    reader = Reader(markets, hash_every=1)
    wrong = faults.wrong_side_delta(lines, nth)
    for line in wrong[:place]:
        reader.hear(line)
    before = reader.frames[key]
    for line in wrong[place:]:
        reader.hear(line)
        if reader.wishes or reader.books.counters.snapshot_mismatches:
            break
    else:
        reader.rest(3)
    assert [market for market, _, _ in reader.wishes] == [key] or reader.books.counters.snapshot_mismatches
    assert reader.frames[key] - before <= 6


def test_a_missing_opening_book_is_asked_for_within_six_seconds(good: Recorded) -> None:
    lines, markets = good
    market = markets[0]
    dumped = faults.missing_opening_book(faults.missing_opening_book(lines, market.yes), market.no)
    reader = Reader(markets)
    for line in dumped[:2]:
        reader.hear(line)
    reader.rest(6)
    assert (market.condition_id, Doubt.MISSING_SNAPSHOT) in [(key, reason) for key, reason, _ in reader.wishes]
    assert reader.books.trust(market.condition_id) is Trust.BROKEN


def test_the_opening_book_of_one_token_is_enough_for_both(good: Recorded) -> None:
    lines, markets = good
    reader = Reader(markets)
    for line in faults.missing_opening_book(lines, markets[0].no)[:2]:
        reader.hear(line)
    assert reader.books.trust(markets[0].condition_id) is Trust.VERIFIED


def test_a_tick_change_mid_stream_resyncs_at_once(good: Recorded) -> None:
    """0 frames later: the announcement itself ends the epoch."""
    lines, markets = good
    reader = Reader(markets)
    for line in lines[:50]:
        reader.hear(line)
    market = markets[0]
    new = "0.0001" if market.tick == 10 else "0.001"
    said = {"market": market.condition_id, "asset_id": market.yes, "old_tick_size": "0.01", "new_tick_size": new}
    reader.hear(compact({**said, "timestamp": str(reader.now_ms), "event_type": "tick_size_change"}))
    assert [(key, reason) for key, reason, _ in reader.wishes] == [(market.condition_id, Doubt.TICK_CHANGE)]
    assert reader.books.trust(market.condition_id) is Trust.BROKEN


def test_malformed_frames_cost_only_the_books_they_name(good: Recorded) -> None:
    lines, markets = good
    reader = Reader(markets)
    for line in faults.malformed(lines[:200], every=20):
        reader.hear(line)
    assert {reason for _, reason, _ in reader.wishes} <= {Doubt.MALFORMED, Doubt.TICK_CHANGE}


@pytest.mark.parametrize("seconds", [10])
def test_a_silent_freeze_is_noticed_while_others_speak(seconds: int) -> None:
    """Asked for a snapshot after `silence_ns`, doubted 5 s later: here 10 and 16 seconds at the latest."""
    books = BookSet(hash_every=0, sweep_ns=0, silence_ns=seconds * NANOS_PER_SECOND)
    frozen, other = Venue(), Venue(market=Market("0x" + "cd" * 32, MARKET.event_id, "", "3" * 77, "4" * 77, tick=50))
    for venue in (frozen, other):
        books.track(venue.book.market)
        books.apply_frame(_renamed(venue), NANOS_PER_SECOND)
    asked_s = doubted_s = 0
    for second in range(2, 30):
        now_ns = second * NANOS_PER_SECOND
        books.apply_frame(_renamed(other, Side.BUY, second), now_ns)
        books.settle(now_ns)
        asked_s = asked_s or (second if books.drain_resyncs() else 0)
        doubted_s = doubted_s or (second if books.doubt(CONDITION) is Doubt.SILENT else 0)
    assert (asked_s, doubted_s) == (11, 16)
    assert books.trust(CONDITION) is Trust.SUSPECT
    assert books.trust(other.book.market.condition_id) is Trust.VERIFIED
    assert books.counters.silences == 2  # asked again after another ten seconds
    books.apply_frame(frozen.snapshot(), 30 * NANOS_PER_SECOND)
    assert books.trust(CONDITION) is Trust.VERIFIED


def _renamed(venue: Venue, side: Side | None = None, shares: int = 0) -> bytes:
    """The wire builders speak of one market; the other takes its name."""
    data = venue.snapshot() if side is None else venue.change(side, 4950, shares)
    return data.replace(CONDITION.encode(), venue.book.market.condition_id.encode())


def altered(lines: list[str], token: AssetId, field: str) -> list[str]:
    """One digit of one field is changed, in the fifth price change of that token or in its second book."""
    kind, nth = ("book", 1) if field == "book_size" else ("price_change", 4)
    own = [p for p in faults.positions(lines, kind) if token in lines[p]]
    place = own[nth]
    document = json.loads(lines[place])
    if field == "book_size":
        level = document["bids"][0]
        level["size"] = _other_digit(level["size"])
    else:
        entry = next(entry for entry in document["price_changes"] if entry["asset_id"] == token)
        entry[field] = _other_digit(entry[field])
    return [*lines[:place], compact(document), *lines[place + 1 :]]


def _other_digit(text: str) -> str:
    last = text[-1]
    return text[:-1] + ("1" if last != "1" else "2")


@pytest.mark.parametrize(
    ("field", "counter"),
    [
        ("hash", "hash_checked"),
        ("best_bid", "bbo_mismatches"),
        ("best_ask", "bbo_mismatches"),
        ("size", "parity_mismatches"),
        ("price", "parity_mismatches"),
        ("book_size", "hash_checked"),
    ],
)
def test_one_altered_digit_moves_the_counter_of_its_check(good: Recorded, field: str, counter: str) -> None:
    lines, markets = good
    sound = verify([Frame(1, 0, line.encode()) for line in lines], markets)
    found = verify([Frame(1, 0, line.encode()) for line in altered(lines, markets[0].yes, field)], markets)
    assert sound.sound()
    assert not found.sound()
    if counter == "hash_checked":
        assert found.books.hash_matches == found.books.hash_checked - 1
    else:
        assert getattr(found.books, counter) >= 1


def test_no_book_that_is_not_verified_has_a_quiet_conscience() -> None:
    """Whatever breaks trust says so at once: doubt and trust never disagree."""
    venue = Venue()
    books = followed(venue)
    for reason in (Doubt.OVERFLOW, Doubt.MALFORMED):
        if reason is Doubt.OVERFLOW:
            books.suspect([YES, NO], reason)
        else:
            books.distrust(CONDITION, reason)
        assert books.doubt(CONDITION) is reason
        assert books.trust(CONDITION) is not Trust.VERIFIED
        books.apply_frame(venue.snapshot(), 1)
        assert books.trust(CONDITION) is Trust.VERIFIED
    assert [(wish.reason, wish.request_id) for wish in books.drain_resyncs()] == [(Doubt.OVERFLOW, 1)]
