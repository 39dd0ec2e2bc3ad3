"""Files go up from a browser: a ZIP file as it is, several files packed on the way, and what goes wrong meanwhile."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.acceptance.browser.site import Site
from tests.datasets import write_study
from tests.fakes.fixtures import MakeArchive

SOON = 20_000
"""Milliseconds for what takes a worker and a browser a moment; a busy machine needs longer."""
SLOW = 3_000_000
"""Bytes a second of a connection on which something can be done while an upload runs."""
MIB = 1024 * 1024

Fill = Callable[..., None]


@pytest.fixture
def destination(site: Site, archive: MakeArchive, request: pytest.FixtureRequest) -> str:
    """Of this test's own."""
    name = re.sub(r"\W+", "-", request.node.name)[:64].strip("-")
    started = archive()
    site.shell.add_destination(name, started.port, started.ae_title)
    return name


@pytest.fixture
def fill(page: Page, site: Site, destination: str) -> Fill:
    """Open the page of a new transfer, and choose files and the destination."""

    def fill(*files: Path, field: str = "Choose files") -> None:
        page.goto(f"{site.address}/new/")
        page.get_by_label(field).set_input_files(list(files))
        page.locator(f"#destination-{destination}").check(force=True)

    return fill


def check(page: Page) -> None:
    page.locator("[data-upload-submit]").click()


