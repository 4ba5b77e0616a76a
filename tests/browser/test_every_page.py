"""Every page in light and dark, wide and on a phone: no complaint of the browser, nothing wider than the screen."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.steps import QUOTES_S, WIDE, House, context_of, quoting_market, until_live, visit, watch

PHONE = {"width": 360, "height": 740}
PAGES = (
    "/",
    "/markets/",
    "/markets/?show=all",
    "/orders/",
    "/arbitrage/",
    "/incidents/",
    "/risk/",
    "/system/",
    "/stop/",
    "/account/totp/",
    "/api/v1/docs/",
    "/admin/",
)


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_opens_without_a_complaint(
    browser: Any, house: House, key_ring: Any, scheme: str, size: dict[str, int]
) -> None:
    context = context_of(browser, house, key_ring, color_scheme=scheme, viewport=size)
    page = context.new_page()
    market = quoting_market(page)
    page.goto("/orders/")
    page.wait_for_selector("#rows tbody tr")
    order = page.locator("#rows tbody tr").first.get_attribute("data-href")
    troubles = watch(page)
    for address in (*PAGES, market, f"{market}?edit=1", str(order)):
        answer = page.goto(address)
        assert answer is not None
        assert answer.status == 200, address
        if not address.startswith(("/api/", "/admin/")):
            if page.locator("body[data-socket]").count():
                until_live(page)
            wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wider <= 0, f"{address} is {wider} px wider than the screen"
    assert troubles == []
    context.close()


def test_the_page_says_that_the_engine_lives_and_figures_move(operator: Page) -> None:
    visit(operator, "/system/")
    frames = operator.locator('[data-f="feed.frames"]')
    expect(frames).not_to_have_text(frames.inner_text())
    expect(operator.locator("body")).to_have_attribute("data-fresh", "yes")
    expect(operator.locator("body")).to_have_attribute("data-link", "up")


def test_every_page_says_that_orders_go_to_the_sandbox(operator: Page) -> None:
    visit(operator, "/markets/")
    expect(operator.locator("header .mode")).to_contain_text("real orders, sandbox")


def test_the_sandbox_trades_with_us(operator: Page) -> None:
    visit(operator, "/")
    expect(operator.locator('[data-f="fills"]').first).not_to_have_text("0", timeout=QUOTES_S * 1_000)


def test_a_theme_chosen_by_hand_stays(operator: Page) -> None:
    visit(operator, "/")
    operator.click(".who summary")
    with operator.expect_response("**/theme/"):
        operator.click('#theme-form [value="dark"]')
    expect(operator.locator("html")).to_have_attribute("data-theme", "dark")
    operator.goto("/markets/")
    expect(operator.locator("html")).to_have_attribute("data-theme", "dark")


def test_keys_lead_through_the_pages(operator: Page) -> None:
    visit(operator, "/")
    operator.keyboard.press("g")
    operator.keyboard.press("m")
    operator.wait_for_url("**/markets/")
    until_live(operator)
    operator.keyboard.press("j")
    operator.keyboard.press("Enter")
    operator.wait_for_selector("#ladder")
    until_live(operator)
    operator.keyboard.press(".")
    expect(operator.locator("#stop-dialog")).to_be_visible()
    operator.keyboard.press("Escape")
    expect(operator.locator("#stop-dialog")).to_be_hidden()


def test_nothing_moves_while_figures_change(operator: Page) -> None:
    """Layout shifts without input, as the browser itself counts them."""
    visit(operator, quoting_market(operator))
    shift = operator.evaluate(
        """() => new Promise((done) => {
            let sum = 0;
            new PerformanceObserver((list) => {
                for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value;
            }).observe({ type: "layout-shift" });
            setTimeout(() => done(sum), 4000);
        })"""
    )
    assert shift < 0.02


def test_the_risk_page_follows_what_is_held_and_what_rests(operator: Page) -> None:
    visit(operator, "/risk/")
    panel = operator.locator("#live-everything tbody")
    before = panel.inner_html()
    operator.wait_for_function(
        "before => document.querySelector('#live-everything tbody').innerHTML !== before", arg=before, timeout=30_000
    )
    expect(operator.locator("#live-everything h2")).to_have_text("Everything")
