"""The short way through a frame and the long way agree on everything that can be asked."""

from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markets.domain.books import BookSet
from markets.domain.decode import MalformedFrame, decode
from markets.domain.events import Frame, Side
from markets.domain.integrity import Doubt, Trust
from markets.domain.market import Market
from markets.domain.units import complement, price_text
from tests.domain.markets.recordings import made
from tests.domain.markets.wire import (
    CONDITION,
    MARKET,
    NO,
    START_MS,
    YES,
    Venue,
    best_bid_ask,
    price_change,
    tick_change,
    trade,
)


def by_events(books: BookSet, data: bytes, received_ns: int) -> bool:
    try:
        events = decode(data)
    except MalformedFrame:
        return False
    for event in events:
        books.apply(event, received_ns)
    return True


def by_frame(books: BookSet, data: bytes, received_ns: int) -> bool:
    try:
        books.apply_frame(data, received_ns)
    except MalformedFrame:
        return False
    return True


def by_runs(books: BookSet, run: list[Frame]) -> list[bool]:
    """Which frames of the run could be read; those that are given back go the long way."""
    waiting, refused = iter(run), set()
    while (frame := books.take_run(waiting)) is not None:
        try:
            books.apply_events(frame.data, frame.received_ns)
        except MalformedFrame:
            refused.add(id(frame))
    return [id(frame) not in refused for frame in run]


def all_of(books: BookSet, markets: tuple[Market, ...]) -> list[object]:
    """Everything that can be asked, but for the fields noted by name, which only frames have."""
    state: list[object] = [asdict(books.counters) | {"unknown_fields": {}}, books.drain_dirty(), books.drain_resyncs()]
    trusts = [books.trust(market.condition_id) for market in markets]
    assert books.trusts() == {trust: trusts.count(trust) for trust in Trust}
    for market in markets:
        key, book = market.condition_id, books.book(market.condition_id)
        assert book is not None
        state.append((books.trust(key), books.doubt(key), books.last_update_ns(key), books.last_proof_ns(key)))
        state.append((books.market(key), book.bids, book.asks, book.bid_top, book.ask_top, book.epoch))
        state.append((book.best_bids(3), book.best_asks(3)))
    return state


def assert_same(frames: list[bytes], markets: tuple[Market, ...], hash_every: int) -> BookSet:
    short, long, runs = ways = [BookSet(hash_every=hash_every) for _ in range(3)]
    for books in ways:
        for market in markets:
            books.track(market)
    run: list[Frame] = []
    read: list[bool] = []
    for place, data in enumerate(frames):
        now_ns = place * 50_000_000
        run.append(Frame(now_ns, 0, data))
        read.append(by_events(long, data, now_ns))
        assert by_frame(short, data, now_ns) == read[-1]
        ends, pauses = place % 7 == 0 or place == len(frames) - 1, place % 40 == 39
        if ends or pauses:
            assert by_runs(runs, run) == read
            run, read = [], []
        if pauses:
            for books in ways:
                books.settle(now_ns)
        if ends:
            known = all_of(long, markets)
            assert all_of(short, markets) == known, place
            assert all_of(runs, markets) == known, place
    for books in ways:
        books.flush()
    known = all_of(long, markets)
    assert all_of(short, markets) == known
    assert all_of(runs, markets) == known
    return runs


ENTRY = st.fixed_dictionaries(
    {
        "asset_id": st.sampled_from([YES, YES, NO]),
        "price": st.sampled_from(["0.49", "0.51", "0.5", "0.48", "0.481", "2"]),
        "size": st.sampled_from(["0", "5", "5.0", "12.5", ".5", "", "x", "2000000000"]),
        "side": st.sampled_from(["BUY", "SELL"]),
        "best_bid": st.sampled_from(["0.49", "0.48", "0", "", "9"]),
        "best_ask": st.sampled_from(["0.51", "0.5", "1", ""]),
    }
)
HONEST = st.tuples(st.sampled_from(Side), st.integers(1, 5), st.integers(0, 3), st.integers(0, 2))
STEP = st.one_of(
    HONEST, HONEST, HONEST, st.lists(ENTRY, max_size=3), st.sampled_from(["snapshot", "lose", "trade", "tops", "lie"])
)


