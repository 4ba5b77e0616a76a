from execution.domain.allowances import (
    CTF,
    PUSD,
    UNLIMITED,
    Goal,
    Kind,
    Row,
    Status,
    complete,
    describe,
    report,
    required,
)
from markets.domain.market import Generation

PUSD_1 = 10**6


def rows(found: int | None, needed: int = 100 * PUSD_1) -> list[Row]:
    approvals = required([Generation.V1])
    return list(report(approvals, {(each.token, each.spender): found for each in approvals}, needed))


def test_each_generation_names_its_contracts() -> None:
    first, second = required([Generation.V1]), required([Generation.V2])
    assert {each.spender_name for each in first if each.goal is Goal.TRADE} == {"CTFExchangeV2", "NegRiskExchangeV2"}
    assert {each.spender_name for each in second} == {"ExchangeV3", "Router"}
    assert (len(first), len(second)) == (8, 4)


def test_cash_and_shares_are_both_needed_for_each_spender() -> None:
    pairs = {(each.kind, each.token) for each in required([Generation.V1])}
    assert pairs == {(Kind.ERC20, PUSD), (Kind.ERC1155, CTF)}


def test_an_unknown_generation_needs_nothing_and_repeats_add_nothing() -> None:
    assert required([Generation.UNKNOWN]) == ()
    assert required([Generation.V1, Generation.V1]) == required([Generation.V1])


def test_unlimited_approvals_are_complete() -> None:
    assert complete(rows(UNLIMITED))
    assert describe(rows(UNLIMITED)[0]) == "pUSD -> CTFExchangeV2 (trade): unlimited, ok"


def test_nothing_approved_is_missing_and_nothing_read_is_unread() -> None:
    assert {row.status for row in rows(0)} == {Status.MISSING}
    assert {row.status for row in rows(None)} == {Status.UNREAD}
    assert {row.status for row in report(required([Generation.V2]), {}, 1)} == {Status.UNREAD}
    assert not complete(rows(None))


def test_a_capped_allowance_is_enough_while_it_covers_the_need() -> None:
    cash = [row for row in rows(100 * PUSD_1) if row.approval.kind is Kind.ERC20]
    assert {row.status for row in cash} == {Status.OK}
    low = [row for row in rows(100 * PUSD_1 - 1) if row.approval.kind is Kind.ERC20]
    assert {row.status for row in low} == {Status.LOW}
    assert describe(low[0]).endswith("99.999999 pUSD, lower than needed")


def test_an_operator_is_approved_or_not() -> None:
    operator = next(row for row in rows(1) if row.approval.kind is Kind.ERC1155)
    assert (operator.status, operator.needed) == (Status.OK, 1)
    assert "approved, ok" in describe(operator)


def test_addresses_match_in_any_letter_case() -> None:
    approvals = required([Generation.V2])
    found = {(each.token.lower(), each.spender.upper().replace("0X", "0x")): UNLIMITED for each in approvals}
    assert complete(report(approvals, found, 1))
