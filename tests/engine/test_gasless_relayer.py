"""The gasless relayer against the sandbox's: what each verb moves there is what it books here, and what is lost is
found again.
"""

import json
from dataclasses import replace

import pytest

from execution.domain.chain import ChainState, ChainVerb, ChainWork, chain_work
from execution.relayers.base import Absent, ChainLost, ChainRefused, Ok, Receipt, Unavailable
from execution.relayers.chain import GaslessRelayer, call_of
from execution.sandbox.contracts import read_call
from execution.signing import SignatureType
from execution.signing.eip712 import checksum_address
from execution.signing.wallets import proxy_wallet
from markets.domain.market import Generation, Market
from strategies.domain.intents import ChainStep
from tests.builders import a_market
from tests.chain_builders import KEY, WALLET, an_access, at_chain, booked

V1, V2 = Generation.V1, Generation.V2
SPLIT, MERGE, CONVERT = ChainVerb.SPLIT, ChainVerb.MERGE, ChainVerb.CONVERT
PROXY = proxy_wallet(KEY.address)
DEPOSIT = checksum_address("0x" + "5a" * 20)


@pytest.mark.parametrize(
    ("kind", "wallet"),
    [
        (SignatureType.POLY_GNOSIS_SAFE, WALLET),
        (SignatureType.POLY_PROXY, PROXY),
        (SignatureType.POLY_1271, DEPOSIT),
    ],
)
async def test_every_kind_of_wallet_splits_and_merges(kind: SignatureType, wallet: str) -> None:
    async with at_chain(kind=kind, wallet=wallet) as at:
        members = at.event(V1, neg_risk=False)
        split = at.work(SPLIT, members, members)
        assert (await at.done(split, members)).state is ChainState.CONFIRMED
        assert at.owned(wallet) == booked(split)
        merge = at.work(MERGE, members, members, 4)
        assert (await at.done(merge, members)).transaction_hash
        assert at.owned(wallet) == booked(split, merge)


async def test_one_question_is_split_and_converted_into_every_yes_less_the_fee() -> None:
    async with at_chain() as at:
        members = at.event(V1, neg_risk=True)
        split = at.work(SPLIT, members, members[1:2])
        await at.done(split, members[1:2])
        convert = at.work(CONVERT, members, members[1:2])
        await at.done(convert, members[1:2])
        assert at.owned() == booked(split, convert)
        assert at.owned()[members[0].yes] == 9_950_000


async def test_every_no_is_converted_into_cash_less_the_fee() -> None:
    async with at_chain() as at:
        members = at.event(V1, neg_risk=True)
        splits = [at.work(SPLIT, members, [market]) for market in members]
        for work, market in zip(splits, members, strict=True):
            await at.done(work, [market])
        convert = at.work(CONVERT, members, members)
        await at.done(convert, members)
        assert at.owned() == booked(*splits, convert)


async def test_v2_splits_an_event_and_converts_one_no() -> None:
    async with at_chain() as at:
        members = at.event(V2, neg_risk=True)
        event = at.work(ChainVerb.SPLIT_EVENT, members, members)
        await at.done(event, members)
        pair = at.work(SPLIT, members, members[2:3])
        await at.done(pair, members[2:3])
        convert = at.work(ChainVerb.CONVERT_ONE, members, [members[2], *members[:2], *members[3:]])
        await at.done(convert, [members[2], *members[:2], *members[3:]])
        held, ours = at.owned(), booked(event, pair, convert)
        assert {asset: held[asset] for asset in ours} == ours
        assert len(held) == len(ours) + 1  # and the outcome the protocol adds, which nobody lists


async def test_v2_pairs_are_merged_at_the_router() -> None:
    async with at_chain() as at:
        members = at.event(V2, neg_risk=False)
        works = [at.work(SPLIT, members, members), at.work(MERGE, members, members, 3)]
        for work in works:
            await at.done(work, members)
        assert at.owned() == booked(*works)


async def test_what_the_balance_does_not_cover_reverts_and_moves_nothing() -> None:
    async with at_chain() as at:
        members = at.event(V1, neg_risk=False)
        ended = await at.done(at.work(MERGE, members, members), members)
        assert (ended.state, "exceeds balance" in ended.detail) == (ChainState.FAILED, True)
        assert at.owned() == booked()


