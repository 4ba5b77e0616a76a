"""From what was approved and what rests to the fewest places and cancels that bring them together.

Law: exposure is never doubled and our own orders never cross. A side is replaced in two steps: cancel now,
place when the cancel is proved. Doing what a convergence says and asking again gives an empty one.

"Side" means the side of the one mirrored book: BUY YES and SELL NO are bids, SELL YES and BUY NO are offers.
"""

from collections.abc import Sequence
from typing import TypeAlias, TypeVar

import msgspec

from execution.domain.blotter import LiveOrder
from execution.domain.commands import ClientOrderId
from markets.domain.events import Side
from markets.domain.market import Market
from markets.domain.units import PRICE_ONE, AssetId, Nanos, Price
from risk.domain.gate import Approved
from strategies.domain.intents import Quote, QuoteSet

FOREVER: Nanos = 2**62
_BUY = Side.BUY
AGES = 16  # orders of one age limit are renewed at as many different ages, or all markets would renew at once


class Churn(msgspec.Struct, frozen=True, gc=False):
    """Limits on requoting.

    An order stays while it is closer than `min_change_ticks` to a target, or, once it is `keep_queue_after_ns` old,
    while the target is less than `keep_queue_ticks` more aggressive. It stays until it is `size_tolerance` percent
    smaller than the target, never above it, and not beyond `max_age_ns` (0 is for ever). A side whose window is not
    open is not replaced now.
    """

    min_change_ticks: int
    min_lifetime_ns: Nanos
    cancels_left: int
    size_tolerance: int = 50
    keep_queue_ticks: int = 0
    keep_queue_after_ns: Nanos = 0
    max_age_ns: Nanos = 0
    bids_open: bool = True
    offers_open: bool = True


class Convergence(msgspec.Struct, frozen=True, gc=False):
    """`withdrawals` end a side nobody wants any more, or what a new tick left off the grid, and are free; `requotes`
    count against the churn budget.
    """

    places: tuple[Quote, ...] = ()
    withdrawals: tuple[ClientOrderId, ...] = ()
    requotes: tuple[ClientOrderId, ...] = ()
    kept: tuple[ClientOrderId, ...] = ()
    requoted_bids: bool = False
    requoted_offers: bool = False

    @property
    def cancels(self) -> tuple[ClientOrderId, ...]:
        return self.withdrawals + self.requotes

    @property
    def empty(self) -> bool:
        return not (self.places or self.withdrawals or self.requotes)


class Cost(msgspec.Struct, frozen=True, gc=False):
    """Orders that would go and come."""

    cancels: int
    places: int


def converge(
    approved: Approved[QuoteSet] | None, live: Sequence[LiveOrder], market: Market, churn: Churn, now_ns: Nanos
) -> Convergence:
    """`live` are one strategy's orders. None is a risk cancel: everything goes at once, whatever its age."""
    if approved is None:
        return Convergence(withdrawals=tuple(order.client_order_id for order in live if not order.cancel_asked))
    if len(live) <= 2 >= len(approved.proposal.quotes):
        pairs = _pairs(approved.proposal.quotes, live, market)
        if pairs is not None:  # nearly always
            return _of_pairs(*pairs, live, market, churn, now_ns)
    return by_search(approved.proposal, live, market, churn, now_ns)


def by_search(wanted: QuoteSet, live: Sequence[LiveOrder], market: Market, churn: Churn, now_ns: Nanos) -> Convergence:
    """`converge` for any number of orders and targets; with one of each on a side there is a shorter way, which agrees
    with it.
    """
    bids, offers = _matched(wanted, live, market, churn, now_ns)
    if bids.settled and offers.settled:  # nearly always: the rest would find nothing to do
        return Convergence(kept=tuple([order.client_order_id for order in live]))
    _part(bids, offers)
    return _assemble(bids, offers, live, churn, now_ns)


