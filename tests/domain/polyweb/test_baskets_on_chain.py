"""Baskets with steps on chain: what is asked for, what is waited for, and where each way through them ends."""

from dataclasses import replace

import pytest

from execution.domain.chain import NEVER_SENT, ChainRecord, ChainState, ChainWork
from execution.domain.commands import Cancelled, Place, TradeStatus
from markets.domain.events import Frame, Side
from markets.domain.market import Generation
from polyweb.runtime.inbox import Begin, read, spell
from polyweb.runtime.rehearsal import SessionReplay
from polyweb.runtime.trader import Trader
from risk.domain.limits import Limits
from strategies.domain.basket_stages import Stage as At
from strategies.domain.intents import Conversion, NotTaken
from tests.basket_builders import ARB, LINKED, WIDE, Floor
from tests.builders import PUSD, SECOND, SHARES, START, Shares, a_set, accepted, book

DEAR: tuple[Shares, Shares] = ({5300: 100}, {5400: 100})  # two YES are bid for at 0.53, so two NO cost 0.94
NO_BID: tuple[Shares, Shares] = ({}, {4000: 100})
V2_SET = tuple(replace(market, generation=Generation.V2) for market in a_set(3))


def to_convert(**changes: object) -> tuple[Floor, Place]:
    """Every NO of a set of two is bought for 0.94."""
    floor = Floor(config=LINKED, **changes)  # type: ignore[arg-type]  # builder
    floor.hear(*(book(market, floor.now, *DEAR) for market in floor.markets))
    (place,) = floor.baskets(floor.decide())
    return floor, place


def bought(floor: Floor, place: Place) -> ChainWork:
    for order in place.orders:
        floor.fill(order.client_order_id)
    (work,) = floor.works(floor.decide())
    return work


def to_split(generation: Generation = Generation.V1, **changes: object) -> tuple[Floor, ChainWork]:
    """Of a set of three nobody bids for the third, so it cannot be bought, only split: two sell for 1.10."""
    markets = a_set(3) if generation is Generation.V1 else V2_SET
    floor = Floor(*markets, config=LINKED, **changes)  # type: ignore[arg-type]  # builder
    show(floor, 5500)
    (work,) = floor.works(floor.decide())
    return floor, work


def show(floor: Floor, bid: int, other: int = 0) -> None:
    first, second, third = floor.markets
    floor.hear(
        book(first, floor.now, {bid: 100}, {6000: 100}),
        book(second, floor.now, {other or bid: 100}, {6000: 100}),
        book(third, floor.now, *NO_BID),
    )


def split_and_converted(floor: Floor, work: ChainWork) -> Place:
    """Both steps are done; the sales that follow."""
    floor.told(work)
    (conversion,) = floor.works(floor.decide())
    floor.told(conversion)
    (place,) = floor.baskets(floor.decide())
    return place


def accepted_bid(floor: Floor) -> int:
    """A quote of ours rests in the first market."""
    number = next(order.client_order_id for order in floor.trader.blotter.live(floor.market.condition_id))
    floor.apply(accepted(number, floor.now))
    return number


# Buy, then convert


def test_every_no_is_bought_and_converted_as_far_as_it_is_whole() -> None:
    floor, place = to_convert()
    assert {(order.side, order.price) for order in place.orders} == {(Side.BUY, 4700)}
    work = bought(floor, place)
    assert (work.verb, work.amount, work.step) == (Conversion.CONVERT, 100 * SHARES, 0)
    floor.told(work, ChainState.SUBMITTED)
    assert floor.works(floor.decide()) == []
    floor.told(work)
    floor.decide()
    assert floor.stages[:3] == [At.TAKING, At.CONVERTING, At.WHOLE]
    assert floor.moved[2].profit == 6 * PUSD
    assert floor.trader.ledger.cash == 1_006 * PUSD
    assert floor.trader.ledger.positions == {}
    assert not any(floor.trader.sets.values())


