"""The dashboard in the system's Chromium, against the product as shipped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from tests.acceptance.browser.site import Site
from tests.peers.programs import program

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Ended with each module: while it is there an event loop runs in this thread, and no other test may have one."""
    executable = program("chromium", package="chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=[*ARGUMENTS, "--disable-component-update", "--disable-sync"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One for all tests of a worker: each sends a study of its own to a destination of its own."""
    site = Site(tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("import"))
    site.create_people()
    site.start()
    yield site
    site.stop()
    site.shell.end()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """A desktop browser that has never been here; the test fails if a page logged an error."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    errors = watch_errors(context)
    yield context
    context.close()
    assert errors == []


@pytest.fixture
def page(site: Site, context: BrowserContext) -> Page:
    """Of an operator who has just logged in."""
    return site.log_in(context)


def watch_errors(context: BrowserContext) -> list[str]:
    """Every error that a page logs or throws from now on.

    A broken connection is none, since some tests cut it, nor a question that htmx gave up for a newer one.
    """
    errors: list[str] = []

    def note(page: Page) -> None:
        page.on("pageerror", lambda error: errors.append(f"{page.url}: {error}"))
        page.on("console", lambda said: errors.extend(_errors_in(page, said)))

    context.on("page", note)
    return errors


_NO_ERRORS = ("ERR_", "WebSocket connection", "htmx:sendError", "htmx:sendAbort", "htmx:afterRequest")


def _errors_in(page: Page, said: ConsoleMessage) -> Iterator[str]:
    if said.type == "error" and not any(word in said.text for word in _NO_ERRORS):
        yield f"{page.url}: {said.text}"


@pytest.fixture
def study_folder(site: Site, request: pytest.FixtureRequest) -> Path:
    """A folder of this test's own under the import root."""
    folder: Path = site.import_root / request.node.name.replace("[", "-").strip("]")
    folder.mkdir()
    return folder
