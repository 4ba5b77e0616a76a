"""Every basket that was refused, begun or given up leaves each leg as it was seen, and the verdict."""

from dataclasses import replace

import msgspec

from execution.domain.commands import Refusal, Strategy
from risk.domain.stops import Stop, StopLevel, StopScope
from strategies.domain.basket_stages import Stage as At
from strategies.domain.basket_traces import BasketTrace
from tests.basket_builders import ARB, CHEAP, WIDE, Floor
from tests.builders import PUSD, SECOND, SHARES, book

ONE_A_SECOND = replace(WIDE, orders_per_second=1)  # a basket of two never passes


def read(trace: str) -> BasketTrace:
    return msgspec.json.decode(trace, type=BasketTrace)


def told(floor: Floor) -> list[Refusal]:
    return [said for said in floor.refusals() if said.strategy is Strategy.DUTCH_BOOK]


def refused(floor: Floor) -> Floor:
    floor.hear(*(book(market, floor.now, *CHEAP) for market in floor.markets))
    assert floor.baskets(floor.decide()) == []
    return floor


def test_a_refused_basket_keeps_each_leg_with_its_book_and_what_it_leaves() -> None:
    (said,) = told(refused(Floor(limits=ONE_A_SECOND)))
    trace = read(said.trace)
    assert (trace.verdict, trace.codes, said.codes) == ("refused", ("order_rate",), ("order_rate",))
    assert (trace.route, trace.size, trace.worth) == ("buy every YES, hold to resolution", 100 * SHARES, 100 * PUSD)
    first, second = trace.legs
    assert (first.token, first.side, first.price, first.size) == ("YES", "BUY", 4700, 100 * SHARES)
    assert (first.best, first.depth) == (4700, 100 * SHARES)
    assert (first.cost, first.edge) == (47 * PUSD, 53 * PUSD)
    assert second.edge == trace.edge == 6 * PUSD


def test_a_refusal_that_is_repeated_is_said_once_and_counted() -> None:
    floor = refused(Floor(limits=ONE_A_SECOND))
    for _ in range(3):
        floor.after(SECOND).hear(*(book(market, floor.now, *CHEAP) for market in floor.markets))
        floor.decide()
    assert [said.count for said in told(floor)] == [1]
    floor.after(61 * SECOND).hear(*(book(market, floor.now, *CHEAP) for market in floor.markets))
    floor.decide()
    assert [said.count for said in told(floor)] == [1, 3, 1]


def test_how_often_a_refusal_came_again_is_said_when_the_gap_has_gone() -> None:
    floor = refused(Floor(limits=ONE_A_SECOND))
    floor.after(SECOND).hear(*(book(market, floor.now, *CHEAP) for market in floor.markets))
    floor.decide()
    floor.hear(book(floor.markets[0], floor.now, {4500: 100}, {6000: 100}))
    floor.decide()
    assert [said.count for said in told(floor)] == [1, 1]


def test_a_basket_that_was_begun_is_recorded_as_the_gate_approved_it() -> None:
    floor = Floor()
    floor.open()
    trace = read(floor.moved[0].trace)
    assert (trace.verdict, [leg.edge for leg in trace.legs]) == ("approved", [53 * PUSD, 6 * PUSD])


def test_a_basket_whose_terms_changed_ends_as_aborted_with_what_each_leg_has_filled() -> None:
    floor = Floor()
    first, second = floor.open().orders
    floor.operator(markets=tuple(replace(market, rule_hash="new") for market in floor.markets))
    floor.fill(first.client_order_id)
    floor.kill(second.client_order_id)
    floor.decide()
    trace = read(floor.moved[-1].trace)
    assert (floor.stages[-1], trace.verdict) == (At.UNWINDING, "aborted")
    assert [leg.filled for leg in trace.legs] == [100 * SHARES, 0]


def test_a_way_out_that_the_gate_refuses_to_the_end_says_so_on_the_step_and_in_the_refusal() -> None:
    floor = Floor(arb=replace(ARB, deadline_ms=1_000))
    first, second = floor.open().orders
    floor.fill(first.client_order_id)
    floor.kill(second.client_order_id)
    floor.operator(stops=(Stop(StopLevel.PAUSE, StopScope.ALL, "", "lunch"),))
    assert floor.baskets(floor.decide()) == []
    floor.after(3 * SECOND).decide()
    trace = read(floor.moved[-1].trace)
    assert (floor.stages[-1], trace.verdict, trace.codes) == (At.STUCK, "refused", ("stopped",))
    way_out = read(told(floor)[-1].trace)
    assert (way_out.worth, [(leg.price, leg.size, leg.cost) for leg in way_out.legs]) == (
        0,
        [(4700, 100 * SHARES, 47 * PUSD)],
    )
