"""The life of one order: a table from (state, event) to state.

Law: what is not in the table is illegal, raises `IllegalMove` and changes nothing. Money outranks words: a
fill is believed in every state, and two answers that contradict each other leave the order UNKNOWN, its
exposure reserved, until reconciliation has proved its end.
"""

from collections.abc import Mapping
from enum import StrEnum


class OrderState(StrEnum):
    PLANNED = "planned"
    SUBMITTING = "submitting"
    UNKNOWN = "unknown"
    LIVE = "live"
    DELAYED = "delayed"
    PARTIALLY_FILLED = "partially filled"
    CANCELLING = "cancelling"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"


class OrderEventKind(StrEnum):
    """What can happen to an order. PART_FILLED and FILLED differ in what is left afterwards."""

    SUBMIT = "submit"
    ACCEPT = "accept"
    DELAY = "delay"
    REJECT = "reject"
    LOSE = "answer lost"
    ASK_CANCEL = "cancel asked"
    CANCEL = "cancelled"
    FAIL_CANCEL = "cancel failed"
    EXPIRE = "expired"
    FILL_PART = "part filled"
    FILL_ALL = "filled"


class IllegalMove(ValueError):
    """The table has no row for this; the order is as it was."""

    def __init__(self, state: OrderState, event: OrderEventKind) -> None:
        super().__init__(f"an order that is {state.value} cannot take the event '{event.value}'")
        self.state = state
        self.event = event


_S = OrderState
_E = OrderEventKind
Row = tuple[OrderState, OrderEventKind]

