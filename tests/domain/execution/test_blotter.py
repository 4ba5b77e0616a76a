import pytest

from execution.domain.blotter import Blotter, OrderRecord
from execution.domain.commands import (
    Accepted,
    Ack,
    CancelFailed,
    Cancelled,
    Fill,
    NewOrder,
    Outcome,
    Rejected,
    Strategy,
    TradeStatus,
    Unknown,
)
from execution.domain.orders import IllegalMove, OrderEventKind, OrderState
from markets.domain.events import Side

S = OrderState
SHARE = 1_000_000


def order(number: int = 1, market: str = "m", side: Side = Side.BUY, size: int = 20 * SHARE) -> NewOrder:
    return NewOrder(number, market, "yes", side, 5000, size, 100)


def accepted(number: int = 1, ack: Ack = Ack.LIVE) -> Accepted:
    return Accepted(number, f"0x{number}", ack, 10)


def fill(shares: float, trade: str = "t1", number: int = 1, status: TradeStatus = TradeStatus.MATCHED) -> Fill:
    size = int(shares * SHARE)
    return Fill(number, trade, 0, "m", "yes", Side.BUY, 5000, size, 0, True, status, 20)


def blotter(*outcomes: Outcome, size: int = 20 * SHARE) -> Blotter:
    made = Blotter()
    made.plan(order(size=size), Strategy.SPREAD, 1)
    for outcome in outcomes:
        made.apply(outcome)
    return made


def state(of: Blotter, number: int = 1) -> OrderState:
    found = of.order(number)
    assert found is not None
    return found.state


def test_a_planned_order_is_live_at_once() -> None:
    assert [o.state for o in blotter().live("m")] == [S.PLANNED]
    assert blotter().open_count == 1


def test_a_client_order_id_is_planned_once() -> None:
    with pytest.raises(ValueError, match="client order id 1 is taken"):
        blotter().plan(order(), Strategy.SPREAD, 2)


def test_an_answer_moves_the_order_and_tells_the_journal() -> None:
    made = blotter()
    moved = made.apply(accepted())
    assert moved is not None
    assert (moved.before, moved.event, moved.after) == (S.PLANNED, OrderEventKind.ACCEPT, S.LIVE)
    assert made.live("m")[0].order_id == "0x1"


@pytest.mark.parametrize(
    ("before", "word", "resizes"),
    [
        ((), accepted(), False),
        ((), Unknown(1, "timed out", 10), False),
        ((), Rejected(1, "balance", "not enough balance", 10), True),
        ((accepted(),), Cancelled(1, "", 10), True),
        ((accepted(),), fill(5), True),
        ((accepted(),), fill(20), True),
        ((Rejected(1, "", "", 10),), accepted(), True),
        ((Cancelled(1, "", 10),), fill(5), True),
    ],
)
def test_a_move_says_whether_what_may_still_fill_is_another_amount(
    before: tuple[Outcome, ...], word: Outcome, resizes: bool
) -> None:
    waiting = blotter(*before)
    was = sum(order.remaining for order in waiting.live("m"))
    moved = waiting.apply(word)
    assert moved is not None
    assert moved.resizes is resizes
    assert resizes or sum(order.remaining for order in waiting.live("m")) == was


def test_outcomes_said_twice_change_nothing() -> None:
    made = blotter(accepted(), fill(5))
    before = made.live("m")
    assert made.apply(accepted()) is None
    assert made.apply(fill(5)) is None
    assert made.apply(fill(5, status=TradeStatus.CONFIRMED)) is None
    assert made.live("m") == before


def test_a_part_fill_leaves_the_rest() -> None:
    made = blotter(accepted(), fill(5))
    assert state(made) is S.PARTIALLY_FILLED
    assert made.live("m")[0].remaining == 15 * SHARE


def test_a_fill_before_the_answer_counts_and_the_late_answer_attaches() -> None:
    made = blotter(fill(5), accepted())
    assert state(made) is S.PARTIALLY_FILLED
    assert made.live("m")[0].order_id == "0x1"


def test_a_fill_is_told_in_shares_and_prices() -> None:
    waiting = blotter(accepted())
    moved = waiting.apply(fill(2.5))
    assert moved is not None
    assert moved.detail == "2.5 at 0.5"


def test_a_full_fill_ends_the_order() -> None:
    made = blotter(accepted(), fill(20))
    assert state(made) is S.FILLED
    assert made.live("m") == ()
    assert made.open_count == 0


def test_a_fill_within_dust_of_the_size_is_a_full_one() -> None:
    assert state(blotter(accepted(), fill(19.995))) is S.FILLED


def test_an_overshooting_fill_leaves_nothing_negative() -> None:
    made = blotter(accepted(), fill(20.004))
    found = made.order(1)
    assert found is not None
    assert (found.state, found.remaining) == (S.FILLED, 0)


def test_a_failed_settlement_does_not_bring_the_order_back() -> None:
    made = blotter(accepted(), fill(20), fill(20, status=TradeStatus.FAILED))
    assert state(made) is S.FILLED


def test_a_lost_answer_keeps_the_order_in_view() -> None:
    made = blotter(Unknown(1, "timed out", 10))
    assert [o.client_order_id for o in made.unknown] == [1]
    assert made.open_count == 1


def test_a_rejection_ends_it() -> None:
    made = blotter(Rejected(1, "balance", "not enough balance", 10))
    assert state(made) is S.REJECTED
    assert made.live("m") == ()


