"""The judge: looks at a tracked market when a burst is over or a hash is due, counts, and names a doubt.

Law: it finds, it does not act; what a doubt costs the book is the book set's business.
"""

from enum import StrEnum
from typing import Protocol

from markets.domain.audit import Audit, audit
from markets.domain.book_hash import Recipe
from markets.domain.events import BookSnapshot
from markets.domain.hash_check import Claim
from markets.domain.integrity import BookCounters, Doubt
from markets.domain.recipe_watch import RecipeState, RecipeWatch
from markets.domain.tracked import Tracked
from markets.domain.units import Millis

PROVABLE = (Doubt.SILENT, Doubt.HASH, Doubt.TICK_CHANGE)  # doubts that the next hash that holds ends

_UNBOUNDED = 1 << 29  # one digit of an int: larger ones count slower


class Proof(StrEnum):
    """What a snapshot's own hash says: nothing, that it is true, nothing certain, that our book or facts are wrong."""

    UNSAID = "unsaid"
    HELD = "held"
    MISSED = "missed"
    REFUTED = "refuted"


class Hashed(Protocol):
    """An entry of a price change, as far as its hash."""

    @property
    def hash(self) -> str: ...


class Judge:
    """`hash_every`: see BookSet."""

    def __init__(self, counters: BookCounters, hash_every: int) -> None:
        self.watch = RecipeWatch()
        self._counters = counters
        self._hash_every = hash_every
        self.hashes = hash_every > 0
        self._since_hash = 0

    def room(self) -> int:
        """How many price changes may go by before the next one is sampled."""
        return self._hash_every - 1 - self._since_hash if self._hash_every else _UNBOUNDED

    def passed(self, frames: int) -> None:
        self._since_hash += frames

    def close_burst(self, tracked: Tracked, next_ms: Millis | None = None) -> Doubt:
        """What the burst that just ended proves against the book; Doubt.NONE if nothing.

        `next_ms` is the time of the frame that ends it; None when time alone does.
        """
        counters, book, doubt = self._counters, tracked.book, Doubt.NONE
        if tracked.suspicious:
            if book.crossed:
                counters.crossed += 1
                doubt = Doubt.CROSSED
            else:
                counters.bbo_mismatches += 1
                doubt = Doubt.TOPS
        if tracked.shadow is not None and not tracked.shadow.same_levels(book):
            # The snapshot is in place, so the book is right again: note it and tell readers by the epoch.
            counters.snapshot_mismatches += 1
            book.epoch += 1
        if tracked.claims and not self.claims_hold(tracked):
            doubt = doubt or Doubt.HASH
        if tracked.shown is not None and not self._agrees_with_rest(tracked, tracked.shown, next_ms):
            doubt = doubt or Doubt.AUDIT
        tracked.forget_burst()
        return doubt

    def hear_claim(self, tracked: Tracked, yes: Hashed | None, no: Hashed | None, at: Millis) -> bool:
        """Note the hashes of a frame before it is applied, if it is their turn.

        Neighbours of a burst carry the hash of the book after all of them, so equal hashes wait together; a
        different one means the claim so far was about the book as it stands. False if that claim is untrue.
        """
        if not self._hash_every:
            tracked.hash_due = False
            return True
        held = True
        if tracked.claims and not _repeats(tracked.claims, yes, no):
            held = self.claims_hold(tracked)
        self._since_hash += 1
        wanted = tracked.claims or tracked.hash_due or tracked.hash_check.misses
        if not wanted and self._since_hash < self._hash_every:
            return held
        if not wanted or self._since_hash >= self._hash_every:
            self._since_hash = 0
        claims = _claims(yes, no, at)
        if claims:
            tracked.claims = claims if self._hash_every == 1 or tracked.hash_due else claims[:1]
            tracked.claim_frames += 1
            tracked.unsettled = True
            tracked.hash_due = False
        return held

    def claims_hold(self, tracked: Tracked) -> bool:
        """Judge the waiting claims by the book as it stands. False when they cost the book its trust."""
        claims, frames = tracked.claims, tracked.claim_frames
        tracked.claims, tracked.claim_frames = (), 0
        if not self.watch.worth_trying():
            return True
        self._counters.hash_checked += frames
        if all(tracked.hash_check.holds(tracked.book, claim) for claim in claims):
            self._proved(tracked, frames)
            return True
        self._alert()
        return not tracked.hash_check.accuse(certain=False)

    def snapshot_proof(self, tracked: Tracked, event: BookSnapshot) -> Proof:
        """Check the hash a snapshot states of itself."""
        if not event.hash or not self.hashes:
            return Proof.UNSAID
        if event.last_trade is not None:
            tracked.hash_check.told_last_trade(event.last_trade)
        claim = Claim(event.asset == tracked.market.yes, event.timestamp_ms, event.hash, event.spelled)
        states_all = event.last_trade is not None and event.tick is not None and tracked.neg_risk_known
        return self.weigh(tracked, claim, certain=states_all)

    def weigh(self, tracked: Tracked, claim: Claim, *, certain: bool) -> Proof:
        """Check what a snapshot claims of itself; `certain` when it stated every fact that enters the hash."""
        if not self.watch.worth_trying():
            return Proof.MISSED
        self._counters.hash_checked += 1
        if tracked.hash_check.holds(tracked.book, claim):
            self._proved(tracked, 1)
            return Proof.HELD
        self._alert()
        return Proof.REFUTED if tracked.hash_check.accuse(certain=certain) else Proof.MISSED

    def proves_tick(self, proof: Proof) -> bool:
        """The oldest recipe hashes levels only."""
        return proof is Proof.HELD and self.watch.recipe is not Recipe.SIX_FIELDS

    def vindicate(self, tracked: Tracked) -> None:
        """A hash has come out: what it proves is doubted no more."""
        if tracked.doubt in PROVABLE and tracked.book.seeded:
            proves_tick = self.proves_tick(Proof.HELD) or not tracked.levels_off_grid()
            if tracked.doubt is not Doubt.TICK_CHANGE or proves_tick:
                tracked.doubt = Doubt.NONE

    def _proved(self, tracked: Tracked, frames: int) -> None:
        self._counters.hash_matches += frames
        tracked.proved_ns = tracked.updated_ns
        self.vindicate(tracked)

    def _alert(self) -> None:
        moves = self.watch.moves
        self._counters.recipe_alerts = moves.get(RecipeState.DOUBTED, 0) + moves.get(RecipeState.ABANDONED, 0)

    def _agrees_with_rest(self, tracked: Tracked, shown: BookSnapshot, next_ms: Millis | None) -> bool:
        """A REST book from a time that went by without a frame of ours tells of a frame that was lost."""
        found = audit(tracked.book, tracked.burst_ms, shown)
        if found is Audit.AHEAD and next_ms is not None and next_ms <= shown.timestamp_ms:
            return True
        tracked.shown = None
        if found is Audit.AGREES:
            tracked.proved_ns = tracked.updated_ns
        wrong = found in (Audit.DIFFERS, Audit.AHEAD)
        self._counters.audit_mismatches += wrong
        return not wrong


def _claims(yes: Hashed | None, no: Hashed | None, at: Millis) -> tuple[Claim, ...]:
    claims = []
    if yes is not None and yes.hash:
        claims.append(Claim(True, at, yes.hash))
    if no is not None and no.hash:
        claims.append(Claim(False, at, no.hash))
    return tuple(claims)


def _repeats(claims: tuple[Claim, ...], yes: Hashed | None, no: Hashed | None) -> bool:
    said = yes if claims[0].yes else no
    return said is not None and said.hash == claims[0].hash
