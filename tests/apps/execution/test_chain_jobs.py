"""Jobs on chain in the database: one row per step of a plan, found again, and booked with the word that ends them."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from execution import chain_store, selectors, services
from execution.domain.chain import ChainState, ChainTold, ChainVerb, ChainWork, chain_work
from execution.domain.lease import LeaseLost
from execution.domain.moments import moment
from execution.engine import Kept
from execution.journal import Terms
from execution.models import ChainJob, ChainJobEvent, Posting
from execution.relayers.base import Prepared
from strategies.domain.intents import ChainStep
from tests.control_builders import a_caller
from tests.execution_builders import CONDITION, MARKET, NOW
from tests.execution_rows import market_row

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

TERMS = Terms("real", False, 1)
SENT = Prepared("7", b'{"signature":"0x1"}')
CONFIRMED, FAILED, SUBMITTED = ChainState.CONFIRMED, ChainState.FAILED, ChainState.SUBMITTED


def a_split(number: int = 0, plan: str = "plan") -> ChainWork:
    step = ChainStep(ChainVerb.SPLIT, (CONDITION,), 10_000_000)
    return chain_work(plan, number, step, MARKET.event_id, [MARKET], 0, NOW, "split, sell YES and NO")


def told(state: ChainState, work: ChainWork, detail: str = "", transaction: str = "") -> ChainTold:
    booked = work.effects if state is CONFIRMED else None
    return ChainTold(work.job_id, state, NOW + 1, detail, transaction, booked=booked)


def written(*works: ChainWork, terms: Terms = TERMS) -> None:
    market_row()
    for work in works:
        assert chain_store.plan(work, terms, NOW) is None


def test_a_job_is_read_back_as_it_was_written() -> None:
    work = a_split()
    written(work)
    assert chain_store.open_jobs("real") == [Kept(work, ChainState.PLANNED)]
    assert chain_store.open_jobs("paper") == []


def test_the_same_step_is_written_once_and_shown_as_it_stands() -> None:
    work = a_split()
    written(work)
    chain_store.sending(work.job_id, SENT, TERMS, NOW)
    known = chain_store.plan(work, TERMS, NOW)
    assert known == Kept(work, ChainState.SUBMITTING, SENT, "", 1, NOW)
    assert ChainJob.objects.count() == 1


def test_what_is_sent_stands_in_the_row_before_it_leaves_and_so_does_each_attempt() -> None:
    work = a_split()
    written(work)
    for _ in range(2):
        chain_store.sending(work.job_id, SENT, TERMS, NOW)
    row = ChainJob.objects.get()
    assert (row.payload, row.nonce, row.attempts, row.state) == ('{"signature":"0x1"}', "7", 2, "submitting")


def test_whoever_has_an_older_lease_sends_nothing() -> None:
    work = a_split()
    written(work)
    services.acquire_lease(holder="a", ttl=timedelta(seconds=5))
    with pytest.raises(LeaseLost):
        chain_store.sending(work.job_id, SENT, Terms("real", False, 0), NOW)
    assert ChainJob.objects.get().state == "planned"


def test_a_confirmed_job_and_what_it_changed_are_one_transaction() -> None:
    work = a_split()
    written(work)
    chain_store.told(told(SUBMITTED, work, transaction="t1"))
    assert Posting.objects.count() == 0
    chain_store.told(told(CONFIRMED, work))
    assert selectors.postings("real") == [work.effects]
    row = ChainJob.objects.get()
    assert (row.state, row.transaction_id, row.ended_at) == ("confirmed", "t1", moment(NOW + 1))
    assert chain_store.open_jobs("real") == []


def test_without_the_market_nothing_is_booked_and_the_job_is_not_confirmed() -> None:
    work = a_split()
    assert chain_store.plan(work, TERMS, NOW) is None
    with pytest.raises(ValueError, match="is not stored"), transaction.atomic():
        chain_store.told(told(CONFIRMED, work))
    assert ChainJob.objects.get().state == "planned"


def test_a_word_said_twice_is_written_once() -> None:
    work = a_split()
    written(work)
    for _ in range(2):
        chain_store.told(told(CONFIRMED, work))
    assert [event.after for event in ChainJobEvent.objects.order_by("pk")] == ["planned", "confirmed"]
    assert Posting.objects.count() == 2


def test_jobs_of_a_venue_that_died_and_of_a_dry_run_end() -> None:
    written(a_split(0), terms=Terms("paper", False, 1))
    chain_store.plan(a_split(1), Terms("real", True, 1), NOW)
    chain_store.plan(a_split(2), TERMS, NOW)
    assert chain_store.abandon({"paper", "fake"}, "its venue died") == 2
    assert list(ChainJob.objects.order_by("step").values_list("state", flat=True)) == ["failed", "failed", "planned"]


def test_the_command_lists_jobs_and_the_steps_of_a_plan() -> None:
    work, other = a_split(), a_split(0, "other")
    written(work, other)
    chain_store.told(told(FAILED, work, "refused: invalid signature"))
    out = StringIO()
    call_command("chain_jobs", plan="plan", stdout=out)
    assert "planned -> failed  refused: invalid signature" in out.getvalue()
    out = StringIO()
    call_command("chain_jobs", only_open=True, as_json=True, stdout=out)
    assert [(job["job_id"], job["amount"]) for job in json.loads(out.getvalue())] == [("other-0", "10.000000")]


def test_the_command_says_when_there_is_nothing_and_wants_a_sensible_limit() -> None:
    out = StringIO()
    call_command("chain_jobs", stdout=out)
    assert out.getvalue() == "Nothing was split, merged or converted.\n"
    with pytest.raises(CommandError, match="--limit"):
        call_command("chain_jobs", limit=0)


def test_the_api_lists_jobs_with_their_steps_and_only_to_who_may_look() -> None:
    work = a_split()
    written(work)
    chain_store.told(told(FAILED, work, "reverted"))
    caller = a_caller("execution.view_chainjob")
    (job,) = caller.get("/api/v1/chain-jobs/?open=false&plan=plan").json()["results"]
    assert (job["job_id"], job["verb"], job["amount"]) == ("plan-0", "split", "10.000000")
    assert [event["after"] for event in job["events"]] == ["planned", "failed"]
    assert caller.get("/api/v1/chain-jobs/plan-0/").status_code == 200
    assert a_caller(name="bob").get("/api/v1/chain-jobs/").status_code == 403
