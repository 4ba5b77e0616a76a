"""One tracked market: its book, the burst it is in, and what has been said about it so far.

Law: state only; the judge and the book set decide. A burst is all frames of one venue timestamp.
"""

from dataclasses import replace

from markets.domain.book import MarketBook
from markets.domain.events import UNSAID, LastTrade, LevelChange
from markets.domain.hash_check import Claim, HashCheck
from markets.domain.integrity import Doubt, Trust, coarsest_tick
from markets.domain.market import Market
from markets.domain.units import PRICE_ONE, AssetId, Millis, Nanos, Price


class Tracked:
    """`unsettled` says that the present burst left something to judge when it ends.

    `shadow` is the book built from deltas, kept beside the snapshot it differs from until the burst is over.
    `claim_frames` counts the frames that made the present `claims`.
    """

    __slots__ = (
        "asked_ns",
        "book",
        "burst_ms",
        "claim_frames",
        "claims",
        "declared",
        "doubt",
        "feed_up",
        "hash_check",
        "last_trade",
        "market",
        "neg_risk_known",
        "said_no",
        "said_yes",
        "shadow",
        "snapshot_ms",
        "suspicious",
        "tick_guessed",
        "unsettled",
        "updated_ns",
    )

    def __init__(self, market: Market, *, guessed: bool) -> None:
        self.market = self.declared = market
        self.book = MarketBook(market)
        self.hash_check = HashCheck(None if guessed else market.neg_risk)
        self.neg_risk_known = not guessed
        self.tick_guessed = guessed
        self.doubt = Doubt.AWAITING_SNAPSHOT
        self.feed_up = True
        self.last_trade: LastTrade | None = None
        self.updated_ns: Nanos = 0
        self.asked_ns: Nanos = 0
        self.burst_ms: Millis = -1
        self.snapshot_ms: Millis = -1
        self.forget_burst()

    def forget_burst(self) -> None:
        self.said_yes: LevelChange | None = None
        self.said_no: LevelChange | None = None
        self.claims: tuple[Claim, ...] = ()
        self.claim_frames = 0
        self.shadow: MarketBook | None = None
        self.suspicious = self.unsettled = False

    def start_epoch(self, doubt: Doubt) -> None:
        self.book.start_epoch()
        self.hash_check.new_epoch()
        self.forget_burst()
        self.asked_ns = 0
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

    def set_level(self, yes: bool, change: LevelChange) -> None:
        self.book.apply_change(yes, change.side, change.price, change.size)
        if self.shadow is not None:
            self.shadow.apply_change(yes, change.side, change.price, change.size)
        self.hash_check.touch(change.price)
        if self.tick_guessed and change.price % self.market.tick:
            self.guess_tick([change.price])

    def look(self) -> None:
        """Compare the book with what was last said of its tops, of either token. What was not said agrees."""
        bid, ask, yes, no = self.book.bid_top, self.book.ask_top, self.said_yes, self.said_no
        self.suspicious = (
            bid >= ask
            or (yes is not None and (yes.best_bid != bid or yes.best_ask != ask) and yes.best_bid != UNSAID)
            or (
                no is not None
                and (no.best_bid != PRICE_ONE - ask or no.best_ask != PRICE_ONE - bid)
                and no.best_bid != UNSAID
            )
        )
        if self.suspicious:
            self.unsettled = True

    def trust(self) -> Trust:
        if not self.book.seeded:
            return Trust.BROKEN
        return Trust.VERIFIED if self.why() is Doubt.NONE else Trust.SUSPECT

    def why(self) -> Doubt:
        if self.doubt is not Doubt.NONE:
            return self.doubt
        if self.suspicious:
            return Doubt.BURST_OPEN
        return Doubt.HASH if self.hash_check.misses else Doubt.NONE
