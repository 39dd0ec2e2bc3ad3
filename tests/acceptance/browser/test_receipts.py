"""A receipt from the page of its transfer to the page that checks it, in the browser and on paper."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.browser.site import Site
from tests.acceptance.browser.test_everyone import faults_of
from tests.datasets import write_study
from tests.fakes.fixtures import MakeArchive


@pytest.fixture
def transfer(site: Site, archive: MakeArchive, study_folder: Path, request: pytest.FixtureRequest) -> str:
    peer = archive()
    write_study(study_folder, 5)
    name = f"receipts-{peer.port}"
    site.shell.add_destination(name, peer.port, peer.ae_title)
    transfer = site.submit(study_folder, name)
    site.wait_until(transfer, "finished")
    return transfer


@pytest.mark.parametrize("form", ["JSON", "CSV"])
def test_a_receipt_is_downloaded_and_checked(page: Page, site: Site, transfer: str, tmp_path: Path, form: str) -> None:
    page.goto(f"{site.address}/transfers/{transfer}/")
    with page.expect_download() as started:
        page.locator("#receipt").get_by_role("link", name=form).click()
    started.value.save_as(tmp_path / started.value.suggested_filename)
    page.locator("header details summary").last.click()
    page.get_by_role("link", name="Check a receipt").click()

    page.locator("input[type=file]").set_input_files(tmp_path / started.value.suggested_filename)
    page.get_by_role("button", name="Check", exact=True).click()

    expect(page.get_by_role("status").filter(has_text="This receipt is valid")).to_be_visible()
    expect(page.locator("dd", has_text="committed").first).to_be_visible()
    assert faults_of(page) == []


def test_the_page_to_print_leaves_out_what_paper_cannot_do(page: Page, site: Site, transfer: str) -> None:
    page.goto(f"{site.address}/transfers/{transfer}/receipt/")
    page.emulate_media(media="print")

    expect(page.get_by_role("heading", name="Receipt", exact=True)).to_be_visible()
    expect(page.get_by_text("Digests and key")).to_be_visible()
    expect(page.get_by_role("link", name="JSON")).to_be_hidden()
    expect(page.get_by_role("navigation")).to_be_hidden()
