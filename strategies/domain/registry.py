"""The strategies by name: what the trader runs per market and what it runs per event.

Law: a name here is written to the journal and the audits; it is never given to another strategy.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from strategies.domain import dutch_book, spread
from strategies.domain.arb_params import ArbParams
from strategies.domain.dutch_book import Scan
from strategies.domain.inputs import MarketInput
from strategies.domain.intents import QuoteSet
from strategies.domain.params import SpreadParams
from strategies.domain.routes import Books, Moment

SPREAD = "spread"
DUTCH_BOOK = "dutch_book"

MarketPlanner: TypeAlias = Callable[[MarketInput, SpreadParams], QuoteSet]
EventPlanner: TypeAlias = Callable[[Books, ArbParams, Moment], Scan]

MARKET_PLANNERS: Mapping[str, MarketPlanner] = {SPREAD: spread.plan}
EVENT_PLANNERS: Mapping[str, EventPlanner] = {DUTCH_BOOK: dutch_book.scan}
NAMES: tuple[str, ...] = (*MARKET_PLANNERS, *EVENT_PLANNERS)


class UnknownStrategy(ValueError):
    def __init__(self, name: str) -> None:
        super().__init__(f"{name!r} is not a strategy; known are {', '.join(NAMES)}")


def market_planner(name: str) -> MarketPlanner:
    try:
        return MARKET_PLANNERS[name]
    except KeyError:
        raise UnknownStrategy(name) from None


def event_planner(name: str) -> EventPlanner:
    try:
        return EVENT_PLANNERS[name]
    except KeyError:
        raise UnknownStrategy(name) from None
