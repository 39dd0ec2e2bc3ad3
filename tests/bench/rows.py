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
from transfers.models import Attempt, Destination, Transfer
from transfers.states import State

VERDICTS = ("committed",) * 94 + ("partial",) * 3 + ("unverifiable",) * 2 + ("nothing-stored",)
"""Of a hundred transfers, as a busy site may have them."""
PROOFS = {"committed": "present"}
BEGAN = timedelta(days=100)


class LargeStudies(NamedTuple):
    finished: Transfer
    refused: Transfer
    running: Transfer


def create_destination() -> Destination:
    return Destination.objects.create(name="archive", host="127.0.0.1", port=104, called_ae_title="ARCHIVE")


def create_transfers(destination: Destination, count: int) -> None:
    """Finished ones, evenly spread over the last hundred days."""
    now = timezone.now()
    for numbers in chunks(range(count)):
        instants = [now - BEGAN * (1 - number / count) for number in numbers]
        audits = Audit.objects.bulk_create(_audits(destination, list(zip(numbers, instants, strict=True))))
        Transfer.objects.bulk_create(
            _transfer(destination, audit, number, at)
            for audit, number, at in zip(audits, numbers, instants, strict=True)
        )


def create_large_studies(destination: Destination, instances: int) -> LargeStudies:
    """Everything was found but for one in fifty; everything was refused; and three quarters of it were sent so far."""
    return LargeStudies(
        _finished(destination, instances), _refused(destination, instances), _running(destination, instances)
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
        method="c-store",
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


def _verified(transfer: Transfer, ledger: Ledger, absent_every: int) -> Transfer:
    transfer.attempts.update(ended_at=timezone.now())
    queue.move(transfer, State.VERIFYING)
    ledger.begin_round()
    for number, instance in enumerate(transfer.audit.instances.order_by("position")):
        kind = EvidenceKind.PRESENT if number % absent_every else EvidenceKind.ABSENT
        ledger.record(Observation(instance.sop_instance_uid, kind, timezone.now(), {}))
    ledger.close()
    queue.move(transfer, State.FINISHED)
    return transfer
