"""Who holds a transfer, and what may follow what."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from audit.judgements import StudyVerdict
from audit.models import Audit
from tests.integration.transfers.conftest import dead
from transfers import leases, queue, services
from transfers.models import Transfer
from transfers.states import HELD, TRANSITIONS, State

pytestmark = pytest.mark.django_db

Create = Callable[..., Transfer]


def held_by(transfer: Transfer, worker: str, seconds: float) -> Transfer:
    until = timezone.now() + timedelta(seconds=seconds)
    Transfer.objects.filter(pk=transfer.pk).update(state=State.SENDING, worker=worker, lease_until=until)
    transfer.refresh_from_db()
    return transfer


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
    transfer = held_by(create(), dead(), seconds=20)

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


@pytest.mark.django_db(transaction=True)
def test_whoever_holds_a_transfer_sees_soon_that_it_is_cancelled(
    create: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "LOOK_SECONDS", 0.01)
    transfer = create()

    with queue.Lease(transfer) as lease:
        services.cancel(Transfer.objects.get())
        is_cancelled = lease.cancelled.wait(5)

    assert is_cancelled
    assert not lease.lost.is_set()


@pytest.mark.django_db(transaction=True)
def test_a_lease_is_renewed_while_the_work_goes_on(create: Create, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "RENEWAL_SECONDS", 0.01)
    transfer = held_by(create(), queue.this_process(), seconds=1)

    with queue.Lease(transfer) as lease:
        renewed = wait_until(Transfer.objects.filter(lease_until__gt=timezone.now() + timedelta(seconds=20)).exists)

    assert renewed
    assert not lease.lost.is_set()


def wait_until(is_so: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


# What a worker takes next


def in_background(transfer: Transfer) -> Transfer:
    Transfer.objects.filter(pk=transfer.pk).update(is_in_background=True)
    transfer.refresh_from_db()
    return transfer


def test_a_worker_takes_the_oldest_first(create: Create) -> None:
    first, second = (in_background(create(worker="")) for _ in range(2))

    assert [queue.claim_next("me"), queue.claim_next("me"), queue.claim_next("me")] == [first, second, None]
    assert set(Transfer.objects.values_list("state", "worker")) == {("claimed", "me")}


def test_a_worker_leaves_the_command_lines_own_alone(create: Create) -> None:
    create(worker="")
    held_by(create(), dead(), seconds=-1)

    assert queue.claim_next("me") is None


def test_a_worker_takes_over_what_a_dead_one_left_and_nothing_of_a_living_one(create: Create) -> None:
    held_by(in_background(create()), queue.this_process(), seconds=20)
    held_by(in_background(create()), "elsewhere/1/1", seconds=20)
    left_here = held_by(in_background(create()), dead(), seconds=20)
    left_elsewhere = held_by(in_background(create()), "elsewhere/1/1", seconds=-1)

    assert [queue.claim_next("me") for _ in range(3)] == [left_here, left_elsewhere, None]


def test_a_worker_takes_nothing_that_it_is_at_already(create: Create) -> None:
    expired = held_by(in_background(create()), queue.this_process(), seconds=-1)
    waiting = in_background(create(worker=""))

    assert queue.claim_next(queue.this_process(), besides=[expired.pk]) == waiting
    assert queue.claim_next(queue.this_process(), besides=[expired.pk, waiting.pk]) is None


@pytest.mark.django_db(transaction=True)
def test_several_workers_at_once_take_each_transfer_once(create: Create) -> None:
    transfers = {in_background(create(worker="")).pk for _ in range(24)}
    start = threading.Barrier(6)
    taken: list[int] = []

    def take(name: str) -> None:
        start.wait()
        while transfer := queue.claim_next(name):
            taken.append(transfer.pk)
        connection.close()

    threads = [threading.Thread(target=take, args=[f"worker-{number}"]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(taken) == len(transfers)
    assert set(taken) == transfers


# What a command left


def test_what_a_killed_command_left_is_called_interrupted(create: Create) -> None:
    transfer = held_by(create(), dead(), seconds=20)

    assert queue.release_abandoned() == 1

    transfer.refresh_from_db()
    assert (transfer.state, transfer.worker, transfer.lease_until) == ("interrupted", "", None)
    assert transfer.events.filter(detail__reason="process_ended").exists()


def test_what_a_living_command_or_a_worker_holds_is_left_to_it(create: Create) -> None:
    held_by(create(), queue.this_process(), seconds=20)
    held_by(create(), "elsewhere/1/1", seconds=20)
    held_by(in_background(create()), dead(), seconds=20)

    assert queue.release_abandoned() == 0
    assert set(Transfer.objects.values_list("state", flat=True)) == {"sending"}


# The verdict


@pytest.mark.parametrize("ends", [State.FINISHED, State.FAILED, State.CANCELLED])
def test_the_verdict_beside_the_state_is_the_one_that_is_stored_with_the_audit(create: Create, ends: State) -> None:
    transfer = create()
    queue.move(transfer, State.PREPARING)
    transfer.audit.verdict = StudyVerdict.COMMITTED  # what a transaction that was undone leaves in memory

    queue.move(transfer, ends)

    transfer.refresh_from_db()
    assert transfer.verdict == Audit.objects.get().verdict == "pending"


@pytest.mark.parametrize("state", sorted(HELD))
def test_whatever_is_held_can_be_interrupted_and_taken_up_again(state: State) -> None:
    assert State.INTERRUPTED in TRANSITIONS[state]
    assert State.CLAIMED in TRANSITIONS[State.INTERRUPTED]
