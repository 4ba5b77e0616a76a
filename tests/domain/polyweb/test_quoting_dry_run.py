"""A dry run: each quote is signed once, not at every turn, and again when it has changed."""

from execution.domain.commands import DRY_RUN, Command, NewOrder, Rejected
from tests.builders import SECOND, Stage, a_market, book, placed

MARKET = a_market()
HIGHER = {5000: 500}, {5200: 500}


def answered(stage: Stage, code: str, *frames: bytes) -> list[NewOrder]:
    """A turn whose orders the hands answer with this code."""
    stage.hear(*frames)
    commands: list[Command] = stage.decide()
    stage.apply(*(Rejected(order.client_order_id, code, "", stage.now) for order in placed(commands)))
    return placed(commands)


def test_a_quote_is_signed_once_while_it_stays_the_same() -> None:
    stage = Stage(MARKET)
    assert len(answered(stage, DRY_RUN, book(MARKET, stage.now))) == 2
    for _ in range(5):
        stage.after(SECOND)
        assert answered(stage, DRY_RUN, book(MARKET, stage.now)) == []
    assert stage.trader.desks[MARKET.condition_id].quoting


def test_a_quote_that_moved_is_signed_anew_and_so_is_one_that_came_back() -> None:
    stage = Stage(MARKET)
    first = answered(stage, DRY_RUN, book(MARKET, stage.now))
    assert len(answered(stage.after(SECOND), DRY_RUN, book(MARKET, stage.now, *HIGHER))) == 2
    back = answered(stage.after(SECOND), DRY_RUN, book(MARKET, stage.now))
    assert [(order.side, order.price) for order in back] == [(order.side, order.price) for order in first]


def test_a_refusal_of_the_venue_is_tried_again() -> None:
    stage = Stage(MARKET)
    answered(stage, "post_only_would_cross", book(MARKET, stage.now))
    assert len(answered(stage.after(SECOND), "post_only_would_cross", book(MARKET, stage.now))) == 2
