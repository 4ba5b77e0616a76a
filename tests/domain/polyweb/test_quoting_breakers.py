"""What happens to orders and markets trips breakers in the trader, and quotes come down and back by their rules."""

from dataclasses import replace

import pytest
from msgspec.structs import replace as replace_struct

from execution.domain.commands import Cancel, CancelReason, Place, Rejected, Unknown
from markets.domain.events import Frame
from markets.domain.fees import FeeSchedule
from markets.domain.units import NANOS_PER_SECOND
from polyweb.runtime.inbox import FeedDown, FeedUp, Sensed
from risk.domain.breakers import BreakerKind
from risk.domain.panel import Release
from risk.domain.thresholds import Thresholds
from tests.builders import SECOND, Stage, a_market, accepted, book, cancelled, placed

COOLDOWN = Thresholds().cooldown_s * NANOS_PER_SECOND
HOLD = Thresholds().hold_s * NANOS_PER_SECOND


def refused(stage: Stage, times: int) -> None:
    """The venue turns down whatever is placed, so many times."""
    for _ in range(times):
        for command in stage.decide():
            if isinstance(command, Place):
                stage.apply(*(Rejected(o.client_order_id, "order_crosses", "", stage.now) for o in command.orders))


def test_a_market_whose_orders_are_refused_again_and_again_is_left_alone_for_a_while() -> None:
    stage = Stage(thresholds=Thresholds(rejects=4))
    stage.hear(book(stage.market, stage.now))
    refused(stage, 5)
    assert stage.trader.desks[stage.market.condition_id].reason.startswith("rejects breaker: 4 orders refused in 10 s")
    stage.after(COOLDOWN).hear(book(stage.market, stage.now))
    stage.tick()
    assert placed(stage.turn()) == []
    stage.after(HOLD).hear(book(stage.market, stage.now))
    stage.tick()
    assert len(placed(stage.turn())) == 2


def test_orders_whose_answers_are_lost_bring_everything_down() -> None:
    first, second = a_market(1), a_market(2)
    stage = Stage(first, second, thresholds=Thresholds(failures=2))
    stage.turn(book(first, stage.now))
    stage.hear(book(second, stage.now))
    (place,) = (command for command in stage.decide() if isinstance(command, Place))
    stage.apply(*(Unknown(order.client_order_id, "no answer", stage.now) for order in place.orders))
    stage.tick()
    commands = stage.decide()
    assert set(cancelled(commands)) == {1, 2}
    assert {command.reason for command in commands if isinstance(command, Cancel)} == {CancelReason.BREAKER}


