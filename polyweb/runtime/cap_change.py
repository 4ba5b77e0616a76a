"""Caps that have changed against what rests: it was approved under others.

Law: each market's quotes answer for a change once. They add nothing to what they count already, so the gate would let
them rest beyond a smaller cap for as long as nobody wants them moved.
"""

from markets.domain.market import Market
from markets.domain.units import ConditionId
from polyweb.runtime.state import TradingState
from risk.domain import gate
from risk.domain.gate import Refused


class CapChange:
    def __init__(self, state: TradingState) -> None:
        self._state = state
        self._waiting: set[ConditionId] = set()

    def happened(self) -> None:
        self._waiting = set(self._state.desks)

    def beyond(self, market: Market) -> Refused | None:
        """The caps that what rests in this market is beyond; None when there are none, and when it was asked before."""
        state, condition_id = self._state, market.condition_id
        if condition_id not in self._waiting:
            return None
        self._waiting.discard(condition_id)
        if not state.blotter.quotes(condition_id):
            return None
        return gate.refuse_standing(market, state.exposure, state.control.limits)
