"""Prometheus series of arbitrage, declared once. Labels are routes, ends and reasons, all from closed sets.

Law: nobody counts here; the engine says what its trader drained.
"""

from collections.abc import Iterable, Sequence

from prometheus_client import Counter, Gauge, Histogram

from markets.domain.units import CASH_ONE, NANOS_PER_SECOND
from strategies.domain.basket_stages import ENDS, BasketMoved
from strategies.domain.opportunity_log import Gap

OPPORTUNITIES = Counter(
    "polyweb_arb_opportunities", "Gaps that ended, by route and why they were left", ["route", "reason"]
)
OPEN = Gauge("polyweb_arb_open", "Gaps open now, before costs")
LIFETIME = Histogram(
    "polyweb_arb_lifetime_seconds",
    "How long gaps stood open",
    ["route"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3600),
)
BASKETS = Counter("polyweb_arb_baskets", "Baskets by how they ended", ["route", "end"])
PROFIT = Gauge("polyweb_arb_profit_pusd", "Profit of the matched sets of baskets that ended since the engine started")
DROPPED = Counter("polyweb_arb_rows_dropped", "Gaps that were not stored because too many waited")


def observe(moved: Iterable[BasketMoved], gaps: Sequence[Gap], still_open: int) -> None:
    OPEN.set(still_open)
    for gap in gaps:
        # A refusal's reason begins with the word and then names codes in any combination.
        reason = gap.reason.partition(":")[0]
        OPPORTUNITIES.labels(gap.route.value, reason).inc()
        LIFETIME.labels(gap.route.value).observe(gap.lifetime_ns / NANOS_PER_SECOND)
    for step in moved:
        if step.stage in ENDS:
            BASKETS.labels(step.basket.route.value, step.stage.value).inc()
            PROFIT.inc(step.profit / CASH_ONE)
