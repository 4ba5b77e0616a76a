"""Items folded in together leave the trader as items folded in one after the other do."""

from markets.domain.events import Frame, MarketEvent, Side
from polyweb.runtime.inbox import FeedDown, FeedUp, Item, Tick
from polyweb.runtime.trader import Trader
from tests.builders import CONFIG, MILLI, START, a_control, a_market, book, change

MARKET = a_market()
TOKENS = (MARKET.yes, MARKET.no)


def frames(at: int) -> list[Item]:
    """A book, changes before, between and after what is no plain change, and what cannot be read."""
    told = [
        book(MARKET, at),
        change(MARKET, at + MILLI, Side.BUY, 4_800, 30, (4_900, 5_100)),
        change(MARKET, at + 2 * MILLI, Side.BUY, 4_700, 40, (4_900, 5_100)),
        change(MARKET, at + 3 * MILLI, Side.SELL, 5_300, 20, (4_900, 5_100)).replace(b'"20"', b'"2x"'),
        change(MARKET, at + 4 * MILLI, Side.SELL, 5_300, 20, (4_900, 5_100)),
        book(MARKET, at + 5 * MILLI),
        change(MARKET, at + 6 * MILLI, Side.SELL, 5_400, 20, (4_900, 5_100)),
    ]
    return [Frame(at + place * MILLI, 1, data) for place, data in enumerate(told)]


def session() -> list[Item]:
    later = START + 100 * MILLI
    return [
        a_control((MARKET,)),
        FeedUp(START, TOKENS, 1),
        *frames(START),
        Tick(START + 50 * MILLI),
        *frames(later),
        FeedDown(later + 20 * MILLI, TOKENS, "gone"),
        *frames(later + 30 * MILLI),
    ]


def what_is_known(trader: Trader) -> tuple[object, ...]:
    books, key = trader.books, MARKET.condition_id
    held = books.book(key)
    assert held is not None
    return (
        trader.counters,
        trader.last_frame_ns,
        books.counters,
        books.trust(key),
        books.last_update_ns(key),
        held.bids,
        held.asks,
        trader.decide(START + 200 * MILLI),
    )


def test_items_together_do_what_they_do_one_by_one() -> None:
    one_by_one, together = Trader(CONFIG), Trader(CONFIG)
    for item in session():
        one_by_one.apply(item)
    together.apply_all(session())
    assert what_is_known(together) == what_is_known(one_by_one)
    assert together.counters.frames == 21
    assert together.counters.malformed == {"bad_number": 3}


def test_who_taps_hears_every_event_of_a_run() -> None:
    heard: list[MarketEvent] = []
    trader = Trader(CONFIG, tap=lambda event, _: heard.append(event))
    trader.apply_all([a_control((MARKET,)), *frames(START)])
    assert [type(event).__name__ for event in heard] == [
        "BookSnapshot",
        "PriceChange",
        "PriceChange",
        "PriceChange",
        "BookSnapshot",
        "PriceChange",
    ]