def test_only_what_both_legs_have_is_converted_once_the_rest_is_sold() -> None:
    floor, place = to_convert(arb=replace(ARB, partial_fills=True))
    first, second = place.orders
    floor.fill(first.client_order_id)
    floor.fill(second.client_order_id, 60)
    floor.apply(Cancelled(second.client_order_id, "the rest found nobody", floor.now))
    dear = next(market for market in floor.markets if market.no == second.asset)
    floor.hear(book(dear, floor.now, {200: 100}, {5400: 100}))  # the missing NO would cost 0.98
    (follow,) = floor.baskets(floor.decide())
    assert [(order.asset, order.side, order.size) for order in follow.orders] == [(first.asset, Side.SELL, 40 * SHARES)]
    floor.fill(follow.orders[0].client_order_id)
    (work,) = floor.works(floor.decide())
    assert work.amount == 60 * SHARES
    floor.told(work)
    floor.decide()
    assert floor.stages[-1] is At.UNWOUND
    assert floor.trader.ledger.positions == {}


def test_a_conversion_waits_until_its_shares_have_settled() -> None:
    floor, place = to_convert()
    for order in place.orders:
        floor.fill(order.client_order_id, status=TradeStatus.MATCHED)
    assert floor.works(floor.decide()) == []
    for order in place.orders:
        floor.fill(order.client_order_id)
    (work,) = floor.works(floor.after(5 * SECOND).decide())
    assert work.verb is Conversion.CONVERT


def test_a_leg_whose_settlement_failed_is_bought_again_before_anything_is_converted() -> None:
    floor, place = to_convert()
    first, second = place.orders
    floor.fill(first.client_order_id)
    floor.fill(second.client_order_id, status=TradeStatus.MATCHED)
    floor.decide()
    assert floor.stages == [At.TAKING]  # it waits for the settlement
    floor.fill(second.client_order_id, status=TradeStatus.FAILED)
    floor.hear(*(book(market, floor.now, *DEAR) for market in floor.markets))
    assert floor.works(floor.decide()) == []
    (follow,) = floor.baskets(floor.decide())
    assert [(order.asset, order.side, order.size) for order in follow.orders] == [
        (second.asset, Side.BUY, 100 * SHARES)
    ]
    floor.fill(follow.orders[0].client_order_id)
    (work,) = floor.works(floor.decide())
    floor.told(work)
    floor.decide()
    assert floor.stages[1:] == [At.TAKING, At.COMPLETING, At.CONVERTING, At.WHOLE]
    assert floor.moved[1].detail == "the settlement of a leg failed: judged again"
    assert floor.moved[-1].profit == 6 * PUSD


def test_legs_that_never_settle_are_told_and_not_converted() -> None:
    floor, place = to_convert()
    for order in place.orders:
        floor.fill(order.client_order_id, status=TradeStatus.MATCHED)
    floor.decide()
    floor.after(121 * SECOND).decide()
    assert floor.stages[-1] is At.NOT_CONVERTED
    assert "100 NO of Will it happen (10)? needed, 0 settled and free" in floor.moved[-1].detail


def test_a_conversion_that_failed_leaves_the_set_whole_and_claimed() -> None:
    floor, place = to_convert()
    work = bought(floor, place)
    floor.told(work, ChainState.FAILED, "reverted")
    floor.decide()
    assert floor.stages[-1] is At.NOT_CONVERTED
    assert [floor.trader.quotable(market).no for market in floor.markets] == [0, 0]
    assert [floor.trader.ledger.holding(market.no).shares for market in floor.markets] == [100 * SHARES] * 2