@pytest.mark.parametrize("fault", ["fail_chain", "invalid_chain"])
async def test_a_transaction_that_fails_moves_nothing(fault: str) -> None:
    async with at_chain() as at:
        await at.fault(kind=fault, count=1)
        members = at.event(V1, neg_risk=False)
        assert (await at.done(at.work(SPLIT, members, members), members)).state is ChainState.FAILED
        assert at.owned() == booked()


async def test_a_lost_answer_is_no_refusal_and_the_job_is_found_by_its_id() -> None:
    async with at_chain() as at:
        members = at.event(V1, neg_risk=False)
        await at.fault(kind="drop_answer", on="POST /submit", count=1)
        work = at.work(SPLIT, members, members)
        prepared = await at.prepared(work, members)
        assert isinstance(await at.relayer.submit(work, prepared), ChainLost)
        found = await at.relayer.find(work, prepared)
        assert isinstance(found, Ok)
        assert isinstance(found.value, Receipt)
        assert (await at.end(found.value.transaction_id)).state is ChainState.CONFIRMED
        assert at.owned() == booked(work)


async def test_a_lost_request_is_absent_until_somebody_uses_its_nonce() -> None:
    async with at_chain() as at:
        members = at.event(V1, neg_risk=False)
        await at.fault(kind="lose_request", on="POST /submit", count=1)
        lost = at.work(SPLIT, members, members)
        prepared = await at.prepared(lost, members)
        assert isinstance(await at.relayer.submit(lost, prepared), ChainLost)
        assert await at.relayer.find(lost, prepared) == Ok(Absent(spent=False))
        await at.done(at.work(SPLIT, members, members), members)
        assert await at.relayer.find(lost, prepared) == Ok(Absent(spent=True))


async def test_the_same_bytes_said_again_are_done_once() -> None:
    async with at_chain() as at:
        members = at.event(V1, neg_risk=False)
        work = at.work(SPLIT, members, members)
        prepared = await at.prepared(work, members)
        taken = await at.relayer.submit(work, prepared)
        assert isinstance(taken, Receipt)
        again = await at.relayer.submit(work, prepared)
        assert isinstance(again, ChainRefused)
        assert again.again
        await at.end(taken.transaction_id)
        late = await at.relayer.submit(work, prepared)
        assert isinstance(late, ChainRefused)
        assert at.owned() == booked(work)


async def test_more_than_the_relayer_takes_in_a_minute_is_to_be_tried_again() -> None:
    async with at_chain() as at:
        members = at.event(V1, neg_risk=False)
        work = at.work(SPLIT, members, members)
        prepared = await at.prepared(work, members)
        answers = [await at.relayer.submit(work, prepared) for _ in range(26)]
        assert isinstance(answers[-1], ChainRefused)
        assert (answers[-1].again, "429" in answers[-1].detail) == (True, True)


async def test_without_a_key_the_refusal_names_the_setting() -> None:
    async with at_chain(api_key="") as at:
        members = at.event(V1, neg_risk=False)
        work = at.work(SPLIT, members, members)
        answer = await at.relayer.submit(work, await at.prepared(work, members))
        assert isinstance(answer, ChainRefused)
        assert (answer.again, "POLYWEB_RELAYER_API_KEY_FILE" in answer.detail) == (False, True)


async def test_it_is_ready_where_it_answers_and_knows_the_key() -> None:
    async with at_chain() as at:
        assert await at.relayer.ready() == Ok(f"SAFE wallet {WALLET}, nonce 0")
        stranger = GaslessRelayer(an_access(at.running.http, api_key=""), KEY)
        away = GaslessRelayer(an_access("http://127.0.0.1:9"), KEY)
        assert [isinstance(await each.ready(), Unavailable) for each in (stranger, away)] == [True, True]
        await stranger.close()
        await away.close()


async def test_nobody_at_the_door_is_a_refusal_and_a_server_s_error_is_not() -> None:
    async with at_chain() as at:
        members = at.event(V1, neg_risk=False)
        work = at.work(SPLIT, members, members)
        prepared = await at.prepared(work, members)
        away = GaslessRelayer(an_access("http://127.0.0.1:9"), KEY)
        answer = await away.submit(work, prepared)
        assert isinstance(answer, ChainRefused)
        assert answer.again
        assert not isinstance(await away.prepare(work, members), Ok)
        await away.close()
        await at.fault(kind="timed_out", on="POST /submit", count=1)
        assert isinstance(await at.relayer.submit(work, prepared), ChainLost)


