"""What the observer keeps of a market: moved tops, trades, trust and resyncs, each once."""

from collections.abc import Sequence

from markets.domain.events import LastTrade, Side
from markets.domain.integrity import Doubt, Trust
from markets.domain.observed import Observed, ResyncAsked, TopMoved, Traded, TrustMoved
from polyweb.runtime.inbox import FeedDown
from polyweb.runtime.observer import QUIET, Observer
from tests.builders import MILLI, SECOND, SHARES, Stage, a_market, book, change

HEALTHY = {4800: 100}, {5200: 100}


class Watched:
    """A stage whose every decision is looked at."""

    def __init__(self) -> None:
        self.facts: list[Observed] = []
        self.stage = Stage()
        self.observer = Observer(self.take)

    def take(self, facts: Sequence[Observed]) -> None:
        self.facts += facts

    def turn(self, *frames: bytes) -> list[Observed]:
        """What is new after these frames."""
        before, trader = len(self.facts), self.stage.trader
        self.stage.turn(*frames)
        self.observer.look(trader.books, trader.decided, self.stage.now)
        return self.facts[before:]

    def seeded(self) -> "Watched":
        self.turn(book(self.stage.market, self.stage.now, *HEALTHY))
        self.stage.after(SECOND)
        return self


def of(facts: Sequence[Observed], kind: type) -> list[Observed]:
    return [fact for fact in facts if type(fact) is kind]


def test_the_first_snapshot_earns_trust_and_shows_the_tops() -> None:
    watched = Watched()
    stage = watched.stage
    market, now = stage.market.condition_id, stage.now
    assert watched.turn(book(stage.market, now, *HEALTHY)) == [
        TrustMoved(market, now, Trust.VERIFIED, Doubt.NONE),
        TopMoved(market, now, 4800, 100 * SHARES, 5200, 100 * SHARES),
    ]


def test_a_book_that_keeps_its_tops_is_not_stored_again() -> None:
    watched = Watched().seeded()
    stage = watched.stage
    assert watched.turn(change(stage.market, stage.now, Side.BUY, 4700, 50, (4800, 5200))) == []


def test_a_moved_top_is_stored_with_the_size_found_there() -> None:
    watched = Watched().seeded()
    stage = watched.stage
    found = watched.turn(change(stage.market, stage.now, Side.BUY, 4900, 7, (4900, 5200)))
    assert found == [TopMoved(stage.market.condition_id, stage.now, 4900, 7 * SHARES, 5200, 100 * SHARES)]


def test_an_empty_side_is_said_to_be_empty() -> None:
    watched = Watched()
    stage = watched.stage
    [top] = of(watched.turn(book(stage.market, stage.now, {}, {5200: 1})), TopMoved)
    assert isinstance(top, TopMoved)
    assert (top.bid, top.bid_size) == (None, 0)


def test_the_middle_of_a_burst_is_not_stored() -> None:
    watched = Watched().seeded()
    stage = watched.stage
    assert watched.turn(change(stage.market, stage.now, Side.BUY, 4900, 7, (5000, 5200))) == []
    last = change(stage.market, stage.now, Side.BUY, 5000, 3, (5000, 5200))
    assert [type(fact) for fact in watched.turn(last)] == [TopMoved]


def test_lost_trust_is_stored_with_its_reason_and_no_tops() -> None:
    watched = Watched().seeded()
    stage = watched.stage
    stage.apply(FeedDown(stage.now, (stage.market.yes, stage.market.no), "gone"))
    assert watched.turn() == [TrustMoved(stage.market.condition_id, stage.now, Trust.BROKEN, Doubt.FEED_DOWN)]


def test_a_resync_is_stored_with_its_reason() -> None:
    watched = Watched().seeded()
    stage = watched.stage
    watched.observer.asked(stage.market.condition_id, Doubt.TOPS.value, 7, stage.now)
    assert watched.turn() == [ResyncAsked(stage.market.condition_id, stage.now, Doubt.TOPS.value, 7)]


def test_asking_a_quiet_book_to_show_itself_is_no_event() -> None:
    found: list[Observed] = []
    observer = Observer(found.extend)
    observer.asked("0x1", QUIET, 1, 1)
    observer.look(Stage().trader.books, [], 1)
    assert found == []


def test_a_trade_is_kept_in_the_terms_of_its_token() -> None:
    watched = Watched().seeded()
    stage = watched.stage
    market, books, now = stage.market, stage.trader.books, stage.now
    printed = LastTrade(market.condition_id, market.no, now // MILLI, 5200, 3 * SHARES, Side.SELL)
    watched.observer.traded(books, printed, now)
    assert watched.turn() == [Traded(market.condition_id, now, now // MILLI, False, 5200, 3 * SHARES, Side.SELL)]


def test_a_market_nobody_follows_leaves_nothing() -> None:
    watched = Watched()
    stranger = a_market(9)
    printed = LastTrade(stranger.condition_id, stranger.yes, 1, 5200, SHARES, Side.BUY)
    watched.observer.traded(watched.stage.trader.books, printed, 1)
    watched.observer.look(watched.stage.trader.books, [stranger.condition_id], 1)
    assert watched.facts == []
