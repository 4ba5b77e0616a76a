"""The sandbox's matching engine by value, and by property against a reference that is too simple to be wrong."""

import json
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from execution.sandbox.accounts import CASH, VAULT
from execution.sandbox.floor import Floor
from execution.sandbox.ladder import Side
from execution.sandbox.settlement import TradeStatus
from tests.sandbox_builders import SHARE, Exchange, Trader


def floor_of(exchange: Exchange, market: int = 0) -> Floor:
    floor = exchange.generator.floor(exchange.generator.markets[market].asset_ids[0])
    assert floor is not None
    return floor


def clear_the_book(exchange: Exchange) -> None:
    """Send the simulated traders away, so that only users' orders are left."""
    ladder = floor_of(exchange).ladder
    ladder.bids.clear()
    ladder.asks.clear()


def alone(traders: int = 2) -> tuple[Exchange, list[Trader]]:
    exchange = Exchange()
    clear_the_book(exchange)
    return exchange, [exchange.trader(number + 1) for number in range(traders)]


def status_of(trader: Trader, placed: dict[str, Any]) -> tuple[str, str]:
    document: Any = trader.call("GET", f"/data/order/{placed['orderID']}").document
    return document["status"], document["size_matched"]


def test_an_order_that_meets_nobody_rests_and_is_in_the_book_of_both_tokens() -> None:
    exchange, (alice, _) = alone()
    yes, no = exchange.generator.markets[0].asset_ids
    assert alice.placed("BUY", "0.4", "10")["status"] == "live"
    book: Any = exchange.ask("GET", "/book", token_id=yes).document
    mirror: Any = exchange.ask("GET", "/book", token_id=no).document
    assert (book["bids"], book["asks"]) == ([{"price": "0.4", "size": "10"}], [])
    assert (mirror["bids"], mirror["asks"]) == ([], [{"price": "0.6", "size": "10"}])


def test_the_better_price_is_served_first_and_at_one_price_the_earlier_order() -> None:
    _, (alice, bob, carol) = alone(3)
    early = alice.placed("SELL", "0.5", "10")
    later = bob.placed("SELL", "0.5", "10")
    late_but_better = bob.placed("SELL", "0.49", "10")
    carol.placed("BUY", "0.5", "25")
    assert status_of(bob, late_but_better) == ("MATCHED", "10")
    assert status_of(alice, early) == ("MATCHED", "10")
    assert status_of(bob, later) == ("LIVE", "5")


def test_a_better_price_is_the_taker_s_gain() -> None:
    exchange, (alice, bob) = alone()
    alice.placed("SELL", "0.4", "10")
    placed = bob.placed("BUY", "0.6", "10")
    assert (placed["makingAmount"], placed["takingAmount"]) == ("4", "10")
    exchange.pass_time(3)
    fee = 10 * exchange.generator.markets[0].fees.rate * 0.4 * 0.6
    assert bob.owned() == 996 * SHARE - round(fee * SHARE, -1)
    assert alice.owned() == 1_004 * SHARE


def test_two_buyers_of_opposite_tokens_mint_a_set() -> None:
    exchange, (alice, bob) = alone()
    yes, no = exchange.generator.markets[0].asset_ids
    alice.placed("BUY", "0.4", "10", outcome=0)
    assert bob.placed("BUY", "0.6", "10", outcome=1)["status"] == "matched"
    exchange.pass_time(3)
    assert (alice.owned(yes), bob.owned(no), alice.owned()) == (110 * SHARE, 110 * SHARE, 996 * SHARE)
    assert exchange.venue.ledger.of(VAULT).owned[CASH] == 10 * SHARE


def test_two_sellers_of_opposite_tokens_merge_a_set() -> None:
    exchange, (alice, bob) = alone()
    yes, no = exchange.generator.markets[0].asset_ids
    alice.placed("SELL", "0.4", "10", outcome=0)
    assert bob.placed("SELL", "0.6", "10", outcome=1)["status"] == "matched"
    exchange.pass_time(3)
    assert (alice.owned(yes), bob.owned(no), alice.owned()) == (90 * SHARE, 90 * SHARE, 1_004 * SHARE)
    assert exchange.venue.ledger.of(VAULT).owned[CASH] == -10 * SHARE


