"""Prometheus series of the market side, declared once. Every label takes its values from a closed set.

Law: nobody counts here; the engine publishes the totals its books and feed have anyway, and the event writer its own.
"""

from collections.abc import Mapping

from prometheus_client import Counter, Gauge, Histogram

from markets.domain.integrity import BookCounters, Trust
from markets.domain.recipe_watch import RecipeState
from markets.domain.units import NANOS_PER_SECOND, Millis, Nanos

FRAMES = Counter("polyweb_market_frames", "Frames received from the market channel")
MALFORMED = Counter("polyweb_market_malformed_frames", "Frames that could not be believed", ["reason"])
EVENTS = Counter("polyweb_market_events", "Market events that reached the books", ["type"])
RESYNCS = Counter("polyweb_market_resyncs", "Snapshots asked for", ["reason"])
CHECKS = Counter("polyweb_book_checks", "Checks of books against what the venue says", ["check"])
CHECK_FAILURES = Counter("polyweb_book_check_failures", "Checks that failed", ["check"])
IGNORED = Counter("polyweb_market_ignored_events", "Market events no book could take", ["why"])
UNKNOWN_NAMES = Gauge("polyweb_market_unknown_names", "Different names met that nobody here knows", ["of"])
SILENCES = Counter("polyweb_book_silences", "Times a market or token said nothing while others spoke")
SWEEPS = Counter("polyweb_book_sweeps", "Times a market was asked for a snapshot because nothing had proved it")
RECIPE = Gauge("polyweb_hash_recipe", "1 for the state the recipe of book hashes is in", ["state"])
RECIPE_ALERTS = Counter("polyweb_hash_recipe_alerts", "Times the recipe of book hashes was doubted or given up")
RECONNECTS = Counter("polyweb_market_reconnects", "Connections to the market channel opened again")
BOOKS = Gauge("polyweb_books", "Tracked books by trust", ["trust"])
FEED_LATENCY = Histogram(
    "polyweb_feed_latency_seconds",
    "Receive time minus venue time of market events",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
EVENT_ROWS = Counter("polyweb_market_event_rows", "Rows stored of what was seen of the markets", ["table"])
EVENT_ROWS_DROPPED = Counter("polyweb_market_event_rows_dropped", "Such rows that were not stored", ["why"])
EVENT_ROWS_WAITING = Gauge("polyweb_market_event_rows_waiting", "Such rows waiting for the database")


class MarketMetrics:
    """Turns running totals into counters: each `publish` adds what has come since the last."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], int] = {}

    def publish(
        self,
        *,
        frames: int,
        malformed: Mapping[str, int],
        reconnects: int,
        books: BookCounters,
        recipe: RecipeState,
    ) -> None:
        self._raise(FRAMES, "frames", "", frames)
        for kind, total in events_by_type(books).items():
            self._raise(EVENTS.labels(kind), "events", kind, total)
        self._raise(RECONNECTS, "reconnects", "", reconnects)
        for reason, total in malformed.items():
            self._raise(MALFORMED.labels(reason), "malformed", reason, total)
        for doubt, total in books.resyncs.items():
            self._raise(RESYNCS.labels(doubt.value), "resyncs", doubt.value, total)
        for check, (done, failed) in checks(books).items():
            self._raise(CHECKS.labels(check), "checks", check, done)
            self._raise(CHECK_FAILURES.labels(check), "failures", check, failed)
        self._publish_oddities(books)
        for state in RecipeState:
            RECIPE.labels(state.value).set(state is recipe)

    def _publish_oddities(self, books: BookCounters) -> None:
        for why, total in ignored(books).items():
            self._raise(IGNORED.labels(why), "ignored", why, total)
        self._raise(SILENCES, "silences", "", books.silences)
        self._raise(SWEEPS, "sweeps", "", books.sweeps)
        self._raise(RECIPE_ALERTS, "recipe alerts", "", books.recipe_alerts)
        # The names themselves are the venue's and could be any; how many they are is bounded by the books.
        UNKNOWN_NAMES.labels("field").set(len(books.unknown_fields))
        UNKNOWN_NAMES.labels("type").set(len(books.unknown_events))

    def _raise(self, counter: Counter, series: str, label: str, total: int) -> None:
        before = self._seen.get((series, label), 0)
        if total > before:
            counter.inc(total - before)
        self._seen[series, label] = total


def events_by_type(books: BookCounters) -> dict[str, int]:
    """`other` are trades, tick changes and announcements; a type nobody knows is `unknown`, whatever it is called."""
    named = {
        "book": books.snapshots,
        "price_change": books.deltas,
        "unknown": sum(books.unknown_events.values()),
    }
    return {**named, "other": max(0, books.events - sum(named.values()))}


def checks(books: BookCounters) -> dict[str, tuple[int, int]]:
    """Done and failed, by name of the check."""
    return {
        "tops": (books.bbo_checked, books.bbo_mismatches),
        "crossed": (books.deltas, books.crossed),
        "parity": (books.deltas, books.parity_mismatches),
        "snapshot": (books.snapshots_checked, books.snapshot_mismatches),
        "hash": (books.hash_checked, books.hash_checked - books.hash_matches),
        "audit": (books.audits, books.audit_mismatches),
    }


def ignored(books: BookCounters) -> dict[str, int]:
    """Events that did not reach a book, by the reason."""
    return {
        "late": books.late_events,
        "before_snapshot": books.deltas_before_snapshot,
        "unknown_asset": books.unknown_assets,
    }


def publish_trust(counts: Mapping[Trust, int]) -> None:
    for trust in Trust:
        BOOKS.labels(trust.value).set(counts.get(trust, 0))


def observe_latency(received_ns: Nanos, venue_ms: Millis) -> None:
    """Clocks differ; a venue ahead of us counts as no delay."""
    FEED_LATENCY.observe(max(0.0, received_ns / NANOS_PER_SECOND - venue_ms / 1000))
