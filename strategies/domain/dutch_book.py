"""Finds full sets that cost less than they pay: YES and NO of one market, every YES or every NO of an event.

Law: only a set proved complete is a set. Never the Other outcome, never an augmented event, never a guess about
outcomes that are not known. `dutch_watch` says cheaply when to look, `scan` looks and says why not.
"""

import msgspec

from strategies.domain import basket
from strategies.domain.arb_params import ArbParams
from strategies.domain.intents import Basket, Missed, NotTaken, Route
from strategies.domain.routes import Books, Moment, Opportunity, opportunities


class Scan(msgspec.Struct, frozen=True, gc=False):
    """What one look at an event found, the best basket first; no two need the same depth."""

    baskets: tuple[Basket, ...]
    missed: tuple[Missed, ...]


NOTHING = Scan((), ())
# Of two routes that earn the same the one named first wins: it needs less cash and less from the chain.
_RANK = {route: rank for rank, route in enumerate(Route)}
NOW_AND_HERE = Moment()


def scan(books: Books, params: ArbParams, at: Moment = NOW_AND_HERE) -> Scan:
    """Look at every route through one event. All markets of `books` must be of that event."""
    events = {market.event_id for market, _ in books.values()}
    if not events:
        return NOTHING
    if len(events) > 1:
        raise ValueError(f"one event at a time, got {sorted(events)}")
    found: list[tuple[Opportunity, Basket]] = []
    left: list[Missed] = []
    ordered = [books[condition_id] for condition_id in sorted(books)]
    for seen in opportunities(events.pop(), ordered, params, at):
        planned = basket.plan(seen, params)
        if isinstance(planned, NotTaken):
            left.append(basket.missed(seen, planned))
        else:
            found.append((seen, planned))
    if not params.enabled:
        return Scan((), (*(basket.missed(seen, NotTaken.DISABLED, planned) for seen, planned in found), *left))
    return _without_overlap(found, left)


def _without_overlap(found: list[tuple[Opportunity, Basket]], left: list[Missed]) -> Scan:
    """Both sides of one mirrored book share its depth, so a market serves one basket at a time."""
    taken: set[str] = set()
    kept: list[Basket] = []
    for seen, planned in sorted(found, key=lambda pair: (-pair[1].edge, _RANK[pair[1].route], pair[1].plan_id)):
        concerned = {leg.condition_id for leg in planned.legs}
        if concerned & taken:
            left.append(basket.missed(seen, NotTaken.DEPTH_SHARED, planned))
        else:
            taken |= concerned
            kept.append(planned)
    return Scan(tuple(kept), tuple(left))