def test_a_market_buy_spends_its_cash_and_gets_more_shares_for_a_better_price() -> None:
    _, (alice, bob) = alone()
    alice.placed("SELL", "0.25", "50")
    placed = bob.placed("BUY", "0.5", "10", kind="FAK")  # five dollars, at 0.5 or better
    assert (placed["makingAmount"], placed["takingAmount"]) == ("5", "20")


def test_a_fak_takes_what_there_is_and_nothing_of_it_rests() -> None:
    _, (alice, bob) = alone()
    alice.placed("BUY", "0.5", "6")
    placed = bob.placed("SELL", "0.5", "10", kind="FAK")
    assert (placed["makingAmount"], placed["takingAmount"]) == ("6", "3")
    assert bob.call("GET", "/data/orders").document == {
        "data": [], "next_cursor": "LTE=", "limit": 500, "count": 0,
    }  # fmt: skip


def test_what_is_bought_can_be_sold_once_it_is_mined_and_not_before() -> None:
    exchange, (alice, bob) = alone()
    yes = exchange.generator.markets[0].asset_ids[0]
    alice.placed("SELL", "0.5", "20")
    bob.placed("BUY", "0.5", "20")
    assert bob.free(yes) == 100 * SHARE
    assert bob.refused("SELL", "0.9", "110") == (400, "not enough balance / allowance")
    exchange.pass_time(2)
    assert bob.free(yes) == 120 * SHARE
    bob.placed("SELL", "0.9", "110")


def test_an_open_order_speaks_for_what_it_would_pay_until_it_is_cancelled() -> None:
    _, (alice, _) = alone()
    placed = alice.placed("BUY", "0.5", "1900")
    assert alice.free() == 50 * SHARE
    assert alice.refused("BUY", "0.5", "101") == (400, "not enough balance / allowance")
    alice.call("DELETE", "/order", {"orderID": placed["orderID"]})
    assert alice.free() == 1_000 * SHARE


def test_many_makers_settle_in_several_transactions_of_one_trade() -> None:
    exchange, (alice, bob) = alone()
    for _ in range(6):
        alice.placed("SELL", "0.5", "5")
    placed = bob.placed("BUY", "0.5", "30")
    trades: Any = bob.call("GET", "/data/trades").document
    rows = [(trade["id"], trade["bucket_index"], trade["size"]) for trade in trades["data"]]
    assert sorted(rows) == [(placed["tradeIDs"][0], 0, "20"), (placed["tradeIDs"][0], 1, "10")]
    exchange.pass_time(7)
    settled: Any = bob.call("GET", "/data/trades").document
    assert {trade["status"] for trade in settled["data"]} == {"CONFIRMED"}
    assert len({trade["transaction_hash"] for trade in settled["data"]}) == 2


def test_the_price_of_a_trade_is_an_average_and_the_makers_parts_are_exact() -> None:
    _, (alice, bob) = alone()
    alice.placed("SELL", "0.2", "10")
    alice.placed("SELL", "0.21", "5")
    bob.placed("BUY", "0.21", "15")
    trades: Any = bob.call("GET", "/data/trades").document
    trade = trades["data"][0]
    assert trade["price"] == "0.2"  # 0.2033 on the tick's decimals
    assert [(part["price"], part["matched_amount"]) for part in trade["maker_orders"]] == [("0.2", "10"), ("0.21", "5")]


def test_a_user_s_order_waits_behind_the_traders_and_their_later_size_waits_behind_it() -> None:
    exchange = Exchange()
    alice, floor = exchange.trader(), floor_of(exchange)
    best = floor.ladder.best_bid()
    ahead = floor.ladder.bids[best]
    placed = alice.placed("BUY", f"{best / 10_000}", "10")
    assert floor.ladder.bids[best] == ahead + 10 * SHARE
    floor.take(Side.SELL, ahead, best, exchange.now_ms, transaction_hash="0x" + "ab" * 32)
    exchange.pass_time(0)
    assert status_of(alice, placed) == ("LIVE", "0")
    floor.take(Side.SELL, 4 * SHARE, best, exchange.now_ms, transaction_hash="0x" + "ab" * 32)
    exchange.pass_time(0)
    assert status_of(alice, placed) == ("LIVE", "4")
    kinds = [(event["event_type"], event.get("trader_side")) for event in exchange.heard(alice.address)]
    assert kinds == [("order", None), ("order", None), ("trade", "MAKER")]


