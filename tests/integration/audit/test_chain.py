"""The hash chain: whatever is changed, added or taken away behind the back of the ledger is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from audit.breaks import Break, BreakKind
from audit.chain import adopt, head_of
from audit.judgements import Policy
from audit.ledger import Ledger, continue_audit
from audit.ledger_walk import LedgerWalk
from audit.links import LinkFacts, LinkKind
from audit.models import Audit, Evidence, InstanceAudit, Link
from audit.observations import EvidenceKind
from tests.guards import drop_guards
from tests.ledgers import ask, asked_again, observe, open_one, sealed_one, send

pytestmark = pytest.mark.django_db


def breaks() -> list[Break]:
    return list(LedgerWalk().breaks())


def kinds_of(audit: Audit) -> list[str]:
    return list(audit.links.order_by("position").values_list("kind", flat=True))


def execute(statement: str, *parameters: Any) -> None:
    """As somebody does who has lifted the guards."""
    drop_guards()
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        assert cursor.rowcount > 0, statement


def evidence_of(audit: Audit, kind: str) -> int:
    """The id of the second row of this kind."""
    return Evidence.objects.filter(instance__audit=audit, kind=kind).order_by("id")[1].pk


# Whole chains


def test_everything_that_counts_has_its_link() -> None:
    audit = sealed_one()

    assert kinds_of(audit) == ["opened", "was-there-before", "evidence", "evidence", "evidence", "sealed"]
    assert breaks() == []


def test_a_chain_that_is_whole_is_counted() -> None:
    sealed_one()
    open_one(uid="2.25.2")
    walk = LedgerWalk()

    assert list(walk.breaks()) == []
    assert (walk.audits, walk.links, walk.rows) == (2, 10, 15)


def test_two_ledgers_may_write_the_same_audit_in_turn() -> None:
    audit = open_one()
    one, other = Ledger(audit), Ledger(Audit.objects.get(pk=audit.pk))

    for ledger in (one, other, one):
        ask(ledger, 3)
    other.close()

    assert kinds_of(audit)[-4:] == ["evidence", "evidence", "evidence", "sealed"]
    assert breaks() == []


def test_what_comes_later_is_linked_to_what_it_continues() -> None:
    first = sealed_one()
    second = asked_again(first)

    ledger = Ledger(continue_audit(second, Policy()))
    ledger.note_came_from_elsewhere(["2.25.1.2"])
    ledger.begin_round()
    observe(ledger, EvidenceKind.SENT, 2, "2.25.1", sha256="cd" * 32)
    ledger.close()

    assert breaks() == []


def test_audits_written_to_at_the_same_time_have_rows_between_each_other() -> None:
    one, other = Ledger(open_one()), Ledger(open_one(uid="2.25.2"))

    for _ in range(3):
        ask(one, 3)
        ask(other, 3, "2.25.2")

    assert breaks() == []


def test_a_study_without_evidence_has_a_whole_chain() -> None:
    Ledger(open_one()).close()

    assert breaks() == []


def test_what_a_peer_writes_and_databases_spell_otherwise_is_the_same_to_the_chain() -> None:
    ledger = Ledger(open_one())
    ledger.begin_round()
    detail = {"z": 1.5e-7, "a": "Größe “x” \x00", "list": [1, {"b": True, "a": None}], "small": 1e-05}
    observe(ledger, EvidenceKind.PROBE_FAILED, 3, "2.25.1", **detail)  # type: ignore[arg-type]
    ledger.close()

    assert breaks() == []


def test_more_evidence_than_is_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.evidence_reader.WINDOW", 4)
    monkeypatch.setattr("audit.row_lines.CHUNK", 2)

    sealed_one(9)
    sealed_one(5, "2.25.2")

    assert breaks() == []


# Tampering

Tamper = Callable[[Audit], None]

UPDATE_EVIDENCE = "UPDATE audit_evidence SET {} WHERE id = %s"
UPDATE_INSTANCE = "UPDATE audit_instanceaudit SET {} WHERE audit_id = %s AND position = 1"
UPDATE_AUDIT = "UPDATE audit_audit SET {} WHERE id = %s"
UPDATE_LINK = "UPDATE audit_link SET {} WHERE audit_id = %s AND position = 3"


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


@pytest.mark.parametrize("name", TAMPERING)
def test_tampering_is_named_with_the_first_broken_link(name: str) -> None:
    tamper, kind, link, says = TAMPERING[name]
    audit = sealed_one()

    tamper(audit)

    found = next(each for each in breaks() if each.audit == audit.public_id)
    assert (found.kind, found.link) == (kind, link), found.says
    assert says in found.says


def test_every_broken_audit_is_named_once_and_no_other() -> None:
    audits = [sealed_one(uid=f"2.25.{number}") for number in (1, 2, 3)]
    for audit in audits[:2]:
        execute(UPDATE_AUDIT.format("proof = 'identical'"), audit.pk)
        execute(UPDATE_LINK.format("detail = '{}'"), audit.pk)

    assert [(each.audit, each.link) for each in breaks()] == [(audit.public_id, 3) for audit in audits[:2]]


def test_one_audit_alone_can_be_looked_at() -> None:
    audits = [sealed_one(uid=f"2.25.{number}") for number in (1, 2)]
    for audit in audits:
        execute(UPDATE_AUDIT.format("proof = 'identical'"), audit.pk)

    assert [each.audit for each in LedgerWalk(audits[1].public_id).breaks()] == [audits[1].public_id]


@pytest.mark.parametrize(
    ("column", "says"), [("sha256 = ''", "its digest"), ("was_there_before = 'no'", "what was there before")]
)
def test_what_was_found_is_watched_while_the_audit_is_open(column: str, says: str) -> None:
    audit = open_one()

    execute(UPDATE_INSTANCE.format(column).replace("position = 1", "position = 0"), audit.pk)

    (found,) = breaks()
    assert (found.kind, found.link) == (ROW_CHANGED, 3)
    assert "instance no. 1 " in found.says
    assert says in found.says


def test_what_is_changed_just_before_the_sealing_is_not_hidden_by_it() -> None:
    audit = open_one()
    audit.instances.filter(position=0).update(was_there_before="no")

    Ledger(audit).close()

    (found,) = breaks()
    assert (found.kind, found.link) == (ROW_CHANGED, 4)


def test_a_continued_audit_that_was_exchanged_is_seen_from_the_one_that_continues_it() -> None:
    first = sealed_one()
    second = asked_again(first)
    other = sealed_one(uid="2.25.2")

    execute("UPDATE audit_audit SET continues_id = %s WHERE id = %s", other.pk, second.pk)

    (found,) = breaks()
    assert (found.audit, found.kind, found.link) == (second.public_id, LINK_CHANGED, 0)


def test_evidence_added_between_two_batches_is_named() -> None:
    audit = open_one()
    other = open_one(uid="2.25.2")
    ask(Ledger(audit), 3)
    between = Evidence.objects.filter(instance__audit=other).order_by("id")[1]

    execute("UPDATE audit_evidence SET instance_id = %s WHERE id = %s", audit.instances.first().pk, between.pk)  # type: ignore[union-attr]

    found = next(each for each in breaks() if each.audit == audit.public_id)
    assert (found.kind, found.link) == (ROW_ADDED, 4)
    assert f"the id {between.pk} was added" in found.says


# Audits from before


def without_links(audit: Audit) -> None:
    execute("DELETE FROM audit_link WHERE audit_id = %s", audit.pk)


def test_an_older_audit_is_adopted_as_it_is_found() -> None:
    sealed, still_open = sealed_one(), open_one(uid="2.25.2")
    for audit in (sealed, still_open):
        without_links(audit)
        adopt(audit)

    ask(Ledger(still_open), 3, "2.25.2")

    assert kinds_of(sealed) == ["adopted", "sealed"]
    assert kinds_of(still_open) == ["adopted", "evidence"]
    assert breaks() == []


@pytest.mark.parametrize("name", ["the kind of evidence", "evidence is deleted", "a UID of the manifest"])
def test_an_adopted_audit_is_watched_from_then_on(name: str) -> None:
    audit = sealed_one()
    without_links(audit)
    adopt(audit)

    TAMPERING[name][0](audit)

    (found,) = breaks()
    assert (found.kind, found.link) == (TAMPERING[name][1], 0)


def test_an_older_audit_is_continued_from_its_adoption() -> None:
    audit = sealed_one()
    without_links(audit)
    adopt(audit)

    asked_again(audit)

    assert breaks() == []


# Links are written with what they cover


def test_what_is_not_written_has_no_link(monkeypatch: pytest.MonkeyPatch) -> None:
    audit = open_one()
    before = head_of(audit.pk)
    ledger = Ledger(audit)
    ledger.begin_round()
    observe(ledger, EvidenceKind.PRESENT, 3, "2.25.1")
    monkeypatch.setattr("audit.ledger.write_digests", lambda _: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        ledger.flush()

    assert head_of(audit.pk) == before
    assert breaks() == []


def test_a_link_says_which_rows_it_covers() -> None:
    audit = open_one()
    rows = list(Evidence.objects.order_by("id").values_list("id", flat=True))

    link = audit.links.get(position=2)

    assert link.kind == LinkKind.EVIDENCE
    assert json.loads(link.detail) == {"rows": [[rows[0], 3]]}


def test_the_chain_needs_no_more_than_the_instances_ids() -> None:
    audit = open_one()
    assert InstanceAudit.objects.count() == 3

    send(Ledger(audit), 3)

    assert breaks() == []
