"""A claimed batch is read: one transfer a study, what was skipped with its reason, all of it or nothing."""

from __future__ import annotations

import shutil
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection
from pytest_django import Settings

from project.logging import JsonFormatter
from tests.datasets import write_study
from transfers import batch_reader, leases, submissions, uploads
from transfers.batch_queue import claim_batch
from transfers.batch_reader import read_batch
from transfers.leases import this_process
from transfers.models import Batch, Destination, SkippedFile, Transfer
from transfers.submissions import Submission

pytestmark = pytest.mark.django_db(transaction=True)

Claim = Callable[..., Batch]


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("operator")


@pytest.fixture
def root(tmp_path: Path, settings: Settings) -> Path:
    root = tmp_path / "import"
    root.mkdir()
    settings.IMPORT_ROOTS = [str(root)]
    settings.UPLOAD_DIR = tmp_path / "uploads"
    return root


@pytest.fixture
def claim(destination: Destination, user: User, root: Path) -> Claim:
    """Submit a folder, or uploads, and claim the batch for this process."""

    def claim(path: Path | None = None, *files: Path, **asked_for: object) -> Batch:
        kept = [uploads.take_over(user, file.name, file) for file in files]
        asked_for |= {"path": str(path)} if path else {"uploads": kept}
        batch = submissions.submit(Submission(destination, **asked_for), by=user)  # type: ignore[arg-type]
        claim_batch(batch, this_process())
        return batch

    return claim


def studies(batch: Batch) -> dict[str, int]:
    """Study Instance UID and number of instances of each transfer."""
    return dict(batch.transfers.values_list("study_instance_uid", "instances"))


def skipped(batch: Batch) -> set[tuple[str, str]]:
    return set(batch.skipped.values_list("path", "kind"))


@contextmanager
def the_database_does(act: str, study_instance_uid: str) -> Iterator[None]:
    """Instead of storing a transfer of this study, whatever is written here in its own language."""
    condition = f"WHEN (NEW.study_instance_uid = '{study_instance_uid}')"
    if connection.vendor == "sqlite":
        create = f"CREATE TRIGGER fault BEFORE INSERT ON transfers_transfer {condition} BEGIN {act}; END"
        drop = "DROP TRIGGER fault"
    else:
        create = f"""
            CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {act}; END $$;
            CREATE TRIGGER fault BEFORE INSERT ON transfers_transfer FOR EACH ROW {condition} EXECUTE FUNCTION fault();
        """
        drop = "DROP FUNCTION fault CASCADE"
    with connection.cursor() as cursor:
        cursor.execute(create)
    yield
    with connection.cursor() as cursor:
        cursor.execute(drop)


def test_what_is_to_be_asked_besides_goes_to_every_transfer(claim: Claim, root: Path, destination: Destination) -> None:
    destination.ask_at.add(Destination.objects.create(name="rest", kind="orthanc", url="http://127.0.0.1:8042"))
    write_study(root, 1)

    batch = claim(root, asks_commitment=True, rolls_back=True, verify="content:15%")
    read_batch(batch)

    transfer = batch.transfers.get()
    assert (transfer.asks_commitment, transfer.rolls_back, transfer.verify) == (True, True, "content:15%")
    assert (transfer.method, transfer.purpose) == ("c-store", "send")


def test_nothing_is_sent_of_a_batch_that_only_asks(claim: Claim, root: Path) -> None:
    write_study(root, 1)

    batch = claim(root, is_inquiry=True)
    read_batch(batch)

    transfer = batch.transfers.get()
    assert (transfer.method, transfer.purpose, transfer.state) == (None, "verify", "queued")
    assert (batch.state, transfer.is_in_background) == ("started", True)


def test_every_study_of_a_folder_becomes_a_transfer_as_it_was_asked_for(claim: Claim, root: Path) -> None:
    write_study(root, 3, study_instance_uid="2.25.1")
    write_study(root, 2, study_instance_uid="2.25.2")
    batch = claim(root, verify="none", options={"associations": 2}, send_what_can=True)

    read_batch(batch)

    batch.refresh_from_db()
    assert studies(batch) == {"2.25.1": 3, "2.25.2": 2}
    assert (batch.state, batch.files_read, batch.worker, batch.lease_until) == ("started", 5, "", None)
    assert batch.read_at is not None
    transfer = batch.transfers.all()[0]
    assert (transfer.state, transfer.is_in_background, transfer.stops_before_sending) == ("queued", True, False)
    assert (transfer.verify, transfer.options, transfer.send_what_can) == ("none", {"associations": 2}, True)


def test_a_batch_that_is_not_to_start_has_its_transfers_ask_only(claim: Claim, root: Path) -> None:
    write_study(root, 1)
    batch = claim(root, starts=False)

    read_batch(batch)

    batch.refresh_from_db()
    assert batch.state == "asking"
    assert Transfer.objects.get().stops_before_sending


def test_what_was_skipped_is_kept_under_its_place_in_the_folder(claim: Claim, root: Path) -> None:
    folder = root / "from the scanner"
    (folder / "a").mkdir(parents=True)
    (first,) = write_study(folder / "a", 1)
    shutil.copy(first, folder / "copy.dcm")
    (folder / "a" / "note.txt").write_text("no DICOM")
    (folder / "out.dcm").symlink_to("/etc/hostname")
    batch = claim(folder)

    read_batch(batch)

    assert skipped(batch) == {("a/note.txt", "not-dicom"), ("copy.dcm", "duplicate"), ("out.dcm", "unsafe")}
    assert all(str(root) not in each.reason for each in SkippedFile.objects.all())
    assert f"a/{first.name}" in SkippedFile.objects.get(kind="duplicate").reason
    assert Transfer.objects.get().audit.files_left_out == 1


