"""What one market's page shows: the engine's newest view or an honest blank, and the parameters.

Law: the shape of the view is the engine's; where it has not looked yet, every figure is unknown, not zero.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, NamedTuple

from execution.models import MarketState
from markets.models import Market
from polyweb.dashboard import figures
from strategies import selectors as strategies
from strategies.domain.definitions import Definition, Group, Unit
from strategies.models import ParamRevision, StrategyConfig
from strategies.services import plain

Row = dict[str, Any]
DEPTH = 10


class Ladder(NamedTuple):
    """Fixed numbers of rows, best prices in the middle; rows without a level are blank."""

    asks: list[Row]
    bids: list[Row]


def view_of(market: Market, state: MarketState | None) -> Row:
    if state is not None and state.view:
        return dict(state.view)
    if not (market.trading or market.watched):
        reason = "not followed: watch it or switch trading on"
    elif market.trading:
        reason = "not seen by the engine yet"
    else:
        reason = "off by operator"
    return {
        "condition_id": market.condition_id,
        "trading": market.trading,
        "state": "watching" if market.watched else "idle",
        "reason": reason,
        "trust": "unseeded",
        "trust_reason": "",
        "book": {"bids": [], "asks": []},
        "fair": None,
        "ours": [],
        "position": {},
        "trace": [],
        "last_trade": None,
        "revision": 0,
    }


def ladder(view: Row) -> Ladder:
    """Rows with our remaining size beside the level; ours outside the shown depth still gets a row."""
    book = view.get("book") or {}
    return Ladder(
        asks=list(reversed(_side(book.get("asks"), view.get("ours"), "ask"))),
        bids=_side(book.get("bids"), view.get("ours"), "bid"),
    )


def _side(levels: Any, ours: Any, side: str) -> list[Row]:
    sizes: dict[Decimal, Decimal] = {}
    for price, size in levels or ():
        sizes[Decimal(price)] = Decimal(size)
    own: dict[Decimal, Decimal] = {}
    for order in ours or ():
        if order.get("yes_side") == side:
            price = Decimal(order["yes_price"])
            own[price] = own.get(price, Decimal(0)) + Decimal(order["remaining"])
    prices = _shown(sizes, own, side)
    largest = max((sizes.get(price, Decimal(0)) for price in prices), default=Decimal(0))
    rows: list[Row] = [
        {
            "price": price,
            "size": sizes.get(price),
            "ours": own.get(price),
            "share": figures.share_of(sizes.get(price), largest),
        }
        for price in prices
    ]
    return rows + [{"price": None, "size": None, "ours": None, "share": 0}] * (DEPTH - len(rows))


def _shown(sizes: Iterable[Decimal], own: Iterable[Decimal], side: str) -> list[Decimal]:
    """The best prices, best first. Ours are always among them: a far order of ours takes the room of far levels."""
    best_first = side == "bid"
    ours = sorted(set(own), reverse=best_first)[:DEPTH]
    others = sorted(set(sizes) - set(ours), reverse=best_first)[: DEPTH - len(ours)]
    return sorted([*ours, *others], reverse=best_first)


# Parameters ----------------------------------------------------------------------------------------------


class Parameter(NamedTuple):
    """One line of the edit form. `own` is what the market itself sets, empty when it inherits."""

    definition: Definition
    value: str
    source: str
    own: str
    error: str
    entered: str

    @property
    def step(self) -> str:
        return f"{Decimal(1).scaleb(-self.definition.decimals):f}"

    @property
    def bounds(self) -> str:
        """What may be entered; a choice explains itself."""
        item = self.definition
        if item.unit in (Unit.SWITCH, Unit.FAIR):
            return item.unit.value
        return f"{plain(item.minimum)} to {plain(item.maximum)} {item.unit.value}"

    @property
    def label(self) -> str:
        return self.definition.name.replace("_", " ")


def parameters(
    market: Market, *, entered: dict[str, str] | None = None, errors: dict[str, str] | None = None
) -> list[Parameter]:
    own = strategies.own_values(strategies.config(market))
    lines = []
    for item in strategies.effective(market):
        name = item.definition.name
        mine = plain(own[name]) if name in own else ""
        lines.append(
            Parameter(
                definition=item.definition,
                value=plain(item.value),
                source={"market": "this market", "event": "its event", "global": "global"}.get(item.source, "default"),
                own=mine,
                error=(errors or {}).get(name, ""),
                entered=mine if entered is None else entered.get(name, ""),
            )
        )
    return lines


class ParameterGroup(NamedTuple):
    name: str
    lines: list[Parameter]
    open: bool


def parameter_groups(lines: list[Parameter]) -> list[ParameterGroup]:
    """As the form shows them: open is what is changed most, what this market sets itself, and what is wrong."""
    groups = []
    for group in Group:
        members = [line for line in lines if line.definition.group is group]
        shown = group in (Group.SPREAD, Group.SIZE) or any(line.own or line.error or line.entered for line in members)
        groups.append(ParameterGroup(group.value, members, shown))
    return groups


def newest_revision(market: Market) -> ParamRevision | None:
    """The newest change of this market's own parameters."""
    config: StrategyConfig | None = strategies.config(market)
    return None if config is None else strategies.revisions(config).first()
