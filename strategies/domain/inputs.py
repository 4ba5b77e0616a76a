"""What a strategy may look at: frozen views of a verified book, our inventory and the clock.

Law: a strategy sees values, never the book or ledger themselves; feedback from execution arrives as
`Inventory`.
"""

import msgspec

from markets.domain.events import Level
from markets.domain.market import Market
from markets.domain.units import Cash, Nanos, Price, Size
from strategies.domain.measures import CALM, Signals
from strategies.domain.rewards import Scores


class BookView(msgspec.Struct, frozen=True, gc=False):
    """The YES-oriented top of a VERIFIED book, best level first; an empty tuple is an empty side."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    updated_ns: Nanos
    last_trade: Price | None = None

    @property
    def two_sided(self) -> bool:
        return bool(self.bids) and bool(self.asks)


class Inventory(msgspec.Struct, frozen=True, gc=False):
    """Held shares of one market; `cost` is what was paid for them.

    `sellable` excludes what is not settled and what others reserve, but not what our own resting quotes
    reserve: a plan replaces those, and leaving them out would flip sells to buys on every second decision.
    """

    yes: Size = 0
    no: Size = 0
    yes_sellable: Size = 0
    no_sellable: Size = 0
    yes_cost: Cash = 0
    no_cost: Cash = 0

    @property
    def net_yes(self) -> Size:
        """Signed direction: YES + NO pairs are worth one pUSD whatever happens."""
        return self.yes - self.no


FLAT = Inventory()


class External(msgspec.Struct, frozen=True, gc=False):
    """A fair value from outside: the YES price somebody else believes in, until it expires."""

    price: Price
    expires_ns: Nanos


class MarketInput(msgspec.Struct, frozen=True, gc=False):
    """`external` is an outside fair value that has not expired. `rivals` are the others' reward scores, None when not
    measured. `reduce` says why inventory may only get smaller; "" when it may grow.
    """

    market: Market
    book: BookView
    inventory: Inventory
    now_ns: Nanos
    signals: Signals = CALM
    external: Price | None = None
    rivals: Scores | None = None
    reduce: str = ""
