"""One set that pays among three that only look like it: the trader takes it, the scanner says why not the others."""

from dataclasses import replace

from execution.domain.commands import Place, Strategy
from markets.domain.events import Frame
from polyweb.runtime import views
from polyweb.runtime.scanner import DutchScanner
from strategies.domain.arb_params import ArbParams
from strategies.domain.intents import NotTaken, Route
from strategies.domain.opportunity_log import NOT_HERE, TAKEN, WAITS
from tests.builders import SECOND, START, Stage, book, plain
from tests.planted_sets import AUGMENTED, DEPTH, FEES, GOOD, frames, planted

ARB = ArbParams(enabled=True)
MARKETS = tuple(market for pair in planted().values() for market in pair)


def test_only_the_set_that_pays_is_traded() -> None:
    stage = Stage(*MARKETS, arb=ARB, defaults=plain(half_spread=4_000))
    stage.hear(*frames(stage.now))
    baskets = [each for each in stage.decide() if isinstance(each, Place) and each.strategy is Strategy.DUTCH_BOOK]
    traded = {stage.trader.market(order.condition_id) for basket in baskets for order in basket.orders}
    assert {market.event_id for market in traded if market is not None} == {GOOD}


def test_the_scanner_says_of_each_gap_why_it_is_left_and_sends_nothing() -> None:
    scanner = DutchScanner(MARKETS, ARB)
    scanner.play([Frame(START + at, 0, data) for at, data in enumerate(frames(START))])
    reasons = {gap.event_id: gap.reason for gap in scanner.log.drain() if gap.route is Route.BUY_ALL_YES}
    assert reasons == {
        GOOD: WAITS,
        FEES: NotTaken.EATEN_BY_FEES.value,
        DEPTH: NotTaken.BELOW_MINIMUM.value,
        AUGMENTED: NotTaken.AUGMENTED.value,
    }


def test_a_gap_in_a_recording_has_the_lifetime_the_recording_shows() -> None:
    first, second = planted()[GOOD]
    opened = [Frame(START, 0, data) for data in frames(START)[:2]]
    dear = {4500: 100}, {5600: 100}
    scanner = DutchScanner((first, second), ARB)
    scanner.play([*opened, Frame(START + 3 * SECOND, 0, book(second, START + 3 * SECOND, *dear))])
    (gap,) = scanner.log.drain()
    assert (gap.opened_ns, gap.lifetime_ns) == (START, 3 * SECOND)


def test_a_book_that_is_not_verified_is_not_looked_at() -> None:
    first, second = planted()[GOOD]
    scanner = DutchScanner((first, second), ARB)
    for data in frames(START)[:2]:
        scanner.hear(Frame(START, 0, data))
    scanner.down((first.yes,))
    scanner.turn(START)
    assert (scanner.looks, scanner.log.open_gaps) == (0, [])


def test_what_a_chain_would_allow_is_reckoned_when_asked() -> None:
    pair = tuple(replace(market, end_ms=0) for market in planted()[GOOD])
    rich = [book(market, START, {5400: 100}, {5600: 100}) for market in pair]
    for chain, route in ((True, Route.BUY_ALL_NO_AND_CONVERT), (False, Route.BUY_ALL_NO_AND_HOLD)):
        scanner = DutchScanner(pair, ARB, chain=chain)
        scanner.play([Frame(START, 0, data) for data in rich])
        assert route in {gap.route for gap in scanner.log.drain() if gap.edge > 0}


def test_the_summary_shows_what_is_on_offer_now_the_widest_first() -> None:
    stage = Stage(*MARKETS, arb=ARB, defaults=plain(half_spread=4_000))
    stage.hear(*frames(stage.now))
    stage.decide()
    gaps = views.summary(stage.trader, stage.now + SECOND)["gaps"]
    assert gaps["open"] == 4
    assert [(gap["event_id"], gap["gross"], gap["reason"]) for gap in gaps["widest"]] == [
        (AUGMENTED, "0.2000", NotTaken.AUGMENTED.value),
        (DEPTH, "0.0600", NotTaken.BELOW_MINIMUM.value),
        (GOOD, "0.0600", TAKEN),
        (FEES, "0.0200", NotTaken.EATEN_BY_FEES.value),
    ]
    assert (gaps["widest"][2]["open_ms"], gaps["widest"][2]["depth"]) == (1_000, "100")


def test_gaps_that_are_open_when_the_engine_stops_end_there() -> None:
    stage = Stage(*MARKETS, arb=ARB, defaults=plain(half_spread=4_000))
    stage.hear(*frames(stage.now))
    stage.decide()
    stage.trader.end_gaps(stage.now + SECOND)
    assert {gap.event_id for gap in stage.trader.drain_gaps()} == set(planted())
    assert stage.trader.open_gaps == []


def test_what_only_a_chain_could_close_says_why_it_cannot_be_closed_here() -> None:
    pair = tuple(replace(market, end_ms=0) for market in planted()[GOOD])
    rich = [Frame(START, 0, book(market, START, {5400: 100}, {5600: 100})) for market in pair]
    told = {}
    for chain in (True, False):
        scanner = DutchScanner(pair, ARB, chain=chain, chain_off="the chain is off")
        scanner.play(rich)
        told[chain] = {gap.route: (gap.reason, gap.detail) for gap in scanner.log.drain()}
    assert told[True][Route.BUY_ALL_NO_AND_CONVERT] == (NOT_HERE, "the chain is off")
    assert told[False][Route.SPLIT_AND_SELL_ALL_YES] == (NotTaken.NEEDS_CHAIN.value, "the chain is off")
