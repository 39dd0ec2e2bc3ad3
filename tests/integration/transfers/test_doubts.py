"""Ways to a false "committed" that were found by looking for them; each must end in doubt, or be sent again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError

from tests.commands import destination_for, run, send
from tests.datasets import unique_uid, write_instance, write_study
from tests.fakes.acts import Answer, Close
from tests.fakes.fixtures import MakeArchive
from tests.fakes.getting import STUDY_ROOT_GET
from tests.fakes.script import Script
from transfers import queue
from transfers.methods.c_store import CStore
from transfers.models import Destination, Transfer
from transfers.states import State

pytestmark = pytest.mark.django_db

UNREAD = [STUDY_ROOT_GET]
"""Nothing can be read back there: that would settle it all."""


@pytest.fixture
def old_and_new(tmp_path: Path) -> tuple[Path, Path]:
    """Two files of one instance with other pixels, each in a folder of its own."""
    uids: dict[str, Any] = {
        name: unique_uid() for name in ("study_instance_uid", "series_instance_uid", "sop_instance_uid")
    }
    folders = tmp_path / "old", tmp_path / "new"
    for noise, folder in enumerate(folders):
        folder.mkdir()
        write_instance(folder, **uids, noise=noise)
    return folders


def only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def test_a_destination_pointed_to_another_archive_inherits_no_proof(
    archive: MakeArchive, old_and_new: tuple[Path, Path]
) -> None:
    old, new = old_and_new
    first, second = archive(Script(without_sop_classes=UNREAD)), archive(Script(without_sop_classes=UNREAD))
    second.hold(only_file(old))
    destination = destination_for(first)
    proved = send(destination, new)
    Destination.objects.update(port=second.port)
    destination.refresh_from_db()

    again = send(destination, new)
    asked = run("verify", proved.transfer["id"], "--json")

    assert (proved.exit_code, again.exit_code) == (0, 5)
    assert (asked.exit_code, "pointed to another archive" in asked.output) == (2, True)


@pytest.mark.parametrize("answer", [Answer(0x0111, stores=False), Close()], ids=["duplicate", "no-answer"])
def test_what_was_not_acknowledged_is_not_confirmed_by_an_older_instance(
    archive: MakeArchive, old_and_new: tuple[Path, Path], answer: Answer | Close
) -> None:
    old, new = old_and_new
    peer = archive(Script(without_sop_classes=UNREAD, on_store=answer))
    peer.hold(only_file(old))
    sent = send(destination_for(peer), new, "--verify", "none")

    asked = run("verify", sent.transfer["id"], "--json")

    assert (sent.exit_code, asked.exit_code) == (5, 5)


def test_what_was_never_sent_is_not_confirmed_by_asking(archive: MakeArchive, old_and_new: tuple[Path, Path]) -> None:
    old, new = old_and_new
    peer = archive(Script(without_sop_classes=UNREAD))
    peer.hold(only_file(old))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CStore, "preflight", lambda *_: 1 / 0)
        failed = send(destination_for(peer), new, "--verify", "none")

    asked = run("verify", failed.transfer["id"], "--json")

    assert (failed.exit_code, asked.exit_code) == (1, 5)
    assert peer.log.requests == []


def test_a_study_overwritten_by_a_later_transfer_is_committed_no_more(
    archive: MakeArchive, old_and_new: tuple[Path, Path]
) -> None:
    old, new = old_and_new
    destination = destination_for(archive(Script(without_sop_classes=UNREAD, overwrites=True)))
    first = send(destination, old)
    send(destination, new)

    asked = run("verify", first.transfer["id"], "--json")

    assert (first.exit_code, asked.exit_code) == (0, 5)


def test_a_late_list_does_not_make_new_what_was_sent_before(
    archive: MakeArchive, old_and_new: tuple[Path, Path]
) -> None:
    old, new = old_and_new
    destination = destination_for(
        archive(Script(without_sop_classes=UNREAD, late_seconds=0.5)), presence_settle_seconds=2
    )
    send(destination, old, "--verify", "none")

    outcome = send(destination, new)

    assert outcome.exit_code == 5


def test_what_another_sender_brought_meanwhile_is_not_taken_for_ours(
    archive: MakeArchive, old_and_new: tuple[Path, Path]
) -> None:
    old, new = old_and_new
    peer = archive(Script(without_sop_classes=UNREAD))
    destination = destination_for(peer)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CStore, "send", lambda *_: 1 / 0)
        failed = send(destination, new)
    Transfer.objects.get().attempts.update(ended_at="2026-01-01T00:00Z")
    peer.hold(only_file(old))

    continued = send(destination, new)

    assert (failed.exit_code, continued.exit_code) == (1, 5)
    assert len(peer.log.requests) == 1
    assert continued.transfer["instances"][0]["was_there_before"] == "yes"


@pytest.mark.django_db(transaction=True)
def test_a_transfer_is_sealed_and_finished_or_neither(
    archive: MakeArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_study(tmp_path, 3)
    peer = archive(Script(without_sop_classes=UNREAD))
    destination = destination_for(peer)
    move = queue.move

    def fail_at_the_end(transfer: Transfer, to: State, **detail: Any) -> None:
        if to is State.FINISHED:
            raise OperationalError("the database went away")
        move(transfer, to, **detail)

    monkeypatch.setattr(queue, "move", fail_at_the_end)
    broken = send(destination, tmp_path)
    monkeypatch.setattr(queue, "move", move)

    continued = send(destination, tmp_path)

    assert broken.exit_code == 1
    assert (continued.exit_code, continued.transfer["state"]) == (0, "finished")
    assert len(peer.log.requests) == 3
    assert Transfer.objects.count() == 1


def test_asking_in_between_does_not_make_a_stopped_send_begin_again(archive: MakeArchive, tmp_path: Path) -> None:
    write_study(tmp_path, 3)
    peer = archive(Script(without_sop_classes=UNREAD))
    destination = destination_for(peer)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("transfers.runner.close", lambda _: 1 / 0)
        send(destination, tmp_path)
        run("verify", str(Transfer.objects.get().public_id))

    continued = send(destination, tmp_path)

    assert (continued.exit_code, len(peer.log.requests)) == (0, 3)


def test_an_interrupted_report_agrees_with_itself(archive: MakeArchive, tmp_path: Path) -> None:
    write_study(tmp_path, 3)
    destination = destination_for(archive(Script(without_sop_classes=UNREAD)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("transfers.runner.close", lambda _: 1 / 0)
        failed = send(destination, tmp_path)

    verdicts = list(failed.verdicts.values())
    assert failed.transfer["counts"]["confirmed"] == verdicts.count("confirmed") == 3