class Line:
    """The connection of a page, which can be made slow, and cut."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)

    def slow(self) -> None:
        self._set(SLOW)

    def cut(self) -> None:
        self._set(SLOW, offline=True)

    def heal(self) -> None:
        self._set(-1)

    def _set(self, bytes_a_second: int, *, offline: bool = False) -> None:
        conditions = {"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes_a_second}
        self._session.send("Network.emulateNetworkConditions", conditions)


@pytest.fixture
def line(page: Page) -> Line:
    return Line(page)


@contextmanager
def killed(site: Site) -> Iterator[None]:
    """Without a server; it is back afterwards, whatever happens."""
    site.kill()
    try:
        yield
    finally:
        site.start()


def wait_until_sent(page: Page, at_least: int) -> None:
    page.wait_for_function(
        "least => document.querySelector('[data-upload-progress]').value >= least", arg=at_least, timeout=SOON
    )


def said(page: Page) -> Locator:
    """What the page says of the upload."""
    return page.locator("[data-upload-said]")


def expect_draft(page: Page) -> None:
    expect(page.get_by_role("heading", name="Before sending")).to_be_visible(timeout=SOON)


def received(site: Site, name: str) -> list[Path]:
    """The files on the server of the uploads that are called so."""
    found = site.uploads()
    folder = site.data_folder / "uploads"
    return [next(folder.glob(f"*/{each['id']}")) for each in found if each["name"] == name]


def drop(page: Page, *paths: Path) -> None:
    """As from a file manager."""
    place = page.locator("[data-drop-zone]").bounding_box()
    assert place
    held = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        at = {"x": place["x"] + 40, "y": place["y"] + 40}
        session.send("Input.dispatchDragEvent", {"type": kind, **at, "data": held})


def large_file(folder: Path, name: str, size_bytes: int) -> Path:
    """Random bytes, with a study of one instance beside it."""
    file = folder / name
    file.write_bytes(Random(name).randbytes(size_bytes))
    return file


def test_a_zip_file_goes_up_as_it_is_and_its_study_is_sent_once_it_is_started(
    page: Page, site: Site, tmp_path: Path, fill: Fill
) -> None:
    files = write_study(tmp_path, 5)
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as packed:
        for file in files:
            packed.write(file, file.name)
    fill(tmp_path / "study.zip")
    expect(page.locator("[data-upload]")).to_contain_text("study.zip")

    check(page)

    expect_draft(page)
    assert any(file.read_bytes() == (tmp_path / "study.zip").read_bytes() for file in received(site, "study.zip"))
    page.get_by_role("button", name="Send 5 instances").click()
    expect(page.locator("tr .chip")).to_contain_text("Committed", timeout=SOON)


def test_several_files_are_packed_so_that_any_reader_of_zip_files_finds_them(
    page: Page, site: Site, tmp_path: Path, fill: Fill
) -> None:
    files = write_study(tmp_path, 3)
    contents = {
        "Schädel Übersicht.dcm": b"",
        "日本.bin": Random(1).randbytes(70_000),
        "10MB.bin": Random(2).randbytes(10 * MIB),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    fill(*files, *(tmp_path / name for name in contents))

    check(page)

    expect_draft(page)
    with zipfile.ZipFile(received(site, "6 files.zip")[0]) as packed:
        assert packed.testzip() is None
        assert packed.namelist() == [file.name for file in [*files, *(tmp_path / name for name in contents)]]
        assert {name: packed.read(name) for name in contents} == contents
        assert packed.read(files[0].name) == files[0].read_bytes()


@pytest.mark.parametrize(
    ("sizes", "archives"),
    [
        pytest.param("Array(130_000).fill(10)", [60_000, 60_000, 10_000], id="many"),
        pytest.param("[9e8, 9e8, 9e8, 1, 1.9e9]", [2, 2, 1], id="large"),
        pytest.param("[]", [], id="none"),
    ],
)
def test_no_zip_file_becomes_too_large_for_its_format(page: Page, sizes: str, archives: list[int]) -> None:
    dealt = page.evaluate(
        f"""async () => {{
            const {{ deal }} = await import("/static/js/zip.js");
            const files = {sizes}.map((size, index) => ({{ name: `${{index}}`, file: {{ size }} }}));
            return deal(files).map((members) => members.length);
        }}"""
    )

    assert dealt == archives


def test_two_files_of_one_name_are_both_kept(page: Page, site: Site, tmp_path: Path, fill: Fill) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "IM1").write_text(name)
    files = write_study(tmp_path, 1)
    fill(tmp_path / "one" / "IM1", tmp_path / "two" / "IM1", *files)

    check(page)

    expect_draft(page)
    with zipfile.ZipFile(received(site, "3 files.zip")[0]) as packed:
        assert (packed.read("IM1"), packed.read("2/IM1")) == (b"one", b"two")


def test_a_folder_keeps_the_paths_of_its_files(page: Page, site: Site, tmp_path: Path, fill: Fill) -> None:
    folder = tmp_path / "CT"
    for name in ("one", "two"):
        (folder / name).mkdir(parents=True)
        write_study(folder / name, 2)
    fill(folder, field="Choose a folder")
    expect(page.locator("[data-upload]")).to_contain_text("CT: 4 files")

    check(page)

    expect_draft(page)
    expect(page.get_by_role("heading", name="2 studies")).to_be_visible()
    with zipfile.ZipFile(received(site, "4 files.zip")[0]) as packed:
        assert sorted(packed.namelist()) == sorted(f"CT/{file.relative_to(folder)}" for file in folder.rglob("*.dcm"))


def test_a_connection_that_is_cut_is_shown_and_the_upload_goes_on_where_it_was(
    page: Page, site: Site, tmp_path: Path, fill: Fill, line: Line
) -> None:
    sent = large_file(tmp_path, "cut.bin", 24 * MIB)
    offsets: list[str] = []
    page.on("request", lambda request: offsets.append(request.headers.get("upload-offset", "")))
    fill(sent)
    line.slow()
    check(page)
    wait_until_sent(page, 10 * MIB)

    line.cut()
    expect(said(page)).to_contain_text("The connection is lost", timeout=SOON)
    line.heal()

    page.wait_for_url("**/batches/**", timeout=SOON)
    assert offsets.count("0") == 1
    assert str(8 * MIB) in offsets


def test_a_server_that_dies_and_comes_back_gets_the_rest(
    page: Page, site: Site, tmp_path: Path, fill: Fill, line: Line
) -> None:
    files = [*write_study(tmp_path, 2), large_file(tmp_path, "noise.bin", 24 * MIB)]
    fill(*files)
    line.slow()
    check(page)
    wait_until_sent(page, 10 * MIB)

    with killed(site):
        expect(said(page)).to_contain_text("The connection is lost", timeout=SOON)
    line.heal()

    expect_draft(page)
    with zipfile.ZipFile(received(site, "3 files.zip")[0]) as packed:
        assert packed.testzip() is None
        assert packed.read("noise.bin") == (tmp_path / "noise.bin").read_bytes()


def test_a_cancelled_upload_leaves_nothing_behind_and_may_be_begun_again(
    page: Page, site: Site, tmp_path: Path, fill: Fill, line: Line
) -> None:
    fill(large_file(tmp_path, "cancelled.bin", 24 * MIB))
    line.slow()
    check(page)
    wait_until_sent(page, 2 * MIB)

    with page.expect_response(lambda answer: answer.request.method == "DELETE"):
        page.get_by_role("button", name="Cancel the upload").click()

    expect(said(page)).to_have_text(re.compile("The upload was cancelled. Nothing of it is kept."))
    assert received(site, "cancelled.bin") == []
    expect(page.get_by_role("button", name="Remove cancelled.bin")).to_be_visible()
    expect(page.locator("[data-upload-submit]")).to_be_enabled()


def test_more_than_the_quota_is_refused_in_plain_words(
    chromium: Browser, site: Site, tmp_path: Path, destination: str
) -> None:
    (tmp_path / "huge.bin").touch()
    with (tmp_path / "huge.bin").open("r+b") as file:
        file.truncate(21_000_000_000)
    context = chromium.new_context()  # one that may log errors: the browser logs every refusal
    page = site.log_in(context)
    page.goto(f"{site.address}/new/")
    page.get_by_label("Choose files").set_input_files(tmp_path / "huge.bin")
    page.locator(f"#destination-{destination}").check(force=True)

    check(page)

    expect(said(page)).to_contain_text("There is no room left for this file")
    assert received(site, "huge.bin") == []
    context.close()


def test_a_file_that_changed_since_it_was_chosen_is_not_sent(
    page: Page, site: Site, tmp_path: Path, fill: Fill
) -> None:
    files = write_study(tmp_path, 17)
    fill(*files)
    files[1].write_bytes(b"something else")

    check(page)

    expect(said(page)).to_contain_text("changed since it was chosen")
    assert received(site, "17 files.zip") == []


def test_what_was_chosen_can_be_taken_back(page: Page, tmp_path: Path, fill: Fill) -> None:
    files = write_study(tmp_path, 2)
    fill(files[0])
    page.get_by_label("Choose files").set_input_files(files[1])

    page.get_by_role("button", name=f"Remove {files[0].name}").click()

    expect(page.locator("[data-upload]")).to_have_count(1)
    expect(page.locator("[data-upload]")).to_contain_text(files[1].name)


def test_files_and_a_folder_on_the_server_at_once_are_too_much(
    page: Page, site: Site, tmp_path: Path, fill: Fill
) -> None:
    fill(write_study(tmp_path, 1)[0])
    page.get_by_text("Or a folder on the server").click()
    page.get_by_role("button", name=str(site.import_root)).click()
    expect(page.get_by_label("Folder or file on the server")).to_have_value(str(site.import_root))

    check(page)

    expect(said(page)).to_contain_text("one of the two")


def test_a_folder_that_is_dropped_goes_up_with_what_is_in_it(
    page: Page, site: Site, tmp_path: Path, destination: str
) -> None:
    (tmp_path / "CT" / "inner").mkdir(parents=True)
    files = [*write_study(tmp_path / "CT", 2), *write_study(tmp_path / "CT" / "inner", 1)]
    page.goto(f"{site.address}/new/")
    page.locator(f"#destination-{destination}").check(force=True)

    drop(page, tmp_path / "CT")
    expect(page.locator("[data-upload]")).to_contain_text("CT: 3 files")
    check(page)

    expect_draft(page)
    with zipfile.ZipFile(received(site, "3 files.zip")[0]) as packed:
        assert sorted(packed.namelist()) == sorted(str(file.relative_to(tmp_path)) for file in files)


def test_files_without_an_instance_end_with_what_was_left_out(page: Page, tmp_path: Path, fill: Fill) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("no study")
    fill(tmp_path / "a.txt", tmp_path / "b.txt")

    check(page)

    expect(page.get_by_role("heading", name="Nothing could be sent")).to_be_visible(timeout=SOON)
    expect(page.get_by_text("It holds no readable DICOM instance")).to_be_visible()
    expect(page.get_by_text("Not DICOM: 2 files, nothing is lost")).to_be_visible()


def test_without_javascript_the_form_takes_the_files_and_the_page_fetches_itself(
    chromium: Browser, site: Site, tmp_path: Path, destination: str
) -> None:
    files = write_study(tmp_path, 4)
    context = chromium.new_context(java_script_enabled=False)
    page = site.log_in(context)
    page.goto(f"{site.address}/new/")
    page.get_by_label("Choose files").set_input_files(files)
    page.locator(f"#destination-{destination}").check(force=True)

    check(page)

    expect_draft(page)
    page.get_by_role("button", name="Send 4 instances").click()
    expect(page.get_by_role("heading", name="Started")).to_be_visible()
    for _ in range(100):
        if page.locator("tr .chip", has_text="Committed").count():
            break
        page.wait_for_timeout(200)
        page.reload()
    expect(page.locator("tr .chip")).to_contain_text("Committed")
    context.close()


def test_who_was_logged_out_meanwhile_is_told(chromium: Browser, site: Site, tmp_path: Path, destination: str) -> None:
    context = chromium.new_context()  # one that may log errors: the browser logs every refusal
    page = site.log_in(context)
    page.goto(f"{site.address}/new/")
    page.get_by_label("Choose files").set_input_files(large_file(tmp_path, "logged-out.bin", 24 * MIB))
    page.locator(f"#destination-{destination}").check(force=True)
    Line(page).slow()
    check(page)
    wait_until_sent(page, 2 * MIB)

    context.clear_cookies(name="sessionid")

    expect(said(page)).to_contain_text("You are logged out.", timeout=SOON)
    context.close()
