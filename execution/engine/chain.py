"""The hands for work on chain: one job of the wallet at a time, written before it is sent, followed to its end.

Law: a job is signed under one nonce, and that envelope is all that is ever said again, so it is done once at most. A
lost answer is looked up before anything else is sent; what is proved by nobody stays unknown, and claims what it may.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from uuid import uuid4

import msgspec
import structlog

from execution import metrics
from execution.domain.chain import ENDS, NEVER_SENT, ChainState, ChainTold, ChainVerb, ChainWork
from execution.domain.commands import DRY_RUN
from execution.domain.lease import LeaseLost
from execution.engine.chain_values import Budget, ChainPace, ChainRows, Job, Kept
from execution.engine.values import MustStop, Trouble, micros
from execution.journal import Action, Audit, Journal, JournalUnavailable, Terms
from execution.relayers.base import (
    ChainAnswer,
    ChainLost,
    ChainRefused,
    ChainRelayer,
    Ok,
    Prepared,
    Receipt,
    Unavailable,
)
from markets.domain.market import Market
from markets.domain.units import NANOS_PER_SECOND, ConditionId, Nanos

log = structlog.get_logger(__name__)

# Verbs that put capital at work. Whatever else is asked gets even, and is never too late.
ENTERING = frozenset({ChainVerb.SPLIT, ChainVerb.SPLIT_EVENT})
BLOCKING = frozenset({ChainState.SUBMITTING, ChainState.UNKNOWN, ChainState.SUBMITTED})


class ChainHands:
    """`on_told` feeds the trader's inbox and `on_trouble` opens incidents; neither may block. `objection` is asked of a
    plan id before capital is put at work what stands against it now; "" is nothing.
    """

    def __init__(
        self,
        *,
        relayer: ChainRelayer,
        rows: ChainRows,
        journal: Journal,
        terms: Terms,
        market_of: Callable[[ConditionId], Market | None],
        on_told: Callable[[ChainTold], None],
        on_trouble: Callable[[Trouble], None],
        objection: Callable[[str], str],
        pace: ChainPace | None = None,
        now_ns: Callable[[], Nanos] = time.time_ns,
    ) -> None:
        self._relayer = relayer
        self._rows = rows
        self._row_errors: tuple[type[Exception], ...] = (TimeoutError, *rows.unavailable)
        self._journal = journal
        self._terms = terms
        self._market_of = market_of
        self._on_told = on_told
        self._on_trouble = on_trouble
        self._objection = objection
        self._pace = pace or ChainPace()
        self._now_ns = now_ns
        self._jobs: dict[str, Job] = {}
        self._queue: asyncio.Queue[ChainWork] = asyncio.Queue(self._pace.queue)
        self._budget = Budget(self._pace.submits_a_minute, int(self._pace.minute_s * NANOS_PER_SECOND))
        self._moved = asyncio.Event()
        self._closed = ""

    # Taking work -------------------------------------------------------------------------------------------

    def take(self, work: ChainWork) -> None:
        """Queue a job without blocking; what cannot be queued has failed, and nothing was sent."""
        try:
            self._queue.put_nowait(work)
        except asyncio.QueueFull:
            self._on_told(ChainTold(work.job_id, ChainState.FAILED, self._now_ns(), "not sent: the hands are behind"))

    def restore(self, kept: Sequence[Kept]) -> None:
        """Go on with what an earlier engine left open. Call it before `run`."""
        for each in kept:
            state = ChainState.UNKNOWN if each.state is ChainState.SUBMITTING else each.state
            job = Job(each.work, state, each.prepared, each.transaction_id, each.sent_ns, orphan=True)
            self._jobs[each.work.job_id] = job

    def close(self, reason: str) -> None:
        """Begin nothing more; what is under way is found again at the next start."""
        self._closed = reason

    @property
    def summary(self) -> dict[str, int]:
        """Jobs that have not ended, those of them whose answer was lost, and those that wait for their turn."""
        unknown = sum(job.state is ChainState.UNKNOWN for job in self._jobs.values())
        return {"open": len(self._jobs), "unknown": unknown, "waiting": self._queue.qsize()}

    async def run(self) -> None:
        """Work until cancelled. MustStop comes out in an ExceptionGroup and ends the engine."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._lane(), name="chain lane")
                tasks.create_task(self._watch(), name="chain watch")
        finally:
            await self._relayer.close()

    async def _lane(self) -> None:
        while True:
            while any(job.state in BLOCKING for job in self._jobs.values()):
                self._moved.clear()
                await self._moved.wait()
            await self._begin(await self._queue.get())

    # Beginning ---------------------------------------------------------------------------------------------

    async def _begin(self, work: ChainWork) -> None:
        try:
            async with asyncio.timeout(self._pace.rows_s):
                known = await self._rows.chain_plan(work, self._terms, self._now_ns())
        except self._row_errors as error:
            self._on_trouble(
                Trouble("journal_unavailable", "journal_unavailable:chain", f"No job without a row: {error}")
            )
            self._on_told(ChainTold(work.job_id, ChainState.FAILED, self._now_ns(), f"not sent: no row: {error}"))
            return
        if known is not None:
            self._repeat(known)
            return
        job = self._jobs[work.job_id] = Job(work, ChainState.PLANNED, None, "", 0)
        markets = [market for name in work.condition_ids if (market := self._market_of(name)) is not None]
        why_not = self._why_not(work, markets)
        if why_not:
            await self._tell(job, ChainState.FAILED, f"not sent: {why_not}")
        else:
            await self._send(job, markets)

    def _repeat(self, known: Kept) -> None:
        """The same step again: nothing is sent twice, and who asks hears what became of it."""
        state = known.state
        if state in ENDS:
            booked = known.work.effects if state is ChainState.CONFIRMED else None
            self._on_told(ChainTold(known.work.job_id, state, self._now_ns(), "done before", booked=booked))
        elif known.work.job_id not in self._jobs:
            self.restore([known])

    def _why_not(self, work: ChainWork, markets: Sequence[Market]) -> str:
        if self._closed:
            return self._closed
        if len(markets) != len(work.condition_ids):
            return "a market is not followed any more"
        if work.verb not in ENTERING:
            return ""
        if self._age_s(work.decided_ns) > self._pace.stale_s:
            return f"decided more than {self._pace.stale_s:g} s ago"
        return self._objection(work.plan_id)

    async def _send(self, job: Job, markets: Sequence[Market]) -> None:
        """Until it is taken, refused for good, lost, or the patience for it has run out."""
        began_ns = self._now_ns()
        while True:
            why = await self._attempt(job, markets)
            if not why:
                return
            if self._closed or self._age_s(began_ns) > self._pace.patience_s:
                await self._tell(job, ChainState.FAILED, f"not taken: {self._closed or why}")
                return
            await asyncio.sleep(self._pace.again_s)

    async def _attempt(self, job: Job, markets: Sequence[Market]) -> str:
        """One try; says why another may help, "" when the job has gone on, or has ended."""
        wait_ns = self._budget.wait_ns(self._now_ns())
        if wait_ns > 0:
            return f"the relayer takes {self._pace.submits_a_minute} a minute"
        try:
            prepared = await self._relayer.prepare(job.work, markets)
        except ValueError as error:
            await self._tell(job, ChainState.FAILED, f"not sent: {error}")
            return ""
        if isinstance(prepared, Unavailable):
            return f"the relayer was not reached: {prepared.reason}"
        if self._terms.dry_run:
            await self._audit(job, ChainRefused(DRY_RUN), 0)
            await self._tell(job, ChainState.FAILED, NEVER_SENT)
            return ""
        return await self._submit(job, prepared.value)

    async def _submit(self, job: Job, prepared: Prepared) -> str:
        try:
            async with asyncio.timeout(self._pace.rows_s):
                await self._rows.chain_sending(job.work.job_id, prepared, self._terms, self._now_ns())
        except LeaseLost as lost:
            raise MustStop(str(lost)) from lost
        except self._row_errors as error:
            return f"the row was not written: {error}"
        job.prepared, job.state, job.sent_ns = prepared, ChainState.SUBMITTING, self._now_ns()
        answer = await self._call(job, prepared)
        match answer:
            case Receipt():
                await self._heard(job, answer)
            case ChainLost():
                await self._tell(job, ChainState.UNKNOWN, f"answer lost: {answer.detail}")
            case ChainRefused(again=True):
                return answer.detail
            case ChainRefused():
                await self._tell(job, ChainState.FAILED, f"refused: {answer.detail}")
        return ""

    async def _call(self, job: Job, prepared: Prepared) -> ChainAnswer:
        started = self._now_ns()
        self._budget.sent.append(started)
        try:
            async with asyncio.timeout(self._pace.call_s):
                answer = await self._relayer.submit(job.work, prepared)
        except TimeoutError:
            answer = ChainLost(f"no answer in {self._pace.call_s:g} s")
        await self._audit(job, answer, self._now_ns() - started)
        return answer

    async def _audit(self, job: Job, answer: ChainAnswer, took_ns: Nanos) -> None:
        taken, lost = isinstance(answer, Receipt), isinstance(answer, ChainLost)
        audit = Audit(
            request_id=uuid4().hex,
            action=Action.CHAIN,
            orders=1,
            at_ns=self._now_ns(),
            plan_id=job.work.plan_id,
            accepted=int(taken),
            rejected=int(not taken and not lost),
            unknown=int(lost),
            call_us=micros(took_ns),
            answer=answer.transaction_id if isinstance(answer, Receipt) else answer.detail,
            reason=job.work.job_id[:64],
        )
        try:
            await self._journal.audit(audit, self._terms)
        except JournalUnavailable as error:
            log.error("chain_audit_not_written", job=job.work.job_id, error=str(error))

    # Following ---------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        while True:
            for job in list(self._jobs.values()):
                if job.due_ns <= self._now_ns():
                    await self._look(job)
            await asyncio.sleep(self._pace.look_s)

    async def _look(self, job: Job) -> None:
        before = job.state
        match before:
            case ChainState.PLANNED if job.orphan:
                await self._tell(job, ChainState.FAILED, "never sent: the engine ended before")
            case ChainState.UNKNOWN:
                await self._resolve(job)
            case ChainState.SUBMITTED | ChainState.MINED:
                found = await self._relayer.transaction(job.transaction_id)
                if isinstance(found, Ok):
                    await self._heard(job, found.value)
        if job.state is before:
            job.wait_s = min(max(job.wait_s * 1.5, self._pace.poll_s), self._pace.poll_cap_s)
            self._mind(job)
        else:
            job.wait_s = self._pace.poll_s
        job.due_ns = self._now_ns() + int(job.wait_s * NANOS_PER_SECOND)

    async def _resolve(self, job: Job) -> None:
        """A lost answer: found by its id, said again in the same bytes while it is fresh, or proved never taken."""
        if job.prepared is None:
            await self._tell(job, ChainState.FAILED, "never sent: nothing was signed")
            return
        found = await self._relayer.find(job.work, job.prepared)
        if isinstance(found, Unavailable):
            return
        if isinstance(found.value, Receipt):
            await self._heard(job, found.value)
        elif found.value.spent or self._age_s(job.sent_ns) > self._pace.absent_s:
            what = "its nonce was used by another" if found.value.spent else f"no trace for {self._pace.absent_s:g} s"
            text = f"{job.work.verb.value} {job.work.job_id} was never taken by the relayer: {what}"
            self._on_trouble(Trouble("chain", f"chain:{job.work.job_id}", text))
            await self._tell(job, ChainState.FAILED, f"proved absent: {what}")
        elif not self._closed and not _unwanted(job) and self._age_s(job.sent_ns) < self._pace.resend_s:
            await self._say_again(job, job.prepared)

    async def _say_again(self, job: Job, prepared: Prepared) -> None:
        """Only an acceptance is told: a copy that is refused or lost says nothing about the job itself."""
        if self._budget.wait_ns(self._now_ns()) > 0:
            return
        answer = await self._call(job, prepared)
        if isinstance(answer, Receipt):
            await self._heard(job, answer)

    async def _heard(self, job: Job, receipt: Receipt) -> None:
        job.transaction_id = receipt.transaction_id
        if receipt.state is not job.state:
            await self._tell(job, receipt.state, receipt.detail, receipt.transaction_hash)

    async def _tell(self, job: Job, state: ChainState, detail: str, transaction_hash: str = "") -> None:
        """Written first, however long that takes, with what it changed; then the trader hears."""
        booked, now_ns = None, self._now_ns()
        if state is ChainState.CONFIRMED:
            booked = msgspec.structs.replace(job.work.effects, at_ns=now_ns)
            await self._relayer.settle(job.work)
        told = ChainTold(job.work.job_id, state, now_ns, detail, job.transaction_id, transaction_hash, booked)
        while True:
            try:
                await self._rows.chain_told(told)
                break
            except self._rows.unavailable as error:
                log.warning("chain_waits_for_row", job=job.work.job_id, state=state.value, error=str(error))
                await asyncio.sleep(self._pace.again_s)
        log.info("chain_job", job=job.work.job_id, verb=job.work.verb.value, state=state.value, detail=detail)
        metrics.CHAIN_JOBS.labels(self._terms.relayer, job.work.verb.value, state.value).inc()
        job.state = state
        if state in ENDS:
            self._jobs.pop(job.work.job_id, None)
        metrics.CHAIN_OPEN.labels(self._terms.relayer).set(len(self._jobs))
        self._moved.set()
        self._on_told(told)

    def _mind(self, job: Job) -> None:
        """A job that does not end is for somebody to look at, once."""
        if job.told_late or job.state in ENDS or self._age_s(job.work.decided_ns) < self._pace.late_s:
            return
        job.told_late = True
        text = f"{job.work.verb.value} {job.work.job_id} is {job.state.value} since {self._pace.late_s:g} s"
        self._on_trouble(Trouble("chain", f"chain:{job.work.job_id}", f"{text}: look at the relayer"))

    def _age_s(self, since_ns: Nanos) -> float:
        return (self._now_ns() - since_ns) / NANOS_PER_SECOND


def _unwanted(job: Job) -> bool:
    """Whether the engine that wanted to put capital at work is gone: it is looked for, and not said again."""
    return job.orphan and job.work.verb in ENTERING
