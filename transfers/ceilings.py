"""What a method can prove at a destination at best, said before anything is sent. Pure."""

from __future__ import annotations

from typing import NamedTuple

from audit.judgements import Fact, Ground, InstanceVerdict, Policy, StudyVerdict, WasThereBefore
from audit.observations import EvidenceKind
from audit.verdicts import judge_instance, judge_study

_ACKNOWLEDGED = Fact(EvidenceKind.ACKNOWLEDGED, 1)
_PRESENT = Fact(EvidenceKind.PRESENT, 2)


class Ceiling(NamedTuple):
    """The best verdict that there can be, if everything goes well."""

    verdict: StudyVerdict
    proof: Ground | None
    """None where nothing can be proved."""
    sentence: str
    """Why, and what it does not cover, for people."""

    @property
    def title(self) -> str:
        """The verdict with its proof: "committed by “present”"."""
        word = self.verdict.replace("-", " ")
        return f"{word} by “{self.proof}”" if self.proof else word


def ceiling(method: str | None, policy: Policy, verify: str) -> Ceiling:
    """The best that the calculus can say of a study that the destination did not hold before.

    `method` None: nothing is sent, the destination is only asked.
    """
    facts = frozenset({*([_ACKNOWLEDGED] if method else []), *([_PRESENT] if verify == "presence" else [])})
    judgement = judge_instance(facts, policy, WasThereBefore.NO, is_inquiry=method is None)
    is_proved = judgement.verdict is InstanceVerdict.CONFIRMED
    return Ceiling(
        judge_study({judgement.verdict: 1}),
        judgement.ground if is_proved else None,
        _sentence(judgement.ground, policy, is_inquiry=method is None),
    )


def _sentence(ground: Ground, policy: Policy, *, is_inquiry: bool) -> str:
    if ground is Ground.NOT_ASKED:
        return "Nothing is sent and nothing is asked, so nothing can be proved."
    if ground is Ground.PRESENT and is_inquiry:
        return "The destination lists the instances, if it offers C-FIND. What they hold is not compared."
    if ground is Ground.PRESENT:
        asked = "The destination is asked afterwards what it holds, if it offers C-FIND."
        return asked if policy.same_uid_means_same_content else f"{asked} {_THERE_BEFORE}"
    return _ON_ITS_WORD[ground]


_THERE_BEFORE = "What it held before under the same UIDs stays unverifiable, because contents are not compared."
_ON_ITS_WORD = {
    Ground.ACKNOWLEDGED: "This destination is declared to answer only after saving: its answers count as proof. "
    "What it held before under the same UIDs is not noticed.",
    Ground.ACKNOWLEDGED_ONLY: "The destination is not asked afterwards, and an acknowledgement alone proves nothing.",
}