def test_a_conversion_not_heard_of_in_time_ends_the_basket_and_is_booked_when_it_comes() -> None:
    floor, place = to_convert(arb=replace(ARB, chain_wait_ms=5_000))
    work = bought(floor, place)
    floor.told(work, ChainState.UNKNOWN, "no answer")
    assert floor.after(5 * SECOND).decide() == []
    floor.after(SECOND).decide()
    assert floor.stages[-1] is At.CHAIN_UNKNOWN
    assert floor.trader.chain.claimed(floor.market.no) == 100 * SHARES
    floor.hear(*(book(market, floor.now, {5200: 90}, {5400: 90}) for market in floor.markets))
    assert floor.baskets(floor.decide()) == []  # nothing new in the event until it is known
    floor.told(work)
    floor.told(work)
    floor.decide()
    assert At.WHOLE in floor.stages
    assert floor.trader.ledger.cash == 1_006 * PUSD
    late = next(moved for moved in floor.moved if moved.stage is At.WHOLE)
    assert (late.profit, "confirmed after the basket had ended" in late.detail) == (6 * PUSD, True)


def test_without_a_chain_the_same_set_is_bought_and_held() -> None:
    floor = Floor()
    floor.hear(*(book(market, floor.now, *DEAR) for market in floor.markets))
    (place,) = floor.baskets(floor.decide())
    for order in place.orders:
        floor.fill(order.client_order_id)
    assert floor.works(floor.decide()) == []
    assert floor.stages == [At.TAKING, At.WHOLE]
    reasons = {gap.reason for gap in floor.trader.open_gaps}
    assert NotTaken.NEEDS_CHAIN.value in reasons


# Split, then sell


def test_a_set_is_split_converted_and_sold_at_the_bids_of_then() -> None:
    floor, work = to_split()
    assert (work.verb, work.amount) == (Conversion.SPLIT, 100 * SHARES)
    floor.told(work)
    (conversion,) = floor.works(floor.decide())
    assert (conversion.verb, conversion.step) == (Conversion.CONVERT, 1)
    show(floor, 5400, 5500)
    floor.told(conversion)
    (place,) = floor.baskets(floor.decide())
    assert sorted(order.price for order in place.orders) == [5400, 5500]
    for order in place.orders:
        floor.fill(order.client_order_id)
    floor.decide()
    assert floor.stages[:4] == [At.PREPARING, At.PREPARING, At.TAKING, At.WHOLE]
    assert floor.moved[3].profit == 9 * PUSD
    assert floor.trader.ledger.cash == 1_009 * PUSD
    third = floor.markets[2]
    assert floor.trader.ledger.positions == {third.yes: 100 * SHARES}  # counted as worth nothing


def test_a_v2_event_is_split_at_once() -> None:
    floor, work = to_split(Generation.V2)
    assert work.verb is Conversion.SPLIT_EVENT
    floor.told(work)
    (place,) = floor.baskets(floor.decide())
    for order in place.orders:
        floor.fill(order.client_order_id)
    floor.decide()
    assert (floor.stages[:3], floor.moved[2].profit) == ([At.PREPARING, At.TAKING, At.WHOLE], 10 * PUSD)


def test_shares_that_were_split_are_not_quoted_before_they_are_sold() -> None:
    floor, work = to_split()
    floor.told(work)
    floor.decide()
    assert floor.trader.inventory(floor.market).yes == 100 * SHARES
    assert floor.trader.quotable(floor.market).yes == 0


def test_a_pair_is_merged_back_when_the_set_does_not_pay_any_more() -> None:
    floor, work = to_split(arb=replace(ARB, lock_rate_bps=400))
    floor.told(work)
    show(floor, 4900)
    (back,) = floor.works(floor.decide())
    assert (back.verb, back.amount, back.step) == (Conversion.MERGE, 100 * SHARES, 1)
    floor.told(back)
    floor.decide()
    assert floor.stages == [At.PREPARING, At.MERGING_BACK, At.UNWOUND]
    assert "prices leave no edge; 100 pairs, merge: +0.00 pUSD; keep: -0.99 pUSD" in floor.moved[1].detail
    assert floor.trader.ledger.cash == 1_000 * PUSD


