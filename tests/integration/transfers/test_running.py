"""One run of a transfer that is cancelled, stopped, taken up again, or only asks."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from pydicom.uid import CTImageStorage, MRImageStorage
from pytest_django import Settings

from audit.manifest import read_input
from audit.models import Evidence
from tests.commands import destination_for, uids_of
from tests.datasets import write_instance, write_study
from tests.fakes.acts import Answer, Reject, Silence
from tests.fakes.archive import Archive
from tests.fakes.fixtures import MakeArchive
from tests.fakes.script import Script
from transfers import leases, queue, services
from transfers.leases import this_process
from transfers.models import Batch, Destination, Transfer
from transfers.passwords import encrypt_password
from transfers.runner import run_transfer
from transfers.states import State

pytestmark = pytest.mark.django_db(transaction=True)

INSTANCES = 30
Claim = Callable[..., Transfer]


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "LOOK_SECONDS", 0.02)


@pytest.fixture
def slow(archive: MakeArchive) -> Archive:
    return archive(Script(on_store=Answer(delay_seconds=0.03)))


@pytest.fixture
def claim(folder: Path) -> Claim:
    """A transfer of the files in the folder to this archive, claimed by this process."""

    def claim(peer: Archive, *, worker: str | None = None, verify: str = "presence", **more: object) -> Transfer:
        (study,) = read_input([folder]).studies
        return services.create_transfer(
            study,
            destination=destination_for(peer, associations=1),
            method="c-store",
            verify=verify,
            worker=this_process() if worker is None else worker,
            **more,  # type: ignore[arg-type]
        )

    return claim


def draft_batch(destination: Destination) -> Batch:
    user = User.objects.create_user("operator")
    return Batch.objects.create(
        created_by=user,
        destination=destination,
        method="c-store",
        verify="presence",
        starts=False,
        created_at=timezone.now(),
    )


@contextmanager
def running(transfer: Transfer, stop: threading.Event | None = None) -> Iterator[None]:
    """Runs it in a thread, as a worker does, until it lets go."""

    def run() -> None:
        try:
            run_transfer(transfer, stop=stop, halted_as=State.QUEUED)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    yield
    thread.join(30)
    assert not thread.is_alive()
    transfer.refresh_from_db()


def answered(peer: Archive) -> int:
    return len(peer.log.answers)


def not_sent(transfer: Transfer) -> Counter[str]:
    rows = Evidence.objects.filter(instance__audit=transfer.audit, kind="not-sent")
    return Counter(f"{detail['code']}: {detail['reason']}" for detail in rows.values_list("detail", flat=True))


# Cancelled


def test_a_cancel_stops_the_sending_and_is_judged_by_what_the_archive_holds(
    claim: Claim, slow: Archive, folder: Path
) -> None:
    write_study(folder, INSTANCES)
    transfer = claim(slow)

    with running(transfer):
        slow.wait_until(lambda peer: answered(peer) >= 5)
        services.cancel(Transfer.objects.get())

    stored = len(slow.stored)
    assert 5 <= stored < INSTANCES
    assert (transfer.state, transfer.verdict) == ("cancelled", "partial")
    assert transfer.audit.is_sealed
    assert (transfer.audit.tally["confirmed"], transfer.audit.tally["refuted"]) == (stored, INSTANCES - stored)
    assert not_sent(transfer) == {"cancelled: Cancelled before it was sent": INSTANCES - stored}
    assert slow.log.finds


def test_a_cancel_of_a_transfer_that_asks_nothing_afterwards_asks_nothing_either(
    claim: Claim, slow: Archive, folder: Path
) -> None:
    write_study(folder, INSTANCES)
    transfer = claim(slow, verify="none")

    with running(transfer):
        slow.wait_until(lambda peer: answered(peer) >= 5)
        services.cancel(Transfer.objects.get())

    assert (transfer.state, transfer.verdict) == ("cancelled", "partial")
    assert not slow.log.finds


def test_a_cancel_breaks_off_what_an_archive_does_not_answer(claim: Claim, archive: MakeArchive, folder: Path) -> None:
    write_study(folder, 3)
    silent = archive(Script(on_store={2: Silence(stores=True)}))
    transfer = claim(silent)

    with running(transfer):
        silent.wait_until(lambda peer: len(peer.log.instances) >= 2)
        services.cancel(Transfer.objects.get())

    assert (transfer.state, transfer.verdict) == ("cancelled", "partial")
    assert transfer.audit.tally["confirmed"] == 2


def test_a_cancel_before_the_first_byte_sends_nothing(claim: Claim, archive: MakeArchive, folder: Path) -> None:
    write_study(folder, 3)
    busy = archive(Script(on_association=Reject(result=2, source=3, reason=1)))
    transfer = claim(busy)

    with running(transfer):
        busy.wait_until(lambda peer: bool(peer.log.associations) or Transfer.objects.get().state == "preflight")
        services.cancel(Transfer.objects.get())

    assert (transfer.state, transfer.verdict) == ("cancelled", "nothing-stored")
    assert not_sent(transfer) == {"cancelled: Cancelled before it was sent": 3}
    assert not transfer.attempts.exists()


def test_a_transfer_that_was_cancelled_before_it_was_claimed_never_sends(
    claim: Claim, archive: MakeArchive, folder: Path
) -> None:
    write_study(folder, 3)
    peer = archive()
    transfer = claim(peer)
    services.cancel(transfer)

    run_transfer(transfer)

    transfer.refresh_from_db()
    assert (transfer.state, transfer.verdict) == ("cancelled", "nothing-stored")
    assert not peer.log.requests
    assert peer.log.finds


def test_a_cancel_that_comes_while_the_destination_is_asked_is_kept_too(
    claim: Claim, archive: MakeArchive, folder: Path
) -> None:
    write_study(folder, 3)
    peer = archive(Script(late_seconds=0.2))
    transfer = claim(peer)

    with running(transfer):
        peer.wait_until(lambda _: Transfer.objects.get().state == "verifying")
        services.cancel(Transfer.objects.get())

    assert (transfer.state, transfer.verdict) == ("cancelled", "committed")


# Stopped, and taken up again


def test_a_stopped_run_puts_its_transfer_back_with_the_audit_open_and_another_sends_the_rest(
    claim: Claim, slow: Archive, folder: Path
) -> None:
    write_study(folder, INSTANCES)
    transfer, stop = claim(slow), threading.Event()

    with running(transfer, stop):
        slow.wait_until(lambda peer: answered(peer) >= 5)
        stop.set()

    left = (transfer.state, transfer.worker, transfer.audit.is_sealed, transfer.verdict)
    sent_before = answered(slow)
    queue.claim(transfer, "another")
    run_transfer(transfer)

    transfer.refresh_from_db()
    assert left == ("queued", "", False, "pending")
    assert 5 <= sent_before < INSTANCES
    assert (transfer.state, transfer.verdict) == ("finished", "committed")
    assert max(Counter(uid for uid, _ in slow.log.answers).values()) == 1


def test_a_cancel_outlives_the_worker_that_was_stopped_before_it_was_done(
    claim: Claim, archive: MakeArchive, folder: Path
) -> None:
    write_study(folder, 6)
    peer = archive(Script(on_store=Answer(delay_seconds=0.05)))
    transfer, stop = claim(peer), threading.Event()
    with running(transfer, stop):
        peer.wait_until(lambda peer: answered(peer) >= 2)
        finds = len(peer.log.finds)
        peer.script.on_find = Silence()
        services.cancel(Transfer.objects.get())
        peer.wait_until(lambda peer: len(peer.log.finds) > finds)
        stop.set()
    sent_before = len(peer.log.requests)
    left = transfer.state
    peer.script.on_find = None

    queue.claim(transfer, "another")
    run_transfer(transfer)

    transfer.refresh_from_db()
    assert left == "queued"
    assert (transfer.state, transfer.verdict) == ("cancelled", "partial")
    assert len(peer.log.requests) == sent_before


def test_what_was_cancelled_while_it_waited_for_the_next_worker_says_why_it_was_not_sent(
    claim: Claim, slow: Archive, folder: Path
) -> None:
    write_study(folder, INSTANCES)
    transfer, stop = claim(slow), threading.Event()
    with running(transfer, stop):
        slow.wait_until(lambda peer: answered(peer) >= 5)
        stop.set()

    services.cancel(transfer)

    newest = Evidence.objects.filter(instance__audit=transfer.audit, kind="not-sent").last()
    assert newest is not None
    assert (transfer.state, newest.detail["code"]) == ("cancelled", "cancelled")
    assert "Cancelled before it was sent" in transfer.audit.reason


def test_a_run_whose_transfer_another_process_took_stops_and_changes_nothing(
    claim: Claim, slow: Archive, folder: Path
) -> None:
    write_study(folder, INSTANCES)
    transfer = claim(slow)

    def take_over() -> None:
        slow.wait_until(lambda peer: answered(peer) >= 5)
        Transfer.objects.update(worker="elsewhere/1/1")
        connection.close()

    thief = threading.Thread(target=take_over)
    thief.start()
    with pytest.raises(queue.TransferIsHeld):
        run_transfer(transfer, halted_as=State.QUEUED)
    thief.join()

    transfer.refresh_from_db()
    assert (transfer.state, transfer.worker) == ("sending", "elsewhere/1/1")
    assert answered(slow) < INSTANCES


def test_a_destination_that_was_pointed_elsewhere_meanwhile_is_sent_nothing(
    claim: Claim, archive: MakeArchive, folder: Path
) -> None:
    write_study(folder, 2)
    before, now = archive(), archive()
    transfer = claim(before)
    Destination.objects.update(port=now.port)
    transfer.destination.refresh_from_db()

    run_transfer(transfer)

    transfer.refresh_from_db()
    assert transfer.state == "failed"
    assert transfer.events.filter(detail__reason="destination_moved").exists()
    assert (before.log.associations, now.log.associations) == ([], [])


# Drafts


def test_a_draft_asks_and_sends_nothing_and_records_no_evidence(
    claim: Claim, archive: MakeArchive, folder: Path
) -> None:
    paths = write_study(folder, 4)
    peer = archive()
    peer.hold(paths[0])
    transfer = claim(peer)
    Transfer.objects.update(stops_before_sending=True)
    transfer.refresh_from_db()

    run_transfer(transfer)

    transfer.refresh_from_db()
    asked_at = transfer.findings.pop("at")
    assert (transfer.state, transfer.worker, transfer.verdict) == ("draft", "", "pending")
    assert transfer.findings == {
        "present": 1,
        "unknown": 0,
        "unsendable": [],
        "conflicts": 0,
        "error": None,
        "sendable": 4,
        "size_bytes": transfer.size_bytes,
    }
    assert asked_at > "2026"
    assert not Evidence.objects.exists()
    assert not peer.log.requests
    assert set(transfer.audit.instances.values_list("was_there_before", flat=True)) == {"unknown"}


def test_a_draft_says_what_the_destination_would_not_take(claim: Claim, archive: MakeArchive, folder: Path) -> None:
    study_instance_uid = "2.25.7"
    for number in (1, 2, 3):
        sop_class_uid = CTImageStorage if number == 1 else MRImageStorage
        write_instance(folder, study_instance_uid=study_instance_uid, sop_class_uid=sop_class_uid, number=number)
    transfer = claim(archive(Script(without_sop_classes=[MRImageStorage])))
    transfer.stops_before_sending = True

    run_transfer(transfer)

    (unsendable,) = transfer.findings["unsendable"]
    assert (unsendable["instances"], unsendable["code"]) == (2, "no_presentation_context")
    assert unsendable["sop_class_uids"] == [MRImageStorage]
    assert unsendable["reason"]
    assert transfer.findings["sendable"] == 1


def test_a_draft_says_which_files_of_the_input_contradict_each_other(
    claim: Claim, archive: MakeArchive, folder: Path
) -> None:
    first, _ = write_study(folder, 2, study_instance_uid="2.25.8")
    (uid,) = uids_of([first])
    write_instance(folder, study_instance_uid="2.25.8", sop_instance_uid=uid, noise=99, name="zzz.dcm")
    transfer = claim(archive())
    transfer.stops_before_sending = True

    run_transfer(transfer)

    assert (transfer.findings["conflicts"], transfer.findings["sendable"]) == (1, 1)


def test_a_draft_of_an_archive_that_is_not_there_says_what_to_check(
    claim: Claim, archive: MakeArchive, folder: Path
) -> None:
    write_study(folder, 2)
    gone = archive()
    transfer = claim(gone)
    gone.die()
    transfer.stops_before_sending = True

    run_transfer(transfer)

    assert transfer.state == "draft"
    assert transfer.findings["error"]["code"] == "connection_failed"
    assert (transfer.findings["unknown"], transfer.findings["sendable"]) == (2, 0)


def test_a_draft_that_nobody_wants_listed_is_not_listed(claim: Claim, archive: MakeArchive, folder: Path) -> None:
    write_study(folder, 2)
    peer = archive()
    transfer = claim(peer, verify="none")
    transfer.stops_before_sending = True

    run_transfer(transfer)

    assert (transfer.findings["unknown"], transfer.findings["sendable"]) == (2, 2)
    assert not peer.log.finds


def test_a_cancelled_draft_ends_and_is_judged(claim: Claim, archive: MakeArchive, folder: Path) -> None:
    write_study(folder, 2)
    busy = archive(Script(on_association=Reject(result=2, source=3, reason=1)))
    transfer = claim(busy)
    transfer.stops_before_sending = True
    transfer.save()

    with running(transfer):
        busy.wait_until(lambda _: Transfer.objects.get().state == "preflight")
        services.cancel(Transfer.objects.get())

    assert (transfer.state, transfer.findings) == ("cancelled", {})
    assert transfer.audit.is_sealed


def test_a_draft_that_is_started_is_asked_about_again_and_sent(
    claim: Claim, archive: MakeArchive, folder: Path
) -> None:
    paths = write_study(folder, 2)
    peer = archive()
    transfer = claim(peer)
    transfer.stops_before_sending = True
    run_transfer(transfer)
    peer.hold(paths[0])  # meanwhile somebody else has sent one

    transfer.stops_before_sending = False
    transfer.save()
    queue.move(transfer, State.QUEUED)
    queue.claim(transfer, this_process())
    run_transfer(transfer)

    transfer.refresh_from_db()
    before = dict(transfer.audit.instances.values_list("sop_instance_uid", "was_there_before"))
    assert [before[uid] for uid in uids_of(paths)] == ["yes", "no"]
    assert (transfer.state, transfer.verdict) == ("finished", "committed")  # read back, and the same


def test_a_side_whose_password_cannot_be_read_fails_it_before_anything_is_sent(
    claim: Claim, archive: MakeArchive, folder: Path, settings: Settings
) -> None:
    write_study(folder, 1)
    peer = archive()
    transfer = claim(peer)
    side = Destination.objects.create(
        name="side", kind="orthanc", url="http://127.0.0.1:1", password_encrypted=encrypt_password("secret")
    )
    transfer.destination.ask_at.set([side])
    settings.SECRET_KEY = "another one, as after a restore without its file"

    run_transfer(transfer)

    change = transfer.events.filter(name="state_changed").last()
    assert change is not None
    assert (transfer.state, change.detail["reason"]) == (State.FAILED, "password_unreadable")
    assert peer.log.requests == []
