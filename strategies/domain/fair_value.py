"""Fair value of a YES token: from the book, from takers' flow, from an outside source.

Law: integers only, twice the price, so that the middle of an odd spread needs no rounding. What leans is rounded
towards the mid, so that the market seen from its NO side has the mirrored fair value.
"""

from markets.domain.units import Price, Size
from strategies.domain.inputs import BookView, MarketInput
from strategies.domain.intents import Step
from strategies.domain.params import SpreadParams

MID, MICROPRICE, DEPTH = 0, 1, 2  # the values of the parameter `fair_value`


def fair_x2(given: MarketInput, params: SpreadParams, trace: list[Step]) -> int:
    """Twice the fair value. The caller has checked that the book is two-sided."""
    book = given.book
    mid = fair = mid_x2(book)
    if params.fair_value == MICROPRICE:
        fair += _imbalance_x2(book, book.bids[0][1], book.asks[0][1])
    elif params.fair_value == DEPTH:
        fair += _imbalance_x2(book, _depth(book.bids), _depth(book.asks))
    trace.append(Step("mid (x2)", mid, fair))
    flow = given.signals.flow
    if flow and params.trade_flow:
        before, fair = fair, fair + share_of(2 * params.trade_flow, flow, params.trade_flow_size)
        trace.append(Step("trade flow (x2)", before, fair))
    if given.external is not None and params.external_weight:
        before, fair = fair, fair + share_of(2 * given.external - fair, params.external_weight, 100)
        trace.append(Step("external (x2)", before, fair))
    return fair


def mid_x2(book: BookView) -> int:
    """Twice the mid price. The caller has checked that the book is two-sided."""
    return book.bids[0][0] + book.asks[0][0]


def lean_x2(net_yes: int, max_inventory: int, skew: Price) -> int:
    """Twice the distance the reservation price gives way to inventory: `skew` when that is at its maximum."""
    return share_of(2 * skew, net_yes, max_inventory)


def share_of(whole: int, part: int, most: int) -> int:
    """`whole` times `part / most`, at most all of it, towards zero; the sign is that of the product."""
    share = abs(whole) * min(abs(part), most) // most
    return share if (whole > 0) == (part > 0) else -share


def _imbalance_x2(book: BookView, bid_size: Size, ask_size: Size) -> int:
    """Larger bids push the fair value towards the ask: half a spread when there is nothing else."""
    return share_of(book.asks[0][0] - book.bids[0][0], bid_size - ask_size, bid_size + ask_size)


def _depth(levels: tuple[tuple[Price, Size], ...]) -> Size:
    return sum([size for _, size in levels])
