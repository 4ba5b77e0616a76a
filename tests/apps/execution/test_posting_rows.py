"""Postings in the database: written before the ledger is told, read back as they were."""

import pytest

from execution import selectors, services
from execution.domain import postings
from execution.domain.ledger import Ledger
from execution.domain.postings import PostingKind
from execution.models import Posting
from tests.execution_builders import CONDITION, MARKET, NO, NOW, YES
from tests.execution_rows import market_row

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

SHARE = 1_000_000
GIVEN = [
    postings.transfer("opening", 7_000_000, NOW, "paid in"),
    postings.adopted("adopted", MARKET, {YES: 3 * SHARE, NO: SHARE}, {YES: 4_100, NO: 5_000}, NOW, "venue"),
    postings.merge("merge-1", MARKET, 500_001, NOW),
    postings.income("rebate-1", PostingKind.REBATE, 12, NOW, CONDITION),
]


def test_what_was_written_is_read_back_as_it_was() -> None:
    market_row()
    assert services.record_postings(relayer="real", postings=GIVEN) == 4
    assert selectors.postings("real") == GIVEN
    assert selectors.postings("paper") == []


def test_a_ledger_restored_from_rows_is_the_ledger_that_was_told() -> None:
    market_row()
    services.record_postings(relayer="real", postings=GIVEN)
    told, restored = Ledger(0), Ledger(0)
    for posting in GIVEN:
        told.post(posting)
    restored.restore([], selectors.postings("real"))
    assert (told.cash, told.positions, told.pnl({})) == (restored.cash, restored.positions, restored.pnl({}))


def test_a_posting_said_twice_is_written_once() -> None:
    market_row()
    services.record_postings(relayer="real", postings=GIVEN)
    assert services.record_postings(relayer="real", postings=GIVEN) == 0
    assert Posting.objects.filter(posting_id="adopted").count() == 4


def test_a_posting_of_a_market_nobody_stored_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=f"condition_id: {CONDITION} of posting adopted"):
        services.record_postings(relayer="real", postings=GIVEN)
    assert not Posting.objects.exists()
