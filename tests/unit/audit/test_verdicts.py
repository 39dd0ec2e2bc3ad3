"""The verdict calculus: the rules one by one, then its properties over any set of evidence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from audit.observations import MEANING, EvidenceKind, Family, Polarity
from audit.verdicts import judge_instance, judge_study, weakest_proof, while_open

WITHOUT_TRUST = Policy()
TRUSTED = Policy(acknowledgement_means_stored=True)
SAME_CONTENT = Policy(same_uid_means_same_content=True)
NOTHING = KnownContent.NOTHING
NO, YES, UNKNOWN = WasThereBefore.NO, WasThereBefore.YES, WasThereBefore.UNKNOWN


def facts(*words: str) -> frozenset[Fact]:
    """`facts("sent 1", "acknowledged 1", "present 2")`: kind and round."""
    return frozenset(Fact(EvidenceKind(kind), int(of_round)) for kind, of_round in (word.split() for word in words))


def judge(
    *words: str, policy: Policy = WITHOUT_TRUST, was_there: WasThereBefore = NO, known: KnownContent = NOTHING
) -> InstanceJudgement:
    return judge_instance(facts(*words), policy, was_there, known=known)


@pytest.mark.parametrize(
    ("words", "verdict", "ground"),
    [
        ([], "unproven", Ground.NOT_ASKED),
        (["not-sent 1"], "refuted", Ground.NOT_SENT),
        (["sent 1"], "unproven", Ground.NO_ANSWER),
        (["sent 1", "no-answer 1"], "unproven", Ground.NO_ANSWER),
        (["sent 1", "acknowledged 1"], "unproven", Ground.ACKNOWLEDGED_ONLY),
        (["sent 1", "refused 1"], "refuted", Ground.REFUSED),
        (["sent 1", "answer-unclear 1"], "unproven", Ground.ANSWER_UNCLEAR),
        (["job-succeeded 1"], "unproven", Ground.ACKNOWLEDGED_ONLY),
        (["job-failed 1"], "unproven", Ground.ANSWER_UNCLEAR),
        (["acknowledged 1", "present 2"], "confirmed", Ground.PRESENT),
        (["acknowledged 1", "absent 2"], "refuted", Ground.ABSENT),
        (["acknowledged 1", "probe-failed 2"], "unproven", Ground.ACKNOWLEDGED_ONLY),
        (["acknowledged 1", "committed 2"], "confirmed", Ground.COMMITTED),
        (["acknowledged 1", "commitment-refused 2"], "refuted", Ground.COMMITMENT_REFUSED),
        (["acknowledged 1", "commitment-failed 2"], "unproven", Ground.ACKNOWLEDGED_ONLY),
        (["acknowledged 1", "not-mentioned 2"], "unproven", Ground.ACKNOWLEDGED_ONLY),
        (["acknowledged 1", "commitment-overdue 2", "committed 3"], "confirmed", Ground.COMMITTED),
        (["acknowledged 1", "identical 2"], "confirmed", Ground.IDENTICAL),
        (["acknowledged 1", "equivalent 2"], "confirmed", Ground.EQUIVALENT),
        (["acknowledged 1", "different 2"], "refuted", Ground.DIFFERENT),
        (["conflict 1"], "refuted", Ground.CONFLICT),
        (["present 1"], "unproven", Ground.LISTED_THOUGH_NOT_OURS),
        (["refused 1", "present 2"], "confirmed", Ground.PRESENT),
        (["no-answer 1", "present 2"], "confirmed", Ground.PRESENT),
        (["not-sent 1", "present 2"], "unproven", Ground.LISTED_THOUGH_NOT_OURS),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else str(value),
)
def test_the_evidence_gives_the_verdict(words: list[str], verdict: str, ground: Ground) -> None:
    judgement = judge(*words)

    assert (judgement.verdict, judgement.ground, judgement.is_contradiction) == (verdict, ground, False)


@pytest.mark.parametrize(
    ("words", "verdict", "ground"),
    [
        (["committed 2", "absent 3"], "refuted", Ground.ABSENT),
        (["committed 3", "absent 2"], "refuted", Ground.ABSENT),
        (["identical 2", "absent 3"], "refuted", Ground.ABSENT),
        (["absent 2", "identical 3"], "unproven", Ground.CONTRADICTION),
        (["commitment-refused 2", "present 3"], "unproven", Ground.CONTRADICTION),
        (["commitment-refused 3", "present 2"], "unproven", Ground.CONTRADICTION),
        (["commitment-refused 2", "present 3", "identical 4"], "confirmed", Ground.IDENTICAL),
        (["identical 2", "commitment-refused 3"], "unproven", Ground.CONTRADICTION),
        (["committed 2", "different 3"], "refuted", Ground.DIFFERENT),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else str(value),
)
def test_proofs_that_deny_each_other_are_a_contradiction(words: list[str], verdict: str, ground: Ground) -> None:
    judgement = judge("acknowledged 1", *words)

    assert (judgement.verdict, judgement.ground, judgement.is_contradiction) == (verdict, ground, True)


def test_a_later_round_overrules_within_its_kind() -> None:
    assert judge("acknowledged 1", "absent 2", "present 3").verdict == "confirmed"
    assert judge("acknowledged 1", "present 2", "absent 3").verdict == "refuted"


def test_a_round_that_could_not_ask_overrules_nothing() -> None:
    assert judge("acknowledged 1", "present 2", "probe-failed 3").verdict == "confirmed"
    assert judge("acknowledged 1", "absent 2", "probe-failed 3").verdict == "refuted"


@pytest.mark.parametrize("proof", ["present 2", "committed 2", "identical 2", "equivalent 2"])
def test_what_is_not_handed_over_is_in_doubt_until_it_is_read(proof: str) -> None:
    doubted = judge("acknowledged 1", proof, "unreadable 3", was_there=NO)
    settled = judge("acknowledged 1", proof, "unreadable 3", "equivalent 4", was_there=NO)

    assert (doubted.verdict, doubted.ground, doubted.is_contradiction) == ("unproven", Ground.UNREADABLE, True)
    assert settled.verdict == "confirmed"


@pytest.mark.parametrize("words", [["refused 1"], ["not-sent 1"], ["different 1"], ["absent 2"]])
def test_what_is_refuted_stays_so_though_it_could_not_be_read(words: list[str]) -> None:
    assert judge(*words, "unreadable 3", was_there=NO).verdict == "refuted"


@pytest.mark.parametrize("proof", ["acknowledged 2", "present 2", "committed 2", "identical 2", "present 3"])
def test_what_we_had_removed_again_is_confirmed_only_by_what_proves_it_since(proof: str) -> None:
    removed = ("acknowledged 1", proof, "removal-asked 3")

    unproven = judge(*removed, "probe-failed 4", policy=TRUSTED)

    assert (unproven.verdict, unproven.ground) == ("unproven", Ground.REMOVED)
    assert judge(*removed, "present 4").verdict == "confirmed"
    assert judge(*removed, "absent 4").verdict == "refuted"
    assert judge(*removed, "sent 4", "acknowledged 4", "present 5").verdict == "confirmed"


@pytest.mark.parametrize("proof", ["committed 2", "present 2", "identical 2"])
def test_what_is_gone_since_it_was_to_be_removed_contradicts_nothing(proof: str) -> None:
    judgement = judge("acknowledged 1", proof, "removal-asked 3", "absent 4")

    assert (judgement.verdict, judgement.ground, judgement.is_contradiction) == ("refuted", Ground.ABSENT, False)


@pytest.mark.parametrize("denial", ["absent 2", "commitment-refused 2"])
@pytest.mark.parametrize("sent", ["sent 3", "no-answer 3", "acknowledged 3", "answer-unclear 3"])
def test_what_was_denied_before_it_was_sent_again_may_be_there(denial: str, sent: str) -> None:
    assert judge("acknowledged 1", denial, sent, policy=TRUSTED).verdict == "unproven"
    assert judge("acknowledged 1", denial, sent, "absent 4").verdict == "refuted"
    assert judge("acknowledged 1", denial, sent, "present 4", "committed 4").verdict == "confirmed"


@pytest.mark.parametrize("answer", [("sent 3", "refused 3"), ("not-sent 3",)])
def test_what_was_denied_stays_so_where_it_was_not_taken_again(answer: tuple[str, ...]) -> None:
    assert judge("acknowledged 1", "absent 2", *answer).verdict == "refuted"


def test_other_content_is_not_outdated_by_sending_again() -> None:
    assert judge("acknowledged 1", "different 2", "acknowledged 3", "present 4").verdict == "refuted"


def test_what_was_only_asked_about_is_confirmed_by_being_listed() -> None:
    judgement = judge_instance(facts("present 1"), was_there_before=UNKNOWN, is_inquiry=True)

    assert (judgement.verdict, judgement.ground) == ("confirmed", Ground.PRESENT)


def test_a_report_that_both_commits_and_fails_an_instance_proves_nothing() -> None:
    assert judge("committed 2", "commitment-failed 2").verdict == "unproven"


def test_an_acknowledgement_confirms_only_where_the_admin_declared_it() -> None:
    assert judge("sent 1", "acknowledged 1", policy=TRUSTED) == InstanceJudgement(
        InstanceVerdict.CONFIRMED, Ground.ACKNOWLEDGED
    )
    assert judge("sent 1", "acknowledged 1", "absent 2", policy=TRUSTED).verdict == "refuted"
    assert judge("sent 1", "answer-unclear 1", policy=TRUSTED).verdict == "unproven"


@pytest.mark.parametrize("proof", ["present 2", "committed 2", "probe-failed 2"])
@pytest.mark.parametrize("claim", ["acknowledged 1", "refused 1", "not-sent 1", "no-answer 1"])
def test_what_was_there_before_proves_nothing_new(claim: str, proof: str) -> None:
    judgement = judge(claim, proof, policy=TRUSTED, was_there=YES)

    assert (judgement.verdict, judgement.ground) == ("unproven", Ground.WAS_THERE_BEFORE)


def test_what_was_there_before_is_settled_by_content_or_our_own_proof_or_the_switch() -> None:
    listed = ("acknowledged 1", "present 2")

    assert judge(*listed, "identical 3", was_there=YES).verdict == "confirmed"
    assert judge(*listed, was_there=YES, known=KnownContent.SAME).verdict == "confirmed"
    assert judge(*listed, was_there=YES, policy=SAME_CONTENT).verdict == "confirmed"


@pytest.mark.parametrize("claim", ["refused 1", "not-sent 1", "no-answer 1", "answer-unclear 1", "probe-failed 1"])
def test_what_was_not_acknowledged_may_be_older_where_nobody_looked_before(claim: str) -> None:
    judgement = judge(claim, "present 2", was_there=UNKNOWN)

    assert (judgement.verdict, judgement.ground) == ("unproven", Ground.LISTED_THOUGH_NOT_OURS)


def test_what_was_acknowledged_and_is_listed_is_confirmed_though_nobody_looked_before() -> None:
    assert judge("acknowledged 1", "present 2", was_there=UNKNOWN).verdict == "confirmed"


@pytest.mark.parametrize("was_there", [NO, UNKNOWN, YES])
def test_two_contents_sent_under_one_uid_are_settled_only_by_reading_back(was_there: WasThereBefore) -> None:
    listed = ("acknowledged 1", "present 2")

    judgement = judge(*listed, was_there=was_there, known=KnownContent.OTHER, policy=TRUSTED)

    assert (judgement.verdict, judgement.ground) == ("unproven", Ground.OTHER_CONTENT_SENT)
    assert judge(*listed, "identical 3", was_there=was_there, known=KnownContent.OTHER).verdict == "confirmed"


def test_a_later_sending_without_an_answer_reopens_what_was_refused() -> None:
    assert judge("refused 1", "sent 2", "no-answer 2").ground == Ground.NO_ANSWER


def test_an_instance_once_sent_without_an_answer_is_not_refuted_by_not_being_sent_again() -> None:
    assert judge("no-answer 1", "not-sent 2").verdict == "unproven"


@pytest.mark.parametrize(
    "words", [("sent 1", "no-answer 1", "refused 1"), ("no-answer 1", "refused 2"), ("sent 1", "sent 2", "refused 2")]
)
def test_a_refusal_does_not_refute_what_an_unanswered_sending_may_have_stored(words: tuple[str, ...]) -> None:
    judgement = judge(*words)

    assert (judgement.verdict, judgement.ground) == ("unproven", Ground.NO_ANSWER)


@pytest.mark.parametrize("earlier", ["acknowledged 1", "answer-unclear 1"])
@pytest.mark.parametrize("policy", [WITHOUT_TRUST, TRUSTED])
def test_a_refusal_does_not_refute_what_an_earlier_sending_may_have_stored(earlier: str, policy: Policy) -> None:
    judgement = judge("sent 1", earlier, "sent 2", "refused 2", policy=policy)

    assert (judgement.verdict, judgement.ground) == ("unproven", Ground.ANSWER_UNCLEAR)


def test_what_was_refused_each_time_is_refuted() -> None:
    assert judge("refused 1", "sent 2", "refused 2").ground == Ground.REFUSED


def test_the_acknowledgement_of_an_earlier_attempt_does_not_answer_the_newest_sending() -> None:
    assert judge("acknowledged 1", "sent 2", policy=TRUSTED).verdict == "unproven"


def test_while_the_audit_is_open_what_is_unproven_is_pending() -> None:
    assert while_open(judge("acknowledged 1")).verdict == "pending"
    assert while_open(judge("refused 1")).verdict == "refuted"
    assert while_open(judge("not-sent 1")).verdict == "pending"


@pytest.mark.parametrize(
    ("confirmed", "refuted", "unproven", "pending", "verdict"),
    [
        (0, 0, 0, 0, "unverifiable"),
        (3, 0, 0, 0, "committed"),
        (2, 1, 0, 0, "partial"),
        (0, 1, 2, 0, "partial"),
        (0, 3, 0, 0, "nothing-stored"),
        (2, 0, 1, 0, "unverifiable"),
        (0, 0, 3, 0, "unverifiable"),
        (2, 0, 0, 1, "pending"),
        (0, 2, 0, 1, "pending"),
    ],
)
def test_the_study_is_judged_by_its_instances(
    confirmed: int, refuted: int, unproven: int, pending: int, verdict: str
) -> None:
    counts = {
        InstanceVerdict.CONFIRMED: confirmed,
        InstanceVerdict.REFUTED: refuted,
        InstanceVerdict.UNPROVEN: unproven,
        InstanceVerdict.PENDING: pending,
    }

    assert judge_study(counts) == verdict


def test_the_proof_of_a_study_is_its_weakest() -> None:
    assert weakest_proof([Ground.IDENTICAL, Ground.PRESENT, Ground.IDENTICAL]) == Ground.PRESENT
    assert weakest_proof([Ground.PRESENT, Ground.ACKNOWLEDGED]) == Ground.ACKNOWLEDGED


# Properties

ROUNDS = st.integers(min_value=1, max_value=5)
FACTS = st.builds(Fact, st.sampled_from(EvidenceKind), ROUNDS)
EVIDENCE = st.frozensets(FACTS, max_size=10)
POLICIES = st.builds(Policy, st.booleans(), st.booleans())
BEFORE = st.sampled_from(WasThereBefore)
KNOWN = st.sampled_from(KnownContent)
LATER = 9
RANK = {InstanceVerdict.REFUTED: 0, InstanceVerdict.UNPROVEN: 1, InstanceVerdict.CONFIRMED: 2}


def of_polarity(polarity: Polarity) -> list[EvidenceKind]:
    return [kind for kind, (_, of_kind) in MEANING.items() if of_kind is polarity]


CLAIMING = {Family.SENDING, Family.ANSWER, Family.JOB}
NEUTRAL_PROBES = [kind for kind in of_polarity(Polarity.NEUTRAL) if not CLAIMING & set(MEANING[kind][0])]


@given(
    st.lists(FACTS, max_size=10).flatmap(lambda some: st.tuples(st.just(some), st.permutations(some))), POLICIES, BEFORE
)
def test_any_order_of_evidence_gives_the_same_verdict(
    orders: tuple[list[Fact], list[Fact]], policy: Policy, before: WasThereBefore
) -> None:
    one, other = orders

    assert judge_instance(frozenset(one), policy, before) == judge_instance(frozenset(other + one), policy, before)


ADVERSE = st.builds(Fact, st.sampled_from(of_polarity(Polarity.NEGATIVE)), st.integers(1, LATER))


@given(EVIDENCE, ADVERSE, POLICIES, BEFORE, KNOWN)
def test_adverse_evidence_never_improves_a_verdict(
    evidence: frozenset[Fact], adverse: Fact, policy: Policy, before: WasThereBefore, known: KnownContent
) -> None:
    if adverse.kind is EvidenceKind.REFUSED:  # only what was begun to be sent is refused
        evidence |= {Fact(EvidenceKind.SENT, adverse.round)}
    was = judge_instance(evidence, policy, before, known=known)

    now = judge_instance(evidence | {adverse}, policy, before, known=known)

    assert RANK[now.verdict] <= RANK[was.verdict]


@given(EVIDENCE, st.sampled_from(NEUTRAL_PROBES), POLICIES, BEFORE, KNOWN)
def test_a_probe_that_learns_nothing_changes_no_verdict(
    evidence: frozenset[Fact], kind: EvidenceKind, policy: Policy, before: WasThereBefore, known: KnownContent
) -> None:
    was = judge_instance(evidence, policy, before, known=known)

    assert judge_instance(evidence | {Fact(kind, LATER)}, policy, before, known=known) == was


@given(EVIDENCE, st.sampled_from(of_polarity(Polarity.NEUTRAL)), POLICIES, BEFORE, KNOWN)
def test_neutral_evidence_refutes_nothing_and_confirms_only_what_is_listed(
    evidence: frozenset[Fact], kind: EvidenceKind, policy: Policy, before: WasThereBefore, known: KnownContent
) -> None:
    was = judge_instance(evidence, policy, before, known=known).verdict

    now = judge_instance(evidence | {Fact(kind, LATER)}, policy, before, known=known)

    assert now.verdict is not InstanceVerdict.REFUTED or was is InstanceVerdict.REFUTED
    assert now.verdict is not InstanceVerdict.CONFIRMED or was is now.verdict or now.ground in LISTED


LISTED = {Ground.PRESENT, Ground.COMMITTED}


@given(EVIDENCE, BEFORE)
def test_nothing_is_confirmed_without_a_proof_or_a_trusted_answer(
    evidence: frozenset[Fact], before: WasThereBefore
) -> None:
    judgement = judge_instance(evidence, Policy(), before)

    proofs = {fact.kind for fact in evidence} & {
        EvidenceKind.PRESENT,
        EvidenceKind.COMMITTED,
        EvidenceKind.IDENTICAL,
        EvidenceKind.EQUIVALENT,
    }
    assert judgement.verdict is not InstanceVerdict.CONFIRMED or proofs


@given(EVIDENCE, POLICIES, BEFORE, KNOWN)
def test_nothing_is_confirmed_against_the_newest_denial_of_a_list(
    evidence: frozenset[Fact], policy: Policy, before: WasThereBefore, known: KnownContent
) -> None:
    judgement = judge_instance(evidence | {Fact(EvidenceKind.ABSENT, LATER)}, policy, before, known=known)

    assert judgement.verdict is InstanceVerdict.REFUTED


@given(st.lists(st.sampled_from(list(InstanceVerdict)), max_size=20))
def test_a_study_is_committed_only_if_every_instance_is_confirmed(verdicts: list[InstanceVerdict]) -> None:
    counts = {verdict: verdicts.count(verdict) for verdict in InstanceVerdict}

    is_committed = judge_study(counts) is StudyVerdict.COMMITTED

    assert is_committed == (len(verdicts) > 0 and set(verdicts) == {InstanceVerdict.CONFIRMED})
