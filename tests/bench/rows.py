"""Fills a database with many transfers, and with one large study each finished and under way."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from django.utils import timezone

from audit.chunks import chunks
from audit.entries import StudyDescription, StudyManifest
from audit.ledger import Ledger
from audit.models import Audit
from audit.observations import EvidenceKind, Observation
from tests.manifests import entry
from transfers import queue, services
from transfers.failure_reasons import DENYING, failure_reason_text
from transfers.models import Attempt, CommitmentReport, CommitmentRequest, Destination, Transfer
from transfers.states import State

VERDICTS = ("committed",) * 94 + ("partial",) * 3 + ("unverifiable",) * 2 + ("nothing-stored",)
"""Of a hundred transfers, as a busy site may have them."""
PROOFS = {"committed": "present"}
METHODS = ("c-store", "c-store", "c-store-commitment", "orthanc-modality-store")
"""Of four transfers."""
CT = "1.2.840.10008.5.1.4.1.1.2"
BEGAN = timedelta(days=100)


class LargeStudies(NamedTuple):
    finished: Transfer
    refused: Transfer
    compared: Transfer
    again: Transfer
    running: Transfer


def create_destination() -> Destination:
    return Destination.objects.create(name="archive", host="127.0.0.1", port=104, called_ae_title="ARCHIVE")


def create_transfers(destination: Destination, count: int) -> None:
    """Finished ones, evenly spread over the last hundred days."""
    now = timezone.now()
    for numbers in chunks(range(count)):
        instants = [now - BEGAN * (1 - number / count) for number in numbers]
        audits = Audit.objects.bulk_create(_audits(destination, list(zip(numbers, instants, strict=True))))
        transfers = Transfer.objects.bulk_create(
            _transfer(destination, audit, number, at)
            for audit, number, at in zip(audits, numbers, instants, strict=True)
        )
        Attempt.objects.bulk_create(_attempt(transfer) for transfer in transfers)


def create_large_studies(destination: Destination, instances: int) -> LargeStudies:
    """Everything was found but for one in fifty; everything was refused; all of it was committed to and read back, with
    every trouble that there can be; it was verified once more; and three quarters of it were sent so far."""
    return LargeStudies(
        _finished(destination, instances),
        _refused(destination, instances),
        _compared(destination, instances),
        _again(destination, instances),
        _running(destination, instances),
    )


def _audits(destination: Destination, numbered: list[tuple[int, datetime]]) -> Iterator[Audit]:
    for number, at in numbered:
        verdict = VERDICTS[number % 100]
        yield Audit(
            destination_public_id=destination.public_id,
            destination_address=destination.address,
            study_instance_uid=_study_uid(number),
            opened_at=at,
            sealed_at=at,
            verdict=verdict,
            proof=PROOFS.get(verdict, ""),
            reason="As it was found.",
            tally={"instances": 412, "confirmed": 405, "refuted": 5, "unproven": 2, "pending": 0}
            | {"sent": 412, "acknowledged": 412, "present": 405},
        )


def _transfer(destination: Destination, audit: Audit, number: int, at: datetime) -> Transfer:
    return Transfer(
        destination=destination,
        method=METHODS[number % len(METHODS)],
        verify="presence",
        study_instance_uid=audit.study_instance_uid,
        study_description=f"CT Thorax {number % 977}",
        study_date=at.date(),
        modalities="CT",
        series=4,
        instances=412,
        size_bytes=412 * 524_288,
        manifest_sha256="0" * 64,
        audit=audit,
        verdict=audit.verdict,
        state=State.FINISHED,
        created_at=at,
        finished_at=at,
    )


def _attempt(transfer: Transfer) -> Attempt:
    """Done a second before the verdict, which is as old as the transfer here."""
    ended_at = transfer.created_at - timedelta(seconds=1)
    return Attempt(
        transfer=transfer,
        round=1,
        instances=transfer.instances,
        size_bytes=transfer.size_bytes,
        started_at=ended_at - timedelta(seconds=5),
        ended_at=ended_at,
    )


def _study_uid(number: int) -> str:
    return f"2.25.{uuid.UUID(int=number << 64).int}"


def _created(destination: Destination, instances: int, uid: str) -> Transfer:
    entries = tuple(entry(number, uid) for number in range(1, instances + 1))
    study = StudyManifest(uid, entries, description=StudyDescription("Whole body PET/CT", "2026-01-05", ("CT",), 1))
    transfer = services.create_transfer(
        study, destination=destination, method="c-store", verify="presence", worker=queue.this_process()
    )
    for state in (State.PREPARING, State.PREFLIGHT, State.SENDING):
        queue.move(transfer, state)
    return transfer


def _send(transfer: Transfer, share: float, *, refuses: bool = False) -> Ledger:
    ledger = Ledger(transfer.audit)
    ledger.note_was_there_before([], [])
    uids = list(transfer.audit.instances.order_by("position").values_list("sop_instance_uid", flat=True))
    Attempt.objects.create(
        transfer=transfer,
        round=ledger.begin_round(),
        instances=len(uids),
        size_bytes=transfer.size_bytes,
        started_at=timezone.now() - timedelta(seconds=20),
    )
    for uid in uids[: int(len(uids) * share)]:
        now = timezone.now()
        ledger.record(Observation(uid, EvidenceKind.SENT, now, {"sha256": "0" * 64}))
        answer = (EvidenceKind.REFUSED, "0xA700") if refuses else (EvidenceKind.ACKNOWLEDGED, "0x0000")
        ledger.record(Observation(uid, answer[0], now, {"status_code": answer[1]}))
    ledger.flush()
    return ledger


def _running(destination: Destination, instances: int) -> Transfer:
    transfer = _created(destination, instances, "2.25.77")
    _send(transfer, 0.75)
    return transfer


def _finished(destination: Destination, instances: int) -> Transfer:
    transfer = _created(destination, instances, "2.25.78")
    return _verified(transfer, _send(transfer, 1.0), absent_every=50)


def _refused(destination: Destination, instances: int) -> Transfer:
    transfer = _created(destination, instances, "2.25.79")
    return _verified(transfer, _send(transfer, 1.0, refuses=True), absent_every=1)


def _compared(destination: Destination, instances: int) -> Transfer:
    transfer = _created(destination, instances, "2.25.80")
    ledger = _send(transfer, 1.0)
    _list(transfer, ledger, absent_every=instances + 1)
    now = timezone.now()
    uids = list(transfer.audit.instances.order_by("position").values_list("sop_instance_uid", flat=True))
    _commit(transfer, ledger, uids, now)
    ledger.begin_round()
    for number, uid in enumerate(uids):
        kind, detail = _COMPARED[number % len(_COMPARED)]
        ledger.record(Observation(uid, kind, now, detail | {"bytes": 524_000 + number}))
    ledger.close()
    queue.move(transfer, State.FINISHED)
    return transfer


_COMPARED: tuple[tuple[EvidenceKind, dict[str, object]], ...] = (
    (EvidenceKind.IDENTICAL, {"by": "read-back"}),
    (EvidenceKind.EQUIVALENT, {"by": "read-back"}),
    (EvidenceKind.DIFFERENT, {"by": "read-back", "elements": ["(0008,1030)", "(0010,0020)"], "pixels_differ": True}),
    (EvidenceKind.UNREADABLE, {"code": "not_found", "reason": "The destination found no such instance to hand over."}),
    (EvidenceKind.PROBE_FAILED, {"code": "file_corrupt", "reason": "The destination says that its file is corrupt"}),
)
_REASONS = (0x0110, 0x0112, 0x0119, 0x0122, 0x0131, 0x0213, None)


def _commit(transfer: Transfer, ledger: Ledger, uids: list[str], now: datetime) -> None:
    """Asked in requests of a thousand, of which a quarter of the instances is refused or failed for some reason."""
    for first in range(0, len(uids), 1_000):
        of_round, asked = ledger.begin_round(), uids[first : first + 1_000]
        failed = [(uid, _REASONS[number % 7]) for number, uid in enumerate(asked) if number % 4 == 0]
        request = CommitmentRequest.objects.create(
            transfer=transfer,
            transaction_uid=f"2.25.80.{first}",
            round=of_round,
            sop_instance_uids=asked,
            called_ae_title="ARCHIVE",
            created_at=now,
            sent_at=now,
            due_at=now,
            answered_at=now,
            closed_at=now,
        )
        reasons = dict(failed)
        CommitmentReport.objects.create(
            transaction_uid=request.transaction_uid,
            event_type_id=2,
            calling_ae_title="ARCHIVE",
            committed=[[CT, uid] for uid in asked if uid not in reasons],
            failed=[[CT, uid, reason] for uid, reason in failed],
            received_at=now,
            request=request,
            weighed_at=now,
        )
        for uid in asked:
            ledger.record(Observation(uid, *_committed(uid, reasons, request.transaction_uid, now)))


def _committed(
    uid: str, reasons: dict[str, int | None], transaction_uid: str, now: datetime
) -> tuple[EvidenceKind, datetime, dict[str, object]]:
    detail: dict[str, object] = {"transaction_uid": transaction_uid}
    if uid not in reasons:
        return EvidenceKind.COMMITTED, now, detail
    reason = reasons[uid]
    kind = EvidenceKind.COMMITMENT_REFUSED if reason in DENYING else EvidenceKind.COMMITMENT_FAILED
    code = {} if reason is None else {"failure_reason": f"0x{reason:04X}"}
    return kind, now, detail | code | {"reason": failure_reason_text(reason)}


def _again(destination: Destination, instances: int) -> Transfer:
    transfer = _created(destination, instances, "2.25.81")
    _verified(transfer, _send(transfer, 1.0), absent_every=50)
    services.reverify(transfer, "presence", worker=queue.this_process())
    for state in (State.PREPARING, State.VERIFYING):
        queue.move(transfer, state)
    ledger = Ledger(transfer.audit)
    _ask(transfer, ledger, absent_every=40)
    ledger.close()
    queue.move(transfer, State.FINISHED)
    return transfer


def _verified(transfer: Transfer, ledger: Ledger, absent_every: int) -> Transfer:
    _list(transfer, ledger, absent_every)
    ledger.close()
    queue.move(transfer, State.FINISHED)
    return transfer


def _list(transfer: Transfer, ledger: Ledger, absent_every: int) -> None:
    transfer.attempts.update(ended_at=timezone.now())
    queue.move(transfer, State.VERIFYING)
    _ask(transfer, ledger, absent_every)


def _ask(transfer: Transfer, ledger: Ledger, absent_every: int) -> None:
    ledger.begin_round()
    for number, instance in enumerate(transfer.audit.instances.order_by("position")):
        kind = EvidenceKind.PRESENT if number % absent_every else EvidenceKind.ABSENT
        ledger.record(Observation(instance.sop_instance_uid, kind, timezone.now(), {}))
