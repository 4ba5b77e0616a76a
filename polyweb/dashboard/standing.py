"""What stands against the caps now, from rows: so that it can be seen and asked of with or without an engine.

Law: it reads. Positions are those of the newest snapshots, a second old while an engine runs; fills that wait for the
chain are counted as held, where the engine itself counts them like the orders they filled.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from execution.models import Order, PositionSnapshot
from execution.selectors import ENDED_STATES
from markets import selectors as markets
from markets.domain.events import Side
from markets.domain.market import Market
from markets.domain.units import AssetId, ConditionId, Size, cash_from_decimal, price_from_decimal, size_from_decimal
from polyweb.runtime.memory import EVERYTHING, engine_memory
from risk import selectors as risk
from risk.domain.exposure import ExposureBook
from risk.domain.gate import SPREAD
from risk.domain.limits import Limits


@dataclass(frozen=True, slots=True)
class Standing:
    """`markets` are those we hold or have orders in, and those that were asked for."""

    markets: dict[ConditionId, Market]
    exposure: ExposureBook
    limits: Limits


def standing(*besides: Market) -> Standing:
    """Everything held and resting, `besides` with it. Markets whose tokens are not known are left out."""
    positions = list(PositionSnapshot.objects.exclude(yes=0, no=0).select_related("market"))
    orders = list(Order.objects.exclude(state__in=ENDED_STATES).filter(dry_run=False).select_related("market", "plan"))
    concerned = {row.market.condition_id for row in positions} | {order.market.condition_id for order in orders}
    known = {market.condition_id: market for market in markets.named(concerned)}
    known |= {market.condition_id: market for market in besides}
    limits = risk.limits()
    exposure = ExposureBook(known.values())
    exposure.set_categories(limits.categories)
    for row in positions:
        if row.market.condition_id in known:
            exposure.set_position(
                row.market.condition_id,
                size_from_decimal(row.yes),
                size_from_decimal(row.no),
                cash_from_decimal(row.yes_cost),
                cash_from_decimal(row.no_cost),
            )
    claimed = _claimed()
    for name, market in known.items():
        exposure.set_claimed(name, claimed.get(market.yes, 0), claimed.get(market.no, 0))
    for order in orders:
        if order.market.condition_id in known:
            strategy = order.plan.strategy
            exposure.set_order(
                order.client_order_id,
                order.market.condition_id,
                order.outcome == "YES",
                Side(order.side),
                price_from_decimal(order.price),
                max(0, size_from_decimal(order.size) - size_from_decimal(order.filled)),
                is_quote=strategy == SPREAD,
                strategy=strategy,
            )
    return Standing(known, exposure, limits)


def _claimed() -> Mapping[AssetId, Size]:
    """Shares that baskets have claimed, as the engine last kept them; none when that cannot be read, which the engine
    itself reports when it starts.
    """
    try:
        sets = engine_memory(risk.memory(EVERYTHING) or "{}").sets
    except msgspec.DecodeError:
        return {}
    return {asset: sum(plans.values()) for asset, plans in sets.items()}
