"""What was last said of an instance: the destination's answer to its sending, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Exists, OuterRef, Q, Subquery

from audit.models import Audit, Evidence
from audit.observations import EvidenceKind

_ANSWERS = (
    EvidenceKind.NOT_SENT,
    EvidenceKind.NO_ANSWER,
    EvidenceKind.ACKNOWLEDGED,
    EvidenceKind.REFUSED,
    EvidenceKind.ANSWER_UNCLEAR,
)


def last_answer(chain: Sequence[Audit]) -> Subquery:
    """Of each instance of an audit, the key of that evidence in its chain; nothing where there is none."""
    answers = Evidence.objects.filter(
        instance__audit__in=chain, instance__sop_instance_uid=OuterRef("sop_instance_uid"), kind__in=_ANSWERS
    )
    return Subquery(answers.order_by("-pk").values("pk")[:1])


def was_answered_with(code: str) -> Exists:
    """Whether the evidence that was annotated as `answer` carries this status code, or this code of an error."""
    says_so = Q(detail__status_code=code) | Q(detail__code=code)
    return Exists(Evidence.objects.filter(says_so, pk=OuterRef("answer")))
