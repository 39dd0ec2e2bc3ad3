"""The tally of a sealed audit: counted from the rows, over the whole chain."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.utils import timezone

from audit.judgements import Policy
from audit.ledger import AskedAt, Ledger, continue_audit, open_audit
from audit.models import Audit
from audit.observations import EvidenceKind, Observation
from audit.tallies import count_rows
from tests.manifests import study

pytestmark = pytest.mark.django_db

SENT, ACKNOWLEDGED, REFUSED, PRESENT, ABSENT, NOT_SENT, NO_ANSWER = (
    EvidenceKind.SENT,
    EvidenceKind.ACKNOWLEDGED,
    EvidenceKind.REFUSED,
    EvidenceKind.PRESENT,
    EvidenceKind.ABSENT,
    EvidenceKind.NOT_SENT,
    EvidenceKind.NO_ANSWER,
)


@pytest.fixture
def ledger() -> Ledger:
    """Of four instances, none of which was there before."""
    audit = open_audit(study(4), at=AskedAt(uuid4(), "pacs:104 PACS"), policy=Policy())
    ledger = Ledger(audit)
    ledger.note_was_there_before([], [])
    return ledger


def observe(ledger: Ledger, *rows: tuple[EvidenceKind, str]) -> None:
    """One round: each kind about the instances whose numbers are given."""
    ledger.begin_round()
    for kind, numbers in rows:
        for number in numbers:
            ledger.record(Observation(f"2.25.1.{number}", kind, timezone.now()))
    ledger.flush()


def stored(audit: Audit) -> dict[str, int]:
    return dict(Audit.objects.get(pk=audit.pk).tally)


def test_the_tally_counts_verdicts_and_how_far_instances_came(ledger: Ledger) -> None:
    observe(ledger, (SENT, "123"), (ACKNOWLEDGED, "12"), (REFUSED, "3"), (NOT_SENT, "4"))
    observe(ledger, (PRESENT, "1"), (ABSENT, "234"))

    audit = ledger.close()

    assert stored(audit) == {
        "instances": 4,
        "confirmed": 1,
        "refuted": 3,
        "unproven": 0,
        "pending": 0,
        "sent": 3,
        "acknowledged": 2,
        "present": 1,
        "committed": 0,
        "compared": 0,
        "different": 0,
    }


def test_an_open_audit_has_no_tally_and_can_be_counted_all_the_same(ledger: Ledger) -> None:
    observe(ledger, (SENT, "1"))

    assert stored(ledger.audit) == {}
    assert count_rows(ledger.audit)["pending"] == 4
    assert count_rows(ledger.audit)["sent"] == 1


def test_what_was_sent_twice_counts_once(ledger: Ledger) -> None:
    observe(ledger, (SENT, "1"), (NO_ANSWER, "1"))
    observe(ledger, (SENT, "1"), (ACKNOWLEDGED, "1"))

    assert (count_rows(ledger.audit)["sent"], count_rows(ledger.audit)["acknowledged"]) == (1, 1)


def test_the_newest_list_that_says_anything_of_an_instance_decides_whether_it_is_present(ledger: Ledger) -> None:
    observe(ledger, (PRESENT, "12"))
    observe(ledger, (ABSENT, "1"), (EvidenceKind.PROBE_FAILED, "2"))

    assert count_rows(ledger.audit)["present"] == 1


def test_within_one_list_absent_is_the_stronger_word(ledger: Ledger) -> None:
    observe(ledger, (PRESENT, "1"), (ABSENT, "1"))

    assert count_rows(ledger.audit)["present"] == 0


def test_the_newest_report_that_says_yes_or_no_decides_whether_it_is_committed(ledger: Ledger) -> None:
    observe(ledger, (EvidenceKind.COMMITTED, "123"), (EvidenceKind.NOT_MENTIONED, "4"))
    observe(ledger, (EvidenceKind.COMMITMENT_REFUSED, "1"), (EvidenceKind.COMMITMENT_OVERDUE, "2"))

    assert count_rows(ledger.audit)["committed"] == 2


def test_within_one_report_what_denies_or_leaves_it_open_is_stronger_than_a_success(ledger: Ledger) -> None:
    observe(
        ledger,
        (EvidenceKind.COMMITTED, "123"),
        (EvidenceKind.COMMITMENT_REFUSED, "1"),
        (EvidenceKind.COMMITMENT_FAILED, "2"),
    )

    assert count_rows(ledger.audit)["committed"] == 1


def test_what_was_read_back_is_counted_apart_by_what_it_was_found_to_be(ledger: Ledger) -> None:
    observe(ledger, (EvidenceKind.IDENTICAL, "1"), (EvidenceKind.EQUIVALENT, "2"), (EvidenceKind.DIFFERENT, "3"))
    observe(ledger, (EvidenceKind.PROBE_FAILED, "12"), (EvidenceKind.CONFLICT, "4"))

    tally = count_rows(ledger.audit)

    assert (tally["compared"], tally["different"]) == (2, 2)


def test_a_retry_counts_what_the_whole_chain_sent_and_found(ledger: Ledger) -> None:
    observe(ledger, (SENT, "123"), (ACKNOWLEDGED, "123"), (NOT_SENT, "4"))
    observe(ledger, (PRESENT, "123"), (ABSENT, "4"))
    again = Ledger(continue_audit(ledger.close(), Policy()))
    observe(again, (SENT, "4"), (ACKNOWLEDGED, "4"))
    observe(again, (PRESENT, "1234"))

    tally = stored(again.close())

    assert (tally["instances"], tally["sent"], tally["acknowledged"], tally["present"]) == (4, 4, 4, 4)
    assert tally["confirmed"] == 4


def test_the_tally_of_a_sealed_audit_is_what_its_rows_say(ledger: Ledger) -> None:
    observe(ledger, (SENT, "1234"), (ACKNOWLEDGED, "124"))
    observe(ledger, (PRESENT, "12"), (ABSENT, "3"))

    audit = ledger.close()

    assert stored(audit) == count_rows(audit)
