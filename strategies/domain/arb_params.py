"""Every tunable of the Dutch-book planner, in the same terms as the spread quoter's.

Law: off until an operator turns it on; a value out of bounds never becomes an `ArbParams`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from markets.domain.units import Price, Size
from strategies.domain.params import Definition, Unit, Values, define, resolve_values

ARB_DEFINITIONS: tuple[Definition, ...] = (
    define("enabled", Unit.SWITCH, "0", "1", "0", "Whether full sets are bought at all."),
    define(
        "min_edge", Unit.PRICE, "0", "0.5", "0.005",
        "Safety margin: what every set bought must earn after fees, the last one included.",
    ),
    define("max_size", Unit.SHARES, "1", "1000000", "100", "Most sets bought by one plan."),
    define(
        "convert_fee_bps", Unit.BIPS, "0", "1000", "0",
        "What the neg-risk adapter keeps of a conversion.",
    ),
)  # fmt: skip
ARB_BY_NAME: Mapping[str, Definition] = {item.name: item for item in ARB_DEFINITIONS}


@dataclass(frozen=True, slots=True)
class ArbParams:
    """Resolved parameters of one event in domain integers. Build with `resolve_arb`."""

    enabled: bool = False
    min_edge: Price = 50
    max_size: Size = 100_000_000
    convert_fee_bps: int = 0


def resolve_arb(*layers: Values) -> ArbParams:
    """As `params.resolve`, for the Dutch book. Raises ParamError."""
    chosen = resolve_values(ARB_BY_NAME, layers)
    return ArbParams(
        enabled=bool(chosen["enabled"]),
        min_edge=chosen["min_edge"],
        max_size=chosen["max_size"],
        convert_fee_bps=chosen["convert_fee_bps"],
    )


assert tuple(field.name for field in fields(ArbParams)) == tuple(ARB_BY_NAME)
