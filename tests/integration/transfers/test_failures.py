"""What went wrong, in groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from django.utils import timezone

from audit.judgements import Policy
from audit.last_answers import _KINDS
from audit.ledger import Ledger, continue_audit
from audit.models import Audit
from audit.observations import EvidenceKind, Observation
from transfers.errors import (
    CredentialsRefused,
    InstanceNotFound,
    NoPresentationContext,
    RetrievalRefused,
    ServiceUnreachable,
    SourceFileUnreadable,
    TransferError,
)
from transfers.failure_reasons import failure_reason_text
from transfers.failures import MOST_GROUPS, failures_of
from transfers.instance_listing import InstanceFilters, matching
from transfers.models import Transfer
from transfers.remedies import remedy_of_code

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
    failures = failures_of(
        audit,
        lambda query: matching(audit, InstanceFilters(**query)),  # type: ignore[arg-type, return-value]
        asked_to_commit=True,
    )
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


def test_what_a_job_claims_or_leaves_open_and_is_absent_is_told_by_the_job(create: Create) -> None:
    succeeded: Said = (EvidenceKind.JOB_SUCCEEDED, {"job": "a"})
    failed: Said = (EvidenceKind.JOB_FAILED, {"job": "b", "code": "job_failed", "reason": "Connection refused."})
    audit = sealed(
        create().audit,
        {1: succeeded, 2: succeeded, 3: failed},
        {1: ABSENT, 2: ABSENT, 3: ABSENT},
    )

    assert shown(audit) == [
        (2, "Sent by a job that succeeded, and not found at the destination"),
        (1, "The job failed: Connection refused"),
    ]


def test_what_was_acknowledged_over_http_and_is_absent_has_no_warning(create: Create) -> None:
    stored: Said = (EvidenceKind.ACKNOWLEDGED, {"http_status": 200, "status": "Success", "meaning": "stored"})
    audit = sealed(create().audit, {1: stored, 2: stored, 3: stored}, {1: ABSENT, 2: PRESENT, 3: PRESENT})

    assert shown(audit) == [(1, "Acknowledged, and not found at the destination")]


@pytest.mark.parametrize("kind", _KINDS, ids=str)
def test_whatever_was_said_last_of_what_is_absent_has_a_title(create: Create, kind: EvidenceKind) -> None:
    audit = sealed(create().audit, {1: (kind, {}), 2: (kind, {}), 3: (kind, {})}, {1: ABSENT, 2: ABSENT, 3: ABSENT})

    ((count, title),) = shown(audit)

    assert count == 3
    assert title


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


def committed_but(**detail: Any) -> Said:
    return (EvidenceKind.COMMITMENT_FAILED, detail)


def told(audit: Audit) -> dict[str, str]:
    """What is said of each group, by its title."""
    return {failure["title"]: failure["text"] for failure in failures_of(audit, str, asked_to_commit=True)}


@pytest.mark.parametrize("reason", [0x0110, 0x0122, 0x0131, 0x0213, 0x0FFF])
def test_what_is_not_committed_is_told_with_its_reason_although_it_is_there(create: Create, reason: int) -> None:
    code = f"0x{reason:04X}"
    failed = committed_but(failure_reason=code, reason=failure_reason_text(reason))
    audit = sealed(
        create(instances=2).audit, {1: ACKNOWLEDGED, 2: ACKNOWLEDGED}, {1: PRESENT, 2: PRESENT}, {1: failed, 2: failed}
    )

    ((count, title),) = shown(audit)

    assert audit.verdict == "committed"
    assert count == 2
    assert title.startswith(f"Not committed: {code}. ")
    assert told(audit)[title]


@pytest.mark.parametrize("reason", [0x0112, 0x0119])
def test_what_commitment_denies_is_told_by_its_reason_and_not_by_its_ground(create: Create, reason: int) -> None:
    code = f"0x{reason:04X}"
    denied = (EvidenceKind.COMMITMENT_REFUSED, {"failure_reason": code, "reason": failure_reason_text(reason)})
    audit = sealed(create(instances=1).audit, {1: ACKNOWLEDGED}, {1: denied})

    ((count, title),) = shown(audit)

    assert (count, title.partition(". ")[0]) == (1, f"Denied by storage commitment: {code}")


def test_a_sop_class_that_is_not_taken_is_named_with_its_number(create: Create) -> None:
    refused = (EvidenceKind.REFUSED, {"status_code": "0x0122", "meaning": "SOP Class Not Supported"})
    failed = committed_but(failure_reason="0x0122", reason=failure_reason_text(0x0122))
    audit = sealed(create().audit, {1: refused, 2: refused, 3: ACKNOWLEDGED}, {3: PRESENT}, {3: failed})

    texts = list(told(audit).values())

    assert texts[0].startswith("2 × CT Image Storage. ")
    assert "Enable it on the node, then resend; or use STOW-RS" in texts[0]
    assert texts[1].startswith("Proved otherwise. 1 × CT Image Storage. ")
    assert "Enable storage commitment for this SOP class on the node" in texts[1]


def test_what_is_overdue_or_not_mentioned_is_told_apart(create: Create) -> None:
    audit = sealed(
        create().audit,
        {1: ACKNOWLEDGED, 2: ACKNOWLEDGED, 3: ACKNOWLEDGED},
        {1: PRESENT, 2: PRESENT, 3: PRESENT},
        {1: (EvidenceKind.NOT_MENTIONED, {}), 2: (EvidenceKind.COMMITTED, {})},
        {2: (EvidenceKind.COMMITMENT_OVERDUE, {}), 3: (EvidenceKind.COMMITMENT_OVERDUE, {})},
    )

    assert sorted(shown(audit)) == [
        (1, "Asked about, and not mentioned in the report on storage commitment"),
        (1, "No report on storage commitment came in time"),
    ]


def test_where_commitment_is_not_offered_it_says_what_to_do(create: Create) -> None:
    error = NoPresentationContext()
    failed = committed_but(code=error.code, reason=str(error))
    audit = sealed(create(instances=1).audit, {1: ACKNOWLEDGED}, {1: PRESENT}, {1: failed})

    (text,) = told(audit).values()

    assert "does not offer Storage Commitment to us" in text


def test_other_content_is_told_with_the_elements_that_differ(create: Create) -> None:
    different = (
        EvidenceKind.DIFFERENT,
        {"elements": ["(0008,1030)", "(0040,0275)[1].(0040,0007)"], "elements_differing": 2, "pixels_differ": True},
    )
    other = (EvidenceKind.DIFFERENT, {"elements": ["(0008,1030)"], "elements_differing": 1, "pixels_differ": False})
    audit = sealed(
        create().audit,
        {1: ACKNOWLEDGED, 2: ACKNOWLEDGED, 3: ACKNOWLEDGED},
        {1: PRESENT, 2: PRESENT, 3: PRESENT},
        {1: different, 2: other, 3: (EvidenceKind.IDENTICAL, {})},
    )

    assert shown(audit) == [(2, "Other content at the destination")]
    (text,) = told(audit).values()
    assert "(0008,1030) Study Description (in 2)" in text
    assert "(0040,0275)[1].(0040,0007) Scheduled Procedure Step Description (in 1)" in text
    assert "Other pixels in 1." in text


@pytest.mark.parametrize(
    "error",
    [InstanceNotFound(), RetrievalRefused(), SourceFileUnreadable(), ServiceUnreachable(), CredentialsRefused()],
    ids=lambda error: error.code,
)
def test_what_could_not_be_read_back_is_told_by_the_fault(create: Create, error: TransferError) -> None:
    failed = (EvidenceKind.PROBE_FAILED, {"code": error.code, "reason": str(error), "bytes": 5})
    audit = sealed(create(instances=1).audit, {1: ACKNOWLEDGED}, {1: PRESENT}, {1: failed})

    ((count, title),) = shown(audit)

    assert count == 1
    assert title == f"The destination could not be asked: {str(error).partition('. ')[0].rstrip('.')}"
    assert told(audit)[title] == f"Proved otherwise. {remedy_of_code(error.code)}"


def test_what_was_read_back_in_the_end_is_no_failure(create: Create) -> None:
    failed = (EvidenceKind.PROBE_FAILED, {"code": "not_found", "reason": "Nothing."})
    audit = sealed(
        create(instances=2).audit,
        {1: ACKNOWLEDGED, 2: ACKNOWLEDGED},
        {1: failed, 2: failed},
        {1: PRESENT, 2: PRESENT},
        {1: failed},
        {1: (EvidenceKind.EQUIVALENT, {})},
    )

    assert shown(audit) == []


def test_what_is_listed_and_not_handed_over_is_told_as_such(create: Create) -> None:
    withheld = (EvidenceKind.UNREADABLE, {"code": "not_found", "reason": "It was not found. Look there."})
    audit = sealed(create(instances=1).audit, {1: ACKNOWLEDGED}, {1: PRESENT}, {1: withheld})

    assert shown(audit) == [(1, "Said to be there, and not handed over when it was read back: It was not found")]
