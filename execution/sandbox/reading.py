"""The CLOB's public answers about markets and prices.

Its one law: keys, number types and texts are the venue's; a token without a book is a 404, not an empty book.
"""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from execution.sandbox import refusal
from execution.sandbox.floor import Floor
from execution.sandbox.gamma import PUSD, iso, the_end
from execution.sandbox.generator import Generator
from execution.sandbox.ladder import PRICE_ONE, price_text
from execution.sandbox.listing import EventSpec, MarketSpec
from execution.sandbox.refusal import Refused
from execution.sandbox.user_wire import OUTCOMES
from execution.sandbox.wire import tops

Document = dict[str, object]
FIRST_PAGE, LAST_PAGE = "MA==", "LTE="
PAGE = 500
MAX_BOOKS = 500


T = TypeVar("T")


def page_of(items: Sequence[T], cursor: str, shown_as: Callable[[T], Document]) -> Document:
    """One page; cursors are positions in base64, the first is 0 and the last -1."""
    try:
        start = int(base64.b64decode(cursor or FIRST_PAGE, validate=True))
    except (binascii.Error, ValueError) as error:
        raise Refused(400, "Invalid next_cursor") from error
    shown = [shown_as(item) for item in items[start : start + PAGE]] if start >= 0 else []
    end = start + len(shown)
    more = start >= 0 and end < len(items)
    following = base64.b64encode(str(end).encode()).decode() if more else LAST_PAGE
    return {"data": shown, "next_cursor": following, "limit": PAGE, "count": len(shown)}


