"""What the engine finds when it starts: markets that trade, parameters that make it busy, caps that let it.

Law: everything is set through the services that operators use.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from django.core.management import call_command

from polyweb.demo.stage import stage_sandbox
from risk import services as risk
from risk.domain.stops import StopLevel, StopScope
from strategies import services as strategies

SOURCE = "system"
REASON = "chaos: a busy market maker"
BUSY = {
    "half_spread": Decimal("0.01"),
    "size": Decimal(10),
    "max_inventory": Decimal(5_000),
    "inventory_skew": Decimal("0.01"),
    "min_change_ticks": Decimal(1),
    "min_quote_lifetime_ms": Decimal(0),
    "max_cancels_per_minute": Decimal(6_000),
}
# One lost answer in ten, on a crowded machine, trips every breaker: they would stop what is to be tried.
UNTROUBLED = {
    "hold_s": 1,
    "cooldown_s": 1,
    "failures": 1_000,
    "error_percent": 100,
    "rejects": 10_000,
    "ack_ms": 60_000,
    "ack_factor": 1_000,
    "broken_percent": 100,
    "lag_ms": 60_000,
    "database_ms": 60_000,
}
LOSS_CAP = Decimal(10_000_000)
# Planted books move the marks of what is held, and a loss breaker waits for an operator whom a trial does not have.
OVER_TIME = ("daily_loss", "rolling_loss", "drawdown")
ORDERS_PER_SECOND = Decimal(500)


# Baskets that go over the chain, and no other: they are not held to a resolution that never comes.
BASKETS: Mapping[str, Decimal | bool] = {
    "enabled": True,
    "lock_rate_bps": Decimal(0),
    "max_lock_days": Decimal(1),
    "max_size": Decimal(20),
    "deadline_ms": Decimal(30_000),  # longer than both sides take to be compared after a kill
    "cool_down_ms": Decimal(0),
}
OUT_OF_THE_WAY = {"half_spread": Decimal("0.4")}


def prepare(http: str, sets: Iterable[str]) -> int:
    """Blocking. `sets` are the events where baskets trade; nothing is quoted near the books there. Returns how many
    markets trade.
    """
    call_command("migrate", verbosity=0, interactive=False)
    markets = stage_sandbox(http)
    strategies.set_params(scope="global", values=BUSY, author=None, source=SOURCE, reason=REASON)
    for event in sets:
        strategies.set_params(
            scope="event", event=event, values=OUT_OF_THE_WAY, author=None, source=SOURCE, reason=REASON
        )
        strategies.set_arb(values=BASKETS, author=None, source=SOURCE)
    for scope in ("total", "event_default", "market_default"):
        risk.set_limit(kind="loss", scope=scope, value=LOSS_CAP, author=None, source=SOURCE, reason=REASON)
    for kind in OVER_TIME:
        risk.set_limit(kind=kind, scope="total", value=LOSS_CAP, author=None, source=SOURCE, reason=REASON)
    risk.set_limit(kind="order_rate", scope="total", value=ORDERS_PER_SECOND, author=None, source=SOURCE, reason=REASON)
    for name, value in UNTROUBLED.items():
        risk.set_threshold(name=name, value=value, author=None, source=SOURCE, reason=REASON)
    return markets


def paused(level: StopLevel = StopLevel.PAUSE) -> None:
    """Nothing new from now on; what rests stays, or goes with CANCEL."""
    risk.stop(level=level, scope=StopScope.ALL, reason="chaos: comparing", author=None, source=SOURCE)


def resumed() -> None:
    risk.resume(author=None, source=SOURCE, reason="chaos: compared", everything=True)
