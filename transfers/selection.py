"""Which instances a run of a transfer sets out to send."""

from __future__ import annotations

from audit.judgements import InstanceVerdict
from audit.models import Audit, Evidence, InstanceAudit
from audit.observations import EvidenceKind
from transfers.errors import TransferStopped

_ANSWERED = (EvidenceKind.ACKNOWLEDGED, EvidenceKind.REFUSED)
_BEGUN = (EvidenceKind.SENT, EvidenceKind.NO_ANSWER, EvidenceKind.ANSWER_UNCLEAR, *_ANSWERED)


def instances_to_send(audit: Audit) -> list[InstanceAudit]:
    """The first time all; on a retry what the audit before left refuted or unproven; never what has its answer here."""
    instances = audit.instances.order_by("position")
    if audit.continues is not None:
        unconfirmed = audit.continues.instances.exclude(verdict=InstanceVerdict.CONFIRMED)
        instances = instances.filter(sop_instance_uid__in=unconfirmed.values("sop_instance_uid"))
    answered = set(_instance_ids(audit, *_ANSWERED))
    return [instance for instance in instances if instance.pk not in answered]


def uids_begun(audit: Audit) -> frozenset[str]:
    """SOP Instance UIDs that any attempt of the chain began to send: their absence has to be earned with patience."""
    rows = Evidence.objects.filter(instance__audit__in=audit.chain(), kind__in=_BEGUN)
    return frozenset(rows.values_list("instance__sop_instance_uid", flat=True).distinct())


def uids_maybe_begun(audit: Audit) -> list[str]:
    """What an attempt that nobody ended may have sent without a trace: what has no answer and was not held back."""
    answered = {*_instance_ids(audit, *_ANSWERED, EvidenceKind.ANSWER_UNCLEAR)}
    not_sent = Evidence.objects.filter(instance__audit=audit, kind=EvidenceKind.NOT_SENT)
    held_back = {
        instance_id
        for instance_id, detail in not_sent.values_list("instance_id", "detail")
        if detail.get("code") != TransferStopped.code
    }
    rows = audit.instances.order_by("position").values_list("pk", "sop_instance_uid")
    return [uid for pk, uid in rows if pk not in answered | held_back]


def uids_without_evidence(audit: Audit) -> list[str]:
    """What nothing is known of yet, in the whole chain, but that a run was stopped before it came to it."""
    rows = Evidence.objects.filter(instance__audit__in=audit.chain())
    # By its detail only in Python: databases differ in how they look into JSON.
    known = {
        uid
        for uid, kind, detail in rows.values_list("instance__sop_instance_uid", "kind", "detail").iterator()
        if kind != EvidenceKind.NOT_SENT or detail.get("code") != TransferStopped.code
    }
    uids = audit.instances.order_by("position").values_list("sop_instance_uid", flat=True)
    return [uid for uid in uids if uid not in known]


def _instance_ids(audit: Audit, *kinds: EvidenceKind) -> list[int]:
    return list(Evidence.objects.filter(instance__audit=audit, kind__in=kinds).values_list("instance_id", flat=True))
