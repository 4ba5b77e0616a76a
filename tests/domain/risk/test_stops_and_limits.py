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


def test_an_override_replaces_its_cap_and_no_other() -> None:
    limits = Limits(10, 20, 30, market_overrides={"a": 5}, event_overrides={"ev": 40})
    assert (limits.for_market("a"), limits.for_market("b")) == (5, 10)
    assert (limits.for_event("ev"), limits.for_event("other event")) == (40, 20)
