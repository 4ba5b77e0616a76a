"""Why a basket was begun, refused or given up, with what was seen of each leg, on its way to the rows.

Law: pure. A refusal is said once with its trace; while it is repeated it is counted, and how often is said once a
minute.
"""

from collections.abc import Mapping

from execution.domain.commands import Refusal, Strategy
from markets.domain.events import Level
from markets.domain.market import Market
from markets.domain.units import ConditionId, Nanos
from polyweb.runtime import refusing
from polyweb.runtime.basket_legs import Legs
from polyweb.runtime.baskets import Working, terms_of
from polyweb.runtime.state import TradingState
from risk.domain.gate import Refused
from strategies.domain import basket_traces, traces
from strategies.domain.basket_stages import BasketMoved, Stage
from strategies.domain.intents import Basket

Markets = Mapping[ConditionId, Market]


class BasketRecords:
    def __init__(self, state: TradingState, legs: Legs) -> None:
        self._state = state
        self._legs = legs
        self._said: dict[str, Refusal] = {}  # by event: the refusal that was said, and how often it came again
        self._moved: list[BasketMoved] = []

    def drain(self) -> list[BasketMoved]:
        """Every step of every basket since the last call, in order."""
        moved, self._moved = self._moved, []
        return moved

    def moved(self, working: Working, stage: Stage, at_ns: Nanos, why: str) -> None:
        """A basket took a step: its row, its history and its trace."""
        verdict = traces.REFUSED if working.codes else basket_traces.ABORTED if working.aborted else traces.APPROVED
        basket, filled = working.basket, working.sizes
        tokens, tops = self._seen(basket, working.markets)
        trace = basket_traces.record(basket, tokens, tops, verdict, working.codes, filled)
        self._moved.append(working.moved(stage, at_ns, why, trace))

    def plan(self, working: Working) -> str:
        """What is written before anything is sent: an engine that finds it can go on with the basket."""
        basket = working.basket
        tokens, tops = self._seen(basket, working.markets)
        terms = {name: terms_of(market) for name, market in working.markets.items()}
        kept = basket_traces.Kept(basket, terms)
        return basket_traces.record(basket, tokens, tops, traces.APPROVED, kept=kept)

    def refused(self, basket: Basket, markets: Markets, by: Refused, now_ns: Nanos, *, whole: bool = True) -> None:
        """Something of the basket may not be sent. What is not `whole` only completes or undoes one."""
        codes, event_id = tuple(code.value for code in by.codes), basket.event_id
        again = refusing.repeated(self._said.get(event_id), codes, now_ns)
        if again is not None:
            self._said[event_id] = again
            return
        self.over(event_id)
        tokens, tops = self._seen(basket, markets)
        trace = basket_traces.record(basket, tokens, tops, traces.REFUSED, codes, whole=whole)
        first = basket.legs[0].condition_id
        told = Refusal(first, Strategy.DUTCH_BOOK, codes, by.detail, now_ns, trace=trace)
        self._said[event_id] = refusing.say(self._state, told)

    def over(self, event_id: str) -> None:
        """What was refused there is refused no more: say how often it was repeated."""
        refusing.over(self._state, self._said.pop(event_id, None))

    def _seen(self, basket: Basket, markets: Markets) -> tuple[list[str], dict[str, Level]]:
        """Which token each leg trades, "" in a market nobody knows, and the best level it trades against."""
        tokens, tops = [], {}
        for leg in basket.legs:
            market = markets.get(leg.condition_id)
            tokens.append("" if market is None else "YES" if leg.asset == market.yes else "NO")
            if market is not None and (top := self._legs.top(leg, market)) is not None:
                tops[leg.asset] = top
        return tokens, tops
