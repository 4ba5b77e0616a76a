"""Whether quotes should stand in the venue's reward band, and be as large as it asks, although we would not put them
there otherwise.

Law: pure; a quote is drawn in only when the reward it is expected to bring, weighed by `reward_weight`, is more than
the edge given up at `reward_fills` fills a day. Nothing is known of the others' orders but their levels.
"""

from markets.domain.units import PRICE_ONE, Cash, Size
from strategies.domain import rewards
from strategies.domain.inputs import MarketInput
from strategies.domain.intents import Note
from strategies.domain.params import SpreadParams
from strategies.domain.rewards import Scores
from strategies.domain.terms import Terms

QUARTERS = (3, 2, 1)  # how far from the mid it is tried to stand, in quarters of the band


def drawn_in(
    given: MarketInput, terms: Terms, low: int, high: int, size: Size, noted: list[Note]
) -> tuple[int, int, Size]:
    """Twice the prices and the size that pay best; those given when nothing pays better."""
    market, params, rivals = given.market, terms.params, given.rivals
    mid = rewards.adjusted_mid_x2(given.book.bids, given.book.asks, market)
    if mid is None or rivals is None:
        return low, high, size
    band_x2 = 2 * market.rewards_max_spread
    enough = size if size >= terms.reward_size else terms.reward_size
    if (enough == size and mid - low < band_x2 and high - mid < band_x2) or not _fits(given, params, enough):
        return low, high, size
    before = _worth(given, mid, low, high, size, rivals)
    best, chosen = 0, (low, high, size)
    for quarters in QUARTERS:
        distance = band_x2 * quarters // 4
        bid, ask = max(low, mid - distance), min(high, mid + distance)
        gain = _worth(given, mid, bid, ask, enough, rivals) - before
        given_up = (bid - low + high - ask) * enough + (enough - size) * 4 * given.signals.markout_loss
        value = gain * params.reward_weight // 100 - given_up * params.reward_fills // (2 * PRICE_ONE)
        if value > best:
            best, chosen = value, (bid, ask, enough)
    names = ("bid reward band (x2)", "ask reward band (x2)", "rewards (size)")
    for name, old, new in zip(names, (low, high, size), chosen, strict=True):
        if old != new:
            noted.append((name, old, new))
    return chosen


def _fits(given: MarketInput, params: SpreadParams, size: Size) -> bool:
    return abs(given.inventory.net_yes) + size <= params.max_inventory


def _worth(given: MarketInput, mid: int, low: int, high: int, size: Size, rivals: Scores) -> Cash:
    market = given.market
    if size < market.rewards_min_size:
        return 0
    ours = Scores(rewards.score(market, mid - low, size), rewards.score(market, high - mid, size))
    return rewards.daily(market, mid, ours, rivals)
