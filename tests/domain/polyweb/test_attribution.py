"""Where a rehearsal's profit came from: parts by value, and sums that add up to the ledger."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from markets.domain.events import Frame
from markets.domain.fees import FeeSchedule
from markets.domain.market import Market
from polyweb.runtime import views
from polyweb.runtime.attribution import Attribution
from polyweb.runtime.inbox import TraderConfig
from polyweb.runtime.rehearsal import Rehearsal
from polyweb.runtime.rehearsal_venues import PaperVenue
from polyweb.runtime.trader import Trader
from tests.builders import MILLI, PUSD, SECOND, SHARES, START, Stage, a_control, a_market, book, fill_of

FEES = FeeSchedule(rate=400, rebate=2_500)


def filled(market: Market, after: int, *, bid: bool = True, fee: int = 0) -> tuple[Stage, Attribution]:
    """One quote of 20 shares filled at the default book, which has `after` as its mid from the next second on."""
    stage = Stage(market).quoting().after(SECOND)
    accounts = Attribution(stage.trader)
    accounts.passed(stage.now)
    order = next(each for each in stage.live() if (each.asset == market.yes) is bid)
    fill = msgspec.structs.replace(fill_of(order, stage.now), fee=fee)
    stage.apply(fill)
    accounts.heard(stage.trader.drain_facts(), stage.now)
    stage.after(SECOND).hear(book(market, stage.now, {after - 100: 100}, {after + 100: 100}))
    accounts.passed(stage.now)
    return stage, accounts


def test_a_bid_that_fills_earns_its_distance_and_then_what_the_mid_does() -> None:
    market = a_market()
    split = filled(market, 4_800)[1].split(market.condition_id)
    assert (split.spread, split.inventory, split.total) == (PUSD * 20 // 100, -PUSD * 40 // 100, -PUSD * 20 // 100)


def test_an_offer_made_by_buying_no_is_a_sale_of_yes() -> None:
    market = a_market()
    split = filled(market, 4_800, bid=False)[1].split(market.condition_id)
    assert (split.spread, split.inventory, split.total) == (PUSD * 20 // 100, PUSD * 40 // 100, PUSD * 60 // 100)


def test_a_fee_is_a_part_of_its_own() -> None:
    market = a_market()
    split = filled(market, 5_000, fee=PUSD // 50)[1].split(market.condition_id)
    assert (split.spread, split.inventory, split.fees, split.rounding) == (PUSD * 20 // 100, 0, PUSD // 50, 0)
    assert split.total == PUSD * 18 // 100


def test_a_sale_was_good_when_the_mid_falls_afterwards() -> None:
    market = a_market()
    _, accounts = filled(market, 4_800, bid=False)
    assert accounts.accounts[market.condition_id].markouts[1].value == 2 * 300 * 20 * SHARES


def test_markouts_compare_the_fill_with_the_mid_later_and_wait_for_their_time() -> None:
    market = a_market()
    _, accounts = filled(market, 4_800)
    markouts = accounts.accounts[market.condition_id].markouts
    assert (markouts[1].fills, markouts[1].size, markouts[1].value) == (1, 20 * SHARES, -2 * 100 * 20 * SHARES)
    assert [markouts[horizon].fills for horizon in (5, 30, 300)] == [0, 0, 0]


def test_rebates_are_the_makers_share_of_the_takers_fee() -> None:
    market = a_market(fees=FEES)
    split = filled(market, 5_000)[1].split(market.condition_id)
    assert split.rebates == 49_980  # 20 shares * 0.04 * 0.49 * 0.51, a quarter of it
    assert split.with_incentives == split.total + split.rebates


def test_rewards_are_our_share_of_the_day_for_as_long_as_we_rest() -> None:
    market = a_market(rewards_daily=86_400 * PUSD, rewards_max_spread=300, rewards_min_size=10 * SHARES)
    stage = Stage(market).quoting().after(4 * SECOND)
    accounts = Attribution(stage.trader)
    accounts.passed(stage.now)
    accounts.passed(stage.after(2 * SECOND).now)
    # 20 of ours beside 100 at the touch and 200 a cent behind it, which counts a quarter of it
    earned = accounts.split(market.condition_id).rewards
    ours, others = 20 * 400 / 900, 100 * 400 / 900 + 200 * 100 / 900
    assert abs(earned - 2 * PUSD * ours / (ours + others)) < PUSD // 1_000


def test_an_order_too_young_earns_nothing() -> None:
    market = a_market(rewards_daily=86_400 * PUSD, rewards_max_spread=300)
    stage = Stage(market).quoting()
    accounts = Attribution(stage.trader)
    accounts.passed(stage.now)
    accounts.passed(stage.after(3 * SECOND).now)
    assert accounts.accounts == {}


def test_the_curve_stays_short_and_ends_at_the_end() -> None:
    stage = Stage().quoting()
    accounts = Attribution(stage.trader)
    for _ in range(5_000):
        accounts.passed(stage.after(SECOND).now)
    accounts.end(stage.after(MILLI).now)
    assert len(accounts.points) <= 1_201
    assert accounts.points[-1].at_ns == stage.now


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(-6, 6), st.integers(1, 300), st.integers(50, 1_500)), min_size=5, max_size=60))
def test_the_parts_add_up_to_the_ledger_whatever_the_market_does(steps: list[tuple[int, int, int]]) -> None:
    market = a_market(fees=FEES, tick=10)
    frames, at, mid = [], START, 5_000
    for move, size, pause in steps:
        at += pause * MILLI
        mid = min(9_000, max(1_000, mid + 10 * move))
        frames.append(Frame(at, 0, book(market, at, {mid - 10: size}, {mid + 10: size + 7})))
    trader = Trader(TraderConfig(1, 1_000 * PUSD), lambda event, now: venue.on_event(event, now))
    venue = PaperVenue(trader.market, 1_000 * PUSD, 0)
    accounts = Attribution(trader)
    control = a_control((market,))
    near = msgspec.structs.replace(control.defaults, half_spread=10, min_edge=0)
    Rehearsal(trader, venue, msgspec.structs.replace(control, defaults=near), accounts).run(frames)
    for condition_id, split in accounts.splits().items():
        assert split.spread + split.inventory - split.fees + split.rounding == split.total
        assert split.total == views.market_pnl(trader, market).total
        assert abs(split.rounding) <= 4 + 2 * accounts.accounts[condition_id].fills  # units of 1e-6 pUSD
    assert sum(split.total for split in accounts.splits().values()) == views.account_pnl(trader).total
