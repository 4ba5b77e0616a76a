"""Quotes stand on verified books only, and come down at once when a book is doubted."""

import pytest

from execution.domain.commands import Cancel, CancelReason, Command, Place, Resync
from markets.domain.events import Side
from markets.domain.integrity import Doubt, Trust
from polyweb.runtime.inbox import FeedDown, FeedUp
from risk.domain.breakers import DEFAULT_HOLD_NS, BreakerKind, BreakerState
from tests.builders import MILLI, SECOND, START, Stage, a_market, book, cancelled, change, new_tick, placed, plain

LONG_LIVED = plain(min_quote_lifetime_ms=600_000, max_cancels_per_minute=1)


def wishes(commands: list[Command]) -> list[tuple[tuple[str, ...], str]]:
    """Snapshots asked for, and why."""
    return [(command.assets, command.reason) for command in commands if isinstance(command, Resync)]


def reasons(commands: list[Command]) -> list[CancelReason]:
    return [command.reason for command in commands if isinstance(command, Cancel)]


def test_nothing_is_quoted_before_the_first_snapshot() -> None:
    stage = Stage()
    assert placed(stage.turn()) == []
    stage.hear(change(stage.market, stage.now, Side.BUY, 4900, 50, (4900, 5100)))
    assert placed(stage.decide()) == []
    desk = stage.trader.desks[stage.market.condition_id]
    assert desk.reason == "book awaiting snapshot"


def test_a_verified_book_is_quoted_on_both_sides_at_once() -> None:
    stage = Stage()
    commands = stage.turn(book(stage.market, stage.now))
    assert [type(command) for command in commands] == [Place]
    assert stage.prices() == [4900, 5100]
    assert stage.trader.desks[stage.market.condition_id].quoting


def test_the_middle_of_a_burst_changes_no_quote() -> None:
    stage = Stage().quoting().after(SECOND)
    stage.hear(change(stage.market, stage.now, Side.BUY, 5000, 10, (5000, 5200)))  # the other half is on its way
    assert stage.trader.books.doubt(stage.market.condition_id) is Doubt.BURST_OPEN
    assert stage.decide() == []
    assert stage.prices() == [4900, 5100]
    stage.hear(change(stage.market, stage.now, Side.SELL, 5100, 0, (5000, 5200)))
    assert stage.trader.books.trust(stage.market.condition_id) is Trust.VERIFIED
    assert cancelled(stage.turn()) == [1, 2]
    stage.turn()
    assert stage.prices() == [5000, 5200]


def test_a_book_that_breaks_is_left_at_once_whatever_the_quotes_age_and_budget() -> None:
    stage = Stage(defaults=LONG_LIVED).quoting().after(MILLI)
    stage.hear(change(stage.market, stage.now, Side.BUY, 4900, 50, (4950, 5100)))  # tops that are not ours
    assert stage.decide() == []
    stage.after(300 * MILLI).tick()
    commands = stage.decide()
    assert cancelled(commands) == [1, 2]
    assert reasons(commands) == [CancelReason.UNTRUSTED]
    assert len(wishes(commands)) == 1


def test_a_lost_feed_takes_the_quotes_down_and_its_return_asks_for_a_snapshot_first() -> None:
    stage = Stage().quoting().after(SECOND)
    tokens = (stage.market.yes, stage.market.no)
    stage.apply(FeedDown(stage.now, tokens, "closed"))
    assert reasons(stage.turn()) == [CancelReason.UNTRUSTED]
    stage.apply(FeedUp(stage.now, tokens))
    assert placed(stage.turn()) == []
    assert stage.live() == ()


def test_a_breaker_lets_quotes_back_only_when_the_book_has_been_good_for_a_while() -> None:
    stage = Stage().quoting().after(SECOND)
    market = stage.market
    stage.apply(FeedDown(stage.now, (market.yes,), "closed"), FeedUp(stage.now, (market.yes,)))
    stage.turn()
    assert placed(stage.turn(book(market, stage.now))) == []
    breaker = stage.trader.panel.breaker(BreakerKind.STALE_BOOK, market.condition_id)
    assert breaker.state is BreakerState.HALF_OPEN
    stage.after(DEFAULT_HOLD_NS - 1).tick()
    assert placed(stage.turn()) == []
    stage.after(1).tick()
    assert len(placed(stage.turn())) == 2
    assert [breaker.state for breaker in stage.trader.drain_breakers()] == [BreakerState.CLOSED]


def test_a_book_that_breaks_again_while_it_is_watched_starts_its_time_anew() -> None:
    stage = Stage().quoting().after(SECOND)
    market = stage.market
    for _ in range(2):
        stage.apply(FeedDown(stage.now, (market.yes,), "closed"), FeedUp(stage.now, (market.yes,)))
        stage.turn()
        stage.turn(book(market, stage.now))
        stage.after(DEFAULT_HOLD_NS - SECOND)
    stage.tick()
    assert placed(stage.turn()) == []


def test_a_tick_change_cancels_and_quotes_again_on_the_new_grid() -> None:
    stage = Stage(defaults=plain(half_spread=55)).quoting().after(SECOND)
    market = stage.market
    assert stage.prices() == [4900, 5100]
    commands = stage.turn(new_tick(market, stage.now, "0.001"))
    assert reasons(commands) == [CancelReason.UNTRUSTED]
    finer = a_market(tick=10)
    stage.turn(book(finer, stage.now, {4960: 100}, {5040: 100}))
    stage.after(DEFAULT_HOLD_NS).tick()
    orders = placed(stage.turn())
    assert [order.tick for order in orders] == [10, 10]
    assert stage.prices() == [4940, 5060]


