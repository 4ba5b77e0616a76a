"""Hash recipe, sweep and audit: how a book is proved, and what happens when proof runs out."""

from dataclasses import replace

import pytest

from markets.domain.audit import Audit, audit
from markets.domain.book_hash import HashFacts, Recipe, book_hash
from markets.domain.books import HASH_GRACE_NS, BookSet
from markets.domain.decode import decode, decode_rest_books
from markets.domain.events import BookSnapshot, Side
from markets.domain.integrity import Doubt, Trust
from markets.domain.market import Market
from markets.domain.recipe_watch import (
    MISSES_TO_ABANDON,
    MISSES_TO_DOUBT,
    TRANSITIONS,
    Finding,
    RecipeState,
    RecipeWatch,
)
from markets.domain.units import NANOS_PER_SECOND, price_text, size_text
from tests.domain.markets.wire import CONDITION, MARKET, Venue, feed, followed, frame, trade

MINUTE = 60 * NANOS_PER_SECOND


class OtherRecipe(Venue):
    """A venue that hashes as it did in another year."""

    recipe = Recipe.NINE_FIELDS

    def hash(self, yes: bool) -> str:
        market = self.book.market
        facts = HashFacts(size_text(market.min_size), price_text(market.tick), market.neg_risk, "")
        return book_hash(self.book, yes, self.now_ms, facts, self.recipe)


class NoRecipe(Venue):
    """A venue whose hashes are of no kind we know, once `broken`."""

    broken = False

    def hash(self, yes: bool) -> str:
        true = super().hash(yes)
        return true[::-1] if self.broken else true


@pytest.mark.parametrize("recipe", [Recipe.NINE_FIELDS, Recipe.SIX_FIELDS])
def test_the_recipes_of_earlier_years_reproduce(recipe: Recipe) -> None:
    venue = OtherRecipe()
    venue.recipe = recipe
    books = followed(venue)
    feed(books, venue.change(Side.BUY, 4950, 5), venue.change(Side.BUY, 4950, 6))
    books.flush()
    assert (books.counters.hash_checked, books.counters.hash_matches) == (3, 3)
    assert books.recipes_matched == {recipe.value: 5}  # both tokens of two changes, and the snapshot


def test_a_recipe_that_stops_everywhere_is_doubted_and_then_given_up_while_quoting_goes_on() -> None:
    venues = [NoRecipe(market=Market(f"0x{n:064x}", "e", "", f"{n}1" * 30, f"{n}2" * 30, tick=50)) for n in range(1, 5)]
    books = BookSet(hash_every=1)
    for venue in venues:
        books.track(venue.book.market)
        feed(books, named(venue, venue.snapshot()))
        venue.broken = True
    for size in range(1, MISSES_TO_ABANDON):
        for venue in venues:
            if books.trust(venue.book.market.condition_id) is Trust.BROKEN:
                feed(books, named(venue, venue.snapshot()))
            feed(books, named(venue, venue.change(Side.BUY, 4950, size)))
    assert states(books) == [RecipeState.ABANDONED]
    assert books.counters.recipe_alerts == 2
    assert books.counters.resyncs.get(Doubt.HASH, 0) <= len(venues)
    assert {books.trust(venue.book.market.condition_id) for venue in venues} == {Trust.VERIFIED}
    for venue in venues:
        venue.broken = False
    for size in range(1, 40):
        feed(books, named(venues[0], venues[0].change(Side.BUY, 4950, size)))
    assert states(books) == [RecipeState.REPRODUCES]


def states(books: BookSet) -> list[RecipeState]:
    return [books.recipe_state]


def named(venue: Venue, data: bytes) -> bytes:
    return data.replace(CONDITION.encode(), venue.book.market.condition_id.encode())


def test_one_bad_book_among_good_ones_does_not_bring_the_recipe_into_doubt() -> None:
    watch = RecipeWatch()
    for market in ("a", "b", "c", "d"):
        watch.matched(market, Recipe.TEN_FIELDS)
    for _ in range(MISSES_TO_DOUBT * 3):
        watch.missed("a")
    assert watch.accuses
    watch.missed("never reproduced")
    watch.missed("b")
    watch.missed("c")
    assert watch.state is RecipeState.DOUBTED
    watch.matched("d", Recipe.TEN_FIELDS)
    assert watch.accuses
    assert watch.moves == {RecipeState.DOUBTED: 1, RecipeState.REPRODUCES: 1}


def test_the_table_of_recipe_states_is_whole() -> None:
    assert set(TRANSITIONS) == {(state, finding) for state in RecipeState for finding in Finding}


