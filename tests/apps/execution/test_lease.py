"""The lease and the heartbeat: one engine at a time, and the newest token wins."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from django.db import connection

from execution import selectors, services
from execution.domain.lease import Lease, LeaseHeld, LeaseLost
from execution.models import EngineLease, EngineStatus

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
TTL = timedelta(seconds=10)


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def take(holder: str, at: datetime = NOON) -> Lease:
    return services.acquire_lease(holder=holder, ttl=TTL, now=at)


def beat(token: int, state: str = "quoting", at: datetime = NOON) -> None:
    status = services.Beat(token, state, "fake", False, NOON, 3, {"markets": 2})
    services.beat(status, now=at)


@pytest.mark.django_db
@pytest.mark.sqlite
class TestLease:
    def test_the_first_one_gets_it(self) -> None:
        assert take("a") == Lease("engine", 1, "a", later(10))

    def test_a_second_engine_is_told_who_holds_it_and_until_when(self) -> None:
        take("host-1:42")
        with pytest.raises(LeaseHeld, match="held by host-1:42 until 2026-11-01 12:00:10 UTC"):
            take("host-2:7", later(9))

    def test_even_the_same_holder_does_not_get_it_twice(self) -> None:
        take("a")
        with pytest.raises(LeaseHeld):
            take("a", later(1))

    def test_an_expired_lease_goes_to_the_next_with_a_larger_token(self) -> None:
        assert take("a").token == 1
        assert take("b", later(10)).token == 2

    def test_the_token_grows_over_a_release(self) -> None:
        first = take("a")
        assert services.release_lease(lease=first, now=later(1))
        assert take("b", later(1)).token == 2

    def test_renewing_moves_the_expiry(self) -> None:
        renewed = services.renew_lease(lease=take("a"), ttl=TTL, now=later(5))
        assert renewed.expires_at == later(15)
        with pytest.raises(LeaseHeld):
            take("b", later(14))

    def test_an_expired_lease_nobody_took_can_still_be_renewed(self) -> None:
        assert services.renew_lease(lease=take("a"), ttl=TTL, now=later(60)).token == 1

    def test_who_lost_it_can_neither_renew_nor_release_it(self) -> None:
        old = take("a")
        take("b", later(10))
        with pytest.raises(LeaseLost):
            services.renew_lease(lease=old, ttl=TTL, now=later(11))
        assert not services.release_lease(lease=old, now=later(11))
        row = EngineLease.objects.get()
        assert (row.holder, row.expires_at) == ("b", later(20))

    def test_two_names_are_two_leases(self) -> None:
        take("a")
        assert services.acquire_lease(name="other", holder="b", ttl=TTL, now=NOON).token == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.sqlite
def test_of_many_who_ask_at_once_one_gets_it() -> None:
    crowd = 6
    gate = Barrier(crowd)

    def contend(number: int) -> int | None:
        try:
            gate.wait(timeout=10)
            return services.acquire_lease(holder=f"engine-{number}", ttl=TTL).token
        except LeaseHeld:
            return None
        finally:
            connection.close()

    with ThreadPoolExecutor(crowd) as pool:
        tokens = list(pool.map(contend, range(crowd)))
    assert sorted(token for token in tokens if token is not None) == [1]


@pytest.mark.django_db
@pytest.mark.sqlite
class TestHeartbeat:
    def test_it_is_one_row_that_is_overwritten(self) -> None:
        beat(1, "starting")
        beat(1, "quoting", later(1))
        row = EngineStatus.objects.get()
        assert (row.state, row.beat_at, row.change_seen, row.summary) == ("quoting", later(1), 3, {"markets": 2})

    def test_an_older_engine_may_not_report_over_a_newer_one(self) -> None:
        beat(2)
        with pytest.raises(LeaseLost):
            beat(1, "quoting", later(1))
        assert EngineStatus.objects.get().token == 2

    def test_an_engine_is_alive_while_it_reports(self) -> None:
        beat(1)
        assert selectors.engine_alive(now=later(4))
        assert not selectors.engine_alive(now=later(6))

    def test_a_stopped_engine_is_not_alive(self) -> None:
        beat(1, "stopped")
        assert not selectors.engine_alive(now=later(1))

    def test_no_engine_was_ever_here(self) -> None:
        assert selectors.engine_status() is None
        assert not selectors.engine_alive()
