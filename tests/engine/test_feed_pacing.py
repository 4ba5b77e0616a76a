"""When connections are opened, believed and replaced: values, no sockets."""

from markets.feed.pacing import Backoff, DataWatch, FeedTimes, Stagger

TIMES = FeedTimes(opening_s=15, data_silence_s=60, memory_s=300, backoff_s=1, backoff_cap_s=8, stable_s=10)


def test_pauses_double_up_to_their_cap_and_are_spread_between_half_and_whole() -> None:
    backoff = Backoff(TIMES)
    pauses = [backoff.pause_s(lived_s=0.1, spoke=False, chance=1.0) for _ in range(6)]
    assert pauses == [1, 2, 4, 8, 8, 8]
    assert backoff.pause_s(lived_s=0.1, spoke=False, chance=0.0) == 4


def test_only_a_connection_that_spoke_and_lasted_resets_the_pauses() -> None:
    backoff = Backoff(TIMES)
    for _ in range(3):
        backoff.pause_s(lived_s=0.1, spoke=True, chance=1.0)  # a venue that hangs up on everybody
    assert backoff.pause_s(lived_s=60, spoke=False, chance=1.0) == 8
    assert backoff.pause_s(lived_s=60, spoke=True, chance=1.0) == 1


def test_connections_are_opened_one_slot_after_the_other() -> None:
    stagger = Stagger(0.2)
    assert [round(stagger.take(100.0), 3) for _ in range(3)] == [0.0, 0.2, 0.4]
    assert stagger.take(200.0) == 0.0


def test_a_new_connection_owes_its_books() -> None:
    watch = DataWatch(TIMES)
    watch.opened(100.0)
    assert watch.wait_s(100.0) == 15
    assert (watch.verdict(114.9), watch.verdict(115.0)) == ("", "no book within 15 s")


def test_a_quiet_socket_is_asked_for_a_book_and_is_frozen_without_an_answer() -> None:
    watch = DataWatch(TIMES)
    watch.opened(0.0)
    watch.heard(10.0, live=True)
    assert (watch.quiet(13.9), watch.quiet(14.0), watch.wait_s(10.0)) == (False, True, 4)
    watch.asked(14.0, TIMES.answer_s)
    assert not watch.quiet(15.0)
    assert (watch.verdict(17.9), watch.verdict(18.0)) == ("", "no book within 4 s")


def test_a_quiet_socket_that_answers_lives_and_is_asked_again_when_it_is_quiet_again() -> None:
    watch = DataWatch(TIMES)
    watch.opened(0.0)
    watch.heard(10.0, live=True)
    watch.asked(14.0, TIMES.answer_s)
    watch.heard(14.5, live=False)
    assert watch.verdict(18.0) == ""
    assert (watch.quiet(18.0), watch.quiet(18.5)) == (False, True)


def test_nothing_is_held_against_a_socket_nobody_listened_to() -> None:
    watch = DataWatch(TIMES)
    watch.opened(0.0)
    watch.heard(10.0, live=True)
    watch.asked(14.0, TIMES.answer_s)
    watch.missed(14.0)
    watch.deaf(40.0)
    assert (watch.verdict(43.9), watch.verdict(44.0)) == ("", "no book within 4 s")


def test_a_socket_that_answers_but_told_of_changes_lately_and_does_not_any_more_is_frozen() -> None:
    watch = DataWatch(TIMES)
    watch.opened(0.0)
    watch.heard(1.0, live=False)
    watch.heard(30.0, live=True)
    watch.heard(85.0, live=False)
    assert (watch.verdict(89.9), watch.verdict(90.0)) == ("", "no change for 60 s")


def test_a_quiet_market_is_not_frozen_and_patience_grows_with_every_replacement_in_vain() -> None:
    watch = DataWatch(TIMES)
    watch.opened(0.0)
    watch.heard(1.0, live=False)
    assert watch.verdict(10_000.0) == ""
    watch.heard(10_000.0, live=True)
    replaced = []
    for second in range(10_000, 12_000):
        if watch.verdict(second):
            replaced.append(second - 10_000)
            watch.opened(second)
            watch.heard(second, live=False)
    assert replaced == [60, 180]


def test_a_socket_that_was_given_more_tokens_owes_their_books_although_its_market_is_quiet() -> None:
    watch = DataWatch(TIMES)
    watch.opened(0.0)
    watch.heard(1.0, live=False)
    watch.asked(1_000.0, 15)
    watch.asked(1_010.0, 15)
    assert watch.wait_s(1_000.0) == 15
    assert (watch.verdict(1_014.0), watch.verdict(1_015.0)) == ("", "no book within 15 s")
    watch.heard(1_015.0, live=False)
    assert watch.verdict(2_000.0) == ""


def test_a_socket_the_venue_moved_on_without_must_prove_itself_although_it_answers() -> None:
    watch = DataWatch(TIMES)
    watch.opened(0.0)
    watch.heard(1.0, live=False)
    watch.missed(61.0)
    watch.heard(64.0, live=False)
    assert (watch.verdict(64.9), watch.verdict(65.0)) == ("", "the venue's books move on without it")
    watch.heard(66.0, live=True)
    assert watch.verdict(100.0) == ""
