"""Asks a destination to commit to what it holds: every request is in the database before it is sent (PS3.4 J.3.2)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta
from threading import Event

from django.utils import timezone

from audit.observations import EvidenceKind, Observation
from transfers import commitments, queue
from transfers.errors import AssociationError, CommitmentRefused, TransferError
from transfers.models import CommitmentRequest
from transfers.run import Run
from transfers.wire.association import Association
from transfers.wire.commitment import (
    COMMITMENT_CONTEXT,
    CommitmentReport,
    Keep,
    Reference,
    await_reports,
    request_commitment,
)
from transfers.wire.stopping import interruption_by

ATTEMPTS = 3
WAIT_SECONDS = 1.0
LINGER_SECONDS = 2.0
"""How long the association is kept for destinations that report over it; most report over one of their own."""


def ask_to_commit(run: Run) -> None:
    """Ask about the whole manifest, over an association of its own, and take what is reported over that at once.

    What was asked in a run that broke off, and may still be reported, is not asked again. Never raises for a fault of
    the destination: that becomes evidence, which denies nothing.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _ask(run, _prepare(run))
        except AssociationError as error:
            is_last = not error.retriable or attempt == ATTEMPTS or run.halt.wait(WAIT_SECONDS * attempt)
            if is_last:
                _give_up(run, error)
                return
        else:
            return


def _prepare(run: Run) -> list[CommitmentRequest]:
    """Write down what is to be asked, each request with a UID and a round of its own."""
    transfer, destination = run.transfer, run.transfer.destination
    now = timezone.now()
    waiting = transfer.commitment_requests.filter(closed_at__isnull=True)
    # Nobody knows whether these arrived: they are asked anew, and a report of the old ones counts all the same.
    waiting.filter(sent_at__isnull=True).update(closed_at=now)
    asked = {uid for request in waiting.filter(sent_at__isnull=False) for uid in request.sop_instance_uids}
    uids = [entry.sop_instance_uid for entry in run.entries if entry.sop_instance_uid not in asked]
    size = destination.commitment_batch_size
    return [
        CommitmentRequest.objects.create(
            transfer=transfer,
            transaction_uid=f"2.25.{uuid.uuid4().int}",
            round=run.ledger.begin_round(),
            sop_instance_uids=uids[first : first + size],
            called_ae_title=destination.dicom_endpoint.called_ae_title,
            created_at=now,
            due_at=now + _patience(run),
        )
        for first in range(0, len(uids), size)
    ]


def _patience(run: Run) -> timedelta:
    """As said for this transfer, else as the destination's settings say."""
    said = run.transfer.options.get("commitment_timeout_seconds")
    return timedelta(seconds=said or run.transfer.destination.commitment_timeout_seconds)


def _ask(run: Run, requests: Sequence[CommitmentRequest]) -> None:
    if not requests:
        return
    endpoint = run.transfer.destination.dicom_endpoint

    def keep(report: CommitmentReport) -> bool:
        commitments.keep_report(report, calling_ae_title=endpoint.called_ae_title)
        return True

    with (
        interruption_by(run.halt) as interruption,
        Association.open(endpoint, [COMMITMENT_CONTEXT], interruption) as association,
    ):
        for request in requests:
            _ask_one(run, request, association, keep)
        if sent := [request for request in requests if request.sent_at is not None]:
            await_reports(association, LINGER_SECONDS, keep, _AllReported(run, sent), expected=len(sent))


def _ask_one(run: Run, request: CommitmentRequest, association: Association, keep: Keep) -> None:
    sop_classes = {entry.sop_instance_uid: entry.sop_class_uid for entry in run.entries}
    references = [Reference(sop_classes[uid], uid) for uid in request.sop_instance_uids]
    try:
        request_commitment(association, request.transaction_uid, references, keep)
    except CommitmentRefused as error:
        _record_failed(run, request, error)
        return
    request.sent_at = timezone.now()
    request.due_at = request.sent_at + _patience(run)
    request.save(update_fields=["sent_at", "due_at"])
    queue.record_event(run.transfer, "commitment_asked", request.sent_at, instances=len(references))


class _AllReported(Event):
    """Set once every report is in the database, whichever way it came, or the process is to let go."""

    def __init__(self, run: Run, requests: Sequence[CommitmentRequest]) -> None:
        super().__init__()
        self._halt = run.halt
        self._without_report = CommitmentRequest.objects.filter(
            pk__in=[request.pk for request in requests], reports__isnull=True
        )

    def is_set(self) -> bool:
        return self._halt.is_set() or not self._without_report.exists()


def _give_up(run: Run, error: AssociationError) -> None:
    """Of what may have been asked all the same, a report still counts."""
    queue.record_event(run.transfer, "commitment_not_asked", error=error.code, reason=str(error))
    for request in run.transfer.commitment_requests.filter(sent_at__isnull=True, closed_at__isnull=True):
        _record_failed(run, request, error)


def _record_failed(run: Run, request: CommitmentRequest, error: TransferError) -> None:
    """In a round of its own: within that of the request it would silence a report that comes all the same."""
    run.ledger.begin_round()
    now = timezone.now()
    detail = {"code": error.code, "reason": str(error)}
    for uid in request.sop_instance_uids:
        run.ledger.record(Observation(uid, EvidenceKind.COMMITMENT_FAILED, now, detail))
    run.ledger.flush()
    request.closed_at = now
    request.save(update_fields=["closed_at"])
