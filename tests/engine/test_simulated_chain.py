"""The chain of venues inside the engine: time ends a job, the simulated account must cover it, a repeat is one job."""

from execution.domain.chain import ChainState, ChainVerb, ChainWork, chain_work
from execution.domain.ledger import Ledger
from execution.relayers.base import Absent, Ok, Prepared, Receipt
from execution.relayers.chain_simulated import SimulatedChain
from markets.domain.units import CASH_ONE
from strategies.domain.intents import ChainStep
from tests.builders import SECOND, SHARES, START, a_market

MARKET = a_market()


class Clock:
    now_ns = START

    def __call__(self) -> int:
        return self.now_ns


def work(verb: ChainVerb = ChainVerb.SPLIT, number: int = 0) -> ChainWork:
    step = ChainStep(verb, (MARKET.condition_id,), 10 * SHARES)
    return chain_work("plan", number, step, MARKET.event_id, [MARKET], 0, START)


async def sent(chain: SimulatedChain, job: ChainWork) -> Prepared:
    prepared = await chain.prepare(job, [MARKET])
    assert isinstance(prepared, Ok)
    answer = await chain.submit(job, prepared.value)
    assert isinstance(answer, Receipt)
    return prepared.value


async def state(chain: SimulatedChain, job: ChainWork) -> ChainState:
    found = await chain.transaction(job.job_id)
    assert isinstance(found, Ok)
    return found.value.state


async def test_a_job_is_mined_after_a_second_and_confirmed_after_two() -> None:
    clock, ledger = Clock(), Ledger(100 * CASH_ONE)
    chain, job = SimulatedChain(clock, ledger), work()
    await sent(chain, job)
    seen = []
    for after_ns in (0, SECOND, 2 * SECOND):
        clock.now_ns = START + after_ns
        seen.append((await state(chain, job), ledger.cash // CASH_ONE))
    assert seen == [(ChainState.SUBMITTED, 100), (ChainState.MINED, 90), (ChainState.CONFIRMED, 90)]
    assert ledger.positions == {MARKET.yes: 10 * SHARES, MARKET.no: 10 * SHARES}


async def test_what_the_account_does_not_hold_reverts() -> None:
    clock, ledger = Clock(), Ledger(100 * CASH_ONE)
    chain, job = SimulatedChain(clock, ledger), work(ChainVerb.MERGE)
    await sent(chain, job)
    clock.now_ns += 5 * SECOND
    assert await state(chain, job) is ChainState.FAILED
    assert (ledger.cash, ledger.positions) == (100 * CASH_ONE, {})


async def test_without_an_account_every_job_is_done() -> None:
    clock = Clock()
    chain, job = SimulatedChain(clock), work(ChainVerb.MERGE)
    await sent(chain, job)
    clock.now_ns += 5 * SECOND
    assert await state(chain, job) is ChainState.CONFIRMED


async def test_the_same_job_said_again_is_one_job() -> None:
    clock, ledger = Clock(), Ledger(100 * CASH_ONE)
    chain, job = SimulatedChain(clock, ledger), work()
    for _ in range(2):
        await sent(chain, job)
    clock.now_ns += 5 * SECOND
    await state(chain, job)
    assert ledger.cash == 90 * CASH_ONE


async def test_what_an_earlier_engine_asked_for_died_with_its_venue() -> None:
    chain, job = SimulatedChain(Clock()), work()
    assert await chain.find(job, Prepared("0", b"")) == Ok(Absent(spent=True))
    assert await state(chain, job) is ChainState.FAILED
