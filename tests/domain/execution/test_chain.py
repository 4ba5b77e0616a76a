"""Work on chain as values: what each verb changes, which moves a job can make, and what open jobs claim."""

from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.domain import chain
from execution.domain.chain import ENDS, MOVES, ChainRecord, ChainState, ChainTold, ChainVerb, IllegalChainMove
from execution.domain.chain_book import ChainBook
from execution.domain.ledger import Ledger
from execution.domain.postings import Posting, PostingKind
from markets.domain.market import Generation, Market
from markets.domain.units import AssetId, Cash, Size
from strategies.domain.intents import ChainStep

SHARE = 1_000_000


def an_event(count: int, generation: Generation = Generation.V1) -> list[Market]:
    return [
        Market(f"m{at}", "e", f"Number {at}?", f"yes{at}", f"no{at}", generation, neg_risk=True) for at in range(count)
    ]


def step(verb: ChainVerb, names: Sequence[int], size: Size = 10 * SHARE) -> ChainStep:
    return ChainStep(verb, tuple(f"m{at}" for at in names), size)


def changes(posting: Posting) -> dict[AssetId, int]:
    """Shares that come in per asset, and cash as ""."""
    total: dict[AssetId, int] = {"": sum(leg.cash for leg in posting.legs)}
    for leg in posting.legs:
        if leg.shares:
            total[leg.asset] = total.get(leg.asset, 0) + leg.shares
    return total


def test_a_split_takes_a_pusd_for_each_pair() -> None:
    made = chain.effects("j", step(ChainVerb.SPLIT, [1]), an_event(3), 0, 1)
    assert changes(made) == {"": -10 * SHARE, "yes1": 10 * SHARE, "no1": 10 * SHARE}
    assert made.kind is PostingKind.SPLIT


def test_a_merge_undoes_a_split_to_the_last_unit() -> None:
    split = chain.effects("s", step(ChainVerb.SPLIT, [0], 3_000_001), an_event(1), 0, 1)
    merge = chain.effects("m", step(ChainVerb.MERGE, [0], 3_000_001), an_event(1), 0, 2)
    ledger = Ledger(10 * SHARE)
    ledger.post(split)
    ledger.post(merge)
    assert (ledger.cash, ledger.positions, ledger.pnl({}).total) == (10 * SHARE, {}, 0)


def test_converting_every_no_pays_all_but_one_less_the_fee() -> None:
    made = chain.effects("j", step(ChainVerb.CONVERT, [0, 1, 2]), an_event(3), 50, 1)
    assert changes(made) == {
        "": 2 * 9_950_000, "no0": -10 * SHARE, "no1": -10 * SHARE, "no2": -10 * SHARE,
    }  # fmt: skip


def test_converting_one_no_gives_a_yes_of_every_other_less_the_fee() -> None:
    made = chain.effects("j", step(ChainVerb.CONVERT, [1]), an_event(4), 100, 1)
    assert changes(made) == {
        "": 0, "no1": -10 * SHARE, "yes0": 9_900_000, "yes2": 9_900_000, "yes3": 9_900_000,
    }  # fmt: skip


def test_the_fee_of_a_conversion_is_a_fee_in_the_books() -> None:
    ledger = Ledger(0)
    ledger.post(chain.effects("j", step(ChainVerb.CONVERT, [0, 1, 2]), an_event(3), 50, 1))
    assert ledger.pnl({}).fees == 2 * 50_000


def test_v2_splits_an_event_into_one_yes_of_every_question() -> None:
    made = chain.effects("j", step(ChainVerb.SPLIT_EVENT, [0, 1, 2]), an_event(3, Generation.V2), 70, 1)
    assert changes(made) == {"": -10 * SHARE, "yes0": 10 * SHARE, "yes1": 10 * SHARE, "yes2": 10 * SHARE}


def test_v2_converts_the_no_of_the_first_named_without_fee() -> None:
    made = chain.effects("j", step(ChainVerb.CONVERT_ONE, [1, 0, 2]), an_event(3, Generation.V2), 70, 1)
    assert changes(made) == {"": 0, "no1": -10 * SHARE, "yes0": 10 * SHARE, "yes2": 10 * SHARE}


@given(
    count=st.integers(2, 12),
    chosen=st.sets(st.integers(0, 11), min_size=1),
    size=st.integers(1, 10**12),
    fee_bps=st.integers(0, 1000),
)
def test_a_conversion_agrees_with_the_adapters_own_arithmetic(
    count: int, chosen: set[int], size: Size, fee_bps: int
) -> None:
    names = sorted(at % count for at in chosen)
    unique = sorted(set(names))
    made = changes(chain.effects("j", step(ChainVerb.CONVERT, unique, size), an_event(count), fee_bps, 1))
    out = size - size * fee_bps // 10_000
    assert made[""] == (len(unique) - 1) * out
    for at in range(count):
        assert made.get(f"no{at}", 0) == (-size if at in unique else 0)
        assert made.get(f"yes{at}", 0) == (0 if at in unique else out)


