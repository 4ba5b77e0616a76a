"""The real relayer against a venue that says what the test wants, over a socket."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from execution.domain.budget import Tier
from execution.domain.commands import Accepted, Ack, CancelFailed, Cancelled, Outcome, Rejected
from execution.domain.ours import OurOrders
from execution.domain.venue import Venue, VenueMode
from execution.relayers.base import Balances, Ok, Submission, Unavailable
from execution.relayers.polymarket import Alarm, PolymarketConfig, PolymarketRelayer, VenueUnreachable
from execution.signing import EXCHANGE_ADDRESS, Exchange
from markets.domain.events import Side
from markets.domain.market import Generation
from markets.domain.units import CASH_ONE, NANOS_PER_SECOND, SIZE_ONE
from tests.clob_script import (
    ADDRESS,
    CONDITION,
    CREDENTIALS,
    NO,
    YES,
    Asked,
    Say,
    ScriptedClob,
    a_submission,
    a_take,
    accepted,
    order_id,
    serving,
)


class Rig:
    """A relayer at a scripted venue, and everything it told."""

    def __init__(self, clob: ScriptedClob, url: str = "", **config: Any) -> None:
        self.clob = clob
        self.alarms: list[Alarm] = []
        self.outcomes: list[Outcome] = []
        self.venues: list[VenueMode] = []
        self.gone: list[str] = []
        terms: dict[str, Any] = {
            "call_s": 0.3,
            "cancel_s": 0.6,
            "cancel_pause_s": 0.01,
            "wait_s": 0.2,
            "geoblock_url": "",
        } | config
        self.relayer = PolymarketRelayer(
            PolymarketConfig(url or clob.url, ADDRESS, CREDENTIALS, **terms),
            OurOrders(),
            assets=lambda: [(YES, Generation.V1), (NO, Generation.V1)],
            on_outcome=self.outcomes.append,
            on_alarm=self.alarms.append,
            on_venue=self._venue,
            on_orders_gone=self.gone.append,
        )

    def _venue(self, venue: Venue) -> None:
        self.venues.append(venue.mode)

    async def submit(self, *submissions: Submission) -> list[object]:
        return list(await self.relayer.submit(submissions or (a_submission(),)))

    async def submitted(self, *numbers: int) -> "Rig":
        await self.submit(*(a_submission(number) for number in numbers))
        return self


@asynccontextmanager
async def rig(**config: Any) -> AsyncIterator[Rig]:
    async with serving(ScriptedClob()) as clob:
        made = Rig(clob, **config)
        try:
            yield made
        finally:
            await made.relayer.close()


def kinds(given: list[object]) -> list[str]:
    return [type(each).__name__ for each in given]


# Orders


async def test_one_order_is_posted_with_headers_that_fit_its_bytes() -> None:
    async with rig() as at:
        (answer,) = await at.submit(a_submission(1))
        assert isinstance(answer, Accepted)
        assert (answer.client_order_id, answer.order_id, answer.ack) == (1, order_id(1), Ack.LIVE)
        (asked,) = at.clob.asked
        assert (asked.method, asked.path, asked.signed) == ("POST", "/order", True)
        assert asked.json == {
            "deferExec": False,
            "order": {"signature": order_id(1)},
            "orderType": "GTC",
            "owner": CREDENTIALS.key,
            "postOnly": True,
        }
        assert a_submission(1).body in asked.body


async def test_a_batch_is_one_request_and_never_more_than_fifteen() -> None:
    async with rig() as at:
        given = await at.submit(*(a_submission(number) for number in range(1, 18)))
        assert kinds(given) == ["Accepted"] * 17
        assert [len(json.loads(asked.body)) for asked in at.clob.asked] == [15, 2]


async def test_a_taking_order_goes_out_as_what_it_is() -> None:
    async with rig() as at:
        await at.submit(a_take())
        entry = json.loads(at.clob.asked[0].body)
        assert (entry["orderType"], entry["postOnly"]) == ("FAK", False)


@pytest.mark.parametrize("say", [Say(hang_s=1.0), Say(drop=True), Say({"error": "oops"}, 500), Say(text="<html>")])
async def test_an_order_without_a_proof_is_unknown_and_sent_only_once(say: Say) -> None:
    async with rig() as at:
        at.clob.says(say)
        assert kinds(await at.submit()) == ["Unknown"]
        assert len(at.clob.asked) == 1
        assert at.relayer.orders.open_ids


async def test_a_venue_that_cannot_be_reached_has_refused() -> None:
    at = Rig(ScriptedClob(), "http://127.0.0.1:9")
    (answer,) = await at.submit()
    assert isinstance(answer, Rejected)
    assert answer.code == "unreachable"
    await at.relayer.close()


async def test_a_refused_order_is_forgotten_as_open() -> None:
    async with rig() as at:
        at.clob.says(Say({"error": "not enough balance / allowance"}, 400))
        assert kinds(await at.submit()) == ["Rejected"]
        assert not at.relayer.orders.open_ids


async def test_the_venue_knowing_an_order_by_another_id_stops_everything() -> None:
    async with rig() as at:
        at.clob.says(Say(accepted(order_id(99))))
        assert kinds(await at.submit()) == ["Unknown"]
        assert at.clob.paths() == ["POST /order", "DELETE /orders"]
        assert at.clob.asked[1].json == [order_id(99)]
        (alarm,) = at.alarms
        assert (alarm.kind, alarm.halt) == ("order_id_mismatch", True)
        assert "Cancelled" in alarm.text
        (answer,) = await at.submit(a_submission(2))
        assert isinstance(answer, Rejected)
        assert answer.code == "halted"
        assert len(at.clob.asked) == 2


async def test_a_halting_refusal_stops_orders_and_never_cancels() -> None:
    async with rig() as at:
        await at.submitted(1)
        at.clob.says(Say({"error": "order_version_mismatch"}, 400))
        await at.submit(a_submission(2))
        assert [alarm.kind for alarm in at.alarms] == ["venue_halt"]
        assert kinds(await at.submit(a_submission(3))) == ["Rejected"]
        assert kinds(list(await at.relayer.cancel([1]))) == ["Cancelled"]


# Modes and budget


@pytest.mark.parametrize(
    ("say", "mode"),
    [
        (Say({"error": "restarting"}, 425), VenueMode.RESTARTING),
        (Say({"error": "Trading is currently cancel-only."}, 503), VenueMode.CANCEL_ONLY),
        (Say({"error": "Trading is currently disabled."}, 503), VenueMode.DISABLED),
        (Say({"error": "address in closed only mode"}, 400), VenueMode.CLOSED_ONLY),
        (Say({"error": "Trading restricted in your region"}, 403), VenueMode.GEOBLOCKED),
    ],
)
async def test_a_mode_is_a_state_in_which_nothing_is_sent_in_vain(say: Say, mode: VenueMode) -> None:
    async with rig() as at:
        at.clob.says(say)
        assert kinds(await at.submit()) == ["Rejected"]
        assert at.venues == [mode]
        (answer,) = await at.submit(a_submission(2))
        assert isinstance(answer, Rejected)
        assert answer.code == f"venue_{mode.name.lower()}"
        assert len(at.clob.asked) == 1
        assert at.alarms == []


async def test_in_post_only_mode_what_rests_is_sent_and_what_takes_is_not() -> None:
    async with rig() as at:
        body = {"error": "post-only mode", "code": "post_only_mode", "retry_after_seconds": 79}
        at.clob.says(Say(body, 503))
        await at.submit(a_take(1))
        venue = at.relayer.venue
        assert (venue.mode, venue.until_ns - venue.since_ns) == (VenueMode.POST_ONLY, 79 * NANOS_PER_SECOND)
        given = await at.submit(a_take(2), a_submission(3))
        assert kinds(given) == ["Rejected", "Accepted"]
        assert at.clob.paths() == ["POST /order", "POST /order"]


async def test_in_closed_only_mode_a_position_can_still_be_sold() -> None:
    async with rig() as at:
        at.clob.says(Say({"error": "'0xab' address in closed only mode"}, 400))
        await at.submit()
        assert kinds(await at.submit(a_take(2), a_take(3, Side.SELL))) == ["Rejected", "Accepted"]


async def test_a_restart_is_over_when_a_harmless_cancel_is_answered() -> None:
    async with rig(probe_s=0.02, heartbeat=None) as at:
        at.clob.says(Say({}, 425), Say({}, 425), Say({}, 425))
        await at.submit()
        watching = asyncio.create_task(at.relayer.run())
        async with asyncio.timeout(3):
            while at.venues != [VenueMode.RESTARTING, VenueMode.POST_ONLY]:  # noqa: ASYNC110 - a socket is between us
                await asyncio.sleep(0.01)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        assert at.clob.paths() == ["POST /order", "DELETE /order", "DELETE /order", "DELETE /order"]


async def test_headers_of_an_answer_correct_the_budget() -> None:
    async with rig() as at:
        headers = {"Poly-RateLimit-Remaining": "3", "Poly-RateLimit-Tier": "Gold"}
        at.clob.says(Say(accepted(order_id(1)), headers=headers))
        await at.submit()
        assert at.relayer.budget.tier is Tier.GOLD
        assert at.relayer.budget.orders.left(0) == 3


async def test_requotes_wait_for_their_tokens_and_an_exit_does_not() -> None:
    async with rig(wait_s=0.05) as at:
        budget = at.relayer.budget
        await at.submitted(1)
        budget.told(budget.orders, 1, 0)
        (late, exit_) = [*await at.submit(a_submission(2)), *await at.submit(a_take(3, Side.SELL))]
        assert isinstance(late, Rejected)
        assert late.code == "order_budget"
        assert isinstance(exit_, Accepted)
        assert len(at.clob.asked) == 2


async def test_a_short_wait_for_tokens_ends_in_sending() -> None:
    async with rig(wait_s=1.0) as at:
        await at.submitted(1)
        budget = at.relayer.budget
        budget.told(budget.orders, 11, 0)  # requotes leave 12 of 60, so two tokens have to come back: 50 ms
        assert kinds(await at.submit(a_submission(2))) == ["Accepted"]


async def test_turned_away_for_want_of_tokens_the_next_order_stays_here() -> None:
    async with rig(wait_s=0.01) as at:
        at.clob.says(Say({"error": "Too Many Requests"}, 429, {"Retry-After": "30"}))
        (first, second) = [*await at.submit(), *await at.submit(a_take(2, Side.SELL))]
        assert isinstance(first, Rejected)
        assert isinstance(second, Rejected)
        assert (first.code, second.code) == ("rate_limited", "order_budget")
        assert len(at.clob.asked) == 1


# Cancels


async def test_cancels_name_the_hashes_and_one_goes_alone() -> None:
    async with rig() as at:
        await at.submitted(1, 2, 3)
        assert kinds(list(await at.relayer.cancel([1, 2]))) == ["Cancelled", "Cancelled"]
        assert kinds(list(await at.relayer.cancel([3]))) == ["Cancelled"]
        assert [asked.json for asked in at.clob.asked[1:]] == [[order_id(1), order_id(2)], {"orderID": order_id(3)}]
        assert all(asked.signed for asked in at.clob.asked)
        assert not at.relayer.orders.open_ids


async def test_an_order_nobody_told_us_of_cannot_be_cancelled_by_number() -> None:
    async with rig() as at:
        (answer,) = await at.relayer.cancel([5])
        assert isinstance(answer, CancelFailed)
        assert at.clob.asked == []


@pytest.mark.parametrize("say", [Say(drop=True), Say({}, 502), Say({"error": "x"}, 429), Say({}, 425)])
async def test_a_cancel_is_said_again_until_it_is_answered(say: Say) -> None:
    async with rig() as at:
        await at.submitted(1)
        at.clob.says(say, say)
        assert [type(each) for each in await at.relayer.cancel([1])] == [Cancelled]


async def test_a_cancel_that_is_never_answered_has_failed() -> None:
    async with rig() as at:
        await at.submitted(1)
        at.clob.routes["DELETE /order"] = lambda _: Say({"error": "down"}, 500)
        assert [type(each) for each in await at.relayer.cancel([1])] == [CancelFailed]


async def test_a_short_budget_never_holds_a_cancel_back() -> None:
    async with rig() as at:
        await at.submitted(1)
        budget = at.relayer.budget
        budget.told(budget.cancels, 0, 0)
        budget.cancelling(100, 0)
        assert [type(each) for each in await at.relayer.cancel([1])] == [Cancelled]


async def test_cancel_all_answers_for_ours_and_pays_for_everybody() -> None:
    async with rig() as at:
        await at.submitted(1, 2)
        gone = [order_id(1), order_id(55)]
        at.clob.says(Say({"canceled": gone, "not_canceled": {order_id(2): "Order already matched"}}))
        answers = await at.relayer.cancel_all()
        assert [(type(each), each.client_order_id) for each in answers] == [(Cancelled, 1), (CancelFailed, 2)]
        assert at.clob.paths()[-1] == "DELETE /cancel-all"
        assert at.relayer.budget.cancels.left(0) == 117


async def test_cancel_all_that_was_not_confirmed_raises() -> None:
    async with rig() as at:
        at.clob.routes["DELETE /cancel-all"] = lambda _: Say({"error": "down"}, 500)
        with pytest.raises(VenueUnreachable, match="HTTP 500"):
            await at.relayer.cancel_all()


async def test_a_market_is_cancelled_by_its_condition_or_its_token() -> None:
    async with rig() as at:
        at.clob.routes["DELETE /cancel-market-orders"] = lambda _: Say({"canceled": []})
        await at.relayer.cancel_market(CONDITION)
        await at.relayer.cancel_market(asset=YES)
        assert [asked.json for asked in at.clob.asked] == [{"market": CONDITION}, {"asset_id": YES}]


# Reading


def listed(number: int, **changes: object) -> dict[str, object]:
    return {
        "id": order_id(number),
        "status": "ORDER_STATUS_LIVE",
        "market": CONDITION,
        "asset_id": YES,
        "side": "BUY",
        "original_size": "10",
        "size_matched": "4",
        "price": "0.52",
    } | changes


def pages(*rows: list[object]) -> Callable[[Asked], Say]:
    def answer(asked: Asked) -> Say:
        at = {"MA==": 0}.get(asked.query["next_cursor"], 0) or int(asked.query["next_cursor"].strip("MA=") or 0)
        following = "LTE=" if at + 1 == len(rows) else f"{at + 1}"
        return Say({"data": rows[at], "next_cursor": following, "limit": 100, "count": len(rows[at])})

    return answer


async def test_open_orders_are_read_page_by_page() -> None:
    async with rig() as at:
        at.clob.routes["GET /data/orders"] = pages([listed(1)], [listed(2)], [listed(3)])
        answer = await at.relayer.open_orders()
        assert isinstance(answer, Ok)
        assert [order.order_id for order in answer.value] == [order_id(1), order_id(2), order_id(3)]
        assert (answer.value[0].size, answer.value[0].matched, answer.value[0].price) == (
            10 * SIZE_ONE,
            4 * SIZE_ONE,
            5_200,
        )


async def test_half_a_list_of_orders_is_no_list() -> None:
    async with rig() as at:
        for broken in (Say({}, 500), Say({"data": [listed(2)]}), Say({"data": [listed(2, price="?")]}), Say(drop=True)):
            at.clob.says(Say({"data": [listed(1)], "next_cursor": "MQ=="}), broken, broken)
            assert isinstance(await at.relayer.open_orders(), Unavailable)
            at.clob.script.clear()


async def test_sizes_in_millionths_are_known_by_the_order_we_sent() -> None:
    async with rig() as at:
        await at.submitted(1)
        row = listed(1, original_size="10000000", size_matched="4000000")
        at.clob.routes["GET /data/orders"] = pages([row])
        answer = await at.relayer.open_orders()
        assert isinstance(answer, Ok)
        assert (answer.value[0].size, answer.value[0].matched) == (10 * SIZE_ONE, 4 * SIZE_ONE)


async def test_one_order_is_found_or_not_known_or_not_read() -> None:
    async with rig() as at:
        await at.submitted(1)
        at.clob.says(Say(listed(1)), Say({"error": "no"}, 404), Say(text=""), Say({}, 500))
        found = await at.relayer.order(1)
        assert isinstance(found, Ok)
        assert found.value is not None
        assert [await at.relayer.order(1), await at.relayer.order(1)] == [Ok(None), Ok(None)]
        assert isinstance(await at.relayer.order(1), Unavailable)
        assert isinstance(await at.relayer.order(7), Unavailable)


async def test_balances_are_cash_and_the_shares_of_the_tokens_that_count() -> None:
    held = {"COLLATERAL": "250000000", YES: "10000000", NO: "0"}
    async with rig() as at:
        at.clob.routes["GET /balance-allowance"] = lambda asked: Say(
            {"balance": held[asked.query.get("token_id") or asked.query["asset_type"]], "allowances": {}}
        )
        assert await at.relayer.balances() == Ok(Balances(250 * CASH_ONE, {YES: 10 * SIZE_ONE}))
        assert {asked.query["signature_type"] for asked in at.clob.asked} == {"0"}
        at.clob.routes["GET /balance-allowance"] = lambda asked: Say({"balance": "1"} if len(asked.query) < 3 else {})
        assert isinstance(await at.relayer.balances(), Unavailable)


# Whether we may trade


async def test_an_exchange_that_may_not_move_our_cash_stands_against_trading() -> None:
    async with rig() as at:
        address = EXCHANGE_ADDRESS[Exchange.CTF_V2, 137]
        told = {"balance": "5", "allowances": {address: "0", EXCHANGE_ADDRESS[Exchange.V3, 137]: "7"}}
        at.clob.routes["GET /balance-allowance"] = lambda _: Say(told)
        found = [problem for problem in await at.relayer.preflight() if problem.startswith("allowances")]
        assert found == [f"allowances: exchange {address} may not move the wallet's pUSD; approve it first"]


async def test_preflight_names_everything_that_stands_against_trading() -> None:
    async with rig() as at:
        at.clob.routes |= {
            "GET /version": lambda _: Say({"version": 3}),
            "GET /time": lambda _: Say(1),
            "GET /auth/ban-status/closed-only": lambda _: Say({"closed_only": True}),
        }
        problems = await at.relayer.preflight()
        named = [problem.split(":")[0] for problem in problems]
        assert named == ["closed-only", "version", "clock", "balances", "allowances"]
        assert at.relayer.venue.mode is VenueMode.CLOSED_ONLY


async def test_a_region_that_cannot_be_looked_up_stands_against_trading() -> None:
    async with rig(geoblock_url="http://127.0.0.1:9/api/geoblock") as at:
        at.clob.routes["GET /auth/ban-status/closed-only"] = lambda _: Say({"closed_only": False})
        assert [each.split(":")[0] for each in await at.relayer.check_account()] == ["geoblock"]


async def test_a_blocked_region_is_a_mode_that_ends_when_looked_at_again() -> None:
    async with rig() as at:
        blocked = True
        relayer = Rig(at.clob, geoblock_url=f"{at.clob.url}/api/geoblock")
        at.clob.routes["GET /api/geoblock"] = lambda _: Say({"blocked": blocked})
        at.clob.routes["GET /auth/ban-status/closed-only"] = lambda _: Say({"closed_only": False})
        assert await relayer.relayer.check_account()
        blocked = False
        assert await relayer.relayer.check_account() == ()
        assert relayer.venues == [VenueMode.GEOBLOCKED, VenueMode.OPEN]
        await relayer.relayer.close()


async def test_the_account_is_looked_at_again_and_again() -> None:
    async with rig(account_s=0.02, heartbeat=None) as at:
        closed = iter([False, True])
        at.clob.routes["GET /auth/ban-status/closed-only"] = lambda _: Say({"closed_only": next(closed, True)})
        running = asyncio.create_task(at.relayer.run())
        async with asyncio.timeout(3):
            while not at.alarms:  # noqa: ASYNC110 - a socket is between us
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert (at.alarms[0].kind, at.alarms[0].halt) == ("account", False)
        assert at.venues == [VenueMode.CLOSED_ONLY]


def test_what_a_relayer_is_told_never_shows_a_secret() -> None:
    config = PolymarketConfig("http://127.0.0.1:9", ADDRESS, CREDENTIALS)
    assert CREDENTIALS.secret not in repr(config)
