"""Files that are sent to us in parts: kept under ids of ours until nothing needs them any more, and never served back.

A file lies at UPLOAD_DIR/<user id>/<upload id>. What its row says has arrived is on disk; bytes beyond that are what a
process that was killed left behind, and are cut off by the next part.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.db import DatabaseError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Sum
from django.utils import timezone

from audit.judgements import StudyVerdict
from transfers.errors import TransferError
from transfers.models import Transfer, Upload
from transfers.states import TERMINAL, BatchState

logger = logging.getLogger(__name__)

PART_BYTES_MAXIMUM = 16 * 1024 * 1024
"""Of one part: what is lost where a connection breaks, and what one request may bring."""
NAME_CHARACTERS_MAXIMUM = 255

UNUSED_FOR = timedelta(hours=24)
"""After so long without a part, nobody comes back for it: a night's upload may still be resumed in the morning."""
COMMITTED_FOR = timedelta(days=1)
"""What is proved to be stored is kept a day longer, for whoever looks at it the morning after and sends it again."""

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_DISK_FULL = "53100"
"""Of PostgreSQL (its Appendix A)."""


class UploadError(TransferError):
    """The upload failed."""

    code = "upload_error"


class QuotaExceeded(UploadError):
    """There is no room left for this file in what one account may keep here: delete uploads that are not needed."""

    code = "quota_exceeded"


class OffsetMismatch(UploadError):
    """This part does not begin where the last one ended: go on from the offset that is given here."""

    code = "offset_mismatch"
    retriable = True

    def __init__(self, offset: int) -> None:
        super().__init__()
        self.offset = offset
        """How many bytes have arrived."""


class PartTooLarge(UploadError):
    """A part is too large: send the file in parts of at most 16 MB."""

    code = "part_too_large"


class MoreThanAnnounced(UploadError):
    """There is more to this file than was announced when its upload began: begin it again with the right size."""

    code = "more_than_announced"


class UploadBusy(UploadError):
    """Another part of this upload is just being written: wait for its answer, and go on from there."""

    code = "upload_busy"
    retriable = True


class UploadInUse(UploadError):
    """This upload belongs to a batch that is not over: its transfers may still read it."""

    code = "upload_in_use"


class UploadRemoved(UploadError):
    """This upload was deleted, or is not kept any more: begin it again."""

    code = "upload_removed"


class DiskFull(UploadError):
    """The disk of the server is full. Nothing of this part was kept; go on once there is room."""

    code = "disk_full"
    retriable = True


def is_full_disk(error: BaseException | None) -> bool:
    """Whether a disk had no room: that of the files, or that of the database."""
    if isinstance(error, OSError):
        return error.errno in _NO_ROOM
    if isinstance(error, DatabaseError):  # SQLite says so in words, PostgreSQL by its code
        return "disk is full" in str(error) or getattr(error.__cause__, "sqlstate", "") == _DISK_FULL
    return False


def begin(user: User, name: str, size_bytes: int) -> Upload:
    """Announce a file of so many bytes. Raises QuotaExceeded, DiskFull."""
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)  # two at once must not share what is left of the quota
        if used_by(user) + size_bytes > settings.UPLOAD_QUOTA_BYTES:
            raise QuotaExceeded
        now = timezone.now()
        upload = Upload.objects.create(
            created_by=user, name=_printable(name), size_bytes=size_bytes, created_at=now, changed_at=now
        )
        with _full_disk_explained():
            _make_file(path_of(upload))
    return upload


def append(upload: Upload, offset: int, chunks: Iterable[bytes]) -> None:
    """Write one part, which begins where what has arrived ends; on return it is on disk, and `upload` says so.

    Raises OffsetMismatch, UploadBusy, UploadRemoved, PartTooLarge, MoreThanAnnounced, DiskFull: nothing is kept then.
    """
    with _locked(upload) as descriptor, _full_disk_explained():
        if offset != upload.received_bytes:
            raise OffsetMismatch(upload.received_bytes)
        os.ftruncate(descriptor, offset)
        os.lseek(descriptor, offset, os.SEEK_SET)
        written = _write(descriptor, chunks, upload.size_bytes - offset)
        os.fsync(descriptor)
        _note_received(upload, offset, written)


def take_over(user: User, name: str, file: Path) -> Upload:
    """Keep a whole file that was received in one go; it is moved, not copied. Raises QuotaExceeded, DiskFull."""
    upload = begin(user, name, file.stat().st_size)
    with _full_disk_explained():
        file.chmod(0o600)
        file.replace(path_of(upload))
        _sync(path_of(upload))
        _sync(path_of(upload).parent)
    _note_received(upload, 0, upload.size_bytes)
    return upload


def path_of(upload: Upload) -> Path:
    """Where its bytes lie. Nothing that a client named is part of it."""
    return Path(settings.UPLOAD_DIR) / str(upload.created_by_id) / str(upload.public_id)


def remove(upload: Upload) -> None:
    """Delete the bytes; the row keeps the name. Raises UploadInUse while something may read it, UploadBusy."""
    with suppress(UploadRemoved), _locked(upload):
        if _in_use(Upload.objects.filter(pk=upload.pk)).exists():
            raise UploadInUse
        _forget(upload)


