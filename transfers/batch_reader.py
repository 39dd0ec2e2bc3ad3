"""Reads one claimed batch: its input becomes one transfer a study, and what was skipped is kept with its reason."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

from django.db import Error, connection, transaction
from django.utils import timezone

from audit.chunks import chunks
from audit.entries import Skipped, StudyManifest
from audit.escaping import printable
from audit.inputs import InputUnreadable
from audit.manifest import read_input
from transfers import batch_queue, services
from transfers.batch_queue import BatchHasMoved, move_batch, note_files_read
from transfers.doorbell import ring_pages, ring_worker
from transfers.errors import RequestInterrupted, SourceStopped, StudyNotStable, TransferError
from transfers.import_roots import root_by_name
from transfers.leases import is_lost_connection
from transfers.models import Batch, SkippedFile, Source
from transfers.passwords import PasswordUnreadable
from transfers.services import AtSource
from transfers.source_studies import TakenStudy, take_studies
from transfers.sources.orthanc_studies import STABLE_WITHIN_SECONDS
from transfers.states import BatchState
from transfers.stopping import AnyOf
from transfers.uploads import path_of

logger = logging.getLogger(__name__)

NOTED_SECONDS = 1.0
"""How often it is written down how many files were read."""
STABLE_LOOK = timedelta(seconds=5)
"""How often a source is asked whether it calls the studies stable by now; meanwhile the worker does other things."""


class BatchFailed(TransferError):
    """No transfer could be made of this batch."""

    code = "batch_failed"


class NoInstances(BatchFailed):
    """It holds no readable DICOM instance. The list of what was skipped says why; choose other files."""

    code = "no_instances"


class InputNotRead(BatchFailed):
    """The input could not be read. Check that it is still there and readable on this machine, and submit it again."""

    code = "input_not_read"


class NotWrittenDown(BatchFailed):
    """The database could not take what was read. Check that it runs and its disk is not full, and submit it again."""

    code = "database_failed"


class SourcePasswordUnreadable(BatchFailed):
    """The source's password was stored under another SECRET_KEY. Set it again, and submit the studies again."""

    code = "password_unreadable"


class OurError(BatchFailed):
    """An error of ours kept it from being read. The log of the worker says more."""

    code = "our_error"


class _Halted(Exception):
    """This process is to let go of the batch."""


class _NotYet(Exception):
    """The source does not call its studies stable yet: it is asked again in a moment."""


class _Found(NamedTuple):
    """What a batch turned out to be."""

    studies: Sequence[tuple[StudyManifest, AtSource | None]]
    skipped: Sequence[Skipped]
    left_out: int
    """How many files or instances of the input are part of no transfer."""
    files_read: int


class _Input(NamedTuple):
    paths: Sequence[Path]
    within: Path | None
    shown: Callable[[str], str]
    """Makes of a text with paths of ours one with the names that whoever submitted them knows."""


def read_batch(batch: Batch, *, stop: Event | None = None) -> None:
    """Read a batch that this process has claimed, and make its transfers: all of them, or none.

    `stop`, once set, puts it back into the queue. Whatever goes wrong is told by its state and error; a batch that was
    discarded meanwhile, or taken over by another process, is left as it is.
    """
    lease, worker = batch_queue.Lease(batch), batch.worker
    halt = AnyOf(lease.lost, *([stop] if stop else []))
    try:
        with lease:
            _read(batch, halt)
    except BatchHasMoved:
        return
    except _Halted:
        _let_go(batch, worker, BatchState.QUEUED, files_read=0)
    except _NotYet:
        _let_go(batch, worker, BatchState.QUEUED, lease_until=timezone.now() + STABLE_LOOK)
    except TransferError as error:
        _fail(batch, worker, error)
    except InputUnreadable:  # it says which path, which may name a patient: nothing for a log
        _fail(batch, worker, InputNotRead())
    except OSError as error:
        _fail(batch, worker, InputNotRead(f"{InputNotRead()} ({error.strerror or type(error).__name__})"), cause=error)
    except Error as error:
        if is_lost_connection(error):
            _let_go(batch, worker, BatchState.QUEUED, files_read=0)
        else:
            _fail(batch, worker, NotWrittenDown(), cause=error)
    except Exception as error:  # noqa: BLE001  it is logged
        _fail(batch, worker, OurError(), cause=error)


def _read(batch: Batch, halt: Event) -> None:
    progress = _Progress(batch, halt)
    found = _found_at_source(batch, batch.source, progress, halt) if batch.source else _found_in_files(batch, progress)
    if halt.is_set():
        raise _Halted
    with transaction.atomic():
        _make(batch, found)
    ring_worker()


