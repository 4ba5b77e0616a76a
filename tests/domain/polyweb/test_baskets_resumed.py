"""Baskets that a restart cut off: taken up where the rows say they stood, judged anew, or handed to the operator."""

from dataclasses import replace

import msgspec
import pytest

from execution.domain.chain import ChainRecord, ChainState
from execution.domain.commands import Cancel, CancelReason, Place, TradeStatus
from markets.domain.events import Frame, Side
from polyweb.runtime.inbox import read, spell
from polyweb.runtime.rehearsal import SessionReplay
from polyweb.runtime.trader import Trader
from polyweb.runtime.unfinished import as_it_stood
from strategies.domain.basket_stages import Stage as At
from strategies.domain.intents import Conversion
from tests.basket_builders import ARB, CHEAP, LINKED, Floor, left_by, restarted
from tests.builders import PUSD, SECOND, SHARES, Shares, a_set, accepted, book, fill_of

DEAR: tuple[Shares, Shares] = ({5300: 100}, {5400: 100})
BIDS: tuple[tuple[Shares, Shares], ...] = (({5500: 100}, {6000: 100}),) * 2 + (({}, {4000: 100}),)


def show(floor: Floor, *books: tuple[Shares, Shares]) -> None:
    levels = books * len(floor.markets) if len(books) == 1 else books
    floor.hear(*(book(market, floor.now, *each) for market, each in zip(floor.markets, levels, strict=True)))


def half_filled() -> tuple[Floor, Place]:
    floor = Floor()
    basket = floor.open()
    floor.fill(basket.orders[0].client_order_id)
    return floor, basket


def split() -> Floor:
    """A set of three of which nobody bids for the third: split first, and the split is under way."""
    floor = Floor(*a_set(3), config=LINKED)
    show(floor, *BIDS)
    assert [work.verb for work in floor.works(floor.decide())] == [Conversion.SPLIT]
    return floor


def test_a_basket_cut_off_between_its_legs_is_completed_by_the_next_engine() -> None:
    floor, basket = half_filled()
    again = restarted(floor)
    again.kill(basket.orders[1].client_order_id)
    assert again.decide() == []  # no book yet
    show(again, CHEAP)
    (follow,) = again.baskets(again.decide())
    (order,) = follow.orders
    assert (order.side, order.price, order.size) == (Side.BUY, 4700, 100 * SHARES)
    assert follow.plan_id == f"{basket.plan_id[:28]}-c1"
    again.fill(order.client_order_id)
    again.decide()
    assert again.stages == [At.TAKING, At.COMPLETING, At.WHOLE]
    assert again.moved[0].detail == "taken up after a restart"
    assert (again.moved[-1].filled, again.moved[-1].profit) == ((100 * SHARES, 100 * SHARES), 6 * PUSD)


def test_what_became_dear_meanwhile_is_sold_again_and_the_figures_of_the_choice_are_told() -> None:
    floor, basket = half_filled()
    again = restarted(floor)
    again.kill(basket.orders[1].client_order_id)
    show(again, ({4500: 100}, {9500: 100}))
    (follow,) = again.baskets(again.decide())
    assert [(order.side, order.asset) for order in follow.orders] == [(Side.SELL, basket.orders[0].asset)]
    assert "complete: -42.00 pUSD; unwind: -2.00 pUSD" in again.moved[-1].detail


def test_an_order_whose_fate_is_not_known_yet_is_waited_for_and_its_fill_counts() -> None:
    floor, basket = half_filled()
    again = restarted(floor)
    show(again, CHEAP)
    assert again.baskets(again.decide()) == []
    again.fill(basket.orders[1].client_order_id)
    again.decide()
    assert again.stages == [At.TAKING, At.WHOLE]


def test_a_leg_that_still_rests_is_cancelled_when_its_time_is_up() -> None:
    floor = Floor(arb=replace(ARB, maker_leg=True))
    (maker,) = floor.open().orders
    floor.apply(accepted(maker.client_order_id, floor.now))
    again = restarted(floor, arb=replace(ARB, maker_leg=True, deadline_ms=1_000))
    show(again, CHEAP)
    assert not [each for each in again.decide() if isinstance(each, Cancel)]
    assert again.stages == [At.MAKING]
    late = [each for each in again.after(2 * SECOND).decide() if isinstance(each, Cancel)]
    assert [each.reason for each in late] == [CancelReason.DEADLINE]


def test_of_two_in_one_event_the_one_that_had_ended_ends_again_and_the_other_is_gone_on_with() -> None:
    floor = Floor()
    whole = floor.open()
    for order in whole.orders:
        floor.fill(order.client_order_id)
    floor.decide()
    ended = left_by(floor)
    floor.decided.clear()
    show(floor.after(SECOND), ({4400: 100}, {4600: 100}))  # type: ignore[arg-type]  # it is itself
    (second,) = floor.baskets(floor.decide())
    floor.fill(second.orders[0].client_order_id)
    again = restarted(floor, besides=(ended,))
    again.kill(second.orders[1].client_order_id)
    show(again, ({4400: 100}, {4600: 100}))
    (follow,) = again.baskets(again.decide())
    assert follow.plan_id == f"{second.plan_id[:28]}-c1"
    stages = {moved.basket.plan_id: moved.stage for moved in again.moved}
    assert stages == {whole.plan_id: At.WHOLE, second.plan_id: At.COMPLETING}


