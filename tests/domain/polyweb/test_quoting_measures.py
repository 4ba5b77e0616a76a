"""What the trader measures while it quotes, and what that and the clock do to its quotes."""

from execution.domain.commands import GTD_ENDS_EARLY, Cancel, CancelReason, Refusal
from markets.domain.events import Side
from markets.domain.units import PRICE_ONE
from polyweb.runtime.trader import TIMED_PER_TURN
from risk.domain.limits import Limits
from strategies.domain.inputs import External
from strategies.domain.intents import OrderType
from strategies.domain.params import SpreadParams
from strategies.domain.rewards import Scores
from tests.builders import (
    MILLI,
    PUSD,
    SECOND,
    SHARES,
    Stage,
    a_market,
    book,
    cancelled,
    fill_of,
    new_tick,
    placed,
    plain,
    trade,
)


def test_quotes_are_good_till_date_and_renewed_before_it() -> None:
    stage = Stage(defaults=plain(quote_expiry_s=180), limits=Limits(max_book_age_ns=10_000 * SECOND))
    orders = placed(stage.turn(book(stage.market, stage.now)))
    assert {order.order_type for order in orders} == {OrderType.GTD}
    assert {order.expires_ms for order in orders} == {stage.now // MILLI + 180_000 + GTD_ENDS_EARLY}
    stage.after(140 * SECOND).turn(book(stage.market, stage.now))
    assert len(stage.prices()) == 2
    stage.after(20 * SECOND)
    renewed = cancelled(stage.turn(book(stage.market, stage.now)))
    assert renewed == [1, 2]
    assert len(placed(stage.turn())) == 2


def test_a_jump_takes_the_quotes_down_and_the_pause_ends() -> None:
    stage = Stage(defaults=plain(jump=400, jump_pause_ms=3_000)).quoting().after(SECOND)
    (down,) = stage.turn(book(stage.market, stage.now, {5400: 100}, {5600: 100}))
    assert isinstance(down, Cancel)
    assert down.reason is CancelReason.NO_QUOTE
    desk = stage.trader.desks[stage.market.condition_id]
    assert (desk.reason, desk.codes) == ("pulled back after a jump or sweep", ("paused",))
    stage.after(2 * SECOND).tick()
    assert stage.turn() == []
    stage.after(SECOND).tick()
    assert len(placed(stage.turn())) == 2


def test_why_nothing_is_quoted_is_told_when_it_begins_and_not_again() -> None:
    stage = Stage(defaults=plain(jump=400)).quoting().after(SECOND)
    for step in range(3):
        stage.turn(book(stage.market, stage.now + step, {5400: 100 + step}, {5600: 100}))
    assert [fact.codes for fact in stage.facts if isinstance(fact, Refusal)] == [("paused",)]


def test_takers_move_the_fair_value_whichever_token_they_take() -> None:
    stage = Stage(defaults=plain(trade_flow=100, trade_flow_size=100 * SHARES)).quoting()
    market = stage.market
    stage.turn(trade(market, stage.now, Side.BUY, 60), trade(market, stage.now + 1, Side.SELL, 40, yes=False))
    stage.turn(book(market, stage.now))
    wanted = stage.trader.desks[market.condition_id].wanted
    assert wanted is not None
    assert wanted.fair_x2 == PRICE_ONE + 200


def test_our_fills_are_compared_with_the_mid_later_and_widen_the_quotes() -> None:
    stage = Stage(defaults=plain(markout_factor=100, min_quote_lifetime_ms=0)).quoting().after(SECOND)
    bid = next(order for order in stage.live() if order.asset == stage.market.yes)
    stage.apply(fill_of(bid, stage.now), fill_of(bid, stage.now))
    desk = stage.trader.desks[stage.market.condition_id]
    assert [(each.bought, each.price) for each in desk.measures.pending] == [(True, 4900)]
    stage.after(30 * SECOND).turn(book(stage.market, stage.now, {4600: 100}, {4800: 100}))
    assert desk.given is not None
    assert desk.given.signals.markout_loss == 100  # 200 lost on 20 shares, and one quote that lost nothing


def test_a_new_tick_cancels_what_left_its_grid() -> None:
    fine = a_market(tick=10)
    stage = Stage(fine, defaults=plain(half_spread=75))
    stage.turn(book(fine, stage.now))
    assert stage.prices() == [4920, 5080]
    stage.turn(new_tick(fine, stage.now + 1, "0.01"))
    assert stage.prices() == []


def test_a_replaced_side_waits_out_its_window() -> None:
    stage = Stage(defaults=plain(replace_window_ms=2_000, min_quote_lifetime_ms=0)).quoting()
    stage.after(SECOND).turn(book(stage.market, stage.now, {5000: 100}, {5200: 100}))
    stage.turn()
    assert stage.prices() == [5000, 5200]
    stage.after(SECOND).turn(book(stage.market, stage.now, {5100: 100}, {5300: 100}))
    assert stage.prices() == [5000, 5200]
    stage.after(SECOND).tick()
    assert len(cancelled(stage.turn())) == 2


def test_the_others_reward_scores_are_counted_without_our_own_orders() -> None:
    paying = a_market(rewards_daily=25 * PUSD, rewards_max_spread=350, rewards_min_size=10 * SHARES)
    stage = Stage(paying)
    stage.turn(book(paying, stage.now, {4900: 100}, {5100: 100}))
    stage.after(SECOND).tick()
    stage.turn()
    scored = 80 * SHARES * 250**2 // 350**2  # of 100 shares a side, 20 are ours
    rivals = stage.trader.desks[paying.condition_id].rivals
    assert rivals is not None
    assert abs(rivals.bid - scored) <= 1
    assert rivals == Scores(rivals.bid, rivals.bid)


def test_markets_that_pay_no_rewards_are_not_scored() -> None:
    stage = Stage().quoting().after(SECOND)
    stage.tick()
    stage.turn()
    assert stage.trader.desks[stage.market.condition_id].rivals is None


def test_the_clock_decides_so_many_markets_a_turn_and_the_rest_in_the_next() -> None:
    markets = tuple(a_market(number) for number in range(1, TIMED_PER_TURN + 11))
    stage = Stage(*markets, trading=frozenset()).quoting()
    before = stage.trader.counters.decisions
    stage.after(SECOND).tick()
    stage.turn()
    assert stage.trader.counters.decisions - before == TIMED_PER_TURN
    assert stage.trader.behind
    stage.turn()
    assert stage.trader.counters.decisions - before == len(markets)
    assert not stage.trader.behind


def test_an_outside_fair_value_counts_until_it_expires() -> None:
    stage = Stage().quoting()
    condition_id = stage.market.condition_id
    stage.operator(external={condition_id: External(5_200, stage.now + 2 * SECOND)})
    desk = stage.trader.desks[condition_id]
    stage.turn()
    assert desk.wanted is not None
    assert desk.wanted.fair_x2 == 10_400
    stage.after(2 * SECOND).tick()
    stage.turn()
    assert desk.wanted.fair_x2 == PRICE_ONE


def test_default_parameters_quote_a_calm_market() -> None:
    stage = Stage(defaults=SpreadParams()).quoting()
    assert stage.prices() == [4900, 5100]
