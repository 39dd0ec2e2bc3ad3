"""One function an intent: what pages, API and commands call to change anything."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Count, Q, Sum
from django.utils import timezone

from audit.entries import StudyDescription, StudyManifest
from audit.judgements import InstanceVerdict, StudyVerdict
from audit.ledger import AskedAt, Ledger, continue_audit, entries_of, open_audit
from transfers import queue
from transfers.abandoned import end_abandoned_attempts
from transfers.cancelling import record_cancelled
from transfers.doorbell import ring_worker
from transfers.methods import METHODS
from transfers.models import Batch, Destination, Source, Transfer
from transfers.rollback import CannotRollBack, check_can_roll_back, check_is_same_archive
from transfers.selection import uids_brought
from transfers.states import HELD, RETRIABLE, TERMINAL, Purpose, State


class NothingToRetry(Exception):
    """Every instance of this transfer is confirmed: there is nothing to send again."""


class NothingToCancel(Exception):
    """This transfer has ended already: there is nothing to cancel."""


class DestinationMoved(Exception):
    """The destination was pointed to another archive since. Name the files instead: verify PATH --to NAME."""


class AtSource(NamedTuple):
    """A study that a source holds."""

    source: Source
    study_id: str
    """By what the source knows it."""


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
    asks_commitment: bool = False,
    rolls_back: bool = False,
    files_left_out: int = 0,
    worker: str = "",
    batch: Batch | None = None,
    at_source: AtSource | None = None,
    by: str = "",
) -> Transfer:
    """Write a transfer with its audit and a row an instance. With `worker` it is born claimed by that process.

    `method` None: nothing will be sent; the destination is only asked about the study. `batch`: it was submitted
    with that, and runs in the background. `at_source`: where its instances are, if not in files. `by`: who asked for
    it, where neither a batch nor a command did.
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
        asks_commitment=asks_commitment or (method is not None and METHODS[method].asks_commitment),
        rolls_back=rolls_back,
        batch=batch,
        source=at_source.source if at_source else None,
        source_study_id=at_source.study_id if at_source else "",
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
    asked_for = {"method": method, "verify": verify, "instances": len(study.entries)} | ({"by": by} if by else {})
    asked_for |= {"source": at_source.source.name} if at_source else {}
    queue.record_event(transfer, "created", now, **asked_for)
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


def inquire_elsewhere(
    transfer: Transfer,
    destination: Destination,
    *,
    verify: str,
    asks_commitment: bool = False,
    worker: str = "",
    by: str = "",
) -> Transfer:
    """Ask another destination about the manifest of an earlier transfer: a transfer of its own, that sends nothing.

    Without `worker` it runs in the background.
    """
    audit = transfer.audit
    conflicts = audit.instances.filter(is_conflicting=True).values_list("sop_instance_uid", flat=True)
    study = StudyManifest(
        transfer.study_instance_uid,
        tuple(entries_of(audit.instances.order_by("position").iterator(), transfer.study_instance_uid)),
        frozenset(conflicts),
        StudyDescription(
            transfer.study_description,
            transfer.study_date.isoformat() if transfer.study_date else "",
            tuple(filter(None, transfer.modalities.split(","))),
            transfer.series,
        ),
    )
    inquiry = create_transfer(
        study,
        at_source=AtSource(transfer.source, transfer.source_study_id) if transfer.source else None,
        destination=destination,
        method=None,
        verify=verify,
        asks_commitment=asks_commitment,
        files_left_out=audit.files_left_out,
        worker=worker,
        by=by,
    )
    if not worker:
        Transfer.objects.filter(pk=inquiry.pk).update(is_in_background=True)
        ring_worker()
    return inquiry


def lock(destination: Destination) -> None:
    """Until the end of the transaction nobody else begins or takes up a transfer to this destination."""
    Destination.objects.select_for_update().get(pk=destination.pk)