def test_its_shares_are_not_the_quoters_to_sell_before_it_is_taken_up() -> None:
    floor, _ = half_filled()
    again = restarted(floor)
    held = next(market for market in again.markets if again.trader.inventory(market).yes)
    assert (again.trader.inventory(held).yes, again.trader.quotable(held).yes) == (100 * SHARES, 0)


def test_while_it_waits_for_its_books_its_event_takes_no_other_basket() -> None:
    floor, _ = half_filled()
    again = restarted(floor)
    show(again, ({3500: 100}, {3700: 100}))
    assert again.baskets(again.decide()) == []


def test_terms_that_changed_while_no_engine_ran_leave_only_the_way_out() -> None:
    floor, basket = half_filled()
    changed = tuple(replace(market, rule_hash="new") for market in floor.markets)
    again = restarted(floor, *changed)
    again.kill(basket.orders[1].client_order_id)
    show(again, CHEAP)
    (follow,) = again.baskets(again.decide())
    assert follow.orders[0].side is Side.SELL
    assert "complete: terms changed" in again.moved[-1].detail


def test_one_that_cannot_be_judged_any_more_is_handed_to_the_operator() -> None:
    floor, _ = half_filled()
    again = restarted(floor, floor.markets[0])
    show(again, CHEAP)
    assert again.decide() == [] or not again.moved
    again.after(121 * SECOND).decide()
    assert again.stages == [At.INTERRUPTED]
    assert "is not followed" in again.moved[-1].detail


@pytest.mark.parametrize("shown", [None, ({5500: 100}, {5000: 100})])
def test_books_that_do_not_come_or_are_not_believed_leave_it_to_the_operator(
    shown: tuple[Shares, Shares] | None,
) -> None:
    floor, _ = half_filled()
    again = restarted(floor)
    if shown:
        show(again, shown)
    again.decide()
    again.after(121 * SECOND).decide()
    assert again.stages == [At.INTERRUPTED]
    assert "is not verified" in again.moved[-1].detail


def test_a_split_under_way_is_waited_for_and_the_next_step_asked_for_once() -> None:
    floor = split()
    (work,) = floor.works(floor.decided)
    again = restarted(floor)
    show(again, *BIDS)
    assert again.works(again.decide()) == []
    again.told(work)
    (conversion,) = again.works(again.decide())
    assert (conversion.verb, conversion.step, conversion.plan_id) == (Conversion.CONVERT, 1, work.plan_id)
    again.told(conversion)
    (place,) = again.baskets(again.decide())
    for order in place.orders:
        again.fill(order.client_order_id)
    again.decide()
    assert (again.stages[-1], again.moved[-1].profit) == (At.WHOLE, 10 * PUSD)
    assert again.trader.drain_strays() == []


def test_cut_off_between_the_last_step_and_the_legs_it_sells_what_was_split() -> None:
    floor = split()
    floor.told(floor.works(floor.decided)[0])
    floor.told(floor.works(floor.decide())[0])
    again = restarted(floor)
    show(again, *BIDS)
    (place,) = again.baskets(again.decide())
    assert {(order.side, order.price, order.size) for order in place.orders} == {(Side.SELL, 5500, 100 * SHARES)}


def test_cut_off_between_its_legs_and_the_conversion_it_converts_what_was_bought() -> None:
    floor = Floor(config=LINKED)
    show(floor, DEAR)
    (place,) = floor.baskets(floor.decide())
    for order in place.orders:
        floor.fill(order.client_order_id, status=TradeStatus.MATCHED)
    floor.decide()
    again = restarted(floor)
    for order in place.orders:
        number = order.client_order_id
        again.apply(fill_of(floor.order(number), again.now, 100 * SHARES, f"trade-{number}"))
    show(again, DEAR)
    (work,) = again.works(again.decide())
    assert (work.verb, work.amount, work.step) == (Conversion.CONVERT, 100 * SHARES, 0)
    again.told(work)
    again.decide()
    assert (again.stages[-1], again.moved[-1].profit) == (At.WHOLE, 6 * PUSD)
    assert again.trader.ledger.positions == {}


def test_a_conversion_under_way_ends_its_basket_when_it_is_confirmed() -> None:
    floor = Floor(config=LINKED)
    show(floor, DEAR)
    (place,) = floor.baskets(floor.decide())
    for order in place.orders:
        floor.fill(order.client_order_id)
    (work,) = floor.works(floor.decide())
    again = restarted(floor)
    show(again, DEAR)
    assert again.works(again.decide()) == []
    assert again.stages == [At.CONVERTING]
    again.told(work)
    again.decide()
    assert (again.stages[-1], again.moved[-1].profit) == (At.WHOLE, 6 * PUSD)