@settings(max_examples=150, deadline=None)
@given(st.lists(STEP, max_size=25), st.sampled_from([0, 1, 3]))
def test_honest_and_crooked_frames_are_taken_alike(steps: list[Any], hash_every: int) -> None:
    venue = Venue()
    frames = [venue.snapshot()]
    for step in steps:
        match step:
            case (side, away, shares, later_ms):
                price = 5000 - away * 100 if side is Side.BUY else 5000 + away * 100
                frames.append(venue.change(side, price, shares, later_ms=later_ms))
            case list():
                frames.append(price_change(step, venue.now_ms))
            case "snapshot":
                frames.append(venue.snapshot(opening=False))
            case "lose":
                venue.set(Side.BUY, 4600, venue.now_ms % 9)
            case "tops":
                bid, ask = price_text(venue.book.bid_top), price_text(venue.book.ask_top)
                frames.append(best_bid_ask(bid, ask, venue.now_ms))
            case "lie":
                frames.append(best_bid_ask("0.01", "0.99", venue.now_ms, NO))
            case _:
                frames.append(trade("0.51", venue.now_ms))
    assert_same(frames, (MARKET,), hash_every)


@pytest.mark.parametrize("hash_every", [0, 8])
def test_a_recording_is_taken_alike(tmp_path: Path, hash_every: int) -> None:
    lines, markets = made(tmp_path, seed=21, seconds=20, markets=6, pace=3.0)
    books = assert_same([line.encode() for line in lines], markets, hash_every)
    assert books.counters.deltas > 100


NOISE = st.one_of(st.binary(max_size=80), st.just(b"PONG"), st.just(b'{"event_type":"book"}'))


@settings(max_examples=60, deadline=None)
@given(st.lists(NOISE, max_size=10), st.binary(max_size=30))
def test_noise_changes_no_book(noise: list[bytes], tail: bytes) -> None:
    venue, books = Venue(), BookSet(hash_every=0)
    books.track(MARKET)
    books.apply_frame(venue.snapshot(), 1)
    for data in (*noise, tail + b'"event_type":"price_change"}'):
        with suppress(MalformedFrame):
            books.apply_frame(data, 2)
    assert books.trust(CONDITION) is Trust.VERIFIED
    book = books.book(CONDITION)
    assert book is not None
    assert book.same_levels(venue.book)


def test_the_short_way_is_taken_by_what_it_was_made_for() -> None:
    venue, books = Venue(), BookSet(hash_every=0)
    books.track(MARKET)
    books.apply_frame(venue.snapshot(), 1)
    before = books._room
    for shares in range(1, 6):
        books.apply_frame(venue.change(Side.BUY, 4950, shares), 2)
    assert before - books._room == 5
    assert (books.counters.deltas, books.counters.bbo_checked, books.counters.events) == (5, 5, 6)


def test_a_run_stops_at_what_needs_the_long_way_and_leaves_it_and_the_rest_untouched() -> None:
    venue, books = Venue(), BookSet(hash_every=0)
    books.track(MARKET)
    books.apply_frame(venue.snapshot(), 1)
    frames = [venue.change(Side.BUY, 4950, 5), trade("0.51", venue.now_ms), venue.change(Side.BUY, 4950, 7)]
    waiting = iter([Frame(place, 0, data) for place, data in enumerate(frames)])
    given_back = books.take_run(waiting)
    book = books.book(CONDITION)
    assert given_back is not None
    assert book is not None
    assert given_back.data == frames[1]
    assert book.bids[4950] == 5_000_000
    assert [frame.data for frame in waiting] == frames[2:]
    assert books.last_trade(CONDITION) is None


def test_a_run_checks_the_hashes_that_fall_due_in_it() -> None:
    venue, books = Venue(), BookSet(hash_every=4)
    books.track(MARKET)
    books.apply_frame(venue.snapshot(), 1)
    frames = [Frame(2, 0, venue.change(Side.BUY, 4950, shares)) for shares in range(1, 9)]
    assert books.take_run(iter(frames)) is None
    books.flush()
    assert books.counters.hash_checked == books.counters.hash_matches == 3


def test_neither_a_sampled_frame_nor_the_next_one_needs_the_long_way() -> None:
    venue, books = Venue(), BookSet(hash_every=3)
    books.track(MARKET)
    books.apply_frame(venue.snapshot(), 1)
    for shares in range(1, 13):
        books.apply_frame(venue.change(Side.BUY, 4950, shares), 2)
    books.flush()
    assert books._long == 1  # the snapshot
    assert (books.counters.hash_checked, books.counters.hash_matches) == (5, 5)
    assert books.counters.deltas == books.counters.bbo_checked == 12


