"""Stops, caps, refusals, breakers and incidents as rows, and as the values the gate reads."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from execution.domain.moments import nanos
from markets.models import Change
from markets.selectors import UnknownMarket, change_counter
from risk import selectors, services
from risk.domain.breakers import BreakerKind, BreakerState
from risk.domain.limits import Limits
from risk.domain.stops import Stop as DomainStop
from risk.domain.stops import StopLevel, StopScope
from risk.domain.thresholds import ThresholdError, Thresholds
from risk.models import Breaker, BreakerEvent, Incident, Limit, Refusal, Stop, Threshold
from risk.services import BreakerReport, TargetError
from tests.control_builders import a_market, a_user, an_event

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def stop(**changes: object) -> Stop:
    values = {"level": StopLevel.CANCEL, "scope": "all", "reason": "test", "author": None, "source": "cli"}
    return services.stop(**(values | changes))  # type: ignore[arg-type]


def limit(kind: str, scope: str, value: str | None, **target: object) -> Limit | None:
    return services.set_limit(
        kind=kind,
        scope=scope,
        value=None if value is None else Decimal(value),
        author=None,
        source="cli",
        **target,  # type: ignore[arg-type]
    )


def test_a_stop_is_in_force_at_once_and_the_engine_is_told() -> None:
    before = change_counter()
    market = a_market()
    stop(scope="market", market=market, level=StopLevel.PAUSE, reason="odd book")
    assert selectors.stops_in_force(timezone.now()) == (
        DomainStop(StopLevel.PAUSE, StopScope.MARKET, market.condition_id, "odd book"),
    )
    assert change_counter() == before + 1
    assert (Change.objects.get().action, Change.objects.get().subject) == ("stop", market.condition_id)


def test_an_event_stop_carries_the_venues_event_id() -> None:
    an_event(77)
    stop(scope="event", event="77")
    assert selectors.stops_in_force(timezone.now())[0].target == "77"


def test_an_expired_stop_is_no_stop_and_its_end_is_exact() -> None:
    now = timezone.now().replace(microsecond=123456)
    stop(expires_at=now + timedelta(seconds=60))
    (found,) = selectors.stops_in_force(now)
    assert found.expires_ns == int(now.timestamp()) * 10**9 + 60 * 10**9 + 123_456_000
    assert selectors.stops_in_force(now + timedelta(seconds=61)) == ()


@pytest.mark.parametrize(("scope", "target"), [("market", {}), ("event", {}), ("all", {"market": "x"})])
def test_a_stop_needs_exactly_its_own_target(scope: str, target: dict[str, str]) -> None:
    with pytest.raises(TargetError, match=scope):
        stop(scope=scope, **target)


def test_a_stop_of_nothing_or_of_a_stranger_is_refused() -> None:
    with pytest.raises(ValueError, match="level"):
        stop(level=StopLevel.NONE)
    with pytest.raises(UnknownMarket):
        stop(scope="market", market="0xno")
    assert not Change.objects.exists()


def test_resuming_releases_once_and_keeps_the_row() -> None:
    row, author = stop(), a_user()
    assert services.resume(stop=row, author=author, source="api", reason="fine") == 1
    assert services.resume(stop=row, author=author, source="api") == 0
    row.refresh_from_db()
    assert (row.released_by, row.release_reason) == (author, "fine")
    assert selectors.stops_in_force(timezone.now()) == ()
    assert list(Change.objects.order_by("pk").values_list("action", flat=True)) == ["stop", "resume"]


def test_each_way_of_resuming_releases_its_own_stops() -> None:
    one, two = a_market(1), a_market(2)
    stop()
    stop(scope="market", market=one)
    stop(scope="market", market=one, level=StopLevel.PAUSE)
    stop(scope="market", market=two)
    assert services.resume(market=one.condition_id, author=None, source="cli") == 2
    assert services.resume(scope="all", author=None, source="cli") == 1
    assert services.resume(everything=True, author=None, source="cli") == 1
    with pytest.raises(TargetError):
        services.resume(author=None, source="cli")


def test_without_rows_the_caps_are_the_defaults() -> None:
    assert selectors.limits() == Limits()


def test_caps_become_domain_units() -> None:
    event, market = an_event(77), a_market()
    limit("loss", "total", "1000.50")
    limit("loss", "event_default", "200")
    limit("loss", "market_default", "60")
    limit("loss", "event", "150", event=event)
    limit("loss", "market", "5.25", market=market.condition_id)
    limit("order_rate", "total", "12")
    limit("book_age", "total", "2.5")
    found = selectors.limits()
    assert (found.total_loss, found.event_loss, found.market_loss) == (1_000_500_000, 200_000_000, 60_000_000)
    assert (found.for_event("77"), found.for_event("78")) == (150_000_000, 200_000_000)
    assert found.for_market(market.condition_id) == 5_250_000
    assert (found.orders_per_second, found.max_book_age_ns) == (12, 2_500_000_000)


def test_a_cap_is_changed_in_place_and_removed_with_none() -> None:
    limit("loss", "total", "100")
    limit("loss", "total", "90")
    limit("loss", "total", "90")
    assert Limit.objects.get().value == 90
    assert limit("loss", "total", None) is None
    assert selectors.limits().total_loss == Limits().total_loss
    assert [(c.before, c.after) for c in Change.objects.order_by("pk")] == [
        (None, {"value": "100"}),
        ({"value": "100"}, {"value": "90"}),
        ({"value": "90"}, None),
    ]


@pytest.mark.parametrize(
    ("kind", "scope", "value", "field"),
    [
        ("order_rate", "market_default", "5", "scope"),
        ("order_rate", "total", "5.5", "value"),
        ("loss", "total", "-1", "value"),
        ("loss", "planet", "1", "scope"),
        ("loss", "market", "1", "__all__"),
    ],
)
def test_a_senseless_cap_is_refused_by_field(kind: str, scope: str, value: str, field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        limit(kind, scope, value)
    assert field in caught.value.message_dict
    assert not Limit.objects.exists()


def test_the_database_holds_one_cap_per_target() -> None:
    Limit.objects.create(kind="loss", scope="total", value=1)
    with pytest.raises(IntegrityError), transaction.atomic():
        Limit.objects.create(kind="loss", scope="total", value=2)


def test_refusals_of_one_minute_add_up() -> None:
    market = a_market()
    minute = timezone.now()
    row = services.RefusalRow(market.condition_id, "spread", "market_cap,stale_book", "now 51", minute, 2, "{}")
    services.record_refusals([row, row])
    services.record_refusals([row._replace(detail="now 52", trace='{"verdict":"refused"}')])
    found = Refusal.objects.get()
    assert (found.count, found.detail, found.minute.second) == (6, "now 52", 0)
    assert found.trace == '{"verdict":"refused"}'


def test_a_breaker_has_one_row_that_is_overwritten() -> None:
    market, now = a_market(), timezone.now()
    for state in ("open", "closed"):
        services.report_breakers(
            [
                BreakerReport("stale_book", state, now, "61 s", market.condition_id),
                BreakerReport("clock_skew", state, now),
            ]
        )
    assert list(Breaker.objects.order_by("kind").values_list("kind", "state")) == [
        ("clock_skew", "closed"),
        ("stale_book", "closed"),
    ]


def test_a_trip_a_person_must_know_of_is_history_and_an_incident_until_it_closes() -> None:
    now = timezone.now()
    services.report_breakers([BreakerReport("drift", "open", now, "5 shares unexplained")])
    incident = Incident.objects.get()
    assert (incident.kind, incident.key, incident.closed_at) == ("breaker", "breaker drift", None)
    assert "manage.py breakers --release drift --reason" in incident.text
    services.report_breakers([BreakerReport("drift", "closed", now, "health has lasted")])
    incident.refresh_from_db()
    assert incident.closed_at is not None
    assert list(BreakerEvent.objects.order_by("pk").values_list("state", flat=True)) == ["open", "closed"]


def test_the_daily_life_of_a_book_opens_no_incident() -> None:
    services.report_breakers([BreakerReport("stale_book", "open", timezone.now(), "x", a_market().condition_id)])
    assert not Incident.objects.exists()
    assert not BreakerEvent.objects.exists()


def test_markets_of_one_frozen_socket_have_a_history_each_and_one_incident_until_the_last_is_over() -> None:
    now, markets = timezone.now(), [a_market().condition_id, a_market(2).condition_id]
    report = [BreakerReport("feed_silence", "open", now, "dead: no book within 4 s", each) for each in markets]
    services.report_breakers(report)
    assert BreakerEvent.objects.filter(state="open").count() == 2
    incident = Incident.objects.get()
    assert (incident.times, incident.market) == (2, None)
    services.report_breakers([BreakerReport("feed_silence", "closed", now, "", markets[0])])
    assert Incident.objects.get().closed_at is None
    services.report_breakers([BreakerReport("feed_silence", "closed", now, "", markets[1])])
    assert Incident.objects.get().closed_at is not None


def test_a_release_reaches_the_engine_until_it_has_closed_the_breaker() -> None:
    now = timezone.now()
    services.report_breakers([BreakerReport("drift", "open", now, "5 shares")])
    assert selectors.releases() == ()
    services.release_breaker(kind="drift", author=None, source="cli", reason="bought by hand")
    (release,) = selectors.releases()
    assert (release.kind, release.target) == (BreakerKind.DRIFT, "")
    services.report_breakers([BreakerReport("drift", "half_open", now, "5 shares")])
    assert selectors.releases() == ()
    assert Change.objects.get().action == "breaker_released"


def test_a_new_trip_needs_a_release_of_its_own() -> None:
    now = timezone.now()
    services.report_breakers([BreakerReport("drift", "open", now, "5 shares")])
    services.release_breaker(kind="drift", author=None, source="cli", reason="bought by hand")
    services.report_breakers([BreakerReport("drift", "open", now, "7 shares")])
    assert selectors.releases() == ()


@pytest.mark.parametrize(
    ("kind", "said"),
    [("feed_silence", "closes by itself"), ("error_rate", "tried again by itself"), ("loss", "is not open")],
)
def test_what_is_not_an_operators_to_release_is_refused_with_its_rule(kind: str, said: str) -> None:
    services.report_breakers([BreakerReport(kind, "closed", timezone.now())])
    with pytest.raises(services.NotReleasable, match=said):
        services.release_breaker(kind=kind, author=None, source="cli", reason="please")


def test_a_threshold_is_the_default_until_somebody_sets_it_and_again_when_removed() -> None:
    assert selectors.thresholds() == Thresholds()
    services.set_threshold(name="rejects", value=3, author=None, source="cli")
    assert selectors.thresholds().rejects == 3
    services.set_threshold(name="rejects", value=None, author=None, source="cli")
    assert selectors.thresholds() == Thresholds()
    assert [entry.action for entry in Change.objects.all()] == ["threshold", "threshold"]


@pytest.mark.parametrize(("name", "value"), [("rejects", 0), ("hold", 5)])
def test_a_threshold_that_cannot_be_is_refused_and_nothing_is_stored(name: str, value: int) -> None:
    with pytest.raises(ThresholdError, match=name):
        services.set_threshold(name=name, value=value, author=None, source="cli")
    assert not Threshold.objects.exists()


def test_the_same_trouble_is_one_incident_until_it_is_closed() -> None:
    first = services.open_incident(kind="drift", key="drift:1", text="5 shares")
    again = services.open_incident(kind="drift", key="drift:1", text="6 shares")
    assert (again.pk, again.times, again.text) == (first.pk, 2, "6 shares")
    author = a_user()
    assert services.acknowledge_incident(incident=again, author=author, source="api")
    assert not services.acknowledge_incident(incident=again, author=author, source="api")
    assert again.acknowledged_by == author
    assert services.close_incident(incident=again, author=author, source="api")
    assert services.open_incident(kind="drift", key="drift:1", text="7 shares").pk != first.pk
    assert services.close_incident_by_key(key="drift:1")
    assert not Incident.objects.filter(closed_at=None).exists()


@pytest.mark.parametrize(
    ("target", "scope"),
    [({"strategy": "dutch_book"}, StopScope.STRATEGY), ({"wallet": "0x" + "ab" * 20}, StopScope.WALLET)],
)
def test_a_strategy_or_a_wallet_is_stopped_and_released_by_name(target: dict[str, str], scope: StopScope) -> None:
    row = stop(scope=scope, level=StopLevel.REDUCE, **target)
    (name,) = target.values()
    assert selectors.stops_in_force(timezone.now()) == (DomainStop(StopLevel.REDUCE, scope, name, "test"),)
    assert row.where.endswith(name.replace("_", " "))
    assert services.resume(author=None, source="cli", **target) == 1  # type: ignore[arg-type]


def test_a_flatten_keeps_the_slippage_it_was_given() -> None:
    stop(level=StopLevel.FLATTEN, slippage=Decimal("0.02"))
    (found,) = selectors.stops_in_force(timezone.now())
    assert (found.level, found.slippage) == (StopLevel.FLATTEN, 200)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"scope": "strategy", "strategy": "dutch_book", "level": 4}, "Positions belong to no strategy"),
        ({"scope": "strategy"}, "needs exactly its own target"),
        ({"strategy": "spread"}, "needs exactly its own target"),
        ({"scope": "strategy", "strategy": "momentum"}, "not a valid choice"),
        ({"scope": "wallet", "wallet": "0x12"}, "40 hex digits"),
        ({"level": 4, "slippage": Decimal(2)}, "less than or equal to 1"),
    ],
)
def test_a_stop_that_makes_no_sense_is_refused_and_not_stored(values: dict[str, object], said: str) -> None:
    with pytest.raises((TargetError, ValidationError), match=said):
        stop(**values)
    assert not Stop.objects.exists()


def test_memories_are_kept_by_target_and_overwritten() -> None:
    now = timezone.now()
    services.keep_memories({"": "{}", "0x1": '{"proved":true}'}, at=now)
    services.keep_memories({"0x1": "{}"}, at=now)
    assert selectors.memories() == {"": "{}", "0x1": "{}"}


def test_breakers_left_standing_are_read_back_as_they_were() -> None:
    market, now = a_market(), timezone.now()
    until = now + timedelta(seconds=30)
    services.report_breakers(
        [
            BreakerReport("rejects", "open", now, "9 orders refused", market.condition_id, until),
            BreakerReport("engine_silence", "open", now, "silent"),
            BreakerReport("loop_lag", "closed", now, "health has lasted"),
        ]
    )
    (found,) = selectors.standing_breakers()
    assert (found.kind, found.target, found.state) == (BreakerKind.REJECTS, market.condition_id, BreakerState.OPEN)
    assert (found.since_ns, found.until_ns) == (nanos(now), nanos(until))
