"""The hands for work on chain: written before sent, done once, found again after every loss, followed to the end."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from execution.domain.chain import ChainState, ChainVerb, ChainWork, chain_work
from execution.engine import MustStop
from execution.journal import Terms
from execution.relayers.base import (
    Absent,
    ChainAnswer,
    ChainLost,
    ChainRefused,
    Ok,
    Prepared,
    Receipt,
    Unavailable,
)
from execution.relayers.chain_simulated import SimulatedChain
from markets.domain.market import Generation, Market
from strategies.domain.intents import ChainStep
from tests.builders import a_market
from tests.chain_builders import AtChain, at_chain, booked
from tests.chain_desk import ChainDesk, now

SUBMITTING, SUBMITTED, UNKNOWN = ChainState.SUBMITTING, ChainState.SUBMITTED, ChainState.UNKNOWN
MINED, CONFIRMED, FAILED = ChainState.MINED, ChainState.CONFIRMED, ChainState.FAILED
SPLIT, MERGE = ChainVerb.SPLIT, ChainVerb.MERGE


@asynccontextmanager
async def at_sandbox() -> AsyncIterator[tuple[AtChain, ChainDesk, list[Market]]]:
    async with at_chain() as at:
        members = at.event(Generation.V1, neg_risk=False)
        desk = ChainDesk(at.relayer, members)
        desk.now_ns = time.time_ns
        yield at, desk, members


def wanted(at: AtChain, members: list[Market], verb: ChainVerb = SPLIT, size: int = 10) -> ChainWork:
    return now(at.work(verb, members, members, size), time.time_ns())


async def test_a_job_is_written_sent_followed_and_its_effects_are_told_with_the_last_word() -> None:
    async with at_sandbox() as (at, desk, members), desk.at_work() as hands:
        work = wanted(at, members)
        hands.take(work)
        told = await desk.until(CONFIRMED)
        assert desk.states(work)[:2] == [SUBMITTING, SUBMITTED]
        assert (told.booked is not None and told.booked.legs, bool(told.transaction_hash)) == (work.effects.legs, True)
        assert [each.booked for each in desk.told if each.state is not CONFIRMED] == [None] * (len(desk.told) - 1)
        assert at.owned() == booked(work)


async def test_jobs_of_a_wallet_go_one_after_the_other() -> None:
    async with at_sandbox() as (at, desk, members), desk.at_work() as hands:
        works = [wanted(at, members), wanted(at, members, MERGE, 4), wanted(at, members)]
        for work in works:
            hands.take(work)
        await desk.until(CONFIRMED, works[-1].job_id)
        assert at.owned() == booked(*works)
        assert [each for each in desk.told if each.state is FAILED] == []


async def test_the_same_step_again_sends_nothing_and_hears_what_became_of_it() -> None:
    async with at_sandbox() as (at, desk, members), desk.at_work() as hands:
        work = wanted(at, members)
        hands.take(work)
        await desk.until(CONFIRMED)
        hands.take(work)
        async with asyncio.timeout(5):
            while len([each for each in desk.told if each.state is CONFIRMED]) < 2:  # noqa: ASYNC110 - tasks between us
                await asyncio.sleep(0.01)
        assert at.owned() == booked(work)
        assert len(at.sandbox.chain.transactions) == 1


@pytest.mark.parametrize("fault", ["drop_answer", "error_after", "lose_request", "timed_out"])
async def test_whatever_is_lost_on_the_way_the_job_is_done_once(fault: str) -> None:
    async with at_sandbox() as (at, desk, members), desk.at_work() as hands:
        await at.fault(kind=fault, on="POST /submit", count=1)
        work = wanted(at, members)
        hands.take(work)
        await desk.until(UNKNOWN)
        await desk.until(CONFIRMED)
        assert at.owned() == booked(work)
        assert len(at.sandbox.chain.transactions) == 1


async def test_an_engine_killed_between_submit_and_answer_finds_the_job_again() -> None:
    async with at_sandbox() as (at, desk, members):
        await at.fault(kind="delay_answer", on="POST /submit", seconds=30, count=1)
        work = wanted(at, members)
        async with desk.at_work() as hands:
            hands.take(work)
            async with asyncio.timeout(5):
                while not at.sandbox.chain.transactions:  # noqa: ASYNC110 - a socket is between us
                    await asyncio.sleep(0.01)
        assert desk.rows.jobs[work.job_id].state is SUBMITTING
        async with desk.at_work():
            await desk.until(CONFIRMED)
        assert at.owned() == booked(work)
        assert len(at.sandbox.chain.transactions) == 1


async def test_an_engine_killed_while_a_transaction_is_under_way_polls_it_by_its_id() -> None:
    async with at_sandbox() as (at, desk, members):
        work = wanted(at, members)
        async with desk.at_work() as hands:
            hands.take(work)
            await desk.until(SUBMITTED)
        async with desk.at_work():
            await desk.until(CONFIRMED)
        assert at.owned() == booked(work)


async def test_a_job_written_but_never_sent_has_failed_at_the_next_start() -> None:
    async with at_sandbox() as (at, desk, members):
        work = wanted(at, members)
        await desk.rows.chain_plan(work, Terms("real", False, 1), 1)
        async with desk.at_work():
            assert "never sent" in (await desk.until(FAILED)).detail
        assert at.sandbox.chain.transactions == {}


async def test_what_reverts_has_failed_with_the_relayer_s_words() -> None:
    async with at_sandbox() as (at, desk, members), desk.at_work() as hands:
        hands.take(wanted(at, members, MERGE))
        assert "exceeds balance" in (await desk.until(FAILED)).detail


async def test_a_dry_run_signs_and_sends_nothing() -> None:
    async with at_sandbox() as (at, desk, members), desk.at_work(terms=Terms("real", True, 1)) as hands:
        hands.take(wanted(at, members))
        assert (await desk.until(FAILED)).detail == "dry run: signed, never sent"
        assert at.sandbox.chain.transactions == {}


async def test_nothing_is_sent_without_a_row_and_the_operator_hears() -> None:
    async with at_sandbox() as (at, desk, members), desk.at_work() as hands:
        desk.rows.away = 1
        hands.take(wanted(at, members))
        await desk.until(FAILED)
        assert at.sandbox.chain.transactions == {}
        assert [trouble.kind for trouble in desk.troubles] == ["journal_unavailable"]


async def test_what_happened_waits_for_its_row_before_the_trader_hears() -> None:
    async with at_sandbox() as (at, desk, members), desk.at_work() as hands:
        work = wanted(at, members)
        hands.take(work)
        await desk.until(SUBMITTED)
        desk.rows.away = 3
        await desk.until(CONFIRMED)
        assert (desk.rows.away, desk.rows.jobs[work.job_id].state) == (0, CONFIRMED)


async def test_capital_is_not_put_at_work_late_or_against_an_objection_but_getting_even_is_never_too_late() -> None:
    async with at_sandbox() as (at, desk, members), desk.at_work() as hands:
        early = wanted(at, members)
        hands.take(early)
        await desk.until(CONFIRMED)
        late = now(wanted(at, members), time.time_ns() - 20 * 10**9)
        hands.take(late)
        assert "ago" in (await desk.until(FAILED, late.job_id)).detail
        desk.stands_against["plan"] = "its rules changed"
        spoilt = wanted(at, members)
        hands.take(spoilt)
        assert "its rules changed" in (await desk.until(FAILED, spoilt.job_id)).detail
        merge = now(at.work(MERGE, members, members), time.time_ns() - 20 * 10**9)
        hands.take(merge)
        await desk.until(CONFIRMED, merge.job_id)
        assert at.owned() == booked()


async def test_an_engine_that_stops_begins_nothing_more() -> None:
    async with at_sandbox() as (at, desk, members), desk.at_work() as hands:
        hands.close("engine stopping")
        hands.take(wanted(at, members))
        assert "engine stopping" in (await desk.until(FAILED)).detail


async def test_a_predecessor_that_lost_its_lease_sends_nothing() -> None:
    async with at_sandbox() as (at, desk, members):
        desk.rows.newest_token = 2
        work = wanted(at, members)
        hands = desk.hands = desk._hands({})
        hands.take(work)
        with pytest.raises(ExceptionGroup) as ended:
            await hands.run()
        assert ended.group_contains(MustStop)
        assert at.sandbox.chain.transactions == {}


# Told by a script


class Scripted(SimulatedChain):
    """Answers as it is told, and then as the simulated chain does."""

    def __init__(self, answers: Sequence[ChainAnswer] = (), found: Sequence[Receipt | Absent] = ()) -> None:
        super().__init__(time.time_ns)
        self.answers = list(answers)
        self.found = list(found)
        self.bodies: list[bytes] = []
        self.reachable = True
        self.confirmed: list[str] = []

    async def prepare(self, work: ChainWork, markets: Sequence[Market]) -> Ok[Prepared] | Unavailable:
        return Ok(Prepared(str(len(self.bodies)), b"signed")) if self.reachable else Unavailable("nobody there")

    async def submit(self, work: ChainWork, prepared: Prepared) -> ChainAnswer:
        self.bodies.append(prepared.body)
        return self.answers.pop(0) if self.answers else Receipt("t1", SUBMITTED)

    async def transaction(self, transaction_id: str) -> Ok[Receipt] | Unavailable:
        return Ok(Receipt(transaction_id, CONFIRMED, "0xabc"))

    async def find(self, work: ChainWork, prepared: Prepared) -> Ok[Receipt | Absent] | Unavailable:
        return Ok(self.found.pop(0)) if self.found else Ok(Absent(spent=False))

    async def settle(self, work: ChainWork) -> None:
        self.confirmed.append(work.job_id)


def at_script(relayer: Scripted) -> tuple[ChainDesk, ChainWork]:
    market = a_market()
    desk = ChainDesk(relayer, [market])
    desk.now_ns = time.time_ns
    step = ChainStep(SPLIT, (market.condition_id,), 10_000_000)
    return desk, chain_work("plan", 0, step, market.event_id, [market], 0, time.time_ns())


async def test_a_relayer_that_is_busy_is_asked_again_and_one_that_refuses_is_not() -> None:
    relayer = Scripted([ChainRefused("wallet busy", again=True), ChainRefused("invalid signature")])
    desk, work = at_script(relayer)
    async with desk.at_work() as hands:
        hands.take(work)
        assert (await desk.until(FAILED)).detail == "refused: invalid signature"
        assert len(relayer.bodies) == 2


async def test_patience_with_a_relayer_that_is_not_there_ends() -> None:
    relayer = Scripted()
    relayer.reachable = False
    desk, work = at_script(relayer)
    async with desk.at_work(pace={"patience_s": 0.2}) as hands:
        hands.take(work)
        assert "nobody there" in (await desk.until(FAILED)).detail


async def test_a_nonce_that_another_used_proves_that_ours_never_will() -> None:
    relayer = Scripted([ChainLost("cut off")], [Absent(spent=True)])
    desk, work = at_script(relayer)
    async with desk.at_work() as hands:
        hands.take(work)
        assert "nonce" in (await desk.until(FAILED)).detail
        assert [trouble.key for trouble in desk.troubles] == ["chain:plan-0"]


async def test_a_job_without_a_trace_for_long_enough_is_proved_absent_and_somebody_is_told() -> None:
    relayer = Scripted([ChainLost("cut off")] * 100)
    desk, work = at_script(relayer)
    async with desk.at_work(pace={"absent_s": 0.3, "resend_s": 0.1}) as hands:
        hands.take(work)
        assert "no trace" in (await desk.until(FAILED)).detail
        assert set(relayer.bodies) == {b"signed"}
        assert len(desk.troubles) == 1


async def test_a_split_that_an_earlier_engine_lost_is_looked_for_and_not_said_again() -> None:
    relayer = Scripted([ChainLost("cut off")] * 100, [Absent(spent=False)] * 100)
    desk, work = at_script(relayer)
    async with desk.at_work(pace={"resend_s": 0.0}) as hands:
        hands.take(work)
        await desk.until(UNKNOWN)
    said = len(relayer.bodies)
    async with desk.at_work(pace={"absent_s": 0.5}):
        assert "no trace" in (await desk.until(FAILED)).detail
    assert len(relayer.bodies) == said == 1


async def test_a_copy_that_is_refused_says_nothing_about_the_job() -> None:
    relayer = Scripted([ChainLost("cut off"), ChainRefused("nonce")], [Absent(spent=False), Receipt("t9", MINED)])
    desk, work = at_script(relayer)
    async with desk.at_work() as hands:
        hands.take(work)
        told = await desk.until(CONFIRMED)
        assert (told.transaction_id, told.transaction_hash) == ("t9", "0xabc")
        assert FAILED not in desk.states(work)


async def test_no_more_is_submitted_in_a_minute_than_the_relayer_takes() -> None:
    relayer = Scripted([ChainRefused("busy", again=True)] * 50)
    desk, work = at_script(relayer)
    async with desk.at_work(pace={"submits_a_minute": 3, "again_s": 0.01, "patience_s": 0.5}) as hands:
        hands.take(work)
        assert "3 a minute" in (await desk.until(FAILED)).detail
        assert len(relayer.bodies) == 3


async def test_balances_are_asked_for_before_the_trader_may_sell_what_was_split() -> None:
    relayer = Scripted()
    desk, work = at_script(relayer)
    async with desk.at_work() as hands:
        hands.take(work)
        await desk.until(CONFIRMED)
        assert relayer.confirmed == [work.job_id]


async def test_a_job_that_does_not_end_is_told_once() -> None:
    relayer = Scripted([ChainLost("cut off")] * 100)
    desk, work = at_script(relayer)
    async with desk.at_work(pace={"late_s": 0.1}) as hands:
        hands.take(work)
        async with asyncio.timeout(5):
            while not desk.troubles:  # noqa: ASYNC110 - tasks are between us
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert len(desk.troubles) == 1


async def test_a_market_nobody_follows_is_not_worked_on() -> None:
    desk, work = at_script(Scripted())
    desk.markets.clear()
    async with desk.at_work() as hands:
        hands.take(work)
        assert "not followed" in (await desk.until(FAILED)).detail


async def test_every_request_leaves_an_audit() -> None:
    relayer = Scripted([ChainRefused("busy", again=True), ChainLost("cut off")], [Receipt("t1", CONFIRMED)])
    desk, work = at_script(relayer)
    async with desk.at_work() as hands:
        hands.take(work)
        await desk.until(CONFIRMED)
    audits = [(each.action.value, each.accepted, each.rejected, each.unknown) for each in desk.journal.audits]
    assert audits == [("chain", 0, 1, 0), ("chain", 0, 0, 1)]
