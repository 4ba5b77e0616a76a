"""Each market's own count of changes and of doubts, as screens and `status` show it."""

from markets.domain.events import Side
from polyweb.runtime import views
from polyweb.runtime.inbox import FeedDown, TraderConfig
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


def test_a_wish_that_leaves_the_book_alone_is_published_all_the_same() -> None:
    """The book stays as it was and verified, only its count has changed."""
    stage = Stage(config=TraderConfig(first_id=1, starting_cash=0))
    stage.turn(book(stage.market, stage.now))
    stage.trader.drain_touched()
    asked = 0
    for _ in range(70):
        stage.after(SECOND).tick()
        stage.turn()
        for condition_id in stage.trader.drain_touched():
            assert condition_id == stage.market.condition_id
            asked = views.market_view(stage.trader, stage.market, stage.now)["resyncs"]
    assert asked == counts(stage)[1] == 1


def test_the_end_of_a_recording_is_no_resync() -> None:
    stage = Stage().quoting().after(SECOND)
    before = counts(stage)[1], stage.trader.books.counters.resyncs.copy()
    stage.apply(FeedDown(stage.now, (stage.market.yes, stage.market.no), "recording ended"))
    for _ in range(120):
        stage.after(SECOND).tick()
        stage.turn()
    assert (counts(stage)[1], stage.trader.books.counters.resyncs) == before


def test_the_summary_names_the_state_of_the_hash_recipe() -> None:
    stage = Stage()
    assert views.summary(stage.trader, stage.now)["recipe"] == "reproduces"
