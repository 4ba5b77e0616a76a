"""`manage.py orders`: our orders as a table for people or as JSON for scripts."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from execution import selectors
from execution.management.tables import table
from execution.models import Order
from markets.models import Market
from markets.selectors import UnknownMarket, find_market


class Command(BaseCommand):
    help = (
        "List orders, newest first: prices in pUSD per share, sizes in shares, times in UTC. "
        "Exits 0 when they could be read, also when there are none."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--market", help="condition id or slug of one market")
        parser.add_argument(
            "--state", choices=("live", "all"), default="live", help="live (default): without a final state"
        )
        parser.add_argument("--limit", type=int, default=50, help="at most so many; default 50")
        parser.add_argument("--json", action="store_true", dest="as_json", help="print one JSON document")

    def handle(self, *args: Any, market: str | None, state: str, limit: int, as_json: bool, **options: Any) -> None:
        if limit < 1:
            raise CommandError(f"--limit: {limit} is not at least 1")
        rows = selectors.orders(market=_market(market), live=True if state == "live" else None)
        found = list(rows[:limit])
        total = rows.count()
        if as_json:
            self.stdout.write(json.dumps({"total": total, "orders": [_values(row) for row in found]}))
            return
        self.stdout.write(_sheet(found))
        if total > len(found):
            self.stdout.write(f"{len(found)} of {total}; --limit shows more")


def _market(key: str | None) -> Market | None:
    try:
        return find_market(key) if key is not None else None
    except UnknownMarket as error:
        raise CommandError(f"--market: {error}") from None


def _values(row: Order) -> dict[str, Any]:
    return {
        "client_order_id": row.client_order_id,
        "order_id": row.order_id,
        "plan": row.plan.plan_id,
        "strategy": row.plan.strategy,
        "market": row.market.condition_id,
        "outcome": row.outcome,
        "side": row.side,
        "price": str(row.price),
        "size": str(row.size),
        "filled": str(row.filled),
        "order_type": row.order_type,
        "state": row.state,
        "relayer": row.relayer,
        "dry_run": row.dry_run,
        "detail": row.detail,
        "created_at": row.created_at.isoformat(),
        "updated_at": row.updated_at.isoformat(),
    }


def _sheet(rows: list[Order]) -> str:
    if not rows:
        return "No orders. The engine places them where trading is switched on."
    head = ("created (UTC)", "id", "market", "outcome", "side", "price", "size", "filled", "state", "detail")
    lines = [
        (
            f"{row.created_at:%m-%d %H:%M:%S}",
            str(row.client_order_id),
            row.market.question[:40],
            row.outcome,
            row.side,
            f"{row.price:f}",
            f"{row.size.normalize():f}",
            f"{row.filled.normalize():f}",
            row.state + (" (dry run)" if row.dry_run else ""),
            row.detail[:40],
        )
        for row in rows
    ]
    return table(head, lines)
