"""One mirrored order book per market: YES at p is NO at 1 - p, so one book answers for both tokens.

Law: levels are kept as YES sees them and the best prices are always current. A book without a snapshot of its
present epoch is not `seeded` and nobody may read prices off it.
"""

from collections.abc import Iterable
from typing import NamedTuple

from markets.domain.events import Level, Side
from markets.domain.market import Market
from markets.domain.units import PRICE_ONE, Cash, Price, Size, cash_ceil, cash_floor

EMPTY_BID: Price = 0
EMPTY_ASK: Price = PRICE_ONE


class Top(NamedTuple):
    """Best prices of one token; None where a side is empty."""

    bid: Price | None
    bid_size: Size
    ask: Price | None
    ask_size: Size


class Sweep(NamedTuple):
    """What taking liquidity would give: `size` may be less than asked, `cash` rounds against the taker."""

    size: Size
    cash: Cash
    worst: Price | None


class MarketBook:
    """Mirrored book of `market`. `bid_top` and `ask_top` read 0 and 10 000 on empty sides, as the venue says.

    Updates are O(1), but for the removal of the best level, which looks for the next one. `bids` and `asks` are sizes
    by price as YES sees them; only the book set's hot path changes them from outside, and never removes a level.

    Prices in order are kept for who asks again. They hold while no level went and there are as many as before: then
    none has come either.
    """

    __slots__ = (
        "_asks_best_first", "_bids_best_first", "ask_top", "asks", "bid_top", "bids", "epoch", "market", "seeded",
    )  # fmt: skip

    def __init__(self, market: Market) -> None:
        self.market = market
        self.epoch = 0
        self.seeded = False
        self.bid_top: Price = EMPTY_BID
        self.ask_top: Price = EMPTY_ASK
        self.bids: dict[Price, Size] = {}
        self.asks: dict[Price, Size] = {}
        self._bids_best_first: list[Price] = []
        self._asks_best_first: list[Price] = []

    def start_epoch(self) -> None:
        """Forget everything: what follows counts only after a snapshot."""
        self.epoch += 1
        self.seeded = False
        self.bids, self.asks = {}, {}
        self._bids_best_first, self._asks_best_first = [], []
        self.bid_top, self.ask_top = EMPTY_BID, EMPTY_ASK

    def apply_snapshot(self, yes: bool, bids: Iterable[Level], asks: Iterable[Level]) -> bool:
        """Replace the whole book by the snapshot of the YES or the NO token; zero sizes are no levels.

        False when it says what the book held already.
        """
        own, other = _sized(bids), _sized(asks)
        if not yes:
            own, other = _complemented(other), _complemented(own)
        if self.seeded and own == self.bids and other == self.asks:
            return False
        self.bids, self.asks = own, other
        self._bids_best_first, self._asks_best_first = [], []
        self.bid_top = max(own, default=EMPTY_BID)
        self.ask_top = min(other, default=EMPTY_ASK)
        self.seeded = True
        return True

    def replaced_by(self, yes: bool, bids: Iterable[Level], asks: Iterable[Level]) -> "MarketBook | None":
        """`apply_snapshot`, returning the book as it was if it was seeded and differs."""
        was = self.bids, self.asks, self.bid_top, self.ask_top, self.seeded
        if not self.apply_snapshot(yes, bids, asks) or not was[4]:
            return None
        twin = MarketBook(self.market)
        twin.epoch = self.epoch
        twin.bids, twin.asks, twin.bid_top, twin.ask_top, twin.seeded = was
        return twin

    def apply_change(self, yes: bool, side: Side, price: Price, size: Size) -> None:
        """Set the aggregate `size` at `price` of that token; 0 removes the level."""
        if not yes:
            price = PRICE_ONE - price
        if (side is Side.BUY) is yes:
            self.set_bid(price, size)
        else:
            self.set_ask(price, size)

    def set_bid(self, price: Price, size: Size) -> None:
        if size:
            self.bids[price] = size
            if price > self.bid_top:
                self.bid_top = price
        else:
            self.bids.pop(price, None)
            self._bids_best_first = []
            if price == self.bid_top:
                self.bid_top = max(self.bids, default=EMPTY_BID)

    def set_ask(self, price: Price, size: Size) -> None:
        if size:
            self.asks[price] = size
            if price < self.ask_top:
                self.ask_top = price
        else:
            self.asks.pop(price, None)
            self._asks_best_first = []
            if price == self.ask_top:
                self.ask_top = min(self.asks, default=EMPTY_ASK)

    @property
    def best_bid(self) -> Price | None:
        return self.bid_top if self.bid_top != EMPTY_BID else None

    @property
    def best_ask(self) -> Price | None:
        return self.ask_top if self.ask_top != EMPTY_ASK else None

    @property
    def spread(self) -> Price | None:
        if self.best_bid is None or self.best_ask is None:
            return None
        return self.ask_top - self.bid_top

    @property
    def mid_x2(self) -> int | None:
        """Twice the mid price, so that it stays an integer."""
        if self.best_bid is None or self.best_ask is None:
            return None
        return self.ask_top + self.bid_top

    @property
    def crossed(self) -> bool:
        """Crossed or locked: a resting bid at or above a resting ask, which the venue would have matched."""
        return self.bid_top >= self.ask_top

    def top(self, yes: bool) -> Top:
        bid, ask = self.best_bid, self.best_ask
        bid_size, ask_size = self.bids.get(self.bid_top, 0), self.asks.get(self.ask_top, 0)
        if yes:
            return Top(bid, bid_size, ask, ask_size)
        return Top(
            None if ask is None else PRICE_ONE - ask,
            ask_size,
            None if bid is None else PRICE_ONE - bid,
            bid_size,
        )

    def levels(self, side: Side, depth: int, yes: bool = True) -> tuple[Level, ...]:
        """The best `depth` levels of a token's bids (BUY) or asks (SELL), best first."""
        levels = self.best_bids(depth) if (side is Side.BUY) is yes else self.best_asks(depth)
        if yes:
            return levels
        return tuple([(PRICE_ONE - price, size) for price, size in levels])

    def best_bids(self, depth: int) -> tuple[Level, ...]:
        """The best `depth` bids as YES sees them, best first."""
        best_first, sizes = self._bids_best_first, self.bids
        if len(best_first) != len(sizes):
            best_first = self._bids_best_first = sorted(sizes, reverse=True)
        prices = best_first[:depth]
        return tuple(zip(prices, map(sizes.__getitem__, prices), strict=True))

    def best_asks(self, depth: int) -> tuple[Level, ...]:
        best_first, sizes = self._asks_best_first, self.asks
        if len(best_first) != len(sizes):
            best_first = self._asks_best_first = sorted(sizes)
        prices = best_first[:depth]
        return tuple(zip(prices, map(sizes.__getitem__, prices), strict=True))

    def depth_at(self, side: Side, price: Price, yes: bool = True) -> Size:
        """Size resting at exactly `price` on that side of that token."""
        own = self.bids if (side is Side.BUY) is yes else self.asks
        return own.get(price if yes else PRICE_ONE - price, 0)

    def cost_to_fill(self, yes: bool, side: Side, size: Size) -> Sweep:
        """Walk the book as a taker: BUY takes asks and rounds cash up, SELL takes bids and rounds it down."""
        wanted, cash, worst = size, 0, None
        against = Side.SELL if side is Side.BUY else Side.BUY
        to_cash = cash_ceil if side is Side.BUY else cash_floor
        for price, available in self.levels(against, len(self.bids) + len(self.asks), yes):
            if not wanted:
                break
            taken = min(wanted, available)
            cash += to_cash(price, taken)
            wanted -= taken
            worst = price
        return Sweep(size - wanted, cash, worst)

    def same_levels(self, other: "MarketBook") -> bool:
        return self.bids == other.bids and self.asks == other.asks

    def prices(self) -> list[Price]:
        """Every price with a level, in no promised order."""
        return [*self.bids, *self.asks]


def _sized(levels: Iterable[Level]) -> dict[Price, Size]:
    side = dict(levels)
    return {price: size for price, size in side.items() if size} if 0 in side.values() else side


def _complemented(side: dict[Price, Size]) -> dict[Price, Size]:
    return {PRICE_ONE - price: size for price, size in side.items()}
