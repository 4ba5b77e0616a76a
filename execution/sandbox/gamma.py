"""The listing as Gamma's JSON, and the listing's keyset pages.

Its one law: field names and JSON types are the venue's, odd ones included (lists inside strings, numbers as
strings).
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from execution.sandbox.floor import Floor
from execution.sandbox.generator import Generator
from execution.sandbox.ladder import PRICE_ONE, SHARE, price_text, size_text
from execution.sandbox.listing import EventSpec, Generation, MarketSpec

Document = dict[str, object]
DEFAULT_LIMIT, MAX_LIMIT = 20, 100
PUSD = "0xC011a7E12a19f7B1f670d46F03B03f3342E82DFB"
ORACLE = "0x7777777777777777777777777777777777777777"


class BadQuery(ValueError):
    """A query Gamma answers with 422."""


def iso(ms: int, days: int = 0) -> str:
    moment = datetime.fromtimestamp(ms // 1000, UTC) + timedelta(days=days)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def the_end(start_ms: int) -> str:
    """When every market ends: with the next round year. The same after a restart: an end is part of the rules."""
    year = datetime.fromtimestamp(start_ms // 1000, UTC).year
    return f"{year // 10 * 10 + 10}-12-31T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Quote:
    """What Gamma shows of a book."""

    bid: int
    ask: int
    last: float
    volume: int
    liquidity: int
    tick: int

    @classmethod
    def of(cls, floor: Floor | None, spec: MarketSpec) -> "Quote":
        if floor is None:
            return cls(0, PRICE_ONE, 0.0, 0, 0, spec.tick)
        ladder = floor.ladder
        resting = sum(price * size for price, size in ladder.bids.items())
        resting += sum((PRICE_ONE - price) * size for price, size in ladder.asks.items())
        last = float(floor.last_trade or 0)
        bid, ask = ladder.best_bid(), ladder.best_ask()
        return cls(bid, ask, last, floor.traded_volume, resting // PRICE_ONE, floor.tick)


class Catalogue:
    """Gamma's view of a generator; `start_ms` dates the listing."""

    def __init__(self, generator: Generator, start_ms: int) -> None:
        self._generator = generator
        self._start_ms = start_ms

    def markets(self) -> list[Document]:
        """All markets, each with its event inside, as `/markets` returns them."""
        return [
            self._market(market, event) | {"events": [self._event(event)]}
            for event in self._generator.events
            for market in event.markets
        ]

    def events(self) -> list[Document]:
        """All events, each with its markets inside, as `/events` returns them."""
        return [
            self._event(event) | {"markets": [self._market(market, event) for market in event.markets]}
            for event in self._generator.events
        ]

    def _event(self, event: EventSpec) -> Document:
        quotes = [Quote.of(self._generator.floor(market.asset_ids[0]), market) for market in event.markets]
        document: Document = {
            "id": event.event_id,
            "ticker": event.slug,
            "slug": event.slug,
            "title": event.title,
            "description": f"Rules of the event: {event.title}. Synthetic, made by the sandbox.",
            "resolutionSource": "",
            "startDate": iso(self._start_ms, -21),
            "endDate": the_end(self._start_ms),
            "active": True,
            "closed": False,
            "archived": False,
            "restricted": True,
            "liquidity": float(sum(quote.liquidity for quote in quotes)) / SHARE,
            "volume": float(sum(quote.volume for quote in quotes)) / SHARE,
            "enableOrderBook": True,
            "negRisk": event.neg_risk,
            "enableNegRisk": event.neg_risk,
            "negRiskAugmented": event.augmented,
            "negRiskMarketID": event.neg_risk_id,
            "negRiskFeeBips": event.fee_bips,
            "tags": [{"id": str(len(event.category)), "label": event.category, "slug": event.category.lower()}],
        }
        return document | ({"onchainEventId": event.onchain_id} if event.onchain_id else {})

    def _market(self, market: MarketSpec, event: EventSpec) -> Document:
        return (
            self._identity(market)
            | self._dates_and_flags(market)
            | self._book(market)
            | self._neg_risk(market, event)
            | self._fees_and_rewards(market)
            | self._tokens(market, event)
        )

    def _identity(self, market: MarketSpec) -> Document:
        return {
            "id": market.market_id,
            "question": market.question,
            "conditionId": market.gamma_condition_id,
            "slug": market.slug,
            "version": market.generation.value,
            "resolutionSource": "https://example.org/source",
            "description": f"This market resolves Yes if so it happens: {market.question} Otherwise No.",
            "outcomes": json.dumps(["Yes", "No"]),
        }

    def _dates_and_flags(self, market: MarketSpec) -> Document:
        start, end = iso(self._start_ms, -21), the_end(self._start_ms)
        return {
            "startDate": start,
            "endDate": end,
            "startDateIso": start[:10],
            "endDateIso": end[:10],
            "acceptingOrdersTimestamp": start,
            "updatedAt": iso(self._generator.now_ms),
            "gameStartTime": None,
            "secondsDelay": 0,
            "clearBookOnStart": False,
            "sportsMarketType": "",
            "active": market.is_open,
            "closed": False,
            "archived": False,
            "restricted": True,
            "enableOrderBook": True,
            "acceptingOrders": market.is_open,
            "automaticallyResolved": False,
            "resolvedBy": ORACLE,
            "umaResolutionStatus": "",
            "umaResolutionStatuses": "[]",
            "holdingRewardsEnabled": False,
            "rfqEnabled": False,
        }

    def _book(self, market: MarketSpec) -> Document:
        quote = Quote.of(self._generator.floor(market.asset_ids[0]), market)
        middle = (quote.bid + quote.ask) // 2
        return {
            "outcomePrices": json.dumps([price_text(middle), price_text(PRICE_ONE - middle)]),
            "orderPriceMinTickSize": float(price_text(quote.tick)),
            "orderMinSize": market.min_size,
            "bestBid": float(price_text(quote.bid)),
            "bestAsk": float(price_text(quote.ask)),
            "spread": float(price_text(quote.ask - quote.bid)),
            "lastTradePrice": quote.last,
            "volume": size_text(quote.volume),
            "volumeNum": quote.volume / SHARE,
            "volume24hr": quote.volume / SHARE,
            "liquidity": size_text(quote.liquidity),
            "liquidityNum": quote.liquidity / SHARE,
        }

    def _neg_risk(self, market: MarketSpec, event: EventSpec) -> Document:
        return {
            "negRisk": event.neg_risk,
            "negRiskOther": market.is_other,
            "negRiskMarketID": event.neg_risk_id,
            "negRiskRequestID": "",
            "groupItemTitle": market.group_title,
            "groupItemThreshold": str(event.markets.index(market)),
        }

    def _fees_and_rewards(self, market: MarketSpec) -> Document:
        reward = {
            "id": market.market_id,
            "conditionId": market.gamma_condition_id,
            "assetAddress": PUSD,
            "rewardsAmount": 0,
            "rewardsDailyRate": 25,
            "startDate": iso(self._start_ms, -21)[:10],
            "endDate": the_end(self._start_ms)[:10],
        }
        return {
            "makerBaseFee": 0,
            "takerBaseFee": 0,
            "feesEnabled": True,
            "feeType": market.fees.kind,
            "feeSchedule": {
                "rate": market.fees.rate,
                "exponent": 1,
                "takerOnly": True,
                "rebateRate": market.fees.rebate_rate,
            },
            "rewardsMinSize": 20,
            "rewardsMaxSpread": 3.5,
            "clobRewards": [reward],
        }

    def _tokens(self, market: MarketSpec, event: EventSpec) -> Document:
        if market.generation is Generation.V1:
            return {"clobTokenIds": json.dumps(list(market.asset_ids)), "questionID": market.question_id}
        return {
            "clobTokenIds": None,
            "positionIds": list(market.asset_ids),
            "questionID": "",
            "resolvedBy": "",
            "umaResolutionStatus": None,
            "umaResolutionStatuses": None,
            "requestId": market.condition_id[:-2] + "00",
            "onchainEventId": event.onchain_id or None,
            "resolutionStatus": "active" if market.is_open else "inactive",
        }


