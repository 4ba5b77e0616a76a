"""Books over HTTP: `POST /books` in batches, each answer turned into the frame the market channel would have sent.

Law: a book is passed on with its own spelling, for its hash is made of that; only the name of the event is added. An
answer that cannot be had or read is `BooksUnavailable` and nothing else.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from markets.domain.units import AssetId, ConditionId

MAX_IDS = 500
MAX_BYTES = 64 << 20
TIMEOUT_S = 5.0
REST_CONNECTION = 0  # the connection id of frames that came over HTTP; sockets count from 1


class BooksUnavailable(Exception):
    """The venue did not hand its books out. `reason` is a bounded label, the text is for people."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class RestBook:
    """One book of an answer; `data` reads like a `book` frame of the market channel."""

    market: ConditionId
    asset: AssetId
    data: bytes


class BooksClient:
    """Reads books from one CLOB. Use as an async context manager, or call `close`."""

    def __init__(self, url: str, *, proxied: bool, timeout_s: float = TIMEOUT_S) -> None:
        self._url = f"{url.rstrip('/')}/books"
        self._proxied = proxied
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None

    async def books(self, assets: Sequence[AssetId]) -> tuple[RestBook, ...]:
        """The books of at most `MAX_IDS` tokens; those the venue does not know are missing. Raises BooksUnavailable."""
        if len(assets) > MAX_IDS:
            raise ValueError(f"{len(assets)} tokens in one request, at most {MAX_IDS}")
        try:
            async with asyncio.timeout(self._timeout_s):
                raw = await self._post([{"token_id": asset} for asset in assets])
        except TimeoutError as error:
            raise BooksUnavailable("timeout", f"no answer within {self._timeout_s:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise BooksUnavailable("unreachable", f"{type(error).__name__}: {error}") from error
        return read_books(raw)

    async def _post(self, wanted: list[dict[str, str]]) -> bytes:
        async with self._open().post(self._url, json=wanted) as answer:
            raw = await answer.content.read(MAX_BYTES + 1)
            while len(raw) <= MAX_BYTES and not answer.content.at_eof():
                raw += await answer.content.read(MAX_BYTES + 1 - len(raw))
            if answer.status == 429:
                raise BooksUnavailable("throttled", f"retry after {answer.headers.get('Retry-After', 'a while')}")
            if answer.status != 200:
                raise BooksUnavailable("refused", f"HTTP {answer.status}")
            if len(raw) > MAX_BYTES:
                raise BooksUnavailable("unreadable", f"more than {MAX_BYTES} bytes")
            return raw

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(trust_env=self._proxied)
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def __aenter__(self) -> "BooksClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def read_books(raw: bytes) -> tuple[RestBook, ...]:
    """The books of an answer. Raises BooksUnavailable when it is not a list of books."""
    try:
        documents = json.loads(raw)
        if not isinstance(documents, list):
            raise BooksUnavailable("unreadable", "not a list of books")
        return tuple(_book(document) for document in documents)
    except (ValueError, RecursionError) as error:
        raise BooksUnavailable("unreadable", str(error)) from error


def _book(document: Any) -> RestBook:
    market, asset = (document.get(key) if isinstance(document, dict) else None for key in ("market", "asset_id"))
    if not isinstance(market, str) or not isinstance(asset, str):
        raise BooksUnavailable("unreadable", "a book without market and token")
    named = document | {"event_type": "book"}
    return RestBook(market, asset, json.dumps(named, separators=(",", ":")).encode())
