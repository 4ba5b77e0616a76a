"""The parts of a chaos trial: the comparison, the verdict, and the door that shuts a server away."""

import asyncio
from dataclasses import replace

import pytest

from polyweb.chaos.compare import Fate, Leg, Ours, Part, Theirs, compare
from polyweb.chaos.gate import Gate
from polyweb.chaos.plan import Plan, Result, p95

LEG = Leg("trade", 0, "0xa")
THEIRS = Theirs(
    salts={"0xa": 1, "0xb": 2},
    live=frozenset({"0xb"}),
    legs={LEG: Part(5, failed=False)},
    settling=0,
    cash=100,
    shares={"token": 5},
)
OURS = Ours(
    rows={"0xa": False, "0xb": True},
    unknown=frozenset(),
    legs={LEG: Part(5, failed=False)},
    cash=100,
    shares={"token": 5},
)


def test_two_equal_sides_have_nothing_to_say() -> None:
    assert compare(OURS, THEIRS).lines == ()


def test_one_number_taken_twice_is_a_duplicate() -> None:
    twice = replace(THEIRS, salts={"0xa": 1, "0xb": 1})
    assert compare(OURS, twice).duplicates == ("order 1 was taken 2 times",)


def test_an_order_the_journal_never_saw_is_forgotten() -> None:
    more = replace(THEIRS, salts={**THEIRS.salts, "0xc": 3})
    assert compare(OURS, more).forgotten == ("0xc was taken and is in no row",)


def test_an_order_that_rests_there_and_has_ended_here_is_forgotten() -> None:
    ended = replace(OURS, rows={"0xa": False, "0xb": False})
    assert compare(ended, THEIRS).forgotten == ("0xb rests there and has ended here",)


def test_an_order_of_unknown_fate_is_forgotten_and_not_called_open() -> None:
    lost = replace(OURS, rows={**OURS.rows, "0xd": True}, unknown=frozenset({"0xd"}))
    difference = compare(lost, THEIRS)
    assert difference.forgotten == ("the fate of 0xd is unknown",)
    assert difference.open == ()


def test_an_order_we_believe_to_rest_that_does_not_is_said() -> None:
    assert compare(OURS, replace(THEIRS, live=frozenset())).open == ("0xb rests here and not there",)


@pytest.mark.parametrize(
    ("legs", "said"),
    [
        ({}, "fill trade/0 of 0xa is missing"),
        ({LEG: Part(10, failed=False)}, "fill trade/0 of 0xa is 10 here and 5 there"),
        ({LEG: Part(5, failed=True)}, "fill trade/0 of 0xa is 5 failed here and 5 there"),
        ({LEG: Part(5, failed=False), Leg("other", 0, "0xa"): Part(1, False)}, "fill other/0 of 0xa never happened"),
    ],
)
def test_a_fill_that_is_missing_doubled_or_of_another_fate_is_said(legs: dict[Leg, Part], said: str) -> None:
    assert compare(replace(OURS, legs=legs), THEIRS).ledger == (said,)


def test_a_trade_heard_of_only_when_it_had_failed_is_not_missing() -> None:
    failed = replace(THEIRS, legs={**THEIRS.legs, Leg("failed", 0, "0xa"): Part(1, failed=True)})
    assert compare(OURS, failed).lines == ()


def test_one_millionth_of_cash_or_of_a_share_is_a_difference() -> None:
    assert compare(replace(OURS, cash=99), THEIRS).ledger == ("cash is 99 here and 100 there",)
    assert compare(replace(OURS, shares={}), THEIRS).ledger == ("shares of token are 0 here and 5 there",)


def test_trades_on_their_way_to_the_chain_are_never_taken_for_equal() -> None:
    assert compare(OURS, replace(THEIRS, settling=1)).lines == ("1 trades have not settled",)


def test_a_job_that_was_asked_for_twice_is_a_duplicate() -> None:
    twice = replace(THEIRS, jobs={"plan-0": (Fate.FAILED, Fate.DONE)})
    assert compare(replace(OURS, jobs={"plan-0": Fate.DONE}), twice).duplicates == ("job plan-0 was asked for 2 times",)


def test_a_job_that_is_in_no_row_is_forgotten() -> None:
    assert compare(OURS, replace(THEIRS, jobs={"plan-0": (Fate.OPEN,)})).forgotten == (
        "job plan-0 was taken and is in no row",
    )


