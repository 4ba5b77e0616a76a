"""The bytes of lost orders: kept for those nobody answered for, handed out once, and only while they are young."""

from execution.domain.commands import Accepted, Ack, Unknown
from execution.domain.doubts import RESEND_UNTIL_NS
from execution.engine.copies import Copies
from execution.relayers.base import Submission
from tests.execution_builders import NOW, order

BATCH = [Submission(order(number), f"0x{number}", b"signed") for number in (1, 2)]


def kept() -> Copies:
    copies = Copies()
    copies.keep(BATCH, [Unknown(1, "lost", NOW), Accepted(2, "0x2", Ack.LIVE, NOW)], NOW, NOW)
    return copies


def test_only_what_nobody_answered_for_is_kept_and_handed_out_once_as_it_was() -> None:
    copies = kept()
    assert copies.take([1, 2], NOW) == [BATCH[0]]
    assert copies.take([1, 2], NOW) == []


def test_what_is_too_old_is_not_handed_out() -> None:
    assert kept().take([1], NOW + RESEND_UNTIL_NS) == [BATCH[0]]
    assert kept().take([1], NOW + RESEND_UNTIL_NS + 1) == []
