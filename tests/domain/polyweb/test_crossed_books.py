"""YES and NO of a market that pay together are a crossed book: it is told as a gap, and never traded on."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.domain.commands import Resync
from markets.domain.integrity import Doubt, Trust
from markets.domain.units import PRICE_ONE
from strategies.domain.dutch_book import scan
from strategies.domain.intents import Route
from strategies.domain.routes import OF_ONE_MARKET
from tests.basket_builders import ARB, LINKED, Floor
from tests.builders import CONFIG, SECOND, Shares, a_market, book
from tests.dutch_builders import CHAIN, FREE, SHARES, market, view

CROSSED: tuple[Shares, Shares] = ({5500: 100}, {5000: 100})


@pytest.mark.parametrize(
    ("config", "routes"),
    [
        (LINKED, {Route.BUY_BOTH_AND_MERGE, Route.SPLIT_AND_SELL_BOTH}),
        (CONFIG, {Route.BUY_BOTH_AND_HOLD, Route.SPLIT_AND_SELL_BOTH}),
    ],
)
def test_a_crossed_book_is_told_as_a_gap_and_refused_as_not_believed(config: object, routes: set[Route]) -> None:
    pair = a_market(10)
    floor = Floor(pair, config=config, arb=replace(ARB, chain_edge=0))  # type: ignore[arg-type]  # parametrized
    floor.hear(book(pair, floor.now, *CROSSED))
    commands = floor.decide()
    assert (floor.baskets(commands), floor.works(commands)) == ([], [])
    assert {gap.route for gap in floor.trader.open_gaps} == routes
    assert "refused: book not verified" in {gap.reason for gap in floor.trader.open_gaps}
    assert floor.trader.books.trust(pair.condition_id) is Trust.SUSPECT


def test_when_its_burst_is_over_a_crossed_book_is_read_again_and_still_not_traded_on() -> None:
    pair = a_market(10)
    floor = Floor(pair, config=LINKED, arb=replace(ARB, chain_edge=0))
    floor.hear(book(pair, floor.now, *CROSSED))
    floor.decide()
    floor.after(SECOND).tick()
    commands = floor.decide()
    assert (floor.baskets(commands), floor.works(commands)) == ([], [])
    assert [each.reason for each in commands if isinstance(each, Resync)] == [Doubt.CROSSED.value]


@given(st.integers(1, PRICE_ONE - 2), st.integers(1, PRICE_ONE - 1))
def test_a_book_that_is_not_crossed_never_pays_on_both_of_its_tokens(bid: int, above: int) -> None:
    ask = min(bid + above, PRICE_ONE - 1)
    found = scan({"m": (market("m"), view([(bid, 100 * SHARES)], [(ask, 100 * SHARES)]))}, FREE, CHAIN)
    assert found.baskets == ()
    assert {missed.route for missed in found.missed if missed.gross <= 0} == {
        missed.route for missed in found.missed if missed.route in OF_ONE_MARKET
    }
