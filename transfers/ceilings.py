"""What a method can prove at a destination at best, said before anything is sent. Pure."""

from __future__ import annotations

from typing import NamedTuple

from audit.judgements import Fact, Ground, InstanceVerdict, Policy, StudyVerdict, WasThereBefore
from audit.observations import EvidenceKind
from audit.verdicts import judge_instance, judge_study
from transfers.verification import ALL, Verification

_ACKNOWLEDGED = Fact(EvidenceKind.ACKNOWLEDGED, 1)
_COMMITTED = Fact(EvidenceKind.COMMITTED, 2)
_PRESENT = Fact(EvidenceKind.PRESENT, 3)
_IDENTICAL = Fact(EvidenceKind.IDENTICAL, 4)


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


def ceiling(method: str | None, policy: Policy, verify: str, *, asks_commitment: bool = False) -> Ceiling:
    """The best that the calculus can say of a study that the destination did not hold before.

    `method` None: nothing is sent, the destination is only asked. `verify` as `transfers.verification` spells it.
    """
    asked = Verification.parse(verify)
    # Of a sample the rest is proved by its presence only, and the weakest proof covers all.
    is_compared = asked.compares_content and asked.sample_percent == ALL
    chosen = {
        _ACKNOWLEDGED: method is not None,
        _COMMITTED: asks_commitment,
        _PRESENT: asked.asks,
        _IDENTICAL: is_compared,
    }
    facts = frozenset(fact for fact, is_expected in chosen.items() if is_expected)
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
        return "The destination lists the instances, if it can be asked for lists. What they hold is not compared."
    if ground not in _ASKED:
        return _ON_ITS_WORD[ground]
    if ground is Ground.IDENTICAL or policy.same_uid_means_same_content or is_inquiry:
        return _ASKED[ground]
    return f"{_ASKED[ground]} {_THERE_BEFORE}"


_THERE_BEFORE = (
    "What it held before under the same UIDs is read back and compared if it can be read, and else stays unverifiable."
)
_ASKED = {
    Ground.IDENTICAL: "Every instance is read back afterwards and compared with what was sent, if it can be read.",
    Ground.PRESENT: "The destination is asked afterwards what it holds, if it can be asked for lists.",
    Ground.COMMITTED: "The destination is asked to commit to every instance, and reports which it holds.",
}
_ON_ITS_WORD = {
    Ground.ACKNOWLEDGED: "This destination is declared to answer only after saving: its answers count as proof. "
    "What it held before under the same UIDs is not noticed.",
    Ground.ACKNOWLEDGED_ONLY: "The destination is not asked afterwards, and an acknowledgement alone proves nothing.",
}