def settled(targets: Sequence[Quote], live: Sequence[LiveOrder], market: Market, churn: Churn, now_ns: Nanos) -> Nanos:
    """Until when `converge` would surely find nothing to do for the same targets and orders; 0 where only its search
    can tell.

    Of `churn` only what lets an order stay is read, so this can be asked before anybody counts cancels.
    """
    if len(live) != len(targets):
        return 0
    if len(live) == 2 and (live[0].asset != targets[0].asset or live[0].side is not targets[0].side):
        live = live[::-1]  # orders stand as they were placed, targets with the bids first
    until_ns = FOREVER
    for order, target in zip(live, targets, strict=True):
        end_ns = 0 if order.cancel_asked else _until_ns(order, target, market, churn, now_ns)
        if end_ns < until_ns:
            if not end_ns:
                return 0
            until_ns = end_ns
    return until_ns


def cost(wanted: QuoteSet, live: Sequence[LiveOrder], market: Market, min_change_ticks: int) -> Cost:
    """What it would take in the end to have these quotes rest, however long that takes. Judges and sends nothing."""
    sides = _matched(wanted, live, market, Churn(min_change_ticks, 0, 0), 0)
    leaving = [order for book in sides for order in book.leaving if not order.cancel_asked]
    return Cost(len(leaving), len(wanted.quotes) - sum(len(book.kept) for book in sides))


_Sided = TypeVar("_Sided", LiveOrder, Quote)
# The one order and the one target of a side, where there are any.
_Pair: TypeAlias = tuple[LiveOrder | None, Quote | None]


def _pairs(targets: Sequence[Quote], live: Sequence[LiveOrder], market: Market) -> tuple[_Pair, _Pair] | None:
    """Of the bids and of the offers; None when a side has more."""
    orders, quotes = _one_a_side(live, market), _one_a_side(targets, market)
    if orders is None or quotes is None:
        return None
    return (orders[0], quotes[0]), (orders[1], quotes[1])


def _one_a_side(found: Sequence[_Sided], market: Market) -> tuple[_Sided | None, _Sided | None] | None:
    """The one bid and the one offer among them, as YES sees them; None when a side has more."""
    bid = offer = None
    for each in found:
        if (each.side is _BUY) is (each.asset == market.yes):
            if bid is not None:
                return None
            bid = each
        elif offer is not None:
            return None
        else:
            offer = each
    return bid, offer


def _of_pairs(
    bids: _Pair, offers: _Pair, live: Sequence[LiveOrder], market: Market, churn: Churn, now_ns: Nanos
) -> Convergence:
    yes = market.yes
    kept: list[ClientOrderId] = []
    places: list[Quote] = []
    for (order, target), (other, _), sign in ((bids, offers, 1), (offers, bids, -1)):
        if target is None:
            continue
        if order is not None:
            if not order.cancel_asked and _stays(order, target, market, churn, now_ns):
                kept.append(order.client_order_id)
        elif other is None or sign * (_as_yes(target, yes) - _as_yes(other, yes)) < 0:
            places.append(target)
    # A kept order that is in the way of a target goes, and the target waits for its end.
    for (order, target), (other, _), sign in ((bids, offers, 1), (offers, bids, -1)):
        if order is not None or target is None or other is None or other.client_order_id not in kept:
            continue
        if sign * (_as_yes(target, yes) - _as_yes(other, yes)) >= 0:
            kept.remove(other.client_order_id)
    if len(kept) == len(live):
        return Convergence(tuple(places), kept=tuple([order.client_order_id for order in live]))
    withdrawals: list[ClientOrderId] = []
    stale: list[tuple[Price, ClientOrderId]] = []
    for (order, target), is_open in ((bids, churn.bids_open), (offers, churn.offers_open)):
        if order is None or order.cancel_asked or order.client_order_id in kept:
            continue
        if target is None or order.price % market.tick:
            withdrawals.append(order.client_order_id)
        elif is_open and now_ns - order.placed_ns >= churn.min_lifetime_ns:
            stale.append((-abs(_as_yes(order, yes) - _as_yes(target, yes)), order.client_order_id))
    return _told(bids[0], offers[0], places, withdrawals, stale, kept, live, churn)


