"""Following an audit: what is read bit by bit is what the rows say as a whole."""

from __future__ import annotations

import random
from uuid import uuid4

import pytest
from django.utils import timezone

from audit.judgements import Policy
from audit.ledger import AskedAt, Ledger, continue_audit, open_audit
from audit.live import LiveAudit
from audit.models import Audit
from audit.observations import EvidenceKind, Observation
from audit.reports import counts_of
from audit.tallies import count_rows
from tests.manifests import study

pytestmark = pytest.mark.django_db

DESTINATION = AskedAt(uuid4(), "pacs:104 PACS")
SENT, ACKNOWLEDGED, REFUSED = EvidenceKind.SENT, EvidenceKind.ACKNOWLEDGED, EvidenceKind.REFUSED
PRESENT, ABSENT, NO_ANSWER, NOT_SENT = (
    EvidenceKind.PRESENT,
    EvidenceKind.ABSENT,
    EvidenceKind.NO_ANSWER,
    EvidenceKind.NOT_SENT,
)


def opened(instances: int = 4, uid: str = "2.25.1") -> Audit:
    return open_audit(study(instances, uid), at=DESTINATION, policy=Policy())


def begun(audit: Audit) -> Ledger:
    """Nothing was there before, and the first round has begun."""
    ledger = Ledger(audit)
    ledger.note_was_there_before([], [])
    ledger.begin_round()
    return ledger


def write(ledger: Ledger, kind: EvidenceKind, *numbers: int, **detail: object) -> None:
    for number in numbers:
        uid = f"{ledger.audit.study_instance_uid}.{number}"
        ledger.record(Observation(uid, kind, timezone.now(), detail))
    ledger.flush()


def test_nothing_is_known_of_a_new_audit() -> None:
    live = LiveAudit(opened().pk)

    assert live.cells == "...."
    assert live.tally == {
        "instances": 4,
        "confirmed": 0,
        "refuted": 0,
        "unproven": 0,
        "pending": 4,
        "sent": 0,
        "acknowledged": 0,
        "present": 0,
        "committed": 0,
        "compared": 0,
        "different": 0,
    }


def test_a_look_says_which_cells_changed() -> None:
    ledger = begun(opened())
    write(ledger, SENT, 1, 2)
    live = LiveAudit(ledger.audit.pk)

    write(ledger, ACKNOWLEDGED, 1)
    write(ledger, SENT, 4)
    changed = live.refresh()

    assert (changed, live.cells) == ([0, 3], "as.s")
    assert live.refresh() == []


def test_no_instance_is_confirmed_before_the_audit_is_sealed() -> None:
    ledger = begun(opened())
    live = LiveAudit(ledger.audit.pk)
    write(ledger, SENT, 1, 2, 3)
    write(ledger, ACKNOWLEDGED, 1, 2, 3)
    ledger.begin_round()
    write(ledger, PRESENT, 1, 2)
    write(ledger, ABSENT, 3)

    live.refresh()
    while_open = live.cells, live.tally["confirmed"], live.tally["refuted"], live.tally["present"]
    ledger.close()
    changed = live.refresh()

    assert while_open == ("ppr.", 0, 1, 2)
    assert (live.cells, changed, live.is_sealed) == ("ccru", [0, 1, 3], True)


def test_once_sealed_the_counts_are_those_that_were_written_down() -> None:
    ledger = begun(opened())
    live = LiveAudit(ledger.audit.pk)
    write(ledger, SENT, 1, 2)
    write(ledger, ACKNOWLEDGED, 1)

    audit = ledger.close()
    live.refresh()

    assert live.tally == audit.tally == LiveAudit(audit.pk).tally
    assert live.cells == LiveAudit(audit.pk).cells


def test_what_was_there_before_counts_although_it_is_noted_after_the_first_look() -> None:
    audit = opened(2)
    live = LiveAudit(audit.pk)
    ledger = Ledger(audit)
    ledger.note_was_there_before(["2.25.1.1"], [])
    ledger.begin_round()
    write(ledger, SENT, 1, 2)
    write(ledger, ACKNOWLEDGED, 1, 2)
    ledger.begin_round()

    write(ledger, PRESENT, 1, 2)
    live.refresh()

    assert live.cells == "ap"


def test_an_audit_that_continues_another_begins_with_its_evidence() -> None:
    ledger = begun(opened(3))
    write(ledger, SENT, 1, 2, 3)
    write(ledger, ACKNOWLEDGED, 1, 2)
    write(ledger, REFUSED, 3)
    ledger.begin_round()
    write(ledger, PRESENT, 1)
    write(ledger, ABSENT, 2, 3)
    again = Ledger(continue_audit(ledger.close(), Policy()))

    live = LiveAudit(again.audit.pk)
    before = live.cells
    again.begin_round()
    write(again, SENT, 2, 3)
    changed = live.refresh()

    assert (before, live.cells, changed) == ("prr", "pss", [1, 2])  # an old list says nothing of what is sent now
    assert live.tally == count_rows(again.audit) | {"refuted": 0, "pending": 3}


def test_the_evidence_of_other_audits_is_left_out() -> None:
    one, other = begun(opened(3)), begun(opened(3, "2.25.2"))
    live = LiveAudit(one.audit.pk), LiveAudit(other.audit.pk)

    for number in (1, 2, 3):
        write(one, SENT, number)
        write(other, REFUSED, number)
    changed = [each.refresh() for each in live]

    assert changed == [[0, 1, 2], [0, 1, 2]]
    assert [each.cells for each in live] == ["sss", "rrr"]


def test_a_round_counts_what_is_answered_and_not_what_will_be_sent_again() -> None:
    ledger = begun(opened(4))
    live = LiveAudit(ledger.audit.pk)

    write(ledger, SENT, 1, 2, 3, 4)
    write(ledger, ACKNOWLEDGED, 1)
    write(ledger, NO_ANSWER, 2, will_be_sent_again=True)
    write(ledger, NO_ANSWER, 3, reason="lost")
    write(ledger, NOT_SENT, 4)
    live.refresh()
    count = live.of_round(1)
    ledger.begin_round()
    write(ledger, PRESENT, 1, 2)
    live.refresh()

    assert (count.answered, count.answered_bytes, count.asked) == (3, 3_000, 0)
    assert live.of_round(1) == LiveAudit(ledger.audit.pk).of_round(1)
    assert (live.of_round(2).answered, live.of_round(2).asked, live.of_round(3).asked) == (0, 2, 0)


@pytest.mark.parametrize("seed", range(5))
def test_what_is_read_bit_by_bit_is_what_the_rows_say(seed: int) -> None:
    chance = random.Random(seed)
    ledger = begun(opened(40))
    live = LiveAudit(ledger.audit.pk)
    cells = live.cells

    for _ in range(30):
        if chance.random() < 0.2:
            ledger.begin_round()
        write(ledger, chance.choice(list(EvidenceKind)), *chance.sample(range(1, 41), 10))
        for position in live.refresh():
            cells = cells[:position] + live.cells[position] + cells[position + 1 :]

    assert cells == live.cells == LiveAudit(ledger.audit.pk).cells
    assert live.tally == LiveAudit(ledger.audit.pk).tally
    assert live.tally["refuted"] == counts_of(ledger.audit)["refuted"]
    steps = ("sent", "acknowledged", "present", "committed", "compared", "different")
    assert {step: live.tally[step] for step in steps} == {step: count_rows(ledger.audit)[step] for step in steps}


def test_an_audit_of_nothing_has_no_cells() -> None:
    live = LiveAudit(opened(0).pk)
    live.refresh()

    assert (live.cells, live.tally["instances"]) == ("", 0)
