"""Who holds a transfer, and what may follow what."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from transfers import leases, queue
from transfers.models import Transfer
from transfers.states import HELD, TRANSITIONS, State

pytestmark = pytest.mark.django_db

Create = Callable[..., Transfer]


def held_by(transfer: Transfer, worker: str, seconds: float) -> Transfer:
    until = timezone.now() + timedelta(seconds=seconds)
    Transfer.objects.filter(pk=transfer.pk).update(state=State.SENDING, worker=worker, lease_until=until)
    transfer.refresh_from_db()
    return transfer


def process_id_of_the_dead() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_queued_transfer_is_claimed_by_one_process_only(create: Create) -> None:
    transfer = create(worker="")
    other = Transfer.objects.get(pk=transfer.pk)

    queue.claim(transfer, "one")

    with pytest.raises(queue.TransferIsHeld):
        queue.claim(other, "two")
    assert Transfer.objects.get().worker == "one"


def test_a_transfer_that_a_living_process_holds_is_not_taken(create: Create) -> None:
    transfer = held_by(create(), queue.this_process(), seconds=20)

    with pytest.raises(queue.TransferIsHeld):
        queue.claim(transfer, "other")


def test_a_transfer_whose_process_died_on_this_machine_is_taken_at_once(create: Create) -> None:
    dead = f"{queue.this_process().rpartition('/')[0]}/{process_id_of_the_dead()}"
    transfer = held_by(create(), dead, seconds=20)

    queue.claim(transfer, "other")

    assert (transfer.state, transfer.worker) == ("claimed", "other")


def test_a_transfer_held_on_another_machine_is_taken_only_when_its_lease_has_run_out(create: Create) -> None:
    transfer = held_by(create(), "elsewhere/1/1", seconds=20)

    with pytest.raises(queue.TransferIsHeld):
        queue.claim(transfer, "other")

    queue.claim(held_by(transfer, "elsewhere/1/1", seconds=-1), "other")


def test_every_change_of_state_leaves_its_event(create: Create) -> None:
    transfer = create()

    queue.move(transfer, State.PREPARING)

    event = transfer.events.last()
    assert event is not None
    assert (event.name, event.detail) == ("state_changed", {"before": "claimed", "after": "preparing"})


def test_a_change_of_state_that_the_table_does_not_know_is_refused(create: Create) -> None:
    with pytest.raises(ValueError, match="cannot go from claimed to sending"):
        queue.move(create(), State.SENDING)


def test_a_process_that_lost_its_transfer_changes_nothing_of_it(create: Create) -> None:
    transfer = create()
    Transfer.objects.filter(pk=transfer.pk).update(worker="other")

    with pytest.raises(queue.TransferIsHeld):
        queue.move(transfer, State.PREPARING)

    assert Transfer.objects.get().state == "claimed"


def test_the_end_gives_the_transfer_back(create: Create) -> None:
    transfer = create()

    queue.move(transfer, State.FAILED)

    transfer.refresh_from_db()
    assert (transfer.worker, transfer.lease_until) == ("", None)
    assert transfer.finished_at is not None


def test_a_lease_is_renewed_only_by_its_holder(create: Create) -> None:
    transfer = create()

    assert queue.renew_lease(transfer.pk, transfer.worker)
    assert not queue.renew_lease(transfer.pk, "other")


@pytest.mark.django_db(transaction=True)
def test_a_lost_lease_stops_the_work(create: Create, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "LOOK_SECONDS", 0.01)
    transfer = create()
    Transfer.objects.filter(pk=transfer.pk).update(worker="other")

    with queue.Lease(transfer) as lease:
        is_lost = lease.lost.wait(5)

    assert is_lost


@pytest.mark.parametrize("state", sorted(HELD))
def test_whatever_is_held_can_be_interrupted_and_taken_up_again(state: State) -> None:
    assert State.INTERRUPTED in TRANSITIONS[state]
    assert State.CLAIMED in TRANSITIONS[State.INTERRUPTED]
