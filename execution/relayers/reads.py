"""Reading our account at the venue: open orders, single orders, trades, balances, and what the account may do.

Law: a read is `Ok` with everything asked for, or `Unavailable`. A page that cannot be read makes the whole unavailable:
half a list of orders is a list of orders that seem gone.
"""

import asyncio
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Final, TypeVar
from urllib.parse import urlencode

from execution.domain.decode import MalformedAccount, OrderWord, TradeWord, order_word, scaled, trade_word
from execution.domain.ours import OurOrders
from execution.domain.reconcile import VenueOrder
from execution.relayers.base import Balances, Ok, Unavailable
from execution.relayers.errors import shortened
from execution.relayers.http import Answered, Lost, Reply, Transport
from execution.signing import SignatureType
from markets.domain.market import Generation
from markets.domain.units import NANOS_PER_SECOND, PRICE_ONE, AssetId, Nanos, Price, Size

T = TypeVar("T")

FIRST_PAGE, LAST_PAGE = "MA==", "LTE="
MAX_PAGES = 200
_BALANCES_AT_ONCE = 8  # the venue allows 200 in 10 s
_ASSET_TYPES: Final = {Generation.V1: "CONDITIONAL", Generation.V2: "CONDITIONAL-V2"}


class ClobReads:
    """`orders` are ours: the size we know settles in which unit the venue spells one."""

    def __init__(self, http: Transport, orders: OurOrders, signature_type: SignatureType) -> None:
        self._http = http
        self._orders = orders
        self._signature_type = signature_type

    async def open_orders(self) -> Ok[tuple[VenueOrder, ...]] | Unavailable:
        pages = await self._pages("/data/orders", {})
        if isinstance(pages, Unavailable):
            return pages
        try:
            return Ok(tuple(self._listed(raw) for raw in pages.value))
        except MalformedAccount as error:
            return Unavailable(f"an open order could not be read: {error}")

    def _listed(self, raw: object) -> VenueOrder:
        word = order_word(raw)
        known = self._orders.find(word.order_id)
        if known is not None:
            word = scaled(word, known.size)
        if word.size is None or word.matched is None or word.price is None or word.side is None:
            raise MalformedAccount(f"order {word.order_id[:12]}: side, price or size is missing")
        return VenueOrder(word.order_id, word.condition_id, word.asset, word.side, word.price, word.size, word.matched)

    async def order(self, order_id: str) -> Ok[OrderWord | None] | Unavailable:
        """One order in whatever state; None when the venue does not (or no longer) know it, which proves nothing."""
        reply = await self._http.call("GET", f"/data/order/{order_id}")
        if isinstance(reply, Reply) and (reply.status == 404 or (reply.ok and not reply.body)):
            return Ok(None)
        if isinstance(reply, Lost) or not reply.ok:
            return _unavailable(reply)
        try:
            word = order_word(reply.body)
        except MalformedAccount as error:
            return Unavailable(f"the order could not be read: {error}")
        known = self._orders.find(word.order_id)
        return Ok(scaled(word, known.size) if known is not None else word)

    async def trades(self, after_s: int = 0) -> Ok[tuple[TradeWord, ...]] | Unavailable:
        """Our trades that matched after that second, oldest last as the venue lists them."""
        pages = await self._pages("/data/trades", {"after": str(after_s)} if after_s else {})
        if isinstance(pages, Unavailable):
            return pages
        try:
            return Ok(tuple(trade_word(raw) for raw in pages.value))
        except MalformedAccount as error:
            return Unavailable(f"a trade could not be read: {error}")

    async def balances(self, assets: Iterable[tuple[AssetId, Generation]]) -> Ok[Balances] | Unavailable:
        """Cash, and the shares of `assets`: the venue has no list of what we hold."""
        wanted = [(asset, _ASSET_TYPES[of]) for asset, of in assets if of in _ASSET_TYPES]
        cash = await self._balance({"asset_type": "COLLATERAL"})
        if isinstance(cash, Unavailable):
            return cash
        gate = asyncio.Semaphore(_BALANCES_AT_ONCE)

        async def shares(asset: AssetId, kind: str) -> Ok[Size] | Unavailable:
            async with gate:
                return await self._balance({"asset_type": kind, "token_id": asset})

        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(shares(*each)) for each in wanted]
        held: dict[AssetId, Size] = {}
        for (asset, _), task in zip(wanted, asked, strict=True):
            found = task.result()
            if isinstance(found, Unavailable):
                return found
            if found.value:
                held[asset] = found.value
        return Ok(Balances(cash.value, held))

    async def look_again(self, assets: Iterable[tuple[AssetId, Generation]]) -> None:
        """Ask the CLOB to read cash and these tokens' balances from the chain. What it answers changes nothing here."""
        wanted = [{"asset_type": _ASSET_TYPES[of], "token_id": asset} for asset, of in assets if of in _ASSET_TYPES]
        for params in ({"asset_type": "COLLATERAL"}, *wanted):
            query = urlencode(params | {"signature_type": str(self._signature_type.value)})
            await self._http.call("GET", "/balance-allowance/update", query=query)

    async def _balance(self, params: dict[str, str]) -> Ok[int] | Unavailable:
        query = urlencode(params | {"signature_type": str(self._signature_type.value)})
        reply = await self._http.call("GET", "/balance-allowance", query=query)
        if isinstance(reply, Lost) or not reply.ok or not isinstance(reply.body, dict):
            return _unavailable(reply)
        text = str(reply.body.get("balance", ""))
        return Ok(int(text)) if text.isascii() and text.isdigit() else Unavailable(f"balance: {text[:40]!r}")

    async def allowances(
        self, of: Generation = Generation.UNKNOWN, token: AssetId = ""
    ) -> Ok[dict[str, int]] | Unavailable:
        """How much pUSD (1e-6) each contract may move, by its address in lower case; with a generation and one of its
        tokens, how much of its shares, where anything above 0 is an approved operator.
        """
        asked = {"asset_type": _ASSET_TYPES.get(of, "COLLATERAL")} | ({"token_id": token} if token else {})
        query = urlencode(asked | {"signature_type": str(self._signature_type.value)})
        reply = await self._http.call("GET", "/balance-allowance", query=query)
        if isinstance(reply, Lost) or not reply.ok or not isinstance(reply.body, dict):
            return _unavailable(reply)
        told = reply.body.get("allowances")
        if not isinstance(told, dict):
            return Unavailable("the venue does not say which contracts may move pUSD")
        return Ok({str(at).lower(): int(sum_) for at, sum_ in told.items() if str(sum_).isdigit()})

    # What a share costs

    async def midpoint(self, asset: AssetId) -> Ok[Price] | Unavailable:
        """The middle of the token's book, rounded to 0.0001."""
        reply = await self._http.call("GET", "/midpoint", query=urlencode({"token_id": asset}))
        if isinstance(reply, Lost) or not reply.ok or not isinstance(reply.body, dict):
            return _unavailable(reply)
        price = _price(reply.body.get("mid"))
        return Ok(price) if price is not None else Unavailable(f"midpoint: {shortened(reply.text, 80)}")

    async def average_prices(self, data_url: str, wallet: str) -> Ok[dict[AssetId, Price]] | Unavailable:
        """What the venue's data API says the wallet paid for a share of each token it holds, on average."""
        found: dict[AssetId, Price] = {}
        query = {"user": wallet, "filter_type": "TOKENS", "filter_amount": "0"}
        for _ in range(MAX_PAGES):
            reply = await self._http.fetch("GET", f"{data_url}/v2/positions?{urlencode(query)}")
            rows = reply.body.get("data") if isinstance(reply, Reply) and isinstance(reply.body, dict) else None
            if isinstance(reply, Lost) or not reply.ok or not isinstance(rows, list):
                return _unavailable(reply)
            for row in rows:
                price = _price(row.get("avg_price")) if isinstance(row, dict) else None
                if price is not None:
                    found[str(row.get("token_id"))] = price
            paging = reply.body.get("pagination") if isinstance(reply.body, dict) else None
            cursor = paging.get("next_cursor") if isinstance(paging, dict) else None
            if not isinstance(cursor, str) or cursor in (LAST_PAGE, ""):
                return Ok(found)
            query["cursor"] = cursor
        return Unavailable(f"positions: more than {MAX_PAGES} pages")

    # What the account may do

    async def version(self) -> Ok[int] | Unavailable:
        """Which signatures the CLOB takes: 2 since 2026-04-28."""
        reply = await self._http.call("GET", "/version")
        if isinstance(reply, Reply) and reply.ok and isinstance(reply.body, dict):
            version = reply.body.get("version")
            if isinstance(version, int):
                return Ok(version)
        return _unavailable(reply)

    async def closed_only(self) -> Ok[bool] | Unavailable:
        return _flag(await self._http.call("GET", "/auth/ban-status/closed-only"), "closed_only")

    async def geoblocked(self, url: str) -> Ok[bool] | Unavailable:
        return _flag(await self._http.fetch("GET", url), "blocked")

    async def clock_skew_s(self, now_ns: Nanos) -> Ok[int] | Unavailable:
        """The venue's clock minus ours, in whole seconds."""
        reply = await self._http.call("GET", "/time")
        text = reply.text.strip() if isinstance(reply, Reply) and reply.ok else ""
        if not (text.isascii() and text.isdigit()):
            return _unavailable(reply)
        return Ok(int(text) - now_ns // NANOS_PER_SECOND)

    async def _pages(self, path: str, params: dict[str, str]) -> Ok[Sequence[object]] | Unavailable:
        rows: list[object] = []
        cursor = FIRST_PAGE
        for _ in range(MAX_PAGES):
            reply = await self._http.call("GET", path, query=urlencode(params | {"next_cursor": cursor}))
            if isinstance(reply, Lost) or not reply.ok:
                return _unavailable(reply)
            page = reply.body if isinstance(reply.body, dict) else {}
            data, following = page.get("data"), page.get("next_cursor")
            if not isinstance(data, list) or not isinstance(following, str):
                return Unavailable(f"{path}: no page of a list: {shortened(reply.text, 120)}")
            rows += data
            if following in (LAST_PAGE, ""):
                return Ok(rows)
            cursor = following
        return Unavailable(f"{path}: more than {MAX_PAGES} pages")


def _price(value: object) -> Price | None:
    """A price from 0 to 1 to the nearest 0.0001; None for anything else."""
    try:
        price = Decimal(str(value))
    except InvalidOperation:
        return None
    if not price.is_finite() or not 0 <= price <= 1:
        return None
    return int((price * PRICE_ONE).to_integral_value(ROUND_HALF_EVEN))


def _flag(reply: Answered, name: str) -> Ok[bool] | Unavailable:
    if isinstance(reply, Reply) and reply.ok and isinstance(reply.body, dict):
        flag = reply.body.get(name)
        if isinstance(flag, bool):
            return Ok(flag)
    return _unavailable(reply)


def _unavailable(reply: Answered) -> Unavailable:
    if isinstance(reply, Lost):
        return Unavailable(reply.detail)
    return Unavailable(f"HTTP {reply.status}: {shortened(reply.said, 120)}")
