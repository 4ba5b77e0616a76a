"""Every tunable of the spread quoter, defined once: unit, bounds, default and help.

The database columns, the admin form, the API schema, the import/export format and docs/parameters.md are
generated from `DEFINITIONS`.
Law: a value that is out of bounds never becomes a `SpreadParams`.
"""

from collections.abc import Mapping

import msgspec

from markets.domain.units import Cash, Price, Size
from strategies.domain.definitions import Definition, Group, Unit, Values, define, resolve_values

DEFINITIONS: tuple[Definition, ...] = (
    define(
        "fair_value", Unit.FAIR, "0", "2", "0",
        "How the fair value is read off the book: the mid, the mid leaning by the sizes of the best levels, or by "
        "the sizes of the first levels of both sides.",
        Group.FAIR_VALUE,
    ),
    define(
        "trade_flow", Unit.PRICE, "0", "0.1", "0",
        "How far the fair value moves with signed trade flow when that reaches trade_flow_size; 0 ignores trades.",
        Group.FAIR_VALUE,
    ),
    define(
        "trade_flow_size", Unit.SHARES, "1", "10000000", "500",
        "Net shares bought less sold by takers, fading over trade_flow_s, that move the fair value by the whole "
        "of trade_flow.",
        Group.FAIR_VALUE,
    ),
    define(
        "trade_flow_s", Unit.SECONDS, "1", "3600", "30",
        "How long trades count in the flow; half of one is forgotten after this time.",
        Group.FAIR_VALUE,
    ),
    define(
        "external_weight", Unit.PERCENT, "0", "100", "100",
        "Share of an external fair value in ours while one is set and has not expired.",
        Group.FAIR_VALUE,
    ),
    define(
        "half_spread", Unit.PRICE, "0.0001", "0.4", "0.01",
        "Distance of each quote from the reservation price.",
        Group.SPREAD,
    ),
    define(
        "volatility_factor", Unit.PERCENT, "0", "1000", "50",
        "Part of the realised volatility that is added to half_spread.",
        Group.SPREAD,
    ),
    define(
        "volatility_s", Unit.SECONDS, "1", "3600", "60",
        "Window of the realised volatility: half of a move is forgotten after this time.",
        Group.SPREAD,
    ),
    define(
        "markout_factor", Unit.PERCENT, "0", "1000", "100",
        "Part of the measured loss per share after our fills that is added to half_spread.",
        Group.SPREAD,
    ),
    define(
        "markout_after_s", Unit.SECONDS, "1", "300", "30",
        "How long after a fill its price is compared with the mid.",
        Group.SPREAD,
    ),
    define(
        "markout_s", Unit.SECONDS, "10", "86400", "1800",
        "How long a measured markout counts; half of it is forgotten after this time.",
        Group.SPREAD,
    ),
    define(
        "max_half_spread", Unit.PRICE, "0.0001", "0.5", "0.1",
        "Volatility and markouts never widen half_spread beyond this.",
        Group.SPREAD,
    ),
    define(
        "inventory_skew", Unit.PRICE, "0", "0.4", "0.02",
        "How far the reservation price moves against us when inventory reaches max_inventory.",
        Group.SPREAD,
    ),
    define(
        "size", Unit.SHARES, "1", "1000000", "20",
        "Size of each quote; with layers, of the first one.",
        Group.SIZE,
    ),
    define(
        "max_inventory", Unit.SHARES, "1", "10000000", "100",
        "Net shares (YES minus NO) at which the side that would add to them stops quoting.",
        Group.SIZE,
    ),
    define(
        "taper_from", Unit.PERCENT, "0", "100", "50",
        "Share of max_inventory from which the side that adds to it offers less and less; 100 offers all that "
        "still fits.",
        Group.SIZE,
    ),
    define("layers", Unit.COUNT, "1", "10", "1", "Quotes on each side.", Group.SIZE),
    define(
        "layer_step", Unit.PRICE, "0.0001", "0.2", "0.01",
        "Distance between two layers, at least one tick.",
        Group.SIZE,
    ),
    define(
        "layer_growth", Unit.PERCENT, "10", "500", "100",
        "Size of each further layer as a share of the one before it.",
        Group.SIZE,
    ),
    define(
        "min_notional", Unit.CASH, "0", "1000", "0",
        "Quotes that cost or bring less than this are left out.",
        Group.SIZE,
    ),
    define(
        "reward_weight", Unit.PERCENT, "0", "100", "100",
        "How much of the expected liquidity reward counts against the edge given up for it; 0 ignores rewards.",
        Group.REWARDS,
    ),
    define(
        "reward_fills", Unit.PER_DAY, "1", "10000", "20",
        "How often a day a quote drawn into the reward band is expected to fill: each time costs the edge given "
        "up.",
        Group.REWARDS,
    ),
    define(
        "min_change_ticks", Unit.TICKS, "1", "1000", "1",
        "A resting quote stays while its target is closer than this many ticks of the market.",
        Group.CHURN,
    ),
    define(
        "min_quote_lifetime_ms", Unit.MILLIS, "0", "600000", "500",
        "A quote is not replaced before this age, unless the book is no longer trusted.",
        Group.CHURN,
    ),
    define(
        "max_cancels_per_minute", Unit.PER_MINUTE, "1", "6000", "120",
        "Requoting cancels allowed in one market in any minute; risk cancels are not counted against it.",
        Group.CHURN,
    ),
    define(
        "replace_window_ms", Unit.MILLIS, "0", "600000", "0",
        "After a side was replaced it is not replaced again for this long; what is due then goes as one batch.",
        Group.CHURN,
    ),
    define(
        "size_tolerance", Unit.PERCENT, "0", "100", "50",
        "A partly filled quote stays until it is this much smaller than its target.",
        Group.CHURN,
    ),
    define(
        "keep_queue_ticks", Unit.TICKS, "0", "100", "0",
        "A quote that has a place in the queue also stays while its target is less than this many ticks more "
        "aggressive.",
        Group.CHURN,
    ),
    define(
        "keep_queue_after_ms", Unit.MILLIS, "0", "600000", "5000",
        "Age from which a quote counts as having a place in the queue.",
        Group.CHURN,
    ),
    define(
        "max_order_age_s", Unit.SECONDS, "0", "86400", "0",
        "A quote older than this is replaced even where it should be; 0 leaves that to quote_expiry_s.",
        Group.CHURN,
    ),
    define(
        "quote_expiry_s", Unit.SECONDS, "180", "86400", "600",
        "Quotes are good till date: the venue itself takes one down after this time. It is renewed before.",
        Group.CHURN,
    ),
    define(
        "post_only", Unit.SWITCH, "0", "1", "1",
        "Whether the venue refuses a quote that would trade at once. Off, a quote that the book has moved onto on its "
        "way trades and pays the taker fee, which min_edge and the caps then count on; none is ever aimed at the book.",
        Group.GUARDRAILS,
    ),
    define(
        "min_edge", Unit.PRICE, "0", "0.4", "0.001",
        "Least distance from the fair value, after the fee it may cost, of a quote that adds to inventory.",
        Group.GUARDRAILS,
    ),
    define(
        "max_from_mid", Unit.PRICE, "0.0001", "1", "0.25",
        "Quotes farther from the mid than this are left out.",
        Group.GUARDRAILS,
    ),
    define(
        "max_from_trade", Unit.PRICE, "0.0001", "1", "1",
        "Quotes farther from the last trade than this are left out.",
        Group.GUARDRAILS,
    ),
    define(
        "collar_low", Unit.PRICE, "0", "1", "0",
        "Nothing is offered below this YES price; with the fair value below it inventory is only reduced.",
        Group.GUARDRAILS,
    ),
    define(
        "collar_high", Unit.PRICE, "0", "1", "1",
        "Nothing is bid above this YES price; with the fair value above it inventory is only reduced.",
        Group.GUARDRAILS,
    ),
    define(
        "jump", Unit.PRICE, "0", "1", "0.1",
        "A mid that moves this far within jump_window_ms takes the quotes down for jump_pause_ms; 0 never does.",
        Group.GUARDRAILS,
    ),
    define(
        "sweep_size", Unit.SHARES, "0", "10000000", "0",
        "Takers that buy or sell this much within jump_window_ms do the same; 0 never does.",
        Group.GUARDRAILS,
    ),
    define(
        "jump_window_ms", Unit.MILLIS, "100", "60000", "2000",
        "Time in which a jump or a sweep is looked for.",
        Group.GUARDRAILS,
    ),
    define(
        "jump_pause_ms", Unit.MILLIS, "0", "600000", "5000",
        "How long nothing is quoted after the last jump or sweep.",
        Group.GUARDRAILS,
    ),
    define(
        "taper_before_end_s", Unit.SECONDS, "0", "31536000", "21600",
        "From this long before the market ends quotes get smaller, down to nothing at its end.",
        Group.GUARDRAILS,
    ),
    define(
        "reduce_before_end_s", Unit.SECONDS, "0", "31536000", "3600",
        "From this long before the market ends inventory is only reduced.",
        Group.GUARDRAILS,
    ),
    define(
        "start_margin_s", Unit.SECONDS, "0", "86400", "300",
        "From this long before a game starts nothing is quoted.",
        Group.GUARDRAILS,
    ),
    define(
        "quote_in_play", Unit.SWITCH, "0", "1", "0",
        "Whether to quote once the game has started.",
        Group.GUARDRAILS,
    ),
    define(
        "both_sides", Unit.SWITCH, "0", "1", "0",
        "Whether to quote nothing where only one side can be quoted; reducing inventory is exempt.",
        Group.GUARDRAILS,
    ),
)  # fmt: skip
BY_NAME: Mapping[str, Definition] = {item.name: item for item in DEFINITIONS}


