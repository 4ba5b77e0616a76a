"""One tracked market: its book, the burst it is in, and what has been said about it so far.

Law: state only; the judge and the book set decide. A burst is all frames of one venue timestamp.
"""

from dataclasses import replace

from markets.domain.book import MarketBook
from markets.domain.events import UNSAID, BookSnapshot, LastTrade, LevelChange, Side
from markets.domain.hash_check import Claim, HashCheck
from markets.domain.integrity import Doubt, Trust, coarsest_tick
from markets.domain.market import Market
from markets.domain.recipe_watch import RecipeWatch
from markets.domain.units import PRICE_ONE, AssetId, Millis, Nanos, Price, Size


class Front:
    """What every frame reads of its market. Slots of a base class lie side by side, so that is two lines of cache.

    `plain`: the next mirrored change needs nothing but to be applied and compared, so it may take the hot path.
    `yes`, `no` and `tick` are the market's. `said_bid` and `said_ask` are the tops last said in this burst, as YES
    sees them. `touched` belongs to the hash check. `soiled` is how many drains there had been when it last
    changed: while that is still so, it waits to be drained.
    """

    __slots__ = (
        "book",
        "burst_ms",
        "condition_id",
        "no",
        "paired_ns",
        "plain",
        "said_ask",
        "said_bid",
        "soiled",
        "tick",
        "touched",
        "updated_ns",
        "yes",
    )


