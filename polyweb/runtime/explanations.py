"""What explains a difference between our ledger and the venue's balances, as the posting that books it.

Law: values only. What is proved by two looks and has one innocent explanation is booked as that; anything else is for
somebody else to judge.
"""

from collections.abc import Mapping, Sequence

from execution.domain import postings
from execution.domain.drift import CASH, Difference, Subject
from execution.domain.ledger import Ledger
from execution.domain.postings import Posting, PostingKind, PostingLeg
from execution.domain.reconcile import Correction, CorrectionKind
from markets.domain.market import Market
from markets.domain.units import PRICE_ONE, AssetId, ConditionId, Nanos
from polyweb.runtime.payouts import yes_pays

_KINDS = {
    PostingKind.DUST: CorrectionKind.DUST,
    PostingKind.ADOPTED: CorrectionKind.ADOPTED,
    PostingKind.PAYOUT: CorrectionKind.REDEEMED,
}


def dust(
    found: Sequence[Difference], ledger: Ledger, of: Mapping[AssetId, Market], now_ns: Nanos
) -> dict[Subject, Posting]:
    """Less than can be ordered, with nothing under way that would explain it: the venue's figure is taken over."""
    taken: dict[Subject, Posting] = {}
    for number, each in enumerate(found):
        if not (each.dust and each.proved and each.exact):
            continue
        price = max(0, min(PRICE_ONE, ledger.holding(each.subject).average))
        leg = PostingLeg(cash=each.away)
        if each.subject != CASH:
            leg = PostingLeg(each.subject, of[each.subject].condition_id, each.away)
        posting_id = f"dust-{now_ns}-{number}"
        taken[each.subject] = postings.adjusted(posting_id, PostingKind.DUST, leg, price, now_ns, each.describe())
    return taken


def redeemed(
    found: Sequence[Difference],
    winners: Mapping[ConditionId, AssetId],
    of: Mapping[AssetId, Market],
    now_ns: Nanos,
) -> dict[Subject, Posting]:
    """Shares of a resolved market that have gone were redeemed, for what its resolution pays."""
    paid: dict[Subject, Posting] = {}
    for number, each in enumerate(found):
        market = of.get(each.subject)
        if market is None or not each.proved or each.away >= 0 or each.dust:
            continue
        price = yes_pays(market, winners.get(market.condition_id, ""))
        if price is not None:
            posting_id, held = f"redeemed-{now_ns}-{number}", {each.subject: -each.away}
            paid[each.subject] = postings.payout(posting_id, market, held, price, now_ns, each.describe())
    return paid


def named(subject: Subject, of: Mapping[AssetId, Market]) -> str:
    """As people read it: which side of which market."""
    market = of.get(subject)
    if market is None:
        return subject
    return f"{'YES' if subject == market.yes else 'NO'} of {market.condition_id}"


def booked(subject: Subject, posting: Posting) -> Correction:
    """The row of the report that says what was booked."""
    return Correction(_KINDS[posting.kind], 0, subject, posting.reason)
