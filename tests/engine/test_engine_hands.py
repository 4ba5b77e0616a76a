"""The hands against a memory journal: what is sent, what is not, and what the trader is told."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from execution.domain.commands import Cancel, CancelReason, Place, Rejected, Strategy
from execution.domain.lease import LeaseLost
from execution.engine import BATCH, MustStop, Pace
from execution.engine.report import AUDITS_KEPT
from execution.journal import Action, Audit, JournalUnavailable, MemoryJournal, Terms
from execution.relayers.base import Answer, Submission
from execution.relayers.fake import Accept, Break, FakeRelayer, Lose, Reject
from execution.signing import OrderToSign, SignedOrder, StaleFence
from markets.domain.market import Generation
from markets.domain.units import Nanos
from tests.execution_builders import MARKET, NOW, Rig, order, place, sent


def cancel(*ids: int) -> Cancel:
    return Cancel(ids, CancelReason.REQUOTE, NOW)


class DownJournal(MemoryJournal):
    async def intend(self, place: Place, submissions: Sequence[Submission], terms: Terms, at_ns: Nanos) -> None:
        raise JournalUnavailable("disk full")


class NoAuditJournal(MemoryJournal):
    async def audit(self, audit: Audit, terms: Terms) -> None:
        raise JournalUnavailable("disk full")


class LockedJournal(MemoryJournal):
    locked = True

    async def audit(self, audit: Audit, terms: Terms) -> None:
        if self.locked:
            raise JournalUnavailable("OperationalError: database is locked")
        await super().audit(audit, terms)


class HangingAudits(MemoryJournal):
    async def audit(self, audit: Audit, terms: Terms) -> None:
        await asyncio.sleep(60)


class HangingJournal(MemoryJournal):
    async def intend(self, place: Place, submissions: Sequence[Submission], terms: Terms, at_ns: Nanos) -> None:
        await asyncio.sleep(60)


class Forgetful(FakeRelayer):
    async def submit(self, orders: Sequence[Submission]) -> Sequence[Answer]:
        return (await super().submit(orders))[:1]


def hanging() -> FakeRelayer:
    return FakeRelayer([Accept(delay_s=60)] * 5)


class StaleSigner:
    async def sign(self, orders: Sequence[OrderToSign], fencing_token: int) -> Sequence[SignedOrder]:
        raise StaleFence("fencing token 1 is older than 2")


async def test_an_order_is_in_the_journal_with_its_bytes_when_the_relayer_sees_it() -> None:
    journal = MemoryJournal()
    seen: list[tuple[bytes, str]] = []

    async def look(orders: Sequence[Submission]) -> None:
        seen.extend((journal.bodies[i], journal.orders[i].order_id) for i in (1, 2))
        assert seen == [(one.body, one.order_id) for one in orders]

    rig = Rig(FakeRelayer(before_ack=look), journal=journal)
    await rig.hands.carry_out(place("plan-1", 1, 2))
    assert len(seen) == 2
    assert rig.answers() == [("Accepted", 1), ("Accepted", 2)]


async def test_a_repeated_plan_is_not_sent_and_its_live_orders_are_not_called_rejected() -> None:
    rig = Rig(fake := FakeRelayer())
    await rig.hands.carry_out(place())
    await rig.hands.carry_out(place())
    assert sent(fake) == [[1]]
    assert rig.answers() == [("Accepted", 1)]


async def test_a_repeated_plan_under_new_ids_rejects_the_new_orders() -> None:
    rig = Rig(fake := FakeRelayer())
    await rig.hands.carry_out(place("plan-1", 1))
    await rig.hands.carry_out(place("plan-1", 2))
    assert sent(fake) == [[1]]
    assert rig.answers()[1:] == [("Rejected", 2)]
    assert isinstance(rejected := rig.outcomes[1], Rejected)
    assert rejected.code == "already_planned"


async def test_no_answer_in_time_is_unknown_and_is_not_tried_again() -> None:
    rig = Rig(fake := hanging())
    await rig.hands.carry_out(place("plan-1", 1, 2))
    assert rig.answers() == [("Unknown", 1), ("Unknown", 2)]
    assert sent(fake) == [[1, 2]]


async def test_a_broken_relayer_leaves_the_whole_batch_unknown_and_is_reported() -> None:
    rig = Rig(fake := FakeRelayer([Accept(), Break(ConnectionResetError("peer went away"))]))
    await rig.hands.carry_out(place("plan-1", 1, 2))
    assert rig.answers() == [("Unknown", 1), ("Unknown", 2)]
    assert [trouble.kind for trouble in rig.troubles] == ["relayer_failed"]
    assert sent(fake) == [[1, 2]]


async def test_a_lost_answer_is_unknown_and_a_proof_is_rejected() -> None:
    rig = Rig(fake := FakeRelayer([Lose(), Reject("post_only", "crosses"), Accept()]))
    await rig.hands.carry_out(place("plan-1", 1, 2, 3))
    assert rig.answers() == [("Unknown", 1), ("Rejected", 2), ("Accepted", 3)]
    assert sent(fake) == [[1, 2, 3]]
    assert isinstance(rig.journal, MemoryJournal)
    (audit,) = rig.journal.audits
    assert (audit.accepted, audit.rejected, audit.unknown, audit.error) == (1, 1, 1, "unknown,post_only")


async def test_orders_the_relayer_did_not_mention_are_unknown() -> None:
    rig = Rig(Forgetful())
    await rig.hands.carry_out(place("plan-1", 1, 2))
    assert rig.answers() == [("Accepted", 1), ("Unknown", 2)]


async def test_an_engine_cancelled_in_mid_request_still_says_unknown() -> None:
    rig = Rig(hanging(), pace=Pace(call_s=60))
    task = asyncio.create_task(rig.hands.carry_out(place()))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert rig.answers() == [("Unknown", 1)]


async def test_a_dry_run_signs_and_journals_and_never_calls_the_relayer() -> None:
    rig = Rig(fake := FakeRelayer(), terms=Terms("real", True, 1))
    await rig.hands.carry_out(place())
    await rig.hands.carry_out(cancel(1))
    await rig.hands.cancel_all("stopping")
    assert (fake.requests, fake.cancel_requests) == ([], [])
    assert isinstance(rejected := rig.outcomes[0], Rejected)
    assert rejected.code == "dry_run"
    assert isinstance(rig.journal, MemoryJournal)
    assert rig.journal.bodies[1].startswith(b"{")
    assert [audit.action for audit in rig.journal.audits] == [Action.PLACE, Action.CANCEL, Action.CANCEL_ALL]


@pytest.mark.parametrize("journal", [DownJournal(), HangingJournal()])
async def test_without_a_journal_nothing_is_sent(journal: MemoryJournal) -> None:
    rig = Rig(fake := FakeRelayer(), journal=journal, pace=Pace(journal_s=0.02))
    await rig.hands.carry_out(place())
    assert fake.requests == []
    assert isinstance(rejected := rig.outcomes[0], Rejected)
    assert rejected.code == "journal_unavailable"
    assert [trouble.kind for trouble in rig.troubles] == ["journal_unavailable"]


async def test_an_audit_that_cannot_be_written_is_told_once_and_undoes_nothing() -> None:
    rig = Rig(journal=NoAuditJournal())
    await rig.hands.carry_out(place("plan-1", 1))
    await rig.hands.carry_out(place("plan-2", 2))
    assert rig.answers() == [("Accepted", 1), ("Accepted", 2)]
    (trouble,) = rig.troubles
    assert trouble.key == "journal_unavailable:audit"
    assert trouble.text == "Audits wait for the journal: JournalUnavailable: disk full"


async def test_audits_wait_for_the_journal_and_are_written_in_order() -> None:
    journal = LockedJournal()
    rig = Rig(journal=journal, pace=Pace(audit_retry_s=0.01))
    await rig.hands.carry_out(place("plan-1", 1))
    await rig.hands.carry_out(place("plan-2", 2))
    working = asyncio.create_task(rig.hands.run())
    await asyncio.sleep(0.05)
    assert journal.audits == []
    journal.locked = False
    async with asyncio.timeout(5):
        while len(journal.audits) < 2:  # noqa: ASYNC110 - the journal has no such event
            await asyncio.sleep(0.01)
    working.cancel()
    assert [audit.plan_id for audit in journal.audits] == ["plan-1", "plan-2"]


async def test_a_hanging_audit_says_how_long_it_was_waited_for() -> None:
    rig = Rig(journal=HangingAudits(), pace=Pace(journal_s=0.02))
    await rig.hands.carry_out(place())
    assert rig.troubles[0].text == "Audits wait for the journal: TimeoutError: no answer in 0.02 s"


async def test_the_oldest_of_too_many_waiting_audits_is_lost_and_told() -> None:
    journal = LockedJournal()
    rig = Rig(journal=journal)
    for number in range(1, AUDITS_KEPT + 3):
        await rig.hands.carry_out(cancel(number))
    journal.locked = False
    assert await rig.hands.cancel_all("over")
    assert len(journal.audits) == AUDITS_KEPT
    assert rig.troubles[-1].text == f"3 audits were lost: more than {AUDITS_KEPT} waited"


async def test_a_stale_fence_stops_the_engine_and_sends_nothing() -> None:
    rig = Rig(fake := FakeRelayer(), signs=StaleSigner())
    with pytest.raises(MustStop):
        await rig.hands.carry_out(place())
    assert fake.requests == []
    assert rig.answers() == [("Rejected", 1)]


async def test_a_lease_lost_in_the_journal_stops_the_engine_too() -> None:
    journal = MemoryJournal()
    journal.newest_token = 2
    rig = Rig(fake := FakeRelayer(), journal=journal)
    with pytest.raises(MustStop) as caught:
        await rig.hands.carry_out(place())
    assert isinstance(caught.value.__cause__, LeaseLost)
    assert fake.requests == []


async def test_must_stop_ends_every_lane() -> None:
    rig = Rig(signs=StaleSigner())
    rig.hands.take(place())
    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(rig.hands.run(), 1)
    assert caught.group_contains(MustStop)


async def test_a_market_of_unknown_version_is_not_signed() -> None:
    rig = Rig(fake := FakeRelayer(), market=replace(MARKET, generation=Generation.UNKNOWN))
    await rig.hands.carry_out(place())
    assert fake.requests == []
    assert isinstance(rejected := rig.outcomes[0], Rejected)
    assert rejected.code == "unsignable"
    assert "version" in rejected.detail


async def test_a_rehearsal_signs_for_a_market_of_unknown_version() -> None:
    unknown = replace(MARKET, generation=Generation.UNKNOWN)
    rig = Rig(market=unknown, rehearsal=Generation.V1)
    await rig.hands.carry_out(place())
    assert rig.answers() == [("Accepted", 1)]


async def test_a_market_the_engine_does_not_know_is_not_signed() -> None:
    rig = Rig(fake := FakeRelayer(), market=None)
    await rig.hands.carry_out(place())
    assert fake.requests == []
    assert rig.answers() == [("Rejected", 1)]


async def test_a_decision_that_waited_too_long_is_not_sent() -> None:
    rig = Rig(fake := FakeRelayer())
    old = Place("plan-1", Strategy.SPREAD, (order(1),), NOW - 60_000_000_000)
    await rig.hands.carry_out(old)
    assert fake.requests == []
    assert isinstance(rejected := rig.outcomes[0], Rejected)
    assert rejected.code == "decision_stale"


async def test_a_large_plan_is_one_journal_entry_and_several_requests() -> None:
    rig = Rig(fake := FakeRelayer())
    ids = list(range(1, BATCH + 3))
    await rig.hands.carry_out(place("plan-1", *ids))
    assert [len(batch) for batch in fake.requests] == [BATCH, 2]
    assert isinstance(rig.journal, MemoryJournal)
    assert list(rig.journal.plans) == ["plan-1"]
    assert [audit.orders for audit in rig.journal.audits] == [BATCH, 2]


async def test_every_audit_of_every_run_has_an_id_of_its_own() -> None:
    rigs = Rig(), Rig()
    for rig in rigs:
        await rig.hands.carry_out(place("plan-1", 1))
        await rig.hands.carry_out(place("plan-2", 2))
    journals = [rig.journal for rig in rigs if isinstance(rig.journal, MemoryJournal)]
    ids = [audit.request_id for journal in journals for audit in journal.audits]
    assert len(set(ids)) == len(ids) == 4
    assert max(map(len, ids)) <= 64


async def test_an_audit_tells_where_the_time_went() -> None:
    rig = Rig()
    await rig.hands.carry_out(place())
    assert isinstance(rig.journal, MemoryJournal)
    (audit,) = rig.journal.audits
    assert (audit.plan_id, audit.accepted, audit.rejected, audit.unknown) == ("plan-1", 1, 0, 0)
    assert (audit.decision_us, audit.queue_us) == (42, 1)
    assert audit.sign_us > 0


async def test_cancels_are_answered_one_by_one() -> None:
    rig = Rig(fake := FakeRelayer())
    await rig.hands.carry_out(place())
    await rig.hands.carry_out(cancel(1, 404))
    assert fake.cancel_requests == [(1, 404)]
    assert rig.answers()[1:] == [("Cancelled", 1), ("CancelFailed", 404)]


async def test_a_cancel_overtakes_places_that_hang() -> None:
    rig = Rig(fake := hanging(), pace=Pace(call_s=0.2, place_lanes=1))
    rig.hands.take(place("plan-1", 1))
    rig.hands.take(place("plan-2", 2))
    rig.hands.take(cancel(9))
    running = asyncio.create_task(rig.hands.run())
    await asyncio.sleep(0.05)
    assert rig.answers() == [("CancelFailed", 9)]
    assert sent(fake) == [[1]]
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_queued_commands_are_carried_out() -> None:
    rig = Rig()
    for number in range(1, 6):
        rig.hands.take(place(f"plan-{number}", number))
    running = asyncio.create_task(rig.hands.run())
    assert await rig.hands.drain(1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert rig.answers() == [("Accepted", number) for number in range(1, 6)]


async def test_a_full_queue_answers_at_once() -> None:
    rig = Rig(pace=Pace(queue=1))
    for number in (1, 2):
        rig.hands.take(place(f"plan-{number}", number))
        rig.hands.take(cancel(number))
    assert rig.answers() == [("Rejected", 2), ("CancelFailed", 2)]
    assert {trouble.key for trouble in rig.troubles} == {"hands_overloaded:place", "hands_overloaded:cancel"}


async def test_shutdown_drops_what_waits_cancels_everything_and_takes_no_more() -> None:
    rig = Rig(fake := FakeRelayer())
    rig.hands.take(place("plan-1", 1))
    rig.hands.take(cancel(2))
    assert await rig.hands.cancel_all("engine stopping")
    rig.hands.take(place("plan-2", 3))
    assert fake.cancel_requests == [()]
    assert fake.requests == []
    assert rig.answers() == [("Rejected", 1), ("Rejected", 3)]


async def test_shutdown_cancels_what_rests_and_says_so() -> None:
    rig = Rig()
    await rig.hands.carry_out(place("plan-1", 1, 2))
    assert await rig.hands.cancel_all("engine stopping")
    assert rig.answers()[2:] == [("Cancelled", 1), ("Cancelled", 2)]


async def test_a_cancel_all_the_venue_did_not_confirm_is_an_incident() -> None:
    fake = FakeRelayer()
    fake.unavailable = "unreachable"
    rig = Rig(fake)
    assert not await rig.hands.cancel_all("engine stopping")
    assert [trouble.kind for trouble in rig.troubles] == ["cancel_all_failed"]


async def test_a_plan_somebody_objects_to_after_it_was_written_down_is_never_sent() -> None:
    relayer = FakeRelayer()
    rig = Rig(relayer, objection="rule hash of a market changed")
    await rig.hands.carry_out(place("plan-1", 1, 2))
    assert sent(relayer) == []
    assert [outcome.code for outcome in rig.outcomes if isinstance(outcome, Rejected)] == ["terms_changed"] * 2


async def test_a_plan_that_would_meet_an_order_of_ours_is_not_even_signed() -> None:
    relayer = FakeRelayer()
    rig = Rig(relayer, self_trade="our bid at 0.5 would meet our offer at 0.5 (order 7)")
    await rig.hands.carry_out(place("plan-1", 1, 2))
    assert isinstance(rig.journal, MemoryJournal)
    assert (sent(relayer), list(rig.journal.plans)) == ([], [])
    assert [outcome.code for outcome in rig.outcomes if isinstance(outcome, Rejected)] == ["self_trade"] * 2
