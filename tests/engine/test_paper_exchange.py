from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.domain.commands import (
    Accepted,
    Ack,
    CancelFailed,
    Cancelled,
    Fill,
    NewOrder,
    Outcome,
    Rejected,
    TradeStatus,
)
from execution.domain.ledger import Ledger
from execution.relayers.paper import PaperExchange
from execution.relayers.paper_queue import oriented
from markets.domain.events import (
    BookSnapshot,
    LastTrade,
    Level,
    LevelChange,
    MarketResolved,
    PriceChange,
    Side,
    TickSizeChange,
)
from markets.domain.fees import FeeSchedule, taker_fee_ceil
from markets.domain.market import Market
from strategies.domain.intents import OrderType

SHARE = 1_000_000
MS = 1_000_000
MARKET = Market("m", "e", "Will it?", "yes", "no", fees=FeeSchedule(rate=500))
DEEP = ((4800, 100 * SHARE), (4700, 300 * SHARE))
OFFERS = ((5200, 100 * SHARE), (5300, 300 * SHARE))


class Floor:
    """A paper exchange with one market, driven in milliseconds."""

    def __init__(self, cash: int = 1000 * SHARE, *, latency_ms: int = 0, settle_ms: int = 0, seed: int = 0) -> None:
        self.exchange = PaperExchange(
            {"m": MARKET}.get, cash, seed=seed, latency_ns=latency_ms * MS, settle_ns=settle_ms * MS
        )
        self.now = 1_000

    def book(self, bids: tuple[Level, ...] = DEEP, asks: tuple[Level, ...] = OFFERS) -> "Floor":
        self.exchange.on_event(BookSnapshot("m", "yes", self.now, bids, asks, ""), self.now * MS)
        return self

    def level(self, side: Side, price: int, shares: int, asset: str = "yes") -> None:
        change = LevelChange(asset, side, price, shares * SHARE, -1, -1, "")
        self.exchange.on_event(PriceChange("m", self.now, (change,)), self.now * MS)

    def trade(self, side: Side, price: int, shares: float, asset: str = "yes") -> list[Outcome]:
        """`side` is the taker's."""
        event = LastTrade("m", asset, self.now, price, int(shares * SHARE), side)
        self.exchange.on_event(event, self.now * MS)
        return self.exchange.due(self.now * MS)

    def submit(
        self,
        number: int,
        side: Side,
        price: int,
        shares: float = 20,
        asset: str = "yes",
        kind: OrderType = OrderType.GTC,
        post_only: bool = True,
        expires_ms: int = 0,
    ) -> list[Outcome]:
        order = NewOrder(number, "m", asset, side, price, int(shares * SHARE), 100, kind, post_only, expires_ms)
        self.exchange.submit(order, f"0x{number}", self.now * MS)
        return self.exchange.due(self.now * MS)

    def take(self, number: int, side: Side, price: int, shares: float, asset: str = "yes") -> list[Outcome]:
        return self.submit(number, side, price, shares, asset, OrderType.FAK, False)

    def hold(self, shares: float, asset: str = "yes") -> None:
        fill = Fill(
            99, f"held-{asset}", 0, "m", asset, Side.BUY, 5000, int(shares * SHARE), 0, True, TradeStatus.CONFIRMED, 0
        )
        self.exchange.ledger.apply(fill)

    def cancel(self, number: int) -> list[Outcome]:
        self.exchange.cancel((number,), self.now * MS)
        return self.exchange.due(self.now * MS)


def fills(outcomes: list[Outcome]) -> list[tuple[int, float]]:
    return [(each.client_order_id, each.size / SHARE) for each in outcomes if isinstance(each, Fill)]


def code(outcomes: list[Outcome]) -> str:
    (only,) = outcomes
    assert isinstance(only, Rejected), only
    return only.code


def test_an_order_rests_with_its_venue_id() -> None:
    floor = Floor().book()
    assert floor.submit(1, Side.BUY, 4800) == [Accepted(1, "0x1", Ack.LIVE, 1_000 * MS)]
    assert [each.order_id for each in floor.exchange.open_orders] == ["0x1"]


