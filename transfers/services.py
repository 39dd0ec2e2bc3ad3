"""One function an intent: what pages, API and commands call to change anything."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Count, Q, Sum
from django.utils import timezone

from audit.entries import StudyManifest
from audit.judgements import InstanceVerdict, StudyVerdict
from audit.ledger import AskedAt, Ledger, continue_audit, open_audit
from transfers import queue
from transfers.abandoned import end_abandoned_attempts
from transfers.cancelling import record_cancelled
from transfers.doorbell import ring_worker
from transfers.models import Batch, Destination, Transfer
from transfers.states import HELD, TERMINAL, Purpose, State


class NothingToRetry(Exception):
    """Every instance of this transfer is confirmed: there is nothing to send again."""


class NothingToCancel(Exception):
    """This transfer has ended already: there is nothing to cancel."""


class DestinationMoved(Exception):
    """The destination was pointed to another archive since. Name the files instead: verify PATH --to NAME."""


_RETRIABLE = frozenset({State.FINISHED, State.CANCELLED, State.FAILED, State.INTERRUPTED})


def manifest_digest(study: StudyManifest) -> str:
    """SHA-256 over what the manifest says: equal only for the same files, untouched."""
    digest = hashlib.sha256()
    for entry in sorted(study.entries, key=lambda entry: entry.sop_instance_uid):
        digest.update(repr((entry, entry.sop_instance_uid in study.conflicts)).encode())
    return digest.hexdigest()


@transaction.atomic
def create_transfer(  # noqa: PLR0913  one for each thing that may be asked for
    study: StudyManifest,
    *,
    destination: Destination,
    method: str | None,
    verify: str,
    options: Mapping[str, Any] | None = None,
    send_what_can: bool = False,
    files_left_out: int = 0,
    worker: str = "",
    batch: Batch | None = None,
) -> Transfer:
    """Write a transfer with its audit and a row an instance. With `worker` it is born claimed by that process.

    `method` None: nothing will be sent; the destination is only asked about the study. `batch`: it was submitted
    with that, and runs in the background.
    """
    now = timezone.now()
    audit = open_audit(
        study,
        at=AskedAt(destination.public_id, destination.address),
        policy=destination.policy,
        files_left_out=files_left_out,
        is_inquiry=method is None,
    )
    transfer = Transfer.objects.create(
        destination=destination,
        method=method,
        options=dict(options or {}),
        verify=verify,
        purpose=Purpose.SEND if method else Purpose.VERIFY,
        send_what_can=send_what_can,
        batch=batch,
        stops_before_sending=batch is not None and not batch.starts,
        is_in_background=batch is not None,
        study_instance_uid=study.study_instance_uid,
        **_description(study),
        manifest_sha256=manifest_digest(study),
        audit=audit,
        state=State.CLAIMED if worker else State.QUEUED,
        worker=worker,
        lease_until=now + queue.LEASE if worker else None,
        created_at=now,
    )
    queue.record_event(transfer, "created", now, method=method, verify=verify, instances=len(study.entries))
    return transfer


def _description(study: StudyManifest) -> dict[str, Any]:
    """What lists show of the study."""
    description = study.description
    return {
        "study_description": description.text,
        "study_date": description.date or None,
        "modalities": ",".join(description.modalities)[:255],
        "series": description.series,
        "instances": len(study.entries),
        "size_bytes": sum(entry.data_set_size for entry in study.entries),
    }


def lock(destination: Destination) -> None:
    """Until the end of the transaction nobody else begins or takes up a transfer to this destination."""
    Destination.objects.select_for_update().get(pk=destination.pk)


def find_unfinished(study: StudyManifest, *, destination: Destination, method: str | None) -> Transfer | None:
    """The transfer of exactly these files to this destination that was begun and not finished, the newest."""
    return (
        Transfer.objects.filter(
            destination=destination,
            method=method,
            study_instance_uid=study.study_instance_uid,
            manifest_sha256=manifest_digest(study),
            audit__sealed_at__isnull=True,
            audit__destination_address=destination.address,
            state__in=[State.INTERRUPTED, State.FAILED, *HELD],
        )
        .filter(Q(audit__continues__isnull=True) | Q(purpose=Purpose.SEND))
        .order_by("-id")
        .first()
    )


def resume(
    transfer: Transfer,
    worker: str,
    *,
    verify: str,
    send_what_can: bool = False,
    options: Mapping[str, Any] | None = None,
) -> None:
    """Take up an unfinished transfer again, as asked for now: what has no answer yet is sent.

    Raises TransferIsHeld while another process works on it.
    """
    with transaction.atomic():
        queue.claim(transfer, worker)
        transfer.verify, transfer.purpose, transfer.stops_before_sending = verify, Purpose.SEND, False
        transfer.send_what_can, transfer.options = send_what_can, dict(options or {})
        transfer.save(update_fields=["verify", "purpose", "stops_before_sending", "send_what_can", "options"])
        queue.record_event(transfer, "resumed", verify=verify, send_what_can=send_what_can)


class Resend(NamedTuple):
    """What a retry would send."""

    instances: int
    size_bytes: int


def preview_retry(transfer: Transfer) -> Resend:
    """How much `retry` would send: what is refuted or unproven, and nothing else; none where it cannot be retried."""
    if transfer.method is None or State(transfer.state) not in _RETRIABLE:
        return Resend(0, 0)
    unconfirmed = transfer.audit.instances.exclude(verdict=InstanceVerdict.CONFIRMED)
    found = unconfirmed.aggregate(count=Count("id"), size=Sum("data_set_size"))
    return Resend(found["count"], found["size"] or 0)


def retry(transfer: Transfer, worker: str = "") -> None:
    """Send again what is refuted or unproven, and nothing else, in a new audit that continues the sealed one.

    Raises NothingToRetry where all is confirmed or nothing was ever to be sent, DestinationMoved where it is another
    archive now, TransferIsHeld where another process works on it.
    """
    if transfer.method is None or not transfer.audit.instances.exclude(verdict="confirmed").exists():
        raise NothingToRetry
    _continue(transfer, "retried", worker, verify=transfer.verify, purpose=Purpose.SEND)


def reverify(transfer: Transfer, verify: str, worker: str = "") -> None:
    """Ask the destination again, sending nothing, in a new audit that continues the sealed one.

    Raises DestinationMoved where it is another archive now, TransferIsHeld where another process works on it.
    """
    _continue(transfer, "reverified", worker, verify=verify, purpose=Purpose.VERIFY)


def cancel(transfer: Transfer, by: str = "") -> None:
    """End a transfer as cancelled: at once where nobody holds it, else as soon as whoever runs it sees it (a second).

    What was sent by then is kept and judged like any other; the destination is still asked where it is held.

    Raises NothingToCancel where it has ended, TransferIsHeld where another process took it just now.
    """
    if State(transfer.state) in TERMINAL:
        raise NothingToCancel(_text_of(NothingToCancel))
    with transaction.atomic():
        queue.request_cancel(transfer, by)
        if State(transfer.state) not in HELD:
            _seal_unsent(transfer)
            queue.move(transfer, State.CANCELLED)


def _seal_unsent(transfer: Transfer) -> None:
    """Nobody holds it, so nothing of it is under way: what has no evidence yet was not sent.

    Unless a process died over it, which may have sent that.
    """
    ledger = Ledger(transfer.audit)
    end_abandoned_attempts(transfer, ledger)
    record_cancelled(ledger)
    ledger.close()


def _continue(transfer: Transfer, event: str, worker: str, *, verify: str, purpose: Purpose) -> None:
    if transfer.audit.destination_address != transfer.destination.address:
        raise DestinationMoved(_text_of(DestinationMoved))
    if State(transfer.state) not in (_RETRIABLE | HELD if worker else _RETRIABLE):
        raise queue.TransferIsHeld  # what still waits for a worker, or as a draft, was meant for sending
    with transaction.atomic():
        if worker:
            queue.claim(transfer, worker)
        else:
            queue.move(transfer, State.QUEUED)
            transfer.is_in_background = True
        if transfer.audit.is_sealed:
            transfer.audit = continue_audit(transfer.audit, transfer.destination.policy)
        transfer.verify, transfer.purpose = verify, purpose
        transfer.stops_before_sending, transfer.cancel_requested_at = False, None
        transfer.verdict = StudyVerdict.PENDING
        changed = ["audit", "verify", "purpose", "stops_before_sending", "cancel_requested_at", "verdict"]
        transfer.save(update_fields=[*changed, "is_in_background"])
        queue.record_event(transfer, event, verify=verify)
    ring_worker()


def _text_of(error: type[Exception]) -> str:
    return " ".join((error.__doc__ or "").split())
