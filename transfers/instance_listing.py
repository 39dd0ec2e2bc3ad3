"""Which instances of a transfer its table shows: filters, pages by position, each with its evidence in plain words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db.models import Count, Exists, Min, OuterRef, Q, QuerySet
from pydicom.uid import UID

from audit.contradictions import Contradiction, has_contradiction
from audit.judgements import Ground, InstanceVerdict
from audit.last_answers import was_last_answered_with
from audit.last_findings import Question, was_last_found
from audit.models import Audit, Evidence, InstanceAudit
from audit.observations import MEANING, EvidenceKind, Polarity
from audit.plain_words import GROUND_WORDS, KIND_WORDS, what_was_said
from audit.standings import COMPARED, DIFFERENT, KINDS
from audit.tallies import STEPS
from transfers.wording import size_text

PAGE_ROWS = 50
_OTHER_CONTENT = (EvidenceKind.DIFFERENT, EvidenceKind.CONFLICT)
Instances = QuerySet[InstanceAudit, InstanceAudit]

_SHORT: Mapping[Ground, str] = {
    Ground.IDENTICAL: "identical at the destination",
    Ground.EQUIVALENT: "same content at the destination",
    Ground.PRESENT: "found at the destination",
    Ground.COMMITTED: "committed by the destination",
    Ground.ACKNOWLEDGED: "acknowledged, which counts here",
}
"""Of what is as it should be: fewer words do, where they stand in every row."""


@dataclass(frozen=True, slots=True)
class InstanceFilters:
    """What the table is limited to; empty fields limit nothing."""

    verdict: str = ""
    ground: str = ""
    missing: str = ""
    """A step of the funnel that these instances did not come to; or `different`, for those that came otherwise."""
    code: str = ""
    """A status code, or the code of an error, that was last said of its sending; or of what it was asked for."""
    asked: str = ""
    """What the code is about, if not about its sending: commitment or content."""
    contradiction: str = ""
    """What denies and what affirms it: two kinds of evidence; or any."""
    evidence: str = ""
    """A kind of evidence that some audit of the chain has of it."""
    series: str = ""
    """A Series Instance UID."""
    text: str = ""
    """The beginning of a SOP Instance UID, or any part of it."""


class Series(NamedTuple):
    """One series of the study; pages call it by its place in the manifest, from 1."""

    uid: str
    instances: int


@dataclass(frozen=True, slots=True)
class InstancePage:
    instances: list[InstanceAudit]
    previous_from: int | None
    """The position with which the page before begins; None at the beginning."""
    next_from: int | None


def matching(audit: Audit, filters: InstanceFilters) -> Instances:
    """The instances of an audit that pass all the filters."""
    rows: Instances = audit.instances.all()
    if filters.verdict:
        rows = rows.filter(verdict=filters.verdict)
    if filters.ground:
        rows = rows.filter(ground=filters.ground)
    if filters.missing:
        rows = rows.filter(_lacks(audit, filters.missing))
    if filters.code:
        rows = rows.filter(_was_last_said(audit, filters.asked, filters.code))
    if filters.contradiction:
        rows = rows.filter(_is_contradicted(audit, filters.contradiction))
    if filters.evidence:
        rows = rows.filter(_has(audit, EvidenceKind(filters.evidence)))
    if filters.series:
        rows = rows.filter(series_instance_uid=filters.series)
    return rows.filter(sop_instance_uid__contains=filters.text) if filters.text else rows


def series_of(audit: Audit) -> list[Series]:
    """All series, in the order of their first instances."""
    counted = audit.instances.values("series_instance_uid").annotate(first=Min("position"), instances=Count("pk"))
    return [Series(each["series_instance_uid"], each["instances"]) for each in counted.order_by("first")]


def page_of(rows: Instances, from_position: int = 0) -> InstancePage:
    """A page that begins at a position of the manifest (from 0) or after it."""
    found = list(rows.filter(position__gte=from_position).order_by("position")[: PAGE_ROWS + 1])
    before = _positions_before(rows, from_position) if from_position else []
    has_next = len(found) > PAGE_ROWS
    return InstancePage(
        instances=found[:PAGE_ROWS],
        previous_from=before[-1] if before else None,
        next_from=found[PAGE_ROWS].position if has_next else None,
    )


def _positions_before(rows: Instances, position: int) -> list[int]:
    earlier = rows.filter(position__lt=position).order_by("-position")
    return list(earlier.values_list("position", flat=True)[:PAGE_ROWS])


def rows_of(audit: Audit, instances: Sequence[InstanceAudit], live: Mapping[int, str]) -> list[dict[str, Any]]:
    """As `templates/transfers/_instances.html` wants them. `live`: of an open audit, the verdict so far by position."""
    evidence = _evidence_of(audit, instances)
    return [_row(instance, evidence[instance.sop_instance_uid], live) for instance in instances]


def _row(instance: InstanceAudit, evidence: list[dict[str, Any]], live: Mapping[int, str]) -> dict[str, Any]:
    verdict = live.get(instance.position, instance.verdict)
    code, said = _code_of(evidence)
    return {
        "number": instance.position + 1,
        "sop_instance_uid": instance.sop_instance_uid,
        "sop_class": UID(instance.sop_class_uid).name,
        "size": size_text(instance.data_set_size),
        "verdict": verdict,
        "why": why(instance) if verdict != InstanceVerdict.PENDING else _latest(evidence),
        "code": code,
        "said": said,
        "evidence": [
            {"at": each["at"], "kind": KIND_WORDS[each["kind"]], "text": _in_words(each["detail"])} for each in evidence
        ],
    }


def why(instance: InstanceAudit) -> str:
    """The ground of its verdict, in plain words."""
    ground = Ground(instance.ground)
    words = _SHORT.get(ground, GROUND_WORDS[ground])
    return f"{words} (proofs contradict each other)" if instance.is_contradiction else words


def _latest(evidence: Sequence[Mapping[str, Any]]) -> str:
    return KIND_WORDS[evidence[-1]["kind"]] if evidence else "Waits"


def _code_of(evidence: Iterable[Mapping[str, Any]]) -> tuple[str, str]:
    """The newest status code that is not a plain success, with what it means."""
    for each in reversed(list(evidence)):
        code = each["detail"].get("status_code")
        if code and code != "0x0000":
            return str(code), str(each["detail"].get("meaning", ""))
    return "", ""


def _in_words(detail: Mapping[str, Any]) -> str:
    """What was said with it, and what else one may want to know of it."""
    parts = [what_was_said(detail)]
    if detail.get("will_be_sent_again"):
        parts.append("it was sent again")
    if sha256 := detail.get("sha256"):
        parts.append(f"SHA-256 {sha256}")
    return " · ".join(filter(None, parts))


class _Key(NamedTuple):
    """By what an instance is known in its evidence, and in its row."""

    of_evidence: str
    of_row: str


def _key_of(audit: Audit) -> _Key:
    """In a chain the same instance has a row in each audit; in a single audit the row itself is faster."""
    if audit.continues_id is None:
        return _Key("instance_id", "pk")
    return _Key("instance__sop_instance_uid", "sop_instance_uid")


def _has(audit: Audit, *kinds: EvidenceKind) -> Q:
    """Whether an instance has such evidence in any audit of the chain."""
    rows = Evidence.objects.filter(instance__audit__in=audit.chain(), kind__in=kinds)
    return _is_among(rows, audit)


def _is_among(evidence: QuerySet[Evidence, Evidence], audit: Audit) -> Q:
    key = _key_of(audit)
    return Q(**{f"{key.of_row}__in": evidence.values(key.of_evidence)})


def _lacks(audit: Audit, step: str) -> Q:
    """Whether an instance did not come to a step of the funnel."""
    if step in STEPS:
        return ~_has(audit, *STEPS[step])
    found = _is_among(_found(audit, step), audit)
    if step == DIFFERENT:
        return found
    return ~found & ~_lacks(audit, DIFFERENT) if step == COMPARED else ~found


def _found(audit: Audit, name: str) -> QuerySet[Evidence, Evidence]:
    """Evidence by which this was found of an instance, in SQL as `audit.standings` has it."""
    kinds = KINDS[COMPARED if name == DIFFERENT else name]
    of_chain = Evidence.objects.filter(instance__audit__in=audit.chain())
    key = _key_of(audit).of_evidence
    same = of_chain.filter(**{key: OuterRef(key)})
    # A round whose successes are silenced by something else of the same round decides nothing.
    stronger = [kind for kind in kinds if MEANING[kind][1] is not Polarity.POSITIVE]
    is_heard = ~Exists(same.filter(kind__in=stronger, round=OuterRef("round")))
    affirming = of_chain.filter(is_heard, kind__in=_of(kinds, Polarity.POSITIVE))
    later = {key: OuterRef(key), "round__gt": OuterRef("round")}
    denying = of_chain.filter(kind__in=_of(kinds, Polarity.NEGATIVE))
    if name == DIFFERENT:
        return denying.filter(
            ~Exists(affirming.filter(**later)), ~Exists(denying.filter(**later)), kind__in=_OTHER_CONTENT
        )
    return affirming.filter(~Exists(denying.filter(**later)))


def _of(kinds: Iterable[EvidenceKind], polarity: Polarity) -> list[EvidenceKind]:
    return [kind for kind in kinds if MEANING[kind][1] is polarity]


def _was_last_said(audit: Audit, asked: str, code: str) -> Q:
    if asked:
        return was_last_found(audit, Question(asked), code)
    return was_last_answered_with(audit.chain(), code)


def _is_contradicted(audit: Audit, contradiction: str) -> Q:
    pair = Contradiction.parse(contradiction)
    return Q(is_contradiction=True) if pair is None else has_contradiction(audit, pair)


def _evidence_of(audit: Audit, instances: Sequence[InstanceAudit]) -> defaultdict[str, list[dict[str, Any]]]:
    by_uid: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    rows = Evidence.objects.filter(
        instance__audit__in=audit.chain(), instance__sop_instance_uid__in=[each.sop_instance_uid for each in instances]
    )
    columns = ("instance__sop_instance_uid", "kind", "at", "detail")
    for uid, kind, at, detail in rows.order_by("round", "id").values_list(*columns):
        by_uid[uid].append({"kind": EvidenceKind(kind), "at": at, "detail": detail})
    return by_uid
