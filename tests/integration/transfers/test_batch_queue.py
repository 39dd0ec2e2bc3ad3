"""Who reads a batch, and when a batch becomes a draft."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from tests.integration.transfers.conftest import dead
from tests.manifests import study
from transfers import batch_queue, leases, services
from transfers.batch_queue import BatchHasMoved, claim_batch, claim_next_batch, move_batch, settle_batches
from transfers.leases import this_process
from transfers.models import Batch, Destination, Transfer
from transfers.states import BatchState, State

pytestmark = pytest.mark.django_db

Submit = Callable[..., Batch]


@pytest.fixture
def submit(destination: Destination) -> Submit:
    user = User.objects.create_user("operator")

    def submit(**fields: object) -> Batch:
        return Batch.objects.create(
            created_by=user,
            destination=destination,
            method="c-store",
            verify="presence",
            created_at=timezone.now(),
            **fields,
        )

    return submit


def read_by(batch: Batch, worker: str, seconds: float) -> Batch:
    until = timezone.now() + timedelta(seconds=seconds)
    Batch.objects.filter(pk=batch.pk).update(state=BatchState.READING, worker=worker, lease_until=until)
    batch.refresh_from_db()
    return batch


def asking(batch: Batch, *states: State) -> Batch:
    """With a transfer in each of these states."""
    Batch.objects.filter(pk=batch.pk).update(state=BatchState.ASKING, starts=False)
    batch.refresh_from_db()
    for state in states:
        transfer = services.create_transfer(
            study(), destination=batch.destination, method="c-store", verify="presence", batch=batch
        )
        Transfer.objects.filter(pk=transfer.pk).update(state=state)
    return batch


def test_the_oldest_batch_is_read_first_and_each_by_one_worker(submit: Submit) -> None:
    first, second = submit(), submit()

    assert [claim_next_batch("me"), claim_next_batch("other"), claim_next_batch("me")] == [first, second, None]
    assert list(Batch.objects.order_by("pk").values_list("state", "worker")) == [
        ("reading", "me"),
        ("reading", "other"),
    ]


def test_a_batch_that_somebody_else_took_meanwhile_is_left_to_them(submit: Submit) -> None:
    batch = submit()
    as_read_before = Batch.objects.get()
    claim_batch(batch, "other")

    with pytest.raises(BatchHasMoved):
        claim_batch(as_read_before, "me")


def test_a_batch_whose_reader_died_is_read_again_from_the_beginning(submit: Submit) -> None:
    batch = read_by(submit(files_read=700), dead(), seconds=20)

    assert claim_next_batch("me") == batch
    assert Batch.objects.get().files_read == 0


def test_a_batch_that_a_living_worker_reads_is_left_to_it(submit: Submit) -> None:
    read_by(submit(), this_process(), seconds=20)
    read_by(submit(), "elsewhere/1/1", seconds=20)

    assert claim_next_batch("me") is None


def test_what_this_process_is_at_already_is_not_taken_again(submit: Submit) -> None:
    expired = read_by(submit(), this_process(), seconds=-1)

    assert claim_next_batch("me", besides=[expired.pk]) is None


def test_what_has_ended_is_not_read(submit: Submit) -> None:
    for state in (BatchState.ASKING, BatchState.DRAFT, BatchState.STARTED, BatchState.FAILED, BatchState.DISCARDED):
        submit(state=state)

    assert claim_next_batch("me") is None


@pytest.mark.django_db(transaction=True)
def test_several_workers_at_once_take_each_batch_once(submit: Submit) -> None:
    batches = {submit().pk for _ in range(12)}
    start = threading.Barrier(4)
    taken: list[int] = []

    def take(name: str) -> None:
        start.wait()
        while batch := claim_next_batch(name):
            taken.append(batch.pk)
        connection.close()

    threads = [threading.Thread(target=take, args=[f"worker-{number}"]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(taken) == len(batches)
    assert set(taken) == batches


@pytest.mark.django_db(transaction=True)
def test_whoever_reads_a_batch_sees_soon_that_it_was_discarded(submit: Submit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "LOOK_SECONDS", 0.01)
    batch = submit()
    claim_batch(batch, this_process())

    with batch_queue.Lease(batch) as lease:
        move_batch(Batch.objects.get(), BatchState.DISCARDED)
        is_lost = lease.lost.wait(5)

    assert is_lost


@pytest.mark.django_db(transaction=True)
def test_a_lease_is_renewed_while_a_batch_is_read(submit: Submit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "RENEWAL_SECONDS", 0.01)
    batch = read_by(submit(), this_process(), seconds=1)
    renewed = Batch.objects.filter(lease_until__gt=timezone.now() + timedelta(seconds=20))

    with batch_queue.Lease(batch) as lease:
        deadline = time.monotonic() + 5
        while not renewed.all().exists():
            assert time.monotonic() < deadline

    assert not lease.lost.is_set()


# Drafts


def test_a_batch_is_a_draft_once_everything_was_asked_about(submit: Submit) -> None:
    batch = asking(submit(), State.DRAFT, State.DRAFT)

    assert settle_batches() == 1

    assert Batch.objects.get() == batch
    assert Batch.objects.get().state == "draft"


@pytest.mark.parametrize("state", [State.QUEUED, State.CLAIMED, State.PREPARING, State.PREFLIGHT])
def test_a_batch_waits_for_the_last_of_its_transfers(submit: Submit, state: State) -> None:
    asking(submit(), State.DRAFT, state)

    assert settle_batches() == 0

    assert Batch.objects.get().state == "asking"


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED, State.FINISHED])
def test_a_transfer_that_ended_keeps_no_batch_from_becoming_a_draft(submit: Submit, state: State) -> None:
    asking(submit(), State.DRAFT, state)

    assert settle_batches() == 1


def test_only_what_is_being_asked_about_becomes_a_draft(submit: Submit) -> None:
    for state in (BatchState.QUEUED, BatchState.STARTED, BatchState.DISCARDED, BatchState.FAILED):
        submit(state=state)

    assert settle_batches() == 0
