"""Subscriptions without sockets: which token goes to which socket, what to send, when to ping, when to give up.

Law: no I/O and no clock; time comes in as seconds. The client does what these values say.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from markets.domain.units import AssetId

TOKENS_PER_SOCKET = 200  # above about 500 the venue silently leaves out initial books
PING = "PING"
PONG = b"PONG"


def opening(assets: Sequence[AssetId]) -> str:
    """The first message of a connection. The venue closes connections that ping before it."""
    return _spell(
        {
            "type": "market",
            "assets_ids": list(assets),
            "initial_dump": True,
            "level": 2,
            "custom_feature_enabled": True,
        }
    )


def subscribe(assets: Sequence[AssetId]) -> str:
    return _spell(
        {
            "operation": "subscribe",
            "assets_ids": list(assets),
            "level": 2,
            "custom_feature_enabled": True,
        }
    )


def unsubscribe(assets: Sequence[AssetId]) -> str:
    return _spell({"operation": "unsubscribe", "assets_ids": list(assets)})


def _spell(message: dict[str, object]) -> str:
    return json.dumps(message, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class ShardChange:
    """What one socket must take up and let go."""

    shard: int
    added: tuple[AssetId, ...]
    removed: tuple[AssetId, ...]


class Shards:
    """Which token is on which socket. Tokens given next to each other stay together where there is room."""

    def __init__(self, limit: int = TOKENS_PER_SOCKET) -> None:
        self._limit = limit
        self._shards: dict[int, dict[AssetId, None]] = {}
        self._of: dict[AssetId, int] = {}

    def assets(self, shard: int) -> tuple[AssetId, ...]:
        return tuple(self._shards.get(shard, ()))

    def shard_of(self, asset: AssetId) -> int | None:
        return self._of.get(asset)

    def want(self, assets: Sequence[AssetId]) -> list[ShardChange]:
        """Make the shards hold exactly `assets`, moving none that stays. Emptied shards are dropped."""
        wanted = dict.fromkeys(assets)
        removed: dict[int, list[AssetId]] = {}
        for asset, shard in list(self._of.items()):
            if asset not in wanted:
                removed.setdefault(shard, []).append(asset)
                del self._shards[shard][asset], self._of[asset]
        added: dict[int, list[AssetId]] = {}
        for asset in wanted:
            if asset not in self._of:
                shard = self._room()
                self._shards.setdefault(shard, {})[asset] = None
                self._of[asset] = shard
                added.setdefault(shard, []).append(asset)
        touched = sorted(dict.fromkeys([*removed, *added]))
        for shard in touched:
            if not self._shards.get(shard):
                self._shards.pop(shard, None)
        return [ShardChange(shard, tuple(added.get(shard, ())), tuple(removed.get(shard, ()))) for shard in touched]

    def _room(self) -> int:
        for shard, held in self._shards.items():
            if len(held) < self._limit:
                return shard
        return max(self._shards, default=-1) + 1


class Pulse(StrEnum):
    """What a connection needs now."""

    NOTHING = "nothing"
    PING = "ping"
    DEAD = "dead"


class Liveness:
    """Text pings every `ping_s`; a connection that says nothing for `silence_s`, not even PONG, is dead."""

    def __init__(self, now_s: float, *, ping_s: float = 10.0, silence_s: float = 30.0) -> None:
        self._ping_s = ping_s
        self._silence_s = silence_s
        self._heard_s = now_s
        self._pinged_s = now_s

    def heard(self, now_s: float) -> None:
        self._heard_s = now_s

    def pulse(self, now_s: float) -> Pulse:
        """What to do now; asking counts as having pinged when the answer is PING."""
        if now_s - self._heard_s >= self._silence_s:
            return Pulse.DEAD
        if now_s - self._pinged_s >= self._ping_s:
            self._pinged_s = now_s
            return Pulse.PING
        return Pulse.NOTHING

    def wait_s(self, now_s: float) -> float:
        """Seconds until `pulse` may say something else."""
        return max(0.0, min(self._pinged_s + self._ping_s, self._heard_s + self._silence_s) - now_s)


def _never() -> float:
    return 0.0


class ResyncQueue:
    """Wishes for fresh snapshots, coalesced: `batch` tokens every `every_s` at most.

    Every token has a bucket of one, refilled after `rest_s` and up to a quarter more by `chance` (a fraction): books
    that broke together are not asked for together again and again.
    """

    def __init__(
        self,
        *,
        every_s: float = 0.5,
        rest_s: float = 5.0,
        batch: int = 50,
        chance: Callable[[], float] = _never,
    ) -> None:
        self._every_s = every_s
        self._rest_s = rest_s
        self._batch = batch
        self._chance = chance
        self._wishes: dict[AssetId, None] = {}
        self._rested_s: dict[AssetId, float] = {}
        self._last_s = float("-inf")

    def wish(self, assets: Sequence[AssetId]) -> None:
        for asset in assets:
            self._wishes[asset] = None

    def forget(self, assets: Sequence[AssetId]) -> None:
        for asset in assets:
            self._wishes.pop(asset, None)
            self._rested_s.pop(asset, None)

    def due(self, now_s: float) -> tuple[AssetId, ...]:
        """Tokens to ask for now; they are taken as asked for."""
        if not self._wishes or now_s - self._last_s < self._every_s:
            return ()
        ready = [asset for asset in self._wishes if self._rested_s.get(asset, now_s) <= now_s][: self._batch]
        if not ready:
            return ()
        rested_s = now_s + self._rest_s * (1 + self._chance() / 4)
        for asset in ready:
            del self._wishes[asset]
            self._rested_s[asset] = rested_s
        self._last_s = now_s
        return tuple(ready)

    def wait_s(self, now_s: float) -> float:
        """Seconds until something may be due; infinite when nothing is wished for."""
        if not self._wishes:
            return float("inf")
        rested_s = min(self._rested_s.get(asset, now_s) for asset in self._wishes)
        return max(0.0, max(self._last_s + self._every_s, rested_s) - now_s)
