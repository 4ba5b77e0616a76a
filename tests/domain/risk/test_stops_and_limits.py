"""Which stop applies, and which cap."""

from risk.domain.limits import Limits
from risk.domain.stops import Stop, StopLevel, StopScope, strongest

PAUSE_ALL = Stop(StopLevel.PAUSE, StopScope.ALL, "", "maintenance")
CANCEL_EVENT = Stop(StopLevel.CANCEL, StopScope.EVENT, "ev", "news")
CANCEL_MARKET = Stop(StopLevel.CANCEL, StopScope.MARKET, "a", "rules changed", expires_ns=100)


def test_the_strongest_stop_that_covers_the_market_wins() -> None:
    stops = (PAUSE_ALL, CANCEL_EVENT)
    assert strongest(stops, "a", "ev", 0) is CANCEL_EVENT
    assert strongest(stops, "a", "other event", 0) is PAUSE_ALL
    assert strongest((), "a", "ev", 0) is None


def test_an_expired_stop_is_no_stop() -> None:
    assert strongest((CANCEL_MARKET,), "a", "ev", 99) is CANCEL_MARKET
    assert strongest((CANCEL_MARKET,), "a", "ev", 100) is None
    assert strongest((CANCEL_MARKET,), "b", "ev", 99) is None


def test_a_stop_of_a_strategy_covers_that_one_and_whoever_does_not_say() -> None:
    stop = Stop(StopLevel.CANCEL, StopScope.STRATEGY, "dutch_book", "legs hang")
    assert strongest((stop,), "a", "ev", 0, "dutch_book") is stop
    assert strongest((stop,), "a", "ev", 0, "spread") is None
    assert strongest((stop,), "a", "ev", 0) is stop


def test_a_stop_of_a_wallet_covers_it_in_any_spelling_and_an_engine_that_does_not_know_its_own() -> None:
    stop = Stop(StopLevel.PAUSE, StopScope.WALLET, "0xAb", "moving funds")
    assert strongest((stop,), "a", "ev", 0, wallet="0xab") is stop
    assert strongest((stop,), "a", "ev", 0, wallet="0xcd") is None
    assert strongest((stop,), "a", "ev", 0) is stop


def test_of_two_that_flatten_the_one_with_the_narrower_bound_holds() -> None:
    wide, narrow = (Stop(StopLevel.FLATTEN, StopScope.ALL, "", "out", slippage=each) for each in (900, 100))
    assert strongest((wide, narrow), "a", "ev", 0) is narrow


def test_each_rung_is_stronger_than_the_one_below() -> None:
    rungs = [level.name for level in sorted(StopLevel)]
    assert rungs == ["NONE", "PAUSE", "REDUCE", "CANCEL", "FLATTEN"]


def test_an_override_replaces_its_cap_and_no_other() -> None:
    limits = Limits(10, 20, 30, market_overrides={"a": 5}, event_overrides={"ev": 40})
    assert (limits.for_market("a"), limits.for_market("b")) == (5, 10)
    assert (limits.for_event("ev"), limits.for_event("other event")) == (40, 20)
