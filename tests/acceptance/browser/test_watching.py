"""A study goes out, and a browser sees it: progress, the verdict, a lost connection, cancel and retry."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import APIResponse, BrowserContext, Page, Route, expect

from tests.acceptance.browser.site import Site
from tests.datasets import write_study
from tests.fakes.acts import Answer
from tests.fakes.archive import Archive
from tests.fakes.fixtures import MakeArchive
from tests.fakes.script import Script, every, from_number

SOON = 15_000
"""Milliseconds for what takes a worker and a browser a moment; a busy machine needs longer."""
SLOW = Answer(delay_seconds=0.08)


def add(site: Site, archive: Archive, name: str) -> str:
    site.shell.add_destination(name, archive.port, archive.ae_title, "--associations", "1")
    return name


def count_of(page: Page, step: str) -> int:
    return int((page.locator(f"#summary [data-count={step}]").text_content() or "0").replace(",", ""))


def wait_for_count(page: Page, step: str, at_least: int) -> None:
    page.wait_for_function(
        "([step, least]) => Number(document.querySelector(`#summary [data-count=${step}]`).textContent"
        ".replaceAll(',', '')) >= least",
        arg=[step, at_least],
        timeout=SOON,
    )


@pytest.fixture
def slow(archive: MakeArchive) -> Archive:
    return archive(Script(on_store=SLOW))


def test_progress_and_the_verdict_arrive_over_the_websocket(
    page: Page, site: Site, slow: Archive, study_folder: Path
) -> None:
    write_study(study_folder, 60)
    transfer = site.submit(study_folder, add(site, slow, "live"))

    page.goto(f"{site.address}/transfers/{transfer}/")
    expect(page.locator("[data-live-mark]").first).to_have_attribute("data-state", "live", timeout=SOON)
    loads = page.evaluate("performance.getEntriesByType('navigation').length")
    wait_for_count(page, "acknowledged", 5)
    seen = count_of(page, "acknowledged")
    wait_for_count(page, "acknowledged", seen + 10)

    expect(page.locator("#summary .chip")).to_contain_text("Committed", timeout=SOON)
    expect(page.locator("#summary .chip")).to_contain_text("present")
    assert count_of(page, "present") == 60
    assert page.locator("#grid [data-outcome=confirmed]").count() == 1
    assert page.evaluate("performance.getEntriesByType('navigation').length") == loads


def test_the_list_shows_a_transfer_that_another_process_makes(
    page: Page, site: Site, slow: Archive, study_folder: Path
) -> None:
    write_study(study_folder, 30)
    name = add(site, slow, "elsewhere")
    page.goto(f"{site.address}/transfers/")
    expect(page.locator("[data-live-mark]").first).to_have_attribute("data-state", "live", timeout=SOON)

    process = site.shell.start("send", study_folder, "--to", name)

    expect(page.locator("[data-live-news]")).to_be_visible(timeout=SOON)
    page.reload()
    expect(page.locator("tr", has_text="elsewhere").first).to_contain_text("Committed", timeout=SOON)
    assert process.wait(timeout=30) == 0


@pytest.mark.parametrize("fragment", ["list", "summary"])
def test_a_verdict_that_comes_while_older_words_are_fetched_is_shown(
    page: Page, site: Site, slow: Archive, study_folder: Path, fragment: str
) -> None:
    """As on a line so slow that the fragment of a transfer that is sending comes after the verdict."""
    write_study(study_folder, 30)
    name = add(site, slow, f"late-{fragment}")
    transfer = site.submit(study_folder, name)
    page.goto(f"{site.address}/transfers/" + (f"{transfer}/" if fragment == "summary" else ""))
    expect(page.locator("[data-live-mark]").first).to_have_attribute("data-state", "live", timeout=SOON)
    late: list[tuple[Route, APIResponse]] = []

    address = f"/transfers/{transfer}/part/summary/" if fragment == "summary" else "/transfers/"
    page.route(f"**{address}", lambda route: late.append((route, route.fetch())), times=1)
    page.evaluate(f"document.body.dispatchEvent(new CustomEvent('live:{fragment}'))")
    told = f"{site.address}/api/v1/transfers/{transfer}/"
    while page.request.get(told).json()["state"] != "finished":
        page.wait_for_timeout(100)
    page.wait_for_timeout(1_500)  # by now it was told
    ((route, response),) = late
    route.fulfill(response=response)

    shown = page.locator("tr", has_text=name) if fragment == "list" else page.locator("#summary")
    expect(shown.locator(".chip").first).to_contain_text("Committed", timeout=SOON)


def test_a_lost_connection_is_shown_and_heals(page: Page, site: Site, slow: Archive, study_folder: Path) -> None:
    write_study(study_folder, 120)
    transfer = site.submit(study_folder, add(site, slow, "cut"))
    page.goto(f"{site.address}/transfers/{transfer}/")
    wait_for_count(page, "acknowledged", 3)
    mark = page.locator("[data-live-mark]").first

    page.context.set_offline(True)
    page.evaluate("window.dispatchEvent(new Event('offline'))")
    expect(mark).not_to_have_attribute("data-state", "live", timeout=SOON)
    lost_at = count_of(page, "acknowledged")
    page.context.set_offline(False)
    page.evaluate("window.dispatchEvent(new Event('online'))")

    expect(mark).to_have_attribute("data-state", "live", timeout=SOON)
    wait_for_count(page, "acknowledged", lost_at + 5)
    expect(page.locator("#summary .chip")).to_contain_text("Committed", timeout=30_000)


def test_a_transfer_is_cancelled_while_it_sends_and_judged_by_what_is_there(
    page: Page, site: Site, slow: Archive, study_folder: Path
) -> None:
    write_study(study_folder, 200)
    transfer = site.submit(study_folder, add(site, slow, "cancelled"))
    page.goto(f"{site.address}/transfers/{transfer}/")
    wait_for_count(page, "acknowledged", 5)

    page.get_by_role("button", name="Cancel").click()

    expect(page.get_by_text("Cancel was asked for").first).to_be_visible()
    expect(page.locator("#summary .chip")).to_contain_text("Partial", timeout=SOON)
    expect(page.locator("#summary .chip")).to_contain_text("cancelled")
    assert count_of(page, "present") == len(slow.stored) < 200
    expect(page.get_by_role("button", name="Resend the")).to_be_visible()


def test_what_is_missing_is_filtered_and_resent(
    page: Page, site: Site, archive: MakeArchive, study_folder: Path
) -> None:
    refuses = archive(Script(on_store=every(5, Answer(0xA700))))
    write_study(study_folder, 10)
    transfer = site.submit(study_folder, add(site, refuses, "refuses"))
    page.goto(f"{site.address}/transfers/{transfer}/")
    expect(page.locator("#summary .chip")).to_contain_text("Partial", timeout=SOON)

    page.locator("#failures").get_by_role("link", name="show 2").click()
    expect(page.locator("#instances tbody tr")).to_have_count(2)
    expect(page.locator("#instances")).to_contain_text("0xA700")

    refuses.script.on_store = None
    page.get_by_role("button", name="Resend the 2 missing (").click()

    expect(page.locator("#summary .chip")).to_contain_text("Committed", timeout=SOON)
    expect(page.locator("#attempts .lane")).to_have_count(2, timeout=SOON)
    assert len(refuses.stored) == 10


def test_whoever_may_only_look_sees_no_action(
    site: Site, archive: MakeArchive, study_folder: Path, context: BrowserContext
) -> None:
    refuses = archive(Script(on_store=from_number(1, Answer(0xA700))))
    write_study(study_folder, 2)
    transfer = site.submit(study_folder, add(site, refuses, "looked-at"))
    site.wait_until(transfer, "finished")
    viewer = site.log_in(context, "viewer")

    viewer.goto(f"{site.address}/transfers/{transfer}/")

    expect(viewer.locator("#summary .chip")).to_contain_text("Nothing stored")
    assert viewer.get_by_role("button", name="Resend").count() == 0
    assert viewer.get_by_role("link", name="New transfer").count() == 0
