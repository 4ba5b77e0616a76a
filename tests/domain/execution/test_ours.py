"""What the venue's words mean for our own orders."""

import msgspec

from execution.domain.blotter import OrderRecord
from execution.domain.commands import Accepted, Ack, Cancelled, Fill, NewOrder, Outcome, Strategy, TradeStatus
from execution.domain.decode import Change, Leg, OrderWord, TradeWord, Word
from execution.domain.orders import OrderState
from execution.domain.ours import REST_KILLED, Meaning, OurOrders
from markets.domain.events import Side
from markets.domain.fees import NO_FEES, FeeSchedule
from markets.domain.units import SIZE_ONE, Size
from strategies.domain.intents import OrderType

YES, NO, CONDITION = "11", "22", "0xc0"
BUY = NewOrder(1, CONDITION, YES, Side.BUY, 5_200, 10 * SIZE_ONE, 100)
FEES = FeeSchedule(rate=500)


def ours(*orders: NewOrder) -> OurOrders:
    mine = OurOrders()
    for order in orders or (BUY,):
        mine.note(order, f"0x{order.client_order_id}")
    return mine


def said(mine: OurOrders, *words: Word, fees: FeeSchedule = NO_FEES) -> Meaning:
    return mine.understand(words, lambda _: fees, 7)


def fills(mine: OurOrders, *words: Word, fees: FeeSchedule = NO_FEES) -> list[Fill]:
    return [each for each in said(mine, *words, fees=fees).outcomes if isinstance(each, Fill)]


def word(status: str, change: Change | None = Change.UPDATE, matched: Size = 0, order_id: str = "0x1") -> OrderWord:
    return OrderWord(order_id, CONDITION, YES, Side.BUY, 5_200, 10 * SIZE_ONE, matched, status, change, 1)


def leg(order_id: str, asset: str, side: Side, price: int, shares: int) -> Leg:
    return Leg(order_id, asset, side, price, shares * SIZE_ONE)


def trade(taker: Leg, *makers: Leg, status: TradeStatus = TradeStatus.MATCHED, bucket: int = 0) -> TradeWord:
    return TradeWord("t-1", bucket, CONDITION, status, taker, makers, 1)


def test_a_placement_and_a_cancellation_are_our_outcomes() -> None:
    outcomes: list[Outcome] = [
        Accepted(1, "0x1", Ack.LIVE, 7),
        Cancelled(1, "CANCELED", 7),
        Cancelled(1, "CANCELED_EXPIRED_ORDER", 7, expired=True),
    ]
    mine = ours()
    for outcome, heard in zip(
        outcomes,
        [
            word("LIVE", Change.PLACEMENT),
            word("CANCELED", Change.CANCELLATION),
            word("CANCELED_EXPIRED_ORDER", Change.CANCELLATION),
        ],
        strict=True,
    ):
        assert said(mine, heard) == ((outcome,), ())


def test_a_delayed_order_is_not_told_as_resting() -> None:
    assert said(ours(), word("DELAYED", Change.PLACEMENT)).outcomes == (Accepted(1, "0x1", Ack.DELAYED, 7),)


def test_a_maker_reads_his_own_leg_and_pays_nothing() -> None:
    taker = leg("0xother", NO, Side.BUY, 4_800, 4)
    (fill,) = fills(ours(), trade(taker, leg("0x1", YES, Side.BUY, 5_200, 4)), fees=FEES)
    assert (fill.asset, fill.side, fill.price, fill.size) == (YES, Side.BUY, 5_200, 4 * SIZE_ONE)
    assert (fill.maker, fill.fee, fill.trade_id) == (True, 0, "t-1")


def test_other_peoples_legs_are_not_ours() -> None:
    taker = leg("0xother", NO, Side.BUY, 4_800, 9)
    legs = (leg("0xthey", YES, Side.BUY, 5_200, 5), leg("0x1", YES, Side.BUY, 5_200, 4))
    (fill,) = fills(ours(), trade(taker, *legs))
    assert fill.size == 4 * SIZE_ONE


def test_two_entries_of_one_order_in_a_trade_are_one_fill() -> None:
    taker = leg("0xother", NO, Side.BUY, 4_800, 5)
    (fill,) = fills(ours(), trade(taker, *(leg("0x1", YES, Side.BUY, 5_200, n) for n in (2, 3))))
    assert fill.size == 5 * SIZE_ONE


