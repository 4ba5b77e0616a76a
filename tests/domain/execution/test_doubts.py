import msgspec
import pytest

from execution.domain.blotter import LiveOrder
from execution.domain.commands import Accepted, Cancelled
from execution.domain.doubts import APART_NS, CANCEL_GRACE_NS, GRACE_NS, Doubts, outcome, with_ids
from execution.domain.orders import OrderState
from execution.domain.reconcile import Correction, CorrectionKind, VenueOrder
from markets.domain.events import Side

SHARE = 1_000_000
UNKNOWN = LiveOrder(1, "m", "yes", Side.BUY, 4800, 20 * SHARE, 20 * SHARE, 0, OrderState.UNKNOWN, "0x1")
CANCELLING = msgspec.structs.replace(UNKNOWN, state=OrderState.CANCELLING)
LISTED = VenueOrder("0x1", "m", "yes", Side.BUY, 4800, 20 * SHARE, 0)


def kinds(corrections: tuple[Correction, ...]) -> list[CorrectionKind]:
    return [correction.kind for correction in corrections]


def test_what_the_venue_lists_is_found_at_the_first_look() -> None:
    assert kinds(Doubts().judge([UNKNOWN], [LISTED], GRACE_NS)) == [CorrectionKind.FOUND]


def test_one_look_that_finds_nothing_proves_nothing() -> None:
    assert Doubts().judge([UNKNOWN], [], GRACE_NS) == ()


def test_an_order_missing_from_two_looks_apart_has_ended() -> None:
    doubts = Doubts()
    doubts.judge([UNKNOWN], [], GRACE_NS)
    assert kinds(doubts.judge([UNKNOWN], [], GRACE_NS + APART_NS)) == [CorrectionKind.NOT_LISTED]


def test_two_looks_close_together_are_one() -> None:
    doubts = Doubts()
    doubts.judge([UNKNOWN], [], GRACE_NS)
    assert doubts.judge([UNKNOWN], [], GRACE_NS + APART_NS - 1) == ()


def test_a_look_at_a_young_order_does_not_count() -> None:
    doubts = Doubts()
    assert doubts.judge([UNKNOWN], [], GRACE_NS - 1) == ()
    assert doubts.judge([UNKNOWN], [], GRACE_NS - 1 + APART_NS) == ()


def test_an_order_seen_in_between_starts_again() -> None:
    doubts = Doubts()
    doubts.judge([CANCELLING], [], GRACE_NS)
    doubts.judge([CANCELLING], [LISTED], GRACE_NS + APART_NS)
    assert doubts.judge([CANCELLING], [], GRACE_NS + 2 * APART_NS) == ()


def test_an_order_that_left_doubt_and_came_back_starts_again() -> None:
    doubts = Doubts()
    doubts.judge([UNKNOWN], [], GRACE_NS)
    assert doubts.doubtful([], GRACE_NS) == ()
    assert doubts.judge([UNKNOWN], [], GRACE_NS + APART_NS) == ()


def test_nothing_is_said_of_an_order_without_its_venue_id() -> None:
    nameless = msgspec.structs.replace(UNKNOWN, order_id="")
    doubts = Doubts()
    doubts.judge([nameless], [], GRACE_NS)
    assert doubts.judge([nameless], [], GRACE_NS + APART_NS) == ()


def test_missed_fills_of_a_doubtful_order_are_reported() -> None:
    traded = msgspec.structs.replace(LISTED, matched=SHARE)
    assert kinds(Doubts().judge([CANCELLING], [traded], GRACE_NS)) == [CorrectionKind.FILLS_MISSED]


def test_other_orders_at_the_venue_are_not_its_business() -> None:
    other = msgspec.structs.replace(LISTED, order_id="0x2")
    assert kinds(Doubts().judge([UNKNOWN], [LISTED, other], GRACE_NS)) == [CorrectionKind.FOUND]


@pytest.mark.parametrize("state", [OrderState.LIVE, OrderState.PLANNED, OrderState.DELAYED])
def test_orders_that_were_answered_or_not_sent_are_not_in_doubt(state: OrderState) -> None:
    assert Doubts().doubtful([msgspec.structs.replace(UNKNOWN, state=state)], GRACE_NS) == ()


def test_a_cancel_is_in_doubt_once_it_has_been_out_for_long() -> None:
    doubts = Doubts()
    assert doubts.doubtful([CANCELLING], 100) == ()
    assert doubts.doubtful([CANCELLING], 99 + CANCEL_GRACE_NS) == ()
    assert doubts.doubtful([CANCELLING], 100 + CANCEL_GRACE_NS) == (CANCELLING,)


def test_found_is_an_acceptance_missing_twice_is_a_cancel_the_rest_is_for_a_person() -> None:
    accepted = outcome(Correction(CorrectionKind.FOUND, 1, "0x1", ""), 7)
    assert isinstance(accepted, Accepted)
    assert (accepted.client_order_id, accepted.order_id, accepted.at_ns) == (1, "0x1", 7)
    assert outcome(Correction(CorrectionKind.NOT_LISTED, 1, "0x1", ""), 7) == Cancelled(
        1, "not at the venue: looked twice", 7
    )
    assert outcome(Correction(CorrectionKind.FILLS_MISSED, 1, "0x1", ""), 7) is None


def test_the_journal_names_orders_that_never_told_their_id() -> None:
    nameless = msgspec.structs.replace(UNKNOWN, order_id="")
    assert with_ids([nameless], {1: "0x1"}) == (UNKNOWN,)
    assert with_ids([UNKNOWN], {1: "0x9"}) == (UNKNOWN,)
    assert with_ids([nameless], {}) == (nameless,)
