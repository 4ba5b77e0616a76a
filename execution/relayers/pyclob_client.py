"""An injected `py-clob-client` or `py-clob-client-v2` object as the way requests reach the venue.

Law: the client carries what we signed and wrote down, and decides nothing. It is synchronous, so it lives in one thread
of its own; a request that did not get its turn in time was never sent.
"""

import asyncio
import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

from execution.relayers.http import Answered, ClobHttp, Lost, Reply

T = TypeVar("T")

LAST_PAGE: Final = "LTE="
_SIDES: Final = {"BUY": 0, "SELL": 1}


@dataclass
class WireOrder:
    """A signed order as either client posts it: attributes for the one, `dict()` for the other."""

    salt: str
    maker: str
    signer: str
    tokenId: str
    makerAmount: str
    takerAmount: str
    side: int
    signatureType: int
    timestamp: str
    metadata: str
    builder: str
    expiration: str
    signature: str
    raw: Mapping[str, object]

    def dict(self) -> Mapping[str, object]:
        return self.raw


def wire_order(raw: Mapping[str, object]) -> WireOrder:
    texts = {name: str(raw[name]) for name in WireOrder.__annotations__ if name not in ("side", "signatureType", "raw")}
    return WireOrder(**texts, side=_SIDES[str(raw["side"])], signatureType=int(str(raw["signatureType"])), raw=raw)


def generation_of(client: object) -> int:
    """Which orders the client signs: 2 for py-clob-client-v2, which alone can ask for the venue's version, else 1."""
    return 2 if callable(getattr(client, "get_version", None)) else 1


def chain_of(client: object) -> int | None:
    """The chain the client signs for, under whichever of its names it says so."""
    for holder in (client, getattr(client, "signer", None)):
        for name in ("chain_id", "chainId", "chain", "get_chain_id"):
            found = getattr(holder, name, None)
            found = found() if callable(found) else found
            if found is not None:
                return int(str(found))
    return None


def set_timeout(client: object, seconds: float) -> bool:
    """Bound the client's requests, for it takes no timeout itself: its package keeps one HTTP client for everybody.

    False where there is none to be found; the wait for the thread is bounded anyway.
    """
    package = type(client).__module__.partition(".")[0]
    try:
        helpers = importlib.import_module(f"{package}.http_helpers.helpers")
    except ImportError:
        return False
    session = getattr(helpers, "_http_client", None)
    if session is None:
        return False
    session.timeout = seconds
    return True


def _errors_of(client: object) -> tuple[type[Exception], ...]:
    """What the client raises when the venue refused or could not be reached."""
    package = type(client).__module__.partition(".")[0]
    try:
        own = importlib.import_module(f"{package}.exceptions").PolyException
    except (ImportError, AttributeError):
        return (OSError, ValueError)
    return (own, OSError, ValueError)


