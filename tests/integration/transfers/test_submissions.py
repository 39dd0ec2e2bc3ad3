"""What is submitted in one go: written down, for a worker to read."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from tests.manifests import study
from transfers import services, submissions
from transfers.batch_queue import BatchHasMoved, move_batch
from transfers.feasibility import NotFeasible
from transfers.import_roots import PathNotAllowed
from transfers.models import Batch, Destination, Transfer, Upload
from transfers.states import BatchState, State
from transfers.submissions import IdempotencyKeyReused, NothingSubmitted, Submission, UploadUnfinished

pytestmark = pytest.mark.django_db


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("operator")


@pytest.fixture
def root(tmp_path: Path, settings: Settings) -> Path:
    settings.IMPORT_ROOTS = [str(tmp_path)]
    return tmp_path


@pytest.fixture
def asked_for(destination: Destination, root: Path) -> Submission:
    return Submission(destination, path=str(root))


@pytest.fixture
def draft(destination: Destination, user: User, root: Path) -> Batch:
    """Read and asked about: two transfers wait for somebody to start them."""
    batch = submissions.submit(Submission(destination, path=str(root), starts=False), by=user)
    move_batch(batch, BatchState.READING)
    for uid in ("2.25.1", "2.25.2"):
        services.create_transfer(
            study(uid=uid), destination=destination, method="c-store", verify="presence", batch=batch
        )
    Transfer.objects.update(state=State.DRAFT)
    move_batch(batch, BatchState.ASKING)
    move_batch(batch, BatchState.DRAFT)
    return batch


def upload(user: User, received: int = 10, **fields: object) -> Upload:
    now = timezone.now()
    return Upload.objects.create(
        created_by=user,
        name="study.zip",
        size_bytes=10,
        received_bytes=received,
        created_at=now,
        changed_at=now,
        **fields,
    )


def test_a_batch_is_queued_with_what_was_asked_for_and_the_destinations_policy(
    asked_for: Submission, user: User, root: Path
) -> None:
    batch = submissions.submit(asked_for, by=user)

    batch.refresh_from_db()
    assert (batch.state, batch.path, batch.method, batch.verify) == ("queued", str(root), "c-store", "presence")
    assert batch.starts


def test_a_batch_keeps_what_is_to_be_asked_besides(asked_for: Submission, user: User) -> None:
    side = Destination.objects.create(name="rest", kind="orthanc", url="http://127.0.0.1:8042")
    asked_for.destination.ask_at.add(side)

    batch = submissions.submit(asked_for._replace(asks_commitment=True, rolls_back=True, verify="content:15%"), by=user)

    batch.refresh_from_db()
    assert (batch.asks_commitment, batch.rolls_back, batch.verify) == (True, True, "content:15%")
    assert not batch.is_inquiry


def test_a_batch_that_sends_nothing_has_no_method(asked_for: Submission, user: User) -> None:
    batch = submissions.submit(asked_for._replace(is_inquiry=True), by=user)

    assert (batch.method, batch.is_inquiry, batch.verify) == ("", True, "presence")


def test_what_cannot_be_promised_is_not_written_down(asked_for: Submission, user: User) -> None:
    with pytest.raises(NotFeasible):
        submissions.submit(asked_for._replace(rolls_back=True), by=user)

    assert not Batch.objects.exists()


def test_nothing_to_send_is_refused(destination: Destination, user: User) -> None:
    with pytest.raises(NothingSubmitted):
        submissions.submit(Submission(destination), by=user)

    assert not Batch.objects.exists()


def test_a_path_outside_the_import_roots_is_refused(destination: Destination, user: User, root: Path) -> None:
    with pytest.raises(PathNotAllowed):
        submissions.submit(Submission(destination, path="/etc"), by=user)


def test_uploads_go_with_the_batch(destination: Destination, user: User) -> None:
    sent = upload(user)

    batch = submissions.submit(Submission(destination, uploads=[sent]), by=user)

    assert list(batch.uploads.all()) == [sent]


@pytest.mark.parametrize("fault", ["unfinished", "taken", "removed", "somebody else's"])
def test_an_upload_that_cannot_be_read_is_refused(destination: Destination, user: User, fault: str) -> None:
    made: dict[str, Callable[[], Upload]] = {
        "unfinished": lambda: upload(user, received=9),
        "taken": lambda: upload(
            user, batch=submissions.submit(Submission(destination, uploads=[upload(user)]), by=user)
        ),
        "removed": lambda: upload(user, removed_at=timezone.now()),
        "somebody else's": lambda: upload(User.objects.create_user("other")),
    }
    sent = made[fault]()
    before = Batch.objects.count()

    with pytest.raises(UploadUnfinished):
        submissions.submit(Submission(destination, uploads=[sent]), by=user)

    assert Batch.objects.count() == before


def test_the_same_key_with_the_same_request_gives_the_same_batch(asked_for: Submission, user: User) -> None:
    first = submissions.submit(asked_for, by=user, idempotency_key="monday")
    second = submissions.submit(asked_for, by=user, idempotency_key="monday")

    assert first == second
    assert Batch.objects.count() == 1


@pytest.mark.parametrize(
    "other",
    [{"starts": False}, {"asks_commitment": True}, {"asks_commitment": False}, {"is_inquiry": True}],
    ids=str,
)
def test_the_same_key_with_another_request_is_refused(asked_for: Submission, user: User, other: dict[str, Any]) -> None:
    submissions.submit(asked_for, by=user, idempotency_key="monday")

    with pytest.raises(IdempotencyKeyReused):
        submissions.submit(asked_for._replace(**other), by=user, idempotency_key="monday")


def test_a_key_is_its_users_own(asked_for: Submission, user: User) -> None:
    first = submissions.submit(asked_for, by=user, idempotency_key="monday")
    other = submissions.submit(asked_for, by=User.objects.create_user("other"), idempotency_key="monday")

    assert first != other


def test_without_a_key_each_request_is_a_batch(asked_for: Submission, user: User) -> None:
    assert submissions.submit(asked_for, by=user) != submissions.submit(asked_for, by=user)


@pytest.mark.django_db(transaction=True)
def test_the_same_key_at_the_same_moment_makes_one_batch(asked_for: Submission, user: User) -> None:
    start, made = threading.Barrier(4), []

    def submit() -> None:
        try:
            start.wait(10)
            made.append(submissions.submit(asked_for, by=user, idempotency_key="monday").pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=submit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made) == 4
    assert len(set(made)) == Batch.objects.count() == 1


def test_a_draft_that_is_started_is_queued(draft: Batch) -> None:
    submissions.start(draft)

    assert draft.state == "started"
    assert {transfer.state for transfer in draft.transfers.all()} == {"queued"}
    assert not draft.transfers.filter(stops_before_sending=True).exists()


def test_a_draft_is_started_once(draft: Batch) -> None:
    same = Batch.objects.get(pk=draft.pk)
    submissions.start(draft)

    with pytest.raises(BatchHasMoved):
        submissions.start(same)


def test_a_draft_that_is_discarded_sends_nothing(draft: Batch) -> None:
    submissions.discard(draft)

    assert draft.state == "discarded"
    assert {(transfer.state, transfer.verdict) for transfer in draft.transfers.all()} == {
        ("cancelled", "nothing-stored")
    }
    assert all(transfer.audit.is_sealed for transfer in draft.transfers.all())


def test_what_was_started_cannot_be_discarded(draft: Batch) -> None:
    submissions.start(draft)

    with pytest.raises(BatchHasMoved):
        submissions.discard(draft)


def test_a_batch_that_is_not_read_yet_can_be_discarded_and_not_started(asked_for: Submission, user: User) -> None:
    batch = submissions.submit(asked_for, by=user)

    with pytest.raises(BatchHasMoved):
        submissions.start(batch)
    submissions.discard(batch)

    assert batch.state == "discarded"
