"""Gathers the evidence of a whole audit chain: what is known of each instance, as a set of bits.

Most instances of a study have the same evidence. One number for each of them is cheap to make, to keep and to compare,
so that 100,000 instances are judged a handful of times.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from audit.judgements import Fact
from audit.models import Audit, Evidence
from audit.observations import EvidenceKind
from audit.precedents import among


class ChainFacts:
    """The facts of each instance over the audits of a chain, by SOP Instance UID; of a few, where `uids` says so."""

    def __init__(self, chain: Sequence[Audit], uids: Collection[str] | None = None) -> None:
        self._bits: dict[tuple[str, int], int] = {}
        self._bits_by_uid: defaultdict[str, int] = defaultdict(int)
        for audit in chain:
            self._take(audit, uids)

    @property
    def kinds(self) -> set[EvidenceKind]:
        """Every kind of evidence that there is of any of them."""
        return {EvidenceKind(kind) for kind, _ in self._bits}

    def bits_of(self, uid: str) -> int:
        """What is known of an instance; 0 is nothing."""
        return self._bits_by_uid.get(uid, 0)

    def facts(self, bits: int) -> frozenset[Fact]:
        return frozenset(
            Fact(EvidenceKind(kind), of_round) for (kind, of_round), bit in self._bits.items() if bits & bit
        )

    def _take(self, audit: Audit, uids: Collection[str] | None) -> None:
        uid_of = dict(among(audit.instances.all(), uids).values_list("id", "sop_instance_uid"))
        rows = Evidence.objects.filter(instance__audit=audit)
        if uids is not None:
            rows = Evidence.objects.filter(instance__in=list(uid_of))
        bits, bits_by_uid = self._bits, self._bits_by_uid
        evidence = rows.values_list("instance_id", "kind", "round")
        for instance_id, kind, of_round in evidence.iterator(chunk_size=10_000):
            fact = (kind, of_round)
            bits_by_uid[uid_of[instance_id]] |= bits.get(fact) or bits.setdefault(fact, 1 << len(bits))
