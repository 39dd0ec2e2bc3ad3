"""How many instances of an audit have what: counted from the rows, when it is sealed or while it is open."""

from __future__ import annotations

from collections import Counter, defaultdict

from django.db.models import Count

from audit.judgements import Fact, InstanceVerdict
from audit.models import Audit, Evidence
from audit.observations import EvidenceKind
from audit.standings import COMMITTED, COMPARED, DIFFERENT, KINDS, PRESENT, found_by

_CLAIMED = (EvidenceKind.ACKNOWLEDGED, EvidenceKind.JOB_SUCCEEDED)
_UNCLEAR = (EvidenceKind.NO_ANSWER, EvidenceKind.ANSWER_UNCLEAR, EvidenceKind.JOB_FAILED)
STEPS: dict[str, tuple[EvidenceKind, ...]] = {
    "sent": (EvidenceKind.SENT, *_UNCLEAR, *_CLAIMED, EvidenceKind.REFUSED),
    "acknowledged": _CLAIMED,
}
"""Of the way from here to there; an instance that has any of these kinds of evidence has come so far."""

FOUND = (PRESENT, COMMITTED, COMPARED, DIFFERENT)
"""What was found there by asking."""
_ASKED = sorted(frozenset().union(*KINDS.values()))


def count_rows(audit: Audit) -> dict[str, int]:
    """By verdict as it stands in the rows; over the whole chain, how many were sent, acknowledged, and found how."""
    rows = audit.instances.values_list("verdict").annotate(count=Count("id"))
    verdicts = Counter({InstanceVerdict(verdict): count for verdict, count in rows})
    tally = {"instances": verdicts.total(), **{verdict.value: verdicts[verdict] for verdict in InstanceVerdict}}
    chain = [each.pk for each in audit.chain()]
    for step, kinds in STEPS.items():
        tally[step] = _instances_with(chain, kinds)
    return tally | _found(chain)


def _instances_with(chain: list[int], kinds: tuple[EvidenceKind, ...]) -> int:
    rows = Evidence.objects.filter(instance__audit__in=chain, kind__in=kinds)
    return rows.values("instance__sop_instance_uid").distinct().count()


def _found(chain: list[int]) -> dict[str, int]:
    """Each instance by all that was said of it, and that looked at once."""
    said: defaultdict[str, set[tuple[str, int]]] = defaultdict(set)
    rows = Evidence.objects.filter(instance__audit__in=chain, kind__in=_ASKED)
    columns = rows.values_list("instance__sop_instance_uid", "kind", "round")
    for uid, kind, of_round in columns.iterator(chunk_size=10_000):
        said[uid].add((kind, of_round))
    counts: Counter[str] = Counter()
    for facts, count in Counter(map(frozenset, said.values())).items():
        for name in found_by(Fact(EvidenceKind(kind), of_round) for kind, of_round in facts):
            counts[name] += count
    return {name: counts[name] for name in FOUND}
