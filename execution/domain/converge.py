"""From what was approved and what rests to the fewest places and cancels that bring them together.

Law: exposure is never doubled and our own orders never cross. A side is replaced in two steps: cancel now,
place when the cancel is proved. Doing what a convergence says and asking again gives an empty one.

"Side" means the side of the one mirrored book: BUY YES and SELL NO are bids, SELL YES and BUY NO are offers.
"""

from collections.abc import Callable, Sequence
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
    """What lets an order stay.

    It stays while it is closer than `min_change_ticks` to a target, or, once it is `keep_queue_after_ns` old, while the
    target is less than `keep_queue_ticks` more aggressive. It stays until it is `size_tolerance` percent smaller than
    the target, never above it, and not beyond `max_age_ns` (0 is for ever). None younger than `min_lifetime_ns` goes.
    """

    min_change_ticks: int
    min_lifetime_ns: Nanos
    size_tolerance: int = 50
    keep_queue_ticks: int = 0
    keep_queue_after_ns: Nanos = 0
    max_age_ns: Nanos = 0


class Budget(msgspec.Struct, frozen=True, gc=False):
    """What replacing may cost at this moment. A side whose window is not open is not replaced now."""

    cancels_left: int
    bids_open: bool = True
    offers_open: bool = True


# Asked only when something is to be replaced.
Purse: TypeAlias = Callable[[], Budget]


class Convergence(msgspec.Struct, frozen=True, gc=False):
    """`withdrawals` end a side nobody wants any more, or what a new tick left off the grid, and are free; `requotes`
    count against the churn budget. `until_ns` is until when there is surely nothing to do for the same targets and
    orders, 0 when there is now or soon may be.
    """

    places: tuple[Quote, ...] = ()
    withdrawals: tuple[ClientOrderId, ...] = ()
    requotes: tuple[ClientOrderId, ...] = ()
    kept: tuple[ClientOrderId, ...] = ()
    requoted_bids: bool = False
    requoted_offers: bool = False
    until_ns: Nanos = 0

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
    approved: Approved[QuoteSet] | None,
    live: Sequence[LiveOrder],
    market: Market,
    churn: Churn,
    purse: Purse,
    now_ns: Nanos,
) -> Convergence:
    """`live` are one strategy's orders. None is a risk cancel: everything goes at once, whatever its age."""
    if approved is None:
        return Convergence(withdrawals=tuple(order.client_order_id for order in live if not order.cancel_asked))
    targets = approved.proposal.quotes
    if not live:
        return Convergence(targets)
    if len(live) <= 2 >= len(targets):
        orders, quotes = _one_a_side(live, market), _one_a_side(targets, market)
        if orders is not None and quotes is not None:  # nearly always
            return _of_pairs(orders, quotes, live, market, churn, purse, now_ns)
    return by_search(approved.proposal, live, market, churn, purse, now_ns)


def by_search(
    wanted: QuoteSet, live: Sequence[LiveOrder], market: Market, churn: Churn, purse: Purse, now_ns: Nanos
) -> Convergence:
    """`converge` for any number of orders and targets; with one of each on a side there is a shorter way, which agrees
    with it.
    """
    bids, offers = _matched(wanted, live, market, churn, now_ns)
    if live and bids.settled and offers.settled:  # nearly always: the rest would find nothing to do
        return Convergence(kept=_ids(live), until_ns=min(bids.until_ns, offers.until_ns))
    _part(bids, offers)
    return _assemble(bids, offers, live, purse)


def cost(wanted: QuoteSet, live: Sequence[LiveOrder], market: Market, min_change_ticks: int) -> Cost:
    """What it would take in the end to have these quotes rest, however long that takes. Judges and sends nothing."""
    sides = _matched(wanted, live, market, Churn(min_change_ticks, 0), 0)
    leaving = [order for book in sides for order in book.leaving if not order.cancel_asked]
    return Cost(len(leaving), len(wanted.quotes) - sum(len(book.kept) for book in sides))


_Sided = TypeVar("_Sided", LiveOrder, Quote)


def _one_a_side(found: Sequence[_Sided], market: Market) -> tuple[_Sided | None, _Sided | None] | None:
    """The one bid and the one offer among them, as YES sees them; None when a side has more."""
    bid = offer = None
    yes = market.yes
    for each in found:
        if (each.side is _BUY) is (each.asset == yes):
            if bid is not None:
                return None
            bid = each
        elif offer is not None:
            return None
        else:
            offer = each
    return bid, offer


