"""What is submitted in one go: one function an intent, for pages and API alike."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone

from transfers import queue, services
from transfers.batch_queue import move_batch
from transfers.doorbell import ring_worker
from transfers.errors import TransferError
from transfers.feasibility import Wish, plan_of
from transfers.import_roots import confined
from transfers.models import Batch, Destination, Source, Transfer, Upload
from transfers.states import BatchState, State


class NothingSubmitted(TransferError):
    """Nothing was submitted: give a path under an import folder, files, or studies of a source."""

    code = "nothing_submitted"


class UploadUnfinished(TransferError):
    """An upload is not complete, or is not there any more: send its missing parts first, or upload it again."""

    code = "upload_unfinished"


class IdempotencyKeyReused(TransferError):
    """The same Idempotency-Key came with another request before: use a new key for a new request."""

    code = "idempotency_key_reused"


class NothingIsNew(Exception):
    """The source held nothing more of this study when it was asked last: there is nothing new to send."""


class Submission(NamedTuple):
    """What to send, or to ask about, in one go, as it was asked for."""

    destination: Destination
    method: str = ""
    """A key of METHODS; empty: by the kind of destination."""
    options: Mapping[str, Any] = {}
    verify: str = ""
    """Empty: the destination's policy."""
    asks_commitment: bool | None = None
    """None: where the method that fits the destination does."""
    rolls_back: bool = False
    is_inquiry: bool = False
    """Nothing is sent: the destination is only asked."""
    send_what_can: bool = False
    starts: bool = True
    path: str = ""
    uploads: Sequence[Upload] = ()
    files_sha256: Sequence[str] = ()
    """Of the files that came with the request itself: a repetition brings the same ones, under other uploads."""
    source: Source | None = None
    """What holds the studies; None where they are files."""
    studies: Sequence[str] = ()
    """Of the source: Study Instance UIDs, or Orthanc IDs."""
    waits_until_stable: bool = False
    """Whether the source is first given the time to call these studies stable."""

    @property
    def wish(self) -> Wish:
        """What of it has to be promised at the destination."""
        return Wish(**{name: getattr(self, name) for name in Wish._fields})


def submit(submission: Submission, *, by: User, idempotency_key: str = "") -> Batch:
    """Write the batch down, for a worker to read; with the same key the batch that it made before.

    Raises NotFeasible, NothingSubmitted, UploadUnfinished, IdempotencyKeyReused, and what `confined` raises for a path
    that may not be read.
    """
    if made := submitted_before(submission, by=by, idempotency_key=idempotency_key):
        return made
    path = str(confined(submission.path)) if submission.path else ""
    if not path and not submission.uploads and not (submission.source and submission.studies):
        raise NothingSubmitted
    try:
        with transaction.atomic():
            batch = _create(submission, path, by, idempotency_key)
            _take_uploads(batch, submission.uploads)
    except IntegrityError:  # the same key, at the same moment
        if made := submitted_before(submission, by=by, idempotency_key=idempotency_key):
            return made
        raise
    ring_worker()
    return batch


def send_what_is_new(transfer: Transfer, by: User) -> Batch:
    """Submit the study of a source once more, as it is there now and in the same way: what came to it since is sent.

    What the destination holds already is found before the first byte, and not sent again. Asked for twice, it is the
    same batch, unless that has failed or was discarded.

    Raises NothingIsNew unless the source had grown when it was asked last, DestinationMoved where it is another archive
    now, NotFeasible where its settings have changed.
    """
    if transfer.source is None or transfer.method is None or not transfer.source_grown_by:
        raise NothingIsNew(" ".join((NothingIsNew.__doc__ or "").split()))
    if transfer.audit.destination_address != transfer.destination.address:
        raise services.DestinationMoved(" ".join((services.DestinationMoved.__doc__ or "").split()))
    submission = Submission(
        transfer.destination,
        method=transfer.method,
        options=transfer.options,
        verify=transfer.verify if transfer.verification.asks else "",
        asks_commitment=transfer.asks_commitment or None,
        rolls_back=transfer.rolls_back,
        send_what_can=transfer.send_what_can,
        source=transfer.source,
        studies=[transfer.source_study_id],
    )
    return submit(submission, by=by, idempotency_key=_key_of_growth(transfer, by))


def _key_of_growth(transfer: Transfer, by: User) -> str:
    """The same for each press of the button, until what it made has come to nothing or the source was asked again."""
    key = f"{transfer.public_id} as of {transfer.source_asked_at} "
    made = Batch.objects.filter(created_by=by, idempotency_key__startswith=key)
    return f"{key}{made.filter(state__in=(BatchState.FAILED, BatchState.DISCARDED)).count()}"


def submitted_before(submission: Submission, *, by: User, idempotency_key: str) -> Batch | None:
    """The batch that the same request with the same key made. Raises IdempotencyKeyReused."""
    if not idempotency_key:
        return None
    made = Batch.objects.filter(created_by=by, idempotency_key=idempotency_key).first()
    if made is not None and made.request_sha256 != _digest(submission):
        raise IdempotencyKeyReused
    return made


def start(batch: Batch, *, send_what_can: bool | None = None) -> None:
    """Send the transfers of a draft; None: as was said when it was submitted. Raises BatchHasMoved."""
    what_can = batch.send_what_can if send_what_can is None else send_what_can
    with transaction.atomic():
        move_batch(batch, BatchState.STARTED, send_what_can=what_can)
        for transfer in batch.transfers.filter(state=State.DRAFT):
            transfer.stops_before_sending, transfer.send_what_can = False, what_can
            transfer.save(update_fields=["stops_before_sending", "send_what_can"])
            queue.move(transfer, State.QUEUED)
    ring_worker()


def discard(batch: Batch) -> None:
    """Decide against a draft, or against a batch that is not read yet: nothing of it is sent. Raises BatchHasMoved."""
    with transaction.atomic():
        move_batch(batch, BatchState.DISCARDED)
        for transfer in batch.transfers.exclude(state__in=[State.CANCELLED, State.FINISHED, State.FAILED]):
            services.cancel(transfer)


def _create(submission: Submission, path: str, by: User, key: str) -> Batch:
    plan = plan_of(submission.wish)
    return Batch.objects.create(
        created_by=by,
        destination=submission.destination,
        method=plan.method,
        options=dict(submission.options),
        verify=plan.verify,
        asks_commitment=plan.asks_commitment,
        rolls_back=submission.rolls_back,
        is_inquiry=submission.is_inquiry,
        send_what_can=submission.send_what_can,
        starts=submission.starts,
        path=path,
        source=submission.source,
        studies=list(submission.studies),
        waits_until_stable=submission.waits_until_stable,
        idempotency_key=key,
        request_sha256=_digest(submission) if key else "",
        created_at=timezone.now(),
    )


def _take_uploads(batch: Batch, uploads: Sequence[Upload]) -> None:
    for upload in uploads:
        free = Upload.objects.filter(pk=upload.pk, created_by=batch.created_by, batch__isnull=True)
        if not upload.is_complete or free.filter(removed_at__isnull=True).update(batch=batch) != 1:
            raise UploadUnfinished


def _digest(submission: Submission) -> str:
    """SHA-256 of what was asked for."""
    asked = submission._asdict() | {
        "destination": str(submission.destination.public_id),
        "options": dict(submission.options),
        "source": str(submission.source.public_id) if submission.source else "",
        "studies": list(submission.studies),
        "uploads": [] if submission.files_sha256 else [str(upload.public_id) for upload in submission.uploads],
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