class SpreadParams(msgspec.Struct, frozen=True, gc=False):
    """Resolved parameters of one market in domain integers (see `Unit`; percents and times as they are). Build with
    `resolve`.
    """

    fair_value: int = 0
    trade_flow: Price = 0
    trade_flow_size: Size = 500_000_000
    trade_flow_s: int = 30
    external_weight: int = 100
    half_spread: Price = 100
    volatility_factor: int = 50
    volatility_s: int = 60
    markout_factor: int = 100
    markout_after_s: int = 30
    markout_s: int = 1800
    max_half_spread: Price = 1000
    inventory_skew: Price = 200
    size: Size = 20_000_000
    max_inventory: Size = 100_000_000
    taper_from: int = 50
    layers: int = 1
    layer_step: Price = 100
    layer_growth: int = 100
    min_notional: Cash = 0
    reward_weight: int = 100
    reward_fills: int = 20
    min_change_ticks: int = 1
    min_quote_lifetime_ms: int = 500
    max_cancels_per_minute: int = 120
    replace_window_ms: int = 0
    size_tolerance: int = 50
    keep_queue_ticks: int = 0
    keep_queue_after_ms: int = 5000
    max_order_age_s: int = 0
    quote_expiry_s: int = 600
    post_only: int = 1
    min_edge: Price = 10
    max_from_mid: Price = 2500
    max_from_trade: Price = 10_000
    collar_low: Price = 0
    collar_high: Price = 10_000
    jump: Price = 1000
    sweep_size: Size = 0
    jump_window_ms: int = 2000
    jump_pause_ms: int = 5000
    taper_before_end_s: int = 21600
    reduce_before_end_s: int = 3600
    start_margin_s: int = 300
    quote_in_play: int = 0
    both_sides: int = 0


def resolve(*layers: Values) -> SpreadParams:
    """Merge layers, strongest first (market, event, global); what all leave out takes its default.

    Raises ParamError for an unknown name or a value out of bounds.
    """
    return SpreadParams(**resolve_values(BY_NAME, layers))


assert SpreadParams.__struct_fields__ == tuple(BY_NAME)
