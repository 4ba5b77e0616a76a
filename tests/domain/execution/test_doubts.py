import msgspec
import pytest

from execution.domain.blotter import LiveOrder
from execution.domain.commands import Accepted, Cancelled
from execution.domain.doubts import (
    APART_NS,
    CANCEL_GRACE_NS,
    GRACE_NS,
    RESEND_FROM_NS,
    RESEND_UNTIL_NS,
    Doubts,
    Look,
    outcome,
    with_ids,
)
from execution.domain.orders import OrderState
from execution.domain.reconcile import Correction, CorrectionKind, VenueOrder
from markets.domain.events import Side

SHARE = 1_000_000
UNKNOWN = LiveOrder(1, "m", "yes", Side.BUY, 4800, 20 * SHARE, 20 * SHARE, 0, OrderState.UNKNOWN, "0x1")
CANCELLING = msgspec.structs.replace(UNKNOWN, state=OrderState.CANCELLING)
LISTED = VenueOrder("0x1", "m", "yes", Side.BUY, 4800, 20 * SHARE, 0)


def kinds(corrections: tuple[Correction, ...]) -> list[CorrectionKind]:
    return [correction.kind for correction in corrections]


def seen(asked_ns: int, *listed: VenueOrder, missing: set[str] | None = None) -> Look:
    return Look(asked_ns, listed, None if missing is None else frozenset(missing))


def test_what_the_venue_lists_is_found_at_the_first_look() -> None:
    assert kinds(Doubts().judge([UNKNOWN], seen(GRACE_NS, LISTED))) == [CorrectionKind.FOUND]


def test_one_look_that_finds_nothing_proves_nothing() -> None:
    assert Doubts().judge([UNKNOWN], seen(GRACE_NS)) == ()


def test_an_order_missing_from_two_looks_apart_has_ended() -> None:
    doubts = Doubts()
    doubts.judge([UNKNOWN], seen(GRACE_NS))
    assert kinds(doubts.judge([UNKNOWN], seen(GRACE_NS + APART_NS))) == [CorrectionKind.NOT_LISTED]


def test_two_looks_close_together_are_one() -> None:
    doubts = Doubts()
    doubts.judge([UNKNOWN], seen(GRACE_NS))
    assert doubts.judge([UNKNOWN], seen(GRACE_NS + APART_NS - 1)) == ()


def test_a_look_at_a_young_order_does_not_count() -> None:
    doubts = Doubts()
    assert doubts.judge([UNKNOWN], seen(GRACE_NS - 1)) == ()
    assert doubts.judge([UNKNOWN], seen(GRACE_NS - 1 + APART_NS)) == ()


def test_an_order_seen_in_between_starts_again() -> None:
    doubts = Doubts()
    doubts.judge([CANCELLING], seen(GRACE_NS))
    doubts.judge([CANCELLING], seen(GRACE_NS + APART_NS, LISTED))
    assert doubts.judge([CANCELLING], seen(GRACE_NS + 2 * APART_NS)) == ()


def test_an_order_that_left_doubt_and_came_back_starts_again() -> None:
    doubts = Doubts()
    doubts.judge([UNKNOWN], seen(GRACE_NS))
    assert doubts.doubtful([], GRACE_NS) == ()
    assert doubts.judge([UNKNOWN], seen(GRACE_NS + APART_NS)) == ()


def test_nothing_is_said_of_an_order_without_its_venue_id() -> None:
    nameless = msgspec.structs.replace(UNKNOWN, order_id="")
    doubts = Doubts()
    doubts.judge([nameless], seen(GRACE_NS))
    assert doubts.judge([nameless], seen(GRACE_NS + APART_NS)) == ()


def test_missed_fills_of_a_doubtful_order_are_reported() -> None:
    traded = msgspec.structs.replace(LISTED, matched=SHARE)
    assert kinds(Doubts().judge([CANCELLING], seen(GRACE_NS, traded))) == [CorrectionKind.FILLS_MISSED]


def test_other_orders_at_the_venue_are_not_its_business() -> None:
    other = msgspec.structs.replace(LISTED, order_id="0x2")
    assert kinds(Doubts().judge([UNKNOWN], seen(GRACE_NS, LISTED, other))) == [CorrectionKind.FOUND]


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


# A venue that can be asked for one order by its id


def test_what_is_not_listed_but_known_by_its_id_is_no_longer_looked_for_in_vain() -> None:
    doubts = Doubts()
    doubts.judge([UNKNOWN], seen(GRACE_NS, missing=set()))
    assert doubts.judge([UNKNOWN], seen(GRACE_NS + APART_NS, missing=set())) == ()


def test_what_is_neither_listed_nor_known_twice_has_ended() -> None:
    doubts = Doubts()
    doubts.judge([UNKNOWN], seen(GRACE_NS, missing={"0x1"}))
    proved = doubts.judge([UNKNOWN], seen(GRACE_NS + APART_NS, missing={"0x1"}))
    assert kinds(proved) == [CorrectionKind.NOT_LISTED]


def test_an_order_that_rests_here_and_was_reported_missing_is_looked_for() -> None:
    live = msgspec.structs.replace(UNKNOWN, state=OrderState.LIVE)
    doubts = Doubts()
    doubts.report(["0x1"])
    assert doubts.doubtful([live], GRACE_NS) == (live,)
    assert doubts.judge([live], seen(GRACE_NS, missing={"0x1"})) == ()
    assert kinds(doubts.judge([live], seen(GRACE_NS + APART_NS, missing={"0x1"}))) == [CorrectionKind.NOT_LISTED]


def test_a_reported_order_that_the_next_look_knows_is_in_doubt_no_more() -> None:
    live = msgspec.structs.replace(UNKNOWN, state=OrderState.LIVE)
    doubts = Doubts()
    doubts.report(["0x1"])
    assert doubts.judge([live], seen(GRACE_NS, LISTED, missing=set())) == ()
    assert doubts.doubtful([live], GRACE_NS) == ()


def test_what_the_venue_does_not_know_is_said_once_more_and_only_once() -> None:
    doubts, look = Doubts(), seen(RESEND_FROM_NS, missing={"0x1"})
    assert doubts.again([UNKNOWN], look, RESEND_FROM_NS) == (1,)
    assert doubts.again([UNKNOWN], seen(RESEND_FROM_NS + 1, missing={"0x1"}), RESEND_FROM_NS + 1) == ()


@pytest.mark.parametrize(
    ("changes", "look", "now_ns"),
    [
        ({}, seen(RESEND_FROM_NS, missing=set()), RESEND_FROM_NS),
        ({}, seen(RESEND_FROM_NS), RESEND_FROM_NS),
        ({}, seen(RESEND_FROM_NS - 1, missing={"0x1"}), RESEND_FROM_NS),
        ({}, seen(RESEND_FROM_NS, missing={"0x1"}), RESEND_UNTIL_NS + 1),
        ({"cancel_asked": True}, seen(RESEND_FROM_NS, missing={"0x1"}), RESEND_FROM_NS),
        ({"state": OrderState.CANCELLING}, seen(RESEND_FROM_NS, missing={"0x1"}), RESEND_FROM_NS),
        ({"state": OrderState.LIVE}, seen(RESEND_FROM_NS, missing={"0x1"}), RESEND_FROM_NS),
    ],
    ids=["known there", "only listed", "too early", "too late", "wanted back", "being cancelled", "answered"],
)
def test_nothing_else_is_ever_said_again(changes: dict[str, object], look: Look, now_ns: int) -> None:
    order = msgspec.structs.replace(UNKNOWN, **changes)
    assert Doubts().again([order], look, now_ns) == ()
