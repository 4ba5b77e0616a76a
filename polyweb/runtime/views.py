"""What screens show of the trader, as plain JSON values: strings for money, prices and sizes, numbers for counts.

Law: reads the trader and changes nothing. A figure the engine does not know is None, never a default.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from execution.domain.blotter import LiveOrder
from execution.domain.ledger import Pnl
from markets.domain.events import Side
from markets.domain.market import Market
from markets.domain.units import (
    NANOS_PER_MILLI,
    PRICE_ONE,
    AssetId,
    ConditionId,
    Nanos,
    Price,
    cash_to_decimal,
    price_to_decimal,
    size_to_decimal,
)
from polyweb.runtime import explaining
from polyweb.runtime.desk import Desk
from polyweb.runtime.trader import Trader
from risk.domain import stops
from risk.domain.stops import StopScope
from strategies.domain.opportunity_log import Gap

Json: TypeAlias = dict[str, Any]
LADDER_DEPTH = 10
SHOWN_GAPS = 10


def market_view(trader: Trader, market: Market, now_ns: Nanos) -> Json:
    """Everything the market page shows (see docs/architecture.md, "What the engine publishes")."""
    condition_id = market.condition_id
    desk = trader.desks.get(condition_id)
    trading = trader.trades(condition_id)
    trust = trader.books.trust(condition_id)
    trade = trader.last_trade(condition_id)
    why = explaining.why(desk, trader.view(condition_id, LADDER_DEPTH), now_ns) if desk is not None else None
    return {
        "condition_id": condition_id,
        "question": market.question,
        "tick": str(price_to_decimal(market.tick)),
        "min_size": _size(market.min_size),
        "generation": market.generation.value,
        "trading": trading,
        "state": _state(trader, desk, condition_id),
        "reason": _reason(desk),
        "trust": trust.value,
        "trust_reason": trader.books.doubt(condition_id).value,
        "resyncs": desk.resyncs if desk is not None else 0,
        "changes": desk.changes if desk is not None else 0,
        "book": _book(trader, condition_id),
        "fair": str(price_to_decimal(desk.wanted.fair_x2) / 2) if desk and desk.wanted else None,
        "ours": [_order(order, market, now_ns) for order in trader.blotter.live(condition_id)],
        "position": position_view(trader, market),
        "codes": list(desk.codes) if desk is not None else [],
        "trace": why["trace"] if why is not None else [],
        "why": why,
        "last_trade": str(price_to_decimal(trade)) if trade is not None else None,
        "at_ms": now_ns // NANOS_PER_MILLI,
    }


def row(trader: Trader, market: Market) -> Json:
    """The line of the market tables: of what `market_view` says, what a table has room for."""
    condition_id = market.condition_id
    desk, book = trader.desks.get(condition_id), trader.books.book(condition_id)
    seen = book is not None and book.seeded
    bid, ask = (book.bid_top, book.ask_top) if book is not None and seen else (0, PRICE_ONE)
    ours: tuple[list[Price], list[Price]] = ([], [])
    for order in trader.blotter.live(condition_id):
        price, bids = _on_yes(order, market)
        ours[0 if bids else 1].append(price)
    return {
        "condition_id": condition_id,
        "question": market.question,
        "bid": _price(bid) if bid > 0 else None,
        "ask": _price(ask) if ask < PRICE_ONE else None,
        "our_bid": _price(max(ours[0])) if ours[0] else None,
        "our_ask": _price(min(ours[1])) if ours[1] else None,
        "net": _size(trader.inventory(market).net_yes),
        "pnl": _cash(market_pnl(trader, market).total),
        "trust": trader.books.trust(condition_id).value,
        "trust_reason": trader.books.doubt(condition_id).value,
        "state": _state(trader, desk, condition_id),
        "reason": _reason(desk),
    }


def _state(trader: Trader, desk: Desk | None, condition_id: ConditionId) -> str:
    if desk is not None and desk.quoting:
        return "quoting"
    return "idle" if trader.trades(condition_id) else "watching"


def _reason(desk: Desk | None) -> str:
    return desk.reason if desk is not None else "waiting for a book"


def _on_yes(order: LiveOrder, market: Market) -> tuple[Price, bool]:
    """Its YES price, and whether it bids for YES."""
    is_yes = order.asset == market.yes
    return order.price if is_yes else PRICE_ONE - order.price, (order.side is Side.BUY) == is_yes


def mark(trader: Trader, condition_id: ConditionId) -> int | None:
    """The YES price positions are valued at: the mid of a book that is there, else the last trade, else None."""
    return trader.mark(condition_id)


def marks(trader: Trader, market: Market) -> dict[AssetId, Price]:
    """What one share of each token is worth at the market's mark; empty when nobody knows."""
    price = mark(trader, market.condition_id)
    return {} if price is None else {market.yes: price, market.no: PRICE_ONE - price}


def market_pnl(trader: Trader, market: Market) -> Pnl:
    return trader.ledger.pnl(marks(trader, market), market.condition_id)


def account_pnl(trader: Trader) -> Pnl:
    return trader.ledger.pnl(trader.marks())