def test_a_taker_pays_the_fee_of_the_market() -> None:
    (fill,) = fills(
        ours(), trade(leg("0x1", YES, Side.BUY, 5_200, 10), leg("0xa", YES, Side.SELL, 5_200, 10)), fees=FEES
    )
    assert (fill.maker, fill.price, fill.fee) == (False, 5_200, 124_800)


def test_a_taker_that_met_several_prices_has_a_fill_for_each() -> None:
    """The price of the whole is an average, rounded: 0.013 for seven shares that cost 0.09."""
    taker = leg("0x1", YES, Side.BUY, 130, 7)
    parts = fills(ours(), trade(taker, leg("0xa", NO, Side.BUY, 9_900, 5), leg("0xb", YES, Side.SELL, 200, 2)))
    assert [(each.trade_id, each.price, each.size) for each in parts] == [
        ("t-1@100", 100, 5 * SIZE_ONE),
        ("t-1@200", 200, 2 * SIZE_ONE),
    ]


def test_a_trade_told_in_parts_stays_in_its_parts_also_after_a_restart() -> None:
    taker = leg("0x1", YES, Side.BUY, 130, 7)
    legs = (leg("0xa", NO, Side.BUY, 9_900, 5), leg("0xb", YES, Side.SELL, 200, 2))
    mine = ours()
    first = fills(mine, trade(taker, *legs))
    again = OurOrders()
    again.restore([OrderRecord(BUY, "plan", Strategy.SPREAD, OrderState.LIVE, 0, 1, "0x1")], first)
    bare = trade(taker, status=TradeStatus.CONFIRMED)
    for each in (mine, again):
        later = fills(each, bare)
        assert [(fill.trade_id, fill.size) for fill in later] == [(fill.trade_id, fill.size) for fill in first]
        assert {fill.status for fill in later} == {TradeStatus.CONFIRMED}


def test_legs_that_do_not_add_up_are_one_fill_at_the_stated_price() -> None:
    taker = leg("0x1", YES, Side.BUY, 130, 9)
    (fill,) = fills(ours(), trade(taker, leg("0xa", NO, Side.BUY, 9_900, 5), leg("0xb", YES, Side.SELL, 200, 2)))
    assert (fill.trade_id, fill.price, fill.size) == ("t-1", 130, 9 * SIZE_ONE)


def test_words_about_strangers_change_nothing_and_are_named() -> None:
    taker = leg("0xother", NO, Side.BUY, 4_800, 4)
    heard = said(ours(), word("LIVE", order_id="0xff"), trade(taker, leg("0xthey", YES, Side.BUY, 5_200, 4)))
    assert heard == ((), ("0xff", "0xother"))


def test_ended_orders_are_understood_until_many_others_have_ended() -> None:
    mine = OurOrders(remembered=2)
    for number in range(1, 5):
        mine.note(NewOrder(number, CONDITION, YES, Side.BUY, 5_200, SIZE_ONE, 100), f"0x{number}")
    for number in (1, 2, 3):
        mine.end(f"0x{number}")
    assert mine.find("0x1") is None
    assert mine.order_id(1) == ""
    assert mine.find("0x2") is not None
    assert mine.open_ids == ("0x4",)


def test_a_whole_match_and_a_cancellation_end_an_order_here() -> None:
    mine = ours()
    said(mine, word("LIVE", matched=4 * SIZE_ONE))
    assert list(mine.open_ids) == ["0x1"]
    said(mine, word("MATCHED", matched=10 * SIZE_ONE))
    assert list(mine.open_ids) == []


def test_the_oldest_trade_without_a_settlement_is_known_also_after_a_restart() -> None:
    mine, taker = ours(), leg("0x1", YES, Side.BUY, 5_200, 4)
    first = fills(mine, trade(taker))
    fills(mine, trade(taker, status=TradeStatus.MINED))
    assert mine.unsettled_ms == 1
    again = OurOrders()
    again.restore((), [*first, *(msgspec.structs.replace(fill, bucket=3, at_ns=9_000_000) for fill in first)])
    assert again.unsettled_ms == 0


