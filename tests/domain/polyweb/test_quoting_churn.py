"""Churn control is tunable per market: each parameter steers the requoting of its own market and of no other."""

from collections.abc import Mapping

from tests.builders import SECOND, SHARES, Stage, a_market, book, cancelled, fill_of, plain

OWN, OTHER = a_market(1), a_market(2)  # orders 1 and 2, 3 and 4: each the bid first
SAME, HIGHER = ({4900: 100}, {5100: 100}), ({5000: 100}, {5200: 100})
CALM: Mapping[str, int] = {"inventory_skew": 0}


def quoting(own: Mapping[str, int], both: Mapping[str, int] = CALM) -> Stage:
    """Two markets quoted at 0.49 and 0.51, of which one has parameters of its own."""
    return Stage(OWN, OTHER, params={OWN.condition_id: plain(**both, **own)}, defaults=plain(**both)).quoting()


def gone(stage: Stage, seconds: int, shown: tuple[dict[int, int], dict[int, int]] = HIGHER) -> list[int]:
    """The orders cancelled when both books look like this so much later."""
    stage.after(seconds * SECOND)
    return sorted(cancelled(stage.turn(*(book(market, stage.now, *shown) for market in (OWN, OTHER)))))


def test_a_larger_least_change_keeps_quotes() -> None:
    assert gone(quoting({"min_change_ticks": 2}), 1) == [3, 4]


def test_a_longer_lifetime_keeps_quotes() -> None:
    stage = quoting({"min_quote_lifetime_ms": 2_000})
    assert gone(stage, 1) == [3, 4]
    assert gone(stage, 1) == [1, 2]


def test_fewer_cancels_a_minute_leave_the_nearer_quote() -> None:
    assert len(gone(quoting({"max_cancels_per_minute": 1}), 1)) == 3


def test_a_replace_window_keeps_a_side_that_was_just_replaced() -> None:
    stage = quoting({"replace_window_ms": 5_000})
    assert gone(stage, 1) == [1, 2, 3, 4]
    stage.turn()
    others = [order.client_order_id for order in stage.live(OTHER)]
    assert gone(stage, 1, SAME) == others


def test_no_size_tolerance_replaces_a_quote_that_was_partly_filled() -> None:
    stage = quoting({"size_tolerance": 0})
    stage.apply(*(fill_of(stage.live(market)[0], stage.now, 5 * SHARES, market.question) for market in (OWN, OTHER)))
    assert gone(stage, 1, SAME) == [1]


def test_a_place_in_the_queue_is_worth_so_many_ticks() -> None:
    assert gone(quoting({"keep_queue_ticks": 3}, {**CALM, "keep_queue_after_ms": 1_000}), 1) == [2, 3, 4]


def test_a_place_in_the_queue_takes_so_long_to_have() -> None:
    assert gone(quoting({"keep_queue_after_ms": 1_000}, {**CALM, "keep_queue_ticks": 3}), 1) == [2, 3, 4]


def test_an_order_older_than_the_most_is_replaced_where_it_stands() -> None:
    assert gone(quoting({"max_order_age_s": 5}), 6, SAME) == [1, 2]


def test_quotes_are_renewed_before_their_own_market_s_expiry() -> None:
    assert gone(quoting({"quote_expiry_s": 180}), 160, SAME) == [1, 2]
