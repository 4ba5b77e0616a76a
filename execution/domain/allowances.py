"""Which approvals a wallet needs to trade, and what it has: a report, never a transaction.

Law: what was not read is "unread", never "missing" and never "enough". For a plain wallet (EOA) on Polygon; other
wallet kinds approve through their own contracts. Source: the venue's contract list and the approvals its own SDK
sets, as of 2026-11.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from markets.domain.market import Generation
from markets.domain.units import Cash

CHAIN_ID = 137
PUSD = "0xC011a7E12a19f7B1f670d46F03B03f3342E82DFB"
CTF = "0x4D97DCd97eC945f40cF65F87097ACe5EA0476045"
POSITION_MANAGER = "0x006F54F7f9A22e0000CC2AB60031000000ae9fEF"
# A wallet that approved "everything" holds this or, having spent since, a little less.
UNLIMITED = 2**256 - 1
_PRACTICALLY_UNLIMITED = 2**255


class Kind(StrEnum):
    ERC20 = "ERC-20 allowance"
    ERC1155 = "ERC-1155 operator"


class Goal(StrEnum):
    TRADE = "trade"
    SPLIT_AND_MERGE = "split, merge, redeem"


class Status(StrEnum):
    OK = "ok"
    LOW = "lower than needed"
    MISSING = "missing"
    UNREAD = "could not be read"


@dataclass(frozen=True, slots=True)
class Approval:
    """`token` lets `spender` move it."""

    kind: Kind
    token: str
    token_name: str
    spender: str
    spender_name: str
    goal: Goal


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report. `found` in token units (1e-6 pUSD), 1 for an approved operator, None when unread."""

    approval: Approval
    found: int | None
    needed: Cash
    status: Status


_SPENDERS: Mapping[Generation, tuple[tuple[str, str, Goal], ...]] = {
    Generation.V1: (
        ("0xE111180000d2663C0091e4f400237545B87B996B", "CTFExchangeV2", Goal.TRADE),
        ("0xe2222d279d744050d28e00520010520000310F59", "NegRiskExchangeV2", Goal.TRADE),
        ("0xAdA100Db00Ca00073811820692005400218FcE1f", "CtfCollateralAdapter", Goal.SPLIT_AND_MERGE),
        ("0xadA2005600Dec949baf300f4C6120000bDB6eAab", "NegRiskCtfCollateralAdapter", Goal.SPLIT_AND_MERGE),
    ),
    Generation.V2: (
        ("0xe3333700cA9d93003F00f0F71f8515005F6c00Aa", "ExchangeV3", Goal.TRADE),
        ("0x12121212006e4CD160D18e3f00711DA5c3372600", "Router", Goal.SPLIT_AND_MERGE),
    ),
}
SHARES_TOKENS: Mapping[Generation, tuple[str, str]] = {
    Generation.V1: (CTF, "ConditionalTokens"),
    Generation.V2: (POSITION_MANAGER, "PositionManager"),
}

Found: TypeAlias = Mapping[tuple[str, str], int | None]


def required(generations: Iterable[Generation]) -> tuple[Approval, ...]:
    """Approvals for trading markets of these generations; an unknown generation is never traded and needs none."""
    rows: list[Approval] = []
    for generation in dict.fromkeys(generations):
        for spender, name, goal in _SPENDERS.get(generation, ()):
            token, token_name = SHARES_TOKENS[generation]
            rows.append(Approval(Kind.ERC20, PUSD, "pUSD", spender, name, goal))
            rows.append(Approval(Kind.ERC1155, token, token_name, spender, name, goal))
    return tuple(rows)


def report(approvals: Iterable[Approval], found: Found, needed: Cash) -> tuple[Row, ...]:
    """Judge what was read, keyed by (token, spender) in any letter case; `needed` is the cash an order may move.

    A capped allowance is enough while it covers `needed`; the venue's own pages would show it as missing.
    """
    read = {(token.lower(), spender.lower()): value for (token, spender), value in found.items()}
    return tuple(_row(each, read.get((each.token.lower(), each.spender.lower())), needed) for each in approvals)


def _row(approval: Approval, found: int | None, needed: Cash) -> Row:
    wanted = needed if approval.kind is Kind.ERC20 else 1
    if found is None:
        status = Status.UNREAD
    elif found <= 0:
        status = Status.MISSING
    elif found < wanted:
        status = Status.LOW
    else:
        status = Status.OK
    return Row(approval, found, wanted, status)


def complete(rows: Iterable[Row]) -> bool:
    return all(row.status is Status.OK for row in rows)


def describe(row: Row) -> str:
    """The row as people read it: pUSD with its decimals, "unlimited" for what cannot be used up."""
    if row.found is None:
        found = "unread"
    elif row.approval.kind is Kind.ERC1155:
        found = "approved" if row.found else "not approved"
    elif row.found >= _PRACTICALLY_UNLIMITED:
        found = "unlimited"
    else:
        found = f"{row.found // 10**6}.{row.found % 10**6:06d} pUSD"
    return f"{row.approval.token_name} -> {row.approval.spender_name} ({row.approval.goal}): {found}, {row.status}"