def test_living_traders_fill_a_quoting_user_sooner_or_later() -> None:
    exchange = Exchange(pace=20.0)
    alice = exchange.trader()
    for _ in range(40):
        floor = floor_of(exchange)
        bid, ask = floor.ladder.best_bid(), floor.ladder.best_ask()
        alice.order("BUY", f"{bid / 10_000}", "5", post_only=True)
        alice.order("SELL", f"{ask / 10_000}", "5", post_only=True)
        exchange.pass_time(0.5)
    exchange.pass_time(10)
    trades: Any = alice.call("GET", "/data/trades").document
    assert {trade["trader_side"] for trade in trades["data"]} == {"MAKER"}
    assert {part["side"] for trade in trades["data"] for part in trade["maker_orders"]} == {"BUY", "SELL"}
    conserved(exchange)


def conserved(exchange: Exchange) -> None:
    """Nothing was made or lost: cash in all, and tokens beside the sets in the vault."""
    ledger, terms = exchange.venue.ledger, exchange.terms
    wallets = len(ledger.wallets())
    assert ledger.total(CASH) == wallets * terms.cash
    for market in exchange.generator.markets:
        yes, no = (ledger.total(asset_id) for asset_id in market.asset_ids)
        assert yes == no
    sets = sum(ledger.total(market.asset_ids[0]) - wallets * terms.shares for market in exchange.generator.markets)
    assert ledger.of(VAULT).owned[CASH] == sets
    for account in ledger.wallets().values():
        assert all(amount >= 0 for amount in account.held.values())
        assert all(account.free(asset) >= 0 for asset in list(account.owned))


class Onlooker:
    """A client of the market channel: books rebuilt from frames alone."""

    def __init__(self, exchange: Exchange) -> None:
        opening: Any = exchange.generator.opening_books(exchange.generator.asset_ids)
        self.levels = {
            (book["asset_id"], side): {level["price"]: level["size"] for level in book[key]}
            for book in opening
            for side, key in (("BUY", "bids"), ("SELL", "asks"))
        }
        self.hashes: dict[str, str] = {}

    def hear(self, text: str) -> None:
        frame = json.loads(text)
        for entry in frame.get("price_changes", []):
            levels = self.levels[entry["asset_id"], entry["side"]]
            levels[entry["price"]] = entry["size"]
            if entry["size"] == "0":
                del levels[entry["price"]]
            self.hashes[entry["asset_id"]] = entry["hash"]
        if frame["event_type"] in ("book", "tick_size_change"):
            self.hashes.pop(frame["asset_id"], None)


def test_frames_alone_rebuild_the_books_while_users_and_traders_trade() -> None:
    exchange = Exchange(pace=30.0)
    alice, rng = exchange.trader(), Random(3)
    onlooker = Onlooker(exchange)
    for _ in range(300):
        floor = floor_of(exchange, rng.randrange(4))
        number = exchange.generator.markets.index(floor.spec)
        price = f"{(floor.ladder.best_bid() + floor.tick * rng.randrange(-3, 4)) / 10_000:.4f}"
        side = rng.choice(("BUY", "SELL"))
        alice.order(side, price, "5", market=number, outcome=rng.randrange(2), kind=rng.choice(("GTC", "FAK")))
        if rng.random() < 0.2:
            alice.call("DELETE", "/cancel-all")
        exchange.pass_time(rng.random() / 4)
        for frame in exchange.venue.frames:
            onlooker.hear(frame.text)
        exchange.venue.frames.clear()
    assert len(exchange.venue.orders) > 100
    for asset_id in exchange.generator.asset_ids:
        book: Any = exchange.generator.rest_book(asset_id)
        for side, key in (("BUY", "bids"), ("SELL", "asks")):
            shown = {level["price"]: level["size"] for level in book[key]}
            assert onlooker.levels[asset_id, side] == shown
        assert onlooker.hashes.get(asset_id, book["hash"]) == book["hash"]
    exchange.pass_time(20)
    conserved(exchange)


