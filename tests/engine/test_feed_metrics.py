"""Totals become counters that only rise, with labels from closed sets."""

from prometheus_client import REGISTRY

from markets.domain.integrity import BookCounters, Doubt, Trust
from markets.domain.recipe_watch import RecipeState
from markets.metrics import UNKNOWN_NAMES, MarketMetrics, events_by_type, observe_latency, publish_trust

FINE = RecipeState.REPRODUCES


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_publishing_adds_what_has_come_since() -> None:
    before = value("polyweb_market_frames_total")
    metrics = MarketMetrics()
    books = BookCounters(hash_checked=5, hash_matches=4, resyncs={Doubt.TOPS: 2})
    failed = value("polyweb_book_check_failures_total", check="hash")
    asked = value("polyweb_market_resyncs_total", reason="tops")
    for frames in (10, 10, 25):
        metrics.publish(frames=frames, malformed={"bad_json": 1}, reconnects=0, books=books, recipe=FINE)
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


COUNTED: tuple[tuple[str, dict[str, str], int], ...] = (
    ("polyweb_book_checks_total", {"check": "audit"}, 7),
    ("polyweb_book_check_failures_total", {"check": "audit"}, 2),
    ("polyweb_book_silences_total", {}, 3),
    ("polyweb_book_sweeps_total", {}, 4),
    ("polyweb_hash_recipe_alerts_total", {}, 1),
    ("polyweb_market_ignored_events_total", {"why": "late"}, 5),
    ("polyweb_market_ignored_events_total", {"why": "before_snapshot"}, 6),
    ("polyweb_market_ignored_events_total", {"why": "unknown_asset"}, 8),
)


def test_all_that_the_books_count_is_told_once() -> None:
    before = [value(name, **labels) for name, labels, _ in COUNTED]
    books = BookCounters(
        audits=7, audit_mismatches=2, silences=3, sweeps=4, recipe_alerts=1,
        late_events=5, deltas_before_snapshot=6, unknown_assets=8,
    )  # fmt: skip
    metrics = MarketMetrics()
    for _ in range(2):
        metrics.publish(frames=0, malformed={}, reconnects=0, books=books, recipe=FINE)
    after = [value(name, **labels) for name, labels, _ in COUNTED]
    assert [new - old for new, old in zip(after, before, strict=True)] == [rise for _, _, rise in COUNTED]


def test_unknown_names_are_counted_and_never_become_labels() -> None:
    books = BookCounters(
        unknown_fields={"book.mood": 1, "price_change.sigh": 1}, unknown_events={"new_thing": 9, "x": 1, "y": 1}
    )
    MarketMetrics().publish(frames=0, malformed={}, reconnects=0, books=books, recipe=FINE)
    assert [value("polyweb_market_unknown_names", of=kind) for kind in ("field", "type")] == [2, 3]
    named = {sample.labels["of"] for sample in next(iter(UNKNOWN_NAMES.collect())).samples}
    assert named == {"field", "type"}


def test_the_state_of_the_hash_recipe_is_the_one_that_is_told() -> None:
    for told in (*RecipeState, FINE):
        MarketMetrics().publish(frames=0, malformed={}, reconnects=0, books=BookCounters(), recipe=told)
        assert {state: value("polyweb_hash_recipe", state=state.value) for state in RecipeState} == {
            state: float(state is told) for state in RecipeState
        }
