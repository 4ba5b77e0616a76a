"""Whose turn it is: every command has its place in the order, and safety comes first."""

import pytest

from execution.domain.budget import Urgency
from execution.domain.commands import Cancel, CancelReason, Place, Strategy
from execution.domain.urgency import CANCELS, PLACES, urgency


def test_every_strategy_and_every_reason_has_its_urgency() -> None:
    assert set(PLACES) == set(Strategy)
    assert set(CANCELS) == set(CancelReason)


def test_risk_cancels_go_before_exits_before_arbitrage_before_requotes() -> None:
    stopped = urgency(Cancel((1,), CancelReason.STOPPED, 0))
    leaving, taking, quoting = (
        urgency(Place("p", strategy, (), 0)) for strategy in (Strategy.EXIT, Strategy.DUTCH_BOOK, Strategy.SPREAD)
    )
    assert stopped < leaving < taking < quoting


@pytest.mark.parametrize("reason", [CancelReason.REQUOTE, CancelReason.WITHDRAWN, CancelReason.NO_QUOTE])
def test_a_cancel_that_only_follows_the_market_is_a_requote(reason: CancelReason) -> None:
    assert urgency(Cancel((1,), reason, 0)) is Urgency.REQUOTE