@pytest.mark.parametrize(
    ("here", "there", "said"),
    [
        (Fate.DONE, (Fate.DONE,), ()),
        (Fate.FAILED, (Fate.FAILED,), ()),
        (Fate.FAILED, (), ()),
        (Fate.DONE, (), ("job plan-0 is done here and failed there",)),
        (Fate.FAILED, (Fate.OPEN,), ("job plan-0 is failed here and under way there",)),
        (Fate.FAILED, (Fate.DONE,), ("job plan-0 is failed here and done there",)),
    ],
)
def test_how_a_job_ended_is_the_same_on_both_sides(here: Fate, there: tuple[Fate, ...], said: tuple[str, ...]) -> None:
    jobs = {"plan-0": there} if there else {}
    assert compare(replace(OURS, jobs={"plan-0": here}), replace(THEIRS, jobs=jobs)).forgotten == said


def test_a_job_that_has_not_ended_is_waited_for() -> None:
    under_way = compare(replace(OURS, jobs={"plan-0": Fate.OPEN}), replace(THEIRS, jobs={"plan-0": (Fate.DONE,)}))
    assert (under_way.forgotten, under_way.pending) == ((), ("1 jobs on chain have not ended",))


def test_a_trial_in_which_nothing_went_wrong_as_asked_is_no_proof() -> None:
    result = Result(kills=3, orders=10)
    result.judge(Plan(kills=3, orders=10))
    assert result.problems == [
        "drops_injected: 1 wanted, 0 happened",
        "failed_settlements: 1 wanted, 0 happened",
        "kills_between_commit_and_ack: 1 wanted, 0 happened",
        "jobs: 40 wanted, 0 happened",
        "kills_with_a_job_under_way: 1 wanted, 0 happened",
    ]


def test_a_short_trial_goes_on_until_each_fault_has_struck_but_not_for_ever() -> None:
    plan = Plan(orders=10)
    assert not plan.enough(9, drops=1, failed=1)
    assert plan.enough(10, drops=1, failed=1)
    assert not plan.enough(10, drops=0, failed=1)
    assert not plan.enough(10, drops=1, failed=0)
    assert plan.enough(510, drops=0, failed=0)
    assert Plan(orders=10, drop_rate=0, failed_rate=0).enough(10, drops=0, failed=0)


def test_the_last_kill_is_aimed_when_no_other_has_met_an_unanswered_order() -> None:
    plan = Plan(kills=2)
    assert not Result(kills=0).must_hit(plan)
    assert Result(kills=1).must_hit(plan)
    assert not Result(kills=1, kills_between_commit_and_ack=1).must_hit(plan)


def test_one_of_the_last_two_kills_is_aimed_at_a_job_when_no_other_has_met_one() -> None:
    plan = Plan(kills=3)
    assert not Result(kills=0).must_meet_a_job(plan)
    assert Result(kills=1).must_meet_a_job(plan)
    assert not Result(kills=1, kills_with_a_job_under_way=1).must_meet_a_job(plan)
    assert not Result(kills=1).must_meet_a_job(replace(plan, jobs=0))


def test_what_was_not_asked_for_may_be_zero() -> None:
    result = Result(orders=10)
    result.judge(Plan(kills=0, orders=10, drop_rate=0, failed_rate=0, jobs=0))
    assert result.problems == []


def test_the_95th_percentile_is_one_of_the_values() -> None:
    assert p95([]) == 0
    assert p95([3.0]) == 3.0
    assert p95([float(each) for each in range(1, 101)]) == 95.0


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(100):
        writer.write(data)
        await writer.drain()
    writer.close()


async def test_a_door_lets_bytes_through_throws_everybody_out_and_opens_again() -> None:
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Gate(f"redis://:secret@127.0.0.1:{port}/0").standing() as door:
        assert door.door_url.startswith("redis://:secret@127.0.0.1:")
        door_port = int(door.door_url.rsplit(":", 1)[1].partition("/")[0])
        reader, writer = await asyncio.open_connection("127.0.0.1", door_port)
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"

        door.shut()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await reader.readexactly(1)
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", door_port)
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await reader.readexactly(1)
        writer.close()

        door.open()
        reader, writer = await asyncio.open_connection("127.0.0.1", door_port)
        writer.write(b"again")
        assert await reader.readexactly(5) == b"again"
        writer.close()


def test_a_server_without_a_port_cannot_be_put_behind_a_door() -> None:
    with pytest.raises(ValueError, match="host and port"):
        Gate("postgresql://localhost/name")
