"""The hands: carry out what the trader decided. Sign, write down, send, and tell what came of it.

Law: no order leaves before its row is committed, none is ever signed twice, and while the engine lives every order of
a command gets an answer: Accepted, Rejected (proof that nothing rests) or Unknown.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import msgspec

from execution import metrics
from execution.domain.commands import (
    DRY_RUN,
    Accepted,
    Cancel,
    CancelFailed,
    CancelReason,
    ClientOrderId,
    NewOrder,
    Outcome,
    Place,
    Rejected,
    Unknown,
)
from execution.domain.lease import LeaseLost
from execution.domain.urgency import urgency
from execution.engine.copies import Copies
from execution.engine.lane import Lane
from execution.engine.report import Report
from execution.engine.values import MustStop, NotSent, Pace, Stages, Trouble, micros, timed
from execution.journal import Action, AlreadyPlanned, Journal, JournalUnavailable, Terms
from execution.relayers.base import Relayer, Submission
from execution.signing import OrderToSign, Signer, StaleFence
from markets.domain.market import Generation, Market
from markets.domain.units import NANOS_PER_MILLI, NANOS_PER_SECOND, ConditionId, Nanos

BATCH = 15  # the venue takes no more orders in one request
_MILLIS_PER_SECOND = 1_000

Command: TypeAlias = Place | Cancel


def _none_met(_: Place) -> str:
    return ""


def _no_objection(_: str) -> str:
    """Nobody looks."""
    return ""


class Hands:
    """Takes commands without blocking, carries them out in lanes: cancels never wait behind places.

    `on_outcome` feeds the trader's inbox, `on_trouble` opens incidents; both are called in the event loop and must
    not block. `rehearsal` is the generation to sign for where a market's own is not known: only for relayers that
    send nothing to the venue. Leave it UNKNOWN elsewhere and such an order is refused. `objection` is asked of a
    plan id, last of all before it is sent, what has turned up against it since it was decided; "" is nothing.
    `self_trade` is asked before signing which order of ours a plan would meet, `gate_ns` how long a plan was judged.
    """

    def __init__(
        self,
        *,
        signer: Signer,
        journal: Journal,
        relayer: Relayer,
        terms: Terms,
        market_of: Callable[[ConditionId], Market | None],
        on_outcome: Callable[[Outcome], None],
        on_trouble: Callable[[Trouble], None],
        pace: Pace | None = None,
        rehearsal: Generation = Generation.UNKNOWN,
        objection: Callable[[str], str] = _no_objection,
        self_trade: Callable[[Place], str] = _none_met,
        gate_ns: Callable[[str], Nanos] = lambda _: 0,
        now_ns: Callable[[], Nanos] = time.time_ns,
    ) -> None:
        self._signer = signer
        self._journal = journal
        self._relayer = relayer
        self._terms = terms
        self._market_of = market_of
        self._pace = pace or Pace()
        self._rehearsal = rehearsal
        self._objection = objection
        self._self_trade = self_trade
        self._gate_ns = gate_ns
        self._now_ns = now_ns
        self._places: Lane[Place] = Lane(self._pace.queue)
        self._cancels: Lane[Cancel] = Lane(self._pace.queue)
        self._closed = ""
        self._copies = Copies()
        self._report = Report(
            journal=journal,
            terms=terms,
            pace=self._pace,
            on_outcome=on_outcome,
            on_trouble=on_trouble,
            now_ns=now_ns,
        )

    # Taking commands ---------------------------------------------------------------------------------------

    def take(self, command: Command) -> None:
        """Queue a command. A full queue answers at once: an order that was not queued was not sent."""
        if isinstance(command, Place) and self._closed:
            self._report.refuse(command.orders, NotSent("engine_stopping", self._closed))
            return
        try:
            if isinstance(command, Place):
                self._places.put(command)
                metrics.QUEUED.labels("place").set(len(self._places))
            else:
                self._cancels.put(command)
                metrics.QUEUED.labels("cancel").set(len(self._cancels))
        except asyncio.QueueFull:
            self._overflow(command)

    def _overflow(self, command: Command) -> None:
        lane = type(command).__name__.lower()
        self._report.trouble("hands_overloaded", lane, f"{self._pace.queue} {lane} commands wait; one was turned away")
        if isinstance(command, Place):
            self._report.refuse(command.orders, NotSent("queue_full", "the hands are behind"))
            return
        for order_id in command.order_ids:
            self._report.deliver(CancelFailed(order_id, "not sent: the hands are behind", self._now_ns()))

    async def run(self) -> None:
        """Work until cancelled. MustStop comes out in an ExceptionGroup and ends the engine."""
        async with asyncio.TaskGroup() as lanes:
            lanes.create_task(self._report.run(), name="hands audits")
            for number in range(self._pace.place_lanes):
                lanes.create_task(self._work(self._places, "place"), name=f"hands place {number}")
            for number in range(self._pace.cancel_lanes):
                lanes.create_task(self._work(self._cancels, "cancel"), name=f"hands cancel {number}")

    async def _work(self, queue: Lane[Place] | Lane[Cancel], lane: str) -> None:
        while True:
            command = await queue.get()
            metrics.QUEUED.labels(lane).set(len(queue))
            try:
                await self.carry_out(command)
            finally:
                queue.done()

    async def drain(self, timeout_s: float) -> bool:
        """Wait until everything taken is carried out; False when that took too long."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._places.join()
                await self._cancels.join()
        except TimeoutError:
            return False
        return True

    async def carry_out(self, command: Command) -> None:
        match command:
            case Place():
                await self._place(command)
            case Cancel():
                await self._cancel(command)

    # Placing -----------------------------------------------------------------------------------------------

    async def _place(self, place: Place) -> None:
        picked_ns = self._now_ns()
        stages = Stages(micros(place.decided_ns - place.input_ns if place.input_ns else 0), 0)
        stages.queue_us = micros(picked_ns - place.decided_ns)
        stages.gate_us = micros(self._gate_ns(place.plan_id))
        try:
            self._check_still_wanted(place, picked_ns)
            submissions = await self._sign(place, stages)
            await self._write_down(place, submissions, stages)
            self._check_no_objection(place)
        except NotSent as why:
            await self._report_not_sent(place, why, stages)
            return
        except (StaleFence, LeaseLost) as lost:
            self._report.refuse(place.orders, NotSent("lease_lost", str(lost)))
            raise MustStop(str(lost)) from lost
        finally:
            self._report.stages(stages)
        for start in range(0, len(submissions), BATCH):
            await self._send(place, submissions[start : start + BATCH], stages)

    def _check_still_wanted(self, place: Place, now_ns: Nanos) -> None:
        if self._closed:
            raise NotSent("engine_stopping", self._closed)
        if now_ns - place.decided_ns > self._pace.stale_s * NANOS_PER_SECOND:
            raise NotSent("decision_stale", f"decided more than {self._pace.stale_s:g} s ago")
        met = self._self_trade(place)
        if met:
            raise NotSent("self_trade", met)

    def _check_no_objection(self, place: Place) -> None:
        said = self._objection(place.plan_id)
        if said:
            raise NotSent("terms_changed", said)

    async def _sign(self, place: Place, stages: Stages) -> tuple[Submission, ...]:
        started = time.perf_counter_ns()
        try:
            wanted = [self._to_sign(order, place.decided_ns) for order in place.orders]
            async with asyncio.timeout(self._pace.sign_s):
                signed = await self._signer.sign(wanted, self._terms.fencing_token)
        except ValueError as error:
            raise NotSent("unsignable", str(error)) from error
        except TimeoutError:
            raise NotSent("signer_unavailable", f"no signature in {self._pace.sign_s:g} s") from None
        finally:
            stages.sign_us = micros(time.perf_counter_ns() - started)
        first = urgency(place)
        return tuple(
            Submission(order, one.order_id, one.body, first) for order, one in zip(place.orders, signed, strict=True)
        )

    def _to_sign(self, order: NewOrder, decided_ns: Nanos) -> OrderToSign:
        market = self._market_of(order.condition_id)
        if market is None:
            raise ValueError(f"condition_id: {order.condition_id} is not a market the engine knows")
        return OrderToSign(
            client_order_id=order.client_order_id,
            asset_id=order.asset,
            side=order.side,
            price=order.price,
            size=order.size,
            tick=order.tick,
            neg_risk=market.neg_risk,
            version=(market.generation or self._rehearsal).value,
            # The decision's time and not the clock's: signed again it is the same bytes and the same id.
            timestamp_ms=decided_ns // NANOS_PER_MILLI,
            expiration_s=order.expires_ms // _MILLIS_PER_SECOND,
            order_type=order.order_type,
            post_only=order.post_only,
        )

    async def _write_down(self, place: Place, submissions: tuple[Submission, ...], stages: Stages) -> None:
        started = time.perf_counter_ns()
        try:
            async with asyncio.timeout(self._pace.journal_s):
                await self._journal.intend(place, submissions, self._terms, self._now_ns())
        except AlreadyPlanned as known:
            raise NotSent("already_planned", str(known), spare=known.known) from known
        except (JournalUnavailable, TimeoutError) as error:
            detail = str(error) or f"no answer in {self._pace.journal_s:g} s"
            self._report.trouble("journal_unavailable", "intend", f"Nothing is sent without a journal: {detail}")
            raise NotSent("journal_unavailable", detail) from error
        finally:
            stages.journal_us = micros(time.perf_counter_ns() - started)

    async def _report_not_sent(self, place: Place, why: NotSent, stages: Stages) -> None:
        refused = [order for order in place.orders if order.client_order_id not in why.spare]
        self._report.refuse(refused, why)
        if why.code == "journal_unavailable":
            return  # it could not take the audit either, and the incident is out
        audit = self._report.audit_of(Action.PLACE, len(place.orders), stages)
        await self._report.write_audit(
            msgspec.structs.replace(
                audit, plan_id=place.plan_id, rejected=len(refused), answer=why.detail, error=why.code
            )
        )

    async def _send(self, place: Place, batch: Sequence[Submission], stages: Stages) -> None:
        ids = [submission.order.client_order_id for submission in batch]
        started = time.perf_counter_ns()
        outcomes: Sequence[Outcome]
        if self._terms.dry_run:
            at_ns = self._now_ns()
            outcomes = [Rejected(order_id, DRY_RUN, "dry run: signed, never sent", at_ns) for order_id in ids]
            answer = "dry run"
        else:
            outcomes, answer = await self._call(
                self._relayer.submit(batch), ids, lambda i, detail: Unknown(i, detail, self._now_ns())
            )
            metrics.ACK_LATENCY.labels(self._terms.relayer, "place").observe(_seconds_since(started))
        took_ns = time.perf_counter_ns() - started
        call_us, outcomes = micros(took_ns), timed(outcomes, took_ns)
        self._copies.keep(batch, outcomes, place.decided_ns, self._now_ns())
        tally = self._report.deliver_all(outcomes)
        audit = self._report.audit_of(Action.PLACE, len(batch), stages, tally)
        await self._report.write_audit(
            msgspec.structs.replace(audit, plan_id=place.plan_id, call_us=call_us, answer=answer)
        )

    async def resend(self, ids: Sequence[ClientOrderId]) -> None:
        """Say lost orders once more in the same bytes: nothing is signed, nothing is new, at worst it is a duplicate.

        Only an acceptance is told. A copy that is refused or lost says nothing about the order itself.
        """
        copies = self._copies.take(ids, self._now_ns())
        if not copies or self._closed:
            return
        numbers = [each.order.client_order_id for each in copies]
        started = time.perf_counter_ns()
        outcomes, answer = await self._call(
            self._relayer.submit(copies), numbers, lambda i, detail: Unknown(i, detail, self._now_ns())
        )
        call_us = micros(time.perf_counter_ns() - started)
        tally = self._report.deliver_all([each for each in outcomes if isinstance(each, Accepted)])
        audit = self._report.audit_of(Action.RESEND, len(copies), Stages(0, 0), tally)
        unproved = len(copies) - tally.accepted
        await self._report.write_audit(msgspec.structs.replace(audit, call_us=call_us, answer=answer, unknown=unproved))

    async def _call(
        self,
        request: Awaitable[Sequence[Outcome]],
        ids: Sequence[ClientOrderId],
        lost: Callable[[ClientOrderId, str], Outcome],
    ) -> tuple[list[Outcome], str]:
        """One answer per order, in order, whatever the relayer did. What it did not say is `lost`; no second try."""
        answered: dict[ClientOrderId, Outcome] = {}
        silence = "the relayer did not answer for this order"
        try:
            async with asyncio.timeout(self._pace.call_s):
                for outcome in await request:
                    answered[outcome.client_order_id] = outcome
        except asyncio.CancelledError:
            for order_id in ids:
                self._report.deliver(lost(order_id, "the engine stopped while the request was out"))
            raise
        except TimeoutError:
            silence = f"no answer in {self._pace.call_s:g} s"
        except Exception as error:  # noqa: BLE001 - whatever broke, the request may have left: never a guess, never a retry
            silence = f"{type(error).__name__}: {error}"
            self._report.trouble("relayer_failed", type(error).__name__, silence)
        outcomes = [answered.get(order_id) or lost(order_id, silence) for order_id in ids]
        return outcomes, "" if len(answered) == len(ids) else silence

    # Cancelling --------------------------------------------------------------------------------------------

    async def _cancel(self, cancel: Cancel) -> None:
        ids = cancel.order_ids
        stages = Stages(0, micros(self._now_ns() - cancel.decided_ns))
        for start in range(0, len(ids), BATCH):
            await self._send_cancel(ids[start : start + BATCH], cancel.reason, stages)

    async def _send_cancel(self, ids: Sequence[ClientOrderId], reason: CancelReason, stages: Stages) -> None:
        started = time.perf_counter_ns()
        if self._terms.dry_run:
            failed = [CancelFailed(i, "dry run: never sent", self._now_ns()) for i in ids]
            outcomes: Sequence[Outcome] = failed
            answer = "dry run"
        else:
            outcomes, answer = await self._call(
                self._relayer.cancel(ids), ids, lambda i, detail: CancelFailed(i, detail, self._now_ns())
            )
            metrics.ACK_LATENCY.labels(self._terms.relayer, "cancel").observe(_seconds_since(started))
        call_us = micros(time.perf_counter_ns() - started)
        tally = self._report.deliver_all(outcomes)
        audit = self._report.audit_of(Action.CANCEL, len(ids), stages, tally)
        await self._report.write_audit(
            msgspec.structs.replace(audit, call_us=call_us, answer=answer, reason=reason.value)
        )

    async def cancel_all(self, reason: str) -> bool:
        """The last thing an engine does: no more places, those under way get their answer, then all orders go.

        False when the venue did not confirm it; the incident says so.
        """
        self._closed = reason
        for place in self._places.empty():
            self._report.refuse(place.orders, NotSent("engine_stopping", reason))
        self._cancels.empty()  # what comes now cancels these too
        if not await self.drain(self._pace.call_s):
            self._report.trouble("orders_under_way", "cancel_all", "Orders were under way when all were cancelled.")
        started = time.perf_counter_ns()
        error = "" if self._terms.dry_run else await self._cancel_everything()
        audit = self._report.audit_of(Action.CANCEL_ALL, 0, Stages(0, 0))
        call_us = micros(time.perf_counter_ns() - started)
        await self._report.write_audit(
            msgspec.structs.replace(audit, call_us=call_us, error=error[:64], answer=error, reason=reason[:64])
        )
        await self._report.flush()
        return not error

    async def _cancel_everything(self) -> str:
        try:
            async with asyncio.timeout(self._pace.call_s):
                for outcome in await self._relayer.cancel_all():
                    self._report.deliver(outcome)
        except TimeoutError:
            error = f"no answer in {self._pace.call_s:g} s"
        except Exception as broken:  # noqa: BLE001 - the engine is ending; whatever broke, a person must look
            error = f"{type(broken).__name__}: {broken}"
        else:
            return ""
        self._report.trouble("cancel_all_failed", self._terms.relayer, f"Orders may still rest: {error}")
        return error


def _seconds_since(started_ns: int) -> float:
    return (time.perf_counter_ns() - started_ns) / NANOS_PER_SECOND
