"""Getting out: what reduces, and what is sold within which bound."""

from hypothesis import given
from hypothesis import strategies as st

from markets.domain.events import Side
from markets.domain.units import SIZE_ONE, complement
from risk.domain import exits
from risk.domain.exits import NoExit
from strategies.domain.inputs import BookView, Inventory
from strategies.domain.intents import Quote
from tests.builders import a_market

MARKET = a_market()
VIEW = BookView(((4900, 100 * SIZE_ONE),), ((5100, 100 * SIZE_ONE),), 0)


def holding(yes: int = 0, no: int = 0, settled: bool = True) -> Inventory:
    shares, other = yes * SIZE_ONE, no * SIZE_ONE
    return Inventory(shares, other, shares if settled else 0, other if settled else 0)


def test_what_is_held_beyond_pairs_is_sold_at_the_bound_or_better() -> None:
    found = exits.plan(MARKET, VIEW, holding(yes=30, no=10), floor=4455)
    assert not isinstance(found, NoExit)
    assert found.quote == Quote(MARKET.yes, Side.SELL, 4500, 20 * SIZE_ONE)


def test_no_shares_are_sold_in_their_own_price() -> None:
    found = exits.plan(MARKET, VIEW, holding(no=20), floor=4400)
    assert not isinstance(found, NoExit)
    assert found.quote == Quote(MARKET.no, Side.SELL, 4400, 20 * SIZE_ONE)
    assert exits.best_bid(MARKET, VIEW, holding(no=20)) == complement(5100)


def test_why_nothing_is_sold_is_said() -> None:
    empty = BookView((), (), 0)
    assert exits.plan(MARKET, VIEW, holding(yes=10, no=10), 1) is NoExit.FLAT
    assert exits.plan(MARKET, VIEW, holding(yes=20, settled=False), 1) is NoExit.UNSETTLED
    assert exits.plan(MARKET, VIEW, holding(yes=4), 1) is NoExit.DUST
    assert exits.plan(MARKET, empty, holding(yes=20), 1) is NoExit.NO_BID
    assert exits.plan(MARKET, VIEW, holding(yes=20), 4901) is NoExit.BELOW_BOUND


QUOTES = st.lists(
    st.builds(
        lambda yes, side, shares: Quote(MARKET.asset(yes), side, 5000, shares * SIZE_ONE),
        st.booleans(),
        st.sampled_from(Side),
        st.integers(1, 60),
    ),
    max_size=6,
)


def turned(quote: Quote) -> int:
    return quote.size if (quote.side is Side.BUY) == (quote.asset == MARKET.yes) else -quote.size


@given(QUOTES, st.integers(0, 100), st.integers(0, 100))
def test_whatever_part_of_the_reducing_quotes_fills_the_position_never_turns_or_grows(
    quotes: list[Quote], yes: int, no: int
) -> None:
    net = (yes - no) * SIZE_ONE
    kept = exits.reducing(MARKET, quotes, holding(yes, no))
    moved = [turned(quote) for quote in kept]
    assert all(move * net < 0 for move in moved)
    assert abs(sum(moved)) <= abs(net)
    assert exits.reducing(MARKET, kept, holding(yes, no)) == kept
