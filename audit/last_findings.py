"""What was last found of an instance by asking the destination, where that was not that all is well."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db import connection
from django.db.models import Q
from django.db.models.expressions import RawSQL

from audit.judgements import Ground, InstanceVerdict
from audit.models import Audit
from audit.newest_evidence import Statement, newest, places, text_of
from audit.observations import MEANING, EvidenceKind, Family, Polarity


class Question(StrEnum):
    """What was asked for."""

    COMMITMENT = "commitment"
    CONTENT = "content"
    """By reading it back; with why it could not be asked for, be it only for a list."""


_COMMITMENT = (
    EvidenceKind.COMMITTED,
    EvidenceKind.COMMITMENT_REFUSED,
    EvidenceKind.COMMITMENT_FAILED,
    EvidenceKind.NOT_MENTIONED,
    EvidenceKind.COMMITMENT_OVERDUE,
)
_OTHER_CONTENT = (EvidenceKind.DIFFERENT, EvidenceKind.CONFLICT)
_COMPARED = tuple(
    kind
    for kind, (families, polarity) in MEANING.items()
    if Family.CONTENT in families and polarity is not Polarity.NEUTRAL
)
_ASKED: Mapping[Question, tuple[EvidenceKind, ...]] = {
    Question.COMMITMENT: _COMMITMENT,
    Question.CONTENT: (*_COMPARED, EvidenceKind.PRESENT, EvidenceKind.ABSENT, EvidenceKind.PROBE_FAILED),
}
_DECIDING: Mapping[Question, tuple[EvidenceKind, ...]] = {
    Question.COMMITMENT: (EvidenceKind.COMMITTED, EvidenceKind.COMMITMENT_REFUSED),
    Question.CONTENT: _COMPARED,
}
_DENYING: Mapping[Question, tuple[EvidenceKind, ...]] = {
    Question.COMMITMENT: (EvidenceKind.COMMITMENT_REFUSED,),
    Question.CONTENT: tuple(kind for kind in _COMPARED if MEANING[kind][1] is Polarity.NEGATIVE),
}
_OPEN: Mapping[Question, tuple[EvidenceKind, ...]] = {
    Question.COMMITMENT: _COMMITMENT[2:],
    Question.CONTENT: (EvidenceKind.PROBE_FAILED,),
}
_GROUNDS = (Ground.COMMITMENT_REFUSED, Ground.DIFFERENT, Ground.CONFLICT)


@dataclass(frozen=True, slots=True)
class FoundAlike:
    """Instances of one SOP class, of which the same was last found."""

    verdict: InstanceVerdict
    ground: Ground
    kind: EvidenceKind
    code: str
    """A failure reason or the code of an error; empty where there is none."""
    reason: str
    """As it was said of one of them."""
    sop_class_uid: str
    count: int


def found_alike(audit: Audit, question: Question) -> Iterator[FoundAlike]:
    """What is not as it should be, by the evidence of the whole chain; of a sealed audit.

    What is refuted is told by what refutes it alone.
    """
    found = _found(audit, question)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT examined.verdict, examined.ground, answer.kind, {_code()}, MIN({_reason()}),
            examined.sop_class_uid, COUNT(*)
            {found.text}
            GROUP BY 1, 2, 3, 4, CASE WHEN {_code()} = '' THEN {_reason()} ELSE '' END, 6
            """,
            found.parameters,
        )
        rows = list(cursor.fetchall())
    for verdict, ground, kind, code, reason, sop_class_uid, count in rows:
        yield FoundAlike(
            InstanceVerdict(verdict), Ground(ground), EvidenceKind(kind), code, reason, sop_class_uid, count
        )


def differences_of(audit: Audit, most: int) -> Iterator[Mapping[str, Any]]:
    """The details of what was found to be different, of the first so many."""
    found = _found(audit, Question.CONTENT)
    denied = f"{found.text} AND answer.kind IN (%s, %s) ORDER BY examined.position LIMIT %s"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT CAST(answer.detail AS text) {denied}", [*found.parameters, *_OTHER_CONTENT, most])
        rows = list(cursor.fetchall())
    yield from (json.loads(detail) for (detail,) in rows)


def was_last_found(audit: Audit, question: Question, code: str) -> Q:
    """Of these instances this was last found: a kind of evidence, a failure reason, or the code of an error."""
    found = _found(audit, question)
    said = f"SELECT examined.id {found.text} AND (({_code()} = '' AND answer.kind = %s) OR {_code()} = %s)"
    return Q(pk__in=RawSQL(said, [*found.parameters, code, code]))  # noqa: S611  only placeholders are put in


def _found(audit: Audit, question: Question) -> Statement:
    """The instances, each with the evidence that speaks for it, where that is to be told."""
    picked = newest("id", _ASKED[question], audit.chain(), deciding=_DECIDING[question])
    denying, still_open = _DENYING[question], _OPEN[question]
    text = f"""
        FROM audit_instanceaudit examined JOIN audit_evidence answer ON answer.id = {picked.text}
        WHERE examined.audit_id = %s AND (
            (answer.kind IN ({places(denying)}) AND (examined.verdict <> %s OR examined.ground IN ({places(_GROUNDS)})))
            OR (answer.kind IN ({places(still_open)}) AND examined.verdict <> %s)
        )
    """
    refuted = InstanceVerdict.REFUTED
    return Statement(text, [*picked.parameters, audit.pk, *denying, refuted, *_GROUNDS, *still_open, refuted])


def _code() -> str:
    return f"COALESCE({text_of('answer.detail', 'failure_reason')}, {text_of('answer.detail', 'code')}, '')"


def _reason() -> str:
    return f"COALESCE({text_of('answer.detail', 'reason')}, '')"
