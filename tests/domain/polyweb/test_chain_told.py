"""What the chain tells the trader: effects are booked once, contradictions are counted, claims bind inventory."""

import msgspec

from execution.domain.chain import ChainRecord, ChainState, ChainTold, ChainVerb, ChainWork, chain_work
from polyweb.runtime.inbox import Begin, read, spell
from polyweb.runtime.trader import Trader
from strategies.domain.intents import ChainStep
from tests.builders import CONFIG, PUSD, SHARES, START, a_control, a_market

MARKET = a_market()


def split(shares: int = 10) -> ChainWork:
    step = ChainStep(ChainVerb.SPLIT, (MARKET.condition_id,), shares * SHARES)
    return chain_work("plan", 0, step, MARKET.event_id, [MARKET], 0, START)


def merge(shares: int = 10) -> ChainWork:
    step = ChainStep(ChainVerb.MERGE, (MARKET.condition_id,), shares * SHARES)
    return chain_work("plan", 1, step, MARKET.event_id, [MARKET], 0, START)


def confirmed(work: ChainWork) -> ChainTold:
    return ChainTold(work.job_id, ChainState.CONFIRMED, START + 1, booked=work.effects)


def a_trader() -> Trader:
    trader = Trader(CONFIG)
    trader.apply(a_control([MARKET]))
    return trader


def test_a_confirmed_split_is_in_the_books() -> None:
    trader, work = a_trader(), split()
    trader.chain.plan(work)
    trader.apply(confirmed(work))
    assert trader.ledger.cash == 990 * PUSD
    assert trader.ledger.positions == {MARKET.yes: 10 * SHARES, MARKET.no: 10 * SHARES}
    assert trader.chain.open == []


def test_a_confirmation_said_twice_is_booked_once() -> None:
    trader, work = a_trader(), split()
    trader.chain.plan(work)
    trader.apply(confirmed(work))
    trader.apply(confirmed(work))
    assert trader.ledger.cash == 990 * PUSD


def test_what_moved_is_believed_after_a_failure_was_told() -> None:
    trader, work = a_trader(), split()
    trader.chain.plan(work)
    trader.apply(ChainTold(work.job_id, ChainState.FAILED, START))
    trader.apply(confirmed(work))
    assert trader.ledger.cash == 990 * PUSD


def test_a_contradiction_is_counted_and_changes_nothing() -> None:
    trader, work = a_trader(), split()
    trader.chain.plan(work)
    trader.apply(confirmed(work))
    trader.apply(ChainTold(work.job_id, ChainState.FAILED, START + 2))
    assert trader.counters.contradictions == 1
    assert trader.ledger.cash == 990 * PUSD


def test_shares_an_open_merge_may_take_are_not_for_sale() -> None:
    trader, work = a_trader(), split()
    trader.apply(confirmed(work))
    trader.chain.plan(merge(4))
    assert trader.inventory(MARKET).yes_sellable == 6 * SHARES


def test_a_session_recording_spells_what_the_chain_told() -> None:
    said = confirmed(split())
    begin = Begin(START, CONFIG, (), (), chain=(ChainRecord(split(), ChainState.UNKNOWN, "t"),))
    assert [read(spell(item)) for item in (said, begin)] == [said, begin]
    assert msgspec.json.decode(msgspec.json.encode(split()), type=ChainWork) == split()
