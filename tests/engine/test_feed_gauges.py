"""What the feed and the recorders count reaches Prometheus once."""

from typing import Any

from prometheus_client import REGISTRY

from polyweb.runtime.feed_gauges import FeedGauges


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def overview(frozen: int, dropped: int, **feed: Any) -> dict[str, Any]:
    return {
        "feed": {"up": 2, "endings": {"frozen": frozen}, **feed},
        "loop": {"coalesced": 7, "overflows": 1},
        "recordings": {"session_dropped": 0, "raw_dropped": dropped},
    }


def test_totals_are_added_once_however_often_they_are_published() -> None:
    names = ("polyweb_feed_connection_endings_total", "polyweb_recording_dropped_records_total")
    before = value(names[0], kind="frozen"), value(names[1], recording="market")
    gauges = FeedGauges()
    for frozen, dropped in ((1, 0), (3, 4), (3, 4)):
        gauges.publish(overview(frozen, dropped))
    assert (value(names[0], kind="frozen"), value(names[1], recording="market")) == (before[0] + 3, before[1] + 4)
    assert value("polyweb_feed_sockets_up") == 2


def test_each_side_of_redundant_sockets_is_measured() -> None:
    lost = value("polyweb_feed_side_lost_frames_total", side="b")
    sides = [{"frames": 9, "first": 6, "lead_ms": 1.5, "lost": 0}, {"frames": 8, "first": 2, "lead_ms": 0.5, "lost": 1}]
    FeedGauges().publish(overview(0, 0, sides=sides))
    assert value("polyweb_feed_side_lead_seconds", side="a") == 0.0015
    assert value("polyweb_feed_side_lost_frames_total", side="b") == lost + 1


def test_a_recording_in_place_of_the_venue_knows_less_of_itself() -> None:
    FeedGauges().publish({**overview(0, 0), "feed": {"up": 1}})
    assert value("polyweb_feed_sockets_up") == 1
