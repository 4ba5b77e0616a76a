"""Hash check of one market: does the venue's book hash come out of our book, and what follows if not.

Law: only a market whose hash has reproduced can be accused by it, and one accusation uses that proof up. So a
recipe the venue changes costs each market one snapshot and then the other checks stand alone.

What a frame does not say is tried: the price of a trade enters the hash before the trade is announced, and a
capture without metadata does not tell neg-risk.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from markets.domain.book import MarketBook
from markets.domain.book_hash import HashFacts, hash_levels, level_text, trade_text
from markets.domain.units import PRICE_ONE, Millis, Price, price_text, size_text


@dataclass(frozen=True, slots=True)
class Claim:
    """The venue's hash of one token's book at a time."""

    yes: bool
    timestamp_ms: Millis
    hash: str


class HashCheck:
    """State of one market. `misses` counts claims in a row that did not reproduce since one did."""

    __slots__ = ("_last_trade", "_neg_risk", "_proven", "_told", "_touched", "_unproven", "misses")

    def __init__(self, neg_risk: bool | None) -> None:
        self._neg_risk: tuple[bool, ...] = (False, True) if neg_risk is None else (neg_risk,)
        self._last_trade = ""
        self._touched: deque[Price] = deque(maxlen=8)
        self._told: deque[str] = deque(maxlen=4)
        self._unproven: tuple[Claim, str] | None = None
        self._proven = False
        self.misses = 0

    def touch(self, price: Price) -> None:
        """A level that changed: a trade that will be announced may have been at it."""
        self._touched.append(price)

    def told_last_trade(self, text: str) -> None:
        self._told.append(self._last_trade)
        self._last_trade = text

    def new_epoch(self) -> None:
        """What did not reproduce belonged to a book that is gone; that the recipe works is still known."""
        self._unproven, self.misses = None, 0

    def announced(self, book: MarketBook, price: Price) -> bool:
        """A trade was announced. Whether that makes the last unproven claim come true."""
        self.told_last_trade(trade_text(price))
        if self._unproven is None:
            return False
        claim, levels = self._unproven
        if not self._reproduces(book, claim, levels):
            return False
        self._believe()
        return True

    def holds(self, book: MarketBook, claim: Claim) -> bool:
        """Whether `claim` reproduces from `book` under any of the facts it may have been made with."""
        levels = level_text(book, claim.yes)
        if self._reproduces(book, claim, levels):
            self._believe()
            return True
        self._unproven = (claim, levels) if self._proven else None
        return False

    def accuse(self, certain: bool) -> bool:
        """Count a claim that did not hold; True when the book must go. `certain`: all facts were stated."""
        if not self._proven:
            return False
        self.misses += 1
        if self.misses < 2 and not certain:
            return False
        self.give_up()
        return True

    def give_up(self) -> None:
        """Forget the proof: no accusation before the hash reproduces again."""
        self._proven, self._unproven, self.misses = False, None, 0

    def _believe(self) -> None:
        self._proven, self._unproven, self.misses = True, None, 0

    def _reproduces(self, book: MarketBook, claim: Claim, levels: str) -> bool:
        market, asset = book.market.condition_id, book.market.asset(claim.yes)
        for facts in self._facts(book):
            if hash_levels(market, asset, claim.timestamp_ms, levels, facts) == claim.hash:
                self._neg_risk, self._last_trade = (facts.neg_risk,), facts.last_trade
                return True
        return False

    def _facts(self, book: MarketBook) -> Iterator[HashFacts]:
        min_size, tick = size_text(book.market.min_size), price_text(book.market.tick)
        touched = [trade_text(p) for price in reversed(self._touched) for p in (price, PRICE_ONE - price)]
        for last_trade in dict.fromkeys([self._last_trade, *reversed(self._told), *touched]):
            for neg_risk in self._neg_risk:
                yield HashFacts(min_size, tick, neg_risk, last_trade)
