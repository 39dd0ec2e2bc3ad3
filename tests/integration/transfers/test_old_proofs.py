"""What was proved before we acted on it ourselves (sent it again, removed it) is not what is there now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from audit.ledger import Ledger, continue_audit
from audit.observations import EvidenceKind, Observation
from tests.commands import destination_for, send, uids_of
from tests.datasets import unique_uid, write_instance, write_study
from tests.fakes.acts import Abort, Answer
from tests.fakes.archive import Archive
from tests.fakes.fixtures import MakeArchive, MakeWeb
from tests.fakes.getting import STUDY_ROOT_GET
from tests.fakes.script import Script
from tests.fakes.web import Asked, Reply
from tests.fakes.web_side import web_side
from transfers import runner, services
from transfers.models import Destination, Transfer
from transfers.queue import this_process
from transfers.runner import run_transfer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("whole_ledger")]

UNREAD = [STUDY_ROOT_GET]
"""Nothing can be read back there by DICOM: that would settle it all."""


class Sides:
    """A scripted archive with a DICOMweb side, and the destination that names both."""

    def __init__(self, peer: Archive, web: MakeWeb) -> None:
        self.peer = peer
        self.answers = True
        url = web(web_side(peer, self._fault)).url
        quick = {"presence_settle_seconds": 0.2, "probe_retry_seconds": 0.1}
        self.destination = destination_for(peer, **quick)
        self.destination.ask_at.set([Destination.objects.create(name="web", kind="dicomweb", url=url, **quick)])

    def fall_silent(self) -> None:
        """It takes what it is sent, and removes what it is told to, but answers no question any more."""
        self.answers = False
        self.peer.script.on_find = Abort()

    def _fault(self, asked: Asked) -> Reply | None:
        return None if self.answers or asked.method == "DELETE" else Reply(503, b"")


@pytest.fixture
def sides(archive: MakeArchive, web: MakeWeb) -> Sides:
    return Sides(archive(Script(without_sop_classes=UNREAD)), web)


def go_on(intent: Callable[..., None]) -> Transfer:
    """Do something more with the first transfer, and run it."""
    transfer = Transfer.objects.earliest("pk")
    intent(transfer, worker=this_process())
    run_transfer(transfer)
    return Transfer.objects.get(pk=transfer.pk)


def test_what_was_removed_is_committed_no_more_though_nobody_can_ask(sides: Sides, folder: Path) -> None:
    write_study(folder, 3)
    sent = send(sides.destination, folder)

    sides.fall_silent()
    transfer = go_on(services.roll_back)

    assert (sent.transfer["verdict"], transfer.verdict) == ("committed", "unverifiable")
    assert sides.peer.stored == {}
    assert "remove" in transfer.audit.reason


def test_a_removal_that_broke_off_and_is_cancelled_leaves_nothing_committed(
    sides: Sides, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_study(folder, 3)
    send(sides.destination, folder)
    transfer = Transfer.objects.get()
    services.roll_back(transfer, worker=this_process())
    with monkeypatch.context() as patch:
        patch.setattr(runner, "verify", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run_transfer(transfer)
    Transfer.objects.update(state="interrupted")

    services.cancel(Transfer.objects.get())

    assert sides.peer.stored == {}
    assert Transfer.objects.get().verdict == "unverifiable"


def test_an_old_absence_does_not_have_removed_what_was_sent_again(sides: Sides, folder: Path) -> None:
    uids = uids_of(write_study(folder, 3))
    sides.peer.script.on_store = {uids[0]: Answer(stores=False)}
    sent = send(sides.destination, folder)
    sides.peer.script.on_store = lambda _: sides.fall_silent()
    Transfer.objects.update(rolls_back=True)

    transfer = go_on(services.retry)

    assert (sent.transfer["verdict"], transfer.verdict) == ("partial", "unverifiable")
    assert set(sides.peer.stored) == set(uids)


def test_all_or_nothing_asks_again_though_a_verification_since_did_not(sides: Sides, folder: Path) -> None:
    uids = uids_of(write_study(folder, 3))
    sides.peer.script.on_store = {uids[0]: Answer(stores=False)}
    send(sides.destination, folder)
    go_on(lambda transfer, worker: services.reverify(transfer, "none", worker))
    Transfer.objects.update(rolls_back=True)

    transfer = go_on(services.retry)

    assert (transfer.state, transfer.verdict) == ("finished", "nothing-stored")
    assert sides.peer.stored == {}


def test_what_another_brought_since_it_was_missing_is_not_taken_for_ours(archive: MakeArchive, tmp_path: Path) -> None:
    uids: dict[str, Any] = {
        name: unique_uid() for name in ("study_instance_uid", "series_instance_uid", "sop_instance_uid")
    }
    ours = tmp_path / "ours"
    ours.mkdir()
    write_instance(ours, **uids)
    peer = archive(Script(without_sop_classes=UNREAD, on_store=Answer(stores=False)))
    sent = send(destination_for(peer), ours)
    peer.script.on_store = None
    peer.hold(write_instance(tmp_path, **uids, noise=7))

    transfer = go_on(services.retry)

    assert (sent.transfer["verdict"], transfer.verdict) == ("nothing-stored", "unverifiable")
    assert transfer.audit.instances.get().ground == "was-there-before"


def test_what_was_there_once_is_not_forgotten_because_nobody_can_look(
    sides: Sides, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = write_study(folder, 1)
    sides.peer.hold(older(path, tmp_path))
    sides.destination.ask_at.clear()
    with monkeypatch.context() as patch:
        patch.setattr(runner, "send", lambda *_: 1 / 0)
        send(sides.destination, folder)
    sides.peer.script.on_find = lambda _: None if sides.peer.log.requests else Abort()

    continued = send(sides.destination, folder)

    assert continued.transfer["instances"][0]["was_there_before"] == "yes"
    assert (continued.exit_code, len(sides.peer.log.requests)) == (5, 1)


def older(path: Path, folder: Path) -> Path:
    """The same image with other pixels."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    other = folder / "older.dcm"
    other.write_bytes(content)
    return other


