"""What operators decided, read from the database as one value.

Law: a control is consistent: it is read inside one transaction and carries the change counter it belongs to. It is read
again whenever that counter moved, so a lost nudge costs half a second and nothing else.
"""

from django.db import transaction

from execution.domain.moments import moment
from execution.models import PositionSnapshot
from markets import selectors as markets
from markets.domain.market import Market
from markets.domain.units import Nanos
from markets.models import Market as MarketRow
from polyweb.runtime.inbox import Control
from risk import selectors as risk
from strategies import selectors as strategies
from strategies.domain.params import resolve


def read_control(seen: int | None, now_ns: Nanos) -> Control | None:
    """The operators' state, or None when nothing changed since change `seen`."""
    if seen is not None and markets.change_counter() == seen:
        return None
    with transaction.atomic():
        version = markets.change_counter()
        followed = _followed()
        return Control(
            version=version,
            at_ns=now_ns,
            markets=followed,
            trading=markets.trading_ids(),
            params=strategies.resolved([market.condition_id for market in followed]),
            defaults=resolve(strategies.own_values(strategies.config(None))),
            limits=risk.limits(),
            stops=risk.stops_in_force(moment(now_ns)),
            arb=strategies.arb_params(),
            external=strategies.external_values(moment(now_ns)),
            thresholds=risk.thresholds(),
            releases=risk.releases(),
        )


def _followed() -> tuple[Market, ...]:
    """Subscribed markets, and those we hold something in: what is held is risk, whether it is traded or not."""
    subscribed = markets.subscribed_markets()
    known = {market.condition_id for market in subscribed}
    held = PositionSnapshot.objects.exclude(yes=0, no=0).values("market")
    rows = markets.with_tokens(MarketRow.objects.filter(pk__in=held, closed=False).exclude(condition_id__in=known))
    return (*subscribed, *(markets.to_domain(row) for row in rows.order_by("condition_id")))
