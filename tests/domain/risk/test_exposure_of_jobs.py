"""Jobs on chain in the exposure book: done or not, whichever is worse, whatever else stands there."""

from collections.abc import Iterable, Sequence
from itertools import chain, combinations
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from markets.domain.events import Side
from markets.domain.market import Market
from markets.domain.units import CASH_ONE, PRICE_ONE, SIZE_ONE
from risk.domain.exposure import ExposureBook
from risk.domain.payoff import ProposedOrder, Shift

SHARES, PUSD = SIZE_ONE, CASH_ONE


def question(name: str, set_size: int = 3) -> Market:
    return Market(name, "ev", name, f"{name}-yes", f"{name}-no", neg_risk=True, set_size=set_size)


BOTH_OF_A = {"a": Shift(100 * SHARES, 100 * SHARES, 50 * PUSD, 50 * PUSD)}


def three() -> ExposureBook:
    return ExposureBook([question(name) for name in "abc"])


def test_a_split_under_way_loses_nothing_but_ties_its_cash_up() -> None:
    book = three()
    book.set_job("split", BOTH_OF_A)
    assert (book.worst_event("ev"), book.worst_market("a"), book.total().notional) == (0, 0, 100 * PUSD)
    assert book.sums("a").market.shares == 200 * SHARES
    book.set_job("split", {})
    assert (book.total().notional, book.total().shares) == (0, 0)


def test_a_conversion_counts_as_done_or_not_whichever_is_worse() -> None:
    book = three()
    book.set_position("a", 0, 100 * SHARES, 0, 60 * PUSD)
    assert book.worst_event("ev") == 60 * PUSD
    taken = {"a": Shift(no=-100 * SHARES, no_cost=-60 * PUSD)}
    brought = {name: Shift(yes=100 * SHARES, yes_cost=40 * PUSD) for name in "bc"}
    book.set_job("convert", taken | brought)
    assert book.worst_event("ev") == 80 * PUSD  # NO of a and YES of b and c lose together, never both at once
    assert book.worst_market("b") == 40 * PUSD


def test_a_job_survives_a_new_list_of_markets_and_ends_after_it() -> None:
    book = three()
    book.set_job("split", BOTH_OF_A)
    book.set_markets([])
    book.set_markets([question(name) for name in "abc"])
    assert book.total().notional == 100 * PUSD
    book.set_job("split", {})
    assert book.total().notional == 0


def test_what_is_supposed_leaves_no_trace() -> None:
    book = three()
    book.set_position("a", 10 * SHARES, 0, 4 * PUSD, 0)
    book.set_order(1, "a", True, Side.SELL, 5000, 10 * SHARES)
    before = (book.worst_total(), book.total().notional, book.total().shares)
    sale = ProposedOrder("a", True, Side.SELL, 9000, 100 * SHARES)
    after = book.outlook("ev", [sale], BOTH_OF_A)
    assert after.event > 0
    assert after.growth[0].yes_shares == 100 * SHARES
    assert (book.worst_total(), book.total().notional, book.total().shares) == before


def test_a_sale_of_half_a_pair_that_is_split_first_may_lose_what_the_other_half_cost() -> None:
    book = three()
    sale = ProposedOrder("a", True, Side.SELL, 9000, 100 * SHARES)
    assert book.outlook("ev", [sale], BOTH_OF_A).event == 50 * PUSD
    assert book.outlook("ev", [sale]).event == 10 * PUSD  # naked, it only counts what it may have to pay


# Against every subset under every outcome ------------------------------------------------------------------

AMOUNTS = st.integers(-200, 200).map(lambda shares: shares * SHARES)
COSTS = st.integers(-100, 100).map(lambda cash: cash * PUSD)
SHIFTS = st.builds(Shift, AMOUNTS, AMOUNTS, COSTS, COSTS)
JOBS = st.dictionaries(st.sampled_from("abc"), SHIFTS, min_size=1)
POSITIONS = st.fixed_dictionaries({name: st.tuples(AMOUNTS, AMOUNTS, COSTS, COSTS) for name in "abc"})
BUYS = st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.integers(1, 99), st.integers(1, 100)), max_size=2)


@given(POSITIONS, st.lists(JOBS, max_size=3), BUYS, st.sampled_from([3, 4]))
def test_the_worst_case_is_the_worst_of_every_subset_of_jobs_and_fills_under_every_outcome(
    held: dict[str, tuple[int, int, int, int]],
    jobs: list[dict[str, Shift]],
    buys: list[tuple[str, bool, int, int]],
    set_size: int,
) -> None:
    book = ExposureBook([question(name, set_size) for name in "abc"])
    for name, (yes, no, yes_cost, no_cost) in held.items():
        book.set_position(name, yes, no, yes_cost, no_cost)
    for number, (name, is_yes, cents, shares) in enumerate(buys):
        book.set_order(number, name, is_yes, Side.BUY, cents * 100, shares * SHARES)
    for number, job in enumerate(jobs):
        book.set_job(str(number), job)
    outcomes = ["a", "b", "c"] if set_size == 3 else ["a", "b", "c", "none of them"]
    worst = 0
    for done in subsets(jobs):
        for filled in subsets(buys):
            for winner in outcomes:
                worst = max(worst, -profit(held, done, filled, winner))
    assert book.worst_event("ev") == worst
    for number in range(len(jobs)):
        book.set_job(str(number), {})
    alone = ExposureBook([question(name, set_size) for name in "abc"])
    for name, (yes, no, yes_cost, no_cost) in held.items():
        alone.set_position(name, yes, no, yes_cost, no_cost)
    for number, (name, is_yes, cents, shares) in enumerate(buys):
        alone.set_order(number, name, is_yes, Side.BUY, cents * 100, shares * SHARES)
    assert (book.worst_total(), book.total().notional) == (alone.worst_total(), alone.total().notional)


T = TypeVar("T")
Held = dict[str, tuple[int, int, int, int]]
Buy = tuple[str, bool, int, int]


def subsets(things: Sequence[T]) -> Iterable[tuple[T, ...]]:
    return chain.from_iterable(combinations(things, size) for size in range(len(things) + 1))


def profit(held: Held, done: tuple[dict[str, Shift], ...], filled: tuple[Buy, ...], winner: str) -> int:
    total = 0
    moves: list[tuple[str, tuple[int, int, int, int]]] = [*held.items()]
    moves += [each for job in done for each in job.items()]
    for name, (yes, no, yes_cost, no_cost) in moves:
        total += (yes if name == winner else no) - yes_cost - no_cost
    for name, is_yes, cents, shares in filled:
        pays = shares * SHARES if (name == winner) is is_yes else 0
        total += pays - cents * 100 * shares * SHARES // PRICE_ONE
    return total
