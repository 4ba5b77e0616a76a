"""Finds full sets that cost less than they pay: YES and NO of one market, every YES or every NO of an event.

Law: only a set proved complete is a set. Never the Other outcome, never an augmented event, never a guess
about outcomes that are not known. `DutchWatch` says cheaply when to look, `scan` looks and says why not.
"""

from collections.abc import Iterable, Mapping

import msgspec

from markets.domain.market import Market
from markets.domain.units import PRICE_ONE, ConditionId, complement
from strategies.domain import basket
from strategies.domain.arb_params import ArbParams
from strategies.domain.basket import EDGE_ONE, Offer, Opportunity
from strategies.domain.inputs import BookView
from strategies.domain.intents import Basket, Missed, NotTaken, Route

Books = Mapping[ConditionId, tuple[Market, BookView]]
BPS_ONE = 10_000


class Scan(msgspec.Struct, frozen=True, gc=False):
    """What one look at an event found, the best basket first; no two need the same depth."""

    baskets: tuple[Basket, ...]
    missed: tuple[Missed, ...]


def scan(books: Books, params: ArbParams, since_ns: int = 0) -> Scan:
    """Look at every route through one event. All markets of `books` must be of that event."""
    events = {market.event_id for market, _ in books.values()}
    if not events:
        return Scan((), ())
    if len(events) > 1:
        raise ValueError(f"one event at a time, got {sorted(events)}")
    event_id = events.pop()
    if not params.enabled:
        return Scan((), (Missed(event_id, None, NotTaken.DISABLED),))
    ordered = [books[condition_id] for condition_id in sorted(books)]
    if any(market.augmented for market, _ in ordered):
        return Scan((), (Missed(event_id, None, NotTaken.AUGMENTED),))
    found: list[Basket] = []
    left: list[Missed] = []
    for candidate in _candidates(event_id, ordered, params, since_ns):
        if isinstance(candidate, Missed):
            left.append(candidate)
            continue
        planned = basket.plan(candidate, params)
        if isinstance(planned, NotTaken):
            left.append(basket.missed(candidate, planned))
        else:
            found.append(planned)
    return _without_overlap(found, left)


def _candidates(
    event_id: str, books: list[tuple[Market, BookView]], params: ArbParams, since_ns: int
) -> Iterable[Opportunity | Missed]:
    for market, view in books:
        route = Route.BUY_BOTH_AND_MERGE
        refusal = _unfit([(market, view)]) or (None if view.two_sided else NotTaken.NO_OFFER)
        if refusal:
            yield Missed(event_id, route, refusal, market.condition_id)
        else:
            offers = (Offer(market, True, view.asks), Offer(market, False, _no_asks(view)))
            yield Opportunity(event_id, route, offers, EDGE_ONE, since_ns)
    members = [(market, view) for market, view in books if market.neg_risk]
    if members:
        yield from _sets(event_id, members, params, since_ns)


def _sets(
    event_id: str, members: list[tuple[Market, BookView]], params: ArbParams, since_ns: int
) -> Iterable[Opportunity | Missed]:
    refusal = _unfit(members) or _incomplete([market for market, _ in members])
    if refusal:
        yield Missed(event_id, None, refusal)
        return
    every_yes = tuple(Offer(market, True, view.asks) for market, view in members)
    every_no = tuple(Offer(market, False, _no_asks(view)) for market, view in members)
    converted = (len(members) - 1) * EDGE_ONE * (BPS_ONE - params.convert_fee_bps) // BPS_ONE
    for route, offers, payout in (
        (Route.BUY_ALL_YES, every_yes, EDGE_ONE),
        (Route.BUY_ALL_NO_AND_CONVERT, every_no, converted),
    ):
        if all(offer.asks for offer in offers):
            yield Opportunity(event_id, route, offers, payout, since_ns)
        else:
            yield Missed(event_id, route, NotTaken.NO_OFFER)


def _no_asks(view: BookView) -> tuple[tuple[int, int], ...]:
    """The NO token's offers: the mirrored book shows them as bids for YES."""
    return tuple((complement(price), size) for price, size in view.bids)


def _unfit(members: list[tuple[Market, BookView]]) -> NotTaken | None:
    if any(market.other for market, _ in members):
        return NotTaken.OTHER_OUTCOME
    if not all(market.accepting_orders for market, _ in members):
        return NotTaken.NOT_ACCEPTING
    return None


def _incomplete(markets: list[Market]) -> NotTaken | None:
    return None if is_complete_set(markets) else NotTaken.INCOMPLETE_SET


def is_complete_set(markets: list[Market]) -> bool:
    """Whether exactly one YES of these neg-risk markets must win: proved by metadata, not by their prices."""
    return len(markets) >= 2 and all(
        market.set_size == len(markets) and not market.augmented and not market.other for market in markets
    )