def test_a_pair_is_kept_when_that_costs_less_than_a_merge() -> None:
    floor, work = to_split(arb=replace(ARB, conversion_cost=10_000))
    floor.told(work)
    show(floor, 4900)
    assert floor.works(floor.decide()) == []
    assert floor.stages == [At.PREPARING, At.KEPT]
    assert floor.trader.quotable(floor.market).yes == 100 * SHARES


def test_a_set_that_is_converted_and_does_not_pay_any_more_is_kept_for_it_pays_one() -> None:
    floor, work = to_split()
    floor.told(work)
    (conversion,) = floor.works(floor.decide())
    show(floor, 4900)
    floor.told(conversion)
    floor.decide()
    assert floor.stages[-1] is At.KEPT
    assert floor.moved[-1].profit == 0


def test_a_split_that_failed_is_told_and_nothing_follows() -> None:
    floor, work = to_split()
    floor.told(work, ChainState.FAILED, "reverted")
    assert floor.works(floor.decide()) == []
    assert floor.stages == [At.PREPARING, At.NOT_CONVERTED]
    assert floor.moved[-1].detail == "a step on chain failed: reverted"


def test_a_dry_run_splits_nothing_and_nobody_needs_to_look() -> None:
    floor, work = to_split()
    floor.told(work, ChainState.FAILED, NEVER_SENT)
    floor.decide()
    assert floor.stages == [At.PREPARING, At.NOTHING]


def test_a_bid_of_our_own_that_was_just_withdrawn_is_not_sold_to() -> None:
    floor, work = to_split()
    own = accepted_bid(floor)
    floor.told(work)
    (conversion,) = floor.works(floor.decide())
    floor.told(conversion)
    floor.apply(Cancelled(own, "made way", floor.now))
    assert floor.baskets(floor.decide()) == []
    assert len(floor.baskets(floor.after(SECOND).decide())) == 1


def test_when_the_conversion_fails_the_pair_is_merged_back_and_the_failure_told() -> None:
    floor, work = to_split(arb=replace(ARB, lock_rate_bps=400))
    floor.told(work)
    (conversion,) = floor.works(floor.decide())
    floor.told(conversion, ChainState.FAILED, "reverted")
    (back,) = floor.works(floor.decide())
    assert (back.verb, back.step) == (Conversion.MERGE, 2)
    floor.told(back)
    floor.decide()
    assert floor.stages[-2:] == [At.MERGING_BACK, At.NOT_CONVERTED]
    assert floor.trader.ledger.cash == 1_000 * PUSD


def test_terms_that_change_during_a_split_end_it_without_a_sale() -> None:
    floor, work = to_split(arb=replace(ARB, lock_rate_bps=400))
    floor.operator(markets=tuple(replace(market, rule_hash="new") for market in floor.markets))
    floor.told(work)
    (back,) = floor.works(floor.decide())
    assert back.verb is Conversion.MERGE
    floor.told(back)
    floor.decide()
    assert "rule hash" in floor.moved[-1].detail


@pytest.mark.parametrize(("bid", "stage"), [(5000, At.COMPLETING), (1000, At.UNWINDING)])
def test_a_leg_that_did_not_sell_is_sold_cheaper_or_the_other_is_bought_back_and_the_sets_kept(
    bid: int, stage: At
) -> None:
    floor, work = to_split(arb=replace(ARB, max_loss=30 * PUSD))
    first, second = split_and_converted(floor, work).orders
    floor.fill(first.client_order_id)
    floor.kill(second.client_order_id)
    if first.asset == floor.markets[0].yes:
        show(floor, 5500, bid)
    else:
        show(floor, bid, 5500)
    (follow,) = floor.baskets(floor.decide())
    (order,) = follow.orders
    assert order.side is (Side.SELL if stage is At.COMPLETING else Side.BUY)
    floor.fill(order.client_order_id)
    floor.decide()
    assert stage in floor.stages
    end = At.WHOLE if stage is At.COMPLETING else At.UNWOUND
    assert end in floor.stages
    ended = next(moved for moved in floor.moved if moved.stage is end)
    assert ended.profit == (5 if stage is At.COMPLETING else -5) * PUSD