TRANSITIONS: Mapping[Row, OrderState] = {
    # Written down, not sent yet. Whoever only hears the answer (the trader) goes from here straight to it.
    (_S.PLANNED, _E.SUBMIT): _S.SUBMITTING,
    (_S.PLANNED, _E.ACCEPT): _S.LIVE,
    (_S.PLANNED, _E.DELAY): _S.DELAYED,
    (_S.PLANNED, _E.REJECT): _S.REJECTED,
    (_S.PLANNED, _E.LOSE): _S.UNKNOWN,
    (_S.PLANNED, _E.ASK_CANCEL): _S.PLANNED,  # deferred: nothing to name at the venue yet
    (_S.PLANNED, _E.CANCEL): _S.CANCELLED,  # the user channel was faster than the answer
    (_S.PLANNED, _E.FILL_PART): _S.PARTIALLY_FILLED,  # a fill proves acceptance
    (_S.PLANNED, _E.FILL_ALL): _S.FILLED,
    (_S.SUBMITTING, _E.ACCEPT): _S.LIVE,
    (_S.SUBMITTING, _E.DELAY): _S.DELAYED,
    (_S.SUBMITTING, _E.REJECT): _S.REJECTED,
    (_S.SUBMITTING, _E.LOSE): _S.UNKNOWN,
    (_S.SUBMITTING, _E.ASK_CANCEL): _S.SUBMITTING,  # deferred
    (_S.SUBMITTING, _E.CANCEL): _S.CANCELLED,
    (_S.SUBMITTING, _E.FILL_PART): _S.PARTIALLY_FILLED,
    (_S.SUBMITTING, _E.FILL_ALL): _S.FILLED,
    # No proof either way. Every later answer attaches to the order.
    (_S.UNKNOWN, _E.ACCEPT): _S.LIVE,  # the late answer
    (_S.UNKNOWN, _E.DELAY): _S.DELAYED,
    (_S.UNKNOWN, _E.REJECT): _S.REJECTED,
    (_S.UNKNOWN, _E.LOSE): _S.UNKNOWN,
    # Deferred: "not found" would prove nothing while the submit may still be under way.
    (_S.UNKNOWN, _E.ASK_CANCEL): _S.UNKNOWN,
    (_S.UNKNOWN, _E.CANCEL): _S.CANCELLED,
    (_S.UNKNOWN, _E.FAIL_CANCEL): _S.UNKNOWN,
    (_S.UNKNOWN, _E.EXPIRE): _S.EXPIRED,
    (_S.UNKNOWN, _E.FILL_PART): _S.PARTIALLY_FILLED,
    (_S.UNKNOWN, _E.FILL_ALL): _S.FILLED,
    (_S.LIVE, _E.ACCEPT): _S.LIVE,
    (_S.LIVE, _E.DELAY): _S.LIVE,  # the answer came after the user channel had shown it resting
    (_S.LIVE, _E.REJECT): _S.UNKNOWN,  # contradiction
    (_S.LIVE, _E.LOSE): _S.LIVE,  # another channel already proved it
    (_S.LIVE, _E.ASK_CANCEL): _S.CANCELLING,
    (_S.LIVE, _E.CANCEL): _S.CANCELLED,
    (_S.LIVE, _E.FAIL_CANCEL): _S.LIVE,
    (_S.LIVE, _E.EXPIRE): _S.EXPIRED,
    (_S.LIVE, _E.FILL_PART): _S.PARTIALLY_FILLED,
    (_S.LIVE, _E.FILL_ALL): _S.FILLED,
    # The venue holds it back before matching: it cannot be cancelled and is judged again afterwards.
    (_S.DELAYED, _E.ACCEPT): _S.LIVE,
    (_S.DELAYED, _E.DELAY): _S.DELAYED,
    (_S.DELAYED, _E.REJECT): _S.REJECTED,
    (_S.DELAYED, _E.LOSE): _S.DELAYED,
    (_S.DELAYED, _E.ASK_CANCEL): _S.DELAYED,  # deferred until it rests
    (_S.DELAYED, _E.CANCEL): _S.CANCELLED,
    (_S.DELAYED, _E.FAIL_CANCEL): _S.DELAYED,
    (_S.DELAYED, _E.EXPIRE): _S.EXPIRED,
    (_S.DELAYED, _E.FILL_PART): _S.PARTIALLY_FILLED,
    (_S.DELAYED, _E.FILL_ALL): _S.FILLED,
    (_S.PARTIALLY_FILLED, _E.ACCEPT): _S.PARTIALLY_FILLED,  # the fill was faster than the answer
    (_S.PARTIALLY_FILLED, _E.DELAY): _S.PARTIALLY_FILLED,
    (_S.PARTIALLY_FILLED, _E.REJECT): _S.UNKNOWN,  # contradiction
    (_S.PARTIALLY_FILLED, _E.LOSE): _S.PARTIALLY_FILLED,
    (_S.PARTIALLY_FILLED, _E.ASK_CANCEL): _S.CANCELLING,
    (_S.PARTIALLY_FILLED, _E.CANCEL): _S.CANCELLED,
    (_S.PARTIALLY_FILLED, _E.FAIL_CANCEL): _S.PARTIALLY_FILLED,
    (_S.PARTIALLY_FILLED, _E.EXPIRE): _S.EXPIRED,
    (_S.PARTIALLY_FILLED, _E.FILL_PART): _S.PARTIALLY_FILLED,
    (_S.PARTIALLY_FILLED, _E.FILL_ALL): _S.FILLED,
    (_S.CANCELLING, _E.ACCEPT): _S.CANCELLING,
    (_S.CANCELLING, _E.DELAY): _S.CANCELLING,
    (_S.CANCELLING, _E.REJECT): _S.UNKNOWN,  # contradiction
    (_S.CANCELLING, _E.LOSE): _S.CANCELLING,
    (_S.CANCELLING, _E.ASK_CANCEL): _S.CANCELLING,
    (_S.CANCELLING, _E.CANCEL): _S.CANCELLED,
    # "already matched", "not found" or unreachable: it may rest, may have traded, may be gone.
    # The wish to cancel stays noted.
    (_S.CANCELLING, _E.FAIL_CANCEL): _S.UNKNOWN,
    (_S.CANCELLING, _E.EXPIRE): _S.EXPIRED,
    (_S.CANCELLING, _E.FILL_PART): _S.CANCELLING,  # the rest is still asked back
    (_S.CANCELLING, _E.FILL_ALL): _S.FILLED,
    # Ended. Late and repeated words change nothing, late fills are counted.
    (_S.FILLED, _E.ACCEPT): _S.FILLED,
    (_S.FILLED, _E.DELAY): _S.FILLED,
    (_S.FILLED, _E.REJECT): _S.FILLED,  # the money moved
    (_S.FILLED, _E.LOSE): _S.FILLED,
    (_S.FILLED, _E.CANCEL): _S.FILLED,  # the match won the race with our cancel
    (_S.FILLED, _E.FAIL_CANCEL): _S.FILLED,
    (_S.FILLED, _E.EXPIRE): _S.FILLED,
    (_S.FILLED, _E.FILL_PART): _S.FILLED,
    (_S.FILLED, _E.FILL_ALL): _S.FILLED,  # dust above the order's size
    (_S.CANCELLED, _E.ACCEPT): _S.CANCELLED,  # the answer to the submit came after the cancel was proved
    (_S.CANCELLED, _E.DELAY): _S.CANCELLED,
    (_S.CANCELLED, _E.REJECT): _S.CANCELLED,
    (_S.CANCELLED, _E.LOSE): _S.CANCELLED,
    (_S.CANCELLED, _E.CANCEL): _S.CANCELLED,
    (_S.CANCELLED, _E.FAIL_CANCEL): _S.CANCELLED,  # asked twice, the second found nothing
    (_S.CANCELLED, _E.EXPIRE): _S.CANCELLED,
    (_S.CANCELLED, _E.FILL_PART): _S.CANCELLED,  # matched before the cancel, told after it
    (_S.CANCELLED, _E.FILL_ALL): _S.FILLED,
    (_S.REJECTED, _E.ACCEPT): _S.UNKNOWN,  # contradiction
    (_S.REJECTED, _E.DELAY): _S.UNKNOWN,  # contradiction
    (_S.REJECTED, _E.REJECT): _S.REJECTED,
    (_S.REJECTED, _E.LOSE): _S.REJECTED,
    (_S.REJECTED, _E.CANCEL): _S.REJECTED,
    (_S.REJECTED, _E.FAIL_CANCEL): _S.REJECTED,
    (_S.REJECTED, _E.FILL_PART): _S.PARTIALLY_FILLED,  # the venue traded what it refused
    (_S.REJECTED, _E.FILL_ALL): _S.FILLED,
    (_S.EXPIRED, _E.ACCEPT): _S.EXPIRED,
    (_S.EXPIRED, _E.DELAY): _S.EXPIRED,
    (_S.EXPIRED, _E.REJECT): _S.EXPIRED,
    (_S.EXPIRED, _E.LOSE): _S.EXPIRED,
    (_S.EXPIRED, _E.CANCEL): _S.EXPIRED,
    (_S.EXPIRED, _E.FAIL_CANCEL): _S.EXPIRED,
    (_S.EXPIRED, _E.EXPIRE): _S.EXPIRED,
    (_S.EXPIRED, _E.FILL_PART): _S.EXPIRED,
    (_S.EXPIRED, _E.FILL_ALL): _S.FILLED,
}

ENDED: frozenset[OrderState] = frozenset({_S.FILLED, _S.CANCELLED, _S.REJECTED, _S.EXPIRED})
# States in which a cancel is noted and sent later, see the rows above.
CANCEL_DEFERRED: frozenset[OrderState] = frozenset({_S.PLANNED, _S.SUBMITTING, _S.UNKNOWN, _S.DELAYED})


def move(state: OrderState, event: OrderEventKind) -> OrderState:
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalMove(state, event) from None
