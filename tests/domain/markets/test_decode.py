"""Frames become events, whole and exact, or are refused with a reason."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets.domain.decode import MAX_FRAME_BYTES, MalformedFrame, MalformedReason, decode, market_hint
from markets.domain.events import (
    UNSAID,
    BestBidAsk,
    BookSnapshot,
    LastTrade,
    MarketResolved,
    NewMarket,
    PriceChange,
    Side,
    TickSizeChange,
    UnknownEvent,
)
from markets.domain.units import complement
from tests.domain.markets.wire import CONDITION, NO, START_MS, YES, Venue, frame, price_change, tick_change, trade

ENTRY = {
    "asset_id": YES,
    "price": "0.48",
    "size": "1000.5",
    "side": "BUY",
    "hash": "h",
    "best_bid": "0.49",
    "best_ask": "0.51",
}


def reason_for(data: bytes) -> MalformedReason:
    with pytest.raises(MalformedFrame) as caught:
        decode(data)
    return caught.value.reason


def test_a_price_change_carries_both_tokens_in_integers() -> None:
    (event,) = decode(Venue().change(Side.BUY, 4900, 65))
    assert isinstance(event, PriceChange)
    yes, no = event.changes
    assert (yes.asset, yes.side, yes.price, yes.size) == (YES, Side.BUY, 4900, 65_000_000)
    assert (no.asset, no.side, no.price, no.best_ask) == (NO, Side.SELL, complement(4900), complement(4900))


def test_an_opening_dump_is_an_array_of_books() -> None:
    venue = Venue()
    yes, no = decode(b"[" + venue.snapshot(True) + b"," + venue.snapshot(False) + b"]\n")
    assert isinstance(yes, BookSnapshot)
    assert isinstance(no, BookSnapshot)
    assert (yes.tick, yes.last_trade) == (50, "")
    assert no.asks[-1][0] == complement(yes.bids[-1][0])


def test_the_event_type_may_come_first_and_times_may_be_numbers() -> None:
    message = {"event_type": "price_change", "market": CONDITION, "price_changes": [ENTRY], "timestamp": START_MS}
    (event,) = decode(frame(message))
    assert isinstance(event, PriceChange)
    assert event.changes[0].size == 1_000_500_000


def test_unknown_fields_are_accepted() -> None:
    (event,) = decode(price_change([{**ENTRY, "mood": "wild"}], START_MS))
    assert isinstance(event, PriceChange)


def test_price_changes_of_before_september_2025_are_read() -> None:
    changes = [{"price": ".48", "side": "SELL", "size": "30"}]
    old = {"event_type": "price_change", "market": "0x1", "asset_id": YES, "timestamp": "17", "hash": "h"}
    (event,) = decode(frame({**old, "changes": changes}))
    (oldest,) = decode(frame({**old, **changes[0]}))
    assert event == oldest
    assert isinstance(event, PriceChange)
    assert event.changes[0].best_bid == UNSAID


def test_every_other_message_type_has_its_event() -> None:
    base = {"market": CONDITION, "asset_id": YES, "timestamp": "5"}
    tops = {**base, "event_type": "best_bid_ask", "best_bid": "0.2", "best_ask": "0.21", "spread": "0.01"}
    born = {"market": "0x1", "timestamp": "5", "event_type": "new_market", "assets_ids": [YES, NO], "question": "?"}
    over = {"market": "0x1", "timestamp": "5", "event_type": "market_resolved", "winning_asset_id": NO}
    assert decode(trade("0.491", 5)) == (LastTrade(CONDITION, YES, 5, 4910, 3_000_000, Side.BUY),)
    assert decode(tick_change("0.001", 5)) == (TickSizeChange(CONDITION, YES, 5, 50, 10),)
    assert decode(frame(tops)) == (BestBidAsk(CONDITION, YES, 5, 2000, 2100),)
    assert decode(frame(born)) == (NewMarket("0x1", 5, (YES, NO), "?"),)
    assert decode(frame(over)) == (MarketResolved("0x1", 5, NO),)
    assert decode(frame({"event_type": "weather", "x": 1})) == (UnknownEvent("weather"),)


@pytest.mark.parametrize("data", [b"", b"PONG", b"[]", b"  \n", b"PONG\n"])
def test_silence_holds_no_events(data: bytes) -> None:
    assert decode(data) == ()


@pytest.mark.parametrize(
    "text",
    ["nan", "inf", "-1", "1_000", "1e-6", "", ".", " 5", "0x5", "5 ", "٣", "1.0000001", "2000000001", "9" * 5000],
)
def test_a_size_that_is_no_plain_exact_number_is_refused(text: str) -> None:
    assert reason_for(price_change([{**ENTRY, "size": text}], 1)) is MalformedReason.BAD_NUMBER


@pytest.mark.parametrize("text", ["1.01", "-0.1", "0.00001", "0.48001", "NaN", "half", "1e-2"])
def test_a_price_off_the_unit_interval_or_too_fine_is_refused(text: str) -> None:
    assert reason_for(price_change([{**ENTRY, "price": text}], 1)) is MalformedReason.BAD_NUMBER


def test_trailing_zeros_change_no_number() -> None:
    (event,) = decode(price_change([{**ENTRY, "price": "0.4800", "size": "7.50000000"}], 1))
    assert isinstance(event, PriceChange)
    assert (event.changes[0].price, event.changes[0].size) == (4800, 7_500_000)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"{", MalformedReason.BAD_JSON),
        (b'{"event_type":"book"', MalformedReason.BAD_JSON),
        (b"[" * 100_000, MalformedReason.BAD_JSON),
        (b'\xff\xfe{"event_type":"book"}', MalformedReason.NOT_UTF8),
        (b"[[1]]", MalformedReason.NOT_AN_OBJECT),
        (b"null", MalformedReason.NOT_AN_OBJECT),
        (b'{"a":1}', MalformedReason.NO_EVENT_TYPE),
        (b'{"event_type":"book"}', MalformedReason.MISSING_FIELD),
        (b'{"price_changes":[],"event_type":"price_change"}', MalformedReason.MISSING_FIELD),
        (price_change([{**ENTRY, "side": "HOLD"}], 1), MalformedReason.BAD_FIELD),
        (price_change([ENTRY], -1), MalformedReason.BAD_FIELD),
        (b" " * (MAX_FRAME_BYTES + 1), MalformedReason.TOO_LARGE),
        (tick_change("0", 1), MalformedReason.BAD_NUMBER),
    ],
)
def test_what_cannot_be_believed_is_refused_with_its_reason(data: bytes, reason: MalformedReason) -> None:
    assert reason_for(data) is reason


def test_a_refused_frame_still_hints_at_its_market() -> None:
    assert market_hint(b'{"market": "' + CONDITION.encode() + b'", "pri') == CONDITION
    assert market_hint(b"noise") is None


@given(st.binary(max_size=300))
def test_any_bytes_decode_or_are_refused(data: bytes) -> None:
    with suppress(MalformedFrame):
        decode(data)


LEVEL = st.fixed_dictionaries({"price": st.sampled_from(["0.5", "2", ""]), "size": st.sampled_from(["1", "nan"])})
JSON: st.SearchStrategy[object] = st.sampled_from([None, True, -1, 0.5, "", "0.5", "BUY", {}, [[]], ["1"]]) | st.lists(
    LEVEL, max_size=2
)
FIELDS = ("market", "asset_id", "timestamp", "bids", "asks", "price_changes", "changes", "price", "size", "side")
KINDS = (
    "book",
    "price_change",
    "tick_size_change",
    "last_trade_price",
    "best_bid_ask",
    "new_market",
    "market_resolved",
)


@given(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=8))
def test_any_object_decodes_or_is_refused(kind: str, fields: dict[str, object]) -> None:
    with suppress(MalformedFrame):
        decode(json.dumps({**fields, "event_type": kind}).encode())


def test_samples_of_the_venue_decode(shared_data: Path) -> None:
    """Without `event_type` a frame is refused: a book as REST sends it and a recorder's envelope."""
    folder = shared_data / "ws_market"
    untyped = {"polypy_ws_book_2024-11-29.json", "pulsearb_market_resolved_2026-08-19.json"}
    for path in [*folder.glob("samples/*.json"), *folder.glob("nautilus/*.json")]:
        if path.name in untyped:
            assert reason_for(path.read_bytes()) is MalformedReason.NO_EVENT_TYPE
        else:
            assert decode(path.read_bytes()), path.name
