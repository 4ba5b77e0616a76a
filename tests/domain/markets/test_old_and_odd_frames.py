"""The project's first recordings, fields nobody told us about, and where a frame is malformed."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets.domain.books import BookSet
from markets.domain.decode import MalformedFrame, MalformedReason, decode
from markets.domain.events import UNSAID, BookSnapshot, Frame, LevelChange, PriceChange, Side
from markets.domain.integrity import Trust
from markets.domain.legacy import NotLegacy, translate_legacy_message
from markets.domain.numbers import BadNumber
from markets.domain.oddities import ONE_IN, look
from markets.domain.verification import verify
from markets.feed.frames import read_frames
from tests.domain.markets.wire import CONDITION, START_MS, Venue, frame, price_change

SNAPSHOT = {
    "type": "l2_snapshot",
    "channel": "l2",
    "market": "0xaa",
    "seq": 1,
    "ts_ms": START_MS,
    "bids": [["0.48", "100"]],
    "asks": [{"price": 0.52, "size": 80}],
    "checksum": "c0ffee",
}
UPDATE = {
    "type": "l2_update",
    "channel": "l2",
    "market": "0xaa",
    "seq": 2,
    "ts_ms": START_MS + 5,
    "changes": [["buy", "0.49", "7.5"], {"side": "SELL", "price": "0.52", "size": 0}],
}
BOOK = BookSnapshot("0xaa", "0xaa", START_MS, ((4800, 100_000_000),), ((5200, 80_000_000),), hash="")
CHANGES = PriceChange(
    "0xaa",
    START_MS + 5,
    (
        LevelChange("0xaa", Side.BUY, 4900, 7_500_000, UNSAID, UNSAID, hash=""),
        LevelChange("0xaa", Side.SELL, 5200, 0, UNSAID, UNSAID, hash=""),
    ),
)


def test_old_messages_become_the_events_of_today() -> None:
    assert translate_legacy_message(SNAPSHOT) == (BOOK,)
    assert translate_legacy_message(UPDATE) == (CHANGES,)


def test_old_messages_may_be_wrapped_in_data() -> None:
    bare = {key: value for key, value in UPDATE.items() if key != "channel"}
    assert translate_legacy_message({"channel": "l2", "data": bare}) == (CHANGES,)
    assert translate_legacy_message({"data": UPDATE}) == (CHANGES,)


def test_other_channels_are_ignored() -> None:
    assert translate_legacy_message({**UPDATE, "channel": "trades"}) == ()
    assert translate_legacy_message({"channel": "status", "data": {"type": "anything"}}) == ()


def test_updates_may_name_sides_instead_of_changes() -> None:
    sided = {key: value for key, value in UPDATE.items() if key != "changes"}
    (event,) = translate_legacy_message({**sided, "bids": [["0.49", "7.5"]], "asks": [["0.52", "0"]]})
    assert event == CHANGES


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"market": ""}, NotLegacy),
        ({"ts_ms": "soon"}, NotLegacy),
        ({"ts_ms": -1}, NotLegacy),
        ({"ts_ms": True}, NotLegacy),
        ({"type": "l3_update"}, NotLegacy),
        ({"asset_id": 7}, NotLegacy),
        ({"changes": "many"}, NotLegacy),
        ({"changes": [["buy", "0.49"]]}, NotLegacy),
        ({"changes": [["hold", "0.49", "1"]]}, NotLegacy),
        ({"bids": [7]}, NotLegacy),
        ({"changes": [["buy", "1.49", "1"]]}, BadNumber),
        ({"changes": [["buy", 0.49, float("nan")]]}, BadNumber),
        ({"changes": [["buy", 1e-7, 1]]}, BadNumber),
        ({"changes": [["buy", None, 1]]}, BadNumber),
    ],
)
def test_old_messages_are_checked_like_new_ones(wrong: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        translate_legacy_message({**UPDATE, **wrong})


@pytest.mark.parametrize("message", [None, 7, [], "l2_snapshot"])
def test_what_is_no_object_is_no_old_message(message: object) -> None:
    with pytest.raises(NotLegacy):
        translate_legacy_message(message)


def test_an_old_recording_replays_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / "old.jsonl"
    later = {**UPDATE, "ts_ms": START_MS + 9, "changes": [["sell", "0.51", "3"]]}
    path.write_text("".join(f"{json.dumps(item)}\n" for item in (SNAPSHOT, UPDATE, {"data": later})))
    found = verify(read_frames(path))
    assert found.sound()
    assert found.events_by_type == {"book": 1, "price_change": 2}
    books = BookSet(auto_track=True)
    for item in read_frames(path):
        books.apply_frame(item.data, item.received_ns)
    book = books.book("0xaa")
    assert book is not None
    assert (books.trust("0xaa"), book.bid_top, book.ask_top) == (Trust.VERIFIED, 4900, 5100)


JSON: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["0.5", "buy", "", "l2"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["price", "size", "side"]), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*SNAPSHOT, "changes", "data"]), JSON, max_size=7), st.booleans())
def test_any_object_is_translated_or_refused(fields: dict[str, object], update: bool) -> None:
    with suppress(NotLegacy, BadNumber):
        translate_legacy_message({**fields, "type": "l2_update" if update else "l2_snapshot"})


ENTRY = {"asset_id": "1", "price": "0.4", "size": "1", "side": "BUY", "hash": "", "best_bid": "0.4", "best_ask": "0.6"}
GOOD = price_change([ENTRY], 5)


@pytest.mark.parametrize(
    ("data", "reason", "at"),
    [
        (GOOD[:-1], MalformedReason.BAD_JSON, len(GOOD) - 1),
        (GOOD.replace(b'"price":', b'"price" '), MalformedReason.BAD_JSON, GOOD.index(b'"price":') + 8),
        (GOOD.replace(b"BUY", b"BAY"), MalformedReason.BAD_FIELD, GOOD.index(b'"BUY"')),
        (GOOD.replace(b'"size":"1"', b'"size":"-1"'), MalformedReason.BAD_NUMBER, GOOD.index(b'"1","side"')),
        (GOOD.replace(b'"side":"BUY",', b""), MalformedReason.MISSING_FIELD, GOOD.index(b'{"asset_id"')),
        (b"[" + GOOD + b", " + GOOD.replace(b"BUY", b"BAY") + b"]", MalformedReason.BAD_FIELD, None),
        (b"[" + GOOD + b",[1]]", MalformedReason.NOT_AN_OBJECT, len(GOOD) + 2),
        (b'{"a":"\xff"}', MalformedReason.NOT_UTF8, 6),
        (b" null", MalformedReason.NOT_AN_OBJECT, 0),
        (b'{"type":"ping"}', MalformedReason.NO_EVENT_TYPE, 0),
        (b'{"event_type":"new"' + b'"' * 3, MalformedReason.BAD_JSON, 19),
    ],
)
def test_a_refused_frame_says_where(data: bytes, reason: MalformedReason, at: int | None) -> None:
    with pytest.raises(MalformedFrame) as caught:
        decode(data)
    assert caught.value.reason is reason
    assert caught.value.offset == (data.rindex(b'"BAY"') if at is None else at)


def test_a_book_with_spaces_says_where_too() -> None:
    data = Venue().snapshot().replace(b'{"price":"0.47"', b'{"price": "0.4x"')
    with pytest.raises(MalformedFrame) as caught:
        decode(data)
    assert caught.value.offset == data.index(b'"0.4x"')


def test_a_book_may_be_spelled_with_spaces() -> None:
    tight = Venue().snapshot()
    loose = json.dumps(json.loads(tight), indent=1).encode()
    (one,), (other,) = decode(tight), decode(loose)
    assert isinstance(one, BookSnapshot)
    assert isinstance(other, BookSnapshot)
    assert (one.bids, one.asks, other.spelled) == (other.bids, other.asks, "")
    assert one.spelled.encode() in tight


def test_an_event_type_inside_the_frame_names_nothing() -> None:
    inner = frame({"event_type": "weather", "market": CONDITION, "inner": {"event_type": "book"}})
    assert type(decode(inner)[0]).__name__ == "UnknownEvent"
    with pytest.raises(MalformedFrame):
        decode(b'{"inner":{"event_type":"book"}}')


def test_unknown_fields_are_noted_once_by_name() -> None:
    fields: dict[str, int] = {}
    odd = frame({**json.loads(GOOD), "mood": 1, "price_changes": [{**ENTRY, "aura": "x"}, ENTRY]})
    for _ in range(3):
        look(odd, fields)
    look(b"[" + Venue().snapshot() + b"]", fields)
    assert fields == {"price_change.price_changes.aura": 1, "price_change.mood": 1}


def test_the_first_frame_of_a_type_and_one_in_many_are_looked_at() -> None:
    books = BookSet()
    odd = frame({**json.loads(GOOD), "mood": 1})
    for data in (GOOD, odd, *[GOOD] * (ONE_IN - 3)):
        books.apply_frame(data, 1)
    assert books.counters.unknown_fields == {}
    books.apply_frame(odd, 1)
    assert books.counters.unknown_fields == {"price_change.mood": 1}


def test_unknown_event_types_are_counted_by_name() -> None:
    books = BookSet()
    for kind in ("weather", "weather", "tide"):
        books.apply_frame(frame({"event_type": kind}), 1)
    assert books.counters.unknown_events == {"weather": 2, "tide": 1}


def test_verification_looks_at_every_frame_for_unknown_fields() -> None:
    odd = frame({**json.loads(GOOD), "mood": 1})
    found = verify([*[Frame(1, 0, GOOD)] * 20, Frame(1, 0, odd)])
    assert found.books.unknown_fields == {"price_change.mood": 1}
