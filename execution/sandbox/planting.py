"""Full sets that look like a gift, of which one is: whoever trades sets can be watched choosing.

Its one law: the books stay true. Users' orders that are in the way trade first, the traders' own are withdrawn, and
then nobody but users moves these books for as long as was asked.
"""

from collections.abc import Sequence
from enum import StrEnum
from hashlib import sha256

from execution.sandbox.floor import Floor
from execution.sandbox.generator import Generator
from execution.sandbox.ladder import SHARE, Change, Side
from execution.sandbox.listing import EventSpec, Generation
from execution.sandbox.wire import YES, Frame

TICK = 100
DEEP, SHALLOW = 50 * SHARE, 2 * SHARE
FAR_BID, FAR_ASK = 500, 7_000


class Plant(StrEnum):
    """What is planted: a set that pays, one whose edge the fees eat, one for two shares, one that may get outcomes; and
    two that pay over the chain only, of protocol v1 and of v2.
    """

    PAYS = "pays"
    FEES = "fees"
    DEPTH = "depth"
    AUGMENTED = "augmented"
    CONVERT = "convert"
    SPLIT = "split"


DEAR = (Plant.DEPTH, Plant.CONVERT, Plant.SPLIT)  # their bids are together more than a set is worth


def beds(events: Sequence[EventSpec]) -> dict[Plant, EventSpec]:
    """Where each is planted; empty when the listing has too few contests (it takes 21 markets). Those that pay over the
    chain come where there are contests left (with 40 markets).
    """
    contests = [event for event in events if event.neg_risk and not event.augmented]
    plain = [event for event in contests if event.markets[0].generation is Generation.V1]
    augmented = [event for event in events if event.augmented]
    if len(contests) < 3 or len(plain) < 2 or not augmented:
        return {}
    third = next(event for event in contests if event not in plain[:2])
    found = {Plant.PAYS: plain[0], Plant.FEES: plain[1], Plant.DEPTH: third, Plant.AUGMENTED: augmented[0]}
    left = [event for event in contests if event not in found.values()]
    for what, generation in ((Plant.CONVERT, Generation.V1), (Plant.SPLIT, Generation.V2)):
        for event in left:
            if event.markets[0].generation is generation:
                found.setdefault(what, event)
    return found


def plant(generator: Generator, now_ms: int, lasting_ms: int) -> list[Frame]:
    """Plant them all and hold the traders of these events still; nothing when there is no room for them."""
    chosen = beds(generator.events)
    wanted: list[tuple[Floor, list[Change]]] = []
    for what, event in chosen.items():
        specs = event.open_markets
        for spec, touch in zip(specs, _touches(what, len(specs)), strict=True):
            floor = generator.floor(spec.asset_ids[YES])
            if floor is not None:
                wanted.append((floor, _book(what, touch)))
    # All are emptied before one is filled: who reads frame by frame never sees a set half of old, half of new prices.
    frames = [frame for floor, book in wanted for frame in _clear(generator, floor, book, now_ms)]
    frames += [frame for floor, book in wanted for frame in floor.change(book, now_ms)]
    generator.hold([event.number for event in chosen.values()], now_ms + lasting_ms)
    return frames


def _touches(what: Plant, count: int) -> list[int]:
    """The price that matters in each market of a set, in whole cents: together 0.80, 0.99 or 1.20."""
    whole = {Plant.FEES: 9_900} | dict.fromkeys(DEAR, 12_000)
    least, more = divmod(whole.get(what, 8_000) // TICK, count)
    return [(least + (at < more)) * TICK for at in range(count)]


def _book(what: Plant, touch: int) -> list[Change]:
    if what in DEAR:
        size = SHALLOW if what is Plant.DEPTH else DEEP
        tops = [Change(Side.BUY, touch, size), Change(Side.SELL, FAR_ASK, DEEP)]
    else:
        tops = [Change(Side.SELL, touch, DEEP)]
    return [*tops, Change(Side.BUY, FAR_BID, DEEP)]


def _clear(generator: Generator, floor: Floor, book: Sequence[Change], now_ms: int) -> list[Frame]:
    frames: list[Frame] = []
    for change in book:
        taker, levels = change.side, floor.ladder.levels(change.side.other)
        met = sum(
            size
            for price, size in levels.items()
            if (price <= change.price if taker is Side.BUY else price >= change.price)
        )
        if met:
            name = f"{floor.spec.condition_id}:{now_ms}:{taker}:{change.price}"
            transaction_hash = "0x" + sha256(name.encode()).hexdigest()
            moved, prints = floor.take(taker, met, change.price, now_ms, transaction_hash=transaction_hash)
            generator.announce_later(prints, now_ms)
            frames += moved
    for side in Side:
        gone = [Change(side, price, 0) for price in floor.ladder.from_the_touch(side)]
        frames += floor.change(gone, now_ms)
    return frames
