"""Which proofs deny each other, and whose instances these are."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import uuid4

import pytest
from django.utils import timezone

from audit.contradictions import Contradiction, contradictions_of, has_contradiction
from audit.judgements import Policy
from audit.ledger import AskedAt, Ledger, continue_audit, open_audit
from audit.models import Audit
from audit.observations import EvidenceKind, Observation
from tests.manifests import study

pytestmark = pytest.mark.django_db

ACKNOWLEDGED, PRESENT, ABSENT = EvidenceKind.ACKNOWLEDGED, EvidenceKind.PRESENT, EvidenceKind.ABSENT
COMMITTED, REFUSED = EvidenceKind.COMMITTED, EvidenceKind.COMMITMENT_REFUSED
IDENTICAL, DIFFERENT, UNREADABLE = EvidenceKind.IDENTICAL, EvidenceKind.DIFFERENT, EvidenceKind.UNREADABLE


def sealed(audit: Audit, *rounds: Mapping[EvidenceKind, str]) -> Audit:
    """The audit once these rounds were observed, each kind about the instances whose numbers are given."""
    ledger = Ledger(audit)
    ledger.note_was_there_before([], [])
    for said in rounds:
        ledger.begin_round()
        for kind, numbers in said.items():
            for number in numbers:
                ledger.record(Observation(f"2.25.1.{number}", kind, timezone.now()))
    ledger.close()
    return Audit.objects.get(pk=audit.pk)


def opened(instances: int) -> Audit:
    return open_audit(study(instances), at=AskedAt(uuid4(), "pacs:104 PACS"), policy=Policy())


def numbers_of(audit: Audit, contradiction: Contradiction) -> list[int]:
    rows = audit.instances.filter(has_contradiction(audit, contradiction)).order_by("position")
    return [row.position + 1 for row in rows]


def test_each_pair_of_proofs_that_deny_each_other_is_told_with_its_instances() -> None:
    audit = sealed(
        opened(6),
        {ACKNOWLEDGED: "123456"},
        {PRESENT: "12356", ABSENT: "4"},
        {COMMITTED: "1456", REFUSED: "23"},
        {IDENTICAL: "3", DIFFERENT: "5", UNREADABLE: "6"},
    )

    found = contradictions_of(audit)

    assert found == {
        Contradiction(REFUSED, PRESENT): 1,
        Contradiction(REFUSED, IDENTICAL): 1,
        Contradiction(ABSENT, COMMITTED): 1,
        Contradiction(DIFFERENT, COMMITTED): 1,
        Contradiction(UNREADABLE, COMMITTED): 1,
    }
    assert numbers_of(audit, Contradiction(REFUSED, PRESENT)) == [2]
    assert numbers_of(audit, Contradiction(REFUSED, IDENTICAL)) == [3]
    assert numbers_of(audit, Contradiction(ABSENT, COMMITTED)) == [4]
    assert numbers_of(audit, Contradiction(DIFFERENT, COMMITTED)) == [5]


def test_the_newest_word_of_each_proof_counts_over_the_whole_chain() -> None:
    first = sealed(opened(2), {ACKNOWLEDGED: "12"}, {PRESENT: "12"}, {REFUSED: "12"})

    again = sealed(continue_audit(first, Policy()), {COMMITTED: "1"}, {PRESENT: "12"})

    assert contradictions_of(again) == {Contradiction(REFUSED, PRESENT): 1}
    assert numbers_of(again, Contradiction(REFUSED, PRESENT)) == [2]
    assert numbers_of(first, Contradiction(REFUSED, PRESENT)) == [1, 2]


def test_where_proofs_agree_there_is_none() -> None:
    audit = sealed(opened(2), {ACKNOWLEDGED: "12"}, {PRESENT: "1", ABSENT: "2"}, {COMMITTED: "1", REFUSED: "2"})

    assert contradictions_of(audit) == {}


def test_a_pair_is_spelled_for_an_address_and_read_from_it() -> None:
    pair = Contradiction(REFUSED, PRESENT)

    assert str(pair) == "commitment-refused.present"
    assert Contradiction.parse(str(pair)) == pair


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yes",
        "present",
        "present.nothing",
        "present.absent.present",
        "present.absent",
        "refused.present",
        "sent.sent",
        "absent.x",
    ],
)
def test_anything_else_is_no_pair(text: str) -> None:
    assert Contradiction.parse(text) is None
