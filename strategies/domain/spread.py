"""The spread quoter: layers of bids and offers around a price that leans away from what we hold.

Law: pure; a quote is on the market's grid, never crosses the book or our other quotes, and never takes net
inventory past its maximum, whatever fills. Every clamp leaves a step with the value before and after.
"""

from markets.domain.units import Price, ceil_to_tick, floor_to_tick
from strategies.domain import guards, layers, reward_band
from strategies.domain.fair_value import fair_x2, share_of
from strategies.domain.inputs import MarketInput
from strategies.domain.intents import NoQuote, Note, QuoteSet
from strategies.domain.params import SpreadParams
from strategies.domain.terms import Terms, terms_of


def plan(given: MarketInput, params: SpreadParams) -> QuoteSet:
    """Every order wanted in this market now, in tokens that need the least capital."""
    return plan_on(given, terms_of(given.market, params))


def plan_on(given: MarketInput, terms: Terms) -> QuoteSet:
    """`plan` for who asks again and again: `terms` are of the same market and parameters."""
    params, book = terms.params, given.book
    disturbed = given.now_ns >= terms.undisturbed_until_ns
    if disturbed or not book.bids or not book.asks or given.now_ns < given.signals.paused_until_ns:
        refused = guards.refusal(given, params)
        if refused is not None:
            return _nothing(given, refused)
    noted: list[Note] = []
    fair = fair_x2(given, params, noted)
    size, reduce = terms.size, given.reduce
    if disturbed or not terms.collar_low_x2 <= fair <= terms.collar_high_x2:
        reduce = guards.reducing(given, params, fair)
        if not reduce:
            size = _moved("size near the end (size)", size, guards.tapered_to_end(given, params, size), noted)
    low, high = _around(given, terms, fair, noted)
    if terms.rewarded and given.rivals is not None:
        low, high, size = reward_band.drawn_in(given, terms, low, high, size, noted)
    if size <= 0 or size < given.market.min_size:
        noted.append(("size (size)", params.size, size))
        return _nothing(given, NoQuote.SIZE_BELOW_MINIMUM, tuple(noted), fair)
    edge = terms.edge_x2
    if not reduce and (edge is None or low > fair - edge or high < fair + edge):
        low, high = _with_edge(given, terms, fair, low, high, noted)
    bid, ask = _on_grid(given, terms, low, high, noted)
    quotes, why = layers.of(given, terms, bid, ask, size, reduce, noted)
    if quotes and params.both_sides and not reduce and not layers.two_sided(given.market, quotes):
        quotes, why = (), NoQuote.ONE_SIDE_ONLY
    reason, passive = None if quotes else why, params.post_only > 0
    return QuoteSet(given.market.condition_id, quotes, fair, tuple(noted), reason, reduce, passive)


def same(before: MarketInput, given: MarketInput, terms: Terms) -> bool:
    """Whether a later input has the same plan, because only time has passed and none of these terms looks at it. For
    who is told of an order and asks again: that moves neither book nor shares.
    """
    book, seen, paused_ns = given.book, before.book, given.signals.paused_until_ns
    return (
        book.bids == seen.bids
        and book.asks == seen.asks
        and book.last_trade == seen.last_trade
        and given.inventory == before.inventory
        and given.signals == before.signals
        and given.rivals is before.rivals
        and given.external == before.external
        and given.reduce == before.reduce
        and paused_ns <= before.now_ns <= given.now_ns < terms.undisturbed_until_ns
    )


def _nothing(given: MarketInput, reason: NoQuote, noted: tuple[Note, ...] = (), fair: int = 0) -> QuoteSet:
    return QuoteSet(given.market.condition_id, (), fair, noted, reason)


def _moved(name: str, before: int, after: int, noted: list[Note]) -> int:
    if after != before:
        noted.append((name, before, after))
    return after


def _around(given: MarketInput, terms: Terms, fair: int, noted: list[Note]) -> tuple[int, int]:
    """Twice the prices half a spread away from the reservation price."""
    params, signals = terms.params, given.signals
    around, half = fair, params.half_spread
    net = given.inventory.yes - given.inventory.no
    if net:  # the whole skew when inventory is at its maximum
        around = _moved("skew (x2)", fair, fair - share_of(2 * params.inventory_skew, net, params.max_inventory), noted)
    if signals.volatility:
        wide = min(terms.most_half_spread, half + signals.volatility * params.volatility_factor // 100)
        half = _moved("half spread, volatility", half, wide, noted)
    if signals.markout_loss:
        wide = min(terms.most_half_spread, half + signals.markout_loss * params.markout_factor // 100)
        half = _moved("half spread, markouts", half, wide, noted)
    noted.append(("half spread", params.half_spread, half))
    return around - 2 * half, around + 2 * half


def _with_edge(given: MarketInput, terms: Terms, fair: int, low: int, high: int, noted: list[Note]) -> tuple[int, int]:
    """A quote that adds to inventory must earn something, if only the fair value is right."""
    edge = terms.edge_x2
    if edge is None:
        edge = guards.least_edge_x2(given.market, terms.params, fair)
    net = given.inventory.yes - given.inventory.no
    if net >= 0 and low > fair - edge:
        low = _moved("bid edge (x2)", low, fair - edge, noted)
    if net <= 0 and high < fair + edge:
        high = _moved("ask edge (x2)", high, fair + edge, noted)
    return low, high


def _on_grid(given: MarketInput, terms: Terms, low: int, high: int, noted: list[Note]) -> tuple[Price, Price]:
    """YES prices of both innermost quotes. One that no post-only order can have comes back outside the grid."""
    tick, last, book = terms.tick, terms.last, given.book
    wanted_bid, wanted_ask = low // 2, -(-high // 2)
    bid, ask = wanted_bid - wanted_bid % tick, -(-wanted_ask // tick) * tick
    noted.append(("bid grid", wanted_bid, bid))
    noted.append(("ask grid", wanted_ask, ask))
    most, least = terms.bid_most, terms.ask_least
    if not tick <= bid <= most:
        bid = _moved("bid clamp", bid, floor_to_tick(min(max(bid, tick), most), tick), noted)
    if not least <= ask <= last:
        ask = _moved("ask clamp", ask, ceil_to_tick(max(min(ask, last), least), tick), noted)
    best_bid, best_ask = book.bids[0][0], book.asks[0][0]
    if bid >= best_ask:
        bid = _moved("bid post-only", bid, floor_to_tick(best_ask - tick, tick), noted)
    if ask <= best_bid:
        ask = _moved("ask post-only", ask, ceil_to_tick(best_bid + tick, tick), noted)
    return bid, ask
