"""Every tunable of the spread quoter, defined once: unit, bounds, default and help.

The database columns, the admin form, the API schema, the import/export format and docs/parameters.md are
generated from `DEFINITIONS`.
Law: a value that is out of bounds never becomes a `SpreadParams`; the error names field, bound and value.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from enum import StrEnum

from markets.domain.units import Price, Size, cash_from_decimal, price_from_decimal, size_from_decimal


class Unit(StrEnum):
    PRICE = "pUSD per share"
    SHARES = "shares"
    TICKS = "exchange ticks"
    MILLIS = "ms"
    PER_MINUTE = "per minute"
    BIPS = "basis points"
    CASH = "pUSD"
    DAYS = "days"
    SWITCH = "on (1) or off (0)"


@dataclass(frozen=True, slots=True)
class Definition:
    name: str
    unit: Unit
    minimum: Decimal
    maximum: Decimal
    default: Decimal
    help: str

    @property
    def decimals(self) -> int:
        return {Unit.PRICE: 4, Unit.SHARES: 2, Unit.CASH: 2}.get(self.unit, 0)

    def to_internal(self, value: Decimal) -> int:
        """Check bounds and precision, then convert to the integer unit of the domain. Raises ParamError."""
        if not value.is_finite() or not self.minimum <= value <= self.maximum:
            raise ParamError(self.name, f"{value} is outside {self.minimum}..{self.maximum} ({self.unit.value})")
        if value != round(value, self.decimals):
            raise ParamError(self.name, f"{value} has more than {self.decimals} decimals ({self.unit.value})")
        if self.unit is Unit.PRICE:
            return price_from_decimal(value, self.name)
        if self.unit is Unit.SHARES:
            return size_from_decimal(value, self.name)
        if self.unit is Unit.CASH:
            return cash_from_decimal(value, self.name)
        return int(value)


class ParamError(ValueError):
    """A parameter that may not be used: `field` and what is wrong with it."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


def define(name: str, unit: Unit, low: str, high: str, default: str, help_text: str) -> Definition:
    return Definition(name, unit, Decimal(low), Decimal(high), Decimal(default), help_text)


DEFINITIONS: tuple[Definition, ...] = (
    define(
        "half_spread", Unit.PRICE, "0.0001", "0.4", "0.01",
        "Distance of each quote from the reservation price.",
    ),
    define(
        "inventory_skew", Unit.PRICE, "0", "0.4", "0.02",
        "How far the reservation price moves against us when inventory reaches max_inventory.",
    ),
    define("size", Unit.SHARES, "1", "1000000", "20", "Size of each quote."),
    define(
        "max_inventory", Unit.SHARES, "1", "10000000", "100",
        "Net shares (YES minus NO) at which the side that would add to them stops quoting.",
    ),
    define(
        "min_change_ticks", Unit.TICKS, "1", "1000", "1",
        "A resting quote stays while its target is closer than this many ticks of the market.",
    ),
    define(
        "min_quote_lifetime_ms", Unit.MILLIS, "0", "600000", "500",
        "A quote is not replaced before this age, unless the book is no longer trusted.",
    ),
    define(
        "max_cancels_per_minute", Unit.PER_MINUTE, "1", "6000", "120",
        "Requoting cancels allowed in one market in any minute; risk cancels are not counted against it.",
    ),
)  # fmt: skip
BY_NAME: Mapping[str, Definition] = {item.name: item for item in DEFINITIONS}


@dataclass(frozen=True, slots=True)
class SpreadParams:
    """Resolved parameters of one market in domain integers. Build with `resolve`."""

    half_spread: Price = 100
    inventory_skew: Price = 200
    size: Size = 20_000_000
    max_inventory: Size = 100_000_000
    min_change_ticks: int = 1
    min_quote_lifetime_ms: int = 500
    max_cancels_per_minute: int = 120


Values = Mapping[str, Decimal | None]


def resolve(*layers: Values) -> SpreadParams:
    """Merge layers, strongest first (market, event, global); what all leave out takes its default.

    Raises ParamError for an unknown name or a value out of bounds.
    """
    return SpreadParams(**resolve_values(BY_NAME, layers))


def resolve_values(known: Mapping[str, Definition], layers: tuple[Values, ...]) -> dict[str, int]:
    """The merged layers in domain integers, one entry per definition."""
    for layer in layers:
        for name in layer:
            if name not in known:
                raise ParamError(name, "is not a parameter; known are " + ", ".join(known))
    return {item.name: item.to_internal(_first(layers, item)) for item in known.values()}


def _first(layers: tuple[Values, ...], item: Definition) -> Decimal:
    for layer in layers:
        value = layer.get(item.name)
        if value is not None:
            return value
    return item.default


assert tuple(field.name for field in fields(SpreadParams)) == tuple(BY_NAME)
