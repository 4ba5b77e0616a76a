"""Merging what waits leaves the books as if every frame had been read."""

import json
from collections.abc import Sequence

from hypothesis import example, given, settings
from hypothesis import strategies as st

from execution.sandbox import recording
from execution.sandbox.crowd import Mood
from markets.domain.books import BookSet
from markets.domain.events import Frame, Side
from markets.domain.integrity import Trust
from markets.feed.backlog import coalesce, is_expendable
from tests.builders import START, a_market, book, change, new_tick

MS = 1_000_000
MADE = recording.record(seed=11, seconds=12, markets=3, pace=4, mood=Mood.MIXED)
FRAMES = [Frame(START + number, 1, line.encode()) for number, line in enumerate(MADE.lines)]


def played(frames: Sequence[Frame]) -> BookSet:
    books = BookSet(auto_track=True, hash_every=1)
    for frame in frames:
        books.apply_frame(frame.data, frame.received_ns)
    books.flush()
    return books


def levels(books: BookSet) -> dict[str, object]:
    found: dict[str, object] = {}
    for market in books.markets:
        book = books.book(market.condition_id)
        assert book is not None
        found[market.condition_id] = [book.levels(side, 1_000) for side in Side]
    return found


WHOLE = played(FRAMES)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=40))
@example([1, 142, 31, 118])  # a queue that begins in the middle of a burst
@example([16, 1, 4, 20, 15, 8, 10, 2, 5, 13, 1, 16, 18, 18, 9, 8, 16, 2, 8])  # and one that does so twice in a row
def test_however_a_recording_queues_up_its_books_end_alike_and_every_check_of_them_holds(cuts: list[int]) -> None:
    merged: list[Frame] = []
    at = 0
    for cut in [*cuts, len(FRAMES)]:
        merged += coalesce(FRAMES[at : at + cut])
        at += cut
    books = played(merged)
    assert levels(books) == levels(WHOLE)
    counters = books.counters
    assert (counters.bbo_mismatches, counters.crossed, counters.snapshot_mismatches) == (0, 0, 0)
    assert counters.resyncs == {}
    # A hash counts a trade before it is announced. Its price is guessed from the levels that changed, and merging may
    # have left out the one entry that told of it: then one claim stays unproved, which accuses no book.
    assert counters.hash_checked - counters.hash_matches <= 1
    assert counters.hash_checked > 100
    assert {books.trust(market.condition_id) for market in books.markets} == {Trust.VERIFIED}


def test_nothing_but_price_changes_is_merged() -> None:
    kept = [frame.data for frame in FRAMES if b'"price_change"}' not in frame.data]
    merged = coalesce(FRAMES)
    assert [frame.data for frame in merged if b'"price_change"}' not in frame.data] == kept
    assert len(merged) < len(FRAMES)


def test_the_newest_entry_of_a_level_stays_with_the_tops_after_all() -> None:
    market = a_market()
    tops = ((4900, 5100), (4950, 5100), (4940, 5100))
    changes = [
        Frame(at, 1, change(market, START + at, Side.BUY, price, shares, tops[at]))
        for at, (price, shares) in enumerate(((4900, 5), (4950, 7), (4900, 9)))
    ]
    (merged,) = coalesce(changes)
    assert merged.received_ns == 2
    entries = json.loads(merged.data)["price_changes"]
    assert [(entry["price"], entry["size"]) for entry in entries] == [
        ("0.495", "7"), ("0.505", "7"), ("0.49", "9"), ("0.51", "9"),
    ]  # fmt: skip
    assert {entry["best_bid"] for entry in entries[::2]} == {"0.494"}


def test_the_burst_a_queue_begins_with_is_not_merged_into_later_ones() -> None:
    market = a_market()
    moved = [
        Frame(place, 1, change(market, at, Side.BUY, price, 5, (4900, 5100)))
        for place, (at, price) in enumerate(
            ((START, 4900), (START, 4800), (START + MS, 4700), (START + MS, 4600), (START + 2 * MS, 4500))
        )
    ]
    begun, later = coalesce(moved)
    assert (begun.received_ns, later.received_ns) == (1, 4)
    told = [json.loads(frame.data) for frame in (begun, later)]
    assert told[0]["timestamp"] == json.loads(moved[0].data)["timestamp"]
    assert told[1]["timestamp"] == json.loads(moved[4].data)["timestamp"]
    assert [[entry["price"] for entry in one["price_changes"][::2]] for one in told] == [
        ["0.49", "0.48"], ["0.47", "0.46", "0.45"],
    ]  # fmt: skip


def test_a_snapshot_a_tick_change_or_an_unreadable_word_keeps_its_place() -> None:
    market, other = a_market(1), a_market(2)
    moved = [change(market, START + at, Side.BUY, 4900, at + 1, (4900, 5100)) for at in range(6)]
    for barrier in (book(market, START), new_tick(market, START, "0.001"), b"{", b"[]"):
        queue = [Frame(0, 1, data) for data in (*moved[:2], barrier, *moved[2:4])]
        merged = coalesce(queue)
        assert [place for place, frame in enumerate(merged) if frame.data == barrier] == [1]
        assert len(merged) == 3
    elsewhere = [Frame(0, 1, data) for data in (*moved[:2], book(other, START), *moved[2:4])]
    assert len(coalesce(elsewhere)) == 2


def test_items_that_are_no_frames_are_never_crossed() -> None:
    moved = [Frame(0, 1, change(a_market(), START, Side.BUY, 4900, 1, (4900, 5100))) for _ in range(4)]
    assert [item for item in coalesce([*moved[:2], "stop", *moved[2:]]) if item == "stop"] == ["stop"]
    assert len(coalesce([*moved[:2], "stop", *moved[2:]])) == 3


def test_only_changes_may_be_let_go() -> None:
    market = a_market()
    assert is_expendable(Frame(0, 1, change(market, START, Side.BUY, 4900, 1, (4900, 5100))))
    assert not is_expendable(Frame(0, 1, book(market, START)))
    assert not is_expendable(Frame(0, 1, new_tick(market, START, "0.001")))
    assert not is_expendable(Frame(0, 1, b'[{"event_type":"price_change"}]'))
