"""Every decision that changes or refuses a quote leaves what was seen, each step and the verdict."""

import msgspec

from execution.domain.commands import Command, Place
from execution.domain.venue import VenueMode
from polyweb.runtime import views
from polyweb.runtime.inbox import VenueTold
from risk.domain.limits import Limits
from strategies.domain.traces import Seen, Trace
from tests.builders import PUSD, SECOND, SHARES, Stage, book, fill_of, plain


def of_place(commands: list[Command]) -> Trace:
    (place,) = [command for command in commands if isinstance(command, Place)]
    return msgspec.json.decode(place.trace, type=Trace)


def of_refusal(stage: Stage) -> Trace:
    return msgspec.json.decode(stage.refusals()[-1].trace, type=Trace)


def test_orders_carry_what_was_seen_and_every_step() -> None:
    stage = Stage()
    trace = of_place(stage.turn(book(stage.market, stage.now)))
    assert (trace.verdict, trace.codes) == ("approved", ())
    assert trace.seen == Seen(bid=4900, bid_size=100 * SHARES, ask=5100, ask_size=100 * SHARES)
    steps = {step.name: (step.before, step.after) for step in trace.steps}
    assert steps["mid (x2)"] == (10_000, 10_000)
    assert (steps["bid grid"], steps["ask grid"]) == ((4900, 4900), (5100, 5100))


def test_inventory_is_told_as_it_was_when_the_quotes_moved() -> None:
    stage = Stage().quoting().after(SECOND)
    stage.apply(fill_of(stage.live()[0], stage.now))
    assert of_place(stage.turn()).seen.net_size == 20 * SHARES


def test_a_refusal_by_the_gate_keeps_the_steps_that_led_to_it() -> None:
    stage = Stage(limits=Limits(total_loss=PUSD))
    stage.turn(book(stage.market, stage.now))
    trace = of_refusal(stage)
    assert (trace.verdict, trace.codes) == ("refused", ("total_cap",))
    assert trace.seen.bid == 4900
    assert [step.name for step in trace.steps] == ["mid (x2)", "half spread", "bid grid", "ask grid"]


def test_quotes_cut_at_a_cap_say_so_on_the_refusal_and_on_the_orders() -> None:
    stage = Stage(limits=Limits(market_loss=6 * PUSD))
    trace = of_place(stage.turn(book(stage.market, stage.now)))
    assert (trace.verdict, of_refusal(stage).verdict, of_refusal(stage).codes) == ("cut", "cut", ("market_cap",))
    for told in (trace, of_refusal(stage)):
        assert [(step.name, step.before, step.after) for step in told.steps[-2:]] == [
            ("bids, risk cap (size)", 20 * SHARES, 10 * SHARES),
            ("asks, risk cap (size)", 20 * SHARES, 10 * SHARES),
        ]
    assert views.market_view(stage.trader, stage.market, stage.now)["trace"][-1]["after"] == 10 * SHARES


def test_what_a_closed_venue_leaves_of_a_plan_is_a_step_too() -> None:
    stage = Stage().quoting().after(SECOND)
    stage.apply(fill_of(stage.live()[0], stage.now))
    stage.apply(VenueTold(stage.now, VenueMode.CLOSED_ONLY, True, "region"))
    stage.turn()
    assert stage.trader.desks[stage.market.condition_id].planned is not None
    steps = views.market_view(stage.trader, stage.market, stage.now)["trace"]
    assert steps[-1] == {"name": "bids, closed-only venue (size)", "before": 20 * SHARES, "after": 0}


def test_what_the_strategy_declines_itself_says_how_it_came_to_that() -> None:
    stage = Stage(defaults=plain(max_inventory=SHARES))
    stage.turn(book(stage.market, stage.now))
    trace = of_refusal(stage)
    assert (trace.verdict, trace.codes) == ("declined", ("inventory_full",))
    assert trace.steps[-1].name == "ask inventory (size)"


def test_a_pause_is_told_with_what_caused_it() -> None:
    stage = Stage(defaults=plain(jump=500, jump_pause_ms=5_000)).quoting().after(SECOND)
    stage.turn(book(stage.market, stage.now, {5900: 100}, {6100: 100}))
    trace = of_refusal(stage)
    assert (trace.verdict, trace.codes, trace.seen.pause) == ("declined", ("paused",), "jump")
