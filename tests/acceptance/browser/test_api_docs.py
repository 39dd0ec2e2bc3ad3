"""The page on which the API can be read and tried, under the same Content Security Policy as every other."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.acceptance.browser.site import Site


def test_the_schema_is_shown_and_can_be_tried(site: Site, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    page.goto(f"{site.address}/api/v1/docs/")
    listing = page.locator("#operations-destinations-destinations_list")
    listing.locator(".opblock-summary-control").click()
    listing.get_by_role("button", name="Try it out").click()
    listing.get_by_role("button", name="Execute").click()

    expect(listing.locator(".live-responses-table td.response-col_status").nth(1)).to_contain_text("200")
    assert {url.split("/")[2] for url in asked if url.startswith("http")} == {f"127.0.0.1:{site.port}"}


def test_what_is_tried_there_changes_something(site: Site, page: Page) -> None:
    """With the session and its CSRF token."""
    page.goto(f"{site.address}/api/v1/docs/")
    beginning = page.locator("#operations-uploads-uploads_create")
    beginning.locator(".opblock-summary-control").click()
    beginning.get_by_role("button", name="Try it out").click()
    beginning.get_by_role("button", name="Execute").click()

    expect(beginning.locator(".live-responses-table td.response-col_status").nth(1)).to_contain_text("201")


def test_it_asks_for_a_login(site: Site, page: Page) -> None:
    page.context.clear_cookies()

    page.goto(f"{site.address}/api/v1/docs/")

    expect(page).to_have_url(f"{site.address}/account/login/?next=/api/v1/docs/")
