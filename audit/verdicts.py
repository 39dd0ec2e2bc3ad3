"""The verdict calculus: pure functions over the set of evidence about each instance.

The one unforgivable bug is a false "committed". Whatever is in doubt is `unproven`, and a study with it `unverifiable`.

Rounds come from one sequence an audit chain: each send phase and each probe run has its own, so rounds of different
families can be compared. `docs/verdicts.md` gives the rules in words, `docs/decisions/0002` what was weighed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from audit.judgements import (
    PROOFS,
    Fact,
    Ground,
    InstanceJudgement,
    InstanceVerdict,
    KnownContent,
    Policy,
    StudyVerdict,
    WasThereBefore,
)
from audit.observations import MEANING, EvidenceKind, Family, Polarity


@dataclass(frozen=True, slots=True)
class _Standing:
    """What one family says now: its decisive round, and the kinds in it."""

    polarity: Polarity
    round: int
    kinds: frozenset[EvidenceKind]

    @property
    def is_positive(self) -> bool:
        return self.polarity is Polarity.POSITIVE

    @property
    def is_negative(self) -> bool:
        return self.polarity is Polarity.NEGATIVE


_SILENT = _Standing(Polarity.NEUTRAL, 0, frozenset())


_WITHOUT_TRUST = Policy()


@lru_cache(maxsize=65536)
def judge_instance(
    facts: frozenset[Fact],
    policy: Policy = _WITHOUT_TRUST,
    was_there_before: WasThereBefore = WasThereBefore.UNKNOWN,
    *,
    known: KnownContent = KnownContent.NOTHING,
    is_inquiry: bool = False,
) -> InstanceJudgement:
    """Judge one instance from all the evidence of its audit chain.

    `is_inquiry`: nothing was to be sent; the destination was only asked whether the UID is there.
    Never returns `pending`: see `while_open`.
    """
    case = _Case(policy, was_there_before, known, is_inquiry)
    unreadable = frozenset(fact for fact in facts if fact.kind is EvidenceKind.UNREADABLE)
    facts -= unreadable
    judgement = _without_what_was_removed(facts, case, _judge(facts, case))
    judgement = _without_denials_before_sending(facts, judgement)
    if judgement.verdict is not InstanceVerdict.CONFIRMED or not unreadable:
        return judgement
    if _proof(facts, Family.CONTENT).round > max(fact.round for fact in unreadable):
        return judgement
    # A list may be an index, and a commitment may be old: only handing it over settles whether it is there.
    return _unproven(Ground.UNREADABLE, is_contradiction=judgement.ground is not Ground.ACKNOWLEDGED)


class _Case(NamedTuple):
    """What is the same however the evidence is looked at."""

    policy: Policy
    was_there_before: WasThereBefore
    known: KnownContent
    is_inquiry: bool


def _judge(facts: frozenset[Fact], case: _Case) -> InstanceJudgement:
    content, commitment, presence = (
        _proof(facts, family) for family in (Family.CONTENT, Family.COMMITMENT, Family.PRESENCE)
    )
    denial = _denial(content, commitment, presence)
    if denial is not None:
        return denial
    if content.is_positive:
        ground = Ground.IDENTICAL if EvidenceKind.IDENTICAL in content.kinds else Ground.EQUIVALENT
        return InstanceJudgement(InstanceVerdict.CONFIRMED, ground, is_contradiction=commitment.is_negative)
    doubt = None if case.policy.same_uid_means_same_content else _doubt(case.was_there_before, case.known)
    if doubt is not None:
        return _unproven(doubt)
    claim = _claim(facts)
    if not presence.is_positive and not commitment.is_positive:
        return _claimed(claim, case.policy)
    is_settled = case.is_inquiry or case.policy.same_uid_means_same_content or case.known is KnownContent.SAME
    if not is_settled and not _may_be_ours(claim, case.was_there_before):
        return _unproven(Ground.LISTED_THOUGH_NOT_OURS)
    return InstanceJudgement(InstanceVerdict.CONFIRMED, Ground.PRESENT if presence.is_positive else Ground.COMMITTED)


def _without_what_was_removed(facts: frozenset[Fact], case: _Case, judgement: InstanceJudgement) -> InstanceJudgement:
    """What was proved, or acknowledged, before we asked to have the instance removed confirms it no more.

    Nor does it contradict what denies it since.
    """
    removal = max((fact.round for fact in facts if fact.kind is EvidenceKind.REMOVAL_ASKED), default=0)
    if not removal or judgement.verdict is InstanceVerdict.UNPROVEN:
        return judgement
    since = _judge(frozenset(fact for fact in facts if fact.round > removal or not _proves(fact)), case)
    if judgement.verdict is InstanceVerdict.REFUTED:
        return since if since.verdict is InstanceVerdict.REFUTED else judgement
    is_of_before = since.ground is Ground.ACKNOWLEDGED and _may_be_stored_since(facts) <= removal
    return _unproven(Ground.REMOVED) if is_of_before or since.verdict is not InstanceVerdict.CONFIRMED else since


def _without_denials_before_sending(facts: frozenset[Fact], judgement: InstanceJudgement) -> InstanceJudgement:
    """What was not there, or denied, before it was sent again may be there now: that refutes it no more."""
    if judgement.verdict is not InstanceVerdict.REFUTED or judgement.ground not in _OUTDATED_BY_SENDING:
        return judgement
    denied = max(fact.round for fact in facts if fact.kind in _DENIALS)
    if denied >= _may_be_stored_since(facts):
        return judgement
    return _unproven(_claim(facts), is_contradiction=judgement.is_contradiction)


_OUTDATED_BY_SENDING = (Ground.ABSENT, Ground.COMMITMENT_REFUSED)
_DENIALS = (EvidenceKind.ABSENT, EvidenceKind.COMMITMENT_REFUSED)


def _may_be_stored_since(facts: frozenset[Fact]) -> int:
    """The newest round in which a sending began that may have stored it; 0 where there is none."""
    answers = [*_of(facts, Family.ANSWER), *_of(facts, Family.JOB)]
    rounds = {fact.round for fact in answers}
    taken = {of_round for of_round in rounds if not _standing(answers, of_round).is_negative}
    return max(taken | _unanswered(facts, answers), default=0)


def _proves(fact: Fact) -> bool:
    """Whether it is a proof in favour."""
    families, polarity = MEANING[fact.kind]
    return polarity is Polarity.POSITIVE and not _CLAIMING.intersection(families)


_CLAIMING = frozenset({Family.SENDING, Family.ANSWER, Family.JOB})


def while_open(judgement: InstanceJudgement) -> InstanceJudgement:
    """What to show while the audit is open: what is not decided, or could still be sent, is pending."""
    if judgement.verdict is InstanceVerdict.UNPROVEN or judgement.ground is Ground.NOT_SENT:
        return InstanceJudgement(InstanceVerdict.PENDING, judgement.ground, judgement.is_contradiction)
    return judgement


def judge_study(verdicts: Mapping[InstanceVerdict, int]) -> StudyVerdict:
    """Judge a study from how many of its instances have which verdict. An empty manifest is never committed."""
    total = sum(verdicts.values())
    confirmed, refuted, pending = (
        verdicts.get(verdict, 0)
        for verdict in (InstanceVerdict.CONFIRMED, InstanceVerdict.REFUTED, InstanceVerdict.PENDING)
    )
    if pending:
        return StudyVerdict.PENDING
    if refuted:
        return StudyVerdict.NOTHING_STORED if refuted == total else StudyVerdict.PARTIAL
    if total and confirmed == total:
        return StudyVerdict.COMMITTED
    return StudyVerdict.UNVERIFIABLE


def weakest_proof(grounds: Iterable[Ground]) -> Ground:
    """The proof that covers all: the weakest of the grounds on which instances are confirmed."""
    return min(grounds, key=PROOFS.index)


_DENIED_CLAIMS = (Ground.REFUSED, Ground.NOT_SENT)


def _doubt(was_there_before: WasThereBefore, known: KnownContent) -> Ground | None:
    """Why being listed says nothing of what we sent: other content may be there under the same UID."""
    if known is KnownContent.OTHER:
        return Ground.OTHER_CONTENT_SENT
    if was_there_before is WasThereBefore.YES and known is not KnownContent.SAME:
        return Ground.WAS_THERE_BEFORE
    return None


def _may_be_ours(claim: Ground, was_there_before: WasThereBefore) -> bool:
    """Whether what is listed came from us: acknowledged, or begun by us where nothing was there before."""
    if was_there_before is WasThereBefore.NO:
        return claim not in {Ground.NOT_SENT, Ground.NOT_ASKED}
    return claim is Ground.ACKNOWLEDGED_ONLY


def _claimed(claim: Ground, policy: Policy) -> InstanceJudgement:
    """Nothing was proved either way: what our sending and its answer alone come to."""
    if claim in _DENIED_CLAIMS:
        return InstanceJudgement(InstanceVerdict.REFUTED, claim)
    if claim is Ground.ACKNOWLEDGED_ONLY and policy.acknowledgement_means_stored:
        return InstanceJudgement(InstanceVerdict.CONFIRMED, Ground.ACKNOWLEDGED)
    return _unproven(claim)


def _unproven(ground: Ground, *, is_contradiction: bool = False) -> InstanceJudgement:
    return InstanceJudgement(InstanceVerdict.UNPROVEN, ground, is_contradiction)


def _of(facts: Iterable[Fact], family: Family) -> list[Fact]:
    return [fact for fact in facts if family in MEANING[fact.kind][0]]


def _standing(facts: list[Fact], of_round: int) -> _Standing:
    """Within a round negative beats neutral beats positive."""
    kinds = frozenset(fact.kind for fact in facts if fact.round == of_round)
    polarity = min((MEANING[kind][1] for kind in kinds), key=lambda polarity: _STRENGTH[polarity])
    return _Standing(polarity, of_round, kinds)


_STRENGTH = {Polarity.NEGATIVE: 0, Polarity.NEUTRAL: 1, Polarity.POSITIVE: 2}


def _proof(facts: Iterable[Fact], family: Family) -> _Standing:
    """The newest round of a proof that decides. A round that only says "could not ask" overrules nothing."""
    of_family = _of(facts, family)
    for of_round in sorted({fact.round for fact in of_family}, reverse=True):
        standing = _standing(of_family, of_round)
        if standing.polarity is not Polarity.NEUTRAL:
            return standing
    return _SILENT


def _denial(content: _Standing, commitment: _Standing, presence: _Standing) -> InstanceJudgement | None:
    """The judgement where a proof denies the instance, or None where none does (or content settled it since)."""
    if content.is_negative:
        ground = Ground.CONFLICT if EvidenceKind.CONFLICT in content.kinds else Ground.DIFFERENT
        return InstanceJudgement(InstanceVerdict.REFUTED, ground, commitment.is_positive)
    if presence.is_negative:
        # Read back after the list denied it: one of the two is wrong, and nothing says which.
        if content.is_positive and content.round > presence.round:
            return _unproven(Ground.CONTRADICTION, is_contradiction=True)
        return InstanceJudgement(
            InstanceVerdict.REFUTED, Ground.ABSENT, is_contradiction=commitment.is_positive or content.is_positive
        )
    if commitment.is_negative:
        if content.is_positive and content.round > commitment.round:
            return None
        if content.is_positive or presence.is_positive:
            return _unproven(Ground.CONTRADICTION, is_contradiction=True)
        return InstanceJudgement(InstanceVerdict.REFUTED, Ground.COMMITMENT_REFUSED)
    return None


def _claim(facts: frozenset[Fact]) -> Ground:
    """What sending and its answer come to, the newest attempt that began to send it deciding.

    `not-sent` denies only what no attempt ever began to send: an earlier attempt without an answer may have stored it.
    An answer of an attempt before the newest sending is out of date. A refusal denies only its own sending: one that
    went without an answer, or was not refused, may have been stored.
    """
    begun = max((fact.round for fact in facts if fact.kind in _SENDING_BEGUN), default=0)
    answers = [*_of(facts, Family.ANSWER), *_of(facts, Family.JOB)]
    newest_answer = max((fact.round for fact in answers), default=0)
    if answers and newest_answer >= begun:
        claim = _answer(_standing(answers, newest_answer))
        return _refused(facts, answers) if claim is Ground.REFUSED else claim
    if begun:
        return Ground.NO_ANSWER
    if any(fact.kind is EvidenceKind.NOT_SENT for fact in facts):
        return Ground.NOT_SENT
    return Ground.NOT_ASKED


_SENDING_BEGUN = (EvidenceKind.SENT, EvidenceKind.NO_ANSWER)


def _refused(facts: frozenset[Fact], answers: list[Fact]) -> Ground:
    """What the newest refusal comes to, beside what became of the sendings before it."""
    if _unanswered(facts, answers):
        return Ground.NO_ANSWER
    rounds = {fact.round for fact in answers}
    is_denied = all(_standing(answers, of_round).is_negative for of_round in rounds)
    return Ground.REFUSED if is_denied else Ground.ANSWER_UNCLEAR


def _unanswered(facts: frozenset[Fact], answers: list[Fact]) -> set[int]:
    """The rounds in which a sending went without an answer."""
    answered = {fact.round for fact in answers}
    return {
        fact.round
        for fact in facts
        if fact.kind is EvidenceKind.NO_ANSWER or (fact.kind is EvidenceKind.SENT and fact.round not in answered)
    }


def _answer(standing: _Standing) -> Ground:
    if standing.is_positive:
        return Ground.ACKNOWLEDGED_ONLY
    if standing.is_negative:
        return Ground.REFUSED
    return Ground.ANSWER_UNCLEAR
