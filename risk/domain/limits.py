"""The caps an operator sets, as one frozen value the gate reads.

Law: a missing override falls back to the next wider cap, never to "unlimited". No strategy sees this value, so none
can loosen it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from markets.domain.market import Market
from markets.domain.units import Cash, Nanos, Price, Size
from risk.domain import caps
from risk.domain.caps import CapKind, Level


def _default(kind: CapKind, level: Level = Level.TOTAL) -> int:
    figure = caps.default(kind, level)
    assert figure is not None, f"{kind} {level} has no default"
    return figure


DEFAULT_MARKET_LOSS: Cash = _default(CapKind.LOSS, Level.MARKET)
DEFAULT_EVENT_LOSS: Cash = _default(CapKind.LOSS, Level.EVENT)
DEFAULT_TOTAL_LOSS: Cash = _default(CapKind.LOSS)
DEFAULT_ORDERS_PER_SECOND = _default(CapKind.ORDER_RATE)
DEFAULT_CANCELS_PER_SECOND = _default(CapKind.CANCEL_RATE)
DEFAULT_BOOK_AGE_NS: Nanos = _default(CapKind.BOOK_AGE)
DEFAULT_DAILY_LOSS: Cash = _default(CapKind.DAILY_LOSS)
DEFAULT_ROLLING_LOSS: Cash = _default(CapKind.ROLLING_LOSS)
DEFAULT_DRAWDOWN: Cash = _default(CapKind.DRAWDOWN)


class Room(NamedTuple):
    """The caps of one level."""

    shares: Size
    notional: Cash
    orders: int


class Rooms(NamedTuple):
    """Every cap that holds for a proposal in one market, narrow to wide."""

    order: Room
    outcome: Room
    market: Room
    event: Room
    category: Room
    strategy: Room
    wallet: Room
    total: Room
    category_loss: Cash
    wallet_loss: Cash
    collar: Price


class LossCaps(NamedTuple):
    """Caps on what was lost, None where there is none."""

    daily_loss: Cash | None
    rolling_loss: Cash | None
    drawdown: Cash | None


_LOST = (CapKind.DAILY_LOSS, CapKind.ROLLING_LOSS, CapKind.DRAWDOWN)


def spelled(kind: CapKind, level: Level, name: str = "") -> str:
    """The key of one cap in `Limits.own`; no name means each of its level."""
    return f"{kind.value} {level.value} {name}"


@dataclass(frozen=True)
class Limits:
    """Losses in 1e-6 pUSD; `orders_per_second` and `cancels_per_second` count over the whole wallet.

    `max_book_age_ns` is where the stale-book breaker trips. `own` holds every other cap that is set, in domain units,
    under its `spelled` key; `categories` says which event is of which category.
    """

    market_loss: Cash = DEFAULT_MARKET_LOSS
    event_loss: Cash = DEFAULT_EVENT_LOSS
    total_loss: Cash = DEFAULT_TOTAL_LOSS
    orders_per_second: int = DEFAULT_ORDERS_PER_SECOND
    max_book_age_ns: Nanos = DEFAULT_BOOK_AGE_NS
    market_overrides: Mapping[str, Cash] = field(default_factory=dict)
    event_overrides: Mapping[str, Cash] = field(default_factory=dict)
    cancels_per_second: int = DEFAULT_CANCELS_PER_SECOND
    daily_loss: Cash = DEFAULT_DAILY_LOSS
    rolling_loss: Cash = DEFAULT_ROLLING_LOSS
    drawdown: Cash = DEFAULT_DRAWDOWN
    own: Mapping[str, int] = field(default_factory=dict)
    categories: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # No field: what was looked up is neither compared nor recorded.
        object.__setattr__(self, "_rooms", {})
        object.__setattr__(self, "_markets_lose", any(key.partition(" ")[0] in _LOST for key in self.own))

    def for_market(self, condition_id: str) -> Cash:
        return self.market_overrides.get(condition_id, self.market_loss)

    def for_event(self, event_id: str) -> Cash:
        return self.event_overrides.get(event_id, self.event_loss)

    def losses_of(self, condition_id: str) -> LossCaps | None:
        """What one market may lose before it is left alone; None where only everything together is capped."""
        if not self._markets_lose:  # type: ignore[attr-defined]  # see __post_init__
            return None
        found = LossCaps(*(self._own_of_market(kind, condition_id) for kind in _LOST))
        return None if found == (None, None, None) else found

    def _own_of_market(self, kind: CapKind, condition_id: str) -> int | None:
        named = self.own.get(spelled(kind, Level.MARKET, condition_id))
        return self.own.get(spelled(kind, Level.MARKET)) if named is None else named

    def rooms(self, market: Market, strategy: str) -> Rooms:
        """Looked up once: the gate asks for every proposal."""
        key = (market.condition_id, market.event_id, strategy)
        rooms: dict[tuple[str, str, str], Rooms] = self._rooms  # type: ignore[attr-defined]  # see __post_init__
        found = rooms.get(key)
        if found is None:
            found = rooms[key] = self._resolved(*key)
        return found

    def _resolved(self, condition_id: str, event_id: str, strategy: str) -> Rooms:
        category = self.categories.get(event_id, "")
        names = {
            Level.ORDER: condition_id,
            Level.OUTCOME: condition_id,
            Level.MARKET: condition_id,
            Level.EVENT: event_id,
            Level.CATEGORY: category,
            Level.STRATEGY: strategy,
        }
        rooms = {level.value: self._room(level, names.get(level, "")) for level in Level}
        return Rooms(
            order=rooms["order"],
            outcome=rooms["outcome"],
            market=rooms["market"],
            event=rooms["event"],
            category=rooms["category"],
            strategy=rooms["strategy"],
            wallet=rooms["wallet"],
            total=rooms["total"],
            category_loss=self.cap(CapKind.LOSS, Level.CATEGORY, category),
            wallet_loss=self.cap(CapKind.LOSS, Level.WALLET),
            collar=self.cap(CapKind.COLLAR, Level.MARKET, condition_id),
        )

    def _room(self, level: Level, name: str) -> Room:
        # A single order is no count of orders, and an outcome is not where they are counted.
        orders = level if level in caps.BY_KIND[CapKind.OPEN_ORDERS].defaults else Level.TOTAL
        return Room(
            self.cap(CapKind.SHARES, level, name),
            self.cap(CapKind.NOTIONAL, level, name),
            self.cap(CapKind.OPEN_ORDERS, orders, name if orders is level else ""),
        )

    def cap(self, kind: CapKind, level: Level, name: str = "") -> int:
        """The figure that holds: its own, that of each of its level, the default, or what holds for everything."""
        if name and (own := self.own.get(spelled(kind, level, name))) is not None:
            return own
        each = self.own.get(spelled(kind, level))
        if each is not None:
            return each
        if kind is CapKind.LOSS and level not in (Level.CATEGORY, Level.WALLET):
            losses = {Level.MARKET: self.for_market(name), Level.EVENT: self.for_event(name)}
            return losses.get(level, self.total_loss)
        figure = caps.default(kind, level)
        return figure if figure is not None else self.cap(kind, Level.TOTAL)
