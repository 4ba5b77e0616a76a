"""What an operator does with the running house: edit a spread, stop, resume, without a script too."""

import re
import time
from typing import Any

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.browser.steps import House, context_of, quoting_market, visit

OURS = "#ladder tr[data-ours] td.price"


def our_prices(page: Page, side: str) -> list[float]:
    return [float(text) for text in page.locator(f"#ladder tr.{side}[data-ours] td.price").all_inner_texts()]


def spread(page: Page) -> float:
    """Between our best quotes, in cents; 0 while one side is missing."""
    bids, asks = our_prices(page, "bid"), our_prices(page, "ask")
    return min(asks) - max(bids) if bids and asks else 0.0


def test_a_spread_is_edited_and_the_ladder_follows(operator: Page) -> None:
    visit(operator, quoting_market(operator))
    operator.wait_for_selector(OURS)
    operator.keyboard.press("e")
    operator.fill("[name=half_spread]", "0.06")
    operator.fill("#params-form [name=reason]", "wider for the test")
    operator.click("#params-form button.primary")
    expect(operator.locator("#params-output")).to_contain_text("is in force in the engine after")
    seconds = float(re.search(r"after ([\d.]+) s", operator.locator("#params-output").inner_text())[1])  # type: ignore[index]
    assert seconds <= 3  # a second, and the round trips of a busy machine
    wait_for(lambda: spread(operator) >= 11, "our quotes never stood 12 cents apart")
    operator.fill("[name=half_spread]", "")
    operator.click("#params-form button.primary")
    wait_for(lambda: 0 < spread(operator) < 9, "our quotes never came back together")


def test_a_value_out_of_bounds_is_said_beside_its_field(operator: Page) -> None:
    visit(operator, quoting_market(operator))
    operator.click("#edit-button")
    operator.fill("[name=half_spread]", "0.9")
    operator.click("#params-form button.primary")
    expect(operator.locator('.param[data-name="half_spread"] .error')).to_have_text(
        "half_spread: 0.9 is outside 0.0001..0.4 (pUSD per share)"
    )
    expect(operator.locator("#params-output")).to_have_text("Nothing was changed.")


def test_what_is_typed_is_drawn_into_the_ladder_before_it_is_applied(operator: Page) -> None:
    visit(operator, quoting_market(operator))
    operator.click("#edit-button")
    operator.fill("[name=half_spread]", "0.05")
    expect(operator.locator("#ladder tr[data-preview]")).not_to_have_count(0)
    expect(operator.locator("#params-output")).to_contain_text(re.compile("Applying|where quotes would stand"))
    operator.click("#edit-close")
    expect(operator.locator("#ladder tr[data-preview]")).to_have_count(0)


def test_stop_makes_the_quotes_vanish_and_resume_brings_them_back(operator: Page) -> None:
    market = quoting_market(operator)
    visit(operator, market)
    operator.wait_for_selector(OURS)
    operator.keyboard.press(".")
    expect(operator.locator('#stop-form [name=level][value="3"]')).to_be_checked()
    operator.click("#stop-form button.danger")
    report = operator.locator("#stop-output")
    expect(report).to_have_text(re.compile(r"^\d+ of \d+ orders? cancelled or ended in [\d.]+ s\.$"))
    done, total = re.findall(r"\d+", report.inner_text())[:2]
    assert done == total
    expect(operator.locator(OURS)).to_have_count(0)
    expect(operator.locator("#no-ours")).to_be_visible()
    operator.goto(market)  # the row behind the first response may be a second old
    expect(operator.locator(OURS)).to_have_count(0)
    operator.click("[data-stop] button")
    expect(operator.locator("[data-stop]")).to_have_count(0)
    wait_for(lambda: operator.goto(quoting_market(operator)) is not None, "no quotes after the release")


def test_stop_and_resume_work_without_a_script(browser: Any, house: House, key_ring: Any) -> None:
    context = context_of(browser, house, key_ring, java_script_enabled=False)
    page = context.new_page()
    quoting_market(page)
    page.goto("/")
    page.click("#stop-button")
    page.click("#stop-form-page button.danger")
    assert "/stop/" in page.url
    wait_for(lambda: "cancelled or ended" in reloaded(page, "#stop-report"), "the report was never done")
    page.click("[data-stop] button")
    assert page.locator("[data-stop]").count() == 0
    context.close()


def test_a_lost_connection_is_said_and_greys_the_figures(operator: Page) -> None:
    def cut(route: WebSocketRoute) -> None:
        server = route.connect_to_server()

        def after_the_first(message: str | bytes) -> None:
            route.send(message)
            route.close()

        server.on_message(after_the_first)

    operator.route_web_socket(re.compile("/ws/"), cut)
    operator.goto("/")
    expect(operator.locator("#link-notice")).to_contain_text("No connection since")


def test_a_session_that_ended_elsewhere_leads_to_the_login_page(browser: Any, house: House, key_ring: Any) -> None:
    context = browser.new_context(base_url=house.url)
    page = context.new_page()
    page.goto("/markets/")
    expect(page).to_have_url(re.compile(r"/login/\?next=/markets/"))
    page.fill("#id_username", house.user)
    page.fill("#id_password", house.password)
    page.click("button.primary")
    expect(page).to_have_url(re.compile("/markets/$"))
    page.click(".who summary")
    page.click("text=Log out")
    expect(page).to_have_url(re.compile("/login/"))
    context.close()


def reloaded(page: Page, selector: str) -> str:
    page.reload()
    return page.locator(selector).inner_text()


def wait_for(true: Any, why: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return
        time.sleep(0.1)
    pytest.fail(why)
