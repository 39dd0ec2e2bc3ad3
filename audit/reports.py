"""An audit as a document: the part of the report that says what was proved."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db.models import Count

from audit.chunks import CHUNK_ROWS
from audit.judgements import Ground, InstanceVerdict
from audit.judging import live_judgements_of
from audit.models import Audit, Evidence, InstanceAudit
from audit.observations import EvidenceKind
from audit.plain_words import GROUND_WORDS, evidence_text


def counts_of(audit: Audit) -> dict[str, int]:
    """How many instances there are, and how many have which verdict; of an open audit, by the evidence so far."""
    if audit.is_sealed:
        rows = audit.instances.values_list("verdict").annotate(count=Count("id"))
        counted = Counter({InstanceVerdict(verdict): count for verdict, count in rows})
    else:
        counted = Counter(judgement.verdict for judgement in live_judgements_of(audit).values())
    return {"instances": counted.total(), **{verdict.value: counted[verdict] for verdict in InstanceVerdict}}


def reason_for(audit: Audit) -> str:
    """The sentence that explains the verdict; of an open audit, how much is still to be decided."""
    if audit.is_sealed:
        return audit.reason
    counts = counts_of(audit)
    total, pending = counts["instances"], counts[InstanceVerdict.PENDING]
    return f"Not judged yet: {pending:,} of {total:,} instances are still to be decided."


def instance_documents(audit: Audit) -> Iterator[dict[str, Any]]:
    """Every instance in the order of the manifest, with the evidence of the whole chain; in chunks, for any size."""
    chain = audit.chain()
    live = {} if audit.is_sealed else live_judgements_of(audit)
    rows = audit.instances.order_by("position")
    last = -1
    while chunk := list(rows.filter(position__gt=last)[:CHUNK_ROWS]):
        evidence = _evidence_by_uid(chain, chunk)
        for instance in chunk:
            yield {
                "sop_instance_uid": instance.sop_instance_uid,
                "sop_class_uid": instance.sop_class_uid,
                "verdict": live[instance.sop_instance_uid].verdict if live else instance.verdict,
                "was_there_before": instance.was_there_before,
                "evidence": evidence[instance.sop_instance_uid],
            }
        last = chunk[-1].position


def instance_rows(audit: Audit, instances: Sequence[InstanceAudit]) -> Iterator[dict[str, Any]]:
    """A page of instances, each with its verdict, why, and all its evidence, in plain words too.

    While the audit is open nothing is called confirmed or unproven: that is judged when it is sealed.
    """
    evidence = _evidence_by_uid(audit.chain(), instances)
    uids = [instance.sop_instance_uid for instance in instances]
    live = {} if audit.is_sealed else live_judgements_of(audit, uids)
    for instance in instances:
        uid = instance.sop_instance_uid
        verdict, ground = InstanceVerdict(instance.verdict), Ground(instance.ground)
        if uid in live:
            is_refuted = live[uid].verdict is InstanceVerdict.REFUTED
            verdict, ground = (InstanceVerdict.REFUTED if is_refuted else InstanceVerdict.PENDING), live[uid].ground
        is_decided = verdict is not InstanceVerdict.PENDING
        yield {
            "position": instance.position,
            "sop_instance_uid": uid,
            "sop_class_uid": instance.sop_class_uid,
            "series_instance_uid": instance.series_instance_uid,
            "transfer_syntax_uid": instance.transfer_syntax_uid,
            "size_bytes": instance.data_set_size,
            "verdict": verdict,
            "ground": ground if is_decided else None,
            "why": GROUND_WORDS[ground] if is_decided else "",
            "is_contradiction": instance.is_contradiction,
            "was_there_before": instance.was_there_before,
            "evidence": [
                each | {"text": evidence_text(EvidenceKind(each["kind"]), each["detail"])} for each in evidence[uid]
            ],
        }


def _evidence_by_uid(chain: Sequence[Audit], chunk: Sequence[InstanceAudit]) -> defaultdict[str, list[dict[str, Any]]]:
    uids = [instance.sop_instance_uid for instance in chunk]
    by_uid: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    rows = (
        Evidence.objects.filter(instance__audit__in=chain, instance__sop_instance_uid__in=uids)
        .order_by("round", "id")
        .values_list("instance__sop_instance_uid", "kind", "at", "round", "detail")
    )
    for uid, kind, at, of_round, detail in rows:
        by_uid[uid].append({"kind": kind, "at": iso_instant(at), "round": of_round, "detail": detail})
    return by_uid


def iso_instant(at: datetime) -> str:
    """ISO 8601 in UTC, ending in Z."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
