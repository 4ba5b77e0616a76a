"""Trust: whether a book may be quoted on, and if not, why.

Law: a frame that shares its venue timestamp with others (a burst) reports the book after all of them, so
nothing is judged before its timestamp is over. What outlives its timestamp is real, and a real doubt costs
the book its epoch.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from markets.domain.events import LevelChange
from markets.domain.units import PRICE_ONE, AssetId, ConditionId, Price


class Trust(StrEnum):
    """VERIFIED may be quoted on. SUSPECT: compute nothing new. BROKEN: there is no book to speak of."""

    VERIFIED = "verified"
    SUSPECT = "suspect"
    BROKEN = "broken"


class Doubt(StrEnum):
    """Why a book is not VERIFIED, and why a snapshot was asked for. A bounded label."""

    NONE = ""
    UNTRACKED = "untracked"
    FEED_DOWN = "feed_down"
    AWAITING_SNAPSHOT = "awaiting_snapshot"
    MISSING_SNAPSHOT = "missing_snapshot"
    BURST_OPEN = "burst_open"
    TOPS = "tops"
    CROSSED = "crossed"
    PARITY = "parity"
    SNAPSHOT = "snapshot"
    HASH = "hash"
    TICK_CHANGE = "tick_change"
    OUT_OF_ORDER = "out_of_order"
    SILENT = "silent"
    UNPROVEN = "unproven"
    AUDIT = "audit"
    OVERFLOW = "overflow"
    MALFORMED = "malformed"
    UNKNOWN_ASSET = "unknown_asset"
    RESOLVED = "resolved"


class Resync(NamedTuple):
    """A wish for fresh snapshots of these tokens. `request_id` counts up: logs and rows name the wish by it."""

    condition_id: ConditionId
    assets: tuple[AssetId, ...]
    reason: Doubt
    request_id: int


@dataclass(slots=True)
class BookCounters:
    """What the books saw and found. `resyncs` is by reason, `unknown_events` by the type they named, `unknown_fields`
    has 1 for every field name that was met (see oddities).

    `silences` are markets or tokens that said nothing while others spoke, `sweeps` markets whose turn it was to be
    proved by a hash, `recipe_alerts` how often the hash recipe as a whole came into doubt or was given up.
    """

    events: int = 0
    snapshots: int = 0
    snapshots_checked: int = 0
    snapshot_mismatches: int = 0
    deltas: int = 0
    deltas_before_snapshot: int = 0
    late_events: int = 0
    unknown_assets: int = 0
    parity_mismatches: int = 0
    bbo_checked: int = 0
    bbo_mismatches: int = 0
    crossed: int = 0
    hash_checked: int = 0
    hash_matches: int = 0
    silences: int = 0
    sweeps: int = 0
    audits: int = 0
    audit_mismatches: int = 0
    recipe_alerts: int = 0
    resyncs: dict[Doubt, int] = field(default_factory=dict)
    unknown_events: dict[str, int] = field(default_factory=dict)
    unknown_fields: dict[str, int] = field(default_factory=dict)


def mirrored(yes: LevelChange, no: LevelChange) -> bool:
    """Whether the two entries say the same of the one book behind both tokens."""
    return yes.price + no.price == PRICE_ONE and yes.size == no.size and yes.side is not no.side


_TICKS: tuple[Price, ...] = (1000, 100, 50, 25, 10, 1)


def coarsest_tick(prices: list[Price], at_most: Price) -> Price:
    """The coarsest venue tick, not above `at_most`, on whose grid all `prices` lie."""
    for tick in _TICKS:
        if tick <= at_most and all(price % tick == 0 for price in prices):
            return tick
    return 1
