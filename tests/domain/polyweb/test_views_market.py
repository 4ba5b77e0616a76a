"""What screens are told: strings for money, prices and sizes, numbers for counts, None for what nobody knows."""

import json

from markets.domain.events import Side
from markets.domain.units import complement
from polyweb.runtime import views
from risk.domain.stops import Stop, StopLevel, StopScope
from tests.builders import SECOND, SHARES, Stage, a_market, book, change, fill_of


def test_a_market_nobody_has_seen_yet_shows_what_it_waits_for() -> None:
    stage = Stage()
    view = views.market_view(stage.trader, stage.market, stage.now)
    assert view["reason"] == "waiting for a book"
    assert (view["trust"], view["trust_reason"]) == ("broken", "awaiting_snapshot")
    assert view["book"] == {"bids": [], "asks": []}
    assert (view["fair"], view["last_trade"], view["position"]["mark"]) == (None, None, None)
    assert view["ours"] == []


def test_a_quoted_market_shows_book_fair_price_quotes_and_why() -> None:
    stage = Stage().quoting().after(SECOND)
    view = views.market_view(stage.trader, stage.market, stage.now)
    assert (view["state"], view["reason"], view["trust"]) == ("quoting", "", "verified")
    assert view["book"]["bids"] == [["0.4900", "100"], ["0.4800", "200"]]
    assert view["fair"] == "0.5000"
    bid, ask = view["ours"]
    assert (bid["yes_side"], bid["yes_price"], bid["outcome"], bid["side"]) == ("bid", "0.4900", "YES", "BUY")
    assert (ask["yes_side"], ask["yes_price"], ask["outcome"], ask["side"]) == ("ask", "0.5100", "NO", "BUY")
    assert (ask["price"], ask["age_ms"], ask["state"]) == ("0.4900", 1_000, "live")
    assert view["trace"][0]["name"] == "mid (x2)"


def test_a_view_is_plain_json() -> None:
    stage = Stage().quoting()
    view = views.market_view(stage.trader, stage.market, stage.now)
    assert json.loads(json.dumps(view)) == view
    summary = views.summary(stage.trader, stage.now)
    assert json.loads(json.dumps(summary)) == summary


def test_a_row_is_the_short_form_of_the_view() -> None:
    stage = Stage().quoting()
    row = views.row(stage.trader, stage.market)
    assert (row["bid"], row["ask"], row["our_bid"], row["our_ask"]) == ("0.4900", "0.5100", "0.4900", "0.5100")
    view = views.market_view(stage.trader, stage.market, stage.now)
    shared = ("condition_id", "question", "trust", "trust_reason", "state", "reason")
    assert row == {name: view[name] for name in shared} | {
        "bid": view["book"]["bids"][0][0],
        "ask": view["book"]["asks"][0][0],
        "our_bid": view["ours"][0]["yes_price"],
        "our_ask": view["ours"][1]["yes_price"],
        "net": view["position"]["net"],
        "pnl": view["position"]["pnl"],
    }


def test_the_row_of_a_market_nobody_has_seen_has_no_prices() -> None:
    stage = Stage()
    row = views.row(stage.trader, stage.market)
    assert [row[name] for name in ("bid", "ask", "our_bid", "our_ask")] == [None] * 4
    assert row["reason"] == "waiting for a book"


def test_a_market_that_is_only_watched_says_so() -> None:
    stage = Stage(trading=frozenset())
    stage.turn(book(stage.market, stage.now))
    view = views.market_view(stage.trader, stage.market, stage.now)
    assert (view["state"], view["reason"], view["trading"]) == ("watching", "off by operator", False)


def test_a_position_shows_cost_mark_profit_and_both_endings() -> None:
    stage = Stage().quoting()
    bid = next(order for order in stage.live() if order.asset == stage.market.yes)
    stage.apply(fill_of(bid, stage.now))
    position = views.position_view(stage.trader, stage.market)
    assert (position["yes"], position["no"], position["net"]) == ("20", "0", "20")
    assert (position["avg_yes"], position["avg_no"]) == ("0.4900", None)
    assert (position["mark"], position["unrealised"], position["pnl"]) == ("0.5000", "0.200000", "0.200000")
    assert (position["if_yes"], position["if_no"]) == ("10.200000", "-9.800000")


def test_both_tokens_held_are_mergeable_and_marked_as_one() -> None:
    stage = Stage().quoting()
    for number, order in enumerate(stage.live()):
        stage.apply(fill_of(order, stage.now, trade_id=f"trade-{number}"))
    position = views.position_view(stage.trader, stage.market)
    assert (position["mergeable"], position["net"], position["pnl"]) == ("20", "0", "0.400000")
    assert views.inventory(stage.trader) == {stage.market.condition_id: {"yes": "20", "no": "20"}}


def test_a_book_that_is_gone_is_marked_by_the_last_trade_or_not_at_all() -> None:
    stage = Stage().quoting()
    stage.hear(change(stage.market, stage.now, Side.BUY, 4900, 0, (4800, 5100)))
    assert views.mark(stage.trader, stage.market.condition_id) == 4950
    stage.hear(book(stage.market, stage.now + SECOND, {}, {5100: 10}))
    assert views.mark(stage.trader, stage.market.condition_id) is None


def test_the_summary_counts_what_happened() -> None:
    first, second = a_market(1), a_market(2)
    stop = Stop(StopLevel.CANCEL, StopScope.MARKET, second.condition_id, "news")
    stage = Stage(first, second, trading=frozenset({first.condition_id}), stops=(stop,))
    stage.turn(book(first, stage.now))
    stage.turn(b'{"market":"%s"' % second.condition_id.encode())
    summary = views.summary(stage.trader, stage.now)
    assert summary["trust"] == {"verified": 1, "suspect": 0, "broken": 1}
    assert summary["markets"] == {"trading": 1, "quoting": 1, "watched": 1}
    assert (summary["orders"]["live"], summary["orders"]["placed"], summary["malformed"]) == (2, 2, 1)
    assert summary["pnl"]["cash"] == "1000.000000"
    assert summary["risk"]["worst_total"] == "9.800000"
    assert summary["rate"] == {"room": 28, "per_second": 30}
    assert summary["stop"] is None  # it stands for one market, the overview tells of those for all
    assert summary["change_seen"] == 1


def test_the_summary_tells_of_a_stop_for_everything() -> None:
    stage = Stage(stops=(Stop(StopLevel.PAUSE, StopScope.ALL, "", "lunch"),))
    assert views.summary(stage.trader, stage.now)["stop"] == {"level": "pause", "scope": "all", "reason": "lunch"}


def test_an_order_being_cancelled_is_still_shown() -> None:
    stage = Stage().quoting()
    stage.operator(trading=frozenset())
    stage.decide()
    view = views.market_view(stage.trader, stage.market, stage.now)
    assert [order["state"] for order in view["ours"]] == ["cancelling", "cancelling"]
    assert view["ours"][0]["remaining"] == str(20 * SHARES // SHARES)


def test_marks_are_of_what_is_held_and_of_nothing_else() -> None:
    stage = Stage().quoting()
    assert stage.trader.marks() == {}
    bid, _ = stage.trader.blotter.live(stage.market.condition_id)
    stage.apply(fill_of(bid, stage.now))
    mark = views.mark(stage.trader, stage.market.condition_id)
    assert mark is not None
    assert stage.trader.marks() == {stage.market.yes: mark, stage.market.no: complement(mark)}
