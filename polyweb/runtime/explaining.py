"""Why a market is quoted as it is, or not at all: the last decision in full, as plain JSON values.

Law: reads a desk and changes nothing. What was not looked at is None: a market that is forbidden was not planned.
"""

from functools import lru_cache
from typing import Any, TypeAlias

from markets.domain.events import Side
from markets.domain.market import Market
from markets.domain.units import (
    NANOS_PER_MILLI,
    PRICE_ONE,
    Nanos,
    cash_to_decimal,
    price_to_decimal,
    size_to_decimal,
)
from polyweb.runtime.desk import Desk
from strategies.domain import rewards, traces
from strategies.domain.inputs import BookView, MarketInput
from strategies.domain.intents import Quote
from strategies.domain.rewards import Scores

Json: TypeAlias = dict[str, Any]


def why(desk: Desk, book: BookView, now_ns: Nanos) -> Json:
    """`book` is the market's as it is now; the inputs are those of the last whole decision. `verdict` is approved, cut
    (less than wanted), refused (by the gate), declined (by the strategy) or forbidden (not even planned).
    """
    planned = desk.planned
    return {
        "verdict": _verdict(desk),
        "reason": desk.reason,
        "codes": list(desk.codes),
        "since_ms": desk.since_ns // NANOS_PER_MILLI,
        "decided_ms": desk.decided_ns // NANOS_PER_MILLI,
        "inputs": None if desk.given is None else _inputs(desk.given, now_ns),
        "trace": steps(desk),
        "wanted": [] if planned is None else [_quote(desk.market, quote) for quote in planned.quotes],
        "reward": _reward(desk, book),
    }


def steps(desk: Desk) -> list[Json]:
    """From what was seen to what is wanted, with what the gate cut."""
    planned = desk.wanted or desk.planned
    if planned is None:
        return []
    return [{"name": step.name, "before": step.before, "after": step.after} for step in planned.trace]


def _verdict(desk: Desk) -> str:
    planned = desk.planned
    if planned is None:
        return "forbidden"
    if planned.reason is not None:
        return traces.DECLINED
    if desk.wanted is None or not desk.quoting:
        return traces.REFUSED
    return traces.APPROVED if desk.wanted is planned else traces.CUT


def _inputs(given: MarketInput, now_ns: Nanos) -> Json:
    book, held, signals = given.book, given.inventory, given.signals
    bid, ask = book.bids[:1], book.asks[:1]
    paused_ns = max(0, signals.paused_until_ns - now_ns)
    return {
        "bid": [_price(bid[0][0]), _size(bid[0][1])] if bid else None,
        "ask": [_price(ask[0][0]), _size(ask[0][1])] if ask else None,
        "last_trade": None if book.last_trade is None else _price(book.last_trade),
        "book_age_ms": max(0, given.now_ns - book.updated_ns) // NANOS_PER_MILLI,
        "net": _size(held.net_yes),
        "yes_sellable": _size(held.yes_sellable),
        "no_sellable": _size(held.no_sellable),
        "volatility": _price(signals.volatility),
        "flow": _size(signals.flow),
        "markout_loss": _price(signals.markout_loss),
        "external": None if given.external is None else _price(given.external),
        "pause": signals.pause if paused_ns else "",
        "paused_ms": paused_ns // NANOS_PER_MILLI,
        "reduce": given.reduce,
    }


def _quote(market: Market, quote: Quote) -> Json:
    own = quote.asset == market.yes
    return {
        "outcome": "YES" if own else "NO",
        "side": quote.side.value,
        "price": _price(quote.price),
        "yes_price": _price(quote.price if own else PRICE_ONE - quote.price),
        "yes_side": "bid" if (quote.side is Side.BUY) == own else "ask",
        "size": _size(quote.size),
    }


def _reward(desk: Desk, book: BookView) -> Json | None:
    """The venue's score of what we want resting, beside everybody else's, and the share of the day it would bring."""
    market, wanted = desk.market, desk.wanted
    if wanted is None or desk.rivals is None or not rewards.paid(market):
        return None
    mid = rewards.adjusted_mid_x2(book.bids, book.asks, market)
    if mid is None:
        return None
    bid = ask = 0
    for quote in wanted.quotes:
        own = quote.asset == market.yes
        price = quote.price if own else PRICE_ONE - quote.price
        scored = rewards.score_of_order(market, mid, price, quote.size)
        if (quote.side is Side.BUY) == own:
            bid += scored
        else:
            ask += scored
    return {
        "bid_score": _size(bid),
        "ask_score": _size(ask),
        "others_bid_score": _size(desk.rivals.bid),
        "others_ask_score": _size(desk.rivals.ask),
        "daily": f"{cash_to_decimal(rewards.daily(market, mid, Scores(bid, ask), desk.rivals)):.2f}",
        "daily_of_all": f"{cash_to_decimal(market.rewards_daily):.2f}",
    }


@lru_cache(maxsize=PRICE_ONE + 1)
def _price(price: int) -> str:
    return str(price_to_decimal(price))


@lru_cache(maxsize=1 << 14)
def _size(size: int) -> str:
    return f"{size_to_decimal(size).normalize():f}"
