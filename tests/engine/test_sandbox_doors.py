"""What time does to a venue: expiry, heartbeats, modes, rate limits and settlement, on a clock of our own."""

from typing import Any

import pytest

from execution.sandbox.doors import TIERS, Doors, Mode, Tier, Turnstile
from execution.sandbox.refusal import Refused
from tests.sandbox_builders import START_MS, Exchange, Trader

NOW_S = START_MS // 1000


def live(trader: Trader) -> list[str]:
    page: Any = trader.call("GET", "/data/orders").document
    return [order["id"] for order in page["data"]]


def test_a_gtd_order_goes_a_minute_before_its_stated_expiration() -> None:
    exchange = Exchange()
    alice = exchange.trader()
    alice.placed("BUY", "0.1", "10", kind="GTD", expiration=str(NOW_S + 200))
    exchange.pass_time(139)
    assert len(live(alice)) == 1
    exchange.pass_time(1.1)
    assert live(alice) == []
    assert [(event["type"], event["status"]) for event in exchange.heard(alice.address)] == [
        ("PLACEMENT", "LIVE"), ("CANCELLATION", "CANCELED_EXPIRED_ORDER"),
    ]  # fmt: skip
    assert alice.free() == alice.owned()


def beat(trader: Trader, heartbeat_id: str = "") -> tuple[int, Any]:
    reply = trader.call("POST", "/v1/heartbeats", {"heartbeat_id": heartbeat_id})
    return reply.status, reply.document


def test_heartbeats_are_a_chain_and_a_wrong_link_is_told_the_right_one() -> None:
    alice = Exchange().trader()
    _, first = beat(alice)
    status, second = beat(alice, first["heartbeat_id"])
    assert (status, second != first) == (200, True)
    assert beat(alice, first["heartbeat_id"]) == (400, {"error_msg": "Invalid Heartbeat ID"} | second)
    assert beat(alice, "") == (400, {"error_msg": "Invalid Heartbeat ID"} | second)


def test_a_lost_heartbeat_cancels_the_orders_of_that_key_alone() -> None:
    exchange = Exchange()
    alice, bob = exchange.trader(), exchange.trader(2)
    alice.placed("BUY", "0.1", "10")
    bob.placed("BUY", "0.1", "10")
    _, first = beat(alice)
    exchange.pass_time(9)
    assert beat(alice, first["heartbeat_id"])[0] == 200
    exchange.pass_time(9)
    assert len(live(alice)) == 1
    exchange.pass_time(6)
    assert (live(alice), len(live(bob))) == ([], 1)
    # The chain is over: the next one begins anew.
    assert beat(alice)[0] == 200


def test_who_never_beats_is_never_cancelled() -> None:
    exchange = Exchange()
    alice = exchange.trader()
    alice.placed("BUY", "0.1", "10")
    exchange.pass_time(3_600)
    assert len(live(alice)) == 1


def test_a_restart_is_425_then_post_only_then_over() -> None:
    exchange = Exchange()
    alice = exchange.trader()
    exchange.venue.doors.schedule([(Mode.RESTARTING, 3_000), (Mode.POST_ONLY, 120_000)], exchange.now_ms)
    reply = alice.order("BUY", "0.1", "10", post_only=True)
    assert (reply.status, reply.headers["Retry-After"]) == (425, "3")
    assert alice.call("DELETE", "/cancel-all").status == 425
    assert alice.call("GET", "/data/orders").status == 200
    exchange.pass_time(44)
    reply = alice.order("BUY", "0.1", "10")
    text = "post-only mode: only post-only orders and cancels are allowed"
    assert (reply.status, reply.headers["Retry-After"]) == (503, "79")
    assert reply.document == {"error": text, "code": "post_only_mode", "retry_after_seconds": 79}
    alice.placed("BUY", "0.1", "10", post_only=True)
    legs = [alice.payload("BUY", "0.1", "10"), alice.payload("BUY", "0.1", "10", post_only=True)]
    answers: Any = alice.call("POST", "/orders", legs).document
    assert [(answer["success"], answer["errorMsg"], answer["status"]) for answer in answers] == [
        (True, text, ""), (True, "", "live"),
    ]  # fmt: skip
    assert alice.call("DELETE", "/cancel-all").status == 200
    exchange.pass_time(80)
    alice.placed("BUY", "0.1", "10")


@pytest.mark.parametrize(
    ("mode", "order", "cancel", "text"),
    [
        (
            Mode.CANCEL_ONLY, 503, 200,
            "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed.",
        ),
        (Mode.DISABLED, 503, 503, "Trading is currently disabled. Check polymarket.com for updates"),
        (Mode.OPEN, 200, 200, ""),
    ],
)  # fmt: skip
def test_modes_and_what_they_let_through(mode: Mode, order: int, cancel: int, text: str) -> None:
    exchange = Exchange()
    alice = exchange.trader()
    exchange.venue.doors.schedule([(mode, 10_000)], exchange.now_ms)
    reply: Any = alice.order("BUY", "0.1", "10", post_only=True)
    assert (reply.status, reply.document.get("error", "")) == (order, text)
    assert alice.call("POST", "/orders", [alice.payload("BUY", "0.1", "10")]).status == order
    assert alice.call("DELETE", "/cancel-all").status == cancel


def test_doors_without_a_schedule_are_open() -> None:
    assert Doors().mode(START_MS) is Mode.OPEN


