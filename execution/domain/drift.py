"""Our ledger against the venue's balances: what differs, since when, and whether anything explains it.

Law: balances are late and trades are under way, so one difference proves nothing. Drift is what lies outside everything
that may rightly be shown, on the same side, in looks some time apart. What is less than an order can be is dust.
"""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import msgspec

from execution.domain.between import Between
from execution.domain.ledger import Ledger
from execution.domain.reconcile import Correction, CorrectionKind
from markets.domain.market import SIZE_STEP
from markets.domain.units import (
    CASH_ONE,
    NANOS_PER_SECOND,
    AssetId,
    Cash,
    Nanos,
    Size,
    cash_to_decimal,
    size_text,
)

# A balance may show a settlement, a merge or a payout so much later.
LAG_NS: Nanos = 60 * NANOS_PER_SECOND
# Two looks closer together than this are one.
APART_NS: Nanos = 20 * NANOS_PER_SECOND
SHARE_DUST: Size = SIZE_STEP
CASH_DUST: Cash = CASH_ONE // 100

CASH = "cash"
Subject: TypeAlias = str  # a token, or CASH


class Difference(msgspec.Struct, frozen=True, gc=False):
    """How far the venue's figure lies outside what it may rightly be.

    `away` is signed, the least seen since `since_ns`. `shown` is the venue's figure, `expected` ours, as last seen.
    """

    subject: Subject
    away: int
    shown: int
    expected: Between
    since_ns: Nanos
    seen_ns: Nanos

    @property
    def exact(self) -> bool:
        """Nothing was under way that could explain any of it."""
        return self.expected.low == self.expected.high

    @property
    def proved(self) -> bool:
        return self.seen_ns - self.since_ns >= APART_NS

    @property
    def dust(self) -> bool:
        return abs(self.away) < (CASH_DUST if self.subject == CASH else SHARE_DUST)

    def correction(self) -> Correction:
        kind = CorrectionKind.CASH_DRIFT if self.subject == CASH else CorrectionKind.POSITION_DRIFT
        return Correction(CorrectionKind.DUST if self.dust else kind, 0, self.subject, self.describe())

    def describe(self) -> str:
        here = self._figure(self.expected.low)
        if not self.exact:
            here = f"{here} to {self._figure(self.expected.high)}"
        return f"{self._figure(self.shown)} there, {here} here"

    def _figure(self, figure: int) -> str:
        if self.subject == CASH:
            return f"{cash_to_decimal(figure)} pUSD"
        return f"-{size_text(-figure)}" if figure < 0 else size_text(figure)


class DriftWatch:
    """Remembers differences from look to look."""

    def __init__(self) -> None:
        self._seen: dict[Subject, Difference] = {}

    @property
    def pending(self) -> bool:
        """Something differs: the next look should not wait for its turn."""
        return bool(self._seen)

    def look(
        self, ledger: Ledger, cash: Cash, shares: Mapping[AssetId, Size], assets: Iterable[AssetId], now_ns: Nanos
    ) -> tuple[Difference, ...]:
        """Compare the balances of `assets` (those left out of `shares` are 0) and of cash; returns all that differs."""
        since_ns = now_ns - LAG_NS
        figures = {CASH: (cash, ledger.cash_there(since_ns))}
        figures |= {asset: (shares.get(asset, 0), ledger.shares_there(asset, since_ns)) for asset in assets}
        found: list[Difference] = []
        for subject, (shown, expected) in figures.items():
            away = expected.away(shown)
            if not away:
                self._seen.pop(subject, None)
                continue
            found.append(self._differs(subject, away, shown, expected, now_ns))
            self._seen[subject] = found[-1]
        return tuple(found)

    def _differs(self, subject: Subject, away: int, shown: int, expected: Between, now_ns: Nanos) -> Difference:
        before = self._seen.get(subject)
        if before is None or before.away * away < 0:
            return Difference(subject, away, shown, expected, now_ns, now_ns)
        least = min(away, before.away, key=abs)
        return Difference(subject, least, shown, expected, before.since_ns, now_ns)

    def forget(self, subject: Subject) -> None:
        """It has been explained."""
        self._seen.pop(subject, None)
