"""The hash chain: whatever is changed, added or taken away behind the back of the ledger is named."""

from __future__ import annotations

import json

import pytest

from audit.breaks import Break
from audit.chain import adopt, head_of
from audit.judgements import Policy
from audit.ledger import Ledger, continue_audit
from audit.ledger_walk import LedgerWalk
from audit.links import LinkKind
from audit.models import Audit, Evidence, InstanceAudit
from audit.observations import EvidenceKind
from tests.integration.audit.tampering import (
    LINK_CHANGED,
    ROW_ADDED,
    ROW_CHANGED,
    TAMPERING,
    UPDATE_AUDIT,
    UPDATE_INSTANCE,
    UPDATE_LINK,
    execute,
)
from tests.ledgers import ask, asked_again, observe, open_one, sealed_one, send

pytestmark = pytest.mark.django_db


def breaks() -> list[Break]:
    return list(LedgerWalk().breaks())


def kinds_of(audit: Audit) -> list[str]:
    return list(audit.links.order_by("position").values_list("kind", flat=True))


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
