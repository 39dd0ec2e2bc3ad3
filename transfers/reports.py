"""A transfer as a document: what was done, with the audit's part of what was proved. The contract of `--json`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.management.base import OutputWrapper

from audit.entries import Skipped
from audit.judgements import StudyVerdict, WasThereBefore
from audit.models import Audit, Evidence
from audit.observations import EvidenceKind
from audit.reports import counts_of, instance_documents, reason_for
from transfers.methods import METHODS
from transfers.models import SkippedFile, Transfer


def transfer_summary(transfer: Transfer) -> dict[str, Any]:
    """The report of a transfer without its instances."""
    audit = transfer.audit
    return {
        "id": str(transfer.public_id),
        "study_instance_uid": transfer.study_instance_uid,
        "destination": transfer.destination.name,
        **_of_source(transfer),
        "method": transfer.method,
        "state": transfer.state,
        "verdict": audit.verdict,
        "proof": audit.proof or None,
        "reason": reason_for(audit),
        "destination_may_trust_stable_study": may_trust_stable_study(transfer),
        "counts": counts_of(audit),
    }


def _of_source(transfer: Transfer) -> dict[str, Any]:
    """Of a study that a source holds; of files there is nothing to say."""
    if transfer.source is None:
        return {}
    return {"source": transfer.source.name, "source_grown_by": transfer.source_grown_by}


def write_report(stream: OutputWrapper, transfers: Iterable[Transfer], skipped: Iterable[Skipped]) -> None:
    """Write the report where a command prints."""
    for part in report_parts(transfers, skipped):
        stream.write(part, ending="")


def report_parts(transfers: Iterable[Transfer], skipped: Iterable[Skipped | SkippedFile]) -> Iterator[str]:
    """One JSON document, instance by instance, so that its size costs no memory."""
    yield '{"transfers": ['
    for number, transfer in enumerate(transfers):
        yield ",\n" if number else "\n"
        yield from _transfer_json(transfer)
    documents = [{"path": each.path, "kind": each.kind, "reason": each.reason} for each in skipped]
    yield f'],\n"skipped": {json.dumps(documents)}}}\n'


def _transfer_json(transfer: Transfer) -> Iterator[str]:
    yield json.dumps(transfer_summary(transfer))[:-1] + ', "instances": ['
    for number, document in enumerate(instance_documents(transfer.audit)):
        yield (",\n" if number else "\n") + json.dumps(document)
    yield "]}"


def may_trust_stable_study(transfer: Transfer) -> bool:
    """Whether the study appeared at once: by such a method, all of it, in one go, and as the source holds it.

    What was there or sent before, or began and failed, may have made an incomplete study stable in between.
    """
    audit = transfer.audit
    if transfer.method is None or audit.verdict != StudyVerdict.COMMITTED or audit.files_left_out:
        return False
    if not METHODS[transfer.method].destination_may_trust_stable_study or transfer.source_grown_by != 0:
        return False
    if audit.instances.exclude(was_there_before=WasThereBefore.NO).exists():
        return False
    sent_at_once = list(transfer.attempts.values_list("instances", flat=True)) == [transfer.instances]
    came_in_parts = transfer.events.filter(name="transaction_committed").count() > 1
    return sent_at_once and not came_in_parts and not _has_failed_in_between(audit)


def _has_failed_in_between(audit: Audit) -> bool:
    kinds = (EvidenceKind.NO_ANSWER, EvidenceKind.ANSWER_UNCLEAR, EvidenceKind.JOB_FAILED, EvidenceKind.NOT_SENT)
    return Evidence.objects.filter(instance__audit__in=audit.chain(), kind__in=kinds).exists()
