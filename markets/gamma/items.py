"""Find the markets and events in a Gamma document of any shape: one object, a list, or a page of results.

Law: one bad item is counted and named; it never takes its neighbours along.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from markets.gamma.fields import Raw, objects
from markets.gamma.parse import complete_set, market_category, parse_event, parse_market
from markets.gamma.values import GammaError, GammaEvent, GammaMarket, NotBinary

PAGE_KEYS = ("markets", "events", "data", "items", "results")
ENVELOPE_KEYS = ("body", "payload", "response")
KEPT_ERRORS = 50


@dataclass(slots=True)
class Collected:
    """A batch by id, the later item winning, and what was left out. Errors name the item and the field."""

    events: dict[str, GammaEvent] = field(default_factory=dict)
    markets: dict[str, GammaMarket] = field(default_factory=dict)
    skipped: int = 0
    errors: int = 0
    first_errors: list[str] = field(default_factory=list)

    def fail(self, text: str) -> None:
        self.errors += 1
        if len(self.first_errors) < KEPT_ERRORS:
            self.first_errors.append(text[:300])

    def _add_event(self, event: GammaEvent) -> None:
        known = self.events.get(event.gamma_id)
        if known is not None:
            # A market names its event briefly; what a full listing said is kept.
            event = replace(
                event,
                set_size=known.set_size if event.set_size is None else event.set_size,
                category=event.category or known.category,
                neg_risk=event.neg_risk or known.neg_risk,
                augmented=event.augmented or known.augmented,
                convert_fee_bps=known.convert_fee_bps if event.convert_fee_bps is None else event.convert_fee_bps,
            )
        self.events[event.gamma_id] = event

    def add_market(self, raw: Raw) -> None:
        try:
            event = _event_of(raw)
            market = parse_market(raw, event)
        except NotBinary:
            self.skipped += 1
        except GammaError as error:
            self.fail(f"market {_name(raw)}: {error}")
        else:
            self.markets[market.condition_id] = market
            if event is not None:
                self._add_event(event)

    def add_event(self, raw: Raw) -> None:
        """An event with its markets, as the event listing gives it."""
        try:
            event = parse_event(raw)
            listed = objects(raw, "markets")
        except GammaError as error:
            self.fail(f"event {_name(raw)}: {error}")
            return
        markets = [market for item in listed if (market := self._market_of(item, event)) is not None]
        if not event.category:
            found = (market_category(item) for item in listed)
            event = replace(event, category=next((name for name in found if name), ""))
        if "markets" in raw:
            event = replace(event, set_size=complete_set(event, markets, len(listed)))
        self._add_event(event)
        self.markets.update((market.condition_id, market) for market in markets)

    def _market_of(self, raw: Raw, event: GammaEvent) -> GammaMarket | None:
        try:
            return parse_market(raw, event)
        except NotBinary:
            self.skipped += 1
        except GammaError as error:
            self.fail(f"market {_name(raw)}: {error}")
        return None


def _event_of(raw: Raw) -> GammaEvent | None:
    named = objects(raw, "events")
    if not named:
        return None
    event = parse_event(named[0])
    return replace(
        event,
        neg_risk=event.neg_risk or raw.get("negRisk") is True,
        category=event.category or market_category(raw),
    )


def _name(raw: Raw) -> str:
    return str(raw.get("id") or raw.get("conditionId") or "?")[:80]


def collect(document: Any, into: Collected) -> None:
    """Add everything a document holds; what is neither market nor event is counted as skipped."""
    for item in _items(document, depth=0):
        if not isinstance(item, Mapping):
            into.fail(f"{str(item)[:80]!r} is not an object")
        elif "conditionId" in item or "condition" in item or "clobTokenIds" in item:
            into.add_market(item)
        elif "markets" in item or "negRisk" in item or ("title" in item and "slug" in item):
            into.add_event(item)
        else:
            into.skipped += 1


def _items(document: Any, *, depth: int) -> Iterator[Any]:
    """Lists, pages and envelopes are opened; nothing nests deeper than a page in an envelope in a list."""
    if depth > 4:
        return
    if isinstance(document, list):
        for item in document:
            yield from _items(item, depth=depth + 1)
        return
    if isinstance(document, Mapping) and not {"conditionId", "slug", "title"} & set(document):
        inner = [document[key] for key in PAGE_KEYS if isinstance(document.get(key), list)]
        inner += [document[key] for key in ENVELOPE_KEYS if isinstance(document.get(key), list | dict)]
        if inner:
            for part in inner:
                yield from _items(part, depth=depth + 1)
            return
    yield document
