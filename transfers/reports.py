"""A transfer as a document: what was done, with the audit's part of what was proved. The contract of `--json`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.management.base import OutputWrapper

from audit.entries import Skipped
from audit.judgements import StudyVerdict
from audit.models import Audit
from audit.reports import counts_of, instance_documents, reason_for
from transfers.methods import METHODS
from transfers.models import Transfer


def transfer_summary(transfer: Transfer) -> dict[str, Any]:
    """The report of a transfer without its instances."""
    audit = transfer.audit
    return {
        "id": str(transfer.public_id),
        "study_instance_uid": transfer.study_instance_uid,
        "destination": transfer.destination.name,
        "method": transfer.method,
        "state": transfer.state,
        "verdict": audit.verdict,
        "proof": audit.proof or None,
        "reason": reason_for(audit),
        "destination_may_trust_stable_study": _may_trust_stable_study(transfer, audit),
        "counts": counts_of(audit),
    }


def write_report(stream: OutputWrapper, transfers: Iterable[Transfer], skipped: Iterable[Skipped]) -> None:
    """Write one JSON document, instance by instance, so that its size costs no memory."""
    stream.write('{"transfers": [', ending="")
    for number, transfer in enumerate(transfers):
        stream.write(",\n" if number else "\n", ending="")
        for part in _transfer_json(transfer):
            stream.write(part, ending="")
    documents = [{"path": each.path, "kind": each.kind, "reason": each.reason} for each in skipped]
    stream.write(f'],\n"skipped": {json.dumps(documents)}}}\n')


def _transfer_json(transfer: Transfer) -> Iterator[str]:
    yield json.dumps(transfer_summary(transfer))[:-1] + ', "instances": ['
    for number, document in enumerate(instance_documents(transfer.audit)):
        yield (",\n" if number else "\n") + json.dumps(document)
    yield "]}"


def _may_trust_stable_study(transfer: Transfer, audit: Audit) -> bool:
    """Whether the method makes the study appear at once, and all of it is there, and nothing was left out."""
    if transfer.method is None or audit.verdict != StudyVerdict.COMMITTED or audit.files_left_out:
        return False
    return METHODS[transfer.method].destination_may_trust_stable_study
