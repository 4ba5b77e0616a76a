"""A wallet in exact fractions that knows nothing of ours: what trades and steps on chain do by the protocol's rules."""

from fractions import Fraction

from hypothesis import strategies as st

from markets.domain.events import Side
from markets.domain.fees import FeeSchedule
from markets.domain.market import Generation, Market
from markets.domain.units import PRICE_ONE, SIZE_ONE
from strategies.domain.inputs import BookView
from strategies.domain.intents import Conversion
from tests.dutch_builders import SHARES, market, view

Books = dict[str, tuple[Market, BookView]]


@st.composite
def neg_risk_events(draw: st.DrawFn) -> Books:
    """Complete events of two to four outcomes whose prices often add up to more or less than one."""
    generation = draw(st.sampled_from([Generation.V1, Generation.V2]))
    count = draw(st.integers(2, 4))
    books: Books = {}
    for at in range(count):
        bid = draw(st.integers(1, 95))
        ask = draw(st.integers(bid + 1, 99))
        fees = FeeSchedule(draw(st.sampled_from([0, 100, 500])))
        depth = [draw(st.integers(50, 4000)) * SHARES // 10 for _ in range(4)]
        bids = [(bid * 100, depth[0])] + ([((bid - 1) * 100, depth[1])] if bid > 1 else [])
        asks = [(ask * 100, depth[2])] + ([((ask + 1) * 100, depth[3])] if ask < 99 else [])
        books[f"m{at}"] = (market(f"m{at}", fees, count, generation), view(bids, asks))
    return books


class Wallet:
    """Cash and shares in exact fractions, moved by the rules of the protocol and by nothing else."""

    def __init__(self, books: Books, fee_bps: int) -> None:
        self.books = books
        self.keeps = Fraction(10_000 - fee_bps, 10_000)
        self.v2 = any(known.generation is Generation.V2 for known, _ in books.values())
        self.cash = Fraction(0)
        self.held: dict[tuple[str, bool], Fraction] = {}

    def move(self, name: str, yes: bool, shares: Fraction) -> None:
        left = self.held.get((name, yes), Fraction(0)) + shares
        assert left >= 0, f"{name} {yes} was never there"
        self.held[name, yes] = left

    def chain(self, what: Conversion, names: tuple[str, ...], size: Fraction) -> None:
        if what is Conversion.SPLIT:
            self.cash -= size
            self.move(names[0], True, size)
            self.move(names[0], False, size)
        elif what is Conversion.MERGE:
            self.move(names[0], True, -size)
            self.move(names[0], False, -size)
            self.cash += size
        elif what is Conversion.SPLIT_EVENT:
            assert self.v2
            self.cash -= size
            for name in self.books:
                self.move(name, True, size)
        else:
            self.convert(what, names, size)

    def convert(self, what: Conversion, names: tuple[str, ...], size: Fraction) -> None:
        burnt = names[:1] if what is Conversion.CONVERT_ONE else names
        kept = Fraction(1) if what is Conversion.CONVERT_ONE else self.keeps
        assert self.v2 is (what is Conversion.CONVERT_ONE)
        for name in burnt:
            self.move(name, False, -size)
        self.cash += (len(burnt) - 1) * size * kept
        for name in set(self.books) - set(burnt):
            self.move(name, True, size * kept)

    def trade(self, leg_market: Market, yes: bool, side: Side, size: int) -> None:
        """Take the book as it stands, level by level."""
        _, seen = self.books[leg_market.condition_id]
        own = seen.asks if (side is Side.BUY) is yes else seen.bids
        left = Fraction(size, SIZE_ONE)
        for yes_price, offered in own:
            p = Fraction(yes_price if yes else PRICE_ONE - yes_price, PRICE_ONE)
            part = min(left, Fraction(offered, SIZE_ONE))
            fee = part * Fraction(leg_market.fees.rate, 10_000) * p * (1 - p)
            self.cash += (-part * p if side is Side.BUY else part * p) - fee
            left -= part
        assert not left, "more than the book offered"
        self.move(leg_market.condition_id, yes, Fraction(size if side is Side.BUY else -size, SIZE_ONE))

    def worst(self) -> Fraction:
        """Cash at resolution if the outcome that is worst for us wins; in V2 that may be none of those listed."""
        outcomes: list[str | None] = [*self.books, *([None] if self.v2 else [])]
        pays = [
            sum(shares for (name, yes), shares in self.held.items() if (name == winner) is yes) for winner in outcomes
        ]
        return self.cash + min(pays)
