"""Reads of the strategies app: what the parameters of a market come to, and where each value comes from.

Law: the order of scopes (market, event, global, default) is said once, here and in `domain.params.resolve`.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Q, QuerySet

from markets.domain.units import NANOS_PER_MILLI, price_from_decimal
from markets.models import Event, Market
from strategies.domain.arb_params import ARB_DEFINITIONS, ArbParams, resolve_arb
from strategies.domain.definitions import Definition
from strategies.domain.inputs import External
from strategies.domain.params import DEFINITIONS, SpreadParams, resolve
from strategies.models import ArbSettings, ExternalFairValue, ParamRevision, StrategyConfig

Own = Mapping[str, Decimal]


class Effective(NamedTuple):
    """A value in force and the scope it comes from: market, event, global or default."""

    definition: Definition
    value: Decimal
    source: str


def own_values(config: StrategyConfig | None) -> dict[str, Decimal]:
    """The values this row sets itself."""
    if config is None:
        return {}
    values = {item.name: getattr(config, item.name) for item in DEFINITIONS}
    return {name: value for name, value in values.items() if value is not None}


def resolved(markets: Iterable[Market | str]) -> dict[str, SpreadParams]:
    """Parameters in force by condition id, for rows or condition ids; unknown ids are left out."""
    wanted = list(markets)
    keys = {item.condition_id if isinstance(item, Market) else item for item in wanted}
    rows = list(Market.objects.filter(condition_id__in=keys).values_list("condition_id", "pk", "event_id"))
    general, by_event, by_market = _layers(
        Q(scope="global") | Q(event__markets__condition_id__in=keys) | Q(market__condition_id__in=keys)
    )
    nothing: Own = {}
    return {
        condition_id: resolve(by_market.get(pk, nothing), by_event.get(event_pk, nothing), general)
        for condition_id, pk, event_pk in rows
    }


def _layers(which: Q) -> tuple[Own, dict[int | None, Own], dict[int, Own]]:
    general: Own = {}
    by_event: dict[int | None, Own] = {}
    by_market: dict[int, Own] = {}
    for config in StrategyConfig.objects.filter(which).distinct():
        if config.market_id is not None:
            by_market[config.market_id] = own_values(config)
        elif config.event_id is not None:
            by_event[config.event_id] = own_values(config)
        else:
            general = own_values(config)
    return general, by_event, by_market


def effective(market: Market) -> list[Effective]:
    """Every parameter of one market with its value and source."""
    return effective_in(market)


def effective_in(target: Market | Event | None) -> list[Effective]:
    """The same for a market, for an event (what its markets inherit), or for None, everything."""
    which = Q(scope="global")
    event_pk: int | None = None
    if isinstance(target, Market):
        event_pk = target.event_id
        which |= Q(market=target)
    elif target is not None:
        event_pk = target.pk
    if event_pk is not None:
        which |= Q(event=event_pk)
    general, by_event, by_market = _layers(which)
    layers: list[tuple[str, Own]] = [("event", by_event.get(event_pk, {})), ("global", general)]
    if isinstance(target, Market):
        layers.insert(0, ("market", by_market.get(target.pk, {})))
    return [_effective(item, layers) for item in DEFINITIONS]


def _effective(item: Definition, layers: Iterable[tuple[str, Own]]) -> Effective:
    for source, values in layers:
        if item.name in values:
            return Effective(item, values[item.name], source)
    return Effective(item, item.default, "default")


def config(target: Market | Event | None) -> StrategyConfig | None:
    """The row of a market, of an event, or with None of the global defaults."""
    if isinstance(target, Market):
        return StrategyConfig.objects.filter(market=target).first()
    if target is not None:
        return StrategyConfig.objects.filter(event=target).first()
    return StrategyConfig.objects.filter(scope="global").first()


def revisions(config: StrategyConfig) -> QuerySet[ParamRevision]:
    return config.revisions.select_related("author").order_by("-number")


def external_values(now: datetime) -> dict[str, External]:
    """Outside fair values that count now, by condition id."""
    rows = ExternalFairValue.objects.filter(expires_at__gt=now).values_list(
        "market__condition_id", "price", "expires_at"
    )
    return {
        condition_id: External(price_from_decimal(price), round(expires_at.timestamp() * 1_000) * NANOS_PER_MILLI)
        for condition_id, price, expires_at in rows
    }


def arb_settings() -> ArbSettings:
    """The one row; unsaved defaults when the table is empty."""
    return ArbSettings.objects.filter(id=1).first() or ArbSettings()


def arb_params() -> ArbParams:
    """The Dutch-book settings in domain units."""
    return resolve_arb(arb_values(arb_settings()))


def arb_values(row: ArbSettings) -> dict[str, Decimal]:
    """Every Dutch-book setting of the row by name; switches are 1 or 0."""
    return {item.name: Decimal(getattr(row, item.name)) for item in ARB_DEFINITIONS}


def arb_lines() -> list[tuple[Definition, Decimal]]:
    """Every Dutch-book setting with its value, for forms."""
    values = arb_values(arb_settings())
    return [(item, values[item.name]) for item in ARB_DEFINITIONS]


def inherited_texts(market: Market | None = None) -> Callable[[StrategyConfig], dict[str, str]]:
    """A function that says what each empty parameter of a row comes to; two queries, however many rows.

    `market` stands in for a row that is only about to be made for it.
    """
    general, by_event, _ = _layers(Q(scope="global") | Q(scope="event"))

    def texts(config: StrategyConfig) -> dict[str, str]:
        layers: list[tuple[str, Own]] = []
        of = config.market if config.market_id is not None else market
        if of is not None:
            layers.append(("event", by_event.get(of.event_id, {})))
        if config.scope != StrategyConfig.Scope.GLOBAL:
            layers.append(("global", general))
        return {item.name: f"{_effective(item, layers).value.normalize():f}" for item in DEFINITIONS}

    return texts
