"""What the charts start with: books, our quotes, fills and profit from their rows, in floats for drawing.

Law: a chart is whole in the first response; where the rows begin later than the chart, it says since when.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from execution import selectors as execution
from execution.models import Order
from markets.models import BookEvent, Market

Row = dict[str, Any]
CHART_SPAN = timedelta(minutes=30)
PNL_SPAN = timedelta(hours=24)
LOOK_BACK = timedelta(hours=24)  # further back nobody looks for where a line comes from
GAP = timedelta(minutes=1)
CHART_BOOKS = 20_000
CHART_POINTS = 900
CHART_ORDERS = 800
CHART_FILLS = 300


def chart(market: Market) -> Row:
    """The price chart: best prices of the trusted book and our quotes as steps, fills as dots; PnL and inventory."""
    since = timezone.now() - CHART_SPAN
    return {
        "book": _book_steps(market, since),
        "quotes": _quote_steps(market, since),
        "fills": [
            [row.at.timestamp(), float(_yes_price(row.outcome, row.price)), _yes_side(row.outcome, row.side)]
            for row in reversed(execution.fills(market=market, since=since)[:CHART_FILLS])
        ],
        "pnl": pnl(market),
    }


def begins(drawn: Row) -> datetime | None:
    """When the book's line begins, where that is later than the chart; None when it is whole or empty."""
    times = drawn["book"]["t"]
    first = datetime.fromtimestamp(times[0], UTC) if times else None
    return first if first is not None and first > timezone.now() - CHART_SPAN + GAP else None


def pnl(market: Market | None, span: timedelta = PNL_SPAN) -> Row:
    series = execution.pnl_series(market=market, since=timezone.now() - span, points=600)
    return {
        "t": [at.timestamp() for at, _, _ in series],
        "pnl": [float(value) for _, value, _ in series],
        "net": [float(value) for _, _, value in series],
    }


def _book_steps(market: Market, since: datetime) -> Row:
    """Best prices of YES over time, thinned; the last one before the chart begins is where its line comes from."""
    rows = BookEvent.objects.filter(market_id=market.pk)
    shown = rows.filter(at__gte=since).order_by("-at", "-pk").values_list("at", "bid", "ask")[:CHART_BOOKS]
    steps = list(reversed(shown))
    before = (
        rows.filter(at__lt=since, at__gte=since - LOOK_BACK).order_by("-at", "-pk").values_list("bid", "ask").first()
    )
    if before is not None:
        steps.insert(0, (since, *before))
    stride = max(1, -(-len(steps) // CHART_POINTS))
    thin = steps[::stride] + (steps[-1:] if (len(steps) - 1) % stride else [])
    return {
        "t": [at.timestamp() for at, _, _ in thin],
        "bid": [_float(bid) for _, bid, _ in thin],
        "ask": [_float(ask) for _, _, ask in thin],
    }


def _float(price: Decimal | None) -> float | None:
    return None if price is None else float(price)


def _yes_price(outcome: str, price: Decimal) -> Decimal:
    return price if outcome == "YES" else 1 - price


def _yes_side(outcome: str, side: str) -> str:
    """Buying NO is selling YES."""
    return "bid" if (side == "BUY") == (outcome == "YES") else "ask"


def _quote_steps(market: Market, since: datetime) -> Row:
    """Our best bid and ask over time, from the lives of the orders."""
    rows = Order.objects.filter(market=market, updated_at__gte=since).order_by("-created_at")[:CHART_ORDERS]
    edges: list[tuple[datetime, int, str, Decimal]] = []
    for order in rows:
        side, price = _yes_side(order.outcome, order.side), _yes_price(order.outcome, order.price)
        edges.append((max(order.created_at, since), 1, side, price))
        if order.state in execution.ENDED_STATES:
            edges.append((order.updated_at, -1, side, price))
    return _steps(sorted(edges, key=lambda edge: (edge[0], edge[1])))


def _steps(edges: Iterable[tuple[datetime, int, str, Decimal]]) -> Row:
    resting: dict[str, dict[Decimal, int]] = {"bid": {}, "ask": {}}
    times: list[float] = []
    bids: list[float | None] = []
    asks: list[float | None] = []
    for at, change, side, price in edges:
        levels = resting[side]
        levels[price] = levels.get(price, 0) + change
        if levels[price] <= 0:
            del levels[price]
        if times and times[-1] == at.timestamp():
            times.pop(), bids.pop(), asks.pop()
        times.append(at.timestamp())
        bids.append(float(max(resting["bid"])) if resting["bid"] else None)
        asks.append(float(min(resting["ask"])) if resting["ask"] else None)
    return {"t": times, "bid": bids, "ask": asks}