def _of_pairs(
    orders: tuple[LiveOrder | None, LiveOrder | None],
    quotes: tuple[Quote | None, Quote | None],
    live: Sequence[LiveOrder],
    market: Market,
    churn: Churn,
    purse: Purse,
    now_ns: Nanos,
) -> Convergence:
    (bid, offer), (wanted_bid, wanted_offer) = orders, quotes
    bid_ns = 0 if bid is None or wanted_bid is None else _until_ns(bid, wanted_bid, market, churn, now_ns)
    offer_ns = 0 if offer is None or wanted_offer is None else _until_ns(offer, wanted_offer, market, churn, now_ns)
    if bid_ns and offer_ns:
        return Convergence(kept=_ids(live), until_ns=bid_ns if bid_ns < offer_ns else offer_ns)
    yes = market.yes
    places: tuple[Quote, ...] = ()
    # What is in the way of a target on the other side goes, and the target waits for its end.
    if bid is None and wanted_bid is not None:
        if offer is None or _as_yes(wanted_bid, yes) < _as_yes(offer, yes):
            places = (wanted_bid,)
        else:
            offer_ns = 0
    if offer is None and wanted_offer is not None:
        if bid is None or _as_yes(wanted_offer, yes) > _as_yes(bid, yes):
            places = (*places, wanted_offer)
        else:
            bid_ns = 0
    withdrawals: list[ClientOrderId] = []
    stale: list[Stale] = []
    kept: tuple[ClientOrderId, ...] = ()
    for order, target, until_ns, bids in ((bid, wanted_bid, bid_ns, True), (offer, wanted_offer, offer_ns, False)):
        if order is None:
            continue
        if until_ns:
            kept = (order.client_order_id,)
        elif order.cancel_asked:
            continue
        elif target is None or order.price % market.tick:
            withdrawals.append(order.client_order_id)
        elif now_ns - order.placed_ns >= churn.min_lifetime_ns:
            stale.append((-abs(_as_yes(order, yes) - _as_yes(target, yes)), order.client_order_id, bids))
    if not (withdrawals or stale):
        alone = not places and len(kept) == len(live)
        return Convergence(places, kept=kept, until_ns=bid_ns or offer_ns if alone else 0)
    return _told(places, withdrawals, stale, kept, purse)


# How far an order is from where it should be, below 0; its id; and whether it bids.
Stale: TypeAlias = tuple[Price, ClientOrderId, bool]


def _told(
    places: tuple[Quote, ...],
    withdrawals: list[ClientOrderId],
    stale: list[Stale],
    kept: tuple[ClientOrderId, ...],
    purse: Purse,
) -> Convergence:
    """As many are replaced as may be cancelled now, those farthest off first."""
    if not stale:
        return Convergence(places, tuple(withdrawals), kept=kept)
    budget = purse()
    bids_open, offers_open, left = budget.bids_open, budget.offers_open, budget.cancels_left
    if not (bids_open and offers_open):
        stale = [each for each in stale if (bids_open if each[2] else offers_open)]
    stale.sort()
    if left < len(stale):
        stale = stale[: max(0, left)]
    sides = [bids for _, _, bids in stale]
    requotes = tuple([client_order_id for _, client_order_id, _ in stale])
    return Convergence(places, tuple(withdrawals), requotes, kept, True in sides, False in sides)


def _ids(orders: Sequence[LiveOrder]) -> tuple[ClientOrderId, ...]:
    return tuple([order.client_order_id for order in orders])


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


def _until_ns(order: LiveOrder, target: Quote, market: Market, churn: Churn, now_ns: Nanos) -> Nanos:
    """Until when an order may stand for a target, 0 when it may not."""
    remaining, size = order.remaining, target.size
    if order.cancel_asked or order.asset != target.asset or order.side is not target.side:
        return 0
    if not market.min_size <= remaining <= size:
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
    ahead = target.price - order.price if order.side is _BUY else order.price - target.price
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
            if self._close(order, target):
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
        return self._until_ns(order, target) > 0

    def _until_ns(self, order: LiveOrder, target: Quote) -> Nanos:
        return _until_ns(order, target, self.market, self.churn, self.now_ns)

    @property
    def settled(self) -> bool:
        """Whether every order stands for a target and every target has its order."""
        return len(self.kept) == len(self.orders) == len(self.targets)

    @property
    def until_ns(self) -> Nanos:
        """How long all that is kept may stand."""
        ends = [self._until_ns(order, self.kept[order.client_order_id]) for order in self.orders]
        return min(ends, default=FOREVER)

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


def _assemble(bids: _Book, offers: _Book, live: Sequence[LiveOrder], purse: Purse) -> Convergence:
    withdrawals: list[ClientOrderId] = []
    stale: list[Stale] = []
    for book in (bids, offers):
        for order in book.leaving:
            if order.cancel_asked:
                continue
            if not book.targets or order.price % book.market.tick:
                withdrawals.append(order.client_order_id)
            elif book.now_ns - order.placed_ns >= book.churn.min_lifetime_ns:
                stale.append((-_distance(book, order), order.client_order_id, book is bids))
    return _told(tuple(bids.missing + offers.missing), withdrawals, stale, _kept(bids, offers, live), purse)


def _kept(bids: _Book, offers: _Book, live: Sequence[LiveOrder]) -> tuple[ClientOrderId, ...]:
    return tuple(
        [
            order.client_order_id
            for order in live
            if order.client_order_id in bids.kept or order.client_order_id in offers.kept
        ]
    )


def _distance(book: _Book, order: LiveOrder) -> Price:
    """How far an order is from where its side should be."""
    return min(abs(book.yes_price(order) - book.yes_price(target)) for target in book.targets)
