"""Guardrails and sizes of the spread planner by value: when it does not quote, only reduces, or offers less."""

from dataclasses import replace

import pytest
from msgspec.structs import replace as changed

from markets.domain.events import Side
from markets.domain.fees import FeeSchedule
from markets.domain.market import Market
from markets.domain.units import CASH_ONE, NANOS_PER_SECOND, SIZE_ONE
from strategies.domain import spread
from strategies.domain.inputs import FLAT, BookView, Inventory, MarketInput
from strategies.domain.intents import NoQuote, Quote, QuoteSet
from strategies.domain.measures import CALM, Signals
from strategies.domain.params import SpreadParams

SHARES, SECOND = SIZE_ONE, NANOS_PER_SECOND
NOW_S = 1_800_000_000
MARKET = Market("0xc", "7", "Will it?", "yes", "no")
PARAMS = SpreadParams()
BOOK = BookView(((4900, 100 * SHARES),), ((5100, 100 * SHARES),), 0)
LONG = Inventory(yes=60 * SHARES, yes_sellable=60 * SHARES)


def planned(
    params: SpreadParams = PARAMS,
    *,
    market: Market = MARKET,
    view: BookView = BOOK,
    held: Inventory = FLAT,
    signals: Signals = CALM,
    reduce: str = "",
) -> QuoteSet:
    return spread.plan(MarketInput(market, view, held, NOW_S * SECOND, signals, reduce=reduce), params)


