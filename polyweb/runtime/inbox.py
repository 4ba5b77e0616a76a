"""Everything that may enter the trader, as values, and their spelling in a session recording.

Law: nothing reaches trading state except through one of these items, so a recorded session replays to the same
decisions.
"""

from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from execution.domain.blotter import OrderRecord
from execution.domain.chain import ChainRecord, ChainTold
from execution.domain.commands import Accepted, CancelFailed, Cancelled, Fill, Rejected, Unknown
from execution.domain.postings import Posting
from execution.domain.venue import ALLOWED, Allowed, VenueMode
from markets.domain.events import Frame
from markets.domain.integrity import Doubt
from markets.domain.market import Market
from markets.domain.units import AssetId, Cash, ConditionId, Nanos
from polyweb.runtime.baskets import Unfinished
from risk.domain.breakers import Breaker, BreakerKind
from risk.domain.limits import Limits
from risk.domain.panel import Release
from risk.domain.stops import Stop
from risk.domain.thresholds import Thresholds
from strategies.domain.arb_params import ArbParams
from strategies.domain.inputs import External
from strategies.domain.params import SpreadParams


@dataclass(frozen=True, slots=True)
class TraderConfig:
    """What is fixed for one run. `first_id` numbers its orders; `auto_track` quotes whatever the frames name.

    `wallet` is the address that trades, for stops of one wallet; empty is covered by all of them.
    `max_rest_s` bounds how long an order may rest with everything of ours down, 0 leaves it to the parameters.
    `chain` is whether shares can be split, merged and converted in this run; `chain_off` says for people why not.
    """

    first_id: int
    starting_cash: Cash
    live_money: bool = False
    auto_track: bool = False
    hash_every: int = 32
    wallet: str = ""
    max_rest_s: int = 0
    chain: bool = False
    chain_off: str = ""


class FeedUp(msgspec.Struct, frozen=True, tag=True):
    """A socket delivers these tokens from now on; their books wait for a snapshot.

    `connection` brings all of its tokens by such items; 0 when it may bring others as well, as one of two twins does.
    """

    at_ns: Nanos
    assets: tuple[AssetId, ...]
    connection: int = 0


class FeedDown(msgspec.Struct, frozen=True, tag=True):
    """These tokens are no longer delivered. `frozen`: their socket was open and said nothing any more."""

    at_ns: Nanos
    assets: tuple[AssetId, ...]
    reason: str
    frozen: bool = False


class Doubted(msgspec.Struct, frozen=True, tag=True):
    """Something outside the books found that these tokens' must not be trusted until their next snapshot."""

    at_ns: Nanos
    assets: tuple[AssetId, ...]
    reason: Doubt


class Shown(msgspec.Struct, frozen=True, tag=True):
    """A book as the venue shows it over HTTP: nothing to trade on, something to compare with."""

    at_ns: Nanos
    data: bytes


class Control(msgspec.Struct, frozen=True, tag=True):
    """All that operators control, as of change `version`: markets, switches, parameters, caps, stops, thresholds."""

    version: int
    at_ns: Nanos
    markets: tuple[Market, ...]
    trading: frozenset[ConditionId]
    params: dict[ConditionId, SpreadParams]
    defaults: SpreadParams
    limits: Limits
    stops: tuple[Stop, ...]
    arb: ArbParams
    thresholds: Thresholds = Thresholds()
    releases: tuple[Release, ...] = ()
    external: dict[ConditionId, External] = msgspec.field(default_factory=dict)


NO_CONTROL = Control(
    version=0,
    at_ns=0,
    markets=(),
    trading=frozenset(),
    params={},
    defaults=SpreadParams(),
    limits=Limits(),
    stops=(),
    arb=ArbParams(),
)


class Hold(msgspec.Struct, frozen=True, tag=True):
    """The engine may not trade (its lease ran out): everything down until a Hold without reason.

    `leave`: no cancels either, what rests is left to the venue's dead-man switch.
    """

    at_ns: Nanos
    reason: str
    leave: bool = False


