"""What the browser tests do over and over."""

import time
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page

QUOTES_S = 90
PATIENCE_MS = 30_000  # for what takes a moment on an idle machine and long on a busy one
WIDE = {"width": 1440, "height": 900}


@dataclass(frozen=True)
class House:
    """A running demo."""

    url: str
    user: str
    password: str


def log_in(page: Page, house: House) -> None:
    page.goto("/login/")
    page.fill("#id_username", house.user)
    page.fill("#id_password", house.password)
    page.click("button.primary")
    page.wait_for_selector("header.top")


def visit(page: Page, address: str) -> None:
    """Open a page and wait until its module runs: it has heard the socket, so keys and buttons are wired."""
    page.goto(address)
    until_live(page)


def until_live(page: Page) -> None:
    page.wait_for_selector('body[data-link="up"]', timeout=PATIENCE_MS)


def watch(page: Page) -> list[str]:
    """Everything the browser complains about from now on, policy violations among it."""
    troubles: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            troubles.append(f"{page.url}: {message.text}")

    page.on("console", heard)
    page.on("pageerror", lambda error: troubles.append(f"{page.url}: {error}"))
    return troubles


def quoting_market(page: Page) -> str:
    """The address of a market with both our quotes in its book."""
    end = time.monotonic() + QUOTES_S
    while time.monotonic() < end:
        page.goto("/markets/?state=quoting")
        for row in page.query_selector_all("#rows tbody tr[data-href]"):
            if "–" not in " ".join(cell.inner_text() for cell in row.query_selector_all("[data-f^=our]")):
                address = row.get_attribute("data-href")
                assert address is not None
                return address
        time.sleep(0.5)
    pytest.fail(f"no market had both quotes within {QUOTES_S} s")


def context_of(browser: Any, house: House, key_ring: Any, **options: Any) -> BrowserContext:
    context: BrowserContext = browser.new_context(base_url=house.url, storage_state=key_ring, **options)
    return context
