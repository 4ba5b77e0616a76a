"""What the wallet must have approved to trade, as a report.

Law: read and report, never a transaction. What could not be read is "unread", never "missing".
"""

from dataclasses import dataclass
from decimal import Decimal

from execution import services
from execution.domain import allowances
from execution.domain.allowances import PUSD, SHARES_TOKENS, Row, Status
from execution.models import AllowanceReport
from markets.domain.market import Generation
from markets.domain.units import cash_from_decimal
from markets.models import Market
from polyweb.env import Env
from polyweb.operations import account

NO_CHAIN = {
    "fake": "the fake relayer has no wallet on a chain: nothing needs to be approved",
    "paper": "the paper relayer has no wallet on a chain: nothing needs to be approved",
}


@dataclass(frozen=True, slots=True)
class Reported:
    """`reason` says why nothing was read; the rows are what a real wallet would need."""

    report: AllowanceReport
    rows: tuple[Row, ...]
    reason: str
    has_wallet: bool

    @property
    def well(self) -> bool:
        """Nothing is known to be missing, and a wallet there is was read."""
        return not self.report.missing and (self.report.available or not self.has_wallet)


def report_allowances(env: Env, *, needed: Decimal) -> Reported:
    """`needed` is the cash in pUSD that orders may move. The venue tells what it knows of; the rest stays unread."""
    generations = _generations()
    wallet, reason = "", NO_CHAIN.get(env.relayer, "")
    found: dict[tuple[str, str], int | None] = {}
    if not reason:
        try:
            wallet, found = _read(account.allowances(env, generations))
        except account.AccountUnread as error:
            reason = f"the {env.relayer} relayer's wallet could not be read: {error}"
    rows = allowances.report(allowances.required(generations), found, cash_from_decimal(needed, "needed"))
    missing = sum(row.status in (Status.MISSING, Status.LOW) for row in rows)
    values = [_values(row) for row in rows]
    report = services.record_allowances(wallet=wallet, available=not reason, rows=values, missing=missing)
    return Reported(report, rows, reason, has_wallet=env.relayer not in NO_CHAIN)


def _read(allowed: account.Allowed) -> tuple[str, dict[tuple[str, str], int | None]]:
    """By token and spender, as the report wants it."""
    found: dict[tuple[str, str], int | None] = {(PUSD, spender): sum_ for spender, sum_ in allowed.cash.items()}
    for generation, spenders in allowed.shares.items():
        token = SHARES_TOKENS[generation][0]
        found |= {(token, spender): int(sum_ > 0) for spender, sum_ in spenders.items()}
    return allowed.wallet, found


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