def test_a_book_nobody_has_confirmed_is_asked_to_show_itself_and_then_left() -> None:
    stage = Stage().quoting().after(31 * SECOND)
    other = a_market(9)
    stage.hear(book(other, stage.now))  # the feed lives, this book is quiet
    stage.tick()
    assert ((stage.market.yes, stage.market.no), "quiet") in wishes(stage.decide())
    assert len(stage.prices()) == 2
    stage.after(30 * SECOND).hear(book(other, stage.now))
    stage.tick()
    assert reasons(stage.turn()) == [CancelReason.UNTRUSTED]
    assert stage.trader.desks[stage.market.condition_id].reason == "stale book breaker: book stale"


def test_a_feed_that_says_nothing_at_all_trips_one_breaker_for_everything() -> None:
    first, second = a_market(1), a_market(2)
    stage = Stage(first, second).quoting().after(61 * SECOND)
    stage.tick()
    assert len(cancelled(stage.turn())) == 4
    assert not stage.trader.panel.breaker(BreakerKind.FEED_SILENCE).lets_through
    stage.turn(book(first, stage.now), book(second, stage.now))
    stage.tick()
    assert placed(stage.turn()) == []
    stage.after(DEFAULT_HOLD_NS).tick()
    stage.turn()
    assert stage.trader.panel.breaker(BreakerKind.FEED_SILENCE).lets_through


def test_a_malformed_frame_costs_the_book_it_names_its_trust() -> None:
    first, second = a_market(1), a_market(2)
    stage = Stage(first, second).quoting().after(SECOND)
    broken = book(first, stage.now).replace(b'"price":"0.49"', b'"price":"0.4x"')
    commands = stage.turn(broken)
    assert sum(stage.trader.counters.malformed.values()) == 1
    assert stage.trader.books.doubt(first.condition_id) is Doubt.MALFORMED
    assert (stage.prices(first), stage.prices(second)) == ([], [4900, 5100])
    assert ((first.yes, first.no), Doubt.MALFORMED.value) in wishes(commands)


def test_a_malformed_array_costs_every_book_it_names() -> None:
    """Nothing of it has touched a book, so what it said of the sound ones is missing there too."""
    first, second, third = a_market(1), a_market(2), a_market(3)
    stage = Stage(first, second, third).quoting().after(SECOND)
    broken = book(second, stage.now).replace(b'"price":"0.49"', b'"price":"0.4x"')
    stage.turn(b"[" + book(first, stage.now) + b"," + broken + b"]")
    assert [stage.prices(market) for market in (first, second, third)] == [[], [], [4900, 5100]]
    assert stage.trader.books.doubt(first.condition_id) is Doubt.MALFORMED


def test_a_malformed_frame_may_name_its_book_by_the_token_only() -> None:
    first, second = a_market(1), a_market(2)
    stage = Stage(first, second).quoting().after(SECOND)
    stage.turn(b'{"asset_id":"%s","price_changes":7,"event_type":"price_change"}' % first.no.encode())
    assert (stage.prices(first), stage.prices(second)) == ([], [4900, 5100])


@pytest.mark.parametrize("garbage", [b"\xff\xfe", b"{", b"null", b'{"market":"0x12', b'[{"market":"0x%064x"},{' % 1])
def test_garbage_that_may_have_been_about_any_book_costs_all_of_them_a_snapshot(garbage: bytes) -> None:
    first, second = a_market(1), a_market(2)
    stage = Stage(first, second).quoting().after(SECOND)
    commands = stage.turn(garbage)
    assert sum(stage.trader.counters.malformed.values()) == 1
    assert stage.live() == ()
    asked = dict(wishes(commands))
    assert asked == dict.fromkeys([(first.yes, first.no), (second.yes, second.no)], Doubt.MALFORMED.value)
    assert stage.trader.books.trust(second.condition_id) is Trust.SUSPECT
    stage.turn(book(first, stage.now), book(second, stage.now))
    assert stage.trader.books.trust(second.condition_id) is Trust.VERIFIED


def test_a_snapshot_asked_for_after_garbage_is_asked_for_again() -> None:
    stage = Stage().quoting().after(SECOND)
    stage.turn(b"\xff")
    asked = []
    for second in range(20):
        stage.after(SECOND).tick()
        asked += [second for _, reason in wishes(stage.turn()) if reason == Doubt.MISSING_SNAPSHOT.value]
    assert asked == [5, 15]


def test_an_empty_array_says_nothing_and_costs_nothing() -> None:
    stage = Stage().quoting()
    assert stage.turn(b"[]", b"PONG", b"") == []
    assert stage.prices() == [4900, 5100]


def test_a_jump_of_the_mid_replaces_quotes_inside_their_lifetime_and_budget() -> None:
    """It once was refused by the gate for counting old and new, and came down past both."""
    big = plain(size=60_000_000, min_quote_lifetime_ms=500)
    stage = Stage(defaults=big).quoting().after(100 * MILLI)
    moved = book(stage.market, stage.now, {5900: 100}, {6100: 100})
    assert stage.turn(moved) == []
    assert stage.refusals() == []
    stage.after(400 * MILLI).tick()
    assert cancelled(stage.turn()) == [1, 2]
    stage.turn()
    assert stage.prices() == [5900, 6100]
    assert stage.now - START < SECOND
