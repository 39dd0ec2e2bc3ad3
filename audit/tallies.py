"""How many instances of an audit have what: counted from the rows, when it is sealed or while it is open."""

from __future__ import annotations

from collections import Counter

from django.db.models import Count

from audit.judgements import InstanceVerdict
from audit.models import Audit, Evidence
from audit.observations import EvidenceKind

_BEGUN = (EvidenceKind.SENT, EvidenceKind.NO_ANSWER, EvidenceKind.ACKNOWLEDGED, EvidenceKind.REFUSED)
STEPS: dict[str, tuple[EvidenceKind, ...]] = {
    "sent": (*_BEGUN, EvidenceKind.ANSWER_UNCLEAR),
    "acknowledged": (EvidenceKind.ACKNOWLEDGED,),
}
"""Of the way from here to there; an instance that has any of these kinds of evidence has come so far."""


def count_rows(audit: Audit) -> dict[str, int]:
    """By verdict as it stands in the rows, and how many the whole chain sent, saw acknowledged and found present."""
    rows = audit.instances.values_list("verdict").annotate(count=Count("id"))
    verdicts = Counter({InstanceVerdict(verdict): count for verdict, count in rows})
    tally = {"instances": verdicts.total(), **{verdict.value: verdicts[verdict] for verdict in InstanceVerdict}}
    chain = [each.pk for each in audit.chain()]
    for step, kinds in STEPS.items():
        tally[step] = _instances_with(chain, kinds)
    tally["present"] = _present(chain)
    return tally


def _instances_with(chain: list[int], kinds: tuple[EvidenceKind, ...]) -> int:
    rows = Evidence.objects.filter(instance__audit__in=chain, kind__in=kinds)
    return rows.values("instance__sop_instance_uid").distinct().count()


def _present(chain: list[int]) -> int:
    """Listed by the newest list that says anything of the instance."""
    newest: dict[str, tuple[int, bool]] = {}
    rows = Evidence.objects.filter(
        instance__audit__in=chain, kind__in=[EvidenceKind.PRESENT, EvidenceKind.ABSENT]
    ).values_list("instance__sop_instance_uid", "round", "kind")
    for uid, of_round, kind in rows.iterator(chunk_size=10_000):
        said = of_round, kind == EvidenceKind.PRESENT
        before = newest.setdefault(uid, said)
        if of_round > before[0] or (of_round == before[0] and not said[1]):
            newest[uid] = said
    return sum(is_present for _, is_present in newest.values())