def test_orders_run_out_of_tokens_and_get_new_ones() -> None:
    exchange = Exchange(tier="Standard")
    alice = exchange.trader()
    for _ in range(4):
        batch = [alice.payload("BUY", "0.01", "5") for _ in range(15)]
        reply = alice.call("POST", "/orders", batch)
        assert reply.status == 200
    assert reply.headers == {
        "Poly-RateLimit-Remaining": "0", "Poly-RateLimit-Reset": str(NOW_S), "Poly-RateLimit-Tier": "Standard",
    }  # fmt: skip
    refused = alice.order("BUY", "0.01", "5")
    assert (refused.status, refused.document) == (429, {"error": "Too Many Requests"})
    assert (refused.headers["Retry-After"], refused.headers["Poly-RateLimit-Reset"]) == ("1", str(NOW_S + 1))
    assert alice.call("DELETE", "/cancel-all").status == 200  # another bucket
    exchange.now_ms += 25
    assert alice.order("BUY", "0.01", "5").status == 200
    assert alice.order("BUY", "0.01", "5").status == 429


def test_a_batch_passes_whole_or_not_at_all_and_never_above_the_burst() -> None:
    turnstile = Turnstile(TIERS["Standard"])
    turnstile.pass_orders("a", 50, 0)
    with pytest.raises(Refused):
        turnstile.pass_orders("a", 11, 0)
    assert turnstile.pass_orders("a", 10, 0)["Poly-RateLimit-Remaining"] == "0"
    with pytest.raises(Refused):
        turnstile.pass_cancels("b", 121, 1_000_000)


@pytest.mark.parametrize("name", ["Standard", "Platinum"])
def test_a_cancel_all_may_owe_tokens_on_the_lower_tiers_only(name: str) -> None:
    turnstile = Turnstile(TIERS[name])
    cancelled = TIERS[name].cancels[1] + 100
    turnstile.pass_cancels("a", 1, 0)
    left = int(turnstile.charge_cancelled("a", cancelled, 0)["Poly-RateLimit-Remaining"])
    assert left == (-101 if TIERS[name].may_owe else 0)
    rate = TIERS[name].cancels[0]
    if TIERS[name].may_owe:
        with pytest.raises(Refused):
            turnstile.pass_cancels("a", 1, 101 * 1000 // rate)
    turnstile.pass_cancels("a", 1, 102 * 1000 // rate + 1)


def test_the_tiers_are_the_published_ones() -> None:
    assert TIERS["Elite"] == Tier("Elite", (600, 900), (1_200, 1_800), may_owe=False)
    assert [tier.orders[0] for tier in TIERS.values()] == [40, 60, 80, 200, 400, 450, 525, 600]
    alice = Exchange(tier="Gold").trader()
    assert alice.call("GET", "/v1/user/rate-limit-tier").document == {"tier": "Gold"}


def test_refused_orders_carry_the_limits_too() -> None:
    alice = Exchange().trader()
    reply = alice.order("BUY", "0.105", "10")
    assert (reply.status, reply.headers["Poly-RateLimit-Remaining"]) == (400, "899")


def test_balances_are_stated_before_the_first_order_and_allowances_are_unlimited() -> None:
    alice = Exchange().trader()
    query = {"asset_type": "COLLATERAL", "signature_type": "0"}
    reply: Any = alice.call("GET", "/balance-allowance", query=query).document
    assert reply["balance"] == "1000000000"
    assert set(reply["allowances"].values()) == {str(2**256 - 1)}
    token = {"asset_type": "CONDITIONAL", "token_id": alice.exchange.generator.asset_ids[0]}
    tokens: Any = alice.call("GET", "/balance-allowance/update", query=query | token).document
    assert tokens["balance"] == "100000000"
    assert alice.call("GET", "/balance-allowance", query={"asset_type": "GOLD"}).status == 400
    assert alice.call("GET", "/balance-allowance", query={"asset_type": "CONDITIONAL"}).status == 400


def test_orders_and_trades_can_be_asked_for_by_what_they_are_about() -> None:
    exchange = Exchange()
    alice = exchange.trader()
    yes, no = exchange.generator.markets[0].asset_ids
    condition = exchange.generator.markets[0].condition_id
    first = alice.placed("BUY", "0.1", "10")["orderID"]
    alice.placed("BUY", "0.1", "10", market=1)
    for query, number in (
        ({}, 2), ({"market": condition}, 1), ({"asset_id": yes}, 1), ({"asset_id": no}, 0), ({"id": first}, 1),
        ({"id": "0x12"}, 0),
    ):  # fmt: skip
        page: Any = alice.call("GET", "/data/orders", query=query).document
        assert len(page["data"]) == number
    swept: Any = alice.call("DELETE", "/cancel-market-orders", {"asset_id": yes}).document
    assert swept["canceled"] == [first]
    book: Any = exchange.ask("GET", "/book", token_id=yes).document
    placed = alice.placed("BUY", book["asks"][-1]["price"], "5")
    for query, number in (
        ({}, 1), ({"id": placed["tradeIDs"][0]}, 1), ({"id": "x"}, 0), ({"market": condition}, 1),
        ({"market": "0x12"}, 0), ({"asset_id": yes}, 1), ({"after": str(NOW_S)}, 0), ({"before": str(NOW_S + 1)}, 1),
        ({"before": str(NOW_S - 1)}, 0),
    ):  # fmt: skip
        page = alice.call("GET", "/data/trades", query=query).document
        assert len(page["data"]) == number, query
    assert alice.call("GET", "/data/order/0x12").status == 404