def test_the_same_seed_and_the_same_requests_give_the_same_venue() -> None:
    payloads: list[Any] = []

    def lived() -> tuple[list[Any], list[str]]:
        exchange = Exchange(pace=30.0)
        alice = exchange.trader()
        for number in range(20):
            if len(payloads) <= number:
                payloads.append(alice.payload("BUY", "0.6", "10", market=number % 4, kind="FAK"))
            alice.call("POST", "/order", payloads[number])
            exchange.pass_time(1)
        frames = [frame.text for frame in exchange.venue.frames]
        return [item.document for item in exchange.venue.news], frames

    assert lived() == lived()


@dataclass
class Resting:
    """One order of the reference: side and price from YES, and its place in time."""

    order_id: str
    side: Side
    price: int
    left: int


class Reference:
    """A flat list, searched from end to end for the best order that is left."""

    def __init__(self, floor: Floor) -> None:
        ladder = floor.ladder
        self.resting = [
            Resting("traders", side, price, size) for side in Side for price, size in ladder.levels(side).items()
        ]

    def place(self, order_id: str, side: Side, price: int, size: int) -> list[tuple[str, int]]:
        fills = []
        while size:
            crossing = [
                other
                for other in self.resting
                if other.left and other.side is side.other
                if (other.price <= price if side is Side.BUY else other.price >= price)
            ]
            if not crossing:
                break
            towards = 1 if side is Side.BUY else -1
            best = min(crossing, key=lambda other: towards * other.price)  # the first of equals
            part = min(size, best.left)
            best.left -= part
            size -= part
            fills.append((best.order_id, part))
        if size:
            self.resting.append(Resting(order_id, side, price, size))
        return fills

    def cancel(self, order_id: str) -> None:
        self.resting = [other for other in self.resting if other.order_id != order_id]

    def levels(self, side: Side) -> dict[int, int]:
        sums: dict[int, int] = {}
        for other in self.resting:
            if other.side is side and other.left:
                sums[other.price] = sums.get(other.price, 0) + other.left
        return sums


ACTS = st.lists(
    st.tuples(
        st.integers(0, 2),  # who
        st.sampled_from(("BUY", "SELL", "CANCEL")),
        st.integers(0, 1),  # which token
        st.integers(40, 60),  # cents
        st.integers(5, 30),  # shares
    ),
    min_size=5,
    max_size=30,
)


@pytest.mark.parametrize("with_traders", [False, True])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(acts=ACTS)
def test_every_sequence_ends_where_the_reference_ends(with_traders: bool, acts: list[Any]) -> None:
    exchange = Exchange()
    if not with_traders:
        clear_the_book(exchange)
    traders = [exchange.trader(number + 1) for number in range(3)]
    floor, reference = floor_of(exchange), Reference(floor_of(exchange))
    placed: list[tuple[Trader, str]] = []
    filled: dict[str, int] = {}
    for who, what, outcome, cents, shares in acts:
        if what == "CANCEL":
            if placed:
                trader, order_id = placed.pop(cents % len(placed))
                trader.call("DELETE", "/order", {"orderID": order_id})
                reference.cancel(order_id)
            continue
        reply = traders[who].order(what, f"0.{cents}", str(shares), outcome=outcome)
        if reply.status != 200:
            continue  # not covered
        document: Any = reply.document
        side = Side[what] if outcome == 0 else Side[what].other
        price = cents * 100 if outcome == 0 else 10_000 - cents * 100
        for order_id, part in reference.place(document["orderID"], side, price, shares * SHARE):
            for key in (order_id, document["orderID"]):
                filled[key] = filled.get(key, 0) + part
        placed.append((traders[who], document["orderID"]))
        assert floor.ladder.best_bid() < floor.ladder.best_ask()
        conserved(exchange)
    filled.pop("traders", None)
    orders = exchange.venue.orders.values()
    assert {order.order_id: order.matched for order in orders if order.matched} == filled
    assert (floor.ladder.bids, floor.ladder.asks) == (reference.levels(Side.BUY), reference.levels(Side.SELL))
    exchange.pass_time(10)
    conserved(exchange)
    assert {
        trade.status for trader in traders for trade in exchange.venue.trades_of(trader.address)
    } <= {TradeStatus.CONFIRMED}  # fmt: skip
