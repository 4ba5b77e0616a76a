from execution.domain.budget import MINUTE, CancelWindow


def test_a_cancel_counts_for_exactly_one_minute() -> None:
    window = CancelWindow()
    window.note(2, 0)
    assert window.left(3, MINUTE - 1) == 1
    assert window.left(3, MINUTE) == 3


def test_a_lowered_limit_leaves_nothing_but_never_less() -> None:
    window = CancelWindow()
    window.note(5, 0)
    assert window.left(3, 1) == 0


def test_in_no_minute_are_there_more_than_the_limit() -> None:
    window = CancelWindow()
    sent: list[int] = []
    for now in range(0, 5 * MINUTE, MINUTE // 7):
        allowed = min(2, window.left(9, now))
        window.note(allowed, now)
        sent += [now] * allowed
    assert all(sum(start <= at < start + MINUTE for at in sent) <= 9 for start in sent)
