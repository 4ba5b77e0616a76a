"""Each market's own count of changes and of doubts, as screens and `status` show it."""

from markets.domain.events import Side
from polyweb.runtime import views
from tests.builders import SECOND, Stage, book, change


def counts(stage: Stage) -> tuple[int, int]:
    view = views.market_view(stage.trader, stage.market, stage.now)
    return view["changes"], view["resyncs"]


def test_a_market_counts_its_changes_and_no_doubt_where_there_was_none() -> None:
    stage = Stage()
    stage.turn(book(stage.market, stage.now))
    before, _ = counts(stage)
    stage.after(SECOND).turn(change(stage.market, stage.now, Side.BUY, 4000, 5, (4800, 5200)))
    assert counts(stage) == (before + 1, 0)


def test_a_book_that_contradicts_the_venue_counts_one_resync() -> None:
    stage = Stage()
    stage.turn(book(stage.market, stage.now, {4800: 100}, {5200: 100}))
    stage.after(SECOND).turn(change(stage.market, stage.now, Side.BUY, 4000, 5, (4900, 5200)))
    stage.after(SECOND).tick()
    stage.turn()
    assert counts(stage)[1] == 1
