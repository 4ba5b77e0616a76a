"""The resting levels of one market, told from the YES side.

Its one law: the book is never crossed. NO is the mirror image (price 1 - p, sides swapped) and is never
stored. Prices are whole 1/10 000 pUSD, sizes whole 1/1 000 000 share.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache

PRICE_ONE = 10_000
SHARE = 1_000_000


class Side(IntEnum):
    """The side of a resting level or of a taker, seen from YES."""

    BUY = 0
    SELL = 1

    @property
    def other(self) -> "Side":
        return Side(1 - self)


@dataclass(frozen=True, slots=True)
class Change:
    """One level and its new aggregate size; 0 removes the level."""

    side: Side
    price: int
    size: int


class Crossed(ValueError):
    """A change would let a bid meet an ask: that is a trade, not a placement."""


@lru_cache(maxsize=PRICE_ONE + 1)
def price_text(price: int) -> str:
    """Spell a price as the venue does: no trailing zeros, '0' and '1' at the ends."""
    whole, rest = divmod(price, PRICE_ONE)
    return str(whole) if rest == 0 else f"{whole}.{rest:04d}".rstrip("0")


@lru_cache(maxsize=1 << 14)
def size_text(size: int) -> str:
    """Spell a size as the venue does: no trailing zeros, whole numbers without a point."""
    whole, rest = divmod(size, SHARE)
    return str(whole) if rest == 0 else f"{whole}.{rest:06d}".rstrip("0")


@dataclass(slots=True)
class Ladder:
    """Aggregated bids and asks by price."""

    bids: dict[int, int] = field(default_factory=dict)
    asks: dict[int, int] = field(default_factory=dict)

    def levels(self, side: Side) -> dict[int, int]:
        return self.bids if side is Side.BUY else self.asks

    def best_bid(self) -> int:
        """Highest bid; 0 when there is none, as the venue reports it."""
        return max(self.bids, default=0)

    def best_ask(self) -> int:
        """Lowest ask; 1 when there is none, as the venue reports it."""
        return min(self.asks, default=PRICE_ONE)

    def best(self, side: Side) -> int:
        return self.best_bid() if side is Side.BUY else self.best_ask()

    def from_the_touch(self, side: Side) -> list[int]:
        """Prices of one side, best first."""
        return sorted(self.levels(side), reverse=side is Side.BUY)

    def put(self, change: Change) -> None:
        """Set one level; refuses what would cross and changes nothing then."""
        if not 0 < change.price < PRICE_ONE or change.size < 0:
            raise ValueError(f"no such level: {change}")
        levels = self.levels(change.side)
        if change.size == 0:
            levels.pop(change.price, None)
            return
        opposite = self.best(change.side.other)
        if change.price >= opposite if change.side is Side.BUY else change.price <= opposite:
            raise Crossed(f"{change} meets {price_text(opposite)}")
        levels[change.price] = change.size

    def take(self, taker: Side, size: int, limit: int) -> list[Change]:
        """Let a taker eat levels up to a price; returns the levels eaten and what is left of each."""
        side = taker.other
        levels = self.levels(side)
        eaten: list[Change] = []
        for price in self.from_the_touch(side):
            beyond = price > limit if taker is Side.BUY else price < limit
            if size <= 0 or beyond:
                break
            left = max(0, levels[price] - size)
            size -= levels[price] - left
            eaten.append(Change(side, price, left))
            self.put(eaten[-1])
        return eaten
