"""Garbage on one socket costs the books of that socket, not those of others."""

from execution.domain.commands import Resync
from markets.domain.events import Frame
from markets.domain.integrity import Doubt, Trust
from polyweb.runtime.deliveries import Deliveries
from polyweb.runtime.inbox import FeedDown, FeedUp, read, spell
from tests.builders import SECOND, Stage, a_market, book

GARBAGE = b"\xff\xfe"


def two_sockets() -> Stage:
    """The first market came up on connection 1, the second on connection 2."""
    first, second = a_market(1), a_market(2)
    stage = Stage(first, second)
    stage.apply(FeedUp(stage.now, (first.yes, first.no), 1), FeedUp(stage.now, (second.yes, second.no), 2))
    stage.turn(book(first, stage.now), book(second, stage.now))
    return stage.after(SECOND)


def trusts(stage: Stage) -> list[Trust]:
    return [stage.trader.books.trust(market.condition_id) for market in (a_market(1), a_market(2))]


def test_garbage_that_names_no_market_costs_the_books_of_its_own_socket() -> None:
    stage = two_sockets()
    stage.apply(Frame(stage.now, 2, GARBAGE))
    assert trusts(stage) == [Trust.VERIFIED, Trust.SUSPECT]
    second = a_market(2)
    asked = [command for command in stage.decide() if isinstance(command, Resync)]
    assert [(wish.assets, wish.reason) for wish in asked] == [((second.yes, second.no), Doubt.MALFORMED.value)]


def test_garbage_of_a_connection_nobody_announced_costs_every_book() -> None:
    stage = two_sockets()
    stage.apply(Frame(stage.now, 3, GARBAGE))
    assert trusts(stage) == [Trust.SUSPECT, Trust.SUSPECT]


def test_a_connection_that_went_down_vouches_for_nothing() -> None:
    stage = two_sockets()
    first = a_market(1)
    stage.apply(FeedDown(stage.now, (first.yes, first.no), "closed"), Frame(stage.now, 1, GARBAGE))
    assert trusts(stage) == [Trust.BROKEN, Trust.SUSPECT]


def test_tokens_that_come_and_go_on_a_live_socket_are_followed() -> None:
    deliveries = Deliveries()
    deliveries.up(1, ("a", "b"))
    deliveries.up(1, ("c",))
    deliveries.down(("a",))
    assert deliveries.of(1) == ("b", "c")


def test_no_connection_in_particular_is_not_remembered() -> None:
    deliveries = Deliveries()
    deliveries.up(0, ("a",))
    assert deliveries.of(0) is None


def test_a_session_keeps_the_connection_and_an_older_one_has_none() -> None:
    assert read(spell(FeedUp(1, ("a",), 4))) == FeedUp(1, ("a",), 4)
    assert read(b'{"type":"FeedUp","at_ns":1,"assets":["a"]}') == FeedUp(1, ("a",))
