"""Which proofs of a sealed audit deny each other, and of how many instances."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from django.db import connection
from django.db.models import Q
from django.db.models.expressions import RawSQL

from audit.models import Audit
from audit.newest_evidence import Pick, Statement, id_of, instances_with, places
from audit.observations import MEANING, EvidenceKind, Family, Polarity
from audit.remembered import remembered

_PROOFS = (Family.CONTENT, Family.COMMITMENT, Family.PRESENCE)
_DECIDING = {
    family: [
        kind
        for kind, (families, polarity) in MEANING.items()
        if family in families and polarity is not Polarity.NEUTRAL
    ]
    for family in _PROOFS
}


def _is(kind: str, polarity: Polarity) -> bool:
    return any(kind in kinds and MEANING[EvidenceKind(kind)][1] is polarity for kinds in _DECIDING.values())


class Contradiction(NamedTuple):
    """What one proof denies and another affirms."""

    denied_by: EvidenceKind
    affirmed_by: EvidenceKind

    def __str__(self) -> str:
        """For an address."""
        return f"{self.denied_by}.{self.affirmed_by}"

    @classmethod
    def parse(cls, text: str) -> Contradiction | None:
        """None for anything that is no such pair."""
        denied_by, _, affirmed_by = text.partition(".")
        if not (_is(denied_by, Polarity.NEGATIVE) and _is(affirmed_by, Polarity.POSITIVE)):
            return None
        return cls(EvidenceKind(denied_by), EvidenceKind(affirmed_by))


def contradictions_of(audit: Audit) -> Counter[Contradiction]:
    """How many instances there are of each, as the evidence of the whole chain says now.

    One that only an older reading affirmed, and that was not handed over since, is in none.
    """
    return remembered(audit, "contradictions", lambda: _count(audit))


def _count(audit: Audit) -> Counter[Contradiction]:
    said = _said(audit)
    kinds = ", ".join(f"{family}.kind" for family in _PROOFS)
    found: Counter[Contradiction] = Counter()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {kinds}, COUNT(*) {said.text} GROUP BY {kinds}", said.parameters)
        for *newest, count in cursor.fetchall():
            if pair := _pair([EvidenceKind(kind) for kind in newest if kind]):
                found[pair] += count
    return found


def has_contradiction(audit: Audit, contradiction: Contradiction) -> Q:
    """Whether an instance is one of those that `contradictions_of` counts so."""
    said = _said(audit)
    conditions = [*_is_strongest(contradiction.denied_by), *_is_strongest(contradiction.affirmed_by)]
    statement = f"SELECT examined.id {said.text} WHERE {' AND '.join(each.text for each in conditions)}"
    parameters = [each for condition in conditions for each in condition.parameters]
    return Q(pk__in=RawSQL(statement, [*said.parameters, *parameters]))  # noqa: S611  only placeholders are put in


def _said(audit: Audit) -> Statement:
    """The instances of contradictions, each joined with what each proof said last."""
    picks = {f"newest_{family}": Pick(_DECIDING[family]) for family in _PROOFS}
    instances = instances_with(picks, audit, "AND instance.is_contradiction")
    joins = " ".join(
        f"LEFT JOIN audit_evidence {family} ON {family}.id = {id_of(f'newest_{family}')}" for family in _PROOFS
    )
    return Statement(f"FROM {instances.text} {joins}", instances.parameters)


def _is_strongest(kind: EvidenceKind) -> Iterator[Statement]:
    """Its family says this, and no stronger family says yes or no as it does."""
    families, polarity = MEANING[kind]
    for family in _PROOFS:
        if family in families:
            yield Statement(f"{family}.kind = %s", [kind])
            return
        alike = [each for each in _DECIDING[family] if MEANING[each][1] is polarity]
        yield Statement(f"COALESCE({family}.kind, '') NOT IN ({places(alike)})", [*alike])


def _pair(kinds: Sequence[EvidenceKind]) -> Contradiction | None:
    """What content says goes before what a report says, and that before what a list says."""
    denying = [kind for kind in kinds if MEANING[kind][1] is Polarity.NEGATIVE]
    affirming = [kind for kind in kinds if MEANING[kind][1] is Polarity.POSITIVE]
    return Contradiction(denying[0], affirming[0]) if denying and affirming else None