class Tracked(Front):
    """`contradicted` when the two tokens did not say the same tops. `unsettled`: the present burst
    left something to judge when it ends. `shadow` is the book built from deltas, kept beside the snapshot it differs
    from until then; `shown` a REST book to compare. `claim_frames` counts the frames that made the present `claims`;
    `hash_due` asks for the next ones. `heard_ns` is when YES and NO were last named in a frame without the other.
    `asked_ns` is when a snapshot was last asked for in vain, `patience_ns` how long until that is done again.
    """

    __slots__ = (
        "asked_ns",
        "claim_frames",
        "claims",
        "contradicted",
        "declared",
        "doubt",
        "feed_up",
        "hash_check",
        "hash_due",
        "heard_ns",
        "last_trade",
        "market",
        "neg_risk_known",
        "patience_ns",
        "proved_ns",
        "shadow",
        "shown",
        "shown_ns",
        "silence_ns",
        "snapshot_ms",
        "suspicious",
        "tick_guessed",
        "unsettled",
    )

    def __init__(self, market: Market, watch: RecipeWatch, *, guessed: bool) -> None:
        self.declared = market
        self.condition_id = market.condition_id
        self.book = MarketBook(market)
        self.replace_market(market)
        self.hash_check = HashCheck(None if guessed else market.neg_risk, watch)
        self.touched = self.hash_check.touched
        self.soiled = -1
        self.neg_risk_known = not guessed
        self.tick_guessed = guessed
        self.doubt = Doubt.AWAITING_SNAPSHOT
        self.feed_up = True
        self.last_trade: LastTrade | None = None
        self.updated_ns: Nanos = 0
        self.paired_ns: Nanos = 0
        self.heard_ns: dict[bool, Nanos] = {True: 0, False: 0}
        self.asked_ns: Nanos = 0
        self.patience_ns: Nanos = 0
        self.silence_ns: Nanos = 0
        self.proved_ns: Nanos = 0
        self.hash_due = False
        self.burst_ms: Millis = -1
        self.snapshot_ms: Millis = -1
        self.shown: BookSnapshot | None = None
        self.shown_ns: Nanos = 0
        self.forget_burst()

    def forget_burst(self) -> None:
        self.said_bid: Price = UNSAID
        self.said_ask: Price = UNSAID
        self.contradicted = False
        self.claims: tuple[Claim, ...] = ()
        self.claim_frames = 0
        self.shadow: MarketBook | None = None
        self.suspicious = self.unsettled = self.plain = False

    def start_epoch(self, doubt: Doubt) -> None:
        self.book.start_epoch()
        self.hash_check.new_epoch()
        self.forget_burst()
        self.shown = None
        self.asked_ns = self.silence_ns = 0
        self.doubt = doubt

    def update_market(self, market: Market) -> None:
        """Newer metadata. A tick it does not change is older news than the one the feed has told."""
        if market.tick == self.declared.tick:
            self.replace_market(replace(market, tick=self.market.tick))
        else:
            self.replace_market(market)
        self.declared = market

    def replace_market(self, market: Market) -> None:
        self.market = self.book.market = market
        self.yes, self.no, self.tick = market.yes, market.no, market.tick

    def learn_no(self, asset: AssetId) -> None:
        """Without metadata the second token seen of a market is NO."""
        self.replace_market(replace(self.market, no=asset))

    def learn_tick(self, tick: Price) -> None:
        """The venue has stated the tick."""
        self.tick_guessed = False
        if tick != self.market.tick:
            self.replace_market(replace(self.market, tick=tick))
            if self.book.seeded:
                self.book.epoch += 1

    def guess_tick(self, prices: list[Price]) -> None:
        """Nobody has stated the tick: it is at most as coarse as the prices seen allow."""
        tick = coarsest_tick(prices, self.market.tick)
        if tick != self.market.tick:
            self.replace_market(replace(self.market, tick=tick))

    def off_grid(self, change: LevelChange) -> bool:
        """A new level where the stated tick allows none. One that was there already had its proof."""
        if not change.size or self.tick_guessed or not change.price % self.market.tick:
            return False
        return not self.book.depth_at(change.side, change.price, change.asset == self.market.yes)

    def levels_off_grid(self) -> bool:
        tick = self.market.tick
        return not self.tick_guessed and any(price % tick for price in self.book.prices())

    def set_level(self, yes: bool, change: LevelChange) -> None:
        is_bid = (change.side is Side.BUY) is yes
        self.set_plainly(is_bid, change.price if yes else PRICE_ONE - change.price, change.size)
        if self.shadow is not None:
            self.shadow.apply_change(yes, change.side, change.price, change.size)
        if self.tick_guessed and change.price % self.market.tick:
            self.guess_tick([change.price])

    def set_plainly(self, is_bid: bool, price: Price, size: Size) -> None:
        """Set a level, as YES sees it, of a book that has neither a shadow nor a tick to guess."""
        book = self.book
        if not size or price == (book.bid_top if is_bid else book.ask_top):
            self.touched.append(price)  # where a trade may have been
        if is_bid:
            book.set_bid(price, size)
        else:
            book.set_ask(price, size)

    def hear_tops(self, yes: LevelChange | None, no: LevelChange | None) -> None:
        """Note the tops of a frame. What was not said agrees with everything."""
        self.contradicted = False
        self.said_bid = self.said_ask = UNSAID
        if no is not None and no.best_bid != UNSAID:
            self.said_bid, self.said_ask = PRICE_ONE - no.best_ask, PRICE_ONE - no.best_bid
        if yes is not None and yes.best_bid != UNSAID:
            differs = (yes.best_bid, yes.best_ask) != (self.said_bid, self.said_ask)
            self.contradicted = self.said_bid != UNSAID and differs
            self.said_bid, self.said_ask = yes.best_bid, yes.best_ask

    def hear_best(self, yes: bool, bid: Price, ask: Price) -> None:
        """Note tops told by themselves. They replace what the burst's changes said: both are of its end."""
        self.contradicted = False
        self.said_bid, self.said_ask = (bid, ask) if yes else (PRICE_ONE - ask, PRICE_ONE - bid)

    def look(self) -> None:
        """Compare the book with what was last said of its tops, of either token."""
        bid, ask, said = self.book.bid_top, self.book.ask_top, self.said_bid
        wrong = said != UNSAID and (said != bid or self.said_ask != ask)
        self.suspicious = bid >= ask or wrong or self.contradicted
        if self.suspicious:
            self.unsettled = True
        self.smooth()

    def smooth(self) -> None:
        """Decide whether the next frame may take the hot path."""
        self.plain = self.orderly() and not self.hash_due

    def orderly(self) -> bool:
        """Whether mirrored changes need nothing but to be applied and compared, and their hash checked if it is due."""
        return (
            self.book.seeded
            and self.doubt is Doubt.NONE
            and not (self.unsettled or self.tick_guessed or self.hash_check.misses)
            and self.shown is None
            and bool(self.market.no)
        )

    def ask_for_hash(self) -> None:
        self.hash_due, self.plain = True, False

    def heard(self, yes: bool) -> Nanos:
        """When that token was last spoken of."""
        return max(self.paired_ns, self.heard_ns[yes])

    def trust(self) -> Trust:
        if not self.book.seeded:
            return Trust.BROKEN
        return Trust.VERIFIED if self.why() is Doubt.NONE else Trust.SUSPECT

    def why(self) -> Doubt:
        if self.doubt is not Doubt.NONE:
            return self.doubt
        if self.suspicious:
            return Doubt.BURST_OPEN
        check = self.hash_check
        return Doubt.HASH if check.misses and check.suspects else Doubt.NONE