def test_what_other_content_lay_in_the_way_of_is_not_sent_because_nobody_can_look(
    sides: Sides, folder: Path, tmp_path: Path
) -> None:
    (path,) = write_study(folder, 1)
    sides.peer.hold(older(path, tmp_path))
    sent = send(sides.destination, folder)
    sides.fall_silent()

    transfer = go_on(services.retry)

    assert (sent.transfer["verdict"], transfer.verdict) == ("nothing-stored", "nothing-stored")
    assert sides.peer.log.requests == []


def test_once_what_lay_in_the_way_is_gone_a_retry_sends_and_settles_it(
    archive: MakeArchive, folder: Path, tmp_path: Path
) -> None:
    (path,) = write_study(folder, 1)
    peer = archive()
    peer.hold(older(path, tmp_path))
    sent = send(destination_for(peer), folder)
    peer.stored.clear()

    transfer = go_on(services.retry)

    assert (sent.transfer["verdict"], transfer.verdict, transfer.audit.proof) == (
        "nothing-stored",
        "committed",
        "identical",
    )


def test_what_another_transfer_proved_too_is_not_removed(sides: Sides, folder: Path) -> None:
    uids = uids_of(write_study(folder, 3))
    send(sides.destination, folder)
    again = send(sides.destination, folder)

    transfer = go_on(services.roll_back)

    assert (again.transfer["proof"], transfer.verdict) == ("identical", "committed")
    assert set(sides.peer.stored) == set(uids)


def test_what_is_doubted_since_proves_nothing_to_another_transfer(sides: Sides, folder: Path) -> None:
    write_study(folder, 2)
    send(sides.destination, folder)
    proved = Transfer.objects.get().audit
    ledger = Ledger(continue_audit(proved, sides.destination.policy))
    ledger.begin_round()
    for uid in proved.instances.values_list("sop_instance_uid", flat=True):
        ledger.record(Observation(uid, EvidenceKind.UNREADABLE, timezone.now()))
    Transfer.objects.update(audit=ledger.close())
    sides.destination.ask_at.clear()

    outcome = send(sides.destination, folder)

    assert (outcome.exit_code, outcome.transfer["verdict"]) == (5, "unverifiable")
