"""One function an intent: what pages, API and commands call to change anything."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from audit.entries import StudyManifest
from audit.ledger import AskedAt, continue_audit, open_audit
from transfers import queue
from transfers.models import Destination, Transfer
from transfers.states import HELD, State


class NothingToRetry(Exception):
    """Every instance of this transfer is confirmed: there is nothing to send again."""


class DestinationMoved(Exception):
    """The destination was pointed to another archive since. Name the files instead: verify PATH --to NAME."""


def manifest_digest(study: StudyManifest) -> str:
    """SHA-256 over what the manifest says: equal only for the same files, untouched."""
    digest = hashlib.sha256()
    for entry in sorted(study.entries, key=lambda entry: entry.sop_instance_uid):
        digest.update(repr((entry, entry.sop_instance_uid in study.conflicts)).encode())
    return digest.hexdigest()


@transaction.atomic
def create_transfer(
    study: StudyManifest,
    *,
    destination: Destination,
    method: str | None,
    verify: str,
    options: Mapping[str, Any] | None = None,
    send_what_can: bool = False,
    files_left_out: int = 0,
    worker: str = "",
) -> Transfer:
    """Write a transfer with its audit and a row an instance. With `worker` it is born claimed by that process.

    `method` None: nothing will be sent; the destination is only asked about the study.
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
        sends=method is not None,
        send_what_can=send_what_can,
        study_instance_uid=study.study_instance_uid,
        manifest_sha256=manifest_digest(study),
        audit=audit,
        state=State.CLAIMED if worker else State.QUEUED,
        worker=worker,
        lease_until=now + queue.LEASE if worker else None,
        created_at=now,
    )
    queue.record_event(transfer, "created", now, method=method, verify=verify, instances=len(study.entries))
    return transfer


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
        .filter(Q(audit__continues__isnull=True) | Q(sends=True))
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
        transfer.verify, transfer.sends = verify, True
        transfer.send_what_can, transfer.options = send_what_can, dict(options or {})
        transfer.save(update_fields=["verify", "sends", "send_what_can", "options"])
        queue.record_event(transfer, "resumed", verify=verify, send_what_can=send_what_can)


def retry(transfer: Transfer, worker: str = "") -> None:
    """Send again what is refuted or unproven, and nothing else, in a new audit that continues the sealed one.

    Raises NothingToRetry where all is confirmed or nothing was ever to be sent, DestinationMoved where it is another
    archive now, TransferIsHeld where another process works on it.
    """
    if transfer.method is None or not transfer.audit.instances.exclude(verdict="confirmed").exists():
        raise NothingToRetry
    _continue(transfer, "retried", worker, verify=transfer.verify, sends=True)


def reverify(transfer: Transfer, verify: str, worker: str = "") -> None:
    """Ask the destination again, sending nothing, in a new audit that continues the sealed one.

    Raises DestinationMoved where it is another archive now, TransferIsHeld where another process works on it.
    """
    _continue(transfer, "reverified", worker, verify=verify, sends=False)


def _continue(transfer: Transfer, event: str, worker: str, *, verify: str, sends: bool) -> None:
    if transfer.audit.destination_address != transfer.destination.address:
        raise DestinationMoved(" ".join((DestinationMoved.__doc__ or "").split()))
    with transaction.atomic():
        if worker:
            queue.claim(transfer, worker)
        else:
            queue.move(transfer, State.QUEUED)
        if transfer.audit.is_sealed:
            transfer.audit = continue_audit(transfer.audit, transfer.destination.policy)
        transfer.verify, transfer.sends = verify, sends
        transfer.save(update_fields=["audit", "verify", "sends"])
        queue.record_event(transfer, event, verify=verify)