def _told(
    bid: LiveOrder | None,
    offer: LiveOrder | None,
    places: list[Quote],
    withdrawals: list[ClientOrderId],
    stale: list[tuple[Price, ClientOrderId]],
    kept: list[ClientOrderId],
    live: Sequence[LiveOrder],
    churn: Churn,
) -> Convergence:
    stale.sort()  # the farthest go first when cancels are short
    requotes = [client_order_id for _, client_order_id in stale[: max(0, churn.cancels_left)]]
    return Convergence(
        tuple(places),
        tuple(withdrawals),
        tuple(requotes),
        tuple([order.client_order_id for order in live if order.client_order_id in kept]),
        bid is not None and bid.client_order_id in requotes,
        offer is not None and offer.client_order_id in requotes,
    )


def _as_yes(item: Quote | LiveOrder, yes: AssetId) -> Price:
    return item.price if item.asset == yes else PRICE_ONE - item.price


def _matched(
    wanted: QuoteSet, live: Sequence[LiveOrder], market: Market, churn: Churn, now_ns: Nanos
) -> tuple["_Book", "_Book"]:
    bids, offers = _Book(market, churn, now_ns), _Book(market, churn, now_ns)
    for quote in wanted.quotes:
        (bids if _is_bid(market, quote.asset, quote.side) else offers).targets.append(quote)
    for order in live:
        (bids if _is_bid(market, order.asset, order.side) else offers).orders.append(order)
    bids.match()
    offers.match()
    return bids, offers


def _is_bid(market: Market, asset: AssetId, side: Side) -> bool:
    return (side is Side.BUY) == (asset == market.yes)


def _stays(order: LiveOrder, target: Quote, market: Market, churn: Churn, now_ns: Nanos) -> bool:
    """Whether an order may stand for a target."""
    return _until_ns(order, target, market, churn, now_ns) > 0


def _until_ns(order: LiveOrder, target: Quote, market: Market, churn: Churn, now_ns: Nanos) -> Nanos:
    """Until when an order may stand for a target, 0 when it may not."""
    remaining, size = order.remaining, target.size
    if order.asset != target.asset or order.side is not target.side or not market.min_size <= remaining <= size:
        return 0
    if remaining != size and remaining * 100 < size * (100 - churn.size_tolerance):
        return 0
    if order.price != target.price and not _near(order, target, market.tick, churn, now_ns):
        return 0
    most_ns = churn.max_age_ns
    if not most_ns:
        return FOREVER
    end_ns = order.placed_ns + most_ns - most_ns * (order.client_order_id % AGES) // (10 * AGES)
    return end_ns if now_ns < end_ns else 0


def _near(order: LiveOrder, target: Quote, tick: Price, churn: Churn, now_ns: Nanos) -> bool:
    """Whether another price may stay: on the grid, and hardly off the target or behind it with a place in the queue."""
    if order.price % tick:
        return False
    ahead = target.price - order.price if order.side is Side.BUY else order.price - target.price
    if abs(ahead) < churn.min_change_ticks * tick:
        return True
    queued = now_ns - order.placed_ns >= churn.keep_queue_after_ns
    return queued and 0 < ahead < churn.keep_queue_ticks * tick


