"""What the trader follows, keeps and hears: markets, outcomes, restarts, and the facts it passes on."""

import msgspec

from execution.domain.blotter import OrderMoved, OrderRecord
from execution.domain.commands import (
    Cancel,
    CancelFailed,
    Cancelled,
    CancelReason,
    Fill,
    NewOrder,
    Rejected,
    Strategy,
    TradeStatus,
    Unknown,
)
from execution.domain.orders import OrderState
from markets.domain.events import Side
from polyweb.runtime.inbox import TraderConfig
from polyweb.runtime.trader import CANCEL_PATIENCE_NS, ENDED_KEPT_NS
from risk.domain.stops import Stop, StopLevel, StopScope
from tests.builders import (
    CONFIG,
    PUSD,
    SECOND,
    SHARES,
    START,
    Stage,
    a_market,
    accepted,
    book,
    cancelled,
    fill_of,
    placed,
)

STOP_ALL = Stop(StopLevel.CANCEL, StopScope.ALL, "", "all out")


def test_an_order_of_unknown_fate_keeps_its_exposure_until_its_end_is_proved() -> None:
    stage = Stage()
    stage.hear(book(stage.market, stage.now))
    stage.decide()
    before = stage.trader.exposure.worst_total()
    stage.apply(Unknown(1, "timed out", stage.now), Unknown(2, "timed out", stage.now))
    stage.operator(stops=(STOP_ALL,))
    stage.turn()
    assert before == stage.trader.exposure.worst_total() == 98 * PUSD // 10
    assert stage.trader.counters.unknown == 2
    stage.apply(Cancelled(1, "not at the venue", stage.now), Cancelled(2, "not at the venue", stage.now))
    assert stage.trader.exposure.worst_total() == 0


def test_no_quote_is_placed_beside_one_of_unknown_fate() -> None:
    stage = Stage()
    stage.hear(book(stage.market, stage.now))
    stage.decide()
    stage.apply(Unknown(1, "timed out", stage.now), accepted(2, stage.now))
    stage.after(SECOND)
    stage.turn(book(stage.market, stage.now, {4500: 100}, {4700: 100}))
    stage.turn()
    assert [order.client_order_id for order in stage.live() if order.asset == stage.market.yes] == [1]


def test_a_rejected_order_frees_its_exposure_and_is_tried_again() -> None:
    stage = Stage()
    stage.hear(book(stage.market, stage.now))
    stage.decide()
    stage.apply(accepted(1, stage.now), Rejected(2, "crosses_book", "", stage.now))
    assert stage.trader.exposure.worst_total() == 98 * PUSD // 10
    assert [order.asset for order in placed(stage.turn())] == [stage.market.no]
    assert stage.trader.counters.rejected == 1


def test_a_cancel_whose_answer_is_lost_is_sent_again() -> None:
    stage = Stage().quoting().after(SECOND)
    stage.operator(trading=frozenset())
    assert cancelled(stage.decide()) == [1, 2]
    assert stage.after(CANCEL_PATIENCE_NS - 1).decide() == []
    assert cancelled(stage.after(1).decide()) == [1, 2]


def test_a_cancel_of_an_order_on_its_way_is_sent_when_it_rests() -> None:
    stage = Stage()
    stage.hear(book(stage.market, stage.now))
    stage.decide()
    stage.operator(trading=frozenset())
    assert cancelled(stage.decide()) == []
    stage.apply(accepted(1, stage.now))
    assert cancelled(stage.decide()) == [1]


def test_a_market_nobody_follows_any_more_loses_its_quotes_first_and_its_book_when_they_are_gone() -> None:
    first, second = a_market(1), a_market(2)
    stage = Stage(first, second).quoting()
    stage.operator(markets=(first,), trading=frozenset({first.condition_id}))
    asked = stage.decide()
    assert cancelled(asked) == [3, 4]
    stage.tick()
    assert stage.trader.market(second.condition_id) is not None
    stage.answer(asked)
    stage.tick()
    assert stage.trader.market(second.condition_id) is None
    assert second.condition_id not in stage.trader.desks


def test_a_market_let_go_is_followed_again_when_it_is_wanted_again() -> None:
    stage = Stage(a_market(1), a_market(2)).quoting()
    first, second = stage.markets
    both = stage.control.trading
    stage.operator(markets=(first,), trading=frozenset({first.condition_id}))
    stage.turn()
    stage.tick()
    assert stage.trader.market(second.condition_id) is None
    stage.operator(markets=(first, second), trading=both)
    assert stage.trader.market(second.condition_id) == second
    stage.turn(book(second, stage.now))
    assert stage.prices(second) == [4900, 5100]


def test_a_fill_told_after_its_market_was_let_go_still_counts_as_risk() -> None:
    stage = Stage().quoting()
    bid = stage.live()[0]
    stage.operator(markets=(), trading=frozenset())
    stage.turn()
    stage.tick()
    assert stage.trader.market(stage.market.condition_id) is None
    stage.apply(fill_of(bid, stage.now, 10 * SHARES))
    assert stage.trader.exposure.worst_total() == 49 * PUSD // 10


def test_new_metadata_is_taken_over_without_losing_the_book() -> None:
    stage = Stage().quoting().after(SECOND)
    larger = a_market(1, min_size=30 * SHARES)
    stage.operator(markets=(larger,))
    commands = stage.turn()
    assert [command.reason for command in commands if isinstance(command, Cancel)] == [CancelReason.NO_QUOTE]
    assert stage.trader.market(larger.condition_id) == larger