class PyClobTransport:
    """Takes the paths of the CLOB and calls the methods of the client. `timeout_s` bounds turn and request together."""

    def __init__(self, client: Any, url: str, *, timeout_s: float = 5.0) -> None:
        self.client = client
        self.url = url
        self.skew_s = 0  # the client makes its own headers
        self.generation = generation_of(client)
        self._timeout_s = timeout_s
        self._errors = _errors_of(client)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pyclob")
        self._plain = ClobHttp(url, "", None, timeout_s=timeout_s)
        set_timeout(client, timeout_s)
        if hasattr(client, "_resolve_transactions_hashes"):
            # After a match it would wait up to 30 s for hashes nobody here asks for, and everything behind it with it.
            client._resolve_transactions_hashes = lambda response: response

    @property
    def owner(self) -> str:
        return str(getattr(getattr(self.client, "creds", None), "api_key", ""))

    def submit(self, call: Callable[[], T]) -> "Future[T]":
        """Have something done in the client's thread, when its turn comes."""
        return self._thread.submit(call)

    async def fetch(self, method: str, url: str) -> Answered:
        return await self._plain.fetch(method, url)

    async def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
        await self._plain.close()

    async def call(
        self, method: str, path: str, body: bytes = b"", *, query: str = "", timeout_s: float | None = None
    ) -> Answered:
        if path == "/version":  # the client answers 2 when it could not ask
            return await self._plain.call(method, path)
        params = dict(parse_qsl(query))
        sent: Any = json.loads(body) if body else None
        if method == "POST" and path in ("/order", "/orders"):
            return await self._post(sent if isinstance(sent, list) else [sent], single=path == "/order")
        call = self._method(method, path, sent, params)
        if call is None:
            return Lost(f"{method} {path} is nothing this client can do", sent=False)
        reply = await self._run(call, timeout_s)
        return _paged(reply) if path in ("/data/orders", "/data/trades") else reply

    async def _post(self, entries: Sequence[Mapping[str, Any]], *, single: bool) -> Answered:
        """Post in as few requests as the client can: the newer one has one post-only flag for all of a request."""
        replies: dict[int, object] = {}
        for flag in (True, False):
            chosen = [at for at, entry in enumerate(entries) if bool(entry.get("postOnly")) is flag]
            if self.generation == 1 and flag:
                chosen = list(range(len(entries)))
            chosen = [at for at in chosen if at not in replies]
            if not chosen:
                continue
            reply = await self._run(self._posting([entries[at] for at in chosen], post_only=flag), None)
            legs = reply.body if isinstance(reply, Reply) and reply.ok else None
            if not isinstance(legs, list):
                if len(chosen) == len(entries):
                    return reply
                legs = [_as_leg(reply)] * len(chosen)
            replies.update(zip(chosen, legs, strict=False))
        body = [replies.get(at) for at in range(len(entries))]
        return Reply(200, "", body[0] if single else body)

    def _posting(self, entries: Sequence[Mapping[str, Any]], *, post_only: bool) -> Callable[[], object]:
        args = [
            SimpleNamespace(
                order=wire_order(entry["order"]),
                orderType=entry["orderType"],
                postOnly=bool(entry.get("postOnly")),
                deferExec=False,
            )
            for entry in entries
        ]
        if self.generation == 1:
            return lambda: self.client.post_orders(args)
        return lambda: self.client.post_orders(args, post_only=post_only)

    def _method(self, method: str, path: str, sent: Any, params: Mapping[str, str]) -> Callable[[], object] | None:
        client = self.client
        match method, path:
            case "DELETE", "/order":
                return lambda: client.cancel_orders([sent["orderID"]])
            case "DELETE", "/orders":
                return lambda: client.cancel_orders(sent)
            case "DELETE", "/cancel-all":
                return lambda: client.cancel_all()
            case "DELETE", "/cancel-market-orders":
                return self._cancel_market(str(sent.get("market", "")), str(sent.get("asset_id", "")))
            case "GET", "/data/orders":
                return lambda: client.get_open_orders() if self.generation == 2 else client.get_orders()
            case "GET", "/data/trades":
                asked = _namespace("id", "maker_address", "market", "asset_id", "before", "after", **params)
                return lambda: client.get_trades(asked)
            case "GET", "/balance-allowance":
                wanted = _namespace("asset_type", "token_id", "signature_type", **params)
                return lambda: client.get_balance_allowance(wanted)
            case "GET", "/balance-allowance/update":
                wanted = _namespace("asset_type", "token_id", "signature_type", **params)
                return lambda: client.update_balance_allowance(wanted)
            case "GET", "/auth/ban-status/closed-only":
                return lambda: client.get_closed_only_mode()
            case "GET", "/time":
                return lambda: client.get_server_time()
            case "POST", "/v1/heartbeats":
                return lambda: client.post_heartbeat(sent["heartbeat_id"])
        if method == "GET" and path.startswith("/data/order/"):
            return lambda: client.get_order(path.removeprefix("/data/order/"))
        return None

    def _cancel_market(self, market: str, asset_id: str) -> Callable[[], object]:
        if self.generation == 1:
            return lambda: self.client.cancel_market_orders(market=market, asset_id=asset_id)
        wanted = SimpleNamespace(market=market or None, asset_id=asset_id or None)
        return lambda: self.client.cancel_market_orders(wanted)

    async def _run(self, call: Callable[[], object], timeout_s: float | None) -> Answered:
        """One call in the client's thread; what it raises is what the venue said, or that nobody knows."""
        limit_s = timeout_s or self._timeout_s
        future = self.submit(call)
        try:
            async with asyncio.timeout(limit_s):
                body = await asyncio.shield(asyncio.wrap_future(future))
        except TimeoutError:
            if future.cancel():
                return Lost(f"its turn did not come in {limit_s:g} s", sent=False)
            future.add_done_callback(_look_away)
            return Lost(f"no answer in {limit_s:g} s", sent=True)
        except self._errors as error:
            return _refused(error)
        text = body if isinstance(body, str) else json.dumps(body)
        return Reply(200, text, body)


def _look_away(future: "Future[object]") -> None:
    """Nobody waits any more; an exception nobody asks for would be reported as forgotten."""
    if not future.cancelled():
        future.exception()


def _refused(error: Exception) -> Answered:
    status = getattr(error, "status_code", None)
    said = getattr(error, "error_msg", None)
    if not isinstance(status, int):
        return Lost(f"{type(error).__name__}: {said or error}", sent=True)
    text = said if isinstance(said, str) else json.dumps(said)
    return Reply(status, text, said if isinstance(said, dict | list) else None)


def _as_leg(reply: Answered) -> dict[str, object]:
    """An answer about a part of a batch, spelt as an answer to each of its orders. A loss says nothing."""
    if isinstance(reply, Lost) or reply.status >= 500:
        return {}
    return {"success": False, "errorMsg": reply.said, "orderID": ""}


def _paged(reply: Answered) -> Answered:
    """The client reads every page itself and hands out one list."""
    if isinstance(reply, Reply) and isinstance(reply.body, list):
        return Reply(reply.status, reply.text, {"data": reply.body, "next_cursor": LAST_PAGE})
    return reply


def _namespace(*names: str, **values: str) -> SimpleNamespace:
    return SimpleNamespace(**{name: values.get(name) for name in names})