@given(count=st.integers(2, 9), at=st.integers(0, 8), size=st.integers(1, 10**12))
def test_splitting_and_converting_without_fee_earns_and_costs_nothing(count: int, at: int, size: Size) -> None:
    members, at = an_event(count), at % count
    ledger = Ledger(size)
    ledger.post(chain.effects("s", step(ChainVerb.SPLIT, [at], size), members, 0, 1))
    ledger.post(chain.effects("c", step(ChainVerb.CONVERT, [at], size), members, 0, 2))
    assert ledger.cash == 0
    assert ledger.positions == {market.yes: size for market in members}
    worth: Cash = sum(ledger.holding(market.yes).cost for market in members)
    assert worth - ledger.pnl({}).realised == size


@pytest.mark.parametrize(
    ("given_step", "members", "said"),
    [
        (step(ChainVerb.SPLIT, [0], 0), an_event(1), "size: 0"),
        (step(ChainVerb.SPLIT, [7]), an_event(1), "condition_ids: m7"),
        (step(ChainVerb.SPLIT, [0, 1]), an_event(2), "of one market, not of 2"),
        (step(ChainVerb.CONVERT, [0]), an_event(3, Generation.V2), "takes markets of protocol v1"),
        (step(ChainVerb.CONVERT, [0]), an_event(1), "neg-risk event"),
        (step(ChainVerb.SPLIT_EVENT, [0]), an_event(2, Generation.V2), "split whole"),
        (step(ChainVerb.CONVERT_ONE, [0]), an_event(2), "takes markets of protocol v2"),
        (step(ChainVerb.MERGE, []), an_event(1), "condition_ids: none"),
    ],
)
def test_what_the_chain_cannot_do_is_refused_by_name(given_step: ChainStep, members: list[Market], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        chain.effects("j", given_step, members, 0, 1)


def test_every_move_is_in_the_table_or_refused() -> None:
    for before, after in product(ChainState, ChainState):
        if after is before or after in MOVES[before]:
            assert chain.moved(before, after) is after
        else:
            with pytest.raises(IllegalChainMove):
                chain.moved(before, after)


def test_nothing_leaves_an_end_but_proof_that_it_moved_after_all() -> None:
    assert {after for end in ENDS for after in MOVES[end]} == {ChainState.CONFIRMED}


def work(plan: str = "p", number: int = 0, verb: ChainVerb = ChainVerb.SPLIT) -> chain.ChainWork:
    return chain.chain_work(plan, number, step(verb, [0]), "e", an_event(3), 0, 1)


def told(state: ChainState, transaction: str = "", plan: str = "p") -> ChainTold:
    return ChainTold(f"{plan}-0", state, 2, transaction_id=transaction)


def test_a_job_is_planned_once() -> None:
    book = ChainBook()
    assert book.plan(work())
    assert not book.plan(work())


def test_open_jobs_claim_what_they_may_take_until_they_end() -> None:
    book = ChainBook()
    book.plan(work())
    book.plan(work("q", verb=ChainVerb.MERGE))
    assert (book.cash_claimed, book.claimed("yes0"), book.claimed("no0")) == (10 * SHARE, 10 * SHARE, 10 * SHARE)
    book.apply(told(ChainState.UNKNOWN))
    assert book.cash_claimed == 10 * SHARE
    book.apply(told(ChainState.FAILED))
    assert (book.cash_claimed, book.claimed("yes0")) == (0, 10 * SHARE)


def test_a_word_said_twice_changes_nothing() -> None:
    book = ChainBook()
    book.plan(work())
    assert book.apply(told(ChainState.SUBMITTED, "t1")) is not None
    assert book.apply(told(ChainState.SUBMITTED, "t1")) is None
    assert book.apply(told(ChainState.SUBMITTED)) is None


def test_a_job_nobody_planned_is_no_news() -> None:
    assert ChainBook().apply(told(ChainState.CONFIRMED)) is None


def test_an_illegal_word_leaves_the_job_as_it_was() -> None:
    book = ChainBook()
    book.plan(work())
    book.apply(told(ChainState.CONFIRMED))
    with pytest.raises(IllegalChainMove):
        book.apply(told(ChainState.SUBMITTED))
    found = book.job("p-0")
    assert found is not None
    assert found.state is ChainState.CONFIRMED


def test_a_restart_takes_open_jobs_up_again() -> None:
    book = ChainBook()
    book.restore([ChainRecord(work(), ChainState.UNKNOWN, "t1")])
    assert [record.transaction_id for record in book.open] == ["t1"]
    assert not book.plan(work())
    assert book.cash_claimed == 10 * SHARE
