"""A database that takes no more: a clear error, and the same command goes on once there is room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from tests.commands import Outcome, destination_for, run, send
from tests.datasets import write_study
from tests.fakes.acts import Answer
from tests.fakes.fixtures import MakeArchive
from tests.fakes.script import Script
from tests.settings import TEST_DATABASE
from transfers.management.commands.destination import Command
from transfers.models import Transfer

INSTANCES = 300

pytestmark = pytest.mark.skipif(TEST_DATABASE != "sqlite", reason="only SQLite can be given a largest size")


def pages(pragma: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA {pragma}")
        return int(cursor.fetchone()[0])


@pytest.fixture
def full_disk(transactional_db: None) -> Iterator[None]:
    """Room for the manifest, and for a part of the evidence."""
    before = pages("max_page_count")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM")  # pages that earlier tests left free would be room too
    pages(f"max_page_count = {pages('page_count') + 60}")
    yield
    pages(f"max_page_count = {before}")


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_ends_the_send_with_what_to_do_and_the_same_send_goes_on(
    archive: MakeArchive, tmp_path: Path
) -> None:
    write_study(tmp_path, INSTANCES)
    peer = archive(Script(on_store=Answer(delay_seconds=0.01)))
    destination = destination_for(peer)

    full = send(destination, tmp_path)
    pages(f"max_page_count = {2**30}")
    answered_before = len(peer.log.answers)
    continued = send(destination, tmp_path)

    assert full.exit_code == 1
    assert "Check that it is running, and that its disk is not full" in full.output
    assert (continued.exit_code, continued.transfer["verdict"]) == (0, "committed")
    assert Transfer.objects.count() == 1
    assert answered_before < INSTANCES
    assert len(peer.stored) == INSTANCES


def test_a_second_interrupt_is_no_traceback(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Command, "run", interrupted)

    outcome = run("destination", "list")

    assert outcome == Outcome(
        130, "Broken off at once. What was saved is kept, and the same command goes on from there."
    )
