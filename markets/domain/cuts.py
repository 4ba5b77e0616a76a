"""Where a recording stops telling one story: what was lost there, and the second telling of a twin connection.

Law: a book built before a cut says nothing about frames after it. Its epoch ends, and nothing is compared until its
next snapshot.
"""

import msgspec

from markets.domain.books import BookSet
from markets.domain.events import Frame
from markets.domain.units import AssetId, Nanos


class Cut(msgspec.Struct, frozen=True, gc=False):
    """Frames may be missing here. `names` are the markets or tokens it is about; None means all of them."""

    at_ns: Nanos
    names: tuple[str, ...] | None = None


class Twin(msgspec.Struct, frozen=True, gc=False):
    """A frame whose market another, living connection tells: counted, but no book hears it twice."""

    frame: Frame


Recorded = Frame | Cut | Twin


def cut_assets(books: BookSet, cut: Cut) -> tuple[AssetId, ...]:
    """The tokens of `books` that a cut is about: always both of a market, which share their book."""
    names = None if cut.names is None else frozenset(cut.names)
    found: list[AssetId] = []
    for market in books.markets:
        if names is None or not names.isdisjoint((market.condition_id, market.yes, market.no)):
            found += [asset for asset in (market.yes, market.no) if asset]
    return tuple(found)
