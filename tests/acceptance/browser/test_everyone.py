"""Every page for everyone: axe finds nothing, in light and dark, at a desk and on a phone; and by keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.acceptance.browser.conftest import watch_errors
from tests.acceptance.browser.proofs import Proofs, proofs
from tests.acceptance.browser.site import Site
from tests.datasets import write_study
from tests.fakes.acts import Answer
from tests.fakes.archive import Archive
from tests.fakes.script import Script, every
from tests.peers.process import free_port

SIZES = {"desk": ViewportSize(width=1280, height=900), "phone": ViewportSize(width=390, height=844)}
LONGEST_NAME = "everyone_" + "x" * 55
"""A destination may be called so, and nowhere may the line be broken between two words."""
WANTED_ERRORS = ("/nowhere/", "status of 409 (Conflict)")
"""A page that is not there, and a receipt that is not there yet."""


@pytest.fixture(scope="module")
def refusing() -> Iterator[Archive]:
    with Archive(Script(on_store=every(5, Answer(0xA700)))) as archive:
        yield archive


@pytest.fixture(scope="module")
def proven(site: Site) -> Iterator[Proofs]:
    with proofs(site, prefix="everyone_") as proven:
        yield proven


@pytest.fixture(scope="module")
def places(site: Site, refusing: Archive, proven: Proofs) -> dict[str, str]:
    """A page of each kind, by what it is."""
    folder = site.import_root / "everyone"
    folder.mkdir()
    write_study(folder, 10)
    site.shell.add_destination(LONGEST_NAME, refusing.port, refusing.ae_title)
    nowhere = f"http://127.0.0.1:{free_port()}"
    assert site.shell.run("source", "add", LONGEST_NAME, "--url", nowhere).returncode == 0
    partial = site.submit(folder, LONGEST_NAME)
    site.wait_until(partial, "finished")
    draft = site.submit(folder, LONGEST_NAME, start=False)
    site.wait_until(draft, "draft")
    return {
        "transfers": "/transfers/",
        "transfers, filtered to nothing": "/transfers/?q=nowhere&verdict=partial",
        "transfer, partial": f"/transfers/{partial}/",
        "transfer, its refuted instances": f"/transfers/{partial}/?verdict=refuted",
        "transfer, a draft": f"/transfers/{draft}/",
        "transfer, contradicted": f"/transfers/{proven.doubtful}/",
        "transfer, its contradictions": f"/transfers/{proven.doubtful}/?contradiction=any",
        "transfer, waiting for a report": f"/transfers/{proven.waiting}/",
        "transfer, asked whether to remove it": f"/transfers/{proven.waiting}/roll-back/",
        "transfers, overdue": "/transfers/?show=overdue",
        "batch, a draft": f"/batches/{site.batch_of(draft)}/",
        "receipt": f"/transfers/{partial}/receipt/",
        "no receipt yet": f"/transfers/{draft}/receipt/",
        "check a receipt": "/receipts/check/",
        "new transfer": "/new/",
        "new transfer, from a source that does not answer": f"/new/?source={LONGEST_NAME}&destination={LONGEST_NAME}",
        "sources": "/sources/",
        "methods": "/methods/",
        "destinations": "/destinations/",
        "account": "/account/",
        "password": "/account/password/",
        "not found": "/nowhere/",
    }


@pytest.fixture(params=[("light", "desk"), ("dark", "phone")], ids="-".join)
def visitor(request: pytest.FixtureRequest, chromium: Browser, site: Site) -> Iterator[Page]:
    """Somebody logged in, with one theme and one size of window: colours depend on the one, places on the other."""
    theme, size = request.param
    context = chromium.new_context(viewport=SIZES[size], color_scheme=theme, reduced_motion="reduce")
    errors = watch_errors(context)
    yield site.log_in(context)
    context.close()
    assert [error for error in errors if not any(wanted in error for wanted in WANTED_ERRORS)] == []


def faults_of(page: Page) -> list[str]:
    """What axe finds, and whether the page scrolls sideways."""
    found = [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in Axe().run(page).response["violations"]]
    if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
        found.append("it scrolls sideways")
    return found


def test_axe_finds_nothing_and_no_page_scrolls_sideways(visitor: Page, site: Site, places: dict[str, str]) -> None:
    faults = {}
    for name, address in places.items():
        visitor.goto(f"{site.address}{address}")
        visitor.wait_for_load_state("networkidle")
        if found := faults_of(visitor):
            faults[name] = found

    assert faults == {}


def test_the_page_for_logging_in_is_for_everyone_too(chromium: Browser, site: Site) -> None:
    with chromium.new_context(viewport=SIZES["phone"]) as context:
        page = context.new_page()
        page.goto(f"{site.address}/transfers/")

        assert faults_of(page) == []
        assert "/account/login/" in page.url


def test_an_open_menu_filters_and_evidence_are_for_everyone_too(page: Page, site: Site, places: dict[str, str]) -> None:
    page.goto(f"{site.address}{places['transfer, partial']}")
    for words in ("More filters", "Evidence"):
        page.locator("#instances summary").filter(has_text=words).first.click()
    page.locator("header details summary").last.click()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()

    assert faults_of(page) == []


def test_a_study_is_found_and_resent_by_keyboard_alone(page: Page, site: Site, places: dict[str, str]) -> None:
    page.goto(f"{site.address}/transfers/?verdict=partial")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent").strip() == "Skip to the content"
    page.keyboard.press("Enter")

    row = page.locator("tr a.row-title").first
    for _ in range(60):
        page.keyboard.press("Tab")
        if row.evaluate("element => element === document.activeElement"):
            break
    page.keyboard.press("Enter")

    expect(page.locator("#summary .chip")).to_contain_text("Partial")
    resend = page.get_by_role("button", name="Resend the 2")
    for _ in range(60):
        page.keyboard.press("Tab")
        if resend.evaluate("element => element === document.activeElement"):
            break
    assert resend.evaluate("element => getComputedStyle(element).outlineStyle") != "none"


def test_a_chosen_theme_stays_chosen(page: Page, site: Site) -> None:
    button = page.locator("[data-theme-button]")
    while page.evaluate("document.documentElement.dataset.theme") != "dark":
        button.click()
    page.goto(f"{site.address}/destinations/")

    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(15, 21, 27)"


def test_without_javascript_all_but_the_live_part_works(chromium: Browser, site: Site, places: dict[str, str]) -> None:
    with chromium.new_context(java_script_enabled=False, viewport=SIZES["desk"]) as context:
        page = site.log_in(context)
        page.goto(f"{site.address}/transfers/")
        page.locator("summary", has_text="More filters").click()
        page.get_by_label("Verdict", exact=True).select_option("partial")
        page.get_by_role("button", name="Filter").click()
        assert "verdict=partial" in page.url
        page.locator("tr a.row-title").first.click()
        page.locator("#failures a").first.click()

        assert page.locator("#instances tbody tr").count() == 2
        assert page.locator("#grid svg path").count() >= 2
