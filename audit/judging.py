"""Brings the evidence of an audit's chain before the verdict calculus, and writes down what it says."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence, Set
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Max, Min

from audit.chain_facts import ChainFacts
from audit.chunks import chunks
from audit.judgements import (
    Ground,
    InstanceJudgement,
    InstanceVerdict,
    KnownContent,
    Policy,
    StudyVerdict,
    WasThereBefore,
)
from audit.models import Audit
from audit.newest_evidence import places, text_of
from audit.observations import MEANING, EvidenceKind, Family
from audit.plain_words import what_was_said
from audit.precedents import among, known_content
from audit.reasons import StudyFindings, reason_of
from audit.verdicts import judge_instance, judge_study, weakest_proof, while_open


class _Instance(NamedTuple):
    """Which row, of which instance."""

    pk: int
    sop_instance_uid: str


_Judged = Mapping[InstanceJudgement, Sequence[_Instance]]
"""Every instance under its judgement."""


def judgements_of(audit: Audit, uids: Collection[str] | None = None) -> dict[str, InstanceJudgement]:
    """What the evidence of the whole chain says of each instance, by SOP Instance UID; of a few, where `uids` says so.

    A few are as many as fit into one question to the database (`audit.chunks`).
    """
    judged = _judge(audit, ChainFacts(audit.chain(), uids), uids)
    return {instance.sop_instance_uid: judgement for judgement, found in judged.items() for instance in found}


def live_judgements_of(audit: Audit, uids: Collection[str] | None = None) -> dict[str, InstanceJudgement]:
    """The same of an open audit: what is not decided is pending."""
    return {uid: while_open(judgement) for uid, judgement in judgements_of(audit, uids).items()}


def judge_audit(audit: Audit) -> None:
    """Write every instance's verdict, and set (not save) the audit's verdict, proof and reason."""
    facts = ChainFacts(audit.chain())
    judged = _judge(audit, facts)
    _write_judgements(audit, judged)
    _set_verdict(audit, judged, facts.kinds)


def _judge(audit: Audit, facts: ChainFacts, uids: Collection[str] | None = None) -> _Judged:
    """Each different case is judged once, however many instances are like it."""
    known = known_content(audit, uids)
    policy = Policy(audit.acknowledgement_means_stored, audit.same_uid_means_same_content)
    cases: defaultdict[tuple[int, str, KnownContent], list[_Instance]] = defaultdict(list)
    rows = among(audit.instances.all(), uids).values_list("id", "sop_instance_uid", "was_there_before")
    for pk, uid, was_there in rows.iterator(chunk_size=10_000):
        case = facts.bits_of(uid), was_there, known.get(uid, KnownContent.NOTHING)
        cases[case].append(_Instance(pk, uid))
    judged: defaultdict[InstanceJudgement, list[_Instance]] = defaultdict(list)
    for (bits, was_there, content), instances in cases.items():
        judgement = judge_instance(
            facts.facts(bits), policy, WasThereBefore(was_there), known=content, is_inquiry=audit.is_inquiry
        )
        judged[judgement] += instances
    return judged


def _write_judgements(audit: Audit, judged: _Judged) -> None:
    """The commonest judgement into all rows, then the others over it: few statements, however many instances."""
    commonest_first = sorted(judged.items(), key=lambda each: len(each[1]), reverse=True)
    for number, (judgement, instances) in enumerate(commonest_first):
        columns = {name: getattr(judgement, name) for name in ("verdict", "ground", "is_contradiction")}
        if not number:
            audit.instances.update(**columns)
            continue
        for chunk in chunks(instances):
            audit.instances.filter(pk__in=[instance.pk for instance in chunk]).update(**columns)


def _set_verdict(audit: Audit, judged: _Judged, kinds: Set[EvidenceKind]) -> None:
    grounds: Counter[tuple[InstanceVerdict, Ground]] = Counter()
    verdicts: Counter[InstanceVerdict] = Counter()
    for judgement, instances in judged.items():
        grounds[judgement.verdict, judgement.ground] += len(instances)
        verdicts[judgement.verdict] += len(instances)
    audit.verdict = judge_study(verdicts)
    confirmed = [ground for verdict, ground in grounds if verdict is InstanceVerdict.CONFIRMED]
    audit.proof = weakest_proof(confirmed) if audit.verdict == StudyVerdict.COMMITTED else ""
    audit.reason = reason_of(
        StudyVerdict(audit.verdict),
        StudyFindings(
            grounds=grounds,
            contradictions=sum(len(found) for judgement, found in judged.items() if judgement.is_contradiction),
            explanations=_explanations(audit) if not kinds.isdisjoint(_EXPLAINED) else {},
            was_asked=not kinds.isdisjoint(_ASKED),
            unanswered=_unanswered(audit) if EvidenceKind.PROBE_FAILED in kinds else 0,
            files_left_out=audit.files_left_out,
            was_committed_at=_was_committed_at(audit),
        ),
    )


def _unanswered(audit: Audit) -> int:
    """Of how many instances the newest list, of this audit, was none at all."""
    # The newest answer is the greatest: twice its round, and one more where it was none.
    question = f"""
        SELECT COUNT(*) FROM (
            SELECT MAX(2 * evidence.round + CASE WHEN evidence.kind = %s THEN 1 ELSE 0 END) AS answer
            FROM audit_instanceaudit instance JOIN audit_evidence evidence ON evidence.instance_id = instance.id
            WHERE instance.audit_id = %s AND evidence.instance_id BETWEEN %s AND %s
                  AND evidence.kind IN ({places(_LISTED)})
                  AND {text_of("evidence.detail", "reader")} IS NULL  -- else what failed was to read it back
            GROUP BY instance.id
        ) newest WHERE answer %% 2 = 1
    """  # noqa: S608  only placeholders are put in
    with connection.cursor() as cursor:
        cursor.execute(question, [EvidenceKind.PROBE_FAILED, audit.pk, *_bounds(audit), *_LISTED])
        (count,) = cursor.fetchone()
    return int(count)


def _bounds(audit: Audit) -> tuple[int, int]:
    """The first and the last id of its instances, which lie together: a database then looks at their evidence only."""
    found = audit.instances.aggregate(first=Min("id"), last=Max("id"))
    return found["first"], found["last"]


_LISTED = (EvidenceKind.PRESENT, EvidenceKind.ABSENT, EvidenceKind.PROBE_FAILED)


def _was_committed_at(audit: Audit) -> str:
    """The day on which an earlier audit of the chain found the study committed, or nothing."""
    committed = (each for each in audit.chain()[1:] if each.verdict == StudyVerdict.COMMITTED and each.sealed_at)
    return next((f"{each.sealed_at:%Y-%m-%d %H:%M} UTC" for each in committed), "")


_PROVING = {Family.COMMITMENT, Family.PRESENCE, Family.CONTENT}
_ASKED = frozenset(kind for kind, (families, _) in MEANING.items() if _PROVING & set(families))


HELD_BACK = "held_back"
"""Code of what was not sent for the sake of others, whose own reason explains it."""

_EXPLAINED = (
    EvidenceKind.NOT_SENT,
    EvidenceKind.REFUSED,
    EvidenceKind.ANSWER_UNCLEAR,
    EvidenceKind.JOB_FAILED,
    EvidenceKind.NO_ANSWER,
    EvidenceKind.PROBE_FAILED,
)


def _explanations(audit: Audit) -> dict[EvidenceKind, Counter[str]]:
    """What was said, and how often, with the newest round of each kind that calls for an explanation."""
    newest: dict[tuple[int, str], tuple[int, int, str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_DETAILS, [audit.pk, *_bounds(audit), *_EXPLAINED])
        while rows := cursor.fetchmany(10_000):
            for instance_id, kind, of_round, pk, detail in rows:
                said = of_round, pk, detail
                if newest.setdefault((instance_id, kind), said) < said:
                    newest[instance_id, kind] = said
    explanations: dict[EvidenceKind, Counter[str]] = {kind: Counter() for kind in _EXPLAINED}
    for (kind, detail), count in Counter((kind, said[2]) for (_, kind), said in newest.items()).items():
        if text := _explanation(json.loads(detail)):
            explanations[EvidenceKind(kind)][text] += count
    return explanations


_DETAILS = f"""
    SELECT evidence.instance_id, evidence.kind, evidence.round, evidence.id, CAST(evidence.detail AS text)
    FROM audit_instanceaudit instance JOIN audit_evidence evidence ON evidence.instance_id = instance.id
    WHERE instance.audit_id = %s AND evidence.instance_id BETWEEN %s AND %s
          AND evidence.kind IN ({places(_EXPLAINED)})
"""  # noqa: S608  only placeholders are put in


def _explanation(detail: Mapping[str, Any]) -> str:
    """The status code with its meaning, else the reason, as the sender or probe wrote it."""
    if detail.get("code") == HELD_BACK:
        return ""
    return what_was_said(detail)
