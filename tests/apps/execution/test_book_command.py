"""`manage.py book`: what an operator books, with a reason, and what is refused before a row is written."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from execution import selectors
from execution.domain.ledger import Ledger
from execution.domain.postings import PostingKind
from execution.models import Posting
from tests.execution_builders import CONDITION, YES
from tests.execution_rows import market_row

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

SHARES = ("--market", CONDITION, "--outcome", "YES", "--shares", "40", "--price", "0.42")


def book(*words: str) -> str:
    out = StringIO()
    call_command("book", *words, "--reason", "bought by hand", stdout=out)
    return out.getvalue()


def ledger() -> Ledger:
    made = Ledger(0)
    made.restore([], selectors.postings("fake"))
    return made


def test_an_adopted_position_is_capital_at_the_stated_price() -> None:
    market_row()
    assert "adopted position" in book("adopt", *SHARES)
    made = ledger()
    assert (made.holding(YES).shares, made.holding(YES).cost, made.capital) == (40_000_000, 16_800_000, 16_800_000)
    assert Posting.objects.filter(asset_id=YES).get().reason == "40 YES at 0.42: operator: bought by hand"


def test_cash_moved_in_or_out_is_capital() -> None:
    book("transfer", "--cash", "250")
    book("transfer", "--cash", "-50.5")
    assert (ledger().cash, ledger().capital) == (199_500_000, 199_500_000)


def test_an_adjustment_shows_as_one_and_not_as_profit() -> None:
    market_row()
    book("adjust", "--cash", "-3")
    book("adjust", *SHARES)
    pnl = ledger().pnl({YES: 4_200})
    assert (pnl.adjustments, pnl.realised, pnl.unrealised) == (13_800_000, 0, 0)


def test_what_the_venue_paid_is_income_of_its_market_or_of_the_account() -> None:
    market_row()
    book("rebate", "--cash", "1.25", "--market", CONDITION)
    book("reward", "--cash", "3")
    made = ledger()
    assert (made.pnl({}, CONDITION).rebates, made.pnl({}).rewards, made.capital) == (1_250_000, 3_000_000, 0)


def test_as_json_the_row_can_be_found_again() -> None:
    told = json.loads(book("transfer", "--cash", "1", "--json"))
    assert (told["kind"], told["relayer"]) == (PostingKind.TRANSFER.value, "fake")
    assert Posting.objects.get().posting_id == told["posting_id"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("transfer",), "--cash: a transfer is cash alone"),
        (("rebate", "--cash", "-5"), "--cash: a rebate is cash that came in"),
        (("reward",), "--cash: a reward is cash that came in"),
        (("adopt", "--cash", "5"), "--cash: shares are booked at --price"),
        (("adopt", "--shares", "5"), "--market, --outcome, --shares and --price"),
        (("adopt", *SHARES[:5], "0", *SHARES[6:]), "--shares: 0 books nothing"),
        (("adopt", *SHARES[:5], "-4", *SHARES[6:]), "--shares: a position that is adopted is there"),
        (("adjust", *SHARES[:7], "1.2"), "--price"),
        (("adjust", "--market", "nowhere", *SHARES[2:]), "nowhere"),
        (("transfer", "--cash", "0.0000001"), "--cash"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name_and_nothing_is_written(words: tuple[str, ...], said: str) -> None:
    market_row()
    with pytest.raises(CommandError, match=said):
        book(*words)
    assert not Posting.objects.exists()
