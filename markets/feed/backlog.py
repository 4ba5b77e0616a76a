"""What may be merged while frames wait for a reader that is behind: price changes, and nothing else.

Law: the books end as if every frame had been read. Changes of one market merge into one frame with the newest entry
of every (token, side, price) and the tops and hashes after all of them, as the frames of one burst would say it;
never across a snapshot, a tick change, a trade or anything that is no frame, for these mean something by their place.
The burst a run begins with keeps a frame of its own: its first part may have been read before, with the hash and the
tops after all of it, and both are judged when its time is over.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias, TypeVar

import msgspec

from markets.domain.events import Frame
from markets.feed.filters import event_type_of, market_of

T = TypeVar("T")
Document: TypeAlias = dict[str, Any]
_TAIL = b'"event_type":"price_change"}'


class _Run:
    """Neighbouring price changes of one market in a queue, with no word of anything else about it in between."""

    def __init__(self, place: int, document: Document) -> None:
        self.places = [place]
        self.documents = [document]

    def add(self, place: int, document: Document) -> None:
        self.places.append(place)
        self.documents.append(document)

    def parts(self) -> list[tuple[list[int], list[Document]]]:
        """What becomes one frame each: the burst it begins with, and all that came after."""
        begun = self.documents[0].get("timestamp")
        later = (place for place, document in enumerate(self.documents) if document.get("timestamp") != begun)
        cut = next(later, len(self.documents))
        slices = (slice(0, cut), slice(cut, None))
        return [(self.places[part], self.documents[part]) for part in slices if self.places[part]]


def _merged(documents: Sequence[Document]) -> bytes:
    """One frame for all of them. Only the newest entry of a level counts; it moves to the end of the row."""
    newest: dict[tuple[str, str, str], Document] = {}
    after: dict[str, Document] = {}
    for document in documents:
        for entry in document["price_changes"]:
            key = (entry["asset_id"], entry["side"], entry["price"])
            newest.pop(key, None)
            newest[key] = entry
            after[entry["asset_id"]] = entry
    entries = [entry | _state(after[entry["asset_id"]]) for entry in newest.values()]
    return msgspec.json.encode(documents[-1] | {"price_changes": entries})


def _state(entry: Document) -> Document:
    return {name: entry[name] for name in ("best_bid", "best_ask", "hash") if name in entry}


def coalesce(items: Sequence[T | Frame]) -> list[T | Frame]:
    """`items` with waiting price changes merged; a merged frame stands where the newest it was made of stood."""
    kept: list[T | Frame | None] = list(items)
    runs: dict[str, _Run] = {}
    for place, item in enumerate(items):
        if not isinstance(item, Frame):
            _end_all(kept, runs)
            continue
        document = _price_change(item.data)
        if document is not None:
            run = runs.get(document["market"])
            if run is None:
                runs[document["market"]] = _Run(place, document)
            else:
                run.add(place, document)
            continue
        market = market_of(item.data)
        if item.data.startswith(b"[") or not market:
            _end_all(kept, runs)
        elif market in runs:
            _end(kept, runs.pop(market))
    _end_all(kept, runs)
    return [item for item in kept if item is not None]


def _end_all(kept: list[T | Frame | None], runs: dict[str, _Run]) -> None:
    for run in runs.values():
        _end(kept, run)
    runs.clear()


def _end(kept: list[T | Frame | None], run: _Run) -> None:
    for places, documents in run.parts():
        if len(places) == 1:
            continue
        newest = kept[places[-1]]
        assert isinstance(newest, Frame), "a run holds places of frames"
        for place in places:
            kept[place] = None
        kept[places[-1]] = Frame(newest.received_ns, newest.connection, _merged(documents))


def _price_change(data: bytes) -> Document | None:
    """The frame as a document when it is a plain price change whose entries can be told apart; else None."""
    if not data.endswith(_TAIL):
        return None
    try:
        document = msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    entries = document.get("price_changes")
    if not isinstance(document.get("market"), str) or not isinstance(entries, list) or not entries:
        return None
    for entry in entries:
        if not isinstance(entry, dict) or not all(isinstance(entry.get(k), str) for k in ("asset_id", "side", "price")):
            return None
    return document


def is_expendable(frame: Frame) -> bool:
    """Whether a frame may be dropped when merging did not help: a price change, never a snapshot or a tick change."""
    data = frame.data
    return not data.startswith(b"[") and event_type_of(data) in ("price_change", "best_bid_ask")