def test_a_book_nobody_sampled_owes_a_hash_after_half_the_sweep() -> None:
    venue = Venue()
    books = swept(venue)
    books.settle(MINUTE // 2 - 1)
    books.apply_frame(venue.change(Side.BUY, 4950, 1), MINUTE // 2)
    assert books.counters.hash_checked == 1  # the snapshot's own
    books.settle(MINUTE)
    books.apply_frame(venue.change(Side.BUY, 4950, 2), MINUTE + 1)
    books.apply_frame(venue.change(Side.BUY, 4950, 3), MINUTE + 2)
    assert (books.counters.hash_checked, books.counters.hash_matches) == (2, 2)
    assert books.last_proof_ns(CONDITION) == MINUTE + 1


def test_a_book_without_frames_is_asked_for_within_the_sweep() -> None:
    venue = Venue()
    books = swept(venue)
    asked = []
    for second in range(1, 180):
        books.settle(second * NANOS_PER_SECOND)
        asked += [(second, wish.reason) for wish in books.drain_resyncs()]
    assert [reason for _, reason in asked] == [Doubt.UNPROVEN] * 2
    assert asked[0][0] <= 61
    assert books.trust(CONDITION) is Trust.VERIFIED
    books.apply_frame(venue.snapshot(), 180 * NANOS_PER_SECOND)
    assert books.last_proof_ns(CONDITION) == 180 * NANOS_PER_SECOND


def test_a_lost_delta_that_tops_do_not_betray_is_found_by_the_sweep() -> None:
    """Within one sweep and three frames, with no sampling at all."""
    venue = Venue()
    books = swept(venue)
    venue.set(Side.BUY, 4000, 5)  # lost, deep in the book
    for step in range(1, 100):
        now_ns = step * NANOS_PER_SECOND
        books.apply_frame(venue.change(Side.SELL, 5500, step), now_ns)
        books.settle(now_ns)
        if books.trust(CONDITION) is Trust.BROKEN:
            break
    assert step <= 35
    assert books.doubt(CONDITION) is Doubt.HASH


def test_where_there_was_a_trade_the_hash_is_due_sooner() -> None:
    venue = Venue()
    books = swept(venue)
    books.apply_frame(trade("0.51", venue.now_ms), 8 * NANOS_PER_SECOND)
    books.settle(8 * NANOS_PER_SECOND)
    venue.last_trade = "0.510"
    for size in (1, 2):
        books.apply_frame(venue.change(Side.BUY, 4950, size), 9 * NANOS_PER_SECOND)
    assert books.counters.hash_checked == 2


def swept(venue: Venue) -> BookSet:
    books = BookSet(hash_every=1_000_000, sweep_ns=MINUTE, silence_ns=0)
    books.track(venue.book.market)
    books.apply_frame(venue.snapshot(), 1)
    return books


def shown(venue: Venue, yes: bool = True) -> BookSnapshot:
    """What REST shows now."""
    (event,) = decode(venue.snapshot(yes))
    assert isinstance(event, BookSnapshot)
    return event


def test_an_audit_compares_only_books_of_one_time() -> None:
    venue = Venue()
    before = shown(venue)
    book = venue.book
    assert audit(book, venue.now_ms, before) is Audit.AGREES
    assert audit(book, venue.now_ms, shown(venue, yes=False)) is Audit.AGREES
    assert audit(book, venue.now_ms + 1, before) is Audit.OLDER
    assert audit(book, venue.now_ms - 1, before) is Audit.AHEAD
    book.apply_change(True, Side.BUY, 4000, 1)
    assert audit(book, venue.now_ms, before) is Audit.DIFFERS


def test_an_audit_that_differs_ends_the_epoch_when_the_burst_is_over() -> None:
    venue = Venue()
    books = followed(venue, hash_every=0)
    venue.set(Side.BUY, 4000, 5)  # lost
    late = venue.change(Side.BUY, 4950, 5)
    feed(books, late)
    books.audit(shown(venue), 1)
    assert books.trust(CONDITION) is Trust.VERIFIED
    feed(books, venue.change(Side.BUY, 4950, 6))
    assert books.doubt(CONDITION) is Doubt.AUDIT
    assert (books.counters.audits, books.counters.audit_mismatches) == (1, 1)


def test_an_audit_ahead_of_us_waits_for_its_frame() -> None:
    venue = Venue()
    books = followed(venue, hash_every=0)
    change = venue.change(Side.BUY, 4950, 5)
    books.audit(shown(venue), 1)
    feed(books, change, venue.change(Side.BUY, 4950, 6))
    assert books.trust(CONDITION) is Trust.VERIFIED
    assert books.counters.audit_mismatches == 0


def test_an_audit_whose_frame_never_comes_has_found_a_loss() -> None:
    venue = Venue()
    books = followed(venue, hash_every=0)
    venue.set(Side.BUY, 4950, 5)  # lost
    books.audit(shown(venue), 1)
    books.settle(HASH_GRACE_NS)
    assert books.trust(CONDITION) is Trust.VERIFIED
    books.settle(HASH_GRACE_NS + 1)
    assert books.doubt(CONDITION) is Doubt.AUDIT


def test_rest_books_are_read_one_or_many() -> None:
    venue = Venue()
    rest = {"market": CONDITION, "asset_id": MARKET.yes, "timestamp": "5", "hash": "h", "neg_risk": False}
    one = frame({**rest, "bids": [{"price": "0.4", "size": "5"}], "asks": [], "min_order_size": "5"})
    (book,) = decode_rest_books(one)
    assert (book.bids, book.asks, book.hash) == (((4000, 5_000_000),), (), "h")
    assert len(decode_rest_books(b"[" + one + b"," + venue.snapshot() + b"]")) == 2


def test_what_metadata_does_not_say_the_hash_teaches_once_and_for_all() -> None:
    venue = Venue(market=replace(MARKET, neg_risk=True))
    books = BookSet(auto_track=True, hash_every=1)
    assert books.neg_risk(CONDITION) is None
    feed(books, venue.snapshot())
    assert books.neg_risk(CONDITION) is True
