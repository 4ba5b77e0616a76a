"""What other parameters would do, before anybody applies them: the strategy's own plan on the book a page shows.

Law: it calls the same pure functions as the engine, with what the engine last said, and writes nothing. The gate is
asked with all that is held and rests, as rows have it, and a book as good as the one shown.
"""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from execution.domain.blotter import LiveOrder
from execution.domain.converge import Cost, cost
from execution.domain.orders import OrderState
from execution.selectors import ENDED_STATES
from markets import selectors as markets
from markets.domain import market as domain
from markets.domain.events import Side
from markets.domain.units import (
    PRICE_ONE,
    cash_from_decimal,
    price_from_decimal,
    price_to_decimal,
    size_from_decimal,
    size_to_decimal,
)
from markets.models import Market
from polyweb.dashboard.standing import standing
from risk.domain import gate
from risk.domain.gate import Guard, Refused
from strategies import selectors as strategies
from strategies.domain import spread
from strategies.domain.inputs import BookView, Inventory, MarketInput
from strategies.domain.intents import Quote, QuoteSet
from strategies.domain.params import SpreadParams, resolve

Row = dict[str, Any]


class NothingToPreview(Exception):
    """There is no book to plan on, or the market lacks its tokens."""


def preview(market: Market, view: Row, values: Mapping[str, Decimal | None]) -> Row:
    """Both quote sets and what going from one to the other costs. `values` are the market's own, None inherits."""
    given = _given(market, view)
    inherited = {item.definition.name: item.value for item in strategies.effective_in(market.event)}
    now = strategies.resolved([market])[market.condition_id]
    own = strategies.own_values(strategies.config(market))
    new = resolve({**own, **values}, inherited)
    before, after = spread.plan(given, now), spread.plan(given, new)
    found = _cost(given.market, view, after, new)
    refused = _refused(given, after)
    return {
        "before": _quotes(given.market, before),
        "after": _quotes(given.market, after),
        "cancels": found.cancels,
        "places": found.places,
        "refused": refused,
        "text": f"The gate would refuse this: {refused}." if refused else _text(view, after, found),
    }


def _refused(given: MarketInput, after: QuoteSet) -> str:
    """What the gate says against it now, "" when nothing. The order rate and the moment's book are the engine's."""
    market, book = given.market, given.book
    now = standing(market)
    mids = {market.condition_id: book.bids[0][0] + book.asks[0][0]} if book.two_sided else {}
    guard = Guard(None, True, 0, len(after.quotes), False, inventory=given.inventory, mids_x2=mids)
    verdict = gate.evaluate_quotes(after, market, now.exposure, now.limits, guard, 0)
    return verdict.detail if isinstance(verdict, Refused) else ""


def wanted(market: Market, view: Row) -> tuple[domain.Market, QuoteSet, SpreadParams]:
    """What the strategy would quote on the book of `view`, with the parameters in force. Raises NothingToPreview."""
    given, params = _given(market, view), strategies.resolved([market])[market.condition_id]
    return given.market, spread.plan(given, params), params


def _given(market: Market, view: Row) -> MarketInput:
    book = view.get("book") or {}
    if not book.get("bids") or not book.get("asks"):
        raise NothingToPreview("No book with two sides to preview on.")
    try:
        known = markets.to_domain(market)
    except ValueError as error:
        raise NothingToPreview(f"{error}.") from error
    if view.get("tick"):
        known = replace(known, tick=price_from_decimal(Decimal(view["tick"])))
    held = view.get("position") or {}
    yes, no = (size_from_decimal(Decimal(held.get(name) or 0)) for name in ("yes", "no"))
    yes_cost, no_cost = (cash_from_decimal(Decimal(held.get(name) or 0)) for name in ("yes_cost", "no_cost"))
    return MarketInput(
        known,
        BookView(_levels(book["bids"]), _levels(book["asks"]), updated_ns=0),
        Inventory(yes, no, yes, no, yes_cost, no_cost),
        now_ns=0,
    )


def _levels(levels: list[list[str]]) -> tuple[tuple[int, int], ...]:
    return tuple((price_from_decimal(Decimal(price)), size_from_decimal(Decimal(size))) for price, size in levels)


def _cost(market: domain.Market, view: Row, after: QuoteSet, params: SpreadParams) -> Cost:
    ours = [order for order in view.get("ours") or () if order["state"] not in ENDED_STATES]
    return cost(after, [_live(market, order) for order in ours], market, params.min_change_ticks)


def _live(market: domain.Market, order: Row) -> LiveOrder:
    return LiveOrder(
        client_order_id=int(order["client_order_id"]),
        condition_id=market.condition_id,
        asset=market.yes if order["outcome"] == "YES" else market.no,
        side=Side(order["side"]),
        price=price_from_decimal(Decimal(order["price"])),
        size=size_from_decimal(Decimal(order["size"])),
        remaining=size_from_decimal(Decimal(order["remaining"])),
        placed_ns=0,
        state=OrderState(order["state"]),
        cancel_asked=order["state"] == OrderState.CANCELLING,
    )


def _quotes(market: domain.Market, wanted: QuoteSet) -> dict[str, Row]:
    """The innermost by side of the YES book."""
    return {
        "bid" if (quote.side is Side.BUY) == (quote.asset == market.yes) else "ask": _quote(market, quote)
        for quote in reversed(wanted.quotes)
    }


def _quote(market: domain.Market, quote: Quote) -> Row:
    price = quote.price if quote.asset == market.yes else PRICE_ONE - quote.price
    return {"price": str(price_to_decimal(price)), "size": str(size_to_decimal(quote.size))}


def _text(view: Row, after: QuoteSet, found: Cost) -> str:
    if not after.quotes:
        return f"With these nothing is quoted: {after.reason.value if after.reason else 'no quote fits'}."
    if view.get("state") != "quoting":
        return "Not quoted now; ◃ is where quotes would stand."
    if not found.cancels and not found.places:
        return "Applying moves no order."
    price = f"{_count(found.cancels, 'cancel')}, {_count(found.places, 'place')}"
    return f"Applying costs {price}; ◃ is where they would stand."


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
