"""What was proved, as it is watched in a browser: commitment, contradictions, and asking again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.browser.proofs import INSTANCES, SOON, Proofs, proofs
from tests.acceptance.browser.site import Site


@pytest.fixture(scope="module")
def proven(site: Site) -> Iterator[Proofs]:
    with proofs(site, prefix="proof_") as proven:
        yield proven


def test_a_report_is_shown_as_it_comes(page: Page, site: Site, proven: Proofs) -> None:
    page.goto(f"{site.address}/transfers/{proven.waiting}/")
    expect(page.locator("#summary .chip").first).to_contain_text("Awaiting commitment", timeout=SOON)
    expect(page.locator("#commitment")).to_contain_text(f"The report about {INSTANCES}")
    expect(page.locator("[data-live-mark]")).to_have_attribute("data-state", "live", timeout=SOON)

    proven.report()

    expect(page.locator("[data-count=committed]")).to_have_text(str(INSTANCES), timeout=SOON)
    expect(page.locator("#summary .chip").first).to_contain_text("Committed", timeout=SOON)
    expect(page.locator("#commitment")).to_contain_text(f"Answered: {INSTANCES} committed.", timeout=SOON)
    expect(page.locator("#commitment").get_by_role("button", name="Ask again")).to_have_count(0)


def test_a_contradiction_leads_to_its_instances(page: Page, site: Site, proven: Proofs) -> None:
    page.goto(f"{site.address}/transfers/{proven.doubtful}/")
    banner = page.get_by_role("alert").filter(has_text="Proofs contradict each other")

    banner.get_by_role("link", name="Storage commitment denies").click()

    expect(page.locator("#instances tbody tr")).to_have_count(2)
    expect(page.locator("#instances")).to_contain_text("Only: Storage commitment denies instances")


def test_failures_say_which_elements_differ(page: Page, site: Site, proven: Proofs) -> None:
    page.goto(f"{site.address}/transfers/{proven.doubtful}/")

    other = page.locator(".failure").filter(has_text="Other content at the destination")

    expect(other).to_contain_text("(7FE0,0010) Pixel Data (in 2)")


def test_it_is_asked_again_without_javascript(chromium: Browser, site: Site, proven: Proofs) -> None:
    with chromium.new_context(java_script_enabled=False, viewport={"width": 390, "height": 844}) as context:
        page = site.log_in(context)
        page.goto(f"{site.address}/transfers/{proven.doubtful}/")
        form = page.locator("#again form")
        form.get_by_label("Content").check()
        form.get_by_label("Compare only a sample").fill("50")
        form.get_by_role("button", name="Ask").click()

        expect(page.locator(".notice").first).to_contain_text("The destination will be asked again; nothing is sent.")
        site.wait_until(proven.doubtful, "finished")
        page.reload()
        expect(page.locator("#verdicts li")).to_have_count(2)
        expect(page.locator("#settings")).to_contain_text("content:50%")
