"""Words of the venue about our account: every documented and every captured shape is read, and nothing is guessed."""

import json
from pathlib import Path

import pytest

from execution.domain.commands import TradeStatus
from execution.domain.decode import (
    Change,
    MalformedAccount,
    OrderWord,
    TradeWord,
    decode_words,
    order_word,
    scaled,
    trade_word,
)
from markets.domain.events import Side
from markets.domain.units import SIZE_ONE

ORDER = {
    "event_type": "order",
    "id": "0xabc",
    "market": "0xc0",
    "asset_id": "11",
    "side": "BUY",
    "price": "0.52",
    "original_size": "10",
    "size_matched": "4",
    "status": "LIVE",
    "type": "UPDATE",
    "timestamp": "1795305600150",
}
TRADE = {
    "event_type": "trade",
    "type": "TRADE",
    "id": "t-1",
    "taker_order_id": "0xdef",
    "market": "0xc0",
    "asset_id": "22",
    "side": "BUY",
    "size": "4",
    "price": "0.48",
    "status": "MATCHED",
    "bucket_index": 1,
    "maker_orders": [{"order_id": "0xabc", "asset_id": "11", "matched_amount": "4", "price": "0.52", "side": "BUY"}],
    "timestamp": "1795305600880",
}


def an_order(**changes: object) -> OrderWord:
    return order_word(ORDER | changes)


def a_trade(**changes: object) -> TradeWord:
    return trade_word(TRADE | changes)


def test_an_order_is_read_in_our_units() -> None:
    word = an_order()
    assert (word.price, word.size, word.matched) == (5_200, 10 * SIZE_ONE, 4 * SIZE_ONE)
    assert (word.side, word.change, word.timestamp_ms) == (Side.BUY, Change.UPDATE, 1_795_305_600_150)


def test_a_trade_is_read_with_the_legs_of_both_sides() -> None:
    trade = a_trade()
    assert (trade.trade_id, trade.bucket, trade.status) == ("t-1", 1, TradeStatus.MATCHED)
    assert (trade.taker.order_id, trade.taker.price, trade.taker.size) == ("0xdef", 4_800, 4 * SIZE_ONE)
    assert (trade.makers[0].order_id, trade.makers[0].asset, trade.makers[0].price) == ("0xabc", "11", 5_200)


@pytest.mark.parametrize("odd", ["", None, "many", "-1", "NaN"])
def test_a_cancellation_is_understood_whatever_else_is_odd(odd: str | None) -> None:
    fields = ("size_matched", "original_size", "price", "created_at", "timestamp", "side")
    raw: dict[str, object] = {**ORDER, **dict.fromkeys(fields, odd)}
    word = order_word(raw | {"type": "CANCELLATION", "status": "CANCELED_because"})
    assert word.cancelled
    assert not word.expired


def test_an_order_without_an_id_is_refused() -> None:
    with pytest.raises(MalformedAccount, match="id"):
        order_word({name: value for name, value in ORDER.items() if name != "id"})


@pytest.mark.parametrize("field", ["size", "price", "status", "side", "taker_order_id", "market"])
def test_a_trade_that_cannot_be_read_whole_is_refused(field: str) -> None:
    for broken in ("?", None):
        if field in ("taker_order_id", "market") and broken:
            continue
        with pytest.raises(MalformedAccount):
            a_trade(**{field: broken})


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("TRADE_STATUS_CONFIRMED", TradeStatus.CONFIRMED),
        ("confirmed", TradeStatus.CONFIRMED),
        ("MATCHED_NOT_BROADCASTED", TradeStatus.MATCHED),
        ("TRADE_STATUS_FAILED", TradeStatus.FAILED),
    ],
)
def test_a_status_is_the_same_with_and_without_its_prefix(said: str, status: TradeStatus) -> None:
    assert a_trade(status=said).status is status


def test_seconds_and_milliseconds_are_told_apart() -> None:
    assert an_order(timestamp="1795305600").timestamp_ms == 1_795_305_600_000
    assert an_order(timestamp=1795305600150).timestamp_ms == 1_795_305_600_150
    assert an_order(timestamp="", created_at="1795305600").timestamp_ms == 1_795_305_600_000


def test_a_price_made_by_division_is_the_grid_price_it_came_from() -> None:
    assert a_trade(price="0.4300000444600143").taker.price == 4_300


def test_over_rest_only_the_status_ends_an_order() -> None:
    rest = {name: value for name, value in ORDER.items() if name not in ("type", "event_type")}
    assert not order_word(rest | {"status": "ORDER_STATUS_LIVE"}).cancelled
    assert order_word(rest | {"status": "ORDER_STATUS_CANCELED_MARKET_RESOLVED"}).cancelled
    assert order_word(rest | {"status": "CANCELED_EXPIRED_ORDER"}).expired


def test_a_size_in_millionths_is_put_right_by_the_size_we_know() -> None:
    word = scaled(an_order(original_size="10000000", size_matched="4000000"), 10 * SIZE_ONE)
    assert (word.size, word.matched) == (10 * SIZE_ONE, 4 * SIZE_ONE)
    assert scaled(an_order(), 10 * SIZE_ONE) == an_order()


def test_one_bad_message_of_an_array_does_not_hide_the_others() -> None:
    words = decode_words(json.dumps([ORDER, TRADE | {"size": "?"}, 7, TRADE]).encode())
    assert [type(word).__name__ for word in words.said] == ["OrderWord", "TradeWord"]
    assert len(words.faults) == 2


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"null", b'"x"', b"[[]]"])
def test_garbage_is_told_and_says_nothing(data: bytes) -> None:
    words = decode_words(data)
    assert words.said == ()
    assert len(words.faults) == 1


def test_kinds_we_do_not_know_are_left_out() -> None:
    assert decode_words(b'{"event_type":"fanfare","id":"1"}') == ((), ())


def test_every_documented_example_is_read(shared_data: Path) -> None:
    folder = shared_data.parent / "polymarket-examples" / "user-ws"
    for path in sorted(folder.glob("[ot]*.json")):
        words = decode_words(path.read_bytes())
        assert (len(words.said), words.faults) == (1, ()), path.name
        if "cancellation" in path.name:
            assert isinstance(words.said[0], OrderWord)
            assert words.said[0].cancelled, path.name


def test_every_captured_message_is_read(shared_data: Path) -> None:
    read = 0
    for path in sorted((shared_data / "ws_user").rglob("*.json*")):
        text = path.read_bytes()
        for data in text.split(b"\n") if path.suffix == ".jsonl" else [text]:
            if data:
                words = decode_words(data)
                assert (len(words.said), words.faults) == (1, ()), path.name
                read += 1
    assert read > 15