def test_without_an_unsettled_trade_there_is_no_oldest() -> None:
    mine, taker = ours(), leg("0x1", YES, Side.BUY, 5_200, 4)
    fills(mine, trade(taker), trade(taker, status=TradeStatus.FAILED))
    assert mine.unsettled_ms is None


def test_a_word_late_from_a_settled_trade_reopens_nothing_for_long() -> None:
    mine, taker = ours(), leg("0x1", YES, Side.BUY, 5_200, 4)
    for status in (TradeStatus.CONFIRMED, TradeStatus.MINED, TradeStatus.CONFIRMED):
        fills(mine, trade(taker, status=status))
    assert mine.unsettled_ms is None


def test_an_order_filled_whole_has_ended_and_one_said_twice_has_not() -> None:
    mine, taker = ours(), leg("0xother", NO, Side.BUY, 4_800, 5)
    half = trade(taker, leg("0x1", YES, Side.BUY, 5_200, 5))
    fills(mine, half, half, msgspec.structs.replace(half, status=TradeStatus.MINED))
    assert mine.open_ids
    fills(mine, msgspec.structs.replace(half, bucket=1))
    assert not mine.open_ids


FAK = NewOrder(5, CONDITION, YES, Side.BUY, 5_200, 10 * SIZE_ONE, 100, order_type=OrderType.FAK, post_only=False)


def test_the_end_of_a_taking_order_is_told_when_its_fills_were() -> None:
    mine = ours(FAK)
    assert mine.took("0x5", 4 * SIZE_ONE, 6) is None
    met = trade(leg("0x5", YES, Side.BUY, 5_200, 4), leg("0xa", YES, Side.SELL, 5_200, 4))
    outcomes = said(mine, met, met).outcomes
    assert [type(each).__name__ for each in outcomes] == ["Fill", "Cancelled", "Fill"]
    assert outcomes[1] == Cancelled(5, REST_KILLED, 7)


def test_fills_that_were_faster_than_the_answer_end_it_with_the_answer() -> None:
    mine = ours(FAK)
    said(mine, trade(leg("0x5", YES, Side.BUY, 5_200, 4), leg("0xa", YES, Side.SELL, 5_200, 4)))
    assert mine.took("0x5", 4 * SIZE_ONE, 6) == Cancelled(5, REST_KILLED, 6)
    assert mine.took("0x5", 4 * SIZE_ONE, 6) is None


def test_a_taking_order_that_got_everything_is_filled_and_not_cancelled() -> None:
    mine = ours(FAK)
    assert mine.took("0x5", 10 * SIZE_ONE, 6) is None
    met = trade(leg("0x5", YES, Side.BUY, 5_200, 10), leg("0xa", YES, Side.SELL, 5_200, 10))
    assert [type(each).__name__ for each in said(mine, met).outcomes] == ["Fill"]
    assert not mine.open_ids


def test_a_taking_order_found_matched_by_its_id_waits_for_its_fills_too() -> None:
    mine = ours(FAK)
    heard = said(mine, word("MATCHED", None, matched=4 * SIZE_ONE, order_id="0x5"))
    assert heard.outcomes == (Accepted(5, "0x5", Ack.MATCHED, 7),)
    met = trade(leg("0x5", YES, Side.BUY, 5_200, 4), leg("0xa", YES, Side.SELL, 5_200, 4))
    assert Cancelled(5, REST_KILLED, 7) in said(mine, met).outcomes


def test_an_order_whose_trade_has_not_settled_is_never_forgotten() -> None:
    mine = OurOrders(remembered=1)
    for number in range(1, 6):
        mine.note(NewOrder(number, CONDITION, YES, Side.BUY, 5_200, SIZE_ONE, 100), f"0x{number}")
    met = trade(leg("0x1", YES, Side.BUY, 5_200, 1), leg("0xa", YES, Side.SELL, 5_200, 1))
    fills(mine, met)
    for number in range(2, 6):
        mine.end(f"0x{number}")
    assert mine.find("0x1") is not None
    (fill,) = fills(mine, msgspec.structs.replace(met, status=TradeStatus.FAILED))
    assert fill.status is TradeStatus.FAILED
    assert mine.find("0x2") is None
