"""Writes the links of an audit's hash chain, each in the transaction of what it covers, under the audit's row lock."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from django.db import connection
from django.utils import timezone

from audit.canonical import LinesDigest, canonical, canonical_instant
from audit.evidence_reader import EvidenceReader, Instances
from audit.links import FIRST, IDENTITY, OUTCOME, LinkFacts, LinkKind, identity_digest, outcome_digest
from audit.models import Audit, InstanceAudit
from audit.row_lines import evidence_ids, instance_lines, judged_lines
from audit.rows import Batch
from audit.runs import runs_of

_LAST = "SELECT position, sha256 FROM audit_link WHERE audit_id = %s ORDER BY position DESC LIMIT 1"
_INSERT = (
    "INSERT INTO audit_link (audit_id, position, kind, at, detail, content_sha256, sha256) "
    "VALUES (%s, %s, %s, %s, %s, %s, %s)"
)


class Head(NamedTuple):
    """The last link of an audit, which vouches for all before it."""

    position: int
    """-1: there is none."""
    sha256: str


def head_of(audit_pk: int) -> Head:
    with connection.cursor() as cursor:
        cursor.execute(_LAST, [audit_pk])
        row = cursor.fetchone()
    return Head(*row) if row else Head(-1, FIRST)


def link_opening(audit: Audit, manifest_sha256: str = "") -> None:
    """The first link: what the audit is about, after the last link of the audit that it continues.

    `manifest_sha256`: of the lines of the instances, where it is known already.
    """
    if not manifest_sha256:
        manifest_sha256 = LinesDigest(line.manifest for line in instance_lines(audit.pk)).hexdigest()
    _append(audit, LinkKind.OPENED, _identity(audit), manifest_sha256)


def link_evidence(audit: Audit, batch: Batch) -> None:
    _append(audit, LinkKind.EVIDENCE, {"rows": batch.runs}, batch.sha256)


def link_was_there_before(audit: Audit, answers: Mapping[str, Iterable[int]]) -> None:
    """`answers`: the ids of the instances of which each answer was noted, in the order of noting."""
    noted = [[answer, runs_of(sorted(set(pks)))] for answer, pks in answers.items()]
    _append(audit, LinkKind.WAS_THERE_BEFORE, {"noted": noted}, "")


def link_sealing(audit: Audit) -> None:
    """The last link, once the verdict was saved."""
    outcome = outcome_digest(Audit.objects.values(*OUTCOME).get(pk=audit.pk))
    _append(audit, LinkKind.SEALED, {"outcome": outcome}, LinesDigest(judged_lines(audit.pk)).hexdigest())


def adopt(audit: Audit) -> None:
    """The first link of an audit that is older than the chain, and the last one where it was sealed.

    For a migration: whatever columns come later, only those that are named here are asked for.
    """
    manifest, pks = LinesDigest(), array("q")
    for line in instance_lines(audit.pk, knows_sources=False):
        manifest.add([line.manifest])
        pks.append(line.pk)
    rows = evidence_ids(audit.pk)
    evidence = EvidenceReader([(rows[0], rows[-1])] if rows else [], Instances(pks))
    lines = (row.line for row in evidence.rows_of(0)) if rows else ()
    detail = {**_identity(audit), "manifest": manifest.hexdigest(), "rows": runs_of(rows)}
    _append(audit, LinkKind.ADOPTED, detail, LinesDigest(lines).hexdigest())
    if audit.sealed_at is not None:
        link_sealing(audit)


def _identity(audit: Audit) -> dict[str, Any]:
    return {
        "identity": identity_digest(Audit.objects.values(*IDENTITY).get(pk=audit.pk)),
        "instances": InstanceAudit.objects.filter(audit=audit.pk).count(),
    }


def _append(audit: Audit, kind: LinkKind, detail: Mapping[str, Any], content_sha256: str) -> None:
    head = head_of(audit.pk)
    previous = head.sha256
    if head.position < 0 and audit.continues_id is not None:
        previous = head_of(audit.continues_id).sha256
    facts = LinkFacts(audit.public_id, head.position + 1, kind.value, timezone.now(), canonical(detail), content_sha256)
    at = canonical_instant(facts.at) if connection.vendor == "sqlite" else facts.at
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [audit.pk, *facts[1:3], at, *facts[4:], facts.digest(previous)])
