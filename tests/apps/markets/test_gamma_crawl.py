"""The live walk against a local Gamma: every page, both generations, errors that are errors."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import stamina
from aiohttp import web
from aiohttp.test_utils import TestServer

from execution.sandbox.server import Sandbox, SandboxConfig, serving
from markets.gamma import Collected, CrawlFailed, Page, collect
from markets.gamma.crawl import crawl

Answer = Callable[[str, str | None], dict[str, Any] | int]


@asynccontextmanager
async def a_gamma(answer: Answer) -> AsyncIterator[tuple[str, list[str]]]:
    """`answer(kind, cursor)` gives the body, or the status of a refusal; the queries are listed."""
    asked: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        asked.append(request.path_qs)
        kind = "events" if "events" in request.path else "markets"
        reply = answer(kind, request.query.get("after_cursor"))
        if isinstance(reply, int):
            return web.Response(status=reply, text="{}")
        return web.Response(text=json.dumps(reply), content_type="application/json")

    app = web.Application()
    app.router.add_get("/{kind}/keyset", handle)
    async with TestServer(app) as server:
        yield str(server.make_url("/")), asked


async def walk(url: str, **options: Any) -> list[Page]:
    return [page async for page in crawl(url, pause_s=0.0, **options)]


@pytest.fixture(autouse=True)
def _no_waiting() -> Any:
    with stamina.set_testing(True, attempts=3):
        yield


async def test_every_page_is_read_and_both_generations_are_asked_for() -> None:
    pages = {None: (["a"], "1"), "1": (["b"], "2"), "2": ([], None)}

    def answer(kind: str, cursor: str | None) -> dict[str, Any]:
        items, following = pages[cursor]
        return {kind: items} | ({"next_cursor": following} if following else {})

    async with a_gamma(answer) as (url, asked):
        found = await walk(url)

    assert [(page.kind, page.items) for page in found] == [
        (kind, items) for kind in ("markets", "events") for items in (("a",), ("b",), ())
    ]
    assert all("version=v1" in query and "version=v2" in query for query in asked)


async def test_a_page_that_fails_at_first_is_asked_again() -> None:
    failures = [503, 429]

    def answer(kind: str, _: str | None) -> dict[str, Any] | int:
        return failures.pop() if failures else {kind: []}

    async with a_gamma(answer) as (url, _):
        assert len(await walk(url, kinds=("markets",))) == 1


async def test_a_page_that_keeps_failing_is_an_error_and_never_an_empty_page() -> None:
    async with a_gamma(lambda kind, cursor: 500) as (url, asked):
        with pytest.raises(CrawlFailed, match="page 0"):
            await walk(url, kinds=("markets",))
    assert len(asked) == 3


async def test_a_refused_request_is_not_repeated() -> None:
    async with a_gamma(lambda kind, cursor: 422) as (url, asked):
        with pytest.raises(CrawlFailed):
            await walk(url, kinds=("events",))
    assert len(asked) == 1


async def test_a_repeated_cursor_ends_the_walk_as_an_error() -> None:
    async with a_gamma(lambda kind, cursor: {kind: [], "next_cursor": "same"}) as (url, _):
        with pytest.raises(CrawlFailed, match="used before"):
            await walk(url, kinds=("markets",))


async def test_a_reply_without_the_list_is_an_error() -> None:
    async with a_gamma(lambda kind, cursor: {"message": "hello"}) as (url, _):
        with pytest.raises(CrawlFailed, match="no list of markets"):
            await walk(url, kinds=("markets",))


async def test_the_sandbox_is_read_whole_with_both_generations_and_its_complete_sets() -> None:
    found = Collected()
    async with serving(Sandbox(SandboxConfig(markets=14))) as running:
        for page in await walk(running.http, page_size=3):
            collect(list(page.items), found)

    assert (found.errors, found.skipped) == (0, 0)
    assert {market.generation.value for market in found.markets.values()} == {"v1", "v2"}
    assert all(len(market.condition_id) == 66 for market in found.markets.values())
    sets = [event for event in found.events.values() if event.set_size]
    assert sets
    assert all(event.neg_risk and not event.augmented for event in sets)
    assert any(market.other for market in found.markets.values())