def test_a_print_eats_the_queue_ahead_first() -> None:
    floor = Floor().book()
    floor.submit(1, Side.BUY, 4800)
    assert fills(floor.trade(Side.SELL, 4800, 90)) == []
    assert fills(floor.trade(Side.SELL, 4800, 15)) == [(1, 5.0)]
    assert fills(floor.trade(Side.SELL, 4800, 50)) == [(1, 15.0)]
    assert floor.exchange.open_orders == ()


def test_an_empty_level_has_no_queue() -> None:
    floor = Floor().book()
    floor.submit(1, Side.BUY, 4900)
    assert fills(floor.trade(Side.SELL, 4900, 5)) == [(1, 5.0)]


def test_a_print_at_a_worse_price_traded_through_us() -> None:
    floor = Floor().book()
    floor.submit(1, Side.BUY, 4800)
    (fill,) = floor.trade(Side.SELL, 4700, 8)
    assert isinstance(fill, Fill)
    assert (fill.price, fill.size, fill.maker, fill.fee) == (4800, 8 * SHARE, True, 0)


def test_a_print_on_the_other_side_or_above_us_is_not_ours() -> None:
    floor = Floor().book()
    floor.submit(1, Side.BUY, 4700)
    assert floor.trade(Side.BUY, 4700, 500) == []
    assert floor.trade(Side.SELL, 4800, 500) == []


def test_a_print_of_the_other_token_hits_the_complement() -> None:
    floor = Floor().book()
    floor.submit(1, Side.BUY, 4900)
    floor.submit(2, Side.BUY, 4900, asset="no")
    assert fills(floor.trade(Side.BUY, 5100, 3, asset="no")) == [(1, 3.0)]
    assert fills(floor.trade(Side.BUY, 5100, 4, asset="yes")) == [(2, 4.0)]


def test_a_touch_without_a_print_fills_nothing() -> None:
    floor = Floor().book()
    floor.submit(1, Side.BUY, 4900)
    floor.level(Side.SELL, 4900, 50)
    assert floor.exchange.due(floor.now * MS) == []


def test_cancels_ahead_are_shared_out_evenly() -> None:
    floor = Floor().book()
    floor.submit(1, Side.BUY, 4800)  # 100 ahead
    floor.level(Side.BUY, 4800, 200)  # 100 more behind us
    floor.level(Side.BUY, 4800, 100)  # half of all cancelled: 50 of those ahead
    floor.now += 10_000
    assert fills(floor.trade(Side.SELL, 4800, 60)) == [(1, 10.0)]


@pytest.mark.parametrize("fall_first", [True, False])
def test_a_fall_explained_by_a_print_is_counted_once(fall_first: bool) -> None:
    floor = Floor().book()
    floor.submit(1, Side.BUY, 4800)  # 100 ahead
    floor.level(Side.BUY, 4800, 200)
    if fall_first:
        floor.level(Side.BUY, 4800, 140)
        assert fills(floor.trade(Side.SELL, 4800, 60)) == []
    else:
        assert fills(floor.trade(Side.SELL, 4800, 60)) == []
        floor.level(Side.BUY, 4800, 140)
    assert fills(floor.trade(Side.SELL, 4800, 45)) == [(1, 5.0)]


def test_a_swept_level_fills_us_behind_what_was_ahead() -> None:
    floor = Floor().book()
    floor.submit(1, Side.BUY, 4800)
    floor.level(Side.BUY, 4800, 115)
    floor.level(Side.BUY, 4800, 0)
    assert fills(floor.trade(Side.SELL, 4800, 115)) == [(1, 15.0)]


def test_a_fresh_snapshot_moves_the_queue_like_a_change() -> None:
    floor = Floor().book()
    floor.submit(1, Side.BUY, 4800)
    floor.book(bids=((4800, 40 * SHARE),))
    floor.now += 10_000
    assert fills(floor.trade(Side.SELL, 4800, 50)) == [(1, 10.0)]


def test_our_own_orders_at_one_price_share_the_queue_in_order() -> None:
    floor = Floor().book()
    floor.submit(1, Side.BUY, 4800, 10)
    floor.level(Side.BUY, 4800, 150)
    floor.submit(2, Side.BUY, 4800, 10)
    assert fills(floor.trade(Side.SELL, 4800, 105)) == [(1, 5.0)]
    assert fills(floor.trade(Side.SELL, 4800, 60)) == [(1, 5.0), (2, 5.0)]


