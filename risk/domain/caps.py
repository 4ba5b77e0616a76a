"""What can be capped, at which level, in which unit, and how far nobody has said otherwise: every cap defined once.

The row's checks, the admin, the API and docs/risk.md are made from `DEFINITIONS`.
Law: there is no "unlimited". A level without a figure of its own is held by the next wider one that has one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from markets.domain.units import CASH_ONE, NANOS_PER_SECOND, PRICE_ONE, SIZE_ONE


class CapKind(StrEnum):
    """Stable words: they are in rows and the API."""

    LOSS = "loss"
    SHARES = "shares"
    NOTIONAL = "notional"
    OPEN_ORDERS = "open_orders"
    ORDER_RATE = "order_rate"
    CANCEL_RATE = "cancel_rate"
    DAILY_LOSS = "daily_loss"
    ROLLING_LOSS = "rolling_loss"
    DRAWDOWN = "drawdown"
    BOOK_AGE = "book_age"
    COLLAR = "collar"


class Level(StrEnum):
    """From narrow to wide. One engine trades one wallet, so `wallet` and `total` count the same here."""

    ORDER = "order"
    OUTCOME = "outcome"
    MARKET = "market"
    EVENT = "event"
    CATEGORY = "category"
    STRATEGY = "strategy"
    WALLET = "wallet"
    TOTAL = "total"


# Levels of which there is only one, so that nothing names it.
SINGLE = frozenset({Level.WALLET, Level.TOTAL})
# Levels that a market names: both of its outcomes, every order in it.
OF_MARKET = frozenset({Level.ORDER, Level.OUTCOME, Level.MARKET})


@dataclass(frozen=True, slots=True)
class Cap:
    """`scale` makes domain units of what people say; `defaults` are in what people say. `whole` has no decimals."""

    kind: CapKind
    unit: str
    scale: int
    help: str
    defaults: Mapping[Level, Decimal | None]
    whole: bool = False
    minimum: Decimal = Decimal(0)
    maximum: Decimal = Decimal(10**12)


def _levels(**figures: int | str | None) -> Mapping[Level, Decimal | None]:
    return {Level(name): None if figure is None else Decimal(figure) for name, figure in figures.items()}


_LOSS = _levels(market=100, event=200, category=None, wallet=None, total=500)
_SHARES = _levels(
    order=10_000, outcome=20_000, market=40_000, event=100_000, category=None, strategy=None, wallet=None, total=500_000
)
_NOTIONAL = _levels(
    order=1_000, outcome=2_000, market=4_000, event=8_000, category=None, strategy=None, wallet=None, total=20_000
)
_ORDERS = _levels(market=40, event=400, category=None, strategy=None, wallet=None, total=2_000)

DEFINITIONS: tuple[Cap, ...] = (
    Cap(CapKind.LOSS, "pUSD", CASH_ONE, "Worst case over every outcome.", _LOSS),
    Cap(CapKind.SHARES, "shares", SIZE_ONE, "Shares held and that open buys may add, YES and NO alike.", _SHARES),
    Cap(CapKind.NOTIONAL, "pUSD", CASH_ONE, "Paid for what is held and what open buys may cost.", _NOTIONAL),
    Cap(CapKind.OPEN_ORDERS, "orders", 1, "Orders whose end is not proved.", _ORDERS, whole=True),
    Cap(CapKind.ORDER_RATE, "per second", 1, "Orders placed.", _levels(total=30), True, Decimal(1)),
    Cap(CapKind.CANCEL_RATE, "per second", 1, "Cancels to move quotes; never those that risk asks for.",
        _levels(total=60), True, Decimal(1)),
    Cap(CapKind.DAILY_LOSS, "pUSD", CASH_ONE, "Lost since the day began (UTC).", _levels(market=None, total=500)),
    Cap(CapKind.ROLLING_LOSS, "pUSD", CASH_ONE, "Lost within any hour.", _levels(market=None, total=250)),
    Cap(CapKind.DRAWDOWN, "pUSD", CASH_ONE, "Lost since the best moment there was.", _levels(market=None, total=1_000)),
    Cap(CapKind.BOOK_AGE, "s", NANOS_PER_SECOND, "Oldest book to quote on.", _levels(total=60)),
    Cap(CapKind.COLLAR, "pUSD", PRICE_ONE, "How far past the middle of the book an order may reach.",
        _levels(market="0.25"), False, Decimal("0.0001"), Decimal(1)),
)  # fmt: skip
BY_KIND: Mapping[CapKind, Cap] = {each.kind: each for each in DEFINITIONS}


class CapError(ValueError):
    """Names the field, its bounds and the value."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(f"{field}: {text}")
        self.field = field
        self.text = text


def _where(cap: Cap) -> str:
    if tuple(cap.defaults) == (Level.TOTAL,):
        return "one figure for everything; choose total"
    return f"capped per {', '.join(level.value for level in cap.defaults)}"


def default(kind: CapKind, level: Level) -> int | None:
    """In domain units; None where a wider level holds. Raises KeyError for a level this kind does not have."""
    cap = BY_KIND[kind]
    figure = cap.defaults[level]
    return None if figure is None else int(figure * cap.scale)


def check(kind: CapKind, level: Level, value: Decimal) -> int:
    """What people said, in domain units. Raises CapError."""
    cap = BY_KIND[kind]
    if level not in cap.defaults:
        raise CapError("scope", f"{level}: {kind} is {_where(cap)}")
    if not cap.minimum <= value <= cap.maximum:
        bound = f"at least {cap.minimum}" if value < cap.minimum else f"at most {cap.maximum}"
        raise CapError("value", f"{value}: {bound} {cap.unit}; to place nothing, stop")
    scaled = value * cap.scale
    if scaled != int(scaled) or (cap.whole and value != int(value)):
        raise CapError("value", f"{value} has more decimals than {cap.unit} can hold")
    return int(scaled)
