"""One book answers for both tokens, exactly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets.domain.book import MarketBook, Sweep, Top
from markets.domain.events import Side
from markets.domain.units import PRICE_ONE, SIZE_ONE
from tests.domain.markets.wire import ASKS, BIDS, MARKET


def levels(side: dict[int, int]) -> list[tuple[int, int]]:
    return [(price, shares * SIZE_ONE) for price, shares in side.items()]


@pytest.fixture
def book() -> MarketBook:
    book = MarketBook(MARKET)
    book.apply_snapshot(True, levels(BIDS), levels(ASKS))
    return book


def test_tops_of_no_are_the_complements_of_yes(book: MarketBook) -> None:
    assert book.top(True) == Top(4900, 40 * SIZE_ONE, 5100, 60 * SIZE_ONE)
    assert book.top(False) == Top(4900, 60 * SIZE_ONE, 5100, 40 * SIZE_ONE)
    assert (book.spread, book.mid_x2) == (200, 10_000)


def test_a_snapshot_of_no_makes_the_same_book(book: MarketBook) -> None:
    other = MarketBook(MARKET)
    other.apply_snapshot(False, book.levels(Side.BUY, 9, False), book.levels(Side.SELL, 9, False))
    assert other.same_levels(book)


def test_removing_the_best_level_finds_the_next(book: MarketBook) -> None:
    book.apply_change(True, Side.BUY, 4900, 0)
    book.apply_change(False, Side.BUY, 4900, 0)  # YES ask at 0.51
    assert (book.best_bid, book.best_ask) == (4800, 5200)


def test_an_empty_side_has_no_price(book: MarketBook) -> None:
    for price in BIDS:
        book.apply_change(True, Side.BUY, price, 0)
    assert (book.best_bid, book.bid_top) == (None, 0)
    assert book.top(False).ask is None
    assert book.spread is None
    assert book.mid_x2 is None


def test_levels_come_best_first_and_no_deeper_than_asked(book: MarketBook) -> None:
    assert [price for price, _ in book.levels(Side.SELL, 2)] == [5100, 5200]
    assert [price for price, _ in book.levels(Side.SELL, 2, False)] == [5100, 5200]
    assert book.depth_at(Side.BUY, 4800) == book.depth_at(Side.SELL, 5200, False) == 120 * SIZE_ONE


def test_the_cost_of_a_sweep_rounds_against_the_taker(book: MarketBook) -> None:
    assert book.cost_to_fill(True, Side.BUY, 61 * SIZE_ONE) == Sweep(61 * SIZE_ONE, 31_120_000, 5200)
    assert book.cost_to_fill(False, Side.BUY, 1) == Sweep(1, 1, 5100)
    assert book.cost_to_fill(True, Side.SELL, 1) == Sweep(1, 0, 4900)


def test_a_sweep_of_more_than_there_is_fills_what_there_is(book: MarketBook) -> None:
    assert book.cost_to_fill(True, Side.SELL, 10**12).size == 460 * SIZE_ONE


def test_a_new_epoch_forgets_everything(book: MarketBook) -> None:
    book.start_epoch()
    assert (book.seeded, book.epoch, book.best_bid, book.prices()) == (False, 1, None, [])


def test_a_locked_book_is_crossed(book: MarketBook) -> None:
    book.apply_change(True, Side.BUY, 5100, SIZE_ONE)
    assert book.crossed


CHANGE = st.tuples(
    st.booleans(), st.sampled_from(Side), st.integers(1, PRICE_ONE - 1), st.sampled_from([0, 0, 1, 5, 10**9])
)


@given(st.lists(CHANGE, max_size=60))
def test_any_changes_leave_what_a_naive_book_holds(changes: list[tuple[bool, Side, int, int]]) -> None:
    book, bids, asks = MarketBook(MARKET), dict[int, int](), dict[int, int]()
    for yes, side, price, size in changes:
        book.apply_change(yes, side, price, size)
        own = bids if (side is Side.BUY) == yes else asks
        own[price if yes else PRICE_ONE - price] = size
    live_bids = sorted((p for p, size in bids.items() if size), reverse=True)
    live_asks = sorted(p for p, size in asks.items() if size)
    assert book.best_bid == (live_bids[0] if live_bids else None)
    assert book.best_ask == (live_asks[0] if live_asks else None)
    assert [price for price, _ in book.levels(Side.BUY, 99)] == live_bids
    assert [PRICE_ONE - price for price, _ in book.levels(Side.BUY, 99, False)] == live_asks


FEW_PRICES = st.tuples(st.booleans(), st.sampled_from(Side), st.integers(1, 6), st.sampled_from([0, 0, 1, 5]))


@given(st.lists(FEW_PRICES, max_size=60), st.integers(1, 7))
def test_who_asks_after_every_change_sees_every_change(changes: list[tuple[bool, Side, int, int]], depth: int) -> None:
    book = MarketBook(MARKET)
    for at, (yes, side, price, size) in enumerate(changes):
        if at % 10 == 9:
            book.apply_snapshot(yes, [(price, size), (price + 1, 3)], [(price + 2, 4)])
        book.apply_change(yes, side, price, size)
        assert book.best_bids(depth) == tuple(sorted(book.bids.items(), reverse=True)[:depth])
        assert book.best_asks(depth) == tuple(sorted(book.asks.items())[:depth])