def test_a_fill_heard_twice_moves_the_money_once() -> None:
    stage = Stage().quoting()
    fill = fill_of(stage.live()[0], stage.now)
    stage.apply(fill, fill)
    assert stage.trader.counters.fills == 1
    assert stage.trader.ledger.cash == 1_000 * PUSD - 98 * PUSD // 10


def test_a_failed_settlement_takes_the_money_back() -> None:
    stage = Stage().quoting()
    fill = msgspec.structs.replace(fill_of(stage.live()[0], stage.now), status=TradeStatus.MATCHED)
    stage.apply(fill, msgspec.structs.replace(fill, status=TradeStatus.FAILED))
    assert stage.trader.ledger.cash == 1_000 * PUSD
    assert stage.trader.ledger.positions == {}


def test_a_contradiction_is_counted_and_changes_nothing() -> None:
    stage = Stage()
    stage.hear(book(stage.market, stage.now))
    stage.decide()
    stage.apply(CancelFailed(1, "not found", stage.now))  # nobody asked: the order is still on its way
    assert stage.trader.counters.contradictions == 1
    assert [order.state for order in stage.live()] == [OrderState.PLANNED, OrderState.PLANNED]


def test_facts_are_passed_on_in_the_order_they_happened() -> None:
    stage = Stage()
    stage.hear(book(stage.market, stage.now))
    stage.decide()
    stage.apply(accepted(1, stage.now), accepted(2, stage.now))
    live = stage.live()
    stage.apply(fill_of(live[1], stage.now, trade_id="b"), fill_of(live[0], stage.now, trade_id="a"))
    facts = stage.trader.drain_facts()
    told = [
        (fact.trade_id if isinstance(fact, Fill) else fact.after.value)
        for fact in facts
        if isinstance(fact, Fill | OrderMoved)
    ]
    assert told == ["live", "live", "b", "filled", "a", "filled"]
    assert stage.trader.drain_facts() == []


def test_what_an_earlier_run_left_open_counts_and_comes_down_when_it_is_not_wanted() -> None:
    market = a_market()
    stage = Stage(market)
    old = NewOrder(7, market.condition_id, market.yes, Side.BUY, 3000, 20 * SHARES, market.tick)
    trader = type(stage.trader)(TraderConfig(first_id=8, starting_cash=CONFIG.starting_cash, hash_every=0))
    trader.restore([OrderRecord(old, "q-7", Strategy.SPREAD, OrderState.LIVE, 0, START, "0x7")], [], stage.now)
    stage.trader = trader
    trader.apply(stage.control)
    assert trader.exposure.worst_total() == 6 * PUSD
    assert cancelled(stage.turn()) == [7]  # no verified book yet: nothing of ours rests


def test_an_order_that_was_being_sent_when_the_last_run_died_is_unknown() -> None:
    market = a_market()
    stage = Stage(market)
    old = NewOrder(7, market.condition_id, market.yes, Side.BUY, 3000, 20 * SHARES, market.tick)
    trader = type(stage.trader)(CONFIG)
    trader.restore([OrderRecord(old, "q-7", Strategy.SPREAD, OrderState.SUBMITTING, 0, START, "")], [], stage.now)
    assert [order.client_order_id for order in trader.blotter.unknown] == [7]


def test_restored_fills_are_positions_again() -> None:
    stage = Stage().quoting()
    fill = fill_of(stage.live()[0], stage.now)
    again = Stage()
    trader = type(stage.trader)(CONFIG)
    trader.restore([], [fill], again.now)
    trader.apply(again.control)
    assert trader.exposure.worst_total() == 98 * PUSD // 10
    assert trader.ledger.cash == 1_000 * PUSD - 98 * PUSD // 10


def test_orders_long_ended_are_forgotten() -> None:
    stage = Stage().quoting()
    stage.operator(trading=frozenset())
    stage.turn()
    assert stage.trader.blotter.order(1) is not None
    stage.after(ENDED_KEPT_NS + 1).tick()
    assert stage.trader.blotter.order(1) is None


def test_screens_hear_of_a_market_only_when_something_was_decided_about_it() -> None:
    first, second = a_market(1), a_market(2)
    stage = Stage(first, second).quoting()
    stage.turn()  # the outcomes touched both
    stage.trader.drain_touched()
    stage.tick()
    stage.turn()
    assert stage.trader.drain_touched() == []
    stage.turn(book(first, stage.now))
    assert stage.trader.drain_touched() == [first.condition_id]


def test_a_fill_frees_no_cap_before_it_is_confirmed() -> None:
    stage = Stage().quoting()
    bid, ask = stage.live()
    before = stage.trader.exposure.worst_total()
    stage.apply(replace_status(fill_of(bid, stage.now), TradeStatus.MATCHED))
    stage.apply(replace_status(fill_of(ask, stage.now, trade_id="trade-2"), TradeStatus.MATCHED))
    assert stage.trader.exposure.worst_total() == before
    stage.apply(fill_of(bid, stage.now), fill_of(ask, stage.now, trade_id="trade-2"))
    assert stage.trader.exposure.worst_total() == 0  # YES and NO of the pair: one of them pays


def test_a_failed_fill_leaves_the_count_with_its_cost() -> None:
    stage = Stage().quoting()
    bid, _ = stage.live()
    stage.operator(stops=(STOP_ALL,))
    stage.apply(replace_status(fill_of(bid, stage.now), TradeStatus.MATCHED))
    stage.turn()
    assert stage.trader.exposure.worst_total() == 98 * PUSD // 10
    stage.apply(replace_status(fill_of(bid, stage.now), TradeStatus.FAILED))
    assert stage.trader.exposure.worst_total() == 0


def replace_status(fill: Fill, status: TradeStatus) -> Fill:
    return msgspec.structs.replace(fill, status=status)