def used_by(user: User) -> int:
    """The bytes of a user's uploads that are kept, those announced and not yet here included."""
    kept = Upload.objects.filter(created_by=user, removed_at__isnull=True)
    return kept.aggregate(total=Sum("size_bytes"))["total"] or 0


def remove_stale(now: datetime) -> int:
    """Delete what nothing needs any more, and files that no row knows; returns how many.

    Those are uploads that nobody submitted and nobody wrote to for a day, those of batches that failed or were
    discarded, and those of batches all of whose studies are committed for a day. What could be resent is kept.
    """
    removed = 0
    for upload in _stale(now).iterator(chunk_size=500):
        with suppress(UploadBusy, UploadInUse, UploadRemoved), _locked(upload):
            if _stale(now).filter(pk=upload.pk).exists():
                _forget(upload)
                removed += 1
    removed += _remove_unknown_files(now)
    if removed:
        logger.info("Uploads that nothing needs were deleted", extra={"action": "uploads_removed", "files": removed})
    return removed


def _printable(name: str) -> str:
    return "".join(character for character in name if character.isprintable())[:NAME_CHARACTERS_MAXIMUM]


def _make_file(path: Path) -> None:
    path.parent.parent.mkdir(mode=0o700, exist_ok=True)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _locked(upload: Upload) -> Iterator[int]:
    """The open file, while nobody else writes or deletes it, and `upload` as it is now."""
    try:
        descriptor = os.open(path_of(upload), os.O_RDWR)
    except FileNotFoundError:
        raise UploadRemoved from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UploadBusy from None
        upload.refresh_from_db()
        if upload.removed_at is not None:
            raise UploadRemoved
        yield descriptor
    finally:
        os.close(descriptor)


def _write(descriptor: int, chunks: Iterable[bytes], room: int) -> int:
    written = 0
    for chunk in chunks:
        if written + len(chunk) > PART_BYTES_MAXIMUM:
            raise PartTooLarge
        if written + len(chunk) > room:
            raise MoreThanAnnounced
        _write_all(descriptor, chunk)
        written += len(chunk)
    return written


def _write_all(descriptor: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(descriptor, view) :]


def _note_received(upload: Upload, offset: int, written: int) -> None:
    """The row follows the file. By compare-and-set: locks do not reach across every kind of shared disk."""
    now = timezone.now()
    unchanged = Upload.objects.filter(pk=upload.pk, received_bytes=offset, removed_at__isnull=True)
    if unchanged.update(received_bytes=offset + written, changed_at=now) != 1:
        raise UploadBusy
    upload.received_bytes, upload.changed_at = offset + written, now


@contextmanager
def _full_disk_explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if is_full_disk(error):
            raise DiskFull from error
        raise


def _forget(upload: Upload) -> None:
    """The row first: the file that a killed process leaves then is known by no row, and deleted later.

    Raises UploadInUse where it was submitted just now.
    """
    now = timezone.now()
    unchanged = Upload.objects.filter(pk=upload.pk, batch=upload.batch_id, removed_at__isnull=True)
    if unchanged.update(removed_at=now) != 1:
        raise UploadInUse
    upload.removed_at = now
    path_of(upload).unlink(missing_ok=True)


_BATCH_ENDED = (BatchState.STARTED, BatchState.FAILED, BatchState.DISCARDED)


def _in_use(uploads: QuerySet[Upload]) -> QuerySet[Upload]:
    """Those that a batch is still to be read from, or a transfer may be reading."""
    under_way = Transfer.objects.filter(batch=OuterRef("batch")).exclude(state__in=TERMINAL)
    return uploads.filter(batch__isnull=False).filter(~Q(batch__state__in=_BATCH_ENDED) | Exists(under_way))


def _stale(now: datetime) -> QuerySet[Upload]:
    transfers = Transfer.objects.filter(batch=OuterRef("batch"))
    resendable = transfers.exclude(verdict=StudyVerdict.COMMITTED, finished_at__lt=now - COMMITTED_FOR)
    unused = Q(batch__isnull=True, changed_at__lt=now - UNUSED_FOR)
    given_up = Q(batch__state__in=[BatchState.FAILED, BatchState.DISCARDED])
    committed = Q(batch__state=BatchState.STARTED) & Exists(transfers) & ~Exists(resendable)
    stale = Upload.objects.filter(removed_at__isnull=True).filter(unused | given_up | committed)
    return stale.exclude(pk__in=_in_use(Upload.objects.all()).values("pk"))


def _remove_unknown_files(now: datetime) -> int:
    """What a process that was killed left, or an account that was deleted."""
    removed = 0
    for file in Path(settings.UPLOAD_DIR).glob("*/*"):
        with suppress(FileNotFoundError, ValueError):
            public_id = uuid.UUID(file.name)
            is_old = file.stat().st_mtime < (now - UNUSED_FOR).timestamp()
            if is_old and not Upload.objects.filter(public_id=public_id, removed_at__isnull=True).exists():
                file.unlink()
                removed += 1
    return removed
