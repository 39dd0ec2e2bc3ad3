"""What was last found of an instance by asking the destination, where that was not that all is well."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db import connection
from django.db.models import Q
from django.db.models.expressions import RawSQL

from audit.judgements import Ground, InstanceVerdict
from audit.models import Audit, Evidence
from audit.newest_evidence import Pick, Statement, id_of, instances_with, places, text_of
from audit.observations import MEANING, EvidenceKind, Family, Polarity
from audit.remembered import remembered


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


def found_alike(audit: Audit, question: Question) -> list[FoundAlike]:
    """What is not as it should be, by the evidence of the whole chain; of a sealed audit.

    What is refuted is told by what refutes it alone.
    """
    return remembered(audit, f"found.{question}", lambda: list(_found_alike(audit, question)))


def _found_alike(audit: Audit, question: Question) -> Iterator[FoundAlike]:
    troubles = [*_DENYING[question], *_OPEN[question]]
    if not Evidence.objects.filter(instance__audit__in=audit.chain(), kind__in=troubles).exists():
        return
    found = _found(audit, question)
    # Reasons are only told apart where no code does it.
    apart = f"CASE WHEN {_code()} = '' THEN {text_of('answer.detail', 'reason')} END"
    columns = f"examined.verdict, examined.ground, answer.kind, {_code()}, examined.sop_class_uid"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {columns}, MIN(answer.id), COUNT(*) {found.text} GROUP BY 1, 2, 3, 4, 5, {apart}",
            found.parameters,
        )
        rows = list(cursor.fetchall())
    details = dict(Evidence.objects.filter(pk__in=[row[5] for row in rows]).values_list("pk", "detail"))
    for verdict, ground, kind, code, sop_class_uid, example, count in rows:
        yield FoundAlike(
            InstanceVerdict(verdict),
            Ground(ground),
            EvidenceKind(kind),
            code,
            str(details[example].get("reason") or ""),
            sop_class_uid,
            count,
        )


def differences_of(audit: Audit, most: int) -> list[Mapping[str, Any]]:
    """What was last written down of contents that were found to be different, of so many instances."""
    return remembered(audit, f"differences.{most}", lambda: _differences_of(audit, most))


def _differences_of(audit: Audit, most: int) -> list[Mapping[str, Any]]:
    refuted = audit.instances.filter(ground__in=[Ground.DIFFERENT, Ground.CONFLICT])
    rows = Evidence.objects.filter(instance__audit__in=audit.chain(), kind__in=_OTHER_CONTENT)
    if audit.continues_id is None:
        rows = rows.filter(instance__in=refuted)
    else:
        rows = rows.filter(instance__sop_instance_uid__in=refuted.values("sop_instance_uid"))
    found: dict[str, Mapping[str, Any]] = {}
    newest_first = rows.order_by("-round").values_list("instance__sop_instance_uid", "detail")
    for uid, detail in newest_first[: most * len(audit.chain())]:
        found.setdefault(uid, detail)
    return list(found.values())[:most]


def was_last_found(audit: Audit, question: Question, code: str) -> Q:
    """Of these instances this was last found: a kind of evidence, a failure reason, or the code of an error."""
    found = _found(audit, question)
    said = f"SELECT examined.id {found.text} AND (({_code()} = '' AND answer.kind = %s) OR {_code()} = %s)"
    return Q(pk__in=RawSQL(said, [*found.parameters, code, code]))  # noqa: S611  only placeholders are put in


def _found(audit: Audit, question: Question) -> Statement:
    """The instances, each with the evidence that speaks for it, where that is to be told."""
    instances = instances_with({"newest": Pick(_ASKED[question], _DECIDING[question])}, audit)
    denying, still_open = _DENYING[question], _OPEN[question]
    text = f"""
        FROM {instances.text} JOIN audit_evidence answer ON answer.id = {id_of("newest")}
        WHERE (
            (answer.kind IN ({places(denying)}) AND (examined.verdict <> %s OR examined.ground IN ({places(_GROUNDS)})))
            OR (answer.kind IN ({places(still_open)}) AND examined.verdict <> %s)
        )
    """
    refuted = InstanceVerdict.REFUTED
    return Statement(text, [*instances.parameters, *denying, refuted, *_GROUNDS, *still_open, refuted])


def _code() -> str:
    return f"COALESCE({text_of('answer.detail', 'failure_reason')}, {text_of('answer.detail', 'code')}, '')"
