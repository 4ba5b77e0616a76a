"""Fair value of a YES token: from the book, from takers' flow, from an outside source.

Law: integers only, twice the price, so that the middle of an odd spread needs no rounding. What leans is rounded
towards the mid, so that the market seen from its NO side has the mirrored fair value.
"""

from operator import itemgetter

from markets.domain.units import Price
from strategies.domain.inputs import BookView, MarketInput
from strategies.domain.intents import Note
from strategies.domain.params import SpreadParams

MID, MICROPRICE, DEPTH = 0, 1, 2  # the values of the parameter `fair_value`
_size = itemgetter(1)


def fair_x2(given: MarketInput, params: SpreadParams, noted: list[Note]) -> int:
    """Twice the fair value. The caller has checked that the book is two-sided."""
    bids, asks = given.book.bids, given.book.asks
    (bid, bid_size), (ask, ask_size) = bids[0], asks[0]
    mid = fair = bid + ask
    if params.fair_value:
        if params.fair_value == DEPTH:
            bid_size, ask_size = sum(map(_size, bids)), sum(map(_size, asks))
        # Larger bids push it towards the ask: half a spread when there is nothing else.
        lean = (ask - bid) * (bid_size - ask_size)
        fair += lean // (bid_size + ask_size) if lean >= 0 else -(-lean // (bid_size + ask_size))
    noted.append(("mid (x2)", mid, fair))
    flow = given.signals.flow
    if flow and params.trade_flow:
        before, fair = fair, fair + share_of(2 * params.trade_flow, flow, params.trade_flow_size)
        noted.append(("trade flow (x2)", before, fair))
    if given.external is not None and params.external_weight:
        before, fair = fair, fair + share_of(2 * given.external - fair, params.external_weight, 100)
        noted.append(("external (x2)", before, fair))
    return fair


def mid_x2(book: BookView) -> int:
    """Twice the mid price. The caller has checked that the book is two-sided."""
    return book.bids[0][0] + book.asks[0][0]


def lean_x2(net_yes: int, max_inventory: int, skew: Price) -> int:
    """Twice the distance the reservation price gives way to inventory: `skew` when that is at its maximum."""
    return share_of(2 * skew, net_yes, max_inventory)


def share_of(whole: int, part: int, most: int) -> int:
    """`whole` times `part / most`, at most all of it, towards zero; the sign is that of the product."""
    if part > most:
        part = most
    elif part < -most:
        part = -most
    share = whole * part
    return share // most if share >= 0 else -(-share // most)