def _found_in_files(batch: Batch, progress: _Progress) -> _Found:
    given = _input_of(batch)
    manifest = read_input([str(path) for path in given.paths], progress=progress, within=given.within)
    skipped = [Skipped(given.shown(each.path), each.kind, given.shown(each.reason)) for each in manifest.skipped]
    return _Found([(study, None) for study in manifest.studies], skipped, manifest.left_out, progress.count)


def _found_at_source(batch: Batch, source: Source, progress: _Progress, halt: Event) -> _Found:
    """Raises _NotYet for as long as the source may take to call the studies stable, then StudyNotStable."""
    found: list[TakenStudy] = []
    waits = batch.waits_until_stable
    try:
        for study in take_studies(source, batch.studies, halt, waits_until_stable=waits, within_seconds=0):
            found.append(study)
            progress(progress.count + len(study.manifest.entries))
    except (SourceStopped, RequestInterrupted) as error:
        raise _Halted from error
    except StudyNotStable:
        if timezone.now() - batch.created_at > timedelta(seconds=STABLE_WITHIN_SECONDS):
            raise
        raise _NotYet from None
    except PasswordUnreadable as error:
        raise SourcePasswordUnreadable from error
    skipped = [each for study in found for each in study.skipped]
    left_out = sum(not each.kind.is_harmless for each in skipped)
    return _Found([(each.manifest, each.at_source) for each in found], skipped, left_out, progress.count)


def _make(batch: Batch, found: _Found) -> None:
    read = {"files_read": found.files_read, "read_at": timezone.now()}
    if found.studies:
        move_batch(batch, BatchState.STARTED if batch.starts else BatchState.ASKING, **read)
    else:
        move_batch(batch, BatchState.FAILED, error_code=NoInstances.code, error=str(NoInstances()), **read)
    rows = [SkippedFile(batch=batch, path=each.path, kind=each.kind, reason=each.reason) for each in found.skipped]
    for chunk in chunks(rows):
        SkippedFile.objects.bulk_create(chunk)
    for study, at_source in found.studies:
        services.create_transfer(
            study,
            at_source=at_source,
            destination=batch.destination,
            method=None if batch.is_inquiry else batch.method,
            verify=batch.verify,
            options=batch.options,
            asks_commitment=batch.asks_commitment,
            rolls_back=batch.rolls_back,
            send_what_can=batch.send_what_can,
            files_left_out=found.left_out,
            batch=batch,
        )


def _input_of(batch: Batch) -> _Input:
    """Raises PathNotAllowed where the path is under no import folder any more."""
    if batch.path:
        path = Path(batch.path)
        return _Input([path], root_by_name(path), partial(_relative, path))
    uploads = list(batch.uploads.order_by("pk"))
    names = {printable(str(path_of(upload))): printable(upload.name) for upload in uploads}
    pattern = re.compile("|".join(map(re.escape, names)))
    return _Input([path_of(upload) for upload in uploads], None, partial(pattern.sub, lambda found: names[found[0]]))


def _relative(folder: Path, text: str) -> str:
    return text.replace(printable(f"{folder}/"), "").replace(printable(str(folder)), printable(folder.name))


class _Progress:
    """Counts what was read, and writes it down about once a second. Raises _Halted once the reader is to end."""

    def __init__(self, batch: Batch, halt: Event) -> None:
        self.count = 0
        self._batch, self._halt = batch, halt
        self._noted_at = time.monotonic()

    def __call__(self, count: int) -> None:
        self.count = count
        if self._halt.is_set():
            raise _Halted
        now = time.monotonic()
        if now - self._noted_at >= NOTED_SECONDS:
            self._noted_at = now
            self._note()

    def _note(self) -> None:
        try:
            note_files_read(self._batch, self.count)
        except Error:  # away for a moment, which the lease outlives
            connection.close()
        ring_pages()


def _fail(batch: Batch, worker: str, error: TransferError, *, cause: Exception | None = None) -> None:
    logger.error("A batch could not be read", extra={"action": "batch_failed", "code": error.code}, exc_info=cause)
    said = {"error_code": error.code, "error": str(error)}
    _let_go(batch, worker, BatchState.FAILED, read_at=timezone.now(), **said)


def _let_go(batch: Batch, worker: str, to: BatchState, **changes: Any) -> None:
    """A batch that cannot even be moved stays held, and is read again once its lease has run out."""
    with suppress(Error, BatchHasMoved):
        batch.refresh_from_db(fields=["state"])  # what it came to may have been undone
        batch.worker = worker
        move_batch(batch, to, **changes)
