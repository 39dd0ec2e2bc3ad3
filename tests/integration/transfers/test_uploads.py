"""Files sent in parts: what has arrived is on disk, what was not announced is refused, what is needed is kept."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from tests.manifests import study
from transfers import services, uploads
from transfers.models import Batch, Destination, Transfer, Upload
from transfers.states import BatchState, State
from transfers.uploads import (
    PART_BYTES_MAXIMUM,
    DiskFull,
    MoreThanAnnounced,
    OffsetMismatch,
    PartTooLarge,
    QuotaExceeded,
    UploadBusy,
    UploadInUse,
    UploadRemoved,
)

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
Submitted = Callable[..., Upload]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Settings) -> Path:
    settings.UPLOAD_DIR = tmp_path / "uploads"
    return tmp_path / "uploads"


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("operator")


@pytest.fixture
def upload(user: User) -> Upload:
    return uploads.begin(user, "study.zip", 10)


@pytest.fixture
def submitted(user: User, destination: Destination) -> Submitted:
    """An upload of a batch in the given state, with one transfer for each verdict."""

    def submitted(state: BatchState = BatchState.STARTED, /, *verdicts: str, **transfer: object) -> Upload:
        batch = Batch.objects.create(
            created_by=user,
            destination=destination,
            method="c-store",
            verify="presence",
            state=state,
            created_at=timezone.now(),
        )
        for verdict in verdicts:
            made = services.create_transfer(
                study(), destination=destination, method="c-store", verify="presence", batch=batch
            )
            fields = {"state": State.FINISHED, "verdict": verdict, "finished_at": timezone.now()} | transfer
            Transfer.objects.filter(pk=made.pk).update(**fields)
        upload = uploads.begin(user, "study.zip", 3)
        uploads.append(upload, 0, [b"abc"])
        Upload.objects.filter(pk=upload.pk).update(batch=batch)
        upload.refresh_from_db()
        return upload

    return submitted


def bytes_of(upload: Upload) -> bytes:
    return uploads.path_of(upload).read_bytes()


def is_kept(upload: Upload) -> bool:
    upload.refresh_from_db()
    exists = uploads.path_of(upload).exists()
    assert exists == (upload.removed_at is None)
    return exists


# Parts


def test_a_file_arrives_part_by_part(upload: Upload) -> None:
    uploads.append(upload, 0, [b"01", b"23"])
    uploads.append(upload, 4, [b"456789"])

    upload.refresh_from_db()
    assert (bytes_of(upload), upload.received_bytes, upload.is_complete) == (b"0123456789", 10, True)


def test_only_its_owner_can_read_a_file_and_the_client_names_no_path(user: User, folder: Path) -> None:
    upload = uploads.begin(user, "../../etc/passwd\0\n", 1)

    path = uploads.path_of(upload)
    assert path == folder / str(user.pk) / str(upload.public_id)
    assert [oct(each.stat().st_mode)[-3:] for each in (path, path.parent, folder)] == ["600", "700", "700"]
    assert upload.name == "../../etc/passwd"


def test_a_part_that_does_not_begin_where_the_last_one_ended_is_told_the_right_offset(upload: Upload) -> None:
    uploads.append(upload, 0, [b"0123"])

    for offset in (0, 3, 5):
        with pytest.raises(OffsetMismatch) as refused:
            uploads.append(upload, offset, [b"x"])
        assert refused.value.offset == 4
    assert bytes_of(upload) == b"0123"


def test_more_than_was_announced_is_refused_and_not_kept(upload: Upload) -> None:
    uploads.append(upload, 0, [b"0123"])

    with pytest.raises(MoreThanAnnounced):
        uploads.append(upload, 4, [b"456789", b"x"])

    uploads.append(upload, 4, [b"ABCDEF"])
    assert bytes_of(upload) == b"0123ABCDEF"


def test_a_part_may_have_16_mb_and_no_byte_more(user: User) -> None:
    upload = uploads.begin(user, "large", 3 * PART_BYTES_MAXIMUM)
    half = bytes(PART_BYTES_MAXIMUM // 2)

    uploads.append(upload, 0, [half, half])
    with pytest.raises(PartTooLarge):
        uploads.append(upload, PART_BYTES_MAXIMUM, [half, half, b"x"])

    assert upload.received_bytes == PART_BYTES_MAXIMUM


def test_what_a_killed_process_wrote_beyond_the_row_is_cut_off(upload: Upload) -> None:
    uploads.append(upload, 0, [b"0123"])
    with uploads.path_of(upload).open("ab") as file:
        file.write(b"left behind by the part that was cut")

    uploads.append(upload, 4, [b"45"])

    assert bytes_of(upload) == b"012345"


def test_a_part_that_breaks_off_leaves_the_offset_where_it_was(upload: Upload) -> None:
    def broken() -> Iterator[bytes]:
        yield b"0123"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        uploads.append(upload, 0, broken())

    upload.refresh_from_db()
    assert upload.received_bytes == 0
    uploads.append(upload, 0, [b"abc"])
    assert bytes_of(upload) == b"abc"


def test_while_a_part_is_written_another_is_refused(upload: Upload) -> None:
    def another() -> Iterator[bytes]:
        yield b"0123"
        with pytest.raises(UploadBusy):
            uploads.append(Upload.objects.get(pk=upload.pk), 0, [b"other"])
        with pytest.raises(UploadBusy):
            uploads.remove(Upload.objects.get(pk=upload.pk))

    uploads.append(upload, 0, another())

    assert bytes_of(upload) == b"0123"


@pytest.mark.django_db(transaction=True)
def test_of_many_who_send_the_same_part_at_once_one_wins(upload: Upload) -> None:
    outcomes: list[str] = []
    barrier = threading.Barrier(6)

    def send(letter: str) -> None:
        mine = Upload.objects.get(pk=upload.pk)
        barrier.wait()
        try:
            uploads.append(mine, 0, [letter.encode() * 10])
            outcomes.append(letter)
        except (OffsetMismatch, UploadBusy):
            pass
        finally:
            connection.close()

    threads = [threading.Thread(target=send, args=(letter,)) for letter in "abcdef"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    (winner,) = outcomes
    assert bytes_of(upload) == winner.encode() * 10


def test_a_full_disk_is_said_and_nothing_of_the_part_counts(upload: Upload, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int, _data: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(DiskFull):
            uploads.append(upload, 0, [b"0123"])

    uploads.append(upload, 0, [b"0123"])
    assert upload.received_bytes == 4


def test_an_empty_file_is_complete_at_once(user: User) -> None:
    assert uploads.begin(user, "empty", 0).is_complete


def test_a_file_that_is_gone_from_the_disk_is_said_to_be(upload: Upload) -> None:
    uploads.path_of(upload).unlink()

    with pytest.raises(UploadRemoved):
        uploads.append(upload, 0, [b"0"])


def test_a_whole_file_is_moved_into_its_place(user: User, tmp_path: Path) -> None:
    received = tmp_path / "received"
    received.write_bytes(b"whole")

    upload = uploads.take_over(user, "study.zip", received)

    upload.refresh_from_db()
    assert (bytes_of(upload), upload.is_complete, received.exists()) == (b"whole", True, False)


# Quota


def test_what_was_announced_counts_against_the_quota_until_it_is_removed(user: User, settings: Settings) -> None:
    settings.UPLOAD_QUOTA_BYTES = 100
    first = uploads.begin(user, "first", 60)

    with pytest.raises(QuotaExceeded):
        uploads.begin(user, "second", 41)

    assert uploads.used_by(user) == 60
    uploads.remove(first)
    assert uploads.used_by(user) == 0
    uploads.begin(user, "second", 100)


def test_one_users_uploads_leave_anothers_quota_alone(user: User, settings: Settings) -> None:
    settings.UPLOAD_QUOTA_BYTES = 100
    uploads.begin(user, "first", 100)

    uploads.begin(User.objects.create_user("another"), "second", 100)


@pytest.mark.django_db(transaction=True)
def test_many_at_once_do_not_share_what_is_left_of_the_quota(user: User, settings: Settings) -> None:
    settings.UPLOAD_QUOTA_BYTES = 100
    begun: list[Upload] = []
    barrier = threading.Barrier(4)

    def begin() -> None:
        barrier.wait()
        try:
            begun.append(uploads.begin(user, "mine", 60))
        except QuotaExceeded:
            pass
        finally:
            connection.close()

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(begun) == 1


# Deleting


def test_a_deleted_upload_takes_no_part_any_more(upload: Upload) -> None:
    uploads.remove(upload)

    assert not is_kept(upload)
    with pytest.raises(UploadRemoved):
        uploads.append(upload, 0, [b"0"])
    uploads.remove(upload)


@pytest.mark.parametrize("state", [BatchState.QUEUED, BatchState.READING, BatchState.ASKING, BatchState.DRAFT])
def test_what_a_batch_is_still_read_from_is_not_deleted(submitted: Submitted, state: BatchState) -> None:
    upload = submitted(state)

    with pytest.raises(UploadInUse):
        uploads.remove(upload)

    assert is_kept(upload)


@pytest.mark.parametrize("state", [state for state in State if not state.is_terminal])
def test_what_a_transfer_may_be_reading_is_not_deleted(submitted: Submitted, state: State) -> None:
    upload = submitted(BatchState.STARTED, "committed", "pending", state=state)

    with pytest.raises(UploadInUse):
        uploads.remove(upload)
    assert uploads.remove_stale(timezone.now() + 9 * DAY) == 0

    assert is_kept(upload)


def test_its_owner_may_give_up_what_could_still_be_sent_again(submitted: Submitted) -> None:
    upload = submitted(BatchState.STARTED, "partial")

    uploads.remove(upload)

    assert not is_kept(upload)


# Retention


def test_what_nobody_submitted_is_deleted_after_a_day_without_a_part(upload: Upload) -> None:
    now = timezone.now()

    assert uploads.remove_stale(now + DAY - timedelta(minutes=1)) == 0
    assert is_kept(upload)
    assert uploads.remove_stale(now + DAY + timedelta(minutes=1)) == 1
    assert not is_kept(upload)


@pytest.mark.parametrize("state", [BatchState.FAILED, BatchState.DISCARDED])
def test_what_came_to_nothing_is_deleted(submitted: Submitted, state: BatchState) -> None:
    upload = submitted(state)

    assert uploads.remove_stale(timezone.now()) == 1
    assert not is_kept(upload)


def test_what_is_committed_for_a_day_is_deleted(submitted: Submitted) -> None:
    upload = submitted(BatchState.STARTED, "committed", "committed")

    assert uploads.remove_stale(timezone.now() + DAY - timedelta(minutes=1)) == 0
    assert is_kept(upload)
    assert uploads.remove_stale(timezone.now() + DAY + timedelta(minutes=1)) == 1
    assert not is_kept(upload)


@pytest.mark.parametrize("verdict", ["partial", "nothing-stored", "unverifiable"])
def test_what_could_still_be_sent_again_is_kept(submitted: Submitted, verdict: str) -> None:
    upload = submitted(BatchState.STARTED, "committed", verdict)

    assert uploads.remove_stale(timezone.now() + 9 * DAY) == 0
    assert is_kept(upload)


def test_a_file_that_no_row_knows_is_deleted_once_it_is_old(upload: Upload, folder: Path) -> None:
    path = uploads.path_of(upload)
    stranger = folder / "notes" / "readme"
    stranger.parent.mkdir()
    stranger.touch()
    upload.delete()

    assert uploads.remove_stale(timezone.now()) == 0
    assert path.exists()
    assert uploads.remove_stale(timezone.now() + DAY + timedelta(minutes=1)) == 1
    assert not path.exists()
    assert stranger.exists()
