"""The spread quoter: layers of bids and offers around a price that leans away from what we hold.

Law: pure; a quote is on the market's grid, never crosses the book or our other quotes, and never takes net
inventory past its maximum, whatever fills. Every clamp leaves a step with the value before and after.
"""

from markets.domain.market import SIZE_STEP
from markets.domain.units import (
    PRICE_ONE,
    Price,
    ceil_to_tick,
    floor_to_step,
    floor_to_tick,
)
from strategies.domain import guards, layers, reward_band
from strategies.domain.fair_value import fair_x2, lean_x2
from strategies.domain.inputs import MarketInput
from strategies.domain.intents import NoQuote, QuoteSet, Step
from strategies.domain.params import SpreadParams


def plan(given: MarketInput, params: SpreadParams) -> QuoteSet:
    """Every order wanted in this market now, in tokens that need the least capital."""
    refused = guards.refusal(given, params)
    if refused is not None:
        return _nothing(given, refused)
    trace: list[Step] = []
    fair = fair_x2(given, params, trace)
    reduce = guards.reducing(given, params, fair)
    size = floor_to_step(params.size, SIZE_STEP)
    if not reduce:
        size = _moved("size near the end (size)", size, guards.tapered_to_end(given, params, size), trace)
    low, high = _around(given, params, fair, trace)
    if reward_band.paid(given, params):
        low, high, size = reward_band.drawn_in(given, params, low, high, size, trace)
    if size <= 0 or size < given.market.min_size:
        trace.append(Step("size (size)", params.size, size))
        return _nothing(given, NoQuote.SIZE_BELOW_MINIMUM, tuple(trace), fair)
    if not reduce:
        low, high = _with_edge(given, params, fair, low, high, trace)
    bid, ask = _on_grid(given, params, low, high, trace)
    quotes, why = layers.of(given, params, bid, ask, size, reduce, trace)
    if quotes and params.both_sides and not reduce and not layers.two_sided(given.market, quotes):
        quotes, why = (), NoQuote.ONE_SIDE_ONLY
    reason, passive = None if quotes else why, params.post_only > 0
    return QuoteSet(given.market.condition_id, quotes, fair, tuple(trace), reason, reduce, passive)


def _nothing(given: MarketInput, reason: NoQuote, trace: tuple[Step, ...] = (), fair: int = 0) -> QuoteSet:
    return QuoteSet(given.market.condition_id, (), fair, trace, reason)


def _moved(name: str, before: int, after: int, trace: list[Step]) -> int:
    if after != before:
        trace.append(Step(name, before, after))
    return after


def _around(given: MarketInput, params: SpreadParams, fair: int, trace: list[Step]) -> tuple[int, int]:
    """Twice the prices half a spread away from the reservation price."""
    lean = lean_x2(given.inventory.net_yes, params.max_inventory, params.inventory_skew)
    around = _moved("skew (x2)", fair, fair - lean, trace)
    half = params.half_spread
    signals = given.signals
    if signals.volatility or signals.markout_loss:
        most = max(half, params.max_half_spread)
        wide = min(most, half + signals.volatility * params.volatility_factor // 100)
        half = _moved("half spread, volatility", half, wide, trace)
        wide = min(most, half + signals.markout_loss * params.markout_factor // 100)
        half = _moved("half spread, markouts", half, wide, trace)
    trace.append(Step("half spread", params.half_spread, half))
    return around - 2 * half, around + 2 * half


def _with_edge(
    given: MarketInput, params: SpreadParams, fair: int, low: int, high: int, trace: list[Step]
) -> tuple[int, int]:
    """A quote that adds to inventory must earn something, if only the fair value is right."""
    edge, net = guards.least_edge_x2(given.market, params, fair), given.inventory.net_yes
    if net >= 0 and low > fair - edge:
        low = _moved("bid edge (x2)", low, fair - edge, trace)
    if net <= 0 and high < fair + edge:
        high = _moved("ask edge (x2)", high, fair + edge, trace)
    return low, high


def _on_grid(given: MarketInput, params: SpreadParams, low: int, high: int, trace: list[Step]) -> tuple[Price, Price]:
    """YES prices of both innermost quotes. One that no post-only order can have comes back outside the grid."""
    tick, book = given.market.tick, given.book
    bid, ask = floor_to_tick(low // 2, tick), ceil_to_tick(-(-high // 2), tick)
    trace.append(Step("bid grid", low // 2, bid))
    trace.append(Step("ask grid", -(-high // 2), ask))
    most, least = min(PRICE_ONE - tick, params.collar_high), max(tick, params.collar_low)
    if not tick <= bid <= most:
        bid = _moved("bid clamp", bid, floor_to_tick(min(max(bid, tick), most), tick), trace)
    if not least <= ask <= PRICE_ONE - tick:
        ask = _moved("ask clamp", ask, ceil_to_tick(max(min(ask, PRICE_ONE - tick), least), tick), trace)
    best_bid, best_ask = book.bids[0][0], book.asks[0][0]
    if bid >= best_ask:
        bid = _moved("bid post-only", bid, floor_to_tick(best_ask - tick, tick), trace)
    if ask <= best_bid:
        ask = _moved("ask post-only", ask, ceil_to_tick(best_bid + tick, tick), trace)
    return bid, ask