def test_a_single_file_is_called_by_its_name(claim: Claim, root: Path) -> None:
    (root / "letter.pdf").write_bytes(b"%PDF-1.4")
    batch = claim(root / "letter.pdf")

    read_batch(batch)

    assert skipped(batch) == {("letter.pdf", "not-dicom")}


def test_uploads_are_read_and_called_as_whoever_sent_them_calls_them(claim: Claim, tmp_path: Path) -> None:
    write_study(tmp_path, 2, study_instance_uid="2.25.3")
    first, second = sorted(tmp_path.glob("*.dcm"))
    note = tmp_path / "note [1].txt"
    note.write_text("no DICOM")
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
        archive.write(first, "in/first.dcm")
        archive.writestr("in/readme", "no DICOM")
    batch = claim(None, tmp_path / "study.zip", second, note, first)

    read_batch(batch)

    assert studies(batch) == {"2.25.3": 2}
    assert skipped(batch) == {
        ("study.zip/in/readme", "not-dicom"),
        ("note [1].txt", "not-dicom"),
        (first.name, "duplicate"),
    }
    assert "study.zip/in/first.dcm" in SkippedFile.objects.get(kind="duplicate").reason


def test_input_without_an_instance_fails_and_says_what_was_skipped(claim: Claim, root: Path) -> None:
    (root / "note.txt").write_text("no DICOM")
    batch = claim(root)

    read_batch(batch)

    batch.refresh_from_db()
    assert (batch.state, batch.error_code) == ("failed", "no_instances")
    assert "no readable DICOM instance" in batch.error
    assert skipped(batch) == {("note.txt", "not-dicom")}
    assert not Transfer.objects.exists()


def test_a_folder_that_is_not_there_any_more_fails_and_says_what_to_do(
    claim: Claim, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = root / "Doe^Jane"
    folder.mkdir()
    batch = claim(folder)
    folder.rmdir()

    read_batch(batch)

    batch.refresh_from_db()
    assert (batch.state, batch.error_code) == ("failed", "input_not_read")
    assert "submit it again" in batch.error
    assert str(root) not in batch.error
    assert "Doe^Jane" not in "".join(JsonFormatter().format(record) for record in caplog.records)
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_folder_that_is_no_import_folder_any_more_is_not_read(claim: Claim, root: Path, settings: Settings) -> None:
    write_study(root, 1)
    batch = claim(root)
    settings.IMPORT_ROOTS = []

    read_batch(batch)

    batch.refresh_from_db()
    assert (batch.state, batch.error_code) == ("failed", "path_not_allowed")


def test_a_batch_that_was_discarded_meanwhile_makes_nothing(claim: Claim, root: Path) -> None:
    write_study(root, 2)
    (root / "note.txt").write_text("no DICOM")
    batch = claim(root)
    submissions.discard(Batch.objects.get())

    read_batch(batch)

    assert Batch.objects.get().state == "discarded"
    assert not Transfer.objects.exists()
    assert not SkippedFile.objects.exists()


def test_a_batch_that_another_worker_took_over_is_left_to_it(claim: Claim, root: Path) -> None:
    write_study(root, 2)
    batch = claim(root)
    Batch.objects.update(worker="elsewhere/1/1")

    read_batch(batch)

    assert (Batch.objects.get().state, Batch.objects.get().worker) == ("reading", "elsewhere/1/1")
    assert not Transfer.objects.exists()


def test_a_stopped_worker_puts_its_batch_back(claim: Claim, root: Path) -> None:
    write_study(root, 2)
    batch, stop = claim(root), threading.Event()
    stop.set()

    read_batch(batch, stop=stop)

    assert (Batch.objects.get().state, Batch.objects.get().worker) == ("queued", "")
    assert not Transfer.objects.exists()


def test_how_far_the_reading_is_can_be_seen_meanwhile(
    claim: Claim, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_reader, "NOTED_SECONDS", 0.0)
    monkeypatch.setattr(leases, "LOOK_SECONDS", 0.01)
    write_study(root, 2_000, size_bytes=64)
    batch = claim(root)
    seen = []

    def watch() -> None:
        while (now := Batch.objects.get()).state == "reading":
            seen.append(now.files_read)
        connection.close()

    watcher = threading.Thread(target=watch)
    watcher.start()
    read_batch(batch)
    watcher.join()

    assert seen == sorted(seen)
    assert any(0 < files_read < 2_000 for files_read in seen)
    assert studies(batch).popitem()[1] == 2_000


def test_a_database_that_takes_nothing_fails_the_batch_with_nothing_made_of_it(claim: Claim, root: Path) -> None:
    write_study(root, 1, study_instance_uid="2.25.1")
    write_study(root, 1, study_instance_uid="2.25.2")
    batch = claim(root)
    full = "SELECT RAISE(ABORT, 'full')" if connection.vendor == "sqlite" else "RAISE EXCEPTION 'full'"

    with the_database_does(full, "2.25.2"):
        read_batch(batch)

    batch.refresh_from_db()
    assert (batch.state, batch.error_code) == ("failed", "database_failed")
    assert "submit it again" in batch.error
    assert not Transfer.objects.exists()


@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="a file is always there")
def test_a_database_that_drops_the_connection_has_the_batch_read_again(claim: Claim, root: Path) -> None:
    write_study(root, 1, study_instance_uid="2.25.1")
    batch = claim(root)
    dropped = "EXECUTE 'SELECT pg_terminate_backend(pg_backend_pid())'"

    with the_database_does(dropped, "2.25.1"):
        read_batch(batch)
    batch.refresh_from_db()
    left = batch.state
    claim_batch(batch, this_process())
    read_batch(batch)

    assert left == "queued"
    assert Batch.objects.get().state == "started"
    assert Transfer.objects.count() == 1
