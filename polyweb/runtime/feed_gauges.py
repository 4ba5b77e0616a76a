"""What the feed, the inbox and the recorders tell Prometheus, from the engine's own summary.

Law: totals are counted once, by whoever owns them, and only copied here. Labels take few values.
"""

from collections.abc import Mapping
from typing import Any

from prometheus_client import Counter, Gauge

ENDINGS = Counter("polyweb_feed_connection_endings", "Connections to the market channel that ended.", ["kind"])
SOCKETS_UP = Gauge("polyweb_feed_sockets_up", "Sockets that deliver now.")
RESYNCS_VIA = Counter("polyweb_feed_resyncs", "Snapshots asked for, by the way they were asked for.", ["via"])
RESYNC_FAILURES = Counter("polyweb_feed_resync_failures", "Requests for books that failed.", ["reason"])
AUDITS = Counter("polyweb_feed_audits", "Books asked for to be compared with ours.", ["result"])
FILTERED = Counter("polyweb_feed_filtered_frames", "Frames no book needs.")
DUPLICATES = Counter("polyweb_feed_duplicate_frames", "Frames of redundant sockets that their twin had brought.")
LEAD = Gauge("polyweb_feed_side_lead_seconds", "Mean lead of a redundant socket over its twin.", ["side"])
FIRST = Counter("polyweb_feed_side_first_frames", "Frames a redundant socket brought before its twin.", ["side"])
LOST = Counter("polyweb_feed_side_lost_frames", "Frames only its twin brought.", ["side"])
COALESCED = Counter("polyweb_inbox_coalesced_frames", "Waiting price changes merged into later ones.")
OVERFLOWS = Counter("polyweb_inbox_overflows", "Times waiting price changes were let go and every book doubted.")
RECORD_DROPPED = Counter("polyweb_recording_dropped_records", "Records the disk was too slow for.", ["recording"])


class FeedGauges:
    """One per engine: it remembers what has been counted already."""

    def __init__(self) -> None:
        self._seen: dict[tuple[Counter, str], int] = {}

    def publish(self, overview: Mapping[str, Any]) -> None:
        """`overview` is the engine's summary for screens; a recording in place of the venue knows less of itself."""
        feed, loop, recordings = overview["feed"], overview["loop"], overview["recordings"]
        SOCKETS_UP.set(feed["up"])
        for counter, key in ((ENDINGS, "endings"), (RESYNCS_VIA, "resyncs_via"), (AUDITS, "audits")):
            self._each(counter, feed.get(key, {}))
        self._each(RESYNC_FAILURES, feed.get("resync_failures", {}))
        self._rise(FILTERED, feed.get("filtered", 0))
        self._rise(DUPLICATES, feed.get("duplicates", 0))
        for side, count in zip("ab", feed.get("sides", []), strict=False):
            LEAD.labels(side).set(count["lead_ms"] / 1_000)
            self._each(FIRST, {side: count["first"]})
            self._each(LOST, {side: count["lost"]})
        self._rise(COALESCED, loop["coalesced"])
        self._rise(OVERFLOWS, loop["overflows"])
        self._each(RECORD_DROPPED, {"session": recordings["session_dropped"], "market": recordings["raw_dropped"]})

    def _each(self, counter: Counter, totals: Mapping[str, int]) -> None:
        for label, total in totals.items():
            self._rise(counter, total, label)

    def _rise(self, counter: Counter, total: int, label: str = "") -> None:
        """A total that fell began anew: a shard that went took its counts with it."""
        before = self._seen.get((counter, label), 0)
        if total > before:
            (counter.labels(label) if label else counter).inc(total - before)
        self._seen[counter, label] = total
