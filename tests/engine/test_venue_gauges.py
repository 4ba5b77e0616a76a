"""What the account at the venue tells Prometheus."""

from typing import Any

from prometheus_client import REGISTRY

from polyweb.runtime import venue_gauges

VENUE: dict[str, Any] = {
    "mode": "cancel-only",
    "trusted": False,
    "halted": False,
    "heartbeat": "holds",
    "user_feed": {"trust": "catching up", "connections": 3, "faults": 1, "strangers": 2},
    "budget": {"orders": 12, "order_burst": 60, "cancels": -4, "cancel_burst": 120},
}


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


def test_mode_trust_heartbeat_and_tokens_are_told() -> None:
    venue_gauges.publish(VENUE)
    assert (value("polyweb_venue_mode", mode="cancel-only"), value("polyweb_venue_mode", mode="open")) == (1, 0)
    assert value("polyweb_user_feed_trust", trust="catching up") == 1
    assert (value("polyweb_heartbeat_holds"), value("polyweb_venue_trusted")) == (1, 0)
    assert value("polyweb_budget_tokens", bucket="orders") == 12
    assert value("polyweb_budget_tokens", bucket="cancels") == -4  # debt is shown as debt
    assert value("polyweb_user_feed_connections") == 3


def test_a_venue_inside_the_process_changes_nothing() -> None:
    venue_gauges.publish(VENUE)
    venue_gauges.publish(None)
    assert value("polyweb_budget_burst", bucket="orders") == 60
