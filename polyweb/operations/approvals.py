"""What the wallet must have approved to trade, as a report.

Law: read and report, never a transaction. What could not be read is "unread", never "missing".
"""

from dataclasses import dataclass
from decimal import Decimal

from execution import services
from execution.domain import allowances
from execution.domain.allowances import Row, Status
from execution.models import AllowanceReport
from markets.domain.market import Generation
from markets.domain.units import cash_from_decimal
from markets.models import Market

NO_CHAIN = {
    "fake": "the fake relayer has no wallet on a chain: nothing needs to be approved",
    "paper": "the paper relayer has no wallet on a chain: nothing needs to be approved",
    "real": "the real wallet is not read from here: the engine asks the venue before it trades",
}


@dataclass(frozen=True, slots=True)
class Reported:
    """`reason` says why nothing was read; the rows are what a real wallet would need."""

    report: AllowanceReport
    rows: tuple[Row, ...]
    reason: str


def report_allowances(*, relayer: str, needed: Decimal) -> Reported:
    """`needed` is the cash in pUSD that orders may move."""
    approvals = allowances.required(_generations())
    rows = allowances.report(approvals, {}, cash_from_decimal(needed, "needed"))
    missing = sum(row.status in (Status.MISSING, Status.LOW) for row in rows)
    report = services.record_allowances(
        wallet="", available=False, rows=[_values(row) for row in rows], missing=missing
    )
    return Reported(report, rows, NO_CHAIN[relayer])


def _generations() -> list[Generation]:
    """Those of the markets that trade; all of them while none does."""
    traded = Market.objects.filter(trading=True, closed=False).values_list("generation", flat=True)
    found = [Generation(word) for word in sorted(set(traded)) if word]
    return found or [Generation.V1, Generation.V2]


def _values(row: Row) -> dict[str, str | int | None]:
    approval = row.approval
    return {
        "kind": approval.kind.value,
        "token": approval.token,
        "token_name": approval.token_name,
        "spender": approval.spender,
        "spender_name": approval.spender_name,
        "goal": approval.goal.value,
        "found": row.found,
        "needed": row.needed,
        "status": row.status.value,
        "text": allowances.describe(row),
    }
