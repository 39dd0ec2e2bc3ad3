"""What went wrong, in groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from django.utils import timezone

from audit.judgements import Policy
from audit.ledger import Ledger, continue_audit
from audit.models import Audit
from audit.observations import EvidenceKind, Observation
from transfers.failures import MOST_GROUPS, failures_of
from transfers.instance_listing import InstanceFilters, matching
from transfers.models import Transfer

pytestmark = pytest.mark.django_db

Create = Callable[..., Transfer]
Said = tuple[EvidenceKind, Mapping[str, Any]]

ACKNOWLEDGED: Said = (EvidenceKind.ACKNOWLEDGED, {"status_code": "0x0000", "meaning": "Success"})
OUT_OF_RESOURCES: Said = (EvidenceKind.REFUSED, {"status_code": "0xA700", "meaning": "Refused: Out of Resources"})
HELD_BACK: Said = (EvidenceKind.NOT_SENT, {"code": "held_back", "reason": "Others could not be sent."})
ABSENT: Said = (EvidenceKind.ABSENT, {})
PRESENT: Said = (EvidenceKind.PRESENT, {})


def sealed(audit: Audit, *rounds: Mapping[int, Said]) -> Audit:
    """The audit once these rounds were observed, each by the number of the instance."""
    ledger = Ledger(audit)
    ledger.note_was_there_before([], [])
    for said in rounds:
        ledger.begin_round()
        for number, (kind, detail) in said.items():
            ledger.record(Observation(f"2.25.1.{number}", kind, timezone.now(), detail))
    ledger.close()
    return Audit.objects.get(pk=audit.pk)


def shown(audit: Audit) -> list[tuple[int, str]]:
    """How many, and what the group is called, with the numbers of those that its link shows."""
    failures = failures_of(audit, lambda query: matching(audit, InstanceFilters(**query)))  # type: ignore[arg-type, return-value]
    for failure in failures:
        assert len(failure["url"]) == failure["count"]
    return [(failure["count"], failure["title"]) for failure in failures]


def test_what_was_refused_and_is_absent_is_told_by_the_refusal(create: Create) -> None:
    audit = sealed(
        create().audit,
        {1: OUT_OF_RESOURCES, 2: OUT_OF_RESOURCES, 3: ACKNOWLEDGED},
        {1: ABSENT, 2: ABSENT, 3: PRESENT},
    )

    assert shown(audit) == [(2, "Refused: 0xA700 Refused: Out of Resources")]


def test_what_was_acknowledged_and_is_absent_is_told_as_such(create: Create) -> None:
    warned: Said = (EvidenceKind.ACKNOWLEDGED, {"status_code": "0xB000", "meaning": "Coercion of Data Elements"})
    audit = sealed(
        create().audit,
        {1: ACKNOWLEDGED, 2: ACKNOWLEDGED, 3: warned},
        {1: ABSENT, 2: ABSENT, 3: ABSENT},
    )

    assert shown(audit) == [
        (2, "Acknowledged, and not found at the destination"),
        (1, "Acknowledged with 0xB000 Coercion of Data Elements, and not found at the destination"),
    ]


def test_what_was_said_before_still_explains_what_is_asked_again(create: Create) -> None:
    first = sealed(create(instances=2).audit, {1: OUT_OF_RESOURCES, 2: ACKNOWLEDGED}, {1: ABSENT, 2: PRESENT})

    again = sealed(continue_audit(first, Policy()), {1: ABSENT, 2: PRESENT})

    assert shown(again) == [(1, "Refused: 0xA700 Refused: Out of Resources")]


def test_the_newest_answer_explains(create: Create) -> None:
    lost: Said = (EvidenceKind.NO_ANSWER, {"code": "association_lost", "reason": "The association was lost."})
    audit = sealed(create(instances=1).audit, {1: lost}, {1: OUT_OF_RESOURCES}, {1: ABSENT})

    assert shown(audit) == [(1, "Refused: 0xA700 Refused: Out of Resources")]


def test_reasons_of_our_own_are_told_in_their_words(create: Create) -> None:
    audit = sealed(create().audit, {1: HELD_BACK, 2: HELD_BACK, 3: HELD_BACK})

    (failure,) = failures_of(audit, str)

    assert failure["title"] == "Not sent: Others could not be sent"
    assert "could not be sent" in failure["text"]
    assert shown(audit) == [(3, "Not sent: Others could not be sent")]


def test_what_has_very_many_reasons_is_shown_by_the_most_frequent(create: Create) -> None:
    reasons = [(EvidenceKind.NOT_SENT, {"code": "odd", "reason": f"Reason {number}."}) for number in range(30)]
    audit = sealed(create(instances=30).audit, dict(enumerate(reasons, 1)))

    failures = failures_of(audit, str)

    assert len(failures) == MOST_GROUPS + 1
    assert sum(failure["count"] for failure in failures) == 30
    assert failures[-1]["title"] == "Not sent"


def test_what_was_not_sent_and_not_asked_for_is_unproven_by_its_ground(create: Create) -> None:
    audit = sealed(create().audit, {1: ACKNOWLEDGED, 2: ACKNOWLEDGED})

    assert shown(audit) == [
        (2, "Acknowledged, which alone proves nothing"),
        (1, "Nothing is known of it"),
    ]


def test_where_all_is_proved_nothing_went_wrong(create: Create) -> None:
    assert shown(sealed(create(instances=1).audit, {1: ACKNOWLEDGED}, {1: PRESENT})) == []