Query = Mapping[str, Sequence[str]]
Test = Callable[[Document, set[str]], bool]


def _versions(document: Document) -> set[str]:
    """The versions in a market, or in the markets of an event."""
    inside = document.get("markets")
    if isinstance(inside, list):
        return {str(market["version"]) for market in inside}
    return {str(document["version"])}


def _ids_within(document: Document, key: str) -> set[str]:
    value = document.get(key)
    if isinstance(value, str) and value.startswith("["):
        return set(json.loads(value))
    return {str(item) for item in value} if isinstance(value, list) else {str(value)}


FILTERS: dict[str, Test] = {
    "version": lambda document, wanted: bool(_versions(document) & wanted),
    "closed": lambda document, wanted: str(document["closed"]).lower() in wanted,
    "active": lambda document, wanted: str(document["active"]).lower() in wanted,
    "id": lambda document, wanted: str(document["id"]) in wanted,
    "slug": lambda document, wanted: str(document["slug"]) in wanted,
    "condition_ids": lambda document, wanted: str(document.get("conditionId")) in wanted,
    "clob_token_ids": lambda document, wanted: bool(_ids_within(document, "clobTokenIds") & wanted),
    "position_ids": lambda document, wanted: bool(_ids_within(document, "positionIds") & wanted),
}


def keyset_page(kind: str, documents: list[Document], query: Query) -> Document:
    """One page; v1 and open ones only, unless the query says otherwise."""
    if "offset" in query:
        raise BadQuery("offset is not supported by keyset pagination, use after_cursor")
    asked = {"version": ["v1"], "closed": ["false"]} | {key: list(values) for key, values in query.items()}
    for key, test in FILTERS.items():
        if key in asked:
            wanted = {value for text in asked[key] for value in text.split(",")}
            documents = [document for document in documents if test(document, wanted)]
    limit = _whole_number("limit", (query.get("limit") or [str(DEFAULT_LIMIT)])[0])
    start = _position((query.get("after_cursor") or [""])[0])
    shown = documents[start : start + min(limit, MAX_LIMIT)]
    end = start + len(shown)
    return {kind: shown, "next_cursor": _cursor(end) if end < len(documents) and shown else None}


def _whole_number(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise BadQuery(f"{name} must be a whole number above zero")
    return int(text)


def _cursor(position: int) -> str:
    return base64.urlsafe_b64encode(json.dumps({"after": position}).encode()).decode()


def _position(cursor: str) -> int:
    if not cursor:
        return 0
    try:
        position = json.loads(base64.urlsafe_b64decode(cursor.encode()))["after"]
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise BadQuery("after_cursor is not one of ours") from error
    if not isinstance(position, int) or position < 0:
        raise BadQuery("after_cursor is not one of ours")
    return position