def position_view(trader: Trader, market: Market) -> Json:
    condition_id = market.condition_id
    held = trader.inventory(market)
    price = mark(trader, condition_id)
    pnl = market_pnl(trader, market)
    return {
        "yes": _size(held.yes),
        "no": _size(held.no),
        "net": _size(held.net_yes),
        "mergeable": _size(trader.ledger.mergeable(condition_id)),
        "avg_yes": _average(held.yes_cost, held.yes),
        "avg_no": _average(held.no_cost, held.no),
        "yes_cost": _cash(held.yes_cost),
        "no_cost": _cash(held.no_cost),
        "mark": str(price_to_decimal(price)) if price is not None else None,
        "realised": _cash(pnl.realised),
        "unrealised": _cash(pnl.unrealised),
        "fees": _cash(pnl.fees),
        "pnl": _cash(pnl.total),
        "if_yes": _cash(pnl.realised - pnl.fees + held.yes - held.yes_cost - held.no_cost),
        "if_no": _cash(pnl.realised - pnl.fees + held.no - held.yes_cost - held.no_cost),
    }


def summary(trader: Trader, now_ns: Nanos) -> Json:
    """What the overview says about trading; the loop adds what only it knows (feed, timings, mode)."""
    counters = trader.counters
    books = trader.books.counters
    total = account_pnl(trader)
    general = tuple(stop for stop in trader.control.stops if stop.scope in (StopScope.ALL, StopScope.WALLET))
    stop = stops.strongest(general, "", "", now_ns, wallet=trader.config.wallet)
    limits = trader.control.limits
    return {
        "at_ms": now_ns // NANOS_PER_MILLI,
        "trust": {trust.value: count for trust, count in trader.books.trusts().items()},
        "recipe": trader.books.recipe_state.value,
        "frames": counters.frames,
        "events": books.events,
        "malformed": sum(counters.malformed.values()),
        "resyncs": sum(books.resyncs.values()),
        "orders": {
            "live": trader.blotter.open_count,
            "unknown": len(trader.blotter.unknown),
            "placed": counters.placed,
            "cancelled": counters.cancelled,
            "rejected": counters.rejected,
        },
        "fills": counters.fills,
        "refusals": counters.refusals,
        "pnl": {
            "total": _cash(total.total),
            "realised": _cash(total.realised),
            "unrealised": _cash(total.unrealised),
            "fees": _cash(total.fees),
            "rebates": _cash(total.rebates),
            "rewards": _cash(total.rewards),
            "adjustments": _cash(total.adjustments),
            "cash": _cash(trader.ledger.cash),
        },
        "risk": {
            "worst_total": _cash(trader.exposure.worst_total()),
            "cap_total": _cash(limits.total_loss),
            "daily_loss": _cash(trader.losses.daily),
            "rolling_loss": _cash(trader.losses.rolling),
            "drawdown": _cash(trader.losses.drawdown),
        },
        "rate": {"room": trader.rate.room(now_ns), "per_second": limits.orders_per_second},
        "stop": {"level": stop.level.name.lower(), "scope": stop.scope.value, "reason": stop.reason} if stop else None,
        "markets": {
            "trading": len(trader.control.trading),
            "quoting": sum(desk.quoting for desk in trader.desks.values()),
            "watched": len(trader.control.markets) - len(trader.control.trading),
        },
        "gaps": open_gaps(trader.open_gaps, now_ns),
        "change_seen": trader.control.version,
    }


def open_gaps(gaps: Sequence[Gap], now_ns: Nanos) -> Json:
    """How many full sets are on offer before costs, and the widest of them."""
    widest = sorted(gaps, key=lambda gap: (-gap.gross, gap.event_id, gap.condition_id, gap.route))[:SHOWN_GAPS]
    return {
        "open": len(gaps),
        "widest": [
            {
                "event_id": gap.event_id,
                "condition_id": gap.condition_id,
                "route": gap.route.value,
                "open_ms": max(0, now_ns - gap.opened_ns) // NANOS_PER_MILLI,
                "gross": str(price_to_decimal(gap.gross)),
                "depth": _size(gap.depth),
                "edge": _cash(gap.edge) if gap.edge else None,
                "reason": gap.reason,
                "detail": gap.detail,
            }
            for gap in widest
        ],
    }


def inventory(trader: Trader) -> dict[ConditionId, dict[str, str]]:
    """Held shares per market, flat markets left out."""
    held = {market.condition_id: trader.inventory(market) for market in trader.books.markets}
    return {
        condition_id: {"yes": _size(shares.yes), "no": _size(shares.no)}
        for condition_id, shares in held.items()
        if shares.yes or shares.no
    }


def _book(trader: Trader, condition_id: ConditionId) -> Json:
    book = trader.books.book(condition_id)
    if book is None or not book.seeded:
        return {"bids": [], "asks": []}
    return {
        name: [[_price(price), _size(size)] for price, size in book.levels(side, LADDER_DEPTH)]
        for name, side in (("bids", Side.BUY), ("asks", Side.SELL))
    }


def _order(order: LiveOrder, market: Market, now_ns: Nanos) -> Json:
    price, bids = _on_yes(order, market)
    return {
        "client_order_id": str(order.client_order_id),
        "order_id": order.order_id,
        "outcome": "YES" if order.asset == market.yes else "NO",
        "side": order.side.value,
        "price": _price(order.price),
        "yes_price": _price(price),
        "yes_side": "bid" if bids else "ask",
        "size": _size(order.size),
        "remaining": _size(order.remaining),
        "state": order.state.value,
        "age_ms": max(0, now_ns - order.placed_ns) // NANOS_PER_MILLI,
    }


def _average(cost: int, shares: int) -> str | None:
    return str(price_to_decimal(cost * PRICE_ONE // shares)) if shares else None


@lru_cache(maxsize=PRICE_ONE + 1)
def _price(price: Price) -> str:
    return str(price_to_decimal(price))


@lru_cache(maxsize=1 << 14)
def _size(size: int) -> str:
    return f"{size_to_decimal(size).normalize():f}"


def _cash(cash: int) -> str:
    return str(cash_to_decimal(cash))
