"""What somebody may do to an audit who has lifted the guards, and by which break each is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import connection
from django.utils import timezone

from audit.breaks import BreakKind
from audit.links import LinkFacts
from audit.models import Audit, Evidence, Link
from tests.guards import drop_guards
from tests.ledgers import open_one, sealed_one

Tamper = Callable[[Audit], None]

UPDATE_EVIDENCE = "UPDATE audit_evidence SET {} WHERE id = %s"
UPDATE_INSTANCE = "UPDATE audit_instanceaudit SET {} WHERE audit_id = %s AND position = 1"
UPDATE_AUDIT = "UPDATE audit_audit SET {} WHERE id = %s"
UPDATE_LINK = "UPDATE audit_link SET {} WHERE audit_id = %s AND position = 3"


def execute(statement: str, *parameters: Any) -> None:
    """As somebody does who has lifted the guards."""
    drop_guards()
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        assert cursor.rowcount > 0, statement


def evidence_of(audit: Audit, kind: str) -> int:
    """The id of the second row of this kind."""
    return Evidence.objects.filter(instance__audit=audit, kind=kind).order_by("id")[1].pk


def change_evidence(what: str) -> Tamper:
    return lambda audit: execute(UPDATE_EVIDENCE.format(what), evidence_of(audit, "acknowledged"))


def change(statement: str) -> Tamper:
    return lambda audit: execute(statement, audit.pk)


def delete_evidence(audit: Audit) -> None:
    execute("DELETE FROM audit_evidence WHERE id = %s", evidence_of(audit, "acknowledged"))


def delete_last_evidence(audit: Audit) -> None:
    last = Evidence.objects.filter(instance__audit=audit).latest("id")
    execute("DELETE FROM audit_evidence WHERE id = %s", last.pk)


def delete_all_evidence(audit: Audit) -> None:
    execute(
        "DELETE FROM audit_evidence WHERE instance_id IN (SELECT id FROM audit_instanceaudit WHERE audit_id = %s)",
        audit.pk,
    )


def add_evidence(audit: Audit) -> None:
    drop_guards()
    instance = audit.instances.get(position=0)
    Evidence.objects.create(instance=instance, kind="present", round=2, at=timezone.now(), detail={})


def take_the_id_of_another(audit: Audit) -> None:
    """One row is deleted, and another one put in the place between the batches."""
    execute("UPDATE audit_evidence SET id = id + 1000 WHERE id = %s", evidence_of(audit, "acknowledged"))


def swap_evidence(audit: Audit) -> None:
    """Who was refused and who was acknowledged, if it were so."""
    rows = Evidence.objects.filter(instance__audit=audit, kind="acknowledged").order_by("id")
    first, second = rows[0], rows[1]
    execute("UPDATE audit_evidence SET instance_id = %s WHERE id = %s", second.instance_id, first.pk)
    execute("UPDATE audit_evidence SET instance_id = %s WHERE id = %s", first.instance_id, second.pk)


def move_evidence_to_another_audit(audit: Audit) -> None:
    elsewhere = open_one(uid="2.25.9").instances.get(position=0)
    execute(
        "UPDATE audit_evidence SET instance_id = %s WHERE id = %s", elsewhere.pk, evidence_of(audit, "acknowledged")
    )


def delete_instance(audit: Audit) -> None:
    instance = audit.instances.get(position=1)
    execute("DELETE FROM audit_evidence WHERE instance_id = %s", instance.pk)
    execute("DELETE FROM audit_instanceaudit WHERE id = %s", instance.pk)


def delete_last_instance(audit: Audit) -> None:
    instance = audit.instances.get(position=2)
    execute("DELETE FROM audit_evidence WHERE instance_id = %s", instance.pk)
    execute("DELETE FROM audit_instanceaudit WHERE id = %s", instance.pk)


def add_instance(audit: Audit) -> None:
    drop_guards()
    instance = audit.instances.get(position=2)
    instance.pk, instance.position, instance.sop_instance_uid = None, 3, "2.25.1.4"
    instance.save()


def swap_instances(audit: Audit) -> None:
    one, other = audit.instances.order_by("position")[:2]
    statement = "UPDATE audit_instanceaudit SET sop_instance_uid = %s WHERE id = %s"
    execute(statement, "2.25.0", one.pk)
    execute(statement, one.sop_instance_uid, other.pk)
    execute(statement, other.sop_instance_uid, one.pk)


def delete_link(position: int) -> Tamper:
    return lambda audit: execute("DELETE FROM audit_link WHERE audit_id = %s AND position = %s", audit.pk, position)


def delete_link_and_close_the_gap(audit: Audit) -> None:
    delete_link(3)(audit)
    for position in (4, 5):
        execute(
            "UPDATE audit_link SET position = position - 1 WHERE audit_id = %s AND position = %s", audit.pk, position
        )


def delete_links(audit: Audit) -> None:
    execute("DELETE FROM audit_link WHERE audit_id = %s", audit.pk)


def add_link(audit: Audit) -> None:
    drop_guards()
    Link.objects.create(audit=audit, position=6, kind="evidence", at=timezone.now(), detail="{}", sha256="ab" * 32)


def cover_up(audit: Audit) -> None:
    """Evidence is changed, and the link that covers it is made to fit: but not those after it."""
    change_evidence("kind = 'refused'")(audit)
    other = sealed_one(uid="2.25.9")
    Link.objects.filter(audit=audit, position=3).update(
        content_sha256=Link.objects.get(audit=other, position=3).content_sha256
    )


def forge(position: int, **columns: Any) -> Tamper:
    """A link is exchanged for one with the digest that it needs; those after it have to be cut off."""

    def tamper(audit: Audit) -> None:
        drop_guards()
        audit.links.filter(position__gt=position).delete()
        link = audit.links.get(position=position)
        for name, value in columns.items():
            setattr(link, name, value)
        previous = audit.links.get(position=position - 1).sha256 if position else ""
        facts = LinkFacts(audit.public_id, position, link.kind, link.at, link.detail, link.content_sha256)
        link.sha256 = facts.digest(previous)
        link.save()

    return tamper


def unseal(audit: Audit) -> None:
    execute("UPDATE audit_audit SET sealed_at = NULL WHERE id = %s", audit.pk)


ROW_CHANGED, ROW_MISSING, ROW_ADDED = BreakKind.ROW_CHANGED, BreakKind.ROW_MISSING, BreakKind.ROW_ADDED
LINK_CHANGED, LINK_MISSING, LINK_ADDED = BreakKind.LINK_CHANGED, BreakKind.LINK_MISSING, BreakKind.LINK_ADDED

TAMPERING: dict[str, tuple[Tamper, BreakKind, int, str]] = {
    "the kind of evidence": (change_evidence("kind = 'refused'"), ROW_CHANGED, 3, "A row of evidence was changed"),
    "its round": (change_evidence("round = 9"), ROW_CHANGED, 3, "A row of evidence was changed"),
    "its time": (change_evidence("at = '2020-01-01 00:00:00'"), ROW_CHANGED, 3, "A row of evidence was changed"),
    "its detail": (change_evidence("detail = '{}'"), ROW_CHANGED, 3, "A row of evidence was changed"),
    "its instance": (swap_evidence, ROW_CHANGED, 3, "A row of evidence was changed"),
    "its audit": (move_evidence_to_another_audit, ROW_MISSING, 3, "is missing"),
    "its id": (take_the_id_of_another, ROW_MISSING, 3, "is missing"),
    "evidence is deleted": (delete_evidence, ROW_MISSING, 3, "The row of evidence with the id"),
    "the last evidence is deleted": (delete_last_evidence, ROW_MISSING, 4, "The row of evidence with the id"),
    "all evidence is deleted": (delete_all_evidence, ROW_MISSING, 2, "The row of evidence with the id"),
    "evidence is added": (add_evidence, ROW_ADDED, 5, "Evidence was added that no link covers"),
    "a UID of the manifest": (swap_instances, ROW_CHANGED, 0, "what the manifest says of it"),
    "a path of the manifest": (change(UPDATE_INSTANCE.format("path = '/x'")), ROW_CHANGED, 0, "the manifest says"),
    "a conflict": (change(UPDATE_INSTANCE.format("is_conflicting = true")), ROW_CHANGED, 0, "the manifest says"),
    "an instance is deleted": (delete_instance, ROW_MISSING, 0, "Instance no. 2 is missing"),
    "the last instance is deleted": (delete_last_instance, ROW_MISSING, 0, "Instance no. 3 is missing"),
    "an instance is added": (add_instance, ROW_ADDED, 0, "Instance no. 4 was added"),
    "a digest": (change(UPDATE_INSTANCE.format("sha256 = ''")), ROW_CHANGED, 5, "its digest"),
    "what was there": (change(UPDATE_INSTANCE.format("was_there_before = 'yes'")), ROW_CHANGED, 5, "there before"),
    "an instance's verdict": (change(UPDATE_INSTANCE.format("verdict = 'refuted'")), ROW_CHANGED, 5, "its verdict"),
    "its ground": (change(UPDATE_INSTANCE.format("ground = 'identical'")), ROW_CHANGED, 5, "its ground"),
    "a contradiction": (change(UPDATE_INSTANCE.format("is_contradiction = true")), ROW_CHANGED, 5, "an instance"),
    "the verdict": (change(UPDATE_AUDIT.format("verdict = 'committed'")), ROW_CHANGED, 5, "its verdict"),
    "the proof": (change(UPDATE_AUDIT.format("proof = 'identical'")), ROW_CHANGED, 5, "proof"),
    "the reason": (change(UPDATE_AUDIT.format("reason = 'All is well.'")), ROW_CHANGED, 5, "reason"),
    "the counts": (change(UPDATE_AUDIT.format("tally = '{}'")), ROW_CHANGED, 5, "counts"),
    "the time of sealing": (change(UPDATE_AUDIT.format("sealed_at = opened_at")), ROW_CHANGED, 5, "time of sealing"),
    "the study": (change(UPDATE_AUDIT.format("study_instance_uid = '2.25.8'")), ROW_CHANGED, 0, "what it is about"),
    "the destination": (change(UPDATE_AUDIT.format("destination_address = 'x'")), ROW_CHANGED, 0, "what it is about"),
    "the policy": (
        change(UPDATE_AUDIT.format("acknowledgement_means_stored = true")),
        ROW_CHANGED,
        0,
        "what it is about",
    ),
    "it is opened again": (unseal, ROW_CHANGED, 5, "time of sealing"),
    "the detail of a link": (change(UPDATE_LINK.format("detail = '{}'")), LINK_CHANGED, 3, "Link 3 (evidence)"),
    "the kind of a link": (change(UPDATE_LINK.format("kind = 'sealed'")), LINK_CHANGED, 3, "Link 3 (sealed)"),
    "the time of a link": (change(UPDATE_LINK.format("at = '2020-01-01 00:00:00'")), LINK_CHANGED, 3, "was changed"),
    "the digest of a link": (change(UPDATE_LINK.format("sha256 = content_sha256")), LINK_CHANGED, 3, "was changed"),
    "evidence and its link": (cover_up, LINK_CHANGED, 3, "was changed"),
    "a forged detail": (forge(3, detail="{}"), LINK_CHANGED, 3, "was changed"),
    "a forged detail that is no JSON": (forge(3, detail="["), LINK_CHANGED, 3, "was changed"),
    "a forged list of rows": (forge(3, detail='{"rows": [[1]]}'), LINK_CHANGED, 3, "was changed"),
    "a forged list of more rows than there can be": (
        forge(3, detail='{"rows": [[1, 1000000000000000]]}'),
        ROW_MISSING,
        3,
        "is missing",
    ),
    "a forged note of more rows than there can be": (
        forge(1, detail='{"noted": [["no", [[1, 1000000000000000]]]]}'),
        LINK_MISSING,
        2,
        "the sealing",
    ),
    "a forged kind": (forge(3, kind="nothing"), LINK_CHANGED, 3, "was changed"),
    "a second opening": (forge(3, kind="opened", detail='{"identity": "", "instances": 3}'), LINK_CHANGED, 3, "was"),
    "a forged digest of rows": (forge(3, content_sha256="ab" * 32), ROW_CHANGED, 3, "A row of evidence"),
    "the first link is deleted": (delete_link(0), LINK_MISSING, 0, "Link 0 is missing"),
    "a link is deleted": (delete_link(3), LINK_MISSING, 3, "Link 3 is missing"),
    "the last link is deleted": (delete_link(5), LINK_MISSING, 5, "Link 5 is missing: the sealing"),
    "a link is deleted, the others moved up": (delete_link_and_close_the_gap, LINK_CHANGED, 3, "was changed"),
    "all links are deleted": (delete_links, LINK_MISSING, 0, "the opening, and every other"),
    "a link is added": (add_link, LINK_ADDED, 6, "after the audit was sealed"),
}