def test_the_best_of_our_prices_is_traded_first() -> None:
    floor = Floor().book()
    floor.submit(1, Side.BUY, 4850 - 50, 10)
    floor.submit(2, Side.BUY, 4900, 10)
    assert fills(floor.trade(Side.SELL, 4700, 15)) == [(2, 10.0), (1, 5.0)]


# Rejections


def test_a_post_only_order_that_would_cross_is_rejected() -> None:
    floor = Floor().book()
    assert code(floor.submit(1, Side.BUY, 5200)) == "crosses_book"
    assert code(floor.submit(2, Side.BUY, 5200, asset="no")) == "crosses_book"


def test_our_own_orders_never_meet() -> None:
    floor = Floor().book()
    floor.submit(1, Side.BUY, 5000)
    assert code(floor.submit(2, Side.BUY, 5000, asset="no")) == "crosses_book"
    assert code(floor.take(3, Side.BUY, 5000, 10, asset="no")) == "own_cross"


def test_terms_are_checked_as_the_venue_does() -> None:
    floor = Floor().book()
    assert code(floor.submit(1, Side.BUY, 4850)) == "off_grid"
    assert code(floor.submit(2, Side.BUY, 4800, 4.99)) == "below_min_size"
    assert code(floor.take(3, Side.BUY, 5200, 1)) == "below_min_amount"
    assert code(floor.submit(4, Side.BUY, 4800, kind=OrderType.GTD, expires_ms=1_000)) == "invalid_expiration"


def test_a_finer_tick_widens_the_grid() -> None:
    floor = Floor().book()
    floor.exchange.on_event(TickSizeChange("m", "yes", 1_000, 100, 10), 1_000 * MS)
    assert isinstance(floor.submit(1, Side.BUY, 4790)[0], Accepted)


def test_a_market_without_a_book_takes_no_orders() -> None:
    assert code(Floor().submit(1, Side.BUY, 4800)) == "no_orderbook"


# Money


def test_resting_buys_reserve_cash_and_give_it_back() -> None:
    floor = Floor(cash=10 * SHARE).book()
    assert isinstance(floor.submit(1, Side.BUY, 4800, 20)[0], Accepted)
    assert floor.exchange.buying_power == 400_000
    assert code(floor.submit(2, Side.BUY, 4700, 20)) == "balance"
    floor.cancel(1)
    assert floor.exchange.buying_power == 10 * SHARE


def test_a_fill_turns_the_reserve_into_shares() -> None:
    floor = Floor(cash=10 * SHARE).book()
    floor.submit(1, Side.BUY, 4900, 20)
    floor.trade(Side.SELL, 4900, 5)
    assert floor.exchange.ledger.cash == 10 * SHARE - 2_450_000
    assert floor.exchange.buying_power == 200_000


def test_a_sell_needs_shares_that_are_not_on_offer_already() -> None:
    floor = Floor().book()
    assert code(floor.submit(1, Side.SELL, 5200, 10)) == "balance"
    floor.hold(15)
    assert isinstance(floor.submit(2, Side.SELL, 5200, 10)[0], Accepted)
    assert code(floor.submit(3, Side.SELL, 5300, 10)) == "balance"


def test_unsettled_shares_cannot_be_sold_yet() -> None:
    floor = Floor(settle_ms=2_000).book()
    first = [each for each in floor.take(1, Side.BUY, 5200, 10) if isinstance(each, Fill)]
    assert [each.status for each in first] == [TradeStatus.MATCHED]
    assert code(floor.submit(2, Side.SELL, 5300, 10)) == "balance"
    floor.now += 2_000
    (settled,) = floor.exchange.due(floor.now * MS)
    assert isinstance(settled, Fill)
    assert (settled.trade_id, settled.status) == (first[0].trade_id, TradeStatus.CONFIRMED)
    assert isinstance(floor.submit(3, Side.SELL, 5300, 10)[0], Accepted)


