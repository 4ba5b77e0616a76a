"""What the venue lets us do, in the trader: quotes come down, stay or change with its mode and with our knowledge."""

import msgspec
import pytest

from execution.domain.commands import Cancel, CancelReason, Command, Place
from execution.domain.venue import VenueMode
from markets.domain.events import Side
from polyweb.runtime import inbox
from polyweb.runtime.inbox import VenueTold
from risk.domain.stops import Stop, StopLevel, StopScope
from strategies.domain.arb_params import ArbParams
from strategies.domain.params import SpreadParams
from tests.builders import SECOND, Stage, a_market, a_set, book, cancelled, fill_of, placed

MARKET = a_market()
CHEAP = {4500: 100}, {4700: 100}


def told(stage: Stage, mode: VenueMode = VenueMode.OPEN, trusted: bool = True, reason: str = "because") -> None:
    stage.apply(VenueTold(stage.now, mode, trusted, reason))


def quoting() -> Stage:
    return Stage(MARKET).quoting()


def cancels(commands: list[Command]) -> list[Cancel]:
    return [each for each in commands if isinstance(each, Cancel)]


@pytest.mark.parametrize("mode", [VenueMode.CANCEL_ONLY, VenueMode.GEOBLOCKED])
def test_where_only_cancels_are_taken_quotes_come_down_with_the_reason(mode: VenueMode) -> None:
    stage = quoting()
    told(stage, mode, reason="venue says no")
    (cancel,) = cancels(stage.turn())
    assert (len(cancel.order_ids), cancel.reason) == (2, CancelReason.VENUE)
    assert stage.trader.desks[MARKET.condition_id].reason == "venue says no"


@pytest.mark.parametrize("mode", [VenueMode.RESTARTING, VenueMode.DISABLED])
def test_where_not_even_cancels_are_taken_what_rests_is_left(mode: VenueMode) -> None:
    stage = quoting()
    told(stage, mode, reason="venue is away")
    assert stage.turn() == []
    desk = stage.trader.desks[MARKET.condition_id]
    assert (desk.quoting, desk.reason) == (False, "venue is away")


def test_post_only_mode_changes_nothing_for_quotes() -> None:
    stage = quoting()
    told(stage, VenueMode.POST_ONLY)
    assert stage.turn() == []
    assert stage.trader.desks[MARKET.condition_id].quoting


def test_without_trust_in_what_we_know_quotes_come_down_and_with_it_they_return() -> None:
    stage = quoting()
    told(stage, trusted=False, reason="user channel down: closed")
    assert len(cancelled(stage.turn())) == 2
    assert placed(stage.after(SECOND).turn()) == []
    told(stage, reason="")
    assert len(placed(stage.after(SECOND).turn(book(MARKET, stage.now)))) == 2


def test_nothing_is_quoted_before_the_venue_was_told_to_be_trusted() -> None:
    stage = Stage(MARKET)
    told(stage, trusted=False)
    assert stage.turn(book(MARKET, stage.now)) == []


def test_no_basket_is_taken_unless_the_venue_takes_every_order() -> None:
    for mode in set(VenueMode) - {VenueMode.OPEN}:
        stage = Stage(*a_set(), arb=ArbParams(enabled=True), defaults=SpreadParams(half_spread=4_000))
        told(stage, mode)
        found: list[Command] = []
        for market in stage.markets:
            found += stage.turn(book(market, stage.now, *CHEAP))
        assert [each for each in found if isinstance(each, Place) and not each.orders[0].post_only] == []


def test_in_closed_only_mode_only_shares_we_hold_are_offered() -> None:
    stage = quoting()
    bid = next(order for order in stage.trader.blotter.all_live() if order.side is Side.BUY)
    stage.apply(fill_of(bid, stage.now))
    told(stage, VenueMode.CLOSED_ONLY)
    for _ in range(4):
        stage.after(SECOND).turn(book(MARKET, stage.now))
    assert {order.side for order in stage.live()} == {Side.SELL}


def test_what_the_venue_told_is_spelled_and_read_back() -> None:
    item = VenueTold(5, VenueMode.CANCEL_ONLY, False, "why")
    assert inbox.read(inbox.spell(item)) == item
    assert msgspec.json.decode(inbox.spell(item))["type"] == "VenueTold"


@pytest.mark.parametrize(
    ("mode", "trusted", "may"),
    [
        (VenueMode.OPEN, True, True),
        (VenueMode.OPEN, False, False),
        (VenueMode.CLOSED_ONLY, True, True),
        (VenueMode.POST_ONLY, True, False),
        (VenueMode.CANCEL_ONLY, True, False),
    ],
)
def test_shares_are_sold_at_once_only_where_the_venue_takes_it(mode: VenueMode, trusted: bool, may: bool) -> None:
    assert VenueTold(0, mode, trusted, "").may_close is may


def test_flattening_waits_for_the_venue_and_says_so() -> None:
    stage = quoting()
    bid = next(order for order in stage.live() if order.side is Side.BUY)
    stage.apply(fill_of(bid, stage.now))
    told(stage, VenueMode.POST_ONLY, reason="venue post-only")
    stage.operator(stops=(Stop(StopLevel.FLATTEN, StopScope.ALL, "", "enough"),))
    for _ in range(4):
        assert placed(stage.after(SECOND).turn(book(MARKET, stage.now))) == []
    assert "venue post-only" in stage.trader.desks[MARKET.condition_id].reason
    told(stage, reason="")
    assert len(placed(stage.after(SECOND).turn(book(MARKET, stage.now)))) == 1
