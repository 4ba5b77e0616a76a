"""Hash check of one market: does the venue's book hash come out of our book, and what follows if not.

Law: only a market whose hash has reproduced can be accused by it, and one accusation uses that proof up. Nobody is
accused while the recipe itself is in doubt.

What a frame does not say is tried: the price of a trade enters the hash before the trade is announced, and a
capture without metadata does not tell neg-risk. Once a market's neg-risk has reproduced it is never tried again.
"""

from collections import deque
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain, islice
from typing import NamedTuple

from markets.domain.book import MarketBook
from markets.domain.book_hash import HashFacts, Recipe, begin, finish, level_text, trade_text
from markets.domain.recipe_watch import RecipeWatch
from markets.domain.units import PRICE_ONE, Millis, Price, Size, price_text, size_text

HOPELESS_AFTER = 6  # failures in a row; then only the likeliest facts are tried, for every trial costs a SHA-1
LIKELY = 4
_EVERY_RECIPE = tuple(Recipe)


class Claim(NamedTuple):
    """The venue's hash of one token's book at a time. `spelled`: its levels as sent, if it sent them."""

    yes: bool
    timestamp_ms: Millis
    hash: str
    spelled: str = ""


class HashCheck:
    """State of one market. `misses` counts claims in a row that did not reproduce since one did.

    `touched` takes prices at which a trade may have been that is still to be announced.
    """

    __slots__ = (
        "_failures",
        "_last_trade",
        "_neg_risk",
        "_proven",
        "_told",
        "_unproven",
        "_watch",
        "misses",
        "touched",
    )

    def __init__(self, neg_risk: bool | None, watch: RecipeWatch) -> None:
        self._neg_risk: tuple[bool, ...] = (False, True) if neg_risk is None else (neg_risk,)
        self._watch = watch
        self._last_trade = ""
        self._told: deque[str] = deque(maxlen=4)
        self._unproven: tuple[Claim, str] | None = None
        self._proven = False
        self._failures = 0
        self.touched: deque[Price] = deque(maxlen=8)
        self.misses = 0

    @property
    def neg_risk(self) -> bool | None:
        """None while it is not known."""
        return self._neg_risk[0] if len(self._neg_risk) == 1 else None

    @property
    def suspects(self) -> bool:
        return self.misses > 0 and self._watch.accuses

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
        return self._reproduces(book, claim, levels)

    def holds(self, book: MarketBook, claim: Claim) -> bool:
        """Whether `claim` reproduces from `book` under any of the facts it may have been made with."""
        if claim.spelled and self._reproduces(book, claim, claim.spelled):
            return True
        levels = level_text(book, claim.yes)
        if levels != claim.spelled and self._reproduces(book, claim, levels):
            return True
        self._failures += 1
        self._watch.missed(book.market.condition_id)
        self._unproven = (claim, levels) if self._proven else None
        return False

    def accuse(self, certain: bool) -> bool:
        """Count a claim that did not hold; True when the book must go. `certain`: all facts were stated."""
        if not self._proven:
            return False
        self.misses += 1
        if self.misses < 2 and not certain:
            return False
        guilty = self._watch.accuses
        self.give_up()
        return guilty

    def give_up(self) -> None:
        """Forget the proof: no accusation before the hash reproduces again."""
        self._proven, self._unproven, self.misses = False, None, 0

    def _reproduces(self, book: MarketBook, claim: Claim, levels: str) -> bool:
        market = book.market
        begun = begin(market.condition_id, market.asset(claim.yes), claim.timestamp_ms, levels)
        for recipe, facts in self._trials(book):
            if finish(begun, facts, recipe) == claim.hash:
                if recipe is not Recipe.SIX_FIELDS:
                    self._neg_risk = (facts.neg_risk,)
                if recipe is Recipe.TEN_FIELDS:
                    self._last_trade = facts.last_trade
                self._proven, self._unproven, self.misses = True, None, 0
                self._failures = 0
                self._watch.matched(market.condition_id, recipe)
                return True
        return False

    def _trials(self, book: MarketBook) -> Iterator[tuple[Recipe, HashFacts]]:
        """The recipe that matched last comes first; the others are tried until this market has reproduced."""
        believed = self._watch.recipe
        hopeless = self._failures > HOPELESS_AFTER and not self._proven
        recipes = (believed,) if hopeless or (self._proven and self._watch.accuses) else _in_turn(believed)
        min_size, tick = _terms(book.market.min_size, book.market.tick)
        for recipe in recipes:
            trades = self._trades() if recipe is Recipe.TEN_FIELDS and not hopeless else (self._last_trade,)
            for last_trade in trades:
                for neg_risk in self._neg_risk:
                    yield recipe, HashFacts(min_size, tick, neg_risk, last_trade)

    def _trades(self) -> Iterator[str]:
        """Likeliest first: nothing new, a trade at the level that changed last, an announcement that came late."""
        yield self._last_trade
        seen = {self._last_trade: None}
        touched = self._touched_texts()
        for text in chain(islice(touched, LIKELY), reversed(self._told), touched):
            if text not in seen:
                seen[text] = None
                yield text

    def _touched_texts(self) -> Iterator[str]:
        for price in reversed(self.touched):
            yield trade_text(price)
            yield trade_text(PRICE_ONE - price)


@lru_cache(maxsize=256)
def _terms(min_size: Size, tick: Price) -> tuple[str, str]:
    return size_text(min_size), price_text(tick)


def _in_turn(first: Recipe) -> tuple[Recipe, ...]:
    return (first, *[recipe for recipe in _EVERY_RECIPE if recipe is not first])
