"""What a tunable is: its unit, bounds, default and help, and how layers of values become one.

Law: a value that is out of bounds never gets into a resolved value; the error names field, bound and value.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from markets.domain.units import cash_from_decimal, price_from_decimal, size_from_decimal


class Unit(StrEnum):
    PRICE = "pUSD per share"
    CASH = "pUSD"
    SHARES = "shares"
    TICKS = "exchange ticks"
    MILLIS = "ms"
    SECONDS = "s"
    DAYS = "days"
    PER_MINUTE = "per minute"
    PER_DAY = "per day"
    PERCENT = "%"
    COUNT = "count"
    BIPS = "basis points"
    SWITCH = "on (1) or off (0)"
    FAIR = "0 mid, 1 microprice, 2 depth-weighted"


class Group(StrEnum):
    """Which part of the quoter a parameter steers; forms and docs are arranged by it."""

    FAIR_VALUE = "Fair value"
    SPREAD = "Spread"
    SIZE = "Size and inventory"
    REWARDS = "Rewards"
    CHURN = "Churn"
    GUARDRAILS = "Guardrails"


@dataclass(frozen=True, slots=True)
class Definition:
    name: str
    unit: Unit
    minimum: Decimal
    maximum: Decimal
    default: Decimal
    help: str
    group: Group | None = None

    @property
    def decimals(self) -> int:
        return {Unit.PRICE: 4, Unit.SHARES: 2, Unit.CASH: 2}.get(self.unit, 0)

    def to_internal(self, value: Decimal) -> int:
        """Check bounds and precision, then convert to the integer unit of the domain. Raises ParamError."""
        if not value.is_finite() or not self.minimum <= value <= self.maximum:
            raise ParamError(self.name, f"{value} is outside {self.minimum}..{self.maximum} ({self.unit.value})")
        if value != round(value, self.decimals):
            problem = f"has more than {self.decimals} decimals" if self.decimals else "is not a whole number"
            raise ParamError(self.name, f"{value} {problem} ({self.unit.value})")
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


def define(
    name: str, unit: Unit, low: str, high: str, default: str, help_text: str, group: Group | None = None
) -> Definition:
    return Definition(name, unit, Decimal(low), Decimal(high), Decimal(default), help_text, group)


Values = Mapping[str, Decimal | None]


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
