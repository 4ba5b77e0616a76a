"""What a market and its parameters come to: whatever a plan needs that stays as it is between two decisions.

Law: derived from both and from nothing else, once per change of either. A rule that cannot apply yet costs a plan one
comparison, and one that is switched off costs nothing.
"""

import msgspec

from markets.domain.market import SIZE_STEP, Market
from markets.domain.units import NANOS_PER_MILLI, PRICE_ONE, Nanos, Price, Size, ceil_to_tick, floor_to_step
from strategies.domain import rewards
from strategies.domain.fair_value import DEPTH, MID
from strategies.domain.params import SpreadParams

MILLIS_PER_SECOND = 1_000
FOREVER: Nanos = 2**62
DEEP = 5  # levels of each side that weigh in a fair value by depth, and in the mid of rewards


class Terms(msgspec.Struct, frozen=True, gc=False):
    """Derived figures, `_x2` ones twice a price. Build with `terms_of`.

    Before `undisturbed_until_ns` neither the state of the market nor its game nor its end forbids or changes anything.
    `edge_x2` is what a quote that adds to inventory must earn, None where it depends on the fair value. `bid_most` and
    `ask_least` are the collar and the grid. `tapered_from` is the net inventory above which a side offers less.
    `reward_size` is the least size the venue rewards, on the grid; `rewarded` whether rewards count at all.
    `levels_read` is how many levels of each side a plan reads, `sizes_read` whether it reads their sizes.
    """

    market: Market
    params: SpreadParams
    undisturbed_until_ns: Nanos
    tick: Price
    last: Price
    bid_most: Price
    ask_least: Price
    collar_low_x2: int
    collar_high_x2: int
    reach_x2: int
    edge_x2: int | None
    most_half_spread: Price
    size: Size
    tapered_from: Size
    layer_step: Price
    rewarded: bool
    reward_size: Size
    levels_read: int
    sizes_read: bool


def terms_of(market: Market, params: SpreadParams) -> Terms:
    tick, fees = market.tick, market.fees
    rewarded = params.reward_weight > 0 and rewards.paid(market)
    return Terms(
        market,
        params,
        undisturbed_until_ns=_undisturbed_until_ns(market, params),
        tick=tick,
        last=PRICE_ONE - tick,
        bid_most=min(PRICE_ONE - tick, params.collar_high),
        ask_least=max(tick, params.collar_low),
        collar_low_x2=2 * params.collar_low,
        collar_high_x2=2 * params.collar_high,
        reach_x2=2 * params.max_from_mid,
        edge_x2=2 * params.min_edge if not fees.rate or (fees.taker_only and params.post_only) else None,
        most_half_spread=max(params.half_spread, params.max_half_spread),
        size=floor_to_step(params.size, SIZE_STEP),
        tapered_from=params.max_inventory * params.taper_from // 100,
        layer_step=max(tick, ceil_to_tick(params.layer_step, tick)),
        rewarded=rewarded,
        reward_size=-(-market.rewards_min_size // SIZE_STEP) * SIZE_STEP,
        levels_read=DEEP if rewarded or params.fair_value == DEPTH else 1,
        sizes_read=rewarded or params.fair_value != MID,
    )


def _undisturbed_until_ns(market: Market, params: SpreadParams) -> Nanos:
    if not market.accepting_orders:
        return 0
    from_ms = []
    if market.game_start_ms:
        from_ms.append(market.game_start_ms - params.start_margin_s * MILLIS_PER_SECOND)
    if market.end_ms:
        longest_s = max(params.taper_before_end_s, params.reduce_before_end_s)
        from_ms.append(market.end_ms - longest_s * MILLIS_PER_SECOND)
    return min(from_ms) * NANOS_PER_MILLI if from_ms else FOREVER
