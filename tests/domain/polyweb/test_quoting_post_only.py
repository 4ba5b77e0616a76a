"""Quotes are post-only unless an operator says otherwise; what may take is counted with the taker fee."""

from execution.domain.venue import VenueMode
from markets.domain.events import Frame
from markets.domain.fees import FeeSchedule
from polyweb.runtime.inbox import TraderConfig, VenueTold
from polyweb.runtime.rehearsal import Rehearsal
from polyweb.runtime.rehearsal_venues import PaperVenue
from polyweb.runtime.trader import Trader
from tests.builders import MILLI, PUSD, SECOND, START, Stage, a_control, a_market, book, placed, plain

BOLD = plain(post_only=0)
DEAR = a_market(fees=FeeSchedule(rate=400))


def test_quotes_are_post_only_by_default() -> None:
    stage = Stage()
    assert [order.post_only for order in placed(stage.turn(book(stage.market, stage.now)))] == [True, True]


def test_off_the_venue_may_match_them() -> None:
    stage = Stage(defaults=BOLD)
    assert [order.post_only for order in placed(stage.turn(book(stage.market, stage.now)))] == [False, False]


def test_a_venue_in_post_only_mode_gets_post_only_quotes_whatever_the_parameter_says() -> None:
    stage = Stage(defaults=BOLD)
    stage.apply(VenueTold(stage.now, VenueMode.POST_ONLY, True, "after a restart"))
    assert [order.post_only for order in placed(stage.turn(book(stage.market, stage.now)))] == [True, True]


def test_what_may_take_counts_with_its_fee_while_it_is_on_its_way() -> None:
    passive = Stage(DEAR, defaults=plain(half_spread=200)).quoting()
    bold = Stage(DEAR, defaults=plain(half_spread=200, post_only=0)).quoting()
    assert (passive.prices(), bold.prices()) == ([4800, 5200], [4800, 5200])
    fee = 199_680  # 20 * 0.04 * 0.48 * 0.52
    assert bold.trader.exposure.worst_total() - passive.trader.exposure.worst_total() == fee


def test_a_quote_that_the_book_has_moved_onto_is_refused_or_trades_and_pays() -> None:
    taken = {post_only: rehearsed(post_only) for post_only in (1, 0)}
    assert taken[1] == (0, 0)
    size, fees = taken[0]
    assert size == 20_000_000
    assert fees > 0


def rehearsed(post_only: int) -> tuple[int, int]:
    """Shares held and fees paid after the book fell through our bid while it was on its way to the paper venue."""
    trader = Trader(TraderConfig(1, 1_000 * PUSD, auto_track=True), lambda event, now: venue.on_event(event, now))
    venue = PaperVenue(trader.market, 1_000 * PUSD, 0)
    rehearsal = Rehearsal(trader, venue, a_control([DEAR], defaults=plain(post_only=post_only)))
    fallen = {4700: 100}, {4800: 100}
    later = [Frame(at, 0, book(DEAR, at, *fallen)) for at in (START + MILLI, START + SECOND)]
    rehearsal.run([Frame(START, 0, book(DEAR, START)), *later])
    held = trader.ledger.inventory(DEAR)
    return held.yes, trader.ledger.pnl({}, DEAR.condition_id).fees
