"""What the engine tells Prometheus about itself, published with every heartbeat.

Law: totals are counted once, by whoever owns them, and only copied here. Labels take few values.
"""

import time
from collections import Counter

from prometheus_client import Gauge

from execution import metrics as execution
from markets import metrics as markets
from markets.domain.integrity import Trust
from polyweb.runtime import venue_gauges
from polyweb.runtime.feed_gauges import FeedGauges
from polyweb.runtime.trader import Trader
from polyweb.runtime.views import Json
from risk.domain.breakers import BreakerKind

BEAT = Gauge("polyweb_engine_beat_timestamp_seconds", "When the engine last published, Unix time.")
RUNNING = Gauge("polyweb_engine_running", "1 while the engine trades, else 0.")
MARKETS = Gauge("polyweb_markets", "Followed markets by what the engine does there.", ["state"])
PNL = Gauge("polyweb_pnl_pusd", "Profit of the account since its first fill, marked to the books, pUSD.")
WORST = Gauge("polyweb_worst_case_pusd", "Loss of the account if every event ends in the worst way, pUSD.")
INBOX = Gauge("polyweb_inbox_waiting", "Items waiting to be folded in.")
FACTS = Gauge("polyweb_facts_waiting", "Facts waiting for the journal.")
LAG = Gauge("polyweb_loop_lag_seconds", "How late the event loop woke the last time.")
DECIDE = Gauge("polyweb_turn_seconds", "Duration of the newest turns.", ["quantile"])

BREAKERS = Gauge("polyweb_breakers_open", "Breakers that keep orders down, by kind.", ["kind"])
TRIPS = Gauge("polyweb_breaker_trips", "How often breakers tripped since the engine started.")


class Gauges:
    """One per engine: it remembers what has been counted already."""

    def __init__(self, relayer: str) -> None:
        self._relayer = relayer
        self._markets = markets.MarketMetrics()
        self._feed = FeedGauges()

    def publish(self, trader: Trader, overview: Json) -> None:
        """`overview` is the engine's summary for screens; what it holds is not computed twice."""
        BEAT.set(time.time())
        RUNNING.set(overview["state"] == "running")
        self._publish_markets(trader, overview)
        self._publish_breakers(trader)
        self._feed.publish(overview)
        venue_gauges.publish(overview["venue"])
        execution.OPEN_ORDERS.labels(self._relayer).set(trader.blotter.open_count)
        execution.UNKNOWN_ORDERS.labels(self._relayer).set(overview["orders"]["unknown"])
        PNL.set(float(overview["pnl"]["total"]))
        WORST.set(float(overview["risk"]["worst_total"]))
        loop = overview["loop"]
        INBOX.set(loop["inbox"])
        FACTS.set(loop["facts_waiting"])
        LAG.set(loop["lag_ms"] / 1_000)
        for quantile, key in (("0.5", "decide_us_p50"), ("0.99", "decide_us_p99")):
            if loop[key] is not None:
                DECIDE.labels(quantile).set(loop[key] / 1_000_000)

    def _publish_breakers(self, trader: Trader) -> None:
        tripped = Counter(breaker.kind for breaker in trader.panel.tripped)
        for kind in BreakerKind:
            BREAKERS.labels(kind.value).set(tripped[kind])
        TRIPS.set(trader.panel.trips)

    def _publish_markets(self, trader: Trader, overview: Json) -> None:
        self._markets.publish(
            frames=trader.counters.frames,
            malformed=trader.counters.malformed,
            reconnects=overview["feed"].get("reconnects", 0),
            books=trader.books.counters,
            recipe=trader.books.recipe_state,
        )
        markets.publish_trust({trust: overview["trust"].get(trust.value, 0) for trust in Trust})
        for state in ("trading", "quoting", "watched"):
            MARKETS.labels(state).set(overview["markets"][state])
