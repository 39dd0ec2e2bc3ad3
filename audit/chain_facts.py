"""Gathers the evidence of a whole audit chain: what is known of each instance, as a set of bits.

Most instances of a study have the same evidence. One number for each of them is cheap to make, to keep and to compare,
so that 100,000 instances are judged a handful of times.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence

from django.db import connection

from audit.judgements import Fact
from audit.models import Audit
from audit.newest_evidence import places
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
        if not uid_of:
            return
        for kind, of_round, pks in _evidence(list(uid_of), is_all=uids is None):
            found = [uid for pk in map(int, pks.split(",")) if (uid := uid_of.get(pk))]
            if found:
                self._note((kind, of_round), found)

    def _note(self, fact: tuple[str, int], uids: Iterable[str]) -> None:
        bit = self._bits.setdefault(fact, 1 << len(self._bits))
        bits_by_uid = self._bits_by_uid
        for uid in uids:
            bits_by_uid[uid] |= bit


def _evidence(instances: Sequence[int], *, is_all: bool) -> Iterator[tuple[str, int, str]]:
    """Each kind in each round, with the ids of the instances that have it in one text: few rows for any study.

    The ids of all instances of an audit lie together, so all are asked for by the first and the last: among them may
    be some of another audit that was opened meanwhile.
    """
    joined = "string_agg(instance_id::text, ',')" if connection.vendor == "postgresql" else "group_concat(instance_id)"
    these = "BETWEEN %s AND %s" if is_all else f"IN ({places(instances)})"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT kind, round, {joined} FROM audit_evidence WHERE instance_id {these} GROUP BY kind, round",  # noqa: S608
            [min(instances), max(instances)] if is_all else instances,
        )
        yield from cursor.fetchall()
