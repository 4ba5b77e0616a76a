"""Whose turn it is when not everything can be sent at once: said by the command, never guessed from the order.

Law: pure; a table for places and one for cancels. What takes risk away goes before what seeks profit.
"""

from collections.abc import Mapping

from execution.domain.budget import Urgency
from execution.domain.commands import Cancel, CancelReason, Place, Strategy

PLACES: Mapping[Strategy, Urgency] = {
    Strategy.EXIT: Urgency.EXIT,
    Strategy.DUTCH_BOOK: Urgency.ARBITRAGE,
    Strategy.SPREAD: Urgency.REQUOTE,
}
_MOVES = Urgency.REQUOTE  # the market moved and our quotes follow: nothing is wrong
_AWAY = Urgency.RISK  # what rests should not rest any longer
CANCELS: Mapping[CancelReason, Urgency] = {
    CancelReason.REQUOTE: _MOVES,
    CancelReason.WITHDRAWN: _MOVES,
    CancelReason.NO_QUOTE: _MOVES,
    CancelReason.BASKET: Urgency.ARBITRAGE,  # the basket waits for our quotes to make way
    CancelReason.DEADLINE: _AWAY,
    CancelReason.ABANDONED: _AWAY,
    CancelReason.UNTRUSTED: _AWAY,
    CancelReason.STOPPED: _AWAY,
    CancelReason.BREAKER: _AWAY,
    CancelReason.REFUSED: _AWAY,
    CancelReason.DISABLED: _AWAY,
    CancelReason.VENUE: _AWAY,
    CancelReason.OFF_GRID: _AWAY,
    CancelReason.SHUTDOWN: _AWAY,
    CancelReason.FOREIGN: _AWAY,
}


def urgency(command: Place | Cancel) -> Urgency:
    return PLACES[command.strategy] if isinstance(command, Place) else CANCELS[command.reason]
