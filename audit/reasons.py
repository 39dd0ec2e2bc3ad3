"""The sentence that explains a study's verdict, with its numbers. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from audit.judgements import Ground, InstanceVerdict, StudyVerdict
from audit.observations import EvidenceKind
from audit.verdicts import weakest_proof

_COMPARED = frozenset({Ground.IDENTICAL, Ground.EQUIVALENT, Ground.DIFFERENT, Ground.CONFLICT})


@dataclass(frozen=True, slots=True)
class StudyFindings:
    """What the judgements of all instances come to."""

    grounds: Mapping[tuple[InstanceVerdict, Ground], int]
    """How many instances have which verdict on which ground."""
    contradictions: int = 0
    explanations: Mapping[EvidenceKind, Counter[str]] = field(default_factory=dict)
    """What was said with evidence of a kind, and how often."""
    was_asked: bool = True
    """Whether the destination was asked at all after sending."""
    unanswered: int = 0
    """About how many instances the destination could not be asked when it was asked last."""
    files_left_out: int = 0
    was_committed_at: str = ""
    """When an earlier audit of the same transfer found the study committed."""

    def count(self, verdict: InstanceVerdict) -> int:
        return sum(count for (of_verdict, _), count in self.grounds.items() if of_verdict is verdict)

    @property
    def compared(self) -> int:
        """Of how many the content was read back, or digested, and compared, as far as that decided."""
        return sum(count for (_, ground), count in self.grounds.items() if ground in _COMPARED)

    @property
    def total(self) -> int:
        return sum(self.grounds.values())


def reason_of(verdict: StudyVerdict, findings: StudyFindings) -> str:
    """One or two plain sentences, for any verdict but pending.

    That a part is stored is never said unless one instance is confirmed.
    """
    sentences = [_SENTENCES[verdict](findings)]
    if findings.was_committed_at and verdict in {StudyVerdict.PARTIAL, StudyVerdict.NOTHING_STORED}:
        sentences.append(f"It was committed when it was asked about on {findings.was_committed_at}")
    if 0 < findings.compared < findings.total:
        sentences.append(f"The contents of {findings.compared:,} of {_instances(findings.total)} were compared")
    if findings.unanswered and verdict is StudyVerdict.COMMITTED:
        sentences.append(
            f"When it was asked last, it did not answer about {_instances(findings.unanswered)}: "
            "what was proved before stands"
        )
    if findings.contradictions:
        sentences.append(
            f"For {_instances(findings.contradictions)} proofs contradict each other; look at the destination"
        )
    if findings.files_left_out:
        sentences.append(f"{findings.files_left_out} files of the input could not be read and are not part of this")
        return ". ".join(sentences)
    return ". ".join(sentences) + "."


_CONFIRMED_BY = {
    Ground.IDENTICAL: "read back from the destination and found identical",
    Ground.EQUIVALENT: "read back from the destination and found to have the same content",
    Ground.PRESENT: "found at the destination when it was asked afterwards",
    Ground.COMMITTED: "committed by the destination (storage commitment)",
    Ground.ACKNOWLEDGED: "acknowledged, and this destination is declared to answer only after saving",
}

_OTHERWISE = {
    Ground.DIFFERENT: "with other content at the destination",
    Ground.CONFLICT: "with other content at the destination before anything was sent",
    Ground.ABSENT: "not found at the destination",
    Ground.COMMITMENT_REFUSED: "denied by storage commitment",
    Ground.REFUSED: "refused",
    Ground.NOT_SENT: "not sent",
    Ground.CONTRADICTION: "with contradicting proofs",
    Ground.UNREADABLE: "said to be there by the destination, which did not hand them over when they were read back",
    Ground.REMOVED: "to be removed again by the destination, which could not be asked whether they are gone",
    Ground.WAS_THERE_BEFORE: "there before under the same UID, with content that was not compared",
    Ground.OTHER_CONTENT_SENT: "sent there with other content too under the same UID, which was not compared",
    Ground.LISTED_THOUGH_NOT_OURS: "listed by the destination, though nothing shows that it came from this transfer",
    Ground.ACKNOWLEDGED_ONLY: "acknowledged, which alone proves nothing",
    Ground.ANSWER_UNCLEAR: "answered unclearly, or sent by a job that failed",
    Ground.NO_ANSWER: "sent without an answer",
    Ground.NOT_ASKED: "not asked about",
}

_EXPLAINED_BY = {
    Ground.REFUSED: (EvidenceKind.REFUSED,),
    Ground.NOT_SENT: (EvidenceKind.NOT_SENT,),
    Ground.ANSWER_UNCLEAR: (EvidenceKind.ANSWER_UNCLEAR, EvidenceKind.JOB_FAILED),
    Ground.NO_ANSWER: (EvidenceKind.NO_ANSWER,),
}


def _committed(findings: StudyFindings) -> str:
    total = findings.total
    weakest = weakest_proof(ground for _, ground in findings.grounds)
    subject = "The one instance was" if total == 1 else f"All {total:,} instances were"
    return f"{subject} {_CONFIRMED_BY[weakest]}"


def _partial(findings: StudyFindings) -> str:
    confirmed, total = findings.count(InstanceVerdict.CONFIRMED), findings.total
    if confirmed:
        head = f"Only {confirmed:,} of {_instances(total)} {_are(confirmed)} proved to be at the destination"
    else:
        refuted = findings.count(InstanceVerdict.REFUTED)
        head = f"The study is not complete, since {refuted:,} of {_instances(total)} {_are(refuted)} missing"
    return f"{head}: {_rest(findings)}"


def _nothing_stored(findings: StudyFindings) -> str:
    grounds = {ground for _, ground in findings.grounds}
    if grounds == {Ground.NOT_SENT}:
        asked = "could not be asked" if findings.was_asked else "was not asked"
        return f"Nothing was sent by this transfer; what was there before {asked}{_because(findings, Ground.NOT_SENT)}"
    became = "was stored" if grounds == {Ground.REFUSED} else "is at the destination"
    subject = "The one instance" if findings.total == 1 else f"None of the {findings.total:,} instances"
    negated = became.replace("was", "was not").replace("is", "is not") if findings.total == 1 else became
    return f"{subject} {negated}: {_rest(findings)}"


def _unverifiable(findings: StudyFindings) -> str:
    confirmed, total = findings.count(InstanceVerdict.CONFIRMED), findings.total
    if total == 0:
        return "There is no instance to judge"
    if confirmed:
        head = f"{confirmed:,} of {_instances(total)} {_are(confirmed)} proved to be at the destination"
    else:
        head = (
            f"Nothing proves that the {_instances(total)} {_are(total)} stored"
            if total > 1
            else ("Nothing proves that the one instance is stored")
        )
    return f"{head}: {_rest(findings)}{_why_not_asked(findings)}"


_SENTENCES = {
    StudyVerdict.COMMITTED: _committed,
    StudyVerdict.PARTIAL: _partial,
    StudyVerdict.NOTHING_STORED: _nothing_stored,
    StudyVerdict.UNVERIFIABLE: _unverifiable,
}


def _rest(findings: StudyFindings) -> str:
    """What became of those that are not confirmed, the most frequent first."""
    rest = sorted(
        (
            (count, ground)
            for (verdict, ground), count in findings.grounds.items()
            if verdict is not InstanceVerdict.CONFIRMED
        ),
        key=lambda pair: (-pair[0], pair[1]),
    )
    return ", ".join(f"{count:,} {_OTHERWISE[ground]}{_because(findings, ground)}" for count, ground in rest)


def _because(findings: StudyFindings, ground: Ground) -> str:
    """What was said with it: the most frequent reason of that ground, or how what is absent had been answered."""
    if ground is Ground.ABSENT:
        answers = [f"{word}: {said}" for kind, word in _ANSWERED.items() if (said := _said(findings, kind))]
        return f" ({', '.join(answers)})" if answers else ""
    said = "; ".join(filter(None, (_said(findings, kind) for kind in _EXPLAINED_BY.get(ground, ()))))
    return f" ({said})" if said else ""


_ANSWERED = {
    EvidenceKind.REFUSED: "refused",
    EvidenceKind.ANSWER_UNCLEAR: "answered unclearly",
    EvidenceKind.JOB_FAILED: "sent by a job that failed",
    EvidenceKind.NOT_SENT: "not sent",
    EvidenceKind.NO_ANSWER: "sent without an answer",
}


def _said(findings: StudyFindings, kind: EvidenceKind) -> str:
    """The most frequent explanation of evidence of a kind."""
    said = findings.explanations.get(kind, Counter())
    if not said:
        return ""
    (most, _), *others = said.most_common()
    return f"{most.rstrip('.')}{'; and other reasons' if others else ''}"


def _why_not_asked(findings: StudyFindings) -> str:
    if not findings.was_asked:
        return ". The destination was not asked afterwards"
    said = findings.explanations.get(EvidenceKind.PROBE_FAILED, Counter())
    if not said:
        return ""
    return f". The destination could not be asked: {said.most_common(1)[0][0].rstrip('.')}"


def _instances(count: int) -> str:
    return "1 instance" if count == 1 else f"{count:,} instances"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
