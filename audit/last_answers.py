"""What was last said of an instance: the destination's answer to its sending, or why there is none."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef, Q

from audit.judgements import Ground, InstanceVerdict
from audit.models import Audit, Evidence
from audit.observations import EvidenceKind
from audit.remembered import remembered

_KINDS = (
    EvidenceKind.NOT_SENT,
    EvidenceKind.NO_ANSWER,
    EvidenceKind.ACKNOWLEDGED,
    EvidenceKind.REFUSED,
    EvidenceKind.ANSWER_UNCLEAR,
    EvidenceKind.JOB_SUCCEEDED,
    EvidenceKind.JOB_FAILED,
)
_FAILING = (InstanceVerdict.REFUTED, InstanceVerdict.UNPROVEN)


@dataclass(frozen=True, slots=True)
class AnsweredAlike:
    """Instances of one SOP class that are not confirmed, for one ground, of which the same was last said."""

    verdict: InstanceVerdict
    ground: Ground
    kind: EvidenceKind | None
    """None: nothing was said of their sending."""
    detail: Mapping[str, Any]
    sop_class_uid: str
    count: int


def failing_by_answer(audit: Audit) -> list[AnsweredAlike]:
    """What is not confirmed of a sealed audit, with what the evidence of the whole chain last said of its sending."""
    return remembered(audit, "answers", lambda: list(_failing_by_answer(audit)))


def _failing_by_answer(audit: Audit) -> Iterator[AnsweredAlike]:
    chain = [each.pk for each in audit.chain()]
    with connection.cursor() as cursor:
        cursor.execute(_grouped(chain), [*(chain if len(chain) > 1 else []), *_KINDS, audit.pk, *_FAILING])
        rows = list(cursor.fetchall())
    for verdict, ground, kind, detail, sop_class_uid, count in rows:
        yield AnsweredAlike(
            InstanceVerdict(verdict),
            Ground(ground),
            EvidenceKind(kind) if kind else None,
            json.loads(detail) if detail else {},
            sop_class_uid,
            count,
        )


def was_last_answered_with(chain: Sequence[Audit], code: str) -> Q:
    """Whether what was last said of an instance's sending carries this status code, or this code of an error.

    Or is of this kind of evidence, and carries no code.
    """
    answers = Evidence.objects.filter(instance__audit__in=chain, kind__in=_KINDS)
    uid, own = "instance__sop_instance_uid", "sop_instance_uid"
    if len(chain) == 1:  # no other audit has rows of its own for the same instances
        uid, own = "instance_id", "pk"
    later = answers.filter(**{"pk__gt": OuterRef("pk"), uid: OuterRef(uid)})
    has_none = Q(detail__status_code__isnull=True, detail__code__isnull=True)
    says_so = Q(detail__status_code=code) | Q(detail__code=code) | (Q(kind=code) & has_none)
    return Q(Exists(answers.filter(says_so, ~Exists(later), **{uid: OuterRef(own)})))


def _grouped(chain: Sequence[int]) -> str:
    return f"""
        SELECT failing.verdict, failing.ground, answer.kind, CAST(answer.detail AS text), failing.sop_class_uid,
        COUNT(*)
        FROM audit_instanceaudit failing
        LEFT JOIN audit_evidence answer ON answer.id = ({_newest(chain)} AND evidence.kind IN ({_places(_KINDS)}))
        WHERE failing.audit_id = %s AND failing.verdict IN ({_places(_FAILING)})
        GROUP BY 1, 2, 3, 4, 5
    """  # noqa: S608  only placeholders are put in


def _newest(chain: Sequence[int]) -> str:
    """Of an instance's evidence in the chain; the same instance has a row in each audit."""
    if len(chain) == 1:
        return "SELECT MAX(evidence.id) FROM audit_evidence evidence WHERE evidence.instance_id = failing.id"
    return f"""
        SELECT MAX(evidence.id)
        FROM audit_instanceaudit instance JOIN audit_evidence evidence ON evidence.instance_id = instance.id
        WHERE instance.sop_instance_uid = failing.sop_instance_uid AND instance.audit_id IN ({_places(chain)})
    """  # noqa: S608  only placeholders are put in


def _places(values: Sequence[object]) -> str:
    return ", ".join(["%s"] * len(values))
