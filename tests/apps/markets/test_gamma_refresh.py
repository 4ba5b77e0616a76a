"""The whole refresh: the task walks a local Gamma, stores it, and marks what is gone."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager

import pytest
import stamina
from aiohttp import web
from aiohttp.test_utils import TestServer
from django.conf import settings
from django.test import override_settings

from execution.sandbox.server import Sandbox, SandboxConfig, serving
from markets import services
from markets.gamma import CrawlFailed
from markets.models import Event, Market
from markets.tasks import refresh_gamma
from tests.control_builders import a_market
from tests.served import served

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def a_sandbox(*, markets: int) -> AbstractContextManager[str]:
    @asynccontextmanager
    async def server() -> AsyncIterator[str]:
        async with serving(Sandbox(SandboxConfig(markets=markets))) as running:
            yield running.http

    return served(server())


def an_empty_gamma() -> AbstractContextManager[str]:
    async def nothing(request: web.Request) -> web.Response:
        return web.json_response({request.match_info["kind"]: []})

    @asynccontextmanager
    async def server() -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_get("/{kind}/keyset", nothing)
        async with TestServer(app) as running:
            yield str(running.make_url("/"))

    return served(server())


def refresh_from(url: str) -> dict[str, int]:
    with override_settings(POLYWEB=settings.POLYWEB.model_copy(update={"gamma_url": url})):
        result: dict[str, int] = refresh_gamma(jitter_s=0)
    return result


def test_a_refresh_stores_both_generations_and_marks_what_is_gone() -> None:
    gone = a_market(1, trading=True)
    with a_sandbox(markets=14) as url:
        summary = refresh_from(url)

    assert (summary["errors"], summary["vanished"]) == (0, 1)
    assert summary["markets"] == Market.objects.filter(vanished_at=None).count() > 14 - 1
    assert set(Market.objects.exclude(pk=gone.pk).values_list("generation", flat=True)) == {"v1", "v2"}
    assert Event.objects.filter(complete=True).exists()
    assert not Market.objects.exclude(pk=gone.pk).filter(trading=True).exists()
    gone.refresh_from_db()
    assert gone.vanished_at is not None
    assert gone.trading


def test_a_service_that_cannot_be_reached_fails_the_task_and_marks_nothing() -> None:
    market = a_market(1)
    with stamina.set_testing(True, attempts=1), pytest.raises(CrawlFailed):
        refresh_from("http://127.0.0.1:9")
    market.refresh_from_db()
    assert market.vanished_at is None


def test_a_listing_that_lost_most_markets_is_not_believed() -> None:
    for number in range(100, 150):
        a_market(number)
    with a_sandbox(markets=14) as url:
        with pytest.raises(CrawlFailed, match="50 of"):
            refresh_from(url)
        assert not Market.objects.exclude(vanished_at=None).exists()
        assert services.refresh(url, believe_shrinking=True).vanished == 50


def test_an_empty_listing_is_an_error_and_never_no_markets() -> None:
    market = a_market(1)
    with an_empty_gamma() as url, pytest.raises(CrawlFailed, match="the listing is empty"):
        refresh_from(url)
    market.refresh_from_db()
    assert market.vanished_at is None