def test_a_fill_that_won_the_race_with_our_cancel_is_counted() -> None:
    made = blotter(accepted())
    made.ask_cancel([1], 11)
    made.apply(Cancelled(1, "asked", 12))
    moved = made.apply(fill(20))
    assert moved is not None
    assert (moved.after, moved.filled) == (S.FILLED, 20 * SHARE)


def test_contradicting_answers_bring_the_order_back_as_unknown() -> None:
    made = blotter(Rejected(1, "x", "", 10))
    made.apply(accepted())
    assert state(made) is S.UNKNOWN
    assert made.open_count == 1


def test_an_expiry_is_told_from_a_cancel() -> None:
    assert state(blotter(accepted(), Cancelled(1, "", 12, expired=True))) is S.EXPIRED


def test_a_cancel_is_asked_once() -> None:
    made = blotter(accepted())
    assert made.ask_cancel([1], 11) == (1,)
    assert made.ask_cancel([1], 12) == ()
    assert state(made) is S.CANCELLING


@pytest.mark.parametrize(
    "outcomes",
    [(), (Unknown(1, "timed out", 5),), (accepted(ack=Ack.DELAYED),)],
    ids=["sent", "unknown", "delayed"],
)
def test_a_cancel_that_cannot_be_sent_yet_is_deferred_not_lost(outcomes: tuple[Outcome, ...]) -> None:
    made = blotter(*outcomes)
    assert made.ask_cancel([1], 11) == ()
    assert made.live("m")[0].cancel_asked
    assert made.due_cancels(12) == ()
    made.apply(accepted())
    assert made.due_cancels(13) == (1,)
    assert made.due_cancels(14) == ()
    assert state(made) is S.CANCELLING


def test_a_deferred_cancel_of_an_order_that_ended_is_dropped() -> None:
    made = blotter()
    made.ask_cancel([1], 11)
    made.apply(Rejected(1, "x", "", 12))
    assert made.due_cancels(13) == ()


def test_a_failed_cancel_leaves_the_order_unknown_and_is_tried_again() -> None:
    made = blotter(accepted())
    made.ask_cancel([1], 11)
    made.apply(CancelFailed(1, "order not found", 12))
    assert state(made) is S.UNKNOWN
    assert made.overdue_cancels(15, 10) == ()
    assert made.overdue_cancels(21, 10) == (1,)
    assert made.overdue_cancels(22, 10) == ()


def test_an_ended_order_cannot_be_cancelled() -> None:
    assert blotter(accepted(), fill(20)).ask_cancel([1], 11) == ()


def test_outcomes_of_an_order_not_planned_yet_wait_for_it() -> None:
    made = Blotter()
    assert made.apply(fill(5)) is None
    assert list(made.strangers) == [1]
    moves = made.plan(order(), Strategy.SPREAD, 1)
    assert [moved.after for moved in moves] == [S.PARTIALLY_FILLED]
    assert made.strangers == {}


def test_an_illegal_move_raises_and_changes_nothing() -> None:
    made = blotter()
    before = made.live("m")
    with pytest.raises(IllegalMove):
        made.apply(CancelFailed(1, "?", 10))
    assert made.live("m") == before


def test_live_orders_keep_their_order_and_their_market() -> None:
    made = blotter(accepted())
    made.plan(order(2), Strategy.DUTCH_BOOK, 2)
    made.plan(order(3, market="other"), Strategy.SPREAD, 3)
    made.apply(fill(5))
    assert [o.client_order_id for o in made.live("m")] == [1, 2]
    assert [o.client_order_id for o in made.live("m", Strategy.SPREAD)] == [1]
    assert [o.client_order_id for o in made.all_live()] == [1, 2, 3]


def test_open_sells_reserve_shares_except_those_about_to_be_replaced() -> None:
    made = Blotter()
    made.plan(order(1, side=Side.SELL), Strategy.SPREAD, 1)
    made.plan(order(2, side=Side.SELL, size=7 * SHARE), Strategy.DUTCH_BOOK, 1)
    made.plan(order(3), Strategy.SPREAD, 1)
    assert made.selling("m", "yes") == 27 * SHARE
    assert made.selling("m", "yes", besides=Strategy.SPREAD) == 7 * SHARE


def test_restored_orders_that_were_being_sent_are_unknown() -> None:
    made = Blotter()
    records = [
        OrderRecord(order(1), "p", Strategy.SPREAD, S.SUBMITTING, 0, 1, ""),
        OrderRecord(order(2), "p", Strategy.SPREAD, S.PARTIALLY_FILLED, 5 * SHARE, 1, "0x2", fills=(("t1", 0),)),
        OrderRecord(order(3), "p", Strategy.SPREAD, S.CANCELLED, 0, 1, "0x3"),
    ]
    moves = made.restore(records, 50)
    assert [(moved.client_order_id, moved.after) for moved in moves] == [(1, S.UNKNOWN)]
    assert [(o.client_order_id, o.remaining) for o in made.live("m")] == [(1, 20 * SHARE), (2, 15 * SHARE)]
    assert made.apply(fill(5, number=2)) is None


def test_old_ended_orders_are_forgotten_and_open_ones_never() -> None:
    made = blotter(accepted(), Cancelled(1, "", 12))
    made.plan(order(2), Strategy.SPREAD, 1)
    assert made.forget(12) == 0
    assert made.forget(13) == 1
    assert made.order(1) is None
    assert made.order(2) is not None