def _without_overlap(found: list[Basket], left: list[Missed]) -> Scan:
    taken: set[str] = set()
    kept: list[Basket] = []
    for planned in sorted(found, key=lambda one: (-one.edge, one.plan_id)):
        assets = {leg.asset for leg in planned.legs}
        if assets & taken:
            single = planned.route is Route.BUY_BOTH_AND_MERGE
            condition_id = planned.legs[0].condition_id if single else ""
            left.append(Missed(planned.event_id, planned.route, NotTaken.DEPTH_SHARED, condition_id))
        else:
            taken |= assets
            kept.append(planned)
    return Scan(tuple(kept), tuple(left))


class _Set:
    """Sums of best asks over one event's set, and how many of its gaps are open."""

    __slots__ = ("complete", "gaps", "members", "no_missing", "no_sum", "open", "opened_ns", "yes_sum")

    def __init__(self) -> None:
        self.members = 0
        self.complete = False
        self.yes_sum = 0
        self.no_sum = 0
        self.no_missing = 0
        self.open = False
        self.gaps = 0
        self.opened_ns = 0


class _Pair:
    """The last best asks of one market; PRICE_ONE stands for no offer."""

    __slots__ = ("crossed", "event", "in_set", "no", "yes")

    def __init__(self, event: _Set, in_set: bool) -> None:
        self.event = event
        self.in_set = in_set
        self.yes = PRICE_ONE
        self.no = PRICE_ONE
        self.crossed = False


class DutchWatch:
    """Says when an event is worth a scan, from tops of books alone: O(1) a change, whatever the event's size.

    Fees are left out, so it fires too often rather than too seldom.
    """

    def __init__(self, markets: Iterable[Market] = (), min_edge: int = 0) -> None:
        self._enough = max(min_edge, 1)
        self._pairs: dict[ConditionId, _Pair] = {}
        self.set_markets(markets)

    def set_markets(self, markets: Iterable[Market]) -> None:
        """Start over with these markets; those that may never be in a set are not watched."""
        self._pairs = {}
        by_event: dict[str, list[Market]] = {}
        for market in markets:
            by_event.setdefault(market.event_id, []).append(market)
        for members in by_event.values():
            if any(market.augmented for market in members):
                continue
            event = _Set()
            in_set = [market for market in members if market.neg_risk]
            event.complete = is_complete_set(in_set) and all(market.accepting_orders for market in in_set)
            for market in members:
                if not market.other and market.accepting_orders:
                    self._watch(market, event)

    def _watch(self, market: Market, event: _Set) -> None:
        in_set = market.neg_risk
        self._pairs[market.condition_id] = _Pair(event, in_set)
        if in_set:
            event.members += 1
            event.yes_sum += PRICE_ONE
            event.no_sum += PRICE_ONE
            event.no_missing += 1

    def update(
        self, condition_id: ConditionId, best_yes_ask: int | None, best_no_ask: int | None, now_ns: int = 0
    ) -> bool:
        """Take new best asks (None, or anything outside 0..1, is no offer); whether they make a set cheap."""
        pair = self._pairs.get(condition_id)
        if pair is None:
            return False
        yes = best_yes_ask if best_yes_ask is not None and 0 < best_yes_ask < PRICE_ONE else PRICE_ONE
        no = best_no_ask if best_no_ask is not None and 0 < best_no_ask < PRICE_ONE else PRICE_ONE
        event = pair.event
        if pair.in_set:
            event.yes_sum += yes - pair.yes
            event.no_sum += no - pair.no
            event.no_missing += (no == PRICE_ONE) - (pair.no == PRICE_ONE)
        pair.yes, pair.no = yes, no
        crossed = yes + no <= PRICE_ONE - self._enough
        open_set = self._set_is_cheap(event)
        gaps = event.gaps + crossed - pair.crossed + open_set - event.open
        if gaps and not event.gaps:
            event.opened_ns = now_ns
        event.gaps, event.open, pair.crossed = gaps, open_set, crossed
        return crossed or (open_set and pair.in_set)

    def _set_is_cheap(self, event: _Set) -> bool:
        """A leg without offer counts as 1 in the sums: enough to rule a YES set out, not a NO set."""
        if not event.complete:
            return False
        if event.yes_sum <= PRICE_ONE - self._enough:
            return True
        return not event.no_missing and event.no_sum <= (event.members - 1) * PRICE_ONE - self._enough

    def opened_ns(self, condition_id: ConditionId) -> int:
        """When the event's present gap opened: `scan`'s `since_ns`."""
        return self._pairs[condition_id].event.opened_ns
