"""Gaps from their opening to their end."""

from strategies.domain.arb_params import ArbParams
from strategies.domain.dutch_book import NOTHING, scan
from strategies.domain.intents import NotTaken, Route
from strategies.domain.opportunity_log import TAKEN, WAITS, Gap, OpportunityLog
from strategies.domain.routes import Moment
from tests.dutch_builders import CHAIN, FEES, FREE, SHARES, crossed, neg_risk

CHEAP = neg_risk([(2000, 3000), (2000, 3000), (2000, 3500)])


def only(gaps: list[Gap]) -> Gap:
    (gap,) = gaps
    return gap


def test_a_gap_lives_from_the_first_look_that_shows_it_to_the_first_that_does_not() -> None:
    log = OpportunityLog()
    log.saw("ev", scan(CHEAP, FREE), 10)
    log.saw("ev", scan(CHEAP, FREE), 20)
    assert log.drain() == []
    log.saw("ev", NOTHING, 35)
    gap = only(log.drain())
    assert (gap.route, gap.opened_ns, gap.lifetime_ns, gap.closed) == (Route.BUY_ALL_YES, 10, 25, True)
    assert (gap.gross, gap.depth, gap.reason) == (500, 100 * SHARES, WAITS)
    assert not log.has("ev")


def test_what_is_left_says_why_and_what_is_taken_stays_taken() -> None:
    log = OpportunityLog()
    log.saw("ev", scan(crossed(5100, fees=FEES), FREE, CHAIN), 1)
    assert {gap.reason for gap in log.open_gaps} == {NotTaken.EATEN_BY_FEES.value}
    log.gone("ev", 2)
    log.drain()
    found = scan(CHEAP, FREE)
    log.saw("ev", found, 3)
    log.tell(found.baskets[0], TAKEN)
    log.saw("ev", scan(CHEAP, ArbParams()), 4)
    assert only(log.open_gaps).reason == TAKEN


def test_the_widest_moment_and_the_best_edge_are_kept() -> None:
    log = OpportunityLog()
    for asks, now in (((3000, 3000, 3500), 1), ((2000, 3000, 3500), 2), ((3000, 3000, 3900), 3)):
        log.saw("ev", scan(neg_risk([(1000, ask) for ask in asks]), FREE), now)
    gap = only(log.open_gaps)
    assert (gap.gross, gap.edge, gap.opened_ns, gap.seen_ns) == (1500, 15_000_000, 1, 3)


def test_a_detector_that_is_off_still_tells_what_it_would_have_earned() -> None:
    log = OpportunityLog()
    log.saw("ev", scan(CHEAP, ArbParams(lock_rate_bps=0)), 1)
    gap = only(log.open_gaps)
    assert (gap.reason, gap.edge) == (NotTaken.DISABLED.value, 5_000_000)


def test_what_is_open_when_nobody_looks_any_more_ends_there() -> None:
    log = OpportunityLog()
    log.saw("ev", scan(CHEAP, FREE, Moment()), 1)
    log.end(9)
    assert only(log.drain()).seen_ns == 9


def test_the_reason_is_that_of_the_widest_moment_not_of_its_end() -> None:
    log = OpportunityLog()
    log.saw("ev", scan(crossed(), ArbParams(), CHAIN), 1)
    log.saw("ev", scan(crossed(5100, fees=FEES), ArbParams(), CHAIN), 2)
    log.gone("ev", 3)
    assert {gap.reason for gap in log.drain()} == {NotTaken.DISABLED.value}


def test_a_look_at_a_wider_gap_brings_its_own_reason() -> None:
    log = OpportunityLog()
    log.saw("ev", scan(crossed(5100, fees=FEES), ArbParams(), CHAIN), 1)
    log.saw("ev", scan(crossed(), ArbParams(), CHAIN), 2)
    assert {gap.reason for gap in log.open_gaps} == {NotTaken.DISABLED.value}
