"""What was found of an instance by asking the destination: what each proof says of it now. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from audit.judgements import Fact
from audit.observations import MEANING, EvidenceKind, Family, Polarity

PRESENT, COMMITTED, COMPARED, DIFFERENT = "present", "committed", "compared", "different"

KINDS: Mapping[str, frozenset[EvidenceKind]] = {
    PRESENT: frozenset({EvidenceKind.PRESENT, EvidenceKind.ABSENT}),
    COMMITTED: frozenset(kind for kind, (families, _) in MEANING.items() if Family.COMMITMENT in families),
    COMPARED: frozenset(kind for kind, (families, _) in MEANING.items() if Family.CONTENT in families),
}
"""The kinds of evidence that affirm it, deny it, or say neither."""
_OTHER_CONTENT = frozenset({EvidenceKind.DIFFERENT, EvidenceKind.CONFLICT})


def found_by(facts: Iterable[Fact]) -> frozenset[str]:
    """What is affirmed of an instance; different where its content was compared and is another.

    The newest round that says yes or no counts; within a round what denies is stronger than what says neither, and
    that stronger than what affirms.
    """
    by_round: defaultdict[str, defaultdict[int, set[EvidenceKind]]] = defaultdict(lambda: defaultdict(set))
    for fact in facts:
        for name, kinds in KINDS.items():
            if fact.kind in kinds:
                by_round[name][fact.round].add(fact.kind)
    return frozenset(filter(None, (_found(name, _decisive(rounds)) for name, rounds in by_round.items())))


def _decisive(rounds: Mapping[int, set[EvidenceKind]]) -> set[EvidenceKind]:
    for of_round in sorted(rounds, reverse=True):
        polarities = {MEANING[kind][1] for kind in rounds[of_round]}
        if Polarity.NEGATIVE in polarities or polarities == {Polarity.POSITIVE}:
            return rounds[of_round]
    return set()


def _found(name: str, decisive: set[EvidenceKind]) -> str:
    if decisive & _OTHER_CONTENT:
        return DIFFERENT
    is_affirmed = bool(decisive) and all(MEANING[kind][1] is Polarity.POSITIVE for kind in decisive)
    return name if is_affirmed else ""
