"""Brings the evidence of an audit's chain before the verdict calculus, and writes down what it says."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from audit.judgements import (
    Fact,
    Ground,
    InstanceJudgement,
    InstanceVerdict,
    Policy,
    StudyVerdict,
    WasThereBefore,
)
from audit.models import Audit, Evidence, InstanceAudit
from audit.observations import MEANING, EvidenceKind, Family
from audit.reasons import StudyFindings, reason_of
from audit.verdicts import judge_instance, judge_study, weakest_proof, while_open

CHUNK_ROWS = 500


def judgements_of(audit: Audit) -> dict[str, InstanceJudgement]:
    """What the evidence of the whole chain says of each instance, by SOP Instance UID."""
    facts = _facts_by_uid(audit.chain())
    proved = _proved_content(audit)
    policy = Policy(audit.acknowledgement_means_stored, audit.same_uid_means_same_content)
    return {
        uid: judge_instance(
            frozenset(facts[uid]),
            policy,
            WasThereBefore(was_there),
            is_proved_content=bool(sha256) and proved.get(uid) == sha256,
        )
        for uid, was_there, sha256 in audit.instances.values_list("sop_instance_uid", "was_there_before", "sha256")
    }


def judge_audit(audit: Audit) -> None:
    """Write every instance's verdict, and set (not save) the audit's verdict, proof and reason."""
    judgements = judgements_of(audit)
    _write_judgements(audit, judgements)
    _set_verdict(audit, judgements)


def judge_open_audit(audit: Audit) -> Counter[InstanceVerdict]:
    """How many instances have which verdict by the evidence so far; nothing is written."""
    return Counter(while_open(judgement).verdict for judgement in judgements_of(audit).values())


def _facts_by_uid(audits: Iterable[Audit]) -> defaultdict[str, set[Fact]]:
    facts: defaultdict[str, set[Fact]] = defaultdict(set)
    known: dict[tuple[str, int], Fact] = {}
    for audit in audits:
        uids = dict(audit.instances.values_list("id", "sop_instance_uid"))
        evidence = Evidence.objects.filter(instance__audit=audit).values_list("instance_id", "kind", "round")
        for instance_id, kind, of_round in evidence.iterator(chunk_size=10_000):
            fact = known.get((kind, of_round))
            if fact is None:
                fact = known[kind, of_round] = Fact(EvidenceKind(kind), of_round)
            facts[uids[instance_id]].add(fact)
    return facts


def _proved_content(audit: Audit) -> dict[str, str]:
    """SHA-256 of what earlier transfers proved to be at this destination, of the instances that were there before.

    The newest word counts: an instance refuted since, or sent with other content since, is proved no longer.
    """
    was_there = list(
        audit.instances.filter(was_there_before=WasThereBefore.YES).values_list("sop_instance_uid", flat=True)
    )
    if not was_there:
        return {}
    chain = [each.pk for each in audit.chain()]
    proved: dict[str, str] = {}
    for start in range(0, len(was_there), CHUNK_ROWS):
        earlier = (
            InstanceAudit.objects.filter(
                sop_instance_uid__in=was_there[start : start + CHUNK_ROWS],
                audit__destination_public_id=audit.destination_public_id,
                audit__sealed_at__isnull=False,
            )
            .exclude(audit__in=chain)
            .select_related("audit")
            .order_by("audit__sealed_at", "audit_id")
        )
        for instance in earlier.iterator(chunk_size=CHUNK_ROWS):
            _weigh_earlier(proved, instance)
    return proved


def _weigh_earlier(proved: dict[str, str], instance: InstanceAudit) -> None:
    if _proves_content(instance):
        proved[instance.sop_instance_uid] = instance.sha256
    elif instance.verdict == InstanceVerdict.REFUTED or instance.sha256 != proved.get(instance.sop_instance_uid):
        proved.pop(instance.sop_instance_uid, None)


def _proves_content(instance: InstanceAudit) -> bool:
    """Whether an earlier verdict shows that the destination holds exactly the bytes of that digest.

    Not on an acknowledgement alone, and not where something of unknown content may have been there before.
    """
    if instance.verdict != InstanceVerdict.CONFIRMED or not instance.sha256:
        return False
    if instance.ground in {Ground.IDENTICAL, Ground.EQUIVALENT}:
        return True
    if instance.ground not in {Ground.PRESENT, Ground.COMMITTED}:
        return False
    return instance.was_there_before == WasThereBefore.NO or (
        instance.was_there_before == WasThereBefore.YES and not instance.audit.same_uid_means_same_content
    )


def _write_judgements(audit: Audit, judgements: Mapping[str, InstanceJudgement]) -> None:
    """One statement for each different judgement and chunk, not one an instance."""
    rows_by_judgement: defaultdict[InstanceJudgement, list[int]] = defaultdict(list)
    for pk, uid in audit.instances.values_list("id", "sop_instance_uid"):
        rows_by_judgement[judgements[uid]].append(pk)
    for judgement, pks in rows_by_judgement.items():
        for start in range(0, len(pks), CHUNK_ROWS):
            InstanceAudit.objects.filter(pk__in=pks[start : start + CHUNK_ROWS]).update(
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
        ),
    )


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
    if status_code := detail.get("status_code"):
        return f"{status_code} {detail.get('meaning', '')}".strip()
    return str(detail.get("reason", ""))
