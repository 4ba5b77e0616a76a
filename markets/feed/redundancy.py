"""Two sockets for one shard: the first frame wins, its twin is dropped, and each side is measured.

Law: what the merged stream loses neither side brought, and nothing is told twice. Frames are twins when they say the
same: type, token, timestamp, hash, and the levels they change, for neighbours of one burst share timestamp and hash.
The n-th telling on one side is the twin of the n-th on the other: a burst may repeat itself.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec

from markets.domain.events import Frame
from markets.domain.units import NANOS_PER_MILLI, AssetId, ConditionId, Nanos

GENERATION = 8_192  # frames after which an untwinned one counts as lost; about twice that many are remembered
SIDES = 2


class _Change(msgspec.Struct, frozen=True, gc=False):
    asset_id: str = ""
    price: str = ""
    size: str = ""
    side: str = ""
    hash: str = ""


class _Said(msgspec.Struct, frozen=True, gc=False):
    """What a frame says, as far as it tells frames apart."""

    event_type: str = ""
    market: str = ""
    asset_id: str = ""
    timestamp: str | int = ""
    hash: str = ""
    price: str = ""
    size: str = ""
    side: str = ""
    transaction_hash: str | None = None
    new_tick_size: str = ""
    best_bid: str = ""
    best_ask: str = ""
    price_changes: tuple[_Change, ...] = ()


_said = msgspec.json.Decoder(_Said).decode
Key: TypeAlias = _Said | int


def key_of(data: bytes) -> Key:
    """What tells this frame from others; of one that does not decode, a digest of its bytes."""
    try:
        return _said(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return hash(data)


@dataclass(slots=True)
class _Seen:
    """How often a key came on each side, and when it first did."""

    first: int
    first_ns: Nanos
    counts: list[int] = field(default_factory=lambda: [0] * SIDES)


@dataclass(slots=True)
class SideCount:
    """`first`: twins it brought first; `lead_ns`: by how much, summed; `lost`: frames only the other side brought."""

    frames: int = 0
    first: int = 0
    lead_ns: Nanos = 0
    lost: int = 0

    @property
    def lead_ms(self) -> float:
        """Mean lead over the other side's frames it beat."""
        return self.lead_ns / self.first / NANOS_PER_MILLI if self.first else 0.0


class Merger:
    """Decides of every frame of a shard whether it is news."""

    def __init__(self, generation: int = GENERATION) -> None:
        self.sides = tuple(SideCount() for _ in range(SIDES))
        self.duplicates = 0
        self._size = generation
        self._young: dict[Key, _Seen] = {}
        self._old: dict[Key, _Seen] = {}
        self._up_since: list[Nanos | None] = [None] * SIDES
        self._awaited: set[AssetId] = set()

    def up(self, side: int, at_ns: Nanos) -> None:
        self._up_since[side] = at_ns

    def down(self, side: int) -> None:
        self._up_since[side] = None

    def awaits(self, assets: tuple[AssetId, ...]) -> None:
        """A snapshot of these tokens was asked for on one side: what was told before it may be needed again."""
        self._awaited.update(assets)

    def take(self, side: int, frame: Frame) -> bool:
        """Whether this is the first telling. Arrays, the dumps of new connections, always are."""
        count = self.sides[side]
        count.frames += 1
        if frame.data.startswith(b"["):
            return True
        key = key_of(frame.data)
        if self._awaited and isinstance(key, _Said) and key.event_type == "book" and key.asset_id in self._awaited:
            self._awaited.discard(key.asset_id)
            self._forget(key.market)
        seen = self._young.get(key) or self._old.get(key)
        if seen is None:
            self._remember(key, seen := _Seen(side, frame.received_ns))
        seen.counts[side] += 1
        if seen.counts[side] > seen.counts[1 - side]:
            return True
        self.duplicates += 1
        if side != seen.first:
            first = self.sides[seen.first]
            first.first += 1
            first.lead_ns += max(0, frame.received_ns - seen.first_ns)
        return False

    def _remember(self, key: Key, seen: _Seen) -> None:
        if len(self._young) >= self._size:
            self._retire()
        self._young[key] = seen

    def _retire(self) -> None:
        """Let the older half go; what a side that was up all the time did not bring of it is lost to that side."""
        for seen in self._old.values():
            most = max(seen.counts)
            for side, count in enumerate(seen.counts):
                since = self._up_since[side]
                if since is not None and since < seen.first_ns:
                    self.sides[side].lost += most - count
        self._old, self._young = self._young, {}

    def _forget(self, market: ConditionId) -> None:
        """The other side may have run ahead of the snapshot: let its changes be told again after it."""
        for generation in (self._young, self._old):
            for key in [key for key in generation if isinstance(key, _Said) and key.market == market]:
                del generation[key]
