import pytest

from execution.domain.venue import (
    ALLOWED,
    CANCEL_ONLY_BELIEVED,
    POST_ONLY_AFTER_RESTART,
    Venue,
    VenueMode,
    VenueSignal,
    hear,
    settle,
)

M, S = VenueMode, VenueSignal


def test_every_mode_says_what_it_allows() -> None:
    assert set(ALLOWED) == set(VenueMode)
    assert [mode for mode, allowed in ALLOWED.items() if not allowed.cancel] == [M.RESTARTING, M.DISABLED]


@pytest.mark.parametrize(
    ("signal", "mode"),
    [
        (S.RESTARTING, M.RESTARTING),
        (S.POST_ONLY, M.POST_ONLY),
        (S.CANCEL_ONLY, M.CANCEL_ONLY),
        (S.DISABLED, M.DISABLED),
        (S.CLOSED_ONLY, M.CLOSED_ONLY),
        (S.GEOBLOCKED, M.GEOBLOCKED),
        (S.WORKING, M.OPEN),
        (S.CANCELLING, M.OPEN),
        (S.CLEARED, M.OPEN),
    ],
)
def test_an_open_venue_becomes_what_it_says(signal: VenueSignal, mode: VenueMode) -> None:
    assert hear(Venue(), signal, 5).mode is mode


def test_a_restart_is_followed_by_two_minutes_of_post_only() -> None:
    venue = hear(hear(Venue(), S.RESTARTING, 5), S.WORKING, 10)
    assert (venue.mode, venue.until_ns) == (M.POST_ONLY, 10 + POST_ONLY_AFTER_RESTART)
    assert settle(venue, venue.until_ns - 1).mode is M.POST_ONLY
    assert settle(venue, venue.until_ns).mode is M.OPEN


def test_an_accepted_order_does_not_end_post_only_early() -> None:
    venue = hear(Venue(), S.POST_ONLY, 5, retry_after_ns=100)
    assert hear(venue, S.WORKING, 50) == venue
    assert settle(venue, 105).mode is M.OPEN


def test_a_stated_restart_may_be_tried_again_as_post_only() -> None:
    venue = hear(Venue(), S.RESTARTING, 5, retry_after_ns=10)
    assert settle(venue, 14) == venue
    assert settle(venue, 15).mode is M.POST_ONLY


def test_an_unstated_restart_lasts_until_an_order_is_accepted() -> None:
    venue = hear(Venue(), S.RESTARTING, 5)
    assert settle(venue, 10**18) == venue


def test_said_again_a_mode_keeps_its_beginning() -> None:
    venue = hear(hear(Venue(), S.RESTARTING, 5), S.RESTARTING, 9)
    assert venue.since_ns == 5


@pytest.mark.parametrize("ours", [S.CLOSED_ONLY, S.GEOBLOCKED])
def test_what_is_about_us_ends_only_when_somebody_looked_again(ours: VenueSignal) -> None:
    venue = hear(Venue(), ours, 5)
    for signal in (S.RESTARTING, S.POST_ONLY, S.CANCEL_ONLY, S.WORKING):
        assert hear(venue, signal, 9) == venue
    assert settle(venue, 10**18) == venue
    assert hear(venue, S.CLEARED, 9).mode is M.OPEN


def test_a_check_that_finds_no_block_does_not_end_a_restart() -> None:
    venue = hear(Venue(), S.RESTARTING, 5)
    assert hear(venue, S.CLEARED, 9) == venue


def test_an_answered_cancel_ends_a_restart_in_post_only() -> None:
    venue = hear(hear(Venue(), S.RESTARTING, 5), S.CANCELLING, 10)
    assert (venue.mode, venue.until_ns) == (M.POST_ONLY, 10 + POST_ONLY_AFTER_RESTART)


def test_an_answered_cancel_proves_of_a_disabled_venue_only_that_cancels_work() -> None:
    venue = hear(hear(Venue(), S.DISABLED, 5), S.CANCELLING, 10)
    assert venue.mode is M.CANCEL_ONLY
    assert hear(venue, S.CANCELLING, 11) == venue
    assert hear(venue, S.WORKING, 12).mode is M.OPEN


def test_cancel_only_without_an_end_is_tried_again_as_post_only() -> None:
    venue = hear(Venue(), S.CANCEL_ONLY, 5)
    assert settle(venue, 5 + CANCEL_ONLY_BELIEVED - 1) == venue
    assert settle(venue, 5 + CANCEL_ONLY_BELIEVED).mode is M.POST_ONLY


def test_a_disabled_venue_stays_so_until_it_says_otherwise() -> None:
    venue = hear(Venue(), S.DISABLED, 5)
    assert settle(venue, 10**18) == venue
