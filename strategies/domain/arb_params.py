"""Every tunable of the Dutch-book planner, in the same terms as the spread quoter's.

The row, the admin form, the page, the API and docs/parameters.md are generated from `ARB_DEFINITIONS`.
Law: off until an operator turns it on; a value out of bounds never becomes an `ArbParams`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from markets.domain.units import Cash, Price, Size
from strategies.domain.definitions import Definition, Unit, Values, define, resolve_values

ARB_DEFINITIONS: tuple[Definition, ...] = (
    define("enabled", Unit.SWITCH, "0", "1", "0", "Whether full sets are traded at all; they are looked for anyway."),
    define(
        "min_edge", Unit.PRICE, "0", "0.5", "0.005",
        "Safety margin: what every set must earn after all costs, the last one included.",
    ),
    define("max_size", Unit.SHARES, "1", "1000000", "100", "Most sets traded by one plan."),
    define("max_cost", Unit.CASH, "1", "10000000", "1000", "Most cash one plan may tie up."),
    define(
        "slippage_ticks", Unit.TICKS, "0", "100", "0",
        "How far every leg's limit stands beyond the last price it counts on; the edge is reckoned at that limit.",
    ),
    define(
        "convert_fee_bps", Unit.BIPS, "0", "1000", "0",
        "What the neg-risk adapter keeps of a conversion at least; the venue's own figure counts if it is more.",
    ),
    define(
        "conversion_cost", Unit.CASH, "0", "100", "0.01",
        "Gas or relayer cost of one split, merge or conversion.",
    ),
    define(
        "chain_edge", Unit.PRICE, "0", "0.5", "0.01",
        "What a set that must be split before it is sold has to earn on top of `min_edge`, as prices move meanwhile.",
    ),
    define(
        "chain_wait_ms", Unit.MILLIS, "1000", "3600000", "60000",
        "How long a split, merge or conversion may take; then its basket ends without it, and what it does is booked.",
    ),
    define(
        "lock_rate_bps", Unit.BIPS, "0", "10000", "400",
        "Price of capital a year, for sets that are held until their market resolves.",
    ),
    define(
        "resolution_days", Unit.DAYS, "0", "365", "3",
        "Days from a market's end date until it pays.",
    ),
    define(
        "max_lock_days", Unit.DAYS, "1", "3650", "90",
        "Longest time capital may be locked; a market without an end date counts as this long.",
    ),
    define(
        "partial_fills", Unit.SWITCH, "0", "1", "0",
        "Legs take what they can get (FAK) instead of all or nothing (FOK).",
    ),
    define(
        "maker_leg", Unit.SWITCH, "0", "1", "0",
        "The leg that is hardest to fill rests post-only first, the others are taken once it has filled.",
    ),
    define(
        "deadline_ms", Unit.MILLIS, "100", "600000", "3000",
        "Time a basket has to fill; what rests then is cancelled, what is missing is completed, unwound or held.",
    ),
    define(
        "max_loss", Unit.CASH, "0", "100000", "5",
        "Most that completing or unwinding an unbalanced basket may lose; beyond it an operator decides.",
    ),
    define(
        "max_held", Unit.CASH, "0", "100000", "0",
        "Most that unmatched shares of a basket may be worth and still be held, when that is cheapest.",
    ),
    define(
        "cool_down_ms", Unit.MILLIS, "0", "3600000", "5000",
        "Pause of an event after a basket that did not fill whole.",
    ),
)  # fmt: skip
ARB_BY_NAME: Mapping[str, Definition] = {item.name: item for item in ARB_DEFINITIONS}
SWITCHES = tuple(item.name for item in ARB_DEFINITIONS if item.unit is Unit.SWITCH)


@dataclass(frozen=True, slots=True)
class ArbParams:
    """Resolved parameters in domain integers. Build with `resolve_arb`."""

    enabled: bool = False
    min_edge: Price = 50
    max_size: Size = 100_000_000
    max_cost: Cash = 1_000_000_000
    slippage_ticks: int = 0
    convert_fee_bps: int = 0
    conversion_cost: Cash = 10_000
    chain_edge: Price = 100
    chain_wait_ms: int = 60_000
    lock_rate_bps: int = 400
    resolution_days: int = 3
    max_lock_days: int = 90
    partial_fills: bool = False
    maker_leg: bool = False
    deadline_ms: int = 3_000
    max_loss: Cash = 5_000_000
    max_held: Cash = 0
    cool_down_ms: int = 5_000


def resolve_arb(*layers: Values) -> ArbParams:
    """As `params.resolve`, for the Dutch book. Raises ParamError."""
    chosen = resolve_values(ARB_BY_NAME, layers)
    numbers = {name: value for name, value in chosen.items() if name not in SWITCHES}
    switches = {name: bool(chosen[name]) for name in SWITCHES}
    return ArbParams(**switches, **numbers)  # type: ignore[arg-type]  # keys are the fields, asserted below


assert tuple(field.name for field in fields(ArbParams)) == tuple(ARB_BY_NAME)
