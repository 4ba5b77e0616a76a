"""Walk all of Gamma's open events and markets, both generations, through the official client.

Law: a page that cannot be had is an error, never an empty page; the walk ends only where the venue says so.
"""

import asyncio
import dataclasses
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any, Literal

import stamina
from polymarket import AsyncPublicClient
from polymarket._internal.actions.gamma import list_events_spec, list_markets_spec
from polymarket._internal.dispatch import async_paginate_keyset
from polymarket._internal.environment import PRODUCTION_CONFIG, create_environment
from polymarket._internal.request import KeysetPagePayload, KeysetPaginatedSpec
from polymarket.errors import PolymarketError, RateLimitError, RequestRejectedError, TransportError
from polymarket.errors import TimeoutError as ClientTimeoutError
from polymarket.pagination import AsyncPaginator
from polymarket.pagination import Page as ClientPage

from markets.gamma.values import CrawlFailed, Document, Kind, Page

PAGE_SIZE = 100  # the venue's maximum
VERSIONS: tuple[Literal["v1"], Literal["v2"]] = ("v1", "v2")  # leaving `version` out lists v1 only


def _client(gamma_url: str) -> AsyncPublicClient:
    # A private helper of the SDK, but its only way to another host; a test pins it.
    config = dataclasses.replace(PRODUCTION_CONFIG, gamma_url=gamma_url.rstrip("/"))
    return AsyncPublicClient(create_environment(name="polyweb", config=config))


def _spec(kind: Kind) -> KeysetPaginatedSpec[Document]:
    """The SDK's request with the items left raw: its models drop `negRiskOther`, which we must not trade."""
    wanted = list_events_spec if kind == "events" else list_markets_spec
    spec: KeysetPaginatedSpec[Any] = wanted(closed=False, version=VERSIONS)
    return dataclasses.replace(spec, parse_page=_page_reader(kind))


def _page_reader(kind: Kind) -> Callable[[object], KeysetPagePayload[Document]]:
    def read(data: object) -> KeysetPagePayload[Document]:
        items = data.get(kind) if isinstance(data, dict) else None
        if not isinstance(data, dict) or not isinstance(items, list):
            raise CrawlFailed(f"{kind}: the reply holds no list of {kind}")
        cursor = data.get("next_cursor")
        if cursor is not None and not isinstance(cursor, str):
            raise CrawlFailed(f"{kind}: next_cursor is {cursor!r}")
        return KeysetPagePayload(items=tuple(items), server_next_cursor=cursor or None)

    return read


def _worth_retrying(error: Exception) -> bool | float:
    if isinstance(error, RateLimitError):
        return True if error.retry_after is None else float(error.retry_after)
    if isinstance(error, RequestRejectedError):
        return error.status >= 500 or error.status == 425
    return isinstance(error, TransportError | ClientTimeoutError)


async def crawl(
    gamma_url: str,
    *,
    kinds: tuple[Kind, ...] = ("markets", "events"),
    page_size: int = PAGE_SIZE,
    pause_s: float = 0.1,
    attempts: int = 6,
) -> AsyncGenerator[Page, None]:
    """Yield raw pages: markets first, then events, which prove which sets are complete. Raises CrawlFailed."""
    async with _client(gamma_url) as client:
        for kind in kinds:
            paginator = async_paginate_keyset(client._ctx, _spec(kind), page_size=page_size)
            async for page in _walk(kind, paginator, pause_s=pause_s, attempts=attempts):
                yield page


async def _walk(
    kind: Kind, paginator: AsyncPaginator[Document], *, pause_s: float, attempts: int
) -> AsyncIterator[Page]:
    number, seen = 0, set[str]()
    here = paginator
    while True:
        found = await _fetch(kind, number, here, attempts)
        yield Page(kind, number, found.items)
        if not found.has_more:
            return
        cursor = found.next_cursor
        if not cursor or cursor in seen:
            raise CrawlFailed(f"{kind}: page {number} names a cursor that was used before")
        seen.add(cursor)
        here = paginator.from_cursor(cursor)
        number += 1
        await asyncio.sleep(pause_s * random.uniform(0.5, 1.5))


async def _fetch(kind: Kind, number: int, paginator: AsyncPaginator[Document], attempts: int) -> ClientPage[Document]:
    try:
        async for attempt in stamina.retry_context(
            on=_worth_retrying, attempts=attempts, timeout=120, wait_initial=0.5, wait_max=20
        ):
            with attempt:
                return await paginator.first_page()
    except PolymarketError as error:
        raise CrawlFailed(f"{kind}: page {number} could not be read: {error}") from error
    raise CrawlFailed(f"{kind}: page {number} was never asked for")
