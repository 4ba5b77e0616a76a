"""Who goes first when tokens are short, and what is said to be left."""

from execution.domain.budget import Budget, Tier, Tokens, Urgency
from markets.domain.units import NANOS_PER_SECOND

SECOND = NANOS_PER_SECOND
NOW = 1_800_000_000 * SECOND
U = Urgency


def test_tokens_an_exit_waits_for_are_not_taken_by_requotes() -> None:
    budget = Budget()
    budget.orders.take(46, NOW)  # 14 left: too few for an exit of fifteen, enough for a requote beside the reserve
    with budget.waiting(15, U.EXIT):
        assert budget.admit(1, U.REQUOTE, NOW) > 0
        assert budget.admit(15, U.EXIT, NOW + SECOND // 40) == 0
    assert budget.orders.left(NOW + SECOND // 40) == 0


def test_who_gave_up_waiting_holds_nobody_back() -> None:
    budget = Budget()
    budget.orders.take(46, NOW)
    with budget.waiting(15, U.EXIT):
        pass
    assert budget.admit(1, U.REQUOTE, NOW) == 0


def test_the_more_urgent_do_not_wait_for_the_less_urgent() -> None:
    budget = Budget()
    budget.orders.take(40, NOW)
    with budget.waiting(15, U.REQUOTE), budget.waiting(15, U.ARBITRAGE):
        assert budget.admit(15, U.RISK, NOW) == 0


def test_however_much_is_waited_for_a_batch_is_never_refused_for_ever() -> None:
    budget = Budget()
    with budget.waiting(500, U.RISK):
        wait_ns = budget.admit(15, U.REQUOTE, NOW)
    assert 0 <= wait_ns <= 60 * SECOND // 40


def test_what_is_left_is_told_with_the_tier_and_debt_as_debt() -> None:
    budget = Budget(Tier.COPPER)
    budget.orders.take(15, NOW)
    budget.cancelling(200, NOW)
    assert budget.tokens(NOW) == Tokens(Tier.COPPER, 75, 90, -20, 180)