def find_unfinished(
    study: StudyManifest, *, destination: Destination, method: str | None, source: Source | None = None
) -> Transfer | None:
    """The transfer of exactly these files to this destination that was begun and not finished, the newest."""
    return (
        Transfer.objects.filter(
            destination=destination,
            source=source,
            method=method,
            study_instance_uid=study.study_instance_uid,
            manifest_sha256=manifest_digest(study),
            audit__sealed_at__isnull=True,
            audit__destination_address=destination.address,
            state__in=[State.INTERRUPTED, State.FAILED, State.AWAITING_COMMITMENT, *HELD],
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
    asks_commitment: bool = False,
    rolls_back: bool = False,
    options: Mapping[str, Any] | None = None,
) -> None:
    """Take up an unfinished transfer again, as asked for now: what has no answer yet is sent.

    Raises TransferIsHeld while another process works on it.
    """
    with transaction.atomic():
        queue.claim(transfer, worker)
        transfer.verify, transfer.purpose, transfer.stops_before_sending = verify, Purpose.SEND, False
        transfer.send_what_can, transfer.options = send_what_can, dict(options or {})
        transfer.rolls_back, transfer.asks_commitment = rolls_back, asks_commitment or _method_asks_commitment(transfer)
        changed = ["verify", "purpose", "stops_before_sending", "send_what_can", "options"]
        transfer.save(update_fields=[*changed, "rolls_back", "asks_commitment"])
        queue.record_event(transfer, "resumed", verify=verify, send_what_can=send_what_can)


class Resend(NamedTuple):
    """What a retry would send."""

    instances: int
    size_bytes: int


def preview_retry(transfer: Transfer) -> Resend:
    """How much `retry` would send: what is refuted or unproven, and nothing else; none where it cannot be retried."""
    if transfer.method is None or State(transfer.state) not in RETRIABLE:
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
    asks_commitment = transfer.asks_commitment or _method_asks_commitment(transfer)
    # A verification since may have asked for a commitment only; all or nothing needs to know what is there.
    asks = transfer.verification.asks or not transfer.rolls_back
    verify = transfer.verify if asks else "presence"
    _continue(transfer, "retried", worker, verify=verify, asks_commitment=asks_commitment)


def reverify(transfer: Transfer, verify: str, worker: str = "", *, asks_commitment: bool = False, by: str = "") -> None:
    """Ask the destination again, sending nothing, in a new audit that continues the sealed one.

    `asks_commitment`: also to commit to what it holds, be it that its report was overdue.

    Raises DestinationMoved where it is another archive now, TransferIsHeld where another process works on it.
    """
    purpose = Purpose.VERIFY
    _continue(transfer, "reverified", worker, purpose=purpose, verify=verify, asks_commitment=asks_commitment, by=by)


class TakenBack(NamedTuple):
    """What a roll-back would remove."""

    instances: int
    stays: int
    """Instances of the study that it would leave: they were there before, or nobody knows, or were never sent, or
    another transfer relies on them."""


def preview_roll_back(transfer: Transfer) -> TakenBack:
    """How much `roll_back` would remove, if it is still there.

    Raises CannotRollBack, with the reason, DestinationMoved where it is another archive now, TransferIsHeld where
    another process works on it or it was never begun.
    """
    check_can_roll_back(transfer.destination)
    if transfer.audit.destination_address != transfer.destination.address:
        raise DestinationMoved(_text_of(DestinationMoved))
    check_is_same_archive(transfer)
    if State(transfer.state) not in RETRIABLE | {State.AWAITING_COMMITMENT}:
        raise queue.TransferIsHeld
    brought = len(uids_brought(transfer.audit))
    if not brought:
        raise CannotRollBack(
            "Nothing of this transfer may be removed: it brought nothing there, or another transfer proved the same."
        )
    return TakenBack(brought, transfer.instances - brought)


def roll_back(transfer: Transfer, by: str = "", worker: str = "") -> None:
    """Remove from the destination again what this transfer brought there, and nothing else.

    Raises CannotRollBack, with the reason, DestinationMoved where it is another archive now, TransferIsHeld where
    another process works on it.
    """
    if transfer.method is None:
        raise CannotRollBack("This transfer sent nothing: there is nothing of it that could be removed.")
    check_can_roll_back(transfer.destination)
    if transfer.audit.destination_address == transfer.destination.address:  # else it has moved, which is said below
        check_is_same_archive(transfer)
    verify = transfer.verify if transfer.verification.asks else "presence"
    _continue(transfer, "roll_back_asked", worker, purpose=Purpose.ROLL_BACK, verify=verify, by=by)


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


def note_alarm_seen(transfer: Transfer, by: str) -> None:
    """Somebody knows that the destination lost instances: what is proved of it stays as it is."""
    with transaction.atomic():
        if Transfer.objects.filter(pk=transfer.pk, missing_since__isnull=False).update(missing_since=None):
            queue.record_event(transfer, "alarm_seen", None, by=by)
    transfer.missing_since = None


def _method_asks_commitment(transfer: Transfer) -> bool:
    return transfer.method is not None and METHODS[transfer.method].asks_commitment


def _continue(
    transfer: Transfer,
    event: str,
    worker: str,
    *,
    verify: str,
    purpose: Purpose = Purpose.SEND,
    asks_commitment: bool = False,
    by: str = "",
) -> None:
    if transfer.audit.destination_address != transfer.destination.address:
        raise DestinationMoved(_text_of(DestinationMoved))
    takes_up = RETRIABLE if purpose is Purpose.SEND else RETRIABLE | {State.AWAITING_COMMITMENT}
    if State(transfer.state) not in (takes_up | HELD if worker else takes_up):
        raise queue.TransferIsHeld  # what still waits for a worker, or as a draft, was meant for sending
    with transaction.atomic():
        if worker:
            queue.claim(transfer, worker)
        else:
            queue.move(transfer, State.QUEUED)
            transfer.refresh_from_db(fields=["audit"])  # a late report may have continued it since it was read
            transfer.is_in_background = True
        if transfer.audit.is_sealed:
            transfer.audit = continue_audit(transfer.audit, transfer.destination.policy)
        transfer.verify, transfer.purpose, transfer.asks_commitment = verify, purpose, asks_commitment
        transfer.reverify_at = None
        transfer.stops_before_sending, transfer.cancel_requested_at = False, None
        transfer.verdict = StudyVerdict.PENDING
        changed = ["audit", "verify", "purpose", "asks_commitment", "reverify_at", "stops_before_sending"]
        transfer.save(update_fields=[*changed, "cancel_requested_at", "verdict", "is_in_background"])
        asked_by = {"by": by} if by else {}
        queue.record_event(transfer, event, None, verify=verify, **asked_by)
    ring_worker()


def _text_of(error: type[Exception]) -> str:
    return " ".join((error.__doc__ or "").split())
