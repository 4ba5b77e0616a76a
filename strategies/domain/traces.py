"""A decision on record: what was seen, every step from there to the quotes, and how it was judged.

Law: compact, because it is stored with every plan and every refusal; what stood at nothing is left out. Prices are in
1/10 000 pUSD, sizes in 1/1 000 000 share, as everywhere in the domain.
"""

import msgspec

from markets.domain.units import Price, Size
from strategies.domain.inputs import MarketInput
from strategies.domain.intents import QuoteSet, Step

APPROVED, CUT, REFUSED, DECLINED = "approved", "cut", "refused", "declined"


class Seen(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The inputs of a plan that are about this moment; the parameters have a history of their own."""

    bid: Price = 0
    bid_size: Size = 0
    ask: Price = 0
    ask_size: Size = 0
    last_trade: Price = 0
    net_size: Size = 0
    volatility: Price = 0
    flow_size: Size = 0
    markout_loss: Price = 0
    external: Price = 0
    pause: str = ""
    reduce: str = ""


class Trace(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`verdict` is approved, cut (less than wanted), refused (by the gate) or declined (by the strategy); `codes` say
    why in stable words.
    """

    verdict: str
    codes: tuple[str, ...] = ()
    seen: Seen = Seen()
    steps: tuple[Step, ...] = ()


def record(given: MarketInput, planned: QuoteSet, verdict: str, codes: tuple[str, ...]) -> str:
    """The trace as JSON."""
    book, signals = given.book, given.signals
    bid, ask = book.bids[0] if book.bids else (0, 0), book.asks[0] if book.asks else (0, 0)
    paused = given.now_ns < signals.paused_until_ns
    seen = Seen(
        *bid,
        *ask,
        book.last_trade or 0,
        given.inventory.net_yes,
        signals.volatility,
        signals.flow,
        signals.markout_loss,
        given.external or 0,
        signals.pause if paused else "",
        given.reduce,
    )
    return msgspec.json.encode(Trace(verdict, codes, seen, planned.trace)).decode()