async def test_the_job_s_id_goes_along_as_metadata() -> None:
    async with at_chain() as at:
        members = at.event(V1, neg_risk=False)
        work = at.work(SPLIT, members, members)
        body = json.loads((await at.prepared(work, members)).body)
        assert (body["metadata"], body["type"]) == (work.job_id, "SAFE")


def test_a_plain_key_has_no_gasless_relayer() -> None:
    with pytest.raises(ValueError, match="POLYWEB_SIGNATURE_TYPE"):
        GaslessRelayer(an_access("http://127.0.0.1:9", kind=SignatureType.EOA), KEY)


def test_the_key_of_the_relayer_is_never_shown() -> None:
    assert "hidden" not in repr(an_access("http://127.0.0.1:9", api_key="hidden"))


# Call data, read back by the sandbox's own decoder


def named(count: int, **changes: object) -> list[Market]:
    return [
        a_market(at + 1, event_id="e", neg_risk=True, question_id=f"0x{'ab' * 31}{at + 3:02x}", **changes)
        for at in range(count)
    ]


def job(verb: ChainVerb, members: list[Market], chosen: list[Market]) -> ChainWork:
    return chain_work("p", 0, ChainStep(verb, tuple(each.condition_id for each in chosen), 7), "e", members, 0, 1)


def test_the_bits_of_a_conversion_are_the_last_bytes_of_its_questions() -> None:
    members = named(4)
    call = call_of(job(CONVERT, members, members[1:3]), members[1:3])
    read = read_call(call.to, bytes.fromhex(call.data[2:]))
    assert (read.subject, read.which, read.amount) == ("ab" * 31 + "00", 1 << 4 | 1 << 5, 7)


@pytest.mark.parametrize(
    ("verb", "selector"),
    [(SPLIT, "0x72ce4275"), (MERGE, "0x9e7212ad"), (CONVERT, "0xc64748c4")],
)
def test_v1_calls_begin_with_the_contracts_own_selectors(verb: ChainVerb, selector: str) -> None:
    members = named(2)
    assert call_of(job(verb, members, members[:1]), members[:1]).data[:10] == selector


@pytest.mark.parametrize(
    ("verb", "selector"),
    [
        (SPLIT, "0x82d3b9f1"),
        (MERGE, "0x5b63685e"),
        (ChainVerb.SPLIT_EVENT, "0x40657b52"),
        (ChainVerb.CONVERT_ONE, "0x9380f1c8"),
    ],
)
def test_v2_calls_go_to_the_router_with_its_selectors(verb: ChainVerb, selector: str) -> None:
    members = [replace(each, condition_id=f"0x02{'cd' * 28}{at:04x}00") for at, each in enumerate(v2_named())]
    chosen = members[:1] if verb in (SPLIT, MERGE) else members
    call = call_of(job(verb, members, chosen), chosen)
    assert (call.data[:10], call.to.lower()) == (selector, "0x12121212006e4cd160d18e3f00711da5c3372600")


def v2_named() -> list[Market]:
    return named(3, generation=V2)


def test_a_binary_pair_goes_to_one_adapter_and_a_pair_of_a_set_to_the_other() -> None:
    alone, of_set = [a_market()], named(1)
    targets = {call_of(job(SPLIT, each, each), each).to for each in (alone, of_set)}
    assert len(targets) == 2


def test_a_market_of_a_new_protocol_has_no_call() -> None:
    unknown = [a_market(generation=Generation.UNKNOWN)]
    with pytest.raises(ValueError, match="generation"):
        call_of(job(SPLIT, unknown, unknown), unknown)


@pytest.mark.parametrize("question_id", ["", f"0x{'cd' * 32}"])
def test_questions_that_are_not_known_to_belong_together_are_not_converted(question_id: str) -> None:
    members = named(2)
    members[1] = replace(members[1], question_id=question_id)
    with pytest.raises(ValueError, match="question_id"):
        call_of(job(CONVERT, members, members), members)
