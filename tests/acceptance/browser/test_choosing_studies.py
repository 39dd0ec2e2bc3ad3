"""Studies of a source Orthanc are searched, chosen and sent from a browser, by keyboard too."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.browser.site import Site
from tests.acceptance.browser.test_everyone import faults_of
from tests.datasets import unique_uid, write_study
from tests.peers.orthanc import Orthanc
from tests.source_entries import stored_at

SOON = 20_000
"""Milliseconds for what takes a worker and a browser a moment; a busy machine needs longer."""
SOURCE, ARCHIVE, WEB = "choosing-source", "choosing-archive", "choosing-web"


@pytest.fixture(scope="module")
def peers(site: Site, source_orthanc: Orthanc, web_orthanc: Orthanc) -> None:
    """A source, and the two sides of an archive that it knows."""
    site.shell.add_destination(ARCHIVE, web_orthanc.port, web_orthanc.ae_title)
    for what in (
        ("source", "add", SOURCE, "--url", source_orthanc.url),
        ("destination", "add", WEB, "--kind", "dicomweb", "--url", web_orthanc.dicom_web_url),
    ):
        added = site.shell.run(*what)
        assert added.returncode == 0, added.stderr


@pytest.fixture
def patient(source_orthanc: Orthanc, tmp_path: Path) -> str:
    """The id of one of whom the source holds two studies."""
    patient = f"BROWSER-{unique_uid()[-12:]}"
    for number in ("1", "2"):
        folder = tmp_path / number
        folder.mkdir()
        stored_at(source_orthanc, write_study(folder, 2, size_bytes=200, patient_id=patient))
    return patient


@pytest.fixture
def form(page: Page, site: Site, peers: None) -> Page:
    """The page of a new transfer, with the source chosen."""
    page.goto(f"{site.address}/new/")
    page.locator(f"#source-{SOURCE}").check(force=True)
    return page


def test_studies_are_searched_chosen_and_sent_by_a_job_of_the_source(form: Page, patient: str) -> None:
    addresses: list[str] = []
    form.on("request", lambda request: addresses.append(request.url))
    form.get_by_label("Patient ID").fill(patient)
    form.get_by_label("Patient ID").press("Enter")
    expect(form.locator("#found [type=checkbox]")).to_have_count(2, timeout=SOON)
    for tick in form.locator("#found [type=checkbox]").all():
        tick.focus()
        tick.press("Space")

    form.locator(f"#destination-{ARCHIVE}").check(force=True)
    job = form.locator("#method-orthanc-modality-store")
    expect(form.locator("#methods legend")).to_contain_text(f"from {SOURCE} to {ARCHIVE}", timeout=SOON)
    expect(form.locator("#method-orthanc-modality-store-help")).to_contain_text("The source knows it as WEB")
    job.check(force=True)
    form.locator("[data-upload-submit]").click()

    expect(form.get_by_role("heading", name="Before sending")).to_be_visible(timeout=SOON)
    expect(form.locator("#batch")).to_contain_text(f"2 studies of {SOURCE}")
    form.get_by_role("button", name="Send 4 instances").click()
    expect(form.locator("tr .chip__word")).to_have_text(["Committed"] * 2, timeout=2 * SOON)
    assert not any(patient in address for address in addresses)


def test_what_fits_follows_what_is_chosen(form: Page) -> None:
    form.locator(f"#destination-{WEB}").check(force=True)
    expect(form.locator("#method-orthanc-stow-help")).to_contain_text("streamed (ChunkedTransfers)", timeout=SOON)
    expect(form.locator("#methods")).to_contain_text("Recommended: STOW-RS")

    form.locator("#source-none").check(force=True)
    expect(form.locator("#method-orthanc-stow")).to_have_count(0, timeout=SOON)
    expect(form.get_by_label("Patient ID")).to_be_hidden()
    expect(form.get_by_text("Drop files, folders or ZIP files here")).to_be_visible()


def test_studies_that_were_found_are_for_everyone_and_go_with_their_source(form: Page, patient: str) -> None:
    form.get_by_label("Patient ID").fill(patient)
    form.get_by_role("button", name="Search").click()
    expect(form.locator("#found [type=checkbox]")).to_have_count(2, timeout=SOON)
    form.locator(f"#destination-{ARCHIVE}").check(force=True)
    expect(form.locator("#methods legend")).to_contain_text(ARCHIVE, timeout=SOON)

    for scheme, width in (("light", 1280), ("dark", 390)):
        form.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        form.set_viewport_size({"width": width, "height": 844})
        assert faults_of(form) == []

    form.locator("#source-none").check(force=True)
    expect(form.locator("#found [type=checkbox]")).to_have_count(0, timeout=SOON)
