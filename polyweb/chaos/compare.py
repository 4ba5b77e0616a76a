"""Our rows against the venue's own books, as values.

Law: pure, and exact to the millionth. What cannot be compared yet (a trade on its way to the chain) is said to be so,
never taken for equal.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from markets.domain.units import AssetId, Cash, Size


class Leg(NamedTuple):
    """One of our orders in one transaction of a trade."""

    trade_id: str
    bucket: int
    order_id: str


class Part(NamedTuple):
    """What a leg moved, and whether its transaction failed for good."""

    size: Size
    failed: bool


class Fate(StrEnum):
    """What became of a job on chain."""

    OPEN = "under way"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Theirs:
    """The venue's side. `salts` of every order it ever took, by its id; `settling` trades are not final yet. `jobs`
    are the transactions it was asked for, by the id of our job.
    """

    salts: Mapping[str, int]
    live: frozenset[str]
    legs: Mapping[Leg, Part]
    settling: int
    cash: Cash
    shares: Mapping[AssetId, Size]
    jobs: Mapping[str, tuple[Fate, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ours:
    """Our side. `rows` is what the journal holds by the venue's id: True while we think it may rest. `jobs` on chain
    by their id.
    """

    rows: Mapping[str, bool]
    unknown: frozenset[str]
    legs: Mapping[Leg, Part]
    cash: Cash
    shares: Mapping[AssetId, Size]
    jobs: Mapping[str, Fate] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Difference:
    """What does not agree, each line naming one thing. Empty is what we want."""

    duplicates: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    ledger: tuple[str, ...] = ()
    pending: tuple[str, ...] = field(default=())

    @property
    def lines(self) -> tuple[str, ...]:
        return self.duplicates + self.forgotten + self.open + self.ledger + self.pending


def compare(ours: Ours, theirs: Theirs) -> Difference:
    """Duplicates: one intent that the venue took twice. Forgotten: what rests or was taken there and we do not know,
    and what we still do not know the fate of; of jobs on chain also one that was done and has failed here, or was never
    asked for and is done here. Open: what we believe to rest and does not. Ledger: fills and balances.
    """
    return Difference(
        duplicates=(*_duplicates(theirs), *_twice(theirs)),
        forgotten=(*_forgotten(ours, theirs), *_lost_jobs(ours, theirs)),
        open=tuple(_stale(ours, theirs)),
        ledger=(*_fills(ours.legs, theirs.legs), *_balances(ours, theirs)),
        pending=tuple(_pending(ours, theirs)),
    )


def _duplicates(theirs: Theirs) -> tuple[str, ...]:
    """The salt is our own number of the order: two orders of one number are one intent sent twice."""
    times = Counter(theirs.salts.values())
    return tuple(f"order {salt} was taken {number} times" for salt, number in times.items() if number > 1)


def _forgotten(ours: Ours, theirs: Theirs) -> tuple[str, ...]:
    never = [f"{order_id} was taken and is in no row" for order_id in theirs.salts if order_id not in ours.rows]
    rests = [f"{each} rests there and has ended here" for each in sorted(theirs.live) if ours.rows.get(each) is False]
    fates = [f"the fate of {order_id} is unknown" for order_id in sorted(ours.unknown)]
    return (*never, *rests, *fates)


def _twice(theirs: Theirs) -> Sequence[str]:
    """A transaction that failed has used its nonce up, so it was asked for like any other."""
    return [f"job {name} was asked for {len(fates)} times" for name, fates in theirs.jobs.items() if len(fates) > 1]


def _lost_jobs(ours: Ours, theirs: Theirs) -> Sequence[str]:
    never = [f"job {name} was taken and is in no row" for name in theirs.jobs if name not in ours.jobs]
    wrong = [
        f"job {name} is {here.value} here and {there.value} there"
        for name, here in ours.jobs.items()
        if here is not Fate.OPEN and (there := _fate(theirs, name)) is not here
    ]
    return [*never, *wrong]


def _fate(theirs: Theirs, name: str) -> Fate:
    """What was never asked for has failed."""
    fates = theirs.jobs.get(name, ())
    return next((fate for fate in (Fate.DONE, Fate.OPEN) if fate in fates), Fate.FAILED)


def _pending(ours: Ours, theirs: Theirs) -> Sequence[str]:
    open_jobs = sum(fate is Fate.OPEN for fate in ours.jobs.values())
    trades = [f"{theirs.settling} trades have not settled"] if theirs.settling else []
    return [*trades, f"{open_jobs} jobs on chain have not ended"] if open_jobs else trades


def _stale(ours: Ours, theirs: Theirs) -> Sequence[str]:
    open_here = (order_id for order_id, is_open in ours.rows.items() if is_open and order_id not in ours.unknown)
    return [f"{order_id} rests here and not there" for order_id in open_here if order_id not in theirs.live]


def _fills(ours: Mapping[Leg, Part], theirs: Mapping[Leg, Part]) -> Sequence[str]:
    # A trade first heard of when it had failed already moved nothing: there is nothing to write down.
    missing = [f"fill {_said(leg)} is missing" for leg, part in theirs.items() if leg not in ours and not part.failed]
    invented = [f"fill {_said(leg)} never happened" for leg in ours if leg not in theirs]
    differ = [
        f"fill {_said(leg)} is {_told(part)} here and {_told(there)} there"
        for leg, part in ours.items()
        if (there := theirs.get(leg)) is not None and there != part
    ]
    return (*missing, *invented, *differ)


def _balances(ours: Ours, theirs: Theirs) -> Sequence[str]:
    lines = [f"cash is {ours.cash} here and {theirs.cash} there"] if ours.cash != theirs.cash else []
    for asset in dict.fromkeys((*ours.shares, *theirs.shares)):
        here, there = ours.shares.get(asset, 0), theirs.shares.get(asset, 0)
        if here != there:
            lines.append(f"shares of {asset[:12]} are {here} here and {there} there")
    return lines


def _said(leg: Leg) -> str:
    return f"{leg.trade_id}/{leg.bucket} of {leg.order_id[:12]}"


def _told(part: Part) -> str:
    return f"{part.size}{' failed' if part.failed else ''}"
