"""Upkeep of the event tables: days ahead exist, old ones go, nothing is lost on the way."""

from datetime import UTC, date, datetime, timedelta
from importlib import import_module

import pytest
from django.db import connection
from django.utils import timezone

from markets import services, tasks
from markets.models import BookEvent, Market, TrustChange
from markets.services.event_tables import DAYS_AHEAD, EVENT_MODELS, partition_days
from tests.control_builders import a_market

pytestmark = pytest.mark.django_db

KEEP = timedelta(days=14)
NOW = datetime(2031, 5, 10, 12, tzinfo=UTC)
TODAY = NOW.date()


@pytest.fixture
def _partitioned() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("partitions are PostgreSQL's")


def an_event(at: datetime) -> TrustChange:
    market = Market.objects.first() or a_market(1)
    return TrustChange.objects.create(market=market, at=at, trust="verified")


def table_of(row: TrustChange) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM markets_trustchange WHERE id = %s", [row.pk])
        return str(cursor.fetchone()[0])


@pytest.mark.sqlite
def test_old_rows_go_and_young_ones_stay() -> None:
    an_event(NOW - timedelta(days=16))
    young = an_event(NOW - timedelta(days=13))
    tended = services.tend_event_tables(keep=KEEP, now=NOW)
    assert tended.dropped + tended.deleted >= 1
    assert TrustChange.objects.get() == young


@pytest.mark.sqlite
def test_rows_keep_their_identity_and_are_found_by_market_and_time() -> None:
    first, second = an_event(NOW), an_event(NOW + timedelta(days=3))
    assert first.pk != second.pk
    assert TrustChange.objects.get(pk=second.pk) == second
    assert list(TrustChange.objects.filter(market=first.market, at__lt=NOW + timedelta(days=1))) == [first]


@pytest.mark.sqlite
def test_the_task_refuses_to_keep_less_than_a_day() -> None:
    with pytest.raises(ValueError, match="less than a day"):
        tasks.tend_event_tables(days=0)
    assert set(tasks.tend_event_tables(days=14)) == {"created", "dropped", "deleted"}


@pytest.mark.usefixtures("_partitioned")
def test_today_and_a_week_ahead_have_their_partitions_after_the_migration() -> None:
    today = timezone.now().astimezone(UTC).date()
    for model in EVENT_MODELS:
        days = partition_days(model)
        assert set(days) <= {today + timedelta(days=n) for n in range(-1, DAYS_AHEAD + 1)}
        assert len(days) == DAYS_AHEAD + 1


@pytest.mark.usefixtures("_partitioned")
def test_the_coming_days_are_made_once() -> None:
    made = services.tend_event_tables(keep=KEEP, now=NOW)
    assert made.created == (DAYS_AHEAD + 1) * len(EVENT_MODELS)
    assert partition_days(BookEvent)[-1] == TODAY + timedelta(days=DAYS_AHEAD)
    assert services.tend_event_tables(keep=KEEP, now=NOW).created == 0


@pytest.mark.usefixtures("_partitioned")
def test_a_row_goes_to_the_partition_of_its_day() -> None:
    services.tend_event_tables(keep=KEEP, now=NOW)
    last = datetime(2031, 5, 10, 23, 59, 59, 999999, tzinfo=UTC)
    assert table_of(an_event(last)) == "markets_trustchange_20310510"
    assert table_of(an_event(last + timedelta(microseconds=1))) == "markets_trustchange_20310511"


@pytest.mark.usefixtures("_partitioned")
def test_a_row_without_a_partition_waits_in_the_rest_and_moves_into_its_day() -> None:
    early = an_event(NOW)
    assert table_of(early) == "markets_trustchange_rest"
    services.tend_event_tables(keep=KEEP, now=NOW)
    assert table_of(early) == "markets_trustchange_20310510"


@pytest.mark.usefixtures("_partitioned")
def test_whole_days_that_are_too_old_are_dropped() -> None:
    services.tend_event_tables(keep=KEEP, now=NOW)
    an_event(NOW)
    later = NOW + timedelta(days=20)
    tended = services.tend_event_tables(keep=KEEP, now=later)
    assert not TrustChange.objects.exists()
    assert partition_days(TrustChange)[0] == date(2031, 5, 16)
    # Today's real partitions of the migration went long before, so only this week's are counted here.
    assert tended.dropped == 6 * len(EVENT_MODELS)


@pytest.mark.usefixtures("_partitioned")
def test_every_partition_has_the_indexes_that_time_and_market_need() -> None:
    services.tend_event_tables(keep=KEEP, now=NOW)
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 'markets_bookevent_20310510'")
        found = sorted(str(row[0]).partition(" USING ")[2] for row in cursor.fetchall())
    assert found == ["brin (at)", "btree (id, at)", "btree (market_id, at)"]


@pytest.mark.sqlite
def test_with_timescale_a_table_becomes_a_hypertable_instead() -> None:
    migration = import_module("markets.migrations.0005_event_storage")
    text = migration.table_sql("markets_bookevent", hypertable=True)
    assert "create_hypertable('markets_bookevent', 'at'" in text
    assert "PARTITION" not in text
