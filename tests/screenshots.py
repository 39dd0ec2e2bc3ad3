"""Takes the pictures of the README: `make screenshots`. Real peers, made-up studies, the product as shipped."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pydicom
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from tests.acceptance.browser.conftest import ARGUMENTS
from tests.acceptance.browser.site import Site
from tests.datasets import write_study
from tests.fakes.acts import Answer
from tests.fakes.archive import Archive
from tests.fakes.script import Script
from tests.peers.orthanc import DROP_ONE_IN_FIVE, Orthanc
from tests.peers.programs import program
from tests.peers.storescp import Storescp
from tests.source_entries import stored_at

FOLDER = Path(__file__).parents[1] / "docs" / "screenshots"
DESK = ViewportSize(width=1280, height=860)
SOURCE = "trial-orthanc"
PHONE = ViewportSize(width=390, height=844)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with ExitStack() as stack:
        site = stack.enter_context(_site())
        transfers = _send_studies(site, stack)
        browser = stack.enter_context(_browser())
        _take(
            browser,
            site,
            "light",
            DESK,
            {"transfers": "/transfers/", "transfer": f"/transfers/{transfers['partial']}/"},
        )
        _take(browser, site, "dark", DESK, {"sending": f"/transfers/{transfers['running']}/"})
        _take(browser, site, "light", DESK, {"new-transfer": "/new/", "methods": "/methods/"})
        _take_studies_of_a_source(browser, site)
        _take(browser, site, "dark", PHONE, {"phone": f"/transfers/{transfers['partial']}/"})


def _take(browser: Browser, site: Site, theme: str, size: ViewportSize, pages: dict[str, str]) -> None:
    context = browser.new_context(viewport=size, color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
    page = site.log_in(context)
    for name, address in pages.items():
        page.goto(f"{site.address}{address}")
        _wait_until_live(page)
        page.screenshot(path=FOLDER / f"{name}.png")
    context.close()


def _take_studies_of_a_source(browser: Browser, site: Site) -> None:
    context = browser.new_context(viewport=DESK, color_scheme="dark", reduced_motion="reduce")
    page = site.log_in(context)
    page.goto(f"{site.address}/new/?source={SOURCE}&destination=north-pacs")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("checkbox", name="MR Abdomen", exact=True).check()
    page.screenshot(path=FOLDER / "from-a-source.png")
    context.close()


def _wait_until_live(page: Page) -> None:
    page.wait_for_load_state("load")
    if page.locator("[data-live-socket]").count():
        page.wait_for_selector("[data-live-mark][data-state=live]")
        page.wait_for_timeout(1_500)


def _send_studies(site: Site, stack: ExitStack) -> dict[str, str]:
    """One transfer of each kind, the newest is the first of the list."""
    folder = site.import_root
    filtering = stack.enter_context(Orthanc(_new_folder(stack), ae_title="NORTHPACS", lua=DROP_ONE_IN_FIVE))
    silent = stack.enter_context(Storescp(_new_folder(stack) / "stored"))
    full = stack.enter_context(Archive(Script(on_store=Answer(0xA700)), ae_title="OLDPACS"))
    good = stack.enter_context(Archive(ae_title="RESEARCH"))
    slow = stack.enter_context(Archive(Script(on_store=Answer(delay_seconds=0.15)), ae_title="CLOUD"))
    peers: dict[str, Archive | Orthanc | Storescp] = {
        "north-pacs": filtering,
        "teleradiology": silent,
        "old-pacs": full,
        "research-orthanc": good,
        "cloud-archive": slow,
    }
    for name, peer in peers.items():
        site.shell.add_destination(name, peer.port, peer.ae_title)
    _fill_source(site, stack, filtering)
    sent = {
        "committed": _study(folder, Described("MR Knee left", "MR", "20260310"), 180, 3),
        "nothing": _study(folder, Described("CT Polytrauma", "CT", "20260311"), 240, 4),
        "more": _study(folder, Described("MG Screening", "MG", "20260312"), 4, 1),
        "unverifiable": _study(folder, Described("XR Chest 2 views", "DX", "20260314"), 2, 1),
        "partial": _study(folder, Described("MR Brain w/wo contrast", "MR", "20260314"), 412, 8),
        "draft": _study(folder, Described("CT Thorax low dose", "CT", "20260314"), 320, 2),
        "running": _study(folder, Described("PET/CT follow-up", "PT", "20260313"), 1_600, 2),
    }
    where = {
        "committed": "research-orthanc",
        "nothing": "old-pacs",
        "more": "research-orthanc",
        "unverifiable": "teleradiology",
        "partial": "north-pacs",
        "draft": "research-orthanc",
        "running": "cloud-archive",
    }
    transfers = {}
    for name, study in sent.items():
        transfers[name] = site.submit(study, where[name], start=name != "draft")
        if name not in {"running", "draft"}:
            site.wait_until(transfers[name], "finished")
    site.wait_until(transfers["draft"], "draft")
    time.sleep(8)
    return transfers


class Described(NamedTuple):
    description: str
    modality: str
    date: str


def _fill_source(site: Site, stack: ExitStack, known: Orthanc) -> None:
    """A source with studies to choose from, which knows one of the destinations."""
    source = stack.enter_context(Orthanc(_new_folder(stack), ae_title="TRIALS"))
    source.add_modality("north", known.as_modality)
    added = site.shell.run("source", "add", SOURCE, "--url", source.url)
    assert added.returncode == 0, added.stderr
    folder = _new_folder(stack)
    for described, instances, series in (
        (Described("MR Abdomen", "MR", "20260309"), 24, 3),
        (Described("MR Abdomen follow-up", "MR", "20260512"), 24, 3),
        (Described("CT Liver biphasic", "CT", "20260309"), 40, 2),
    ):
        stored_at(source, sorted(_study(folder, described, instances, series).iterdir()))


def _study(root: Path, described: Described, instances: int, series: int) -> Path:
    folder = root / described.description.replace("/", "-").replace(" ", "-")
    folder.mkdir()
    for path in write_study(folder, instances, series, size_bytes=32_768):
        data_set = pydicom.dcmread(path)
        data_set.StudyDescription, data_set.Modality, data_set.StudyDate = described
        data_set.save_as(path)
    return folder


def _new_folder(stack: ExitStack) -> Path:
    return Path(stack.enter_context(tempfile.TemporaryDirectory()))


@contextmanager
def _site() -> Iterator[Site]:
    with tempfile.TemporaryDirectory() as data_folder, tempfile.TemporaryDirectory() as import_root:
        site = Site(Path(data_folder) / "data", Path(import_root))
        site.create_people()
        site.start()
        try:
            yield site
        finally:
            site.stop()
            site.shell.end()


@contextmanager
def _browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        executable = program("chromium", package="chromium")
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


if __name__ == "__main__":
    main()