@pytest.mark.parametrize("hash_every", [0, 1_000])
def test_a_sweep_does_not_keep_frames_off_the_short_way(hash_every: int) -> None:
    venue, books = Venue(), BookSet(hash_every=hash_every, sweep_ns=10, silence_ns=0)
    books.track(MARKET)
    books.apply_frame(venue.snapshot(), 1)
    books.settle(9)  # asks for a hash
    before = books._long
    for shares in range(1, 9):
        books.apply_frame(venue.change(Side.BUY, 4950, shares), 9)
    assert books._long - before <= 1
    assert books.counters.deltas == 8


def test_a_wrong_hash_on_the_short_way_costs_trust_as_on_the_long() -> None:
    venue, books = Venue(), BookSet(hash_every=1)
    books.track(MARKET)
    books.apply_frame(venue.snapshot(), 1)
    books.apply_frame(venue.change(Side.BUY, 4950, 1), 2)
    books.apply_frame(venue.change(Side.BUY, 4950, 2, wrong={"hash": "0" * 40}), 3)
    books.apply_frame(venue.change(Side.BUY, 4950, 3), 4)
    assert books.doubt(CONDITION) is Doubt.HASH


def test_a_wrong_top_on_the_short_way_costs_trust_as_on_the_long() -> None:
    venue, books = Venue(), BookSet(hash_every=0)
    books.track(MARKET)
    books.apply_frame(venue.snapshot(), 1)
    venue.set(Side.BUY, 4950, 5)  # lost
    books.apply_frame(venue.change(Side.SELL, 5500, 1), 2)
    assert books.doubt(CONDITION) is Doubt.BURST_OPEN
    books.apply_frame(venue.change(Side.SELL, 5500, 2), 3)
    assert books.doubt(CONDITION) is Doubt.TOPS


@pytest.mark.parametrize(
    ("was", "now"),
    [
        (b'"market":"0x' + b"ab" * 32 + b'",', b""),
        (b'"market":"', b'"market":7,"was":"'),
        (b'"hash":"', b'"hash":"\xff'),
        (b'"timestamp":"', b'"pad":"' + b"x" * 65_536 + b'","timestamp":"'),
        (b'{"market"', b' {"market"'),
    ],
    ids=["no market", "a number for a market", "no UTF-8", "large", "a leading blank"],
)
def test_what_the_short_way_never_reads_is_judged_as_on_the_long_way(was: bytes, now: bytes) -> None:
    venue = Venue()
    frames = [venue.snapshot(), venue.change(Side.BUY, 4950, 5).replace(was, now), venue.change(Side.BUY, 4950, 7)]
    assert frames[1].count(now) >= 1
    assert_same(frames, (MARKET,), 0)


def test_a_hash_that_is_no_text_is_refused_where_it_is_checked_and_not_seen_elsewhere() -> None:
    venue, checking, passing = Venue(), BookSet(hash_every=1), BookSet(hash_every=0)
    snapshot = venue.snapshot()
    odd = venue.change(Side.BUY, 4950, 5, wrong={"hash": "?"}).replace(b'"hash":"?"', b'"hash":7')
    for books in (checking, passing):
        books.track(MARKET)
        books.apply_frame(snapshot, 1)
    with pytest.raises(MalformedFrame, match="bad_field"):
        checking.apply_frame(odd, 2)
    assert checking.counters.deltas == 0
    assert passing.apply_frame(odd, 2) == ()
    assert passing.counters.deltas == 1


def test_a_frame_of_fifty_megabytes_is_refused_quickly() -> None:
    books = BookSet()
    books.track(MARKET)
    padded = b'{"market":"0x1","pad":"' + b"x" * 50_000_000 + b'","price_changes":[],"event_type":"price_change"}'
    with pytest.raises(MalformedFrame, match="too_large"):
        books.apply_frame(padded, 1)


def test_a_tick_change_sends_the_next_frames_the_long_way() -> None:
    venue, books = Venue(), BookSet()
    books.track(MARKET)
    books.apply_frame(venue.snapshot(), 1)
    books.apply_frame(tick_change("0.001", START_MS + 1), 2)
    books.apply_frame(venue.change(Side.BUY, complement(5050), 1), 3)
    assert books.counters.deltas_before_snapshot == 1
    assert books.trust(CONDITION) is Trust.BROKEN
