"""The journal of changes and the switches the engine listens to."""

from typing import Any

import pytest
from channels.layers import InMemoryChannelLayer, get_channel_layer
from django.contrib.auth.models import User
from django.db import transaction
from django.test import override_settings

from markets import selectors, services
from markets.models import Change, Event, Market
from tests.control_builders import a_market

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_a_change_raises_the_counter_by_one_and_is_written_down(django_user_model: type[User]) -> None:
    author = django_user_model.objects.create_user("ana")
    before = selectors.change_counter()

    version = services.record_change(
        author=author, source="api", action="test", subject="x", after={"a": 1}, reason="because"
    )

    assert version == before + 1 == selectors.change_counter()
    change = Change.objects.latest("pk")
    assert (change.author, change.after, change.reason) == (author, {"a": 1}, "because")


def test_a_change_rolled_back_leaves_no_trace() -> None:
    before = selectors.change_counter()
    with transaction.atomic():
        services.record_change(author=None, source="cli", action="test", subject="x")
        transaction.set_rollback(True)
    assert selectors.change_counter() == before
    assert not Change.objects.exists()


def test_a_committed_change_nudges_the_engine(django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        version = services.record_change(author=None, source="cli", action="test", subject="x")
    layer = get_channel_layer()
    assert layer is not None
    # The in-memory layer keeps (expiry, message) per channel.
    _, message = layer.channels[services.ENGINE_CHANNEL].get_nowait()
    assert message == {"type": "control.nudge", "version": version}


def test_trading_is_off_until_it_is_switched_on_and_only_what_changes_is_counted() -> None:
    one, two = a_market(1), a_market(2, trading=True)
    ids = [one.condition_id, two.condition_id]

    assert services.set_trading(condition_ids=ids, on=True, author=None, source="api", reason="go") == 1
    assert services.set_trading(condition_ids=ids, on=True, author=None, source="api") == 0

    assert selectors.trading_ids() == frozenset(ids)
    change = Change.objects.get()
    assert (change.action, change.subject, change.reason) == ("trading_on", one.condition_id, "go")


def test_closed_and_catch_all_markets_are_not_switched_on() -> None:
    ids = [a_market(1, closed=True).condition_id, a_market(2, other=True).condition_id]
    assert services.set_trading(condition_ids=ids, on=True, author=None, source="api") == 0
    assert services.set_watched(condition_ids=ids[1:], on=True, author=None, source="api") == 1


def test_an_unknown_market_is_named_and_nothing_is_switched() -> None:
    known = a_market(1)
    with pytest.raises(selectors.UnknownMarket, match="0xno"):
        services.set_trading(condition_ids=[known.condition_id, "0xno"], on=True, author=None, source="api")
    assert selectors.trading_ids() == frozenset()


def test_a_filter_switches_many_markets_in_one_change() -> None:
    for number in range(1, 6):
        a_market(number, neg_risk=number % 2 == 0)
    chosen = Market.objects.filter(neg_risk=False)

    assert services.set_trading_where(markets=chosen, on=True, author=None, source="api") == 3
    assert Change.objects.get().subject == "3 markets"


def test_watched_and_trading_markets_are_subscribed_and_yes_is_index_zero() -> None:
    event = Event.objects.create(gamma_id="7", neg_risk=True, complete=True)
    a_market(1, watched=True, neg_risk=True, event=event, fee_rate="0.05")
    a_market(2, trading=True, neg_risk=True, event=event)
    a_market(3)
    a_market(4, trading=True, closed=True)

    first, second = selectors.subscribed_markets()

    assert (first.yes, first.no, first.event_id, first.set_size) == ("10", "11", "7", 2)
    assert first.fees.rate == 500
    assert second.tick == 100
    assert second.min_size == 5_000_000


def test_a_market_without_both_tokens_is_not_subscribed() -> None:
    market = a_market(1, watched=True)
    market.outcomes.filter(index=1).delete()
    assert selectors.subscribed_markets() == []


class BrokenLayer(InMemoryChannelLayer):  # type: ignore[misc]  # channels is untyped
    async def send(self, channel: str, message: dict[str, Any]) -> None:
        raise ConnectionRefusedError("no Redis here")


def test_a_broken_channel_layer_is_logged_and_the_change_stands(
    django_capture_on_commit_callbacks: Any, caplog: pytest.LogCaptureFixture
) -> None:
    layers = {"default": {"BACKEND": f"{__name__}.BrokenLayer"}}
    with override_settings(CHANNEL_LAYERS=layers), django_capture_on_commit_callbacks(execute=True):
        version = services.record_change(author=None, source="cli", action="test", subject="x")
    assert "control_nudge_failed" in caplog.text
    assert selectors.change_counter() == version
