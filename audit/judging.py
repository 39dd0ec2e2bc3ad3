"""Brings the evidence of an audit's chain before the verdict calculus, and writes down what it says."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from audit.chunks import chunks
from audit.judgements import (
    Fact,
    Ground,
    InstanceJudgement,
    InstanceVerdict,
    KnownContent,
    Policy,
    StudyVerdict,
    WasThereBefore,
)
from audit.models import Audit, Evidence, InstanceAudit
from audit.observations import MEANING, EvidenceKind, Family
from audit.plain_words import what_was_said
from audit.precedents import among, known_content
from audit.reasons import StudyFindings, reason_of
from audit.verdicts import judge_instance, judge_study, weakest_proof, while_open


def judgements_of(audit: Audit, uids: Collection[str] | None = None) -> dict[str, InstanceJudgement]:
    """What the evidence of the whole chain says of each instance, by SOP Instance UID; of a few, where `uids` says so.

    A few are as many as fit into one question to the database (`audit.chunks`).
    """
    facts = _facts_by_uid(audit.chain(), uids)
    known = known_content(audit, uids)
    policy = Policy(audit.acknowledgement_means_stored, audit.same_uid_means_same_content)
    return {
        uid: judge_instance(
            frozenset(facts[uid]),
            policy,
            WasThereBefore(was_there),
            known=known.get(uid, KnownContent.NOTHING),
            is_inquiry=audit.is_inquiry,
        )
        for uid, was_there in among(audit.instances.all(), uids).values_list("sop_instance_uid", "was_there_before")
    }


def live_judgements_of(audit: Audit, uids: Collection[str] | None = None) -> dict[str, InstanceJudgement]:
    """The same of an open audit: what is not decided is pending."""
    return {uid: while_open(judgement) for uid, judgement in judgements_of(audit, uids).items()}


def judge_audit(audit: Audit) -> None:
    """Write every instance's verdict, and set (not save) the audit's verdict, proof and reason."""
    judgements = judgements_of(audit)
    _write_judgements(audit, judgements)
    _set_verdict(audit, judgements)


def _facts_by_uid(audits: Iterable[Audit], of_uids: Collection[str] | None) -> defaultdict[str, set[Fact]]:
    facts: defaultdict[str, set[Fact]] = defaultdict(set)
    known: dict[tuple[str, int], Fact] = {}
    for audit in audits:
        instances = among(audit.instances.all(), of_uids)
        uids = dict(instances.values_list("id", "sop_instance_uid"))
        rows = Evidence.objects.filter(instance__audit=audit)
        if of_uids is not None:
            rows = Evidence.objects.filter(instance__in=list(uids))
        evidence = rows.values_list("instance_id", "kind", "round")
        for instance_id, kind, of_round in evidence.iterator(chunk_size=10_000):
            fact = known.get((kind, of_round))
            if fact is None:
                fact = known[kind, of_round] = Fact(EvidenceKind(kind), of_round)
            facts[uids[instance_id]].add(fact)
    return facts


def _write_judgements(audit: Audit, judgements: Mapping[str, InstanceJudgement]) -> None:
    """One statement for each different judgement and chunk, not one an instance."""
    rows_by_judgement: defaultdict[InstanceJudgement, list[int]] = defaultdict(list)
    for pk, uid in audit.instances.values_list("id", "sop_instance_uid"):
        rows_by_judgement[judgements[uid]].append(pk)
    for judgement, pks in rows_by_judgement.items():
        for chunk in chunks(pks):
            InstanceAudit.objects.filter(pk__in=chunk).update(
                verdict=judgement.verdict, ground=judgement.ground, is_contradiction=judgement.is_contradiction
            )


def _set_verdict(audit: Audit, judgements: Mapping[str, InstanceJudgement]) -> None:
    grounds: Counter[tuple[InstanceVerdict, Ground]] = Counter(
        (judgement.verdict, judgement.ground) for judgement in judgements.values()
    )
    verdicts: Counter[InstanceVerdict] = Counter()
    for (verdict, _), count in grounds.items():
        verdicts[verdict] += count
    audit.verdict = judge_study(verdicts)
    confirmed = [ground for verdict, ground in grounds if verdict is InstanceVerdict.CONFIRMED]
    audit.proof = weakest_proof(confirmed) if audit.verdict == StudyVerdict.COMMITTED else ""
    audit.reason = reason_of(
        StudyVerdict(audit.verdict),
        StudyFindings(
            grounds=grounds,
            contradictions=sum(judgement.is_contradiction for judgement in judgements.values()),
            explanations=_explanations(audit),
            was_asked=_was_asked(audit),
            files_left_out=audit.files_left_out,
            was_committed_at=_was_committed_at(audit),
        ),
    )


def _was_committed_at(audit: Audit) -> str:
    """The day on which an earlier audit of the chain found the study committed, or nothing."""
    committed = (each for each in audit.chain()[1:] if each.verdict == StudyVerdict.COMMITTED and each.sealed_at)
    return next((f"{each.sealed_at:%Y-%m-%d %H:%M} UTC" for each in committed), "")


_PROVING = {Family.COMMITMENT, Family.PRESENCE, Family.CONTENT}
_ASKED = [kind for kind, (families, _) in MEANING.items() if _PROVING & set(families)]


def _was_asked(audit: Audit) -> bool:
    return Evidence.objects.filter(instance__audit__in=audit.chain(), kind__in=_ASKED).exists()


HELD_BACK = "held_back"
"""Code of what was not sent for the sake of others, whose own reason explains it."""

_EXPLAINED = (
    EvidenceKind.NOT_SENT,
    EvidenceKind.REFUSED,
    EvidenceKind.ANSWER_UNCLEAR,
    EvidenceKind.NO_ANSWER,
    EvidenceKind.PROBE_FAILED,
)


def _explanations(audit: Audit) -> dict[EvidenceKind, Counter[str]]:
    """What was said, and how often, with the newest round of each kind that calls for an explanation."""
    newest: dict[tuple[int, str], tuple[int, str]] = {}
    rows = Evidence.objects.filter(instance__audit=audit, kind__in=_EXPLAINED).values_list(
        "instance_id", "kind", "round", "detail"
    )
    for instance_id, kind, of_round, detail in rows.iterator(chunk_size=2_000):
        key = (instance_id, kind)
        if key not in newest or newest[key][0] <= of_round:
            newest[key] = (of_round, _explanation(detail))
    explanations: dict[EvidenceKind, Counter[str]] = {kind: Counter() for kind in _EXPLAINED}
    for (_, kind), (_, text) in newest.items():
        if text:
            explanations[EvidenceKind(kind)][text] += 1
    return explanations


def _explanation(detail: Mapping[str, Any]) -> str:
    """The status code with its meaning, else the reason, as the sender or probe wrote it."""
    if detail.get("code") == HELD_BACK:
        return ""
    return what_was_said(detail)