# Caps, cash, and what an earlier engine left


def test_a_split_is_judged_with_the_worst_of_its_sales_and_taken_as_far_as_the_caps_allow() -> None:
    floor, work = to_split(limits=replace(WIDE, event_loss=20 * PUSD))
    assert 0 < work.amount < 100 * SHARES
    place = split_and_converted(floor, work)
    floor.fill(place.orders[0].client_order_id)
    assert 0 < floor.trader.exposure.worst_event("set") <= 20 * PUSD


def test_cash_that_is_split_counts_against_the_caps_until_it_has_come_back() -> None:
    floor, work = to_split()
    assert floor.trader.exposure.total().notional >= 100 * PUSD
    floor.told(work, ChainState.FAILED)
    assert floor.trader.exposure.total().notional < 100 * PUSD


def test_a_split_that_cannot_be_paid_for_is_not_asked_for() -> None:
    markets = a_set(3)
    floor = Floor(*markets, config=replace(LINKED, starting_cash=50 * PUSD))
    show(floor, 5500)
    assert floor.works(floor.decide()) == []
    assert {gap.detail for gap in floor.trader.open_gaps if gap.edge} == {"100 pUSD needed to split, 50.00 there"}


def test_what_must_be_split_first_has_to_earn_more_for_prices_move_meanwhile() -> None:
    floor = Floor(*a_set(3), config=LINKED, arb=replace(ARB, chain_edge=1000))
    show(floor, 5500)
    assert floor.works(floor.decide()) == []
    assert NotTaken.BELOW_MARGIN.value in {gap.reason for gap in floor.trader.open_gaps}


def test_a_job_of_an_earlier_engine_counts_is_not_sent_again_and_its_end_is_told() -> None:
    before, work = to_split()
    floor = Floor(*a_set(3), config=LINKED)
    floor.trader.restore((), (), floor.now, (), [ChainRecord(work, ChainState.UNKNOWN)])
    show(floor, 5500)
    assert floor.works(floor.decide()) == []
    assert floor.trader.exposure.total().notional >= 100 * PUSD
    assert not floor.trader.work_planned(work)
    floor.told(work)
    assert [record.work.job_id for record in floor.trader.drain_strays()] == [work.job_id]
    assert floor.trader.ledger.holding(floor.market.yes).shares == 100 * SHARES
    assert before.trader.ledger.positions == {}


def test_limits_of_a_market_count_the_shares_a_split_brings() -> None:
    tight = Limits(10**12, 10**12, 10**12)
    floor, _ = to_split(limits=tight)
    assert floor.trader.exposure.sums(floor.market.condition_id).market.shares >= 200 * SHARES  # YES and NO


def test_a_session_with_a_chain_replays_to_the_same_decisions_also_read_from_its_file() -> None:
    floor, work = to_split()
    for order in split_and_converted(floor, work).orders:
        floor.fill(order.client_order_id)
    floor.decide()
    assert At.WHOLE in floor.stages
    told = [Begin(START, LINKED, (), ()), floor.control, *floor.heard]
    again = [item if isinstance(item, Frame) else read(spell(item)) for item in told]
    replay = SessionReplay(lambda begin: Trader(begin.config))
    replay.run(again)
    assert replay.compared == 4
    assert replay.played[0].ledger.cash == floor.trader.ledger.cash == 1_010 * PUSD


def test_the_next_engine_may_sell_what_this_one_had_split() -> None:
    floor, work = to_split()
    split_and_converted(floor, work)
    assert floor.trader.quotable(floor.market).yes == 0
    again = Floor(*a_set(3), config=LINKED)
    again.trader.restore((), (), again.now, [floor.trader.chain.of_plan(work.plan_id)[0].work.effects])
    again.trader.recall(floor.trader.remember(()))
    assert again.trader.quotable(floor.market).yes == 100 * SHARES
