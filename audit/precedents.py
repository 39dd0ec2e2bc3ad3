"""What the other transfers to a destination tell of the content that is there."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from audit.judgements import Ground, InstanceVerdict, KnownContent, WasThereBefore
from audit.models import Audit, InstanceAudit
from audit.observations import MEANING, EvidenceKind, Family


def among(instances: QuerySet[InstanceAudit], uids: Collection[str] | None) -> QuerySet[InstanceAudit]:
    """Those with one of the SOP Instance UIDs; without any given, all."""
    return instances if uids is None else instances.filter(sop_instance_uid__in=uids)


def known_content(audit: Audit, uids: Collection[str] | None = None) -> dict[str, KnownContent]:
    """What other transfers, finished or not, tell of the content of what this one sent.

    Other content that was ever sent there under the same UID stands against everything but a read-back: which of the
    two the destination kept is not known, and the order in which two transfers sent is not either.
    """
    known: dict[str, KnownContent] = {}
    if uids is not None and not uids:
        return known
    for uid, *precedent in _precedents(audit, uids):
        tells = _tells(*precedent)
        if tells is not None and known.get(uid) is not KnownContent.OTHER:
            known[uid] = tells
    return known


def _precedents(audit: Audit, uids: Collection[str] | None) -> Iterator[tuple[Any, ...]]:
    """Each SOP Instance UID with what `_tells` asks for, of the oldest audit first, and of any study."""
    chain = [each.pk for each in audit.chain()]
    with connection.cursor() as cursor:
        cursor.execute(_question(len(chain), None if uids is None else len(uids)), [audit.pk, *chain, *(uids or ())])
        while rows := cursor.fetchmany(10_000):
            yield from rows


_TELLING = f"'{InstanceVerdict.CONFIRMED}', '{InstanceVerdict.REFUTED}'"
_DOUBTED = (Ground.CONTRADICTION, Ground.UNREADABLE, Ground.REMOVED)
"""What was proved before is not so sure any more."""
_DOUBTING = ", ".join(f"'{ground}'" for ground in _DOUBTED)

_BEGINNING = ", ".join(
    f"'{kind}'"
    for kind, (families, _) in MEANING.items()
    if not {Family.ANSWER, Family.JOB}.isdisjoint(families) or kind in {EvidenceKind.SENT, EvidenceKind.NO_ANSWER}
)
"""What shows that it was begun to be sent."""


def _question(audits: int, uids: int | None) -> str:
    """Not about those that tell nothing: the same content, and no verdict on it yet.

    Of what a job sent there is no digest of the data set: two files are told apart by their MD5, which is no proof that
    they are the same, but one that they are not.

    CROSS JOIN makes SQLite begin with the audit's own rows; to PostgreSQL it is an inner join as any other.
    """
    among_uids = "" if uids is None else f"AND own.sop_instance_uid IN ({_places(uids)})"
    return f"""
        SELECT own.sop_instance_uid, own.sha256 <> '' AND other.sha256 = own.sha256,
               other.verdict, other.ground, other.was_there_before,
               its.same_uid_means_same_content
        FROM audit_audit asking
        CROSS JOIN audit_instanceaudit own
        CROSS JOIN audit_instanceaudit other
        CROSS JOIN audit_audit its
        WHERE asking.id = %s AND own.audit_id = asking.id
          AND other.sop_instance_uid = own.sop_instance_uid
          AND its.id = other.audit_id AND its.id NOT IN ({_places(audits)})
          AND its.destination_public_id = asking.destination_public_id
          AND its.destination_address = asking.destination_address {among_uids}
          AND ((own.sha256 <> '' AND other.sha256 <> ''
                AND (other.sha256 <> own.sha256 OR other.verdict IN ({_TELLING}) OR other.ground IN ({_DOUBTING})))
               OR ((own.sha256 = '' OR other.sha256 = '') AND own.file_md5 <> '' AND other.file_md5 <> ''
                   AND own.file_md5 <> other.file_md5 AND EXISTS (
                       SELECT 1 FROM audit_evidence said
                       WHERE said.instance_id = other.id AND said.kind IN ({_BEGINNING}))))
        ORDER BY other.audit_id
    """  # noqa: S608  only placeholders and words of ours are put in


def _places(count: int) -> str:
    return ", ".join(["%s"] * count)


@cache
def _tells(
    is_same: bool,
    verdict: str,
    ground: str,
    was_there_before: str,
    same_uid_means_same_content: bool,
) -> KnownContent | None:
    """What one transfer of an instance tells beside what is known: None where it changes nothing.

    `is_same`: its data set had the same digest.
    """
    if not is_same:
        return KnownContent.OTHER
    if verdict == InstanceVerdict.REFUTED or ground in _DOUBTED:
        return KnownContent.NOTHING
    if verdict != InstanceVerdict.CONFIRMED:
        return None
    is_proved = ground in {Ground.IDENTICAL, Ground.EQUIVALENT} or (
        ground in {Ground.PRESENT, Ground.COMMITTED} and _is_ours(was_there_before, same_uid_means_same_content)
    )
    return KnownContent.SAME if is_proved else None


def _is_ours(was_there_before: str, same_uid_means_same_content: bool) -> bool:
    """Whether what is listed is what was sent: not where something of unknown content may have been there before."""
    return was_there_before == WasThereBefore.NO or (
        was_there_before == WasThereBefore.YES and not same_uid_means_same_content
    )
