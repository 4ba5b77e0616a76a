"""Totals become counters that only rise, with labels from closed sets."""

from prometheus_client import REGISTRY

from markets.domain.integrity import BookCounters, Doubt, Trust
from markets.metrics import MarketMetrics, events_by_type, observe_latency, publish_trust


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_publishing_adds_what_has_come_since() -> None:
    before = value("polyweb_market_frames_total")
    metrics = MarketMetrics()
    books = BookCounters(hash_checked=5, hash_matches=4, resyncs={Doubt.TOPS: 2})
    failed = value("polyweb_book_check_failures_total", check="hash")
    asked = value("polyweb_market_resyncs_total", reason="tops")
    for frames in (10, 10, 25):
        metrics.publish(frames=frames, malformed={"bad_json": 1}, reconnects=0, books=books)
    assert value("polyweb_market_frames_total") - before == 25
    assert value("polyweb_book_check_failures_total", check="hash") - failed == 1
    assert value("polyweb_market_resyncs_total", reason="tops") - asked == 2


def test_trust_states_without_books_read_zero() -> None:
    publish_trust({Trust.VERIFIED: 3})
    assert [value("polyweb_books", trust=trust.value) for trust in Trust] == [3, 0, 0]


def test_a_venue_clock_ahead_of_ours_is_no_negative_delay() -> None:
    before = value("polyweb_feed_latency_seconds_sum")
    observe_latency(1_000_000_000, 2_000)
    assert value("polyweb_feed_latency_seconds_sum") == before


def test_events_are_counted_by_type() -> None:
    books = BookCounters(events=10, snapshots=2, deltas=5, unknown_events={"new_thing": 1})
    assert events_by_type(books) == {"book": 2, "price_change": 5, "unknown": 1, "other": 2}
