"""Frames of an invented market, as the venue would spell them, with hashes that are right unless asked otherwise."""

import json
from collections.abc import Mapping

from markets.domain.book import MarketBook
from markets.domain.book_hash import HashFacts, book_hash
from markets.domain.books import BookSet
from markets.domain.decode import decode
from markets.domain.events import Side
from markets.domain.market import Market
from markets.domain.units import PRICE_ONE, complement, price_text, size_text

CONDITION = "0x" + "ab" * 32
YES, NO = "1" * 77, "2" * 77
MARKET = Market(CONDITION, event_id="7", question="Will it?", yes=YES, no=NO, tick=50)
RIGHT: Mapping[str, str] = {}
START_MS = 1_800_000_000_000

# Shares by price in 1/10 000: a book of three levels a side around 0.50.
BIDS = {4700: 300, 4800: 120, 4900: 40}
ASKS = {5100: 60, 5200: 75, 5300: 250}


def frame(message: object) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


class Venue:
    """The other side: keeps the true book and says what the venue would say about it."""

    def __init__(self, bids: Mapping[int, int] = BIDS, asks: Mapping[int, int] = ASKS, market: Market = MARKET) -> None:
        self.book = MarketBook(market)
        self.book.apply_snapshot(True, _levels(bids), _levels(asks))
        self.now_ms = START_MS
        self.last_trade = ""

    def snapshot(self, yes: bool = True, opening: bool = True) -> bytes:
        tick = price_text(self.book.market.tick)
        more = {"tick_size": tick, "last_trade_price": self.last_trade} if opening else {}
        return frame(
            {
                "market": CONDITION,
                "asset_id": self.book.market.asset(yes),
                "timestamp": str(self.now_ms),
                "hash": self.hash(yes),
                "bids": self._side(Side.BUY, yes),
                "asks": self._side(Side.SELL, yes),
                **more,
                "event_type": "book",
            }
        )

    def set(self, side: Side, price: int, shares: int, *, later_ms: int = 10) -> None:
        """Change a level of the YES book; time moves on by `later_ms`."""
        self.now_ms += later_ms
        self.book.apply_change(True, side, price, shares * 1_000_000)

    def told(self, side: Side, price: int, shares: int, *, wrong: Mapping[str, str] = RIGHT) -> bytes:
        """The price_change of a level as of now. `wrong` replaces fields of the YES entry."""
        market = self.book.market
        other = Side.SELL if side is Side.BUY else Side.BUY
        entries = [
            {"asset_id": market.yes, **self._entry(True, side, price, shares), **wrong},
            {"asset_id": market.no, **self._entry(False, other, complement(price), shares)},
        ]
        return price_change(entries, self.now_ms)

    def change(
        self, side: Side, price: int, shares: int, *, later_ms: int = 10, wrong: Mapping[str, str] = RIGHT
    ) -> bytes:
        self.set(side, price, shares, later_ms=later_ms)
        return self.told(side, price, shares, wrong=wrong)

    def hash(self, yes: bool) -> str:
        market = self.book.market
        facts = HashFacts(size_text(market.min_size), price_text(market.tick), market.neg_risk, self.last_trade)
        return book_hash(self.book, yes, self.now_ms, facts)

    def _entry(self, yes: bool, side: Side, price: int, shares: int) -> dict[str, str]:
        bid, ask = self.book.bid_top, self.book.ask_top
        tops = (bid, ask) if yes else (PRICE_ONE - ask, PRICE_ONE - bid)
        return {
            "price": price_text(price),
            "size": str(shares),
            "side": side.value,
            "hash": self.hash(yes),
            "best_bid": price_text(tops[0]),
            "best_ask": price_text(tops[1]),
        }

    def _side(self, side: Side, yes: bool) -> list[dict[str, str]]:
        best_first = self.book.levels(side, 1000, yes)
        return [{"price": price_text(p), "size": size_text(s)} for p, s in reversed(best_first)]


def price_change(entries: list[dict[str, str]], at_ms: int) -> bytes:
    return frame(
        {
            "market": CONDITION,
            "price_changes": entries,
            "timestamp": str(at_ms),
            "event_type": "price_change",
        }
    )


def best_bid_ask(bid: str, ask: str, at_ms: int, asset: str = YES) -> bytes:
    return frame(
        {
            "market": CONDITION,
            "asset_id": asset,
            "best_bid": bid,
            "best_ask": ask,
            "timestamp": str(at_ms),
            "event_type": "best_bid_ask",
        }
    )


def trade(price: str, at_ms: int, asset: str = YES) -> bytes:
    return frame(
        {
            "market": CONDITION,
            "asset_id": asset,
            "price": price,
            "size": "3",
            "side": "BUY",
            "timestamp": str(at_ms),
            "event_type": "last_trade_price",
        }
    )


def tick_change(new: str, at_ms: int, asset: str = YES) -> bytes:
    return frame(
        {
            "market": CONDITION,
            "asset_id": asset,
            "old_tick_size": "0.005",
            "new_tick_size": new,
            "timestamp": str(at_ms),
            "event_type": "tick_size_change",
        }
    )


def feed(books: BookSet, *frames: bytes, received_ns: int = 1) -> None:
    for data in frames:
        for event in decode(data):
            books.apply(event, received_ns)


def followed(venue: Venue, hash_every: int = 1) -> BookSet:
    """A book set that tracks the venue's market and has seen its opening snapshot."""
    books = BookSet(hash_every=hash_every)
    books.track(venue.book.market)
    feed(books, venue.snapshot())
    books.drain_dirty()
    return books


def _levels(side: Mapping[int, int]) -> list[tuple[int, int]]:
    return [(price, shares * 1_000_000) for price, shares in side.items()]
