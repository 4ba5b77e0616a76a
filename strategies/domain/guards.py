"""Guardrails of the spread quoter: when it does not quote, when it only reduces, and how far quotes may stand.

Law: pure; when in doubt there is no quote. Whoever answers no says which rule it was.
"""

from markets.domain.market import SIZE_STEP, Market
from markets.domain.units import (
    NANOS_PER_MILLI,
    PRICE_ONE,
    Cash,
    Price,
    Size,
    floor_to_step,
)
from strategies.domain.fair_value import mid_x2
from strategies.domain.inputs import MarketInput
from strategies.domain.intents import NoQuote
from strategies.domain.params import SpreadParams
from strategies.domain.terms import MILLIS_PER_SECOND, Terms


def refusal(given: MarketInput, params: SpreadParams) -> NoQuote | None:
    """Why nothing at all is quoted now."""
    market, book = given.market, given.book
    if not market.accepting_orders:
        return NoQuote.NOT_ACCEPTING
    if not book.bids or not book.asks:
        return NoQuote.BOOK_ONE_SIDED
    if given.now_ns < given.signals.paused_until_ns:
        return NoQuote.PAUSED
    if market.game_start_ms:
        left_ms = market.game_start_ms - given.now_ns // NANOS_PER_MILLI
        if left_ms <= 0:
            return None if params.quote_in_play else NoQuote.IN_PLAY
        if left_ms <= params.start_margin_s * MILLIS_PER_SECOND:
            return NoQuote.GAME_NEAR
    return None


def reducing(given: MarketInput, params: SpreadParams, fair_x2: int) -> str:
    """Why inventory may only get smaller; "" when it may grow."""
    if given.reduce:
        return given.reduce
    if not 2 * params.collar_low <= fair_x2 <= 2 * params.collar_high:
        return "fair value outside the collar"
    end_ms = given.market.end_ms
    if end_ms and params.reduce_before_end_s:
        left_ms = end_ms - given.now_ns // NANOS_PER_MILLI
        if left_ms <= params.reduce_before_end_s * MILLIS_PER_SECOND:
            return "market about to end" if left_ms > 0 else "market past its end"
    return ""


def tapered_to_end(given: MarketInput, params: SpreadParams, size: Size) -> Size:
    """A smaller and smaller part of the size until the market ends."""
    end_ms, taper_ms = given.market.end_ms, params.taper_before_end_s * MILLIS_PER_SECOND
    if not end_ms or not taper_ms:
        return size
    left_ms = max(0, end_ms - given.now_ns // NANOS_PER_MILLI)
    return size if left_ms >= taper_ms else floor_to_step(size * left_ms // taper_ms, SIZE_STEP)


def tapered_to_cap(size: Size, held: Size, terms: Terms) -> Size:
    """What to offer on the side that adds to `held` net shares: all of it up to `taper_from`, nothing at the cap."""
    most, start = terms.params.max_inventory, terms.tapered_from
    if held <= start or held >= most:
        return size
    return floor_to_step(size * (most - held) // (most - start), SIZE_STEP)


def reach(given: MarketInput, terms: Terms) -> tuple[Price, Price]:
    """The lowest and the highest YES price a quote may have: on the grid, near the mid and the last trade."""
    mid, distance = mid_x2(given.book), terms.reach_x2
    low, high = -((distance - mid) // 2), (mid + distance) // 2
    trade = given.book.last_trade
    if trade is not None:
        most = terms.params.max_from_trade
        if trade - most > low:
            low = trade - most
        if trade + most < high:
            high = trade + most
    return low if low > terms.tick else terms.tick, high if high < terms.last else terms.last


def out_of_reach(given: MarketInput, params: SpreadParams, price: Price) -> NoQuote | None:
    """Why no quote may stand at this YES price."""
    if abs(2 * price - mid_x2(given.book)) > 2 * params.max_from_mid:
        return NoQuote.FAR_FROM_MID
    trade = given.book.last_trade
    if trade is not None and abs(price - trade) > params.max_from_trade:
        return NoQuote.FAR_FROM_TRADE
    return None


def notional_too_small(price: Price, size: Size, least: Cash) -> bool:
    return price * size < least * PRICE_ONE


def least_edge_x2(market: Market, params: SpreadParams, fair_x2: int) -> int:
    """Twice what a quote that adds to inventory must earn: the margin, and the fee where it may have to pay one."""
    fees = market.fees
    if not fees.rate or (fees.taker_only and params.post_only):
        return 2 * params.min_edge
    spread: int = (fair_x2 * (2 * PRICE_ONE - fair_x2)) ** fees.exponent
    scale: int = (4 * PRICE_ONE * PRICE_ONE) ** fees.exponent
    return 2 * params.min_edge - (-2 * fees.rate * spread // scale)
