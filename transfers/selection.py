"""Which instances a run of a transfer sets out to send."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Max, Q

from audit.judgements import InstanceVerdict, WasThereBefore
from audit.models import Audit, Evidence, InstanceAudit
from audit.observations import EvidenceKind
from transfers.errors import TransferStopped
from transfers.models import Transfer
from transfers.states import HELD, State

_ANSWERED = (EvidenceKind.ACKNOWLEDGED, EvidenceKind.REFUSED, EvidenceKind.JOB_SUCCEEDED)
_BEGUN = (EvidenceKind.SENT, EvidenceKind.NO_ANSWER, EvidenceKind.ANSWER_UNCLEAR, EvidenceKind.JOB_FAILED, *_ANSWERED)


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


def uids_maybe_there(audit: Audit) -> frozenset[str]:
    """Of those begun, what nothing shows to be gone since: it was not found any more, or was to be removed again."""
    there, gone = (_newest_rounds(audit, kinds) for kinds in ((*_BEGUN, *_THERE), _GONE))
    return frozenset(uid for uid in uids_begun(audit) if there[uid] > gone.get(uid, 0))


_THERE = (EvidenceKind.PRESENT, EvidenceKind.IDENTICAL, EvidenceKind.EQUIVALENT)
_GONE = (EvidenceKind.ABSENT, EvidenceKind.REMOVAL_ASKED)


def _newest_rounds(audit: Audit, kinds: Collection[EvidenceKind]) -> dict[str, int]:
    rows = Evidence.objects.filter(instance__audit__in=audit.chain(), kind__in=kinds).order_by()
    return dict(rows.values_list("instance__sop_instance_uid").annotate(Max("round")))


def uids_conflicting_last(audit: Audit, uids: Collection[str]) -> frozenset[str]:
    """Those in whose way other content lay when they were compared last, as far as that told anything."""
    if not uids:
        return frozenset()
    rows = Evidence.objects.filter(instance__audit__in=audit.chain(), kind__in=_COMPARED)
    newest = dict(rows.order_by("round").values_list("instance__sop_instance_uid", "kind").iterator())
    return frozenset(uid for uid in uids if newest.get(uid) == EvidenceKind.CONFLICT)


def uids_sent_over(audit: Audit) -> frozenset[str]:
    """What was begun to be sent since other content, or none that could be read, was found under its UID."""
    found = _newest_rounds(audit, _IN_THE_WAY)
    if not found:
        return frozenset()
    begun, read = _newest_rounds(audit, _BEGUN), _newest_rounds(audit, _COMPARED)
    return frozenset(uid for uid, of_round in found.items() if begun.get(uid, 0) > max(of_round, read.get(uid, 0)))


_IN_THE_WAY = (EvidenceKind.DIFFERENT, EvidenceKind.CONFLICT, EvidenceKind.UNREADABLE)
_COMPARED = (EvidenceKind.IDENTICAL, EvidenceKind.EQUIVALENT, EvidenceKind.DIFFERENT, EvidenceKind.CONFLICT)


def uids_brought(audit: Audit) -> frozenset[str]:
    """What the chain began to send, what was not there before, and what no other transfer relies on.

    That is all that may ever be removed again.
    """
    absent_before = audit.instances.filter(was_there_before=WasThereBefore.NO)
    brought = uids_begun(audit).intersection(absent_before.values_list("sop_instance_uid", flat=True))
    return brought - _relied_on_by_others(audit) if brought else brought


def _relied_on_by_others(audit: Audit) -> frozenset[str]:
    """What another transfer to the same archive proved to be there last, or has begun to send and is at still."""
    others = Transfer.objects.filter(
        destination__public_id=audit.destination_public_id, audit__destination_address=audit.destination_address
    ).exclude(audit=audit)
    under_way = others.filter(state__in=[State.QUEUED, State.AWAITING_COMMITMENT, *HELD])
    rows = InstanceAudit.objects.filter(
        Q(audit__in=others.filter(method__isnull=False).values("audit"), verdict=InstanceVerdict.CONFIRMED)
        | (Q(audit__in=under_way.values("audit")) & ~Q(sha256="")),
        sop_instance_uid__in=audit.instances.values("sop_instance_uid"),
    )
    return frozenset(rows.values_list("sop_instance_uid", flat=True))


def uids_maybe_begun(audit: Audit, *, since: int, earlier: Collection[int]) -> list[str]:
    """What attempts that nobody ended may have sent without a trace: what they set out to send and has no answer.

    `since`: the round of the first of them; `earlier`: those of the attempts before. What was said of an instance in
    an earlier attempt does not keep a later one from having sent it; what preflight held back is a round before.
    """
    said = Evidence.objects.filter(instance__audit=audit, round__gte=since - 1).exclude(round__in=earlier)
    kinds = (EvidenceKind.NOT_SENT, EvidenceKind.ANSWER_UNCLEAR)
    known = {
        instance_id
        for instance_id, kind, detail in said.filter(kind__in=kinds).values_list("instance_id", "kind", "detail")
        if kind != EvidenceKind.NOT_SENT or detail.get("code") != TransferStopped.code
    }
    return [instance.sop_instance_uid for instance in instances_to_send(audit) if instance.pk not in known]


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
