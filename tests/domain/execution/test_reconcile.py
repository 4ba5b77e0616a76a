import msgspec
import pytest

from execution.domain import reconcile
from execution.domain.blotter import LiveOrder
from execution.domain.orders import OrderState
from execution.domain.reconcile import CorrectionKind, VenueOrder
from markets.domain.events import Side

SHARE = 1_000_000
OURS = LiveOrder(1, "m", "yes", Side.BUY, 4800, 20 * SHARE, 20 * SHARE, 0, OrderState.LIVE, "0x1")
THEIRS = VenueOrder("0x1", "m", "yes", Side.BUY, 4800, 20 * SHARE, 0)


def kinds(ours: list[LiveOrder], theirs: list[VenueOrder], asked_ns: int = 100) -> list[CorrectionKind]:
    return [each.kind for each in reconcile.orders(ours, theirs, asked_ns, grace_ns=10)]


def test_equal_books_need_no_correction() -> None:
    assert kinds([OURS], [THEIRS]) == []


def test_an_order_whose_answer_was_lost_is_found() -> None:
    unknown = msgspec.structs.replace(OURS, state=OrderState.UNKNOWN)
    assert kinds([unknown], [THEIRS]) == [CorrectionKind.FOUND]


@pytest.mark.parametrize("state", [OrderState.UNKNOWN, OrderState.LIVE, OrderState.CANCELLING])
def test_an_order_the_venue_does_not_list_is_reported(state: OrderState) -> None:
    assert kinds([msgspec.structs.replace(OURS, state=state)], []) == [CorrectionKind.NOT_LISTED]


def test_an_order_that_may_be_on_its_way_is_left_alone() -> None:
    assert kinds([OURS], [], asked_ns=9) == []
    assert kinds([msgspec.structs.replace(OURS, state=OrderState.SUBMITTING)], []) == []


def test_fills_we_were_not_told_of_are_reported() -> None:
    (correction,) = reconcile.orders([OURS], [msgspec.structs.replace(THEIRS, matched=5 * SHARE)], 100, 10)
    assert (correction.kind, correction.client_order_id) == (CorrectionKind.FILLS_MISSED, 1)
    told = msgspec.structs.replace(OURS, remaining=15 * SHARE)
    assert kinds([told], [msgspec.structs.replace(THEIRS, matched=5 * SHARE)]) == []


def test_a_foreign_order_is_reported_with_its_terms() -> None:
    (correction,) = reconcile.orders([], [THEIRS], 100, 10)
    assert correction.kind is CorrectionKind.FOREIGN
    assert correction.detail == "BUY 20 at 0.48 of yes"


def test_an_order_of_ours_that_ended_here_and_still_rests_there_is_left_behind() -> None:
    strange = msgspec.structs.replace(THEIRS, order_id="0x9")
    numbers = {"0x1": 1, "0x2": 2}
    other = msgspec.structs.replace(THEIRS, order_id="0x2")
    found = reconcile.left_behind([THEIRS, other, strange], lambda each: numbers.get(each, 0), lambda each: each == 1)
    assert [(each.kind, each.client_order_id, each.subject) for each in found] == [
        (CorrectionKind.LEFT_BEHIND, 1, "0x1")
    ]