def test_pairs_are_mergeable_and_count_as_cash() -> None:
    floor = Floor(cash=0).book()
    floor.hold(10)
    floor.hold(10, "no")  # 10 pUSD were spent: cash is below zero, covered by the pairs
    assert floor.exchange.mergeable("m") == 10 * SHARE
    assert floor.exchange.buying_power == 0
    assert code(floor.submit(1, Side.SELL, 5200, 10)) == "balance"  # those shares are the cover


# Taking


def test_taking_pays_the_levels_and_the_fee() -> None:
    floor = Floor().book()
    outcomes = floor.take(1, Side.BUY, 5300, 120)
    prices = [(each.price, each.size, each.fee, each.maker) for each in outcomes if isinstance(each, Fill)]
    assert prices == [
        (5200, 100 * SHARE, taker_fee_ceil(MARKET.fees, 5200, 100 * SHARE), False),
        (5300, 20 * SHARE, taker_fee_ceil(MARKET.fees, 5300, 20 * SHARE), False),
    ]
    assert outcomes[0] == Accepted(1, "0x1", Ack.MATCHED, floor.now * MS)


def test_taking_the_other_token_eats_the_mirrored_side() -> None:
    floor = Floor().book()
    (fill,) = [each for each in floor.take(1, Side.BUY, 5200, 10, asset="no") if isinstance(each, Fill)]
    assert (fill.asset, fill.price) == ("no", 5200)


def test_what_was_taken_is_gone_until_the_level_is() -> None:
    floor = Floor().book()
    floor.take(1, Side.BUY, 5200, 100)
    assert code(floor.take(2, Side.BUY, 5200, 10)) == "fak_no_match"
    floor.level(Side.SELL, 5200, 90)
    assert code(floor.take(3, Side.BUY, 5200, 10)) == "fak_no_match"
    floor.level(Side.SELL, 5200, 0)
    floor.level(Side.SELL, 5200, 90)
    assert fills(floor.take(4, Side.BUY, 5200, 10)) == [(4, 10.0)]


def test_fill_or_kill_is_all_or_nothing_and_fak_gives_the_rest_back() -> None:
    floor = Floor().book()
    assert code(floor.submit(1, Side.BUY, 5200, 101, kind=OrderType.FOK, post_only=False)) == "fok_not_filled"
    outcomes = floor.take(2, Side.BUY, 5200, 130)
    assert fills(outcomes) == [(2, 100.0)]
    assert isinstance(outcomes[-1], Cancelled)


def test_a_crossing_order_that_may_rest_takes_and_then_rests() -> None:
    floor = Floor().book()
    outcomes = floor.submit(1, Side.BUY, 5200, 120, post_only=False)
    assert fills(outcomes) == [(1, 100.0)]
    assert [each.size - each.matched for each in floor.exchange.open_orders] == [20 * SHARE]


# Time


def test_orders_and_cancels_take_their_time() -> None:
    floor = Floor(latency_ms=50).book()
    assert floor.submit(1, Side.BUY, 4900) == []
    assert floor.exchange.open_ids == (1,)
    assert floor.trade(Side.SELL, 4900, 5) == []  # it has not arrived
    floor.now += 100
    assert isinstance(floor.trade(Side.SELL, 4900, 5)[0], Accepted)
    assert floor.cancel(1) == []
    assert fills(floor.trade(Side.SELL, 4900, 5)) == [(1, 5.0)]  # the cancel is still on its way
    floor.now += 100
    assert isinstance(floor.exchange.due(floor.now * MS)[0], Cancelled)


def test_a_cancel_never_overtakes_its_order() -> None:
    floor = Floor(latency_ms=50, seed=3).book()
    for number in range(1, 30):
        floor.submit(number, Side.BUY, 4800, 5)
        floor.cancel(number)
    kinds = [type(each) for each in floor.exchange.due(10**12)]
    assert kinds == [Accepted, Cancelled] * 29


def test_a_cancel_of_what_is_gone_fails() -> None:
    floor = Floor().book()
    floor.submit(1, Side.BUY, 4900, 5)
    floor.trade(Side.SELL, 4900, 5)
    assert isinstance(floor.cancel(1)[0], CancelFailed)