@pytest.mark.parametrize(("took_ns", "trips"), [(SECOND // 100, False), (2 * SECOND, True)])
def test_an_acknowledgement_counts_from_its_request_however_long_the_decision_waited(took_ns: int, trips: bool) -> None:
    stage = Stage(a_market(1), a_market(2), a_market(3))
    stage.hear(*(book(market, stage.now) for market in stage.markets))
    ids = [order.client_order_id for order in placed(stage.decide())]
    stage.after(5 * SECOND)
    stage.apply(*(replace_struct(accepted(number, stage.now), took_ns=took_ns) for number in ids))
    assert stage.trader.panel.breaker(BreakerKind.ACK_LATENCY).lets_through is not trips


def test_a_drift_stays_until_an_operator_releases_it() -> None:
    stage = Stage().quoting().after(SECOND)
    stage.apply(Sensed(stage.now, BreakerKind.DRIFT, "5 shares unexplained"))
    stage.tick()
    assert cancelled(stage.turn()) == [1, 2]
    stage.apply(Sensed(stage.now, BreakerKind.DRIFT, ""))
    stage.after(30 * SECOND).hear(book(stage.market, stage.now))
    stage.tick()
    assert placed(stage.turn()) == []
    stage.operator(releases=(Release(BreakerKind.DRIFT, "", stage.now),))
    stage.after(HOLD).tick()
    assert len(placed(stage.turn())) == 2


def test_what_the_engine_senses_of_itself_takes_quotes_down_and_lets_them_back() -> None:
    stage = Stage().quoting().after(SECOND)
    stage.apply(Sensed(stage.now, BreakerKind.CLOCK_SKEW, "3 s ahead"))
    stage.tick()
    assert cancelled(stage.turn()) == [1, 2]
    assert stage.trader.desks[stage.market.condition_id].reason == "clock skew breaker: 3 s ahead"
    stage.apply(Sensed(stage.now, BreakerKind.CLOCK_SKEW, ""))
    stage.after(HOLD).tick()
    assert len(placed(stage.turn())) == 2


def test_a_changed_fee_schedule_takes_the_quotes_of_its_market_down_for_a_moment() -> None:
    first, second = a_market(1), a_market(2)
    stage = Stage(first, second).quoting().after(SECOND)
    stage.operator(markets=(replace(first, fees=FeeSchedule(rate=200)), second))
    assert set(cancelled(stage.turn())) == {1, 2}
    assert stage.trader.desks[first.condition_id].reason == (
        "rules breaker: fee schedule changed from 0 bps, exponent 1 to 200 bps, exponent 1"
    )
    stage.tick()
    stage.after(HOLD).tick()
    assert len(placed(stage.turn())) == 2


def test_a_market_being_resolved_has_an_open_breaker_until_it_is_not() -> None:
    stage = Stage().quoting().after(SECOND)
    stage.operator(markets=(replace(stage.market, blocked="resolution proposed"),))
    breaker = stage.trader.panel.breaker(BreakerKind.RESOLUTION, stage.market.condition_id)
    assert (breaker.lets_through, breaker.reason) == (False, "resolution proposed")
    stage.operator(markets=(stage.market,))
    stage.tick()
    stage.after(HOLD).tick()
    assert stage.trader.panel.tripped == ()


def test_a_frozen_socket_trips_the_breaker_of_each_of_its_markets_and_only_a_speaking_one_closes_it() -> None:
    first, second = a_market(1), a_market(2)
    stage = Stage(first, second).quoting().after(SECOND)
    stage.apply(FeedDown(stage.now, (first.yes, first.no), "dead: no book within 4 s", frozen=True))
    assert set(cancelled(stage.turn())) == {1, 2}
    kinds = [(each.kind, each.target) for each in stage.trader.panel.tripped]
    assert (BreakerKind.FEED_SILENCE, first.condition_id) in kinds
    assert {target for _, target in kinds} == {first.condition_id}
    stage.after(30 * SECOND).hear(book(first, stage.now), book(second, stage.now))  # over HTTP: no socket is up
    stage.tick()
    stage.after(HOLD).tick()
    assert placed(stage.turn()) == []
    assert not stage.trader.panel.breaker(BreakerKind.FEED_SILENCE, first.condition_id).lets_through
    stage.apply(FeedUp(stage.now, (first.yes, first.no), 2))
    stage.turn(book(first, stage.now))
    stage.tick()
    stage.after(HOLD).hear(book(first, stage.now))
    stage.tick()
    assert len(placed(stage.turn())) == 2


def test_a_socket_that_closes_trips_no_breaker_of_silence() -> None:
    stage = Stage().quoting().after(SECOND)
    stage.apply(FeedDown(stage.now, (stage.market.yes, stage.market.no), "closed"))
    stage.turn()
    assert stage.trader.panel.breaker(BreakerKind.FEED_SILENCE, stage.market.condition_id).lets_through


def test_a_market_no_longer_traded_does_not_wait_for_its_frozen_socket() -> None:
    stage = Stage().quoting().after(SECOND)
    stage.apply(FeedDown(stage.now, (stage.market.yes, stage.market.no), "dead: silent", frozen=True))
    stage.operator(trading=frozenset())
    stage.tick()
    stage.after(HOLD).tick()
    assert stage.trader.panel.breaker(BreakerKind.FEED_SILENCE, stage.market.condition_id).lets_through


def test_books_confirmed_over_http_do_not_hide_that_every_socket_is_silent() -> None:
    stage = Stage()
    stage.apply(Frame(stage.now, 1, book(stage.market, stage.now)))
    stage.turn()
    stage.after(61 * SECOND).apply(Frame(stage.now, 0, book(stage.market, stage.now)))
    stage.tick()
    assert not stage.trader.panel.breaker(BreakerKind.FEED_SILENCE).lets_through


def test_when_most_books_break_the_rest_is_not_believed_either() -> None:
    markets = tuple(a_market(number) for number in range(1, 8))
    stage = Stage(*markets).quoting().after(SECOND)
    stage.apply(FeedDown(stage.now, tuple(market.yes for market in markets[:4]), "closed"))
    stage.tick()
    stage.turn()
    breaker = stage.trader.panel.breaker(BreakerKind.BROKEN_BOOKS)
    assert (breaker.lets_through, breaker.reason) == (False, "4 of 7 books broken")
    stage.tick()
    stage.turn()
    assert not stage.trader.blotter.all_live()
