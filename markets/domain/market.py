"""What the venue says a market is: one frozen value the whole pipeline shares.

Law: an unknown generation (`version`) is stored and shown but never tradable; nothing is guessed from the
shape of an id.
"""

from dataclasses import dataclass
from enum import StrEnum

from markets.domain.fees import NO_FEES, FeeSchedule
from markets.domain.units import AssetId, Cash, ConditionId, Millis, Price, Size

DEFAULT_TICK: Price = 100
DEFAULT_MIN_SIZE: Size = 5_000_000
SIZE_STEP: Size = 10_000  # order sizes have two decimals at every tick


class Generation(StrEnum):
    """Which ledger and order domain a market lives on (Gamma `version`)."""

    V1 = "v1"
    V2 = "v2"
    UNKNOWN = ""


@dataclass(frozen=True, slots=True)
class Market:
    """A binary market: one condition, a YES and a NO token, one mirrored book.

    `event_id` is Gamma's event id; `set_size` is the number of markets in a neg-risk event when the set is
    proved complete, else 0. `rewards_max_spread` is in price units, `rewards_min_size` in sizes. `blocked` says
    why nobody may trade it although the venue would take orders ("" when nothing stands against it). `delayed`:
    the venue holds takers back before it matches them. `rule_hash` is that of the rules in force, "" when not known.
    `question_id` names the question on chain ("" when not told), `convert_fee_bps` is what the neg-risk adapter keeps
    of a conversion in its event (0 when not told).
    """

    condition_id: ConditionId
    event_id: str
    question: str
    yes: AssetId
    no: AssetId
    generation: Generation = Generation.UNKNOWN
    tick: Price = DEFAULT_TICK
    min_size: Size = DEFAULT_MIN_SIZE
    neg_risk: bool = False
    augmented: bool = False
    other: bool = False
    set_size: int = 0
    fees: FeeSchedule = NO_FEES
    rewards_min_size: Size = 0
    rewards_max_spread: Price = 0
    rewards_daily: Cash = 0
    end_ms: Millis = 0
    game_start_ms: Millis = 0
    accepting_orders: bool = True
    blocked: str = ""
    delayed: bool = False
    rule_hash: str = ""
    question_id: str = ""
    convert_fee_bps: int = 0

    def asset(self, yes: bool) -> AssetId:
        return self.yes if yes else self.no