class Reader:
    """Reads a generator the way the CLOB's public routes do."""

    def __init__(self, generator: Generator, start_ms: int) -> None:
        self._generator = generator
        self._start_ms = start_ms
        self._markets = {market.condition_id: (market, event) for event in generator.events for market in event.markets}
        self._condition = {
            asset_id: market.condition_id for market, _ in self._markets.values() for asset_id in market.asset_ids
        }

    def get(self, path: str, query: Mapping[str, str]) -> object:
        """Answer one GET; raises Refused for what does not exist."""
        token = query.get("token_id", "")
        by_token: dict[str, Callable[[str], object]] = {
            "/book": self.book,
            "/midpoint": lambda token: {"mid": self._mid(token)},
            "/spread": lambda token: {"spread": self._spread(token)},
            "/last-trade-price": self._last_trade,
            "/tick-size": lambda token: {"minimum_tick_size": float(price_text(self._floor(token)[0].tick))},
            "/neg-risk": lambda token: {"neg_risk": self._floor(token)[0].spec.neg_risk},
            "/fee-rate": self._base_fee,
            "/price": lambda token: {"price": self._price(token, query.get("side", ""))},
        }
        if path in by_token:
            return by_token[path](token)
        folder, _, name = path.rpartition("/")
        match folder:
            case "/clob-markets":
                return self._compact_market(name)
            case "/markets-by-token":
                return self._pair(name)
            case "/markets":
                return self._full_market(*self._market(name))
        shown_as = self._simple if "simplified" in path else self._full_market
        return page_of(list(self._markets.values()), query.get("next_cursor", ""), lambda found: shown_as(*found))

    def post(self, path: str, wanted: object) -> object:
        """Answer one POST about many tokens; those without a book are left out."""
        entries = _entries(wanted)
        known = [entry for entry in entries if self._generator.floor(entry["token_id"]) is not None]
        match path:
            case "/books":
                return [self.book(entry["token_id"]) for entry in known]
            case "/midpoints":
                return {entry["token_id"]: self._mid(entry["token_id"]) for entry in known}
            case "/spreads":
                return {entry["token_id"]: self._spread(entry["token_id"]) for entry in known}
            case "/prices":
                prices: dict[str, dict[str, str]] = {}
                for entry in known:
                    side, token = entry.get("side", ""), entry["token_id"]
                    prices.setdefault(token, {})[side] = self._price(token, side)
                return prices
        return [{"token_id": entry["token_id"]} | self._last_trade(entry["token_id"]) for entry in known]

    def book(self, token: str) -> Document:
        book = self._generator.rest_book(token)
        if book is None:
            raise Refused(404, refusal.NO_BOOK)
        return book

    def _floor(self, token: str) -> tuple[Floor, int]:
        floor = self._generator.floor(token)
        if floor is None:
            raise Refused(404, refusal.NO_BOOK)
        return floor, floor.spec.asset_ids.index(token)

    def _base_fee(self, token: str) -> Document:
        """Not the fee curve: that stands in `/clob-markets`."""
        self._floor(token)
        return {"base_fee": 0}

    def _tops(self, token: str) -> tuple[int, int]:
        floor, outcome = self._floor(token)
        return tops(floor.ladder, outcome)

    def _mid(self, token: str) -> str:
        bid, ask = self._tops(token)
        return f"{(bid + ask) / (2 * PRICE_ONE):.6f}".rstrip("0").rstrip(".")

    def _spread(self, token: str) -> str:
        bid, ask = self._tops(token)
        return price_text(ask - bid)

    def _price(self, token: str, side: str) -> str:
        bid, ask = self._tops(token)
        if side not in ("BUY", "SELL"):
            raise Refused(400, "Invalid side")
        return price_text(bid if side == "BUY" else ask)

    def _last_trade(self, token: str) -> Document:
        floor, outcome = self._floor(token)
        if floor.last_taker is None:
            return {"price": "0.5", "side": ""}
        traded, side = floor.last_taker
        last = round(float(floor.last_trade) * PRICE_ONE)
        if traded != outcome:
            last, side = PRICE_ONE - last, side.other
        return {"price": price_text(last), "side": side.name}

    def _market(self, condition: str) -> tuple[MarketSpec, EventSpec]:
        found = self._markets.get(condition)
        if found is None:
            raise Refused(404, "market not found")
        return found

    def _tick(self, market: MarketSpec) -> float:
        floor = self._generator.floor(market.asset_ids[0])
        return float(price_text(floor.tick if floor else market.tick))

    def _compact_market(self, condition: str) -> Document:
        market, _ = self._market(condition)
        document: Document = {
            "c": market.condition_id,
            "gst": None,
            "r": _rewards(),
            "t": [{"t": asset_id, "o": outcome} for asset_id, outcome in zip(market.asset_ids, OUTCOMES, strict=True)],
            "mos": market.min_size,
            "mts": self._tick(market),
            "mbf": 0,
            "tbf": 0,
            "rfqe": False,
            "itode": False,
            "ibce": False,
            "fd": {"r": market.fees.rate, "e": 1, "to": True},
            "oas": 3,
            "v": market.generation.value,
        }
        return document | ({"nr": True} if market.neg_risk else {})

    def _pair(self, token: str) -> Document:
        condition = self._condition.get(token)
        if condition is None:
            raise Refused(404, "market not found")
        yes, no = self._markets[condition][0].asset_ids
        return {"condition_id": condition, "primary_token_id": yes, "secondary_token_id": no}

    def _simple(self, market: MarketSpec, event: EventSpec) -> Document:
        prices = (price_text(PRICE_ONE // 2),) * 2
        if market.is_open:
            prices = (self._mid(market.asset_ids[0]), self._mid(market.asset_ids[1]))
        return {
            "condition_id": market.condition_id,
            "rewards": _rewards(),
            "tokens": [
                {"token_id": asset_id, "outcome": outcome, "price": float(price), "winner": False}
                for asset_id, outcome, price in zip(market.asset_ids, OUTCOMES, prices, strict=True)
            ],
            "active": market.is_open,
            "closed": False,
            "archived": False,
            "accepting_orders": market.is_open,
        }

    def _full_market(self, market: MarketSpec, event: EventSpec) -> Document:
        return self._simple(market, event) | {
            "enable_order_book": True,
            "accepting_order_timestamp": iso(self._start_ms, -21),
            "minimum_order_size": market.min_size,
            "minimum_tick_size": self._tick(market),
            "question_id": market.question_id,
            "question": market.question,
            "description": f"This market resolves Yes if so it happens: {market.question} Otherwise No.",
            "market_slug": market.slug,
            "end_date_iso": the_end(self._start_ms),
            "game_start_time": None,
            "seconds_delay": 0,
            "fpmm": "",
            "maker_base_fee": 0,
            "taker_base_fee": 0,
            "notifications_enabled": True,
            "neg_risk": market.neg_risk,
            "neg_risk_market_id": event.neg_risk_id if market.neg_risk else "",
            "neg_risk_request_id": "",
            "icon": "",
            "image": "",
            "is_50_50_outcome": False,
            "tags": [event.category],
        }


def _rewards() -> Document:
    return {"rates": [{"asset_address": PUSD, "rewards_daily_rate": 25}], "min_size": 20, "max_spread": 3.5}


def _entries(wanted: object) -> list[dict[str, str]]:
    if not isinstance(wanted, list) or not all(isinstance(entry, dict) and "token_id" in entry for entry in wanted):
        raise Refused(400, "Invalid payload")
    if len(wanted) > MAX_BOOKS:
        raise Refused(400, "Payload exceeds the limit")
    return [{key: str(value) for key, value in entry.items()} for entry in wanted]