class _Book:
    """One side of our own book while it is being worked out."""

    __slots__ = ("churn", "held_back", "kept", "market", "now_ns", "orders", "targets")

    def __init__(self, market: Market, churn: Churn, now_ns: Nanos) -> None:
        self.market = market
        self.churn = churn
        self.now_ns = now_ns
        self.targets: list[Quote] = []
        self.orders: list[LiveOrder] = []
        self.kept: dict[ClientOrderId, Quote] = {}
        self.held_back: list[Quote] = []

    def yes_price(self, item: Quote | LiveOrder) -> Price:
        return item.price if item.asset == self.market.yes else PRICE_ONE - item.price

    def match(self) -> None:
        """Pair as many orders with targets as possible, closest first (augmenting paths; sides are short)."""
        if len(self.orders) == 1 == len(self.targets):  # nearly always
            order, target = self.orders[0], self.targets[0]
            if not order.cancel_asked and self._close(order, target):
                self.kept[order.client_order_id] = target
            return
        owner: dict[int, LiveOrder] = {}
        for order in self.orders:
            if not order.cancel_asked:
                self._seat(order, owner, set())
        self.kept = {order.client_order_id: self.targets[index] for index, order in owner.items()}

    def _seat(self, order: LiveOrder, owner: dict[int, LiveOrder], tried: set[int]) -> bool:
        near = [index for index in range(len(self.targets)) if self._close(order, self.targets[index])]
        for index in sorted(near, key=lambda index: abs(self.targets[index].price - order.price)):
            if index in tried:
                continue
            tried.add(index)
            if index not in owner or self._seat(owner[index], owner, tried):
                owner[index] = order
                return True
        return False

    def _close(self, order: LiveOrder, target: Quote) -> bool:
        return _stays(order, target, self.market, self.churn, self.now_ns)

    @property
    def settled(self) -> bool:
        """Whether every order stands for a target and every target has its order."""
        return len(self.kept) == len(self.orders) == len(self.targets)

    @property
    def leaving(self) -> list[LiveOrder]:
        if len(self.kept) == len(self.orders):
            return []
        return [order for order in self.orders if order.client_order_id not in self.kept]

    @property
    def missing(self) -> list[Quote]:
        """Targets without an order: to be placed, unless an old order of this side still rests."""
        kept = len(self.kept)
        if kept < len(self.orders) or kept == len(self.targets):
            return []
        if not kept and not self.held_back:
            return self.targets
        taken = list(self.kept.values())
        wanted: list[Quote] = []
        for target in self.targets:
            if target in taken:
                taken.remove(target)
            elif target not in self.held_back:
                wanted.append(target)
        return wanted


def _part(bids: _Book, offers: _Book) -> None:
    """What rests holds back a new order it would meet, and a kept order that is in the way goes."""
    for book, other, sign in ((bids, offers, 1), (offers, bids, -1)):
        for target in book.missing:
            meets = [order for order in other.orders if sign * (book.yes_price(target) - other.yes_price(order)) >= 0]
            if meets:
                book.held_back.append(target)
            for order in meets:
                other.kept.pop(order.client_order_id, None)


def _assemble(bids: _Book, offers: _Book, live: Sequence[LiveOrder], churn: Churn, now_ns: Nanos) -> Convergence:
    if len(bids.kept) == len(bids.orders) and len(offers.kept) == len(offers.orders):  # nothing leaves
        return Convergence(places=tuple(bids.missing + offers.missing), kept=_kept(bids, offers, live))
    withdrawals: list[ClientOrderId] = []
    stale: list[tuple[Price, ClientOrderId]] = []
    for book, is_open in ((bids, churn.bids_open), (offers, churn.offers_open)):
        for order in book.leaving:
            if order.cancel_asked:
                continue
            if not book.targets or order.price % book.market.tick:
                withdrawals.append(order.client_order_id)
            elif is_open and now_ns - order.placed_ns >= churn.min_lifetime_ns:
                stale.append((-_distance(book, order), order.client_order_id))
    stale.sort()
    requotes = tuple([client_order_id for _, client_order_id in stale[: max(0, churn.cancels_left)]])
    return Convergence(
        places=tuple(bids.missing + offers.missing),
        withdrawals=tuple(withdrawals),
        requotes=requotes,
        kept=_kept(bids, offers, live),
        requoted_bids=any(order.client_order_id in requotes for order in bids.orders),
        requoted_offers=any(order.client_order_id in requotes for order in offers.orders),
    )


def _kept(bids: _Book, offers: _Book, live: Sequence[LiveOrder]) -> tuple[ClientOrderId, ...]:
    return tuple(
        [
            order.client_order_id
            for order in live
            if order.client_order_id in bids.kept or order.client_order_id in offers.kept
        ]
    )


def _distance(book: _Book, order: LiveOrder) -> Price:
    """How far an order is from where its side should be; the farthest go first when cancels are short."""
    return min(abs(book.yes_price(order) - book.yes_price(target)) for target in book.targets)
