"""Two tellings of one stream become one: nothing twice, nothing lost that either side brought."""

import json
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from markets.domain.events import Frame
from markets.feed.redundancy import Merger


def change(at: int, size: int = 10, market: str = "0x01") -> bytes:
    entry = {"asset_id": "1", "price": "0.5", "size": str(size), "side": "BUY", "hash": f"h{at}"}
    return json.dumps(
        {"market": market, "price_changes": [entry], "timestamp": str(at), "event_type": "price_change"}
    ).encode()


def book(at: int) -> bytes:
    return json.dumps(
        {"event_type": "book", "market": "0x01", "asset_id": "1", "timestamp": str(at), "hash": f"h{at}"}
    ).encode()


def told(merger: Merger, *frames: tuple[int, bytes], start: int = 0) -> list[bytes]:
    taken = enumerate(frames, start)
    return [data for at, (side, data) in taken if merger.take(side, Frame(at * 1_000_000, side + 1, data))]


def test_the_first_frame_wins_and_its_twin_is_dropped() -> None:
    merger = Merger()
    assert told(merger, (0, change(1)), (1, change(1)), (1, change(2)), (0, change(2))) == [change(1), change(2)]
    assert merger.duplicates == 2
    assert [(side.first, side.lead_ms) for side in merger.sides] == [(1, 1.0), (1, 1.0)]


def test_twins_are_twins_however_they_are_spelled() -> None:
    respelled = json.dumps(dict(reversed(json.loads(change(1)).items())), indent=1).encode()
    assert told(Merger(), (0, change(1)), (1, respelled)) == [change(1)]


def test_neighbours_of_a_burst_share_time_and_hash_and_are_all_told() -> None:
    burst = [change(1, 10), change(1, 0), change(1, 10)]
    both = [(side, data) for data in burst for side in (0, 1)]
    assert told(Merger(), *both) == burst


def test_a_book_is_no_twin_of_the_change_it_agrees_with() -> None:
    assert told(Merger(), (0, change(1)), (0, book(1)), (1, change(1)), (1, book(1))) == [change(1), book(1)]


def test_what_one_side_lost_the_other_brings_and_it_is_counted() -> None:
    merger = Merger(generation=4)
    merger.up(0, -1)
    merger.up(1, -1)
    frames = [(side, change(at)) for at in range(1, 13) for side in (0, 1) if (side, at) != (1, 2)]
    assert told(merger, *frames) == [change(at) for at in range(1, 13)]
    assert [side.lost for side in merger.sides] == [0, 1]


def test_after_a_snapshot_that_was_asked_for_the_lagging_side_may_say_everything_again() -> None:
    merger = Merger()
    ahead = [(1, change(at)) for at in (1, 2, 3)]
    assert told(merger, *ahead) == [data for _, data in ahead]
    merger.awaits(("1",))
    assert told(merger, (0, book(2)), (0, change(3)), (1, change(4))) == [book(2), change(3), change(4)]


def test_opening_dumps_and_garbage_are_handled_too() -> None:
    dump = b"[" + book(1) + b"]"
    assert told(Merger(), (0, dump), (1, dump)) == [dump, dump]
    assert told(Merger(), (0, b"\xff"), (1, b"\xff"), (0, b"{")) == [b"\xff", b"{"]


@given(st.lists(st.integers(0, 5), max_size=40), st.lists(st.integers(0, 1), max_size=90))
def test_two_whole_streams_merge_into_the_stream_however_they_interleave(
    sizes: Sequence[int], order: Sequence[int]
) -> None:
    stream = [change(at // 3, size) for at, size in enumerate(sizes)]
    rest = [list(stream), list(stream)]
    frames: list[tuple[int, bytes]] = []
    for side in [*order, *([0] * len(stream)), *([1] * len(stream))]:
        if rest[side]:
            frames.append((side, rest[side].pop(0)))
    assert told(Merger(), *frames) == stream
