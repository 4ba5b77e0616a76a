"""Where a paper order stands: the public book of one market, and each of our orders' place in its level.

Law: pure, integers only. Everything is seen from YES: a bid for NO at q is an offer of YES at 1 - q. What
the public book shows is never changed by us; what we took from it stays taken until the level is gone.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from execution.domain.commands import NewOrder
from markets.domain.events import BookSnapshot, LastTrade, Level, PriceChange, Side
from markets.domain.market import Market
from markets.domain.units import AssetId, Millis, Price, Size, complement

# The venue shows a level's fall before it announces the trade that caused it (and tests feed the other
# order): within this time one explains the other.
EXPLAINS_MS: Millis = 2_000


class Fall(NamedTuple):
    """A level that shrank."""

    is_bid: bool
    price: Price
    before: Size
    after: Size


def oriented(market: Market, asset: AssetId, side: Side, price: Price) -> tuple[bool, Price]:
    """Is it a bid for YES, and at what price of YES."""
    if asset == market.yes:
        return side is Side.BUY, price
    return side is Side.SELL, complement(price)


class PublicBook:
    """The displayed levels of one market, kept from the events of either token."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.tick: Price | None = None
        self._levels: dict[bool, dict[Price, Size]] = {True: {}, False: {}}
        self._taken: dict[bool, dict[Price, Size]] = {True: {}, False: {}}

    def snapshot(self, event: BookSnapshot) -> list[Fall]:
        self.tick = event.tick or self.tick
        yes = event.asset == self.market.yes
        falls = []
        for is_bid, levels in ((yes, event.bids), (not yes, event.asks)):
            fresh = {price if yes else complement(price): size for price, size in levels}
            old = self._levels[is_bid]
            falls += [
                Fall(is_bid, price, size, fresh.get(price, 0))
                for price, size in old.items()
                if fresh.get(price, 0) < size
            ]
            self._levels[is_bid] = fresh
            self._trim_taken(is_bid)
        return falls

    def change(self, event: PriceChange) -> Iterator[Fall]:
        """Both tokens carry each change; the second of a pair finds the level as it says and changes
        nothing.
        """
        for change in event.changes:
            is_bid, price = oriented(self.market, change.asset, change.side, change.price)
            levels = self._levels[is_bid]
            before = levels.get(price, 0)
            if change.size:
                levels[price] = change.size
            else:
                levels.pop(price, None)
            if change.size < before:
                self._trim_taken(is_bid)
                yield Fall(is_bid, price, before, change.size)

    def _trim_taken(self, is_bid: bool) -> None:
        taken, levels = self._taken[is_bid], self._levels[is_bid]
        for price in [price for price in taken if price not in levels]:
            del taken[price]

    def size_at(self, is_bid: bool, price: Price) -> Size:
        return self._levels[is_bid].get(price, 0)

    def available(self, is_bid: bool, limit: Price) -> list[Level]:
        """What an opposing order with `limit` could take now, best level first."""
        levels, taken = self._levels[is_bid], self._taken[is_bid]
        prices = sorted(levels, reverse=is_bid)
        reach = [price for price in prices if (price >= limit if is_bid else price <= limit)]
        return [(price, left) for price in reach if (left := levels[price] - taken.get(price, 0)) > 0]

    def take(self, is_bid: bool, price: Price, size: Size) -> None:
        taken = self._taken[is_bid]
        taken[price] = taken.get(price, 0) + size


class Resting:
    """One of our orders on the book. `ahead` are the public shares in front of it at its level."""

    __slots__ = (
        "_cut", "_fell", "_fell_ms", "_printed", "_printed_ms", "ahead", "is_bid", "order", "order_id", "price",
        "remaining",
    )  # fmt: skip

    def __init__(self, order: NewOrder, order_id: str, is_bid: bool, price: Price, ahead: Size) -> None:
        self.order = order
        self.order_id = order_id
        self.is_bid = is_bid
        self.price = price
        self.remaining = order.size
        self.ahead = ahead
        self._fell: Size = 0  # falls taken for cancels that a print may still explain, and how far they moved us
        self._cut: Size = 0
        self._fell_ms: Millis = 0
        self._printed: Size = 0  # prints whose fall is still to come
        self._printed_ms: Millis = 0

    def fell(self, before: Size, after: Size, now_ms: Millis) -> None:
        """The level shrank: what no trade explains are cancels, spread evenly over the queue."""
        if now_ms - self._printed_ms > EXPLAINS_MS:
            self._printed = 0
        explained = min(before - after, self._printed)
        self._printed -= explained
        before -= explained
        cancelled = before - after
        if not cancelled:
            return
        cut = self.ahead * cancelled // before
        self.ahead -= cut
        if now_ms - self._fell_ms > EXPLAINS_MS:
            self._fell = self._cut = 0
        self._fell += cancelled
        self._cut += cut
        self._fell_ms = now_ms

    def explain(self, traded: Size, now_ms: Millis) -> None:
        """A print at our level: the fall taken for cancels was this trade, which takes from the front."""
        if self._fell and now_ms - self._fell_ms <= EXPLAINS_MS:
            explained = min(traded, self._fell)
            back = self._cut * explained // self._fell
            self.ahead += back
            self._cut -= back
            self._fell -= explained
            traded -= explained
        if now_ms - self._printed_ms > EXPLAINS_MS:
            self._printed = 0
        self._printed += traded
        self._printed_ms = now_ms


def hits(market: Market, event: LastTrade) -> tuple[bool, Price]:
    """Which side of the YES book a print ate, and where. `side` is the taker's."""
    taker_is_bid, price = oriented(market, event.asset, event.side, event.price)
    return not taker_is_bid, price


def share_out(
    orders: Sequence[Resting], is_bid: bool, price: Price, size: Size, now_ms: Millis
) -> list[tuple[Resting, Size]]:
    """Give a print to our orders: to those it traded through, then to those at its price behind their queue."""
    fills: list[tuple[Resting, Size]] = []
    side = [order for order in orders if order.is_bid is is_bid]
    through = [order for order in side if (order.price > price if is_bid else order.price < price)]
    left = size
    for order in sorted(through, key=lambda order: -order.price if is_bid else order.price):
        filled = min(order.remaining, left)
        left -= filled
        fills.append((order, filled))
    level = [order for order in side if order.price == price]
    for order in level:
        order.explain(size, now_ms)
    eaten: Size = 0
    for order in sorted(level, key=lambda order: order.ahead):
        public = min(max(0, order.ahead - eaten), left)
        eaten += public
        left -= public
        filled = min(order.remaining, left)
        left -= filled
        fills.append((order, filled))
    for order in level:
        order.ahead = max(0, order.ahead - eaten)
    return [(order, filled) for order, filled in fills if filled]
