"""When a decision need not be made again: everything it was made from is as it was.

Law: pure. It says so only where a whole decision would send nothing either, and for `LOOK_NS` at most: what only time
changes (volatility and trade flow that fade, the others' reward scores) is looked at that often.
"""

from execution.domain.blotter import LiveOrder
from markets.domain.units import NANOS_PER_SECOND, Nanos
from polyweb.runtime.desk import Desk, Unmoved
from polyweb.runtime.state import TradingState
from strategies.domain.inputs import BookView
from strategies.domain.terms import Terms

LOOK_NS: Nanos = NANOS_PER_SECOND


def stands(desk: Desk, view: BookView, state: TradingState, now_ns: Nanos) -> bool:
    """Whether deciding about this view again would come to nothing again. Asked while nothing forbids quoting."""
    last = desk.unmoved
    if last is None or desk.terms is None or now_ns >= last.until_ns:
        return False
    given, market, measures = last.given, desk.market, desk.measures
    return (
        _reads_the_same(view, given.book, desk.terms)
        and measures.traded_ns == last.traded_ns
        and state.blotter.quotes(market.condition_id) is last.live
        and state.quotable(market) == given.inventory
        and (not last.short_of or state.rate.room(now_ns) < last.short_of)
    )


def note(desk: Desk, live: tuple[LiveOrder, ...], until_ns: Nanos, short_of: int = 0) -> None:
    """Nothing was to be done: keep what that was decided from. `short_of` is how many orders the rate must have room
    for before it is worth asking again; 0 when nothing was wanted that does not rest.
    """
    given, measures = desk.given, desk.measures
    if given is None or given.external is not None or measures.pending:
        return  # an outside value may expire, the markout of a fill fall due
    last_ns = given.now_ns + LOOK_NS
    desk.unmoved = Unmoved(given, live, measures.traded_ns, until_ns if until_ns < last_ns else last_ns, short_of)


def _reads_the_same(view: BookView, seen: BookView, terms: Terms) -> bool:
    if terms.sizes_read:
        return view.bids == seen.bids and view.asks == seen.asks and view.last_trade == seen.last_trade
    return (
        view.two_sided
        and view.bids[0][0] == seen.bids[0][0]
        and view.asks[0][0] == seen.asks[0][0]
        and view.last_trade == seen.last_trade
    )
