"""Studies that were committed are asked about again, and an alarm is raised where instances are gone."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest
from django.utils import timezone

from tests.commands import destination_for, run, send
from tests.datasets import write_study
from tests.fakes.acts import Answer
from tests.fakes.archive import Archive
from tests.fakes.fixtures import MakeArchive
from transfers import queue, services
from transfers.models import Destination, Transfer
from transfers.reverification import take_up_what_is_due
from transfers.runner import run_transfer
from transfers.states import State

pytestmark = pytest.mark.django_db(transaction=True)

DAY = timedelta(days=1)


@pytest.fixture
def peer(archive: MakeArchive) -> Archive:
    return archive()


@pytest.fixture
def committed(peer: Archive, folder: Path) -> Transfer:
    """Three instances that the archive has, to be asked about after 1 and 7 days."""
    write_study(folder, 3)
    outcome = send(destination_for(peer, reverify_after_days="7, 1"), folder)
    assert outcome.exit_code == 0
    return Transfer.objects.get()


def run_what_is_due(in_days: float) -> Transfer:
    """As a worker does, so many days later."""
    take_up_what_is_due(timezone.now() + in_days * DAY)
    transfer = queue.claim_next(queue.this_process(), [])
    if transfer is not None:
        run_transfer(transfer, stop=Event())
    return Transfer.objects.get()


def lose(peer: Archive, uid: str) -> None:
    del peer.stored[uid]


def test_it_is_asked_again_when_the_policy_says(committed: Transfer) -> None:
    sealed_at = committed.audit.sealed_at
    assert sealed_at is not None
    assert committed.reverify_at == sealed_at + DAY

    early = run_what_is_due(0.9)
    assert early.audit == committed.audit

    transfer = run_what_is_due(1.1)

    assert (transfer.state, transfer.verdict) == (State.FINISHED, "committed")
    assert transfer.audit.continues == committed.audit
    assert transfer.reverify_at is not None
    assert abs(transfer.reverify_at - sealed_at - DAY) < timedelta(minutes=5)  # asked early, it is still due on day one


def test_what_is_not_committed_is_not_asked_again(peer: Archive, folder: Path) -> None:
    write_study(folder, 1)
    send(destination_for(peer, reverify_after_days="1"), folder, "--verify", "none")

    assert Transfer.objects.get().reverify_at is None


def test_what_was_lost_since_raises_an_alarm(committed: Transfer, peer: Archive) -> None:
    lose(peer, uids_of_transfer(committed)[1])

    transfer = run_what_is_due(1.1)

    assert transfer.verdict == "partial"
    assert transfer.missing_since is not None
    assert transfer.events.filter(name="missing_again").count() == 1


def test_an_alarm_ends_when_somebody_has_seen_it_or_all_is_there_again(committed: Transfer, peer: Archive) -> None:
    uid = uids_of_transfer(committed)[1]
    holding = peer.stored[uid]
    lose(peer, uid)
    run("verify", str(committed.public_id), "--json")
    lost = Transfer.objects.get()
    assert lost.missing_since is not None

    services.note_alarm_seen(lost, by="somebody")
    assert Transfer.objects.get().missing_since is None

    run("verify", str(committed.public_id), "--json")
    assert Transfer.objects.get().missing_since is not None
    peer.stored[uid] = holding
    run("verify", str(committed.public_id), "--json")
    transfer = Transfer.objects.get()
    assert (transfer.missing_since, transfer.verdict) == (None, "committed")


def test_a_destination_that_has_moved_is_left_alone(committed: Transfer) -> None:
    Destination.objects.update(port=1)

    transfer = run_what_is_due(1.1)

    assert (transfer.audit, transfer.reverify_at) == (committed.audit, None)


def test_what_a_process_works_on_is_taken_up_later(committed: Transfer) -> None:
    Transfer.objects.update(state=State.QUEUED)

    take_up_what_is_due(timezone.now() + 2 * DAY)

    assert not Transfer.objects.get().events.filter(name="reverified").exists()


def uids_of_transfer(transfer: Transfer) -> list[str]:
    return list(transfer.audit.instances.order_by("position").values_list("sop_instance_uid", flat=True))


def test_what_could_not_be_asked_again_is_told_though_the_proof_stands(committed: Transfer, peer: Archive) -> None:
    peer.script.on_find = Answer(0xC000)

    asked = run("verify", str(committed.public_id), "--json")

    assert asked.transfer["verdict"] == "committed"
    assert "it did not answer about 3 instances: what was proved before stands" in asked.transfer["reason"]