def test_a_split_that_had_failed_before_ends_with_what_was_said_of_it() -> None:
    floor = split()
    floor.told(floor.works(floor.decided)[0], ChainState.FAILED, "reverted")
    again = restarted(floor, said="reverted")
    show(again, *BIDS)
    again.decide()
    assert again.stages[-1] is At.NOT_CONVERTED
    assert "a step on chain failed: reverted" in again.moved[-1].detail


def test_a_split_the_dead_engine_never_sent_is_asked_for_once_more_under_its_next_number() -> None:
    floor = split()
    (work,) = floor.works(floor.decided)
    again = restarted(floor)
    show(again, *BIDS)
    again.decide()
    again.told(work, ChainState.FAILED, "never sent: the engine ended before")
    (second,) = again.works(again.decide())
    assert (second.verb, second.amount, second.step) == (work.verb, work.amount, 1)
    again.told(second, ChainState.FAILED, "never sent: nothing was signed")
    again.decide()
    assert again.stages[-1] is At.NOT_CONVERTED


def test_what_was_bought_is_converted_though_the_dead_engine_never_sent_its_job() -> None:
    floor = Floor(config=LINKED)
    show(floor, DEAR)
    (place,) = floor.baskets(floor.decide())
    for order in place.orders:
        floor.fill(order.client_order_id)
    (work,) = floor.works(floor.decide())
    floor.told(work, ChainState.FAILED, "not sent: engine stopping")
    again = restarted(floor, said="not sent: engine stopping")
    show(again, DEAR)
    (second,) = again.works(again.decide())
    assert (second.verb, second.amount, second.step) == (Conversion.CONVERT, work.amount, 1)
    again.told(second)
    again.decide()
    assert (again.stages[-1], again.moved[-1].profit) == (At.WHOLE, 6 * PUSD)


def test_a_job_that_was_sent_and_failed_is_not_asked_for_again() -> None:
    floor = split()
    again = restarted(floor)
    show(again, *BIDS)
    again.decide()
    again.told(floor.works(floor.decided)[0], ChainState.FAILED, "execution reverted")
    assert again.works(again.decide()) == []
    assert again.stages[-1] is At.NOT_CONVERTED


def test_a_plan_that_was_taken_up_is_not_taken_a_second_time() -> None:
    floor, basket = half_filled()
    again = restarted(floor)
    again.fill(basket.orders[1].client_order_id)
    show(again, CHEAP)
    again.decide()
    assert again.stages[-1] is At.WHOLE
    show(again.after(SECOND), CHEAP)  # type: ignore[arg-type]  # it is itself
    assert basket.plan_id not in {place.plan_id for place in again.baskets(again.decide())}


def test_a_session_that_took_a_basket_up_replays_to_the_same_decisions() -> None:
    floor, basket = half_filled()
    again = restarted(floor)
    again.kill(basket.orders[1].client_order_id)
    show(again, CHEAP)
    (follow,) = again.baskets(again.decide())
    again.fill(follow.orders[0].client_order_id)
    again.decide()
    assert again.begin is not None
    told = [again.begin, again.control, *again.heard]
    replay = SessionReplay(lambda each: Trader(each.config))
    replay.run(item if isinstance(item, Frame) else read(spell(item)) for item in told)
    assert replay.compared == 2


@pytest.mark.parametrize(
    ("jobs", "stage", "todo", "ends_as"),
    [
        ((("split", "failed"), ("split", "submitted")), At.PREPARING, ["convert"], None),
        ((("split", "failed"), ("split", "confirmed"), ("convert", "submitted")), At.PREPARING, [], None),
        ((("split", "failed"),), At.PREPARING, ["convert"], None),
        (
            (("split", "confirmed"), ("convert", "failed"), ("merge", "submitted")),
            At.MERGING_BACK,
            [],
            At.NOT_CONVERTED,
        ),
        ((("split", "confirmed"), ("merge", "submitted")), At.MERGING_BACK, [], At.UNWOUND),
    ],
)
def test_where_a_basket_stood_follows_from_the_jobs_that_were_asked_for(
    jobs: tuple[tuple[str, str], ...], stage: At, todo: list[str], ends_as: At | None
) -> None:
    floor = split()
    (work,) = floor.works(floor.decided)
    records = tuple(
        ChainRecord(msgspec.structs.replace(work, step=step, verb=Conversion(verb)), ChainState(state))
        for step, (verb, state) in enumerate(jobs)
    )
    working = as_it_stood(msgspec.structs.replace(left_by(floor), jobs=records), ())
    assert (working.stage, [step.what.value for step in working.todo], working.ends_as) == (stage, todo, ends_as)
    assert (working.job, working.jobs) == (records[-1].work.job_id, len(jobs))