class Sensed(msgspec.Struct, frozen=True, tag=True):
    """The engine measured what a breaker watches: `wrong` says what was seen, empty when all is well.

    `target` is a condition id, or empty for everything.
    """

    at_ns: Nanos
    kind: BreakerKind
    wrong: str
    target: str = ""


# Asked at every decision, so looked up once.
_RESTS = frozenset(mode for mode, can in ALLOWED.items() if can.place or can.place_post_only or can.close)
_TAKES = frozenset(mode for mode, can in ALLOWED.items() if can.place)
_ONLY_CLOSES = frozenset(mode for mode, can in ALLOWED.items() if can.close and not (can.place or can.place_post_only))


class VenueTold(msgspec.Struct, frozen=True, tag=True):
    """What the venue lets us do from now on, and whether what we know of our orders there can be relied on.

    `reason` says for people why not everything is allowed; empty when it is.
    """

    at_ns: Nanos
    mode: VenueMode
    trusted: bool
    reason: str

    @property
    def allowed(self) -> Allowed:
        return ALLOWED[self.mode]

    @property
    def may_quote(self) -> bool:
        """Whether resting orders may be placed, be it only such as reduce a position."""
        return self.trusted and self.mode in _RESTS

    @property
    def may_take(self) -> bool:
        """Whether orders that match at once may be placed."""
        return self.trusted and self.mode in _TAKES

    @property
    def may_close(self) -> bool:
        """Whether shares we hold may be sold at once."""
        return self.may_take or (self.trusted and self.only_closes)

    @property
    def only_closes(self) -> bool:
        """Whether nothing but what reduces a position may be placed."""
        return self.mode in _ONLY_CLOSES


# A venue inside our own process: always there, and nothing about it can be missed.
VENUE_AT_HAND = VenueTold(0, VenueMode.OPEN, trusted=True, reason="")


class ClockRead(msgspec.Struct, frozen=True, tag=True):
    """The venue told the time: its clock minus ours lies between these."""

    at_ns: Nanos
    low_ns: Nanos
    high_ns: Nanos


class Tick(msgspec.Struct, frozen=True, tag=True):
    """The clock: lets time-outs and minimum lifetimes end without market data."""

    at_ns: Nanos


class Decide(msgspec.Struct, frozen=True, tag=True):
    """Not an item of the inbox but the boundary after it: at `now_ns` the trader decided commands with this digest."""

    now_ns: Nanos
    digest: str


class Begin(msgspec.Struct, frozen=True, tag=True):
    """What a session started from: the run's constants and what the journal knew of earlier runs."""

    at_ns: Nanos
    config: TraderConfig
    orders: tuple[OrderRecord, ...]
    fills: tuple[Fill, ...]
    postings: tuple[Posting, ...] = ()
    memories: dict[str, str] = msgspec.field(default_factory=dict)
    breakers: tuple[Breaker, ...] = ()
    chain: tuple[ChainRecord, ...] = ()
    baskets: tuple[Unfinished, ...] = ()


Item: TypeAlias = (
    Frame
    | FeedUp
    | FeedDown
    | Doubted
    | Shown
    | Control
    | Tick
    | Sensed
    | ClockRead
    | Hold
    | VenueTold
    | Accepted
    | Rejected
    | Unknown
    | Cancelled
    | CancelFailed
    | Fill
    | Posting
    | ChainTold
)
Spelled: TypeAlias = (
    FeedUp
    | FeedDown
    | Doubted
    | Shown
    | Control
    | Tick
    | Sensed
    | ClockRead
    | Hold
    | VenueTold
    | Decide
    | Begin
    | Accepted
    | Rejected
    | Unknown
    | Cancelled
    | CancelFailed
    | Fill
    | Posting
    | ChainTold
)
_decoder: msgspec.json.Decoder[Spelled] = msgspec.json.Decoder(Spelled)
_encoder = msgspec.json.Encoder()


def spell(item: Spelled) -> bytes:
    """Everything but a frame (whose raw bytes are recorded as they came) as one JSON object."""
    return _encoder.encode(item)


def read(data: bytes) -> Spelled:
    """Raises msgspec.ValidationError on what `spell` did not write."""
    return _decoder.decode(data)
