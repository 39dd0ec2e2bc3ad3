"""What the other transfers to a destination tell of the content that is there."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import QuerySet

from audit.chunks import CHUNK_ROWS, chunks
from audit.judgements import Ground, InstanceVerdict, KnownContent, WasThereBefore
from audit.models import Audit, InstanceAudit


def among(instances: QuerySet[InstanceAudit], uids: Collection[str] | None) -> QuerySet[InstanceAudit]:
    """Those with one of the SOP Instance UIDs; without any given, all."""
    return instances if uids is None else instances.filter(sop_instance_uid__in=uids)


def known_content(audit: Audit, uids: Collection[str] | None = None) -> dict[str, KnownContent]:
    """What other transfers, finished or not, tell of the content of what this one sent.

    Other content that was ever sent there under the same UID stands against everything but a read-back: which of the
    two the destination kept is not known, and the order in which two transfers sent is not either.
    """
    own = dict(among(audit.instances.exclude(sha256=""), uids).values_list("sop_instance_uid", "sha256"))
    chain = [each.pk for each in audit.chain()]
    known: dict[str, KnownContent] = {}
    for chunk in chunks(list(own)):
        others = (
            InstanceAudit.objects.filter(
                sop_instance_uid__in=chunk,
                audit__destination_public_id=audit.destination_public_id,
                audit__destination_address=audit.destination_address,
            )
            .exclude(sha256="")
            .exclude(audit__in=chain)
            .select_related("audit")
            .order_by("audit_id")
        )
        for other in others.iterator(chunk_size=CHUNK_ROWS):
            uid = other.sop_instance_uid
            known[uid] = _weigh(known.get(uid, KnownContent.NOTHING), other, own[uid])
    return known


def _weigh(known: KnownContent, other: InstanceAudit, sha256: str) -> KnownContent:
    if known is KnownContent.OTHER or other.sha256 != sha256:
        return KnownContent.OTHER
    if other.verdict == InstanceVerdict.REFUTED:
        return KnownContent.NOTHING
    return KnownContent.SAME if _proves_content(other) else known


def _proves_content(instance: InstanceAudit) -> bool:
    """Whether an earlier verdict shows that the destination holds exactly the bytes of that digest.

    Not on an acknowledgement alone, and not where something of unknown content may have been there before.
    """
    if instance.verdict != InstanceVerdict.CONFIRMED:
        return False
    if instance.ground in {Ground.IDENTICAL, Ground.EQUIVALENT}:
        return True
    if instance.ground not in {Ground.PRESENT, Ground.COMMITTED}:
        return False
    return instance.was_there_before == WasThereBefore.NO or (
        instance.was_there_before == WasThereBefore.YES and not instance.audit.same_uid_means_same_content
    )