def test_a_gtd_order_ends_a_minute_before_its_expiry() -> None:
    floor = Floor().book()
    floor.submit(1, Side.BUY, 4800, kind=OrderType.GTD, expires_ms=200_000)
    floor.now = 139_999
    assert floor.exchange.due(floor.now * MS) == []
    floor.now = 140_000
    assert floor.exchange.due(floor.now * MS) == [Cancelled(1, "expired", 140_000 * MS, expired=True)]


def test_the_same_order_sent_again_is_placed_once() -> None:
    floor = Floor().book()
    floor.submit(1, Side.BUY, 4800)
    assert isinstance(floor.submit(1, Side.BUY, 4800)[0], Accepted)
    assert len(floor.exchange.open_orders) == 1
    floor.cancel(1)
    assert code(floor.submit(1, Side.BUY, 4800)) == "duplicated"


def test_a_resolved_market_drops_its_orders() -> None:
    floor = Floor().book()
    floor.submit(1, Side.BUY, 4800)
    floor.exchange.on_event(MarketResolved("m", 1_000, "yes"), floor.now * MS)
    assert isinstance(floor.exchange.due(floor.now * MS)[0], Cancelled)
    assert floor.exchange.buying_power == 1000 * SHARE


def story(floor: Floor) -> list[Outcome]:
    floor.book()
    heard: list[Outcome] = []
    for step in range(40):
        floor.now += 37
        heard += floor.submit(step + 1, Side.BUY, 4700 + 100 * (step % 3), 5, "yes" if step % 2 else "no")
        heard += floor.trade(Side.SELL if step % 3 else Side.BUY, 4700 + 100 * (step % 6), 30)
        heard += floor.cancel(step - 3)
    return heard + floor.exchange.due(10**12)


def test_a_seed_tells_the_same_story_again_and_another_seed_another() -> None:
    first, again, other = (story(Floor(latency_ms=50, settle_ms=500, seed=seed)) for seed in (7, 7, 8))
    assert first == again != other


def test_whoever_hears_every_fill_has_the_same_books_as_the_venue() -> None:
    floor = Floor(latency_ms=50, settle_ms=500)
    ours = Ledger(1000 * SHARE)
    ours.restore(each for each in story(floor) if isinstance(each, Fill))
    assert ours.positions
    assert (ours.cash, ours.positions) == (floor.exchange.ledger.cash, floor.exchange.ledger.positions)


PRICES = st.integers(44, 56).map(lambda cents: cents * 100)
ASSETS = st.sampled_from(["yes", "no"])
SIDES = st.sampled_from(Side)
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("submit"), SIDES, PRICES, st.integers(5, 60), ASSETS),
        st.tuples(st.just("take"), SIDES, PRICES, st.integers(5, 60), ASSETS),
        st.tuples(st.just("trade"), SIDES, PRICES, st.integers(1, 200), ASSETS),
        st.tuples(st.just("level"), SIDES, PRICES, st.integers(0, 200), ASSETS),
        st.tuples(st.just("cancel"), st.integers(1, 30)),
    ),
    max_size=40,
)


@given(ACTIONS, st.integers(0, 3))
def test_whatever_happens_nobody_trades_more_than_there_is(
    actions: list[tuple[str, *tuple[Any, ...]]], late: int
) -> None:
    floor = Floor(cash=50 * SHARE, latency_ms=late * 20).book()
    for number, (action, *terms) in enumerate(actions, 1):
        floor.now += 15
        match action:
            case "submit" | "take":
                side, price, shares, asset = terms
                (floor.submit if action == "submit" else floor.take)(number, side, price, shares, asset)
            case "trade":
                filled = sum(shares for _, shares in fills(floor.trade(*terms)))
                assert late or filled <= terms[2]
            case "level":
                floor.level(*terms)
            case "cancel":
                floor.cancel(terms[0])
        floor.exchange.due(floor.now * MS)
        assert floor.exchange.buying_power >= 0
        assert all(size >= 0 for size in floor.exchange.ledger.positions.values())
        assert all(0 <= each.matched < each.size for each in floor.exchange.open_orders)
        sides = [oriented(MARKET, each.asset, each.side, each.price) for each in floor.exchange.open_orders]
        bids, offers = [p for is_bid, p in sides if is_bid], [p for is_bid, p in sides if not is_bid]
        assert not bids or not offers or max(bids) < min(offers)
