"""What the account at the venue tells Prometheus: mode, trust, heartbeat, tokens.

Law: copied from the engine's summary, never asked a second time. Without a venue outside the process nothing is said.
"""

from collections.abc import Mapping
from typing import Any

from prometheus_client import Gauge

from execution.domain.venue import VenueMode

MODE = Gauge("polyweb_venue_mode", "1 for the venue's mode, 0 for the others.", ["mode"])
TRUSTED = Gauge("polyweb_venue_trusted", "1 while what we know of our orders can be relied on.")
HALTED = Gauge("polyweb_venue_halted", "1 when no order is sent until a person has looked.")
USER_FEED = Gauge("polyweb_user_feed_trust", "1 for how far the user channel is trusted, 0 for the rest.", ["trust"])
CONNECTIONS = Gauge("polyweb_user_feed_connections", "Connections to the user channel since the engine started.")
FAULTS = Gauge("polyweb_user_feed_faults", "Messages of the user channel that could not be read.")
STRANGERS = Gauge("polyweb_user_feed_strangers", "Words about orders that are not ours.")
HEARTBEAT = Gauge("polyweb_heartbeat_holds", "1 while the chain of heartbeats holds; 0 in a dry run, which sends none.")
TOKENS = Gauge("polyweb_budget_tokens", "Tokens left at the venue, as we count them; below 0 in debt.", ["bucket"])
BURST = Gauge("polyweb_budget_burst", "Tokens there can be at most.", ["bucket"])

_TRUSTS = ("down", "catching up", "trusted")


def publish(venue: Mapping[str, Any] | None) -> None:
    """`venue` is that part of the engine's summary."""
    if venue is None:
        return
    for mode in VenueMode:
        MODE.labels(mode.value).set(mode.value == venue["mode"])
    TRUSTED.set(venue["trusted"])
    HALTED.set(venue["halted"])
    feed, budget = venue["user_feed"], venue["budget"]
    for trust in _TRUSTS:
        USER_FEED.labels(trust).set(trust == feed["trust"])
    CONNECTIONS.set(feed["connections"])
    FAULTS.set(feed["faults"])
    STRANGERS.set(feed["strangers"])
    HEARTBEAT.set(venue["heartbeat"] == "holds")
    for bucket, burst in (("orders", "order_burst"), ("cancels", "cancel_burst")):
        TOKENS.labels(bucket).set(budget[bucket])
        BURST.labels(bucket).set(budget[burst])