def sizes(wanted: QuoteSet) -> list[int]:
    return [quote.size // SHARES for quote in wanted.quotes]


def prices(wanted: QuoteSet) -> list[int]:
    return [quote.price for quote in wanted.quotes]


def ending(seconds: int) -> Market:
    return replace(MARKET, end_ms=(NOW_S + seconds) * 1_000)


def starting(seconds: int) -> Market:
    return replace(MARKET, game_start_ms=(NOW_S + seconds) * 1_000)


def test_a_pause_quotes_nothing_until_it_is_over() -> None:
    jumped = Signals(paused_until_ns=NOW_S * SECOND + 1, pause="jump")
    assert planned(signals=jumped).reason is NoQuote.PAUSED
    assert planned(signals=changed(jumped, paused_until_ns=NOW_S * SECOND)).reason is None


@pytest.mark.parametrize(
    ("left_s", "in_play", "reason"),
    [
        (301, 0, None),
        (300, 0, NoQuote.GAME_NEAR),
        (300, 1, NoQuote.GAME_NEAR),
        (0, 0, NoQuote.IN_PLAY),
        (-60, 0, NoQuote.IN_PLAY),
        (-60, 1, None),
    ],
)
def test_a_game_is_left_before_it_starts(left_s: int, in_play: int, reason: NoQuote | None) -> None:
    assert planned(changed(PARAMS, quote_in_play=in_play), market=starting(left_s)).reason is reason


def test_sizes_shrink_towards_the_end_of_the_market() -> None:
    assert sizes(planned(market=ending(21_600))) == [20, 20]
    assert sizes(planned(market=ending(10_800))) == [10, 10]
    late = changed(PARAMS, reduce_before_end_s=0)
    assert planned(late, market=ending(60)).reason is NoQuote.SIZE_BELOW_MINIMUM


def test_near_its_end_a_market_is_only_left() -> None:
    wanted = planned(market=ending(3_600), held=LONG)
    assert [(quote.side, quote.asset) for quote in wanted.quotes] == [(Side.SELL, "yes")]
    assert wanted.reduce == "market about to end"
    assert planned(market=ending(-1), held=LONG).reduce == "market past its end"
    assert planned(market=ending(3_600)).reason is NoQuote.REDUCE_ONLY


def test_reducing_offers_no_more_than_is_held() -> None:
    wanted = planned(held=Inventory(no=12 * SHARES, no_sellable=12 * SHARES), reduce="stop")
    assert wanted.quotes == (Quote("no", Side.SELL, 5100, 12 * SHARES),)
    assert wanted.reduce == "stop"


def test_less_than_the_venues_minimum_is_said_to_be_too_little_and_not_too_much() -> None:
    little = Inventory(no=2 * SHARES, no_sellable=2 * SHARES)
    wanted = planned(market=replace(MARKET, min_size=5 * SHARES), held=little, reduce="stop")
    assert (wanted.quotes, wanted.reason) == ((), NoQuote.TOO_LITTLE_TO_REDUCE)


def test_outside_its_collar_inventory_is_only_reduced() -> None:
    low = changed(PARAMS, collar_low=5_001)
    assert planned(low).reason is NoQuote.REDUCE_ONLY
    assert planned(low, held=LONG).reduce == "fair value outside the collar"


def test_no_bid_stands_above_the_collar_and_no_offer_below_it() -> None:
    tight = changed(PARAMS, half_spread=10, min_edge=0, collar_low=5_000, collar_high=5_000, inventory_skew=4_000)
    long, short = LONG, Inventory(no=60 * SHARES, no_sellable=60 * SHARES)
    assert min(prices(planned(tight, held=long))[1:]) == 5_000
    assert max(10_000 - price for price in prices(planned(tight, held=short))[:1]) <= 5_000


def test_skew_takes_no_bid_past_the_collar_and_no_offer_either() -> None:
    wide = BookView(((1_000, 100 * SHARES),), ((9_000, 100 * SHARES),), 0)
    loose = changed(PARAMS, half_spread=10, inventory_skew=4_000, max_from_mid=9_999)
    tight = changed(loose, collar_low=5_000, collar_high=5_000)
    short = Inventory(no=60 * SHARES, no_sellable=60 * SHARES)
    assert [10_000 - planned(each, view=wide, held=short).quotes[0].price for each in (tight, loose)] == [5_000, 7_300]
    assert [planned(each, view=wide, held=LONG).quotes[1].price for each in (tight, loose)] == [5_000, 2_700]


def test_quotes_far_from_the_mid_or_the_last_trade_are_left_out() -> None:
    assert planned(changed(PARAMS, max_from_mid=99)).reason is NoQuote.FAR_FROM_MID
    assert planned(changed(PARAMS, max_from_mid=100)).reason is None
    traded = changed(BOOK, last_trade=5_200)
    wanted = planned(changed(PARAMS, max_from_trade=200), view=traded)
    assert [quote.asset for quote in wanted.quotes] == ["no"]
    assert planned(changed(PARAMS, max_from_trade=50), view=traded).reason is NoQuote.FAR_FROM_TRADE


def test_one_side_is_not_quoted_alone_where_both_are_wanted() -> None:
    both, traded = changed(PARAMS, both_sides=1, max_from_trade=200), changed(BOOK, last_trade=5_200)
    assert planned(both, view=traded).reason is NoQuote.ONE_SIDE_ONLY
    assert sizes(planned(both, view=traded, held=LONG, reduce="stop")) == [20]


def test_what_adds_to_inventory_keeps_the_least_edge() -> None:
    keen = changed(PARAMS, half_spread=10, min_edge=150)
    assert prices(planned(keen)) == [4800, 4800]
    wanted = planned(changed(keen, inventory_skew=0), held=LONG)
    assert prices(wanted) == [4800, 5100]  # the offer reduces: it only has to stay off the book


def test_makers_who_pay_a_fee_need_more_edge() -> None:
    dear = replace(MARKET, fees=FeeSchedule(rate=400, taker_only=False))
    keen = changed(PARAMS, half_spread=10, min_edge=0)
    assert prices(planned(keen, market=dear)) == [4900, 4900]  # 0.04 * 0.5 * 0.5 is a cent
    assert prices(planned(keen, market=replace(dear, fees=FeeSchedule(rate=400)))) == [4900, 4900]
    assert prices(planned(keen, market=replace(dear, tick=10))) == [4900, 4900]
    assert prices(planned(changed(keen, min_edge=50), market=replace(dear, tick=10))) == [4850, 4850]
    assert prices(planned(keen, market=replace(MARKET, tick=10))) == [4990, 4990]


def test_quotes_that_may_take_must_earn_the_takers_fee() -> None:
    dear = replace(MARKET, tick=10, fees=FeeSchedule(rate=400))  # 0.04 * 0.5 * 0.5 is a cent
    keen = changed(PARAMS, half_spread=10, min_edge=0)
    assert prices(planned(keen, market=dear)) == [4990, 4990]
    bold = planned(changed(keen, post_only=0), market=dear)
    assert prices(bold) == [4900, 4900]
    assert not bold.post_only


def test_quotes_that_may_take_are_still_planned_off_the_book() -> None:
    skewed = changed(PARAMS, post_only=0, inventory_skew=4_000)
    assert prices(planned(skewed, held=LONG)) == [2500, 5000]


def test_volatility_and_losses_widen_the_spread_up_to_its_most() -> None:
    assert prices(planned(signals=Signals(volatility=200))) == [4800, 4800]
    assert prices(planned(signals=Signals(markout_loss=100))) == [4800, 4800]
    assert prices(planned(signals=Signals(volatility=9_000))) == [4000, 4000]
    assert prices(planned(changed(PARAMS, half_spread=1_500), signals=Signals(volatility=9_000))) == [3500, 3500]


def test_layers_step_outwards_and_grow() -> None:
    wanted = planned(changed(PARAMS, layers=3, layer_step=150, layer_growth=50, max_inventory=200 * SHARES))
    assert prices(wanted)[:3] == [4900, 4700, 4500]  # a step and a half is two ticks
    assert sizes(wanted) == [20, 10, 5] * 2


def test_layers_share_the_room_that_is_left() -> None:
    params = changed(PARAMS, layers=4, max_inventory=50 * SHARES, taper_from=100)
    assert sizes(planned(params)) == [20, 20, 10] * 2


def test_layers_sell_what_is_held_before_they_buy_the_other_token() -> None:
    params = changed(PARAMS, layers=2, max_inventory=300 * SHARES)
    wanted = planned(params, held=Inventory(yes=30 * SHARES, yes_sellable=30 * SHARES))
    assert [(quote.side, quote.asset) for quote in wanted.quotes[2:]] == [(Side.SELL, "yes"), (Side.BUY, "no")]


def test_the_side_that_adds_tapers_towards_the_cap() -> None:
    params = changed(PARAMS, max_inventory=100 * SHARES)
    assert sizes(planned(params, held=changed(LONG, yes=50 * SHARES))) == [20, 20]
    assert sizes(planned(params, held=changed(LONG, yes=75 * SHARES))) == [10, 20]
    assert sizes(planned(params, held=changed(LONG, yes=95 * SHARES))) == [20]


def test_quotes_below_the_least_notional_are_left_out() -> None:
    assert planned(changed(PARAMS, min_notional=10 * CASH_ONE)).reason is NoQuote.NOTIONAL_BELOW_MINIMUM
    assert planned(changed(PARAMS, min_notional=9 * CASH_ONE)).reason is None


def test_the_fair_value_leans_with_the_sizes_of_the_book() -> None:
    heavy = BookView(((4900, 300 * SHARES), (4800, 100 * SHARES)), ((5100, 100 * SHARES),), 0)
    assert planned(view=heavy).fair_x2 == 10_000
    assert planned(changed(PARAMS, fair_value=1), view=heavy).fair_x2 == 10_100  # 3 to 1: half of half a spread
    assert planned(changed(PARAMS, fair_value=2), view=heavy).fair_x2 == 10_120  # 4 to 1


def test_the_fair_value_follows_takers_up_to_its_most() -> None:
    params = changed(PARAMS, trade_flow=100, trade_flow_size=200 * SHARES)
    assert planned(params, signals=Signals(flow=100 * SHARES)).fair_x2 == 10_100
    assert planned(params, signals=Signals(flow=-900 * SHARES)).fair_x2 == 9_800


def test_an_outside_fair_value_counts_by_its_weight() -> None:
    given = MarketInput(MARKET, BOOK, FLAT, 0, external=5_050)
    assert spread.plan(given, PARAMS).fair_x2 == 10_100
    assert spread.plan(given, changed(PARAMS, external_weight=50)).fair_x2 == 10_050
    assert spread.plan(given, changed(PARAMS, external_weight=0)).fair_x2 == 10_000
