"""While nothing a plan reads has moved, nothing is decided anew; whatever it reads brings a whole decision."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.domain.commands import Cancelled
from execution.domain.postings import Posting, PostingKind, PostingLeg, adjusted
from markets.domain.events import Side
from polyweb.runtime.inbox import VENUE_AT_HAND
from polyweb.runtime.unmoved import LOOK_NS
from risk.domain.limits import Limits
from strategies.domain.inputs import External
from tests.builders import MILLI, SECOND, SHARES, START, Stage, book, change, fill_of, plain, trade

MID, MICROPRICE, DEPTH = 0, 1, 2
STEP_NS = 50 * MILLI


def quoting(**params: int) -> Stage:
    """A market that was looked at once more after its quotes came to rest: nothing was to be done."""
    stage = Stage(defaults=plain(**params)).quoting().after(SECOND)
    stage.hear(trade(stage.market, stage.now, Side.SELL, 10))
    while stage.turn(resized(stage, Side.BUY, 0, 150)):
        stage.after(SECOND)
    assert stage.prices()
    return stage.after(MILLI)


def resized(stage: Stage, side: Side, away: int, shares: int) -> bytes:
    """Another size `away` from the best price of one side."""
    found = stage.trader.books.book(stage.market.condition_id)
    assert found is not None
    tops = found.bid_top, found.ask_top
    price = tops[0] - away if side is Side.BUY else tops[1] + away
    return change(stage.market, stage.now, side, price, shares, tops)


def bought_by_hand(stage: Stage) -> Posting:
    leg = PostingLeg(stage.market.yes, stage.market.condition_id, 5 * SHARES)
    return adjusted("by-hand", PostingKind.ADJUSTED, leg, 5000, stage.now, "bought by hand")


def decides_anew(stage: Stage, act: Callable[[Stage], object]) -> bool:
    desk = stage.trader.desks[stage.market.condition_id]
    before = desk.given
    act(stage)
    stage.turn()
    return desk.given is not before


@pytest.mark.parametrize(
    ("fair_value", "away", "reads"),
    [(MID, 0, False), (MID, 100, False), (MICROPRICE, 0, True), (MICROPRICE, 100, False), (DEPTH, 100, True)],
)
@pytest.mark.parametrize("side", list(Side))
def test_a_size_brings_a_decision_only_where_the_fair_value_reads_it(
    fair_value: int, away: int, reads: bool, side: Side
) -> None:
    stage = quoting(fair_value=fair_value)
    assert decides_anew(stage, lambda at: at.hear(resized(at, side, away, 170))) is reads


@pytest.mark.parametrize(
    "act",
    [
        lambda stage: stage.hear(book(stage.market, stage.now, {5000: 100}, {5100: 100})),
        lambda stage: stage.hear(book(stage.market, stage.now, {4900: 100}, {5200: 100})),
        lambda stage: (stage.hear(trade(stage.market, stage.now, Side.SELL, 10)), stage.tick()),
        lambda stage: stage.apply(fill_of(stage.live()[0], stage.now)),
        lambda stage: stage.apply(Cancelled(stage.live()[0].client_order_id, "by the venue", stage.now)),
        lambda stage: stage.apply(bought_by_hand(stage)),
        lambda stage: stage.operator(defaults=plain(half_spread=200)),
        lambda stage: stage.operator(external={stage.market.condition_id: External(5200, stage.now + SECOND)}),
        lambda stage: stage.apply(VENUE_AT_HAND),
        lambda stage: stage.after(LOOK_NS).tick(),
    ],
    ids=[
        "a bid",
        "an offer",
        "a print",
        "a fill",
        "a cancel",
        "shares",
        "parameters",
        "an outside value",
        "the venue's word",
        "time",
    ],
)
def test_whatever_else_a_plan_reads_brings_a_decision(act: Callable[[Stage], object]) -> None:
    assert decides_anew(quoting(), act)


def test_the_clock_alone_brings_none_before_its_look_is_due() -> None:
    assert not decides_anew(quoting(), lambda stage: stage.after(LOOK_NS // 2).tick())


def test_a_quote_that_grows_too_old_is_renewed_in_time_whenever_it_was_last_looked_at() -> None:
    late = [STEP_NS]
    for looked_ns in range(0, LOOK_NS, LOOK_NS // 4):
        stage = Stage(defaults=plain(max_order_age_s=3)).quoting().after(looked_ns)
        stage.turn(trade(stage.market, stage.now, Side.SELL, 10), resized(stage, Side.BUY, 0, 150))
        due_ns = stage.trader.desks[stage.market.condition_id].quiet.until_ns
        while not stage.turn():
            stage.after(STEP_NS).tick()
        late.append(stage.now - due_ns)
    assert max(late) == STEP_NS


def test_a_book_that_falls_silent_takes_the_quotes_down_in_time_whenever_it_was_last_looked_at() -> None:
    late = [STEP_NS]
    for extra_ns in range(0, LOOK_NS, LOOK_NS // 4):
        age_ns = 3 * SECOND + extra_ns
        stage = Stage(limits=Limits(max_book_age_ns=age_ns)).quoting()
        while stage.prices():
            stage.after(STEP_NS).tick()
            stage.turn()
        late.append(stage.now - START - age_ns)
    assert max(late) == STEP_NS


def test_while_an_outside_value_counts_its_end_is_not_missed() -> None:
    stage = quoting()
    value = {stage.market.condition_id: External(5000, stage.now + SECOND // 3)}
    stage.operator(external=value)
    stage.turn()
    stage.after(SECOND // 4).turn(resized(stage, Side.BUY, 0, 120))
    assert decides_anew(stage, lambda at: at.after(SECOND // 10).tick())


def test_while_a_fill_waits_for_its_markout_every_look_is_a_whole_decision() -> None:
    stage = quoting()
    stage.apply(fill_of(stage.live()[0], stage.now, SHARES))
    while stage.turn():
        stage.after(SECOND).tick()
    assert decides_anew(stage, lambda at: at.after(MILLI).tick())


STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["resize bid", "resize ask"]), st.sampled_from([0, 100]), st.integers(50, 300)),
        st.tuples(st.just("move"), st.integers(-3, 3), st.integers(50, 300)),
        st.tuples(st.just("wait"), st.integers(1, 1_500), st.just(0)),
        st.tuples(st.just("print"), st.integers(1, 40), st.just(0)),
        st.tuples(st.just("fill"), st.integers(1, 4), st.just(0)),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=150)
@given(STEPS, st.sampled_from([MID, MICROPRICE, DEPTH]), st.sampled_from([0, 100]))
def test_what_is_sent_is_the_same_as_if_every_look_were_a_whole_decision(
    steps: list[tuple[str, int, int]], fair_value: int, trade_flow: int
) -> None:
    params = plain(fair_value=fair_value, trade_flow=trade_flow, trade_flow_s=3_600, trade_flow_size=10**9)
    short, whole = Stage(defaults=params).quoting(), Stage(defaults=params).quoting()
    for number, step in enumerate(steps):
        sent = []
        for stage in (short, whole):
            if stage is whole:
                for desk in stage.trader.desks.values():
                    desk.unmoved = None
            play(stage, number, *step)
            sent.append(stage.turn())
        assert sent[0] == sent[1]
    assert short.prices() == whole.prices()


def play(stage: Stage, number: int, what: str, first: int, second: int) -> None:
    stage.after(MILLI)
    tracked = stage.trader.books.book(stage.market.condition_id)
    assert tracked is not None
    bid, ask = tracked.bid_top, tracked.ask_top
    match what:
        case "resize bid":
            stage.hear(resized(stage, Side.BUY, first, second))
        case "resize ask":
            stage.hear(resized(stage, Side.SELL, first, second))
        case "move":
            bids, asks = {bid + 100 * first: second, 2000: 80}, {ask + 100 * first: second, 8000: 80}
            stage.hear(book(stage.market, stage.now, bids, asks))
        case "wait":
            stage.after(first * MILLI).tick()
        case "print":
            stage.hear(trade(stage.market, stage.now, Side.SELL, first, price=bid))
        case "fill":
            resting = [order for order in stage.live() if not order.cancel_asked]
            if resting:
                part = resting[0].remaining * first // 4
                stage.apply(fill_of(resting[0], stage.now, part, f"t{number}"))
