from itertools import product

import pytest

from execution.domain.orders import (
    CANCEL_DEFERRED,
    ENDED,
    TRANSITIONS,
    IllegalMove,
    OrderEventKind,
    OrderState,
    move,
)

S = OrderState
E = OrderEventKind
ILLEGAL = {
    *((state, E.SUBMIT) for state in S if state is not S.PLANNED),  # sent once
    *((state, E.ASK_CANCEL) for state in ENDED),  # nothing left to cancel
    (S.PLANNED, E.FAIL_CANCEL),  # no cancel was sent
    (S.SUBMITTING, E.FAIL_CANCEL),
    (S.PLANNED, E.EXPIRE),  # never rested
    (S.SUBMITTING, E.EXPIRE),
    (S.REJECTED, E.EXPIRE),
}


@pytest.mark.parametrize(("state", "event"), list(product(S, E)))
def test_every_pair_is_either_in_the_table_or_illegal(state: OrderState, event: OrderEventKind) -> None:
    if (state, event) in ILLEGAL:
        with pytest.raises(IllegalMove, match=r"cannot take the event"):
            move(state, event)
    else:
        assert move(state, event) is TRANSITIONS[state, event]


def test_a_fill_is_believed_in_every_state() -> None:
    for state in S:
        assert move(state, E.FILL_ALL) is S.FILLED
        assert (state, E.FILL_PART) in TRANSITIONS


def test_a_late_acceptance_attaches_to_an_unknown_order() -> None:
    assert move(S.UNKNOWN, E.ACCEPT) is S.LIVE


def test_a_fill_after_the_cancel_is_the_race_the_match_won() -> None:
    assert move(S.CANCELLED, E.FILL_ALL) is S.FILLED
    assert move(S.CANCELLED, E.FILL_PART) is S.CANCELLED


@pytest.mark.parametrize("state", [S.LIVE, S.PARTIALLY_FILLED, S.CANCELLING])
def test_a_rejection_of_what_was_seen_resting_is_unknown(state: OrderState) -> None:
    assert move(state, E.REJECT) is S.UNKNOWN


def test_an_ended_order_only_comes_back_by_contradiction_or_money() -> None:
    back = {row for row, after in TRANSITIONS.items() if row[0] in ENDED and after not in ENDED}
    assert back == {
        (S.REJECTED, E.ACCEPT),
        (S.REJECTED, E.DELAY),
        (S.REJECTED, E.FILL_PART),
    }


def test_a_lost_answer_never_ends_an_order() -> None:
    assert all(move(state, E.LOSE) not in ENDED for state in S if state not in ENDED)


def test_a_deferred_cancel_leaves_the_state_alone() -> None:
    assert {state for state in S if state not in ENDED and move(state, E.ASK_CANCEL) is state} == (
        CANCEL_DEFERRED | {S.CANCELLING}
    )
