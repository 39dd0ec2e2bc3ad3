"""The ledger: a row an instance before anything is sent, evidence in batches, a verdict that what is stored gives."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest
from django.utils import timezone

from audit.judgements import Policy
from audit.ledger import AskedAt, AuditIsSealed, Ledger, continue_audit, entries_of, open_audit
from audit.models import Audit, Evidence
from audit.observations import EvidenceKind, Observation
from audit.reports import counts_of, instance_documents
from tests.manifests import study

pytestmark = pytest.mark.django_db

DESTINATION = AskedAt(uuid4(), "pacs:104 PACS")


def opened(instances: int = 3, files_left_out: int = 0) -> Audit:
    return open_audit(study(instances), at=DESTINATION, policy=Policy(), files_left_out=files_left_out)


def observe(ledger: Ledger, kind: EvidenceKind, *numbers: int, **detail: str) -> None:
    for number in numbers:
        ledger.record(Observation(f"2.25.1.{number}", kind, timezone.now(), detail))


def sealed(*, before: str = "no", sha256: str = "aa", probe: EvidenceKind = EvidenceKind.PRESENT) -> Audit:
    """The audit of one instance that was sent with a digest, acknowledged, and asked about."""
    ledger = Ledger(opened(1))
    ledger.note_was_there_before(["2.25.1.1"] if before == "yes" else [], ["2.25.1.1"] if before == "unknown" else [])
    ledger.begin_round()
    observe(ledger, EvidenceKind.SENT, 1, sha256=sha256)
    observe(ledger, EvidenceKind.ACKNOWLEDGED, 1)
    ledger.begin_round()
    observe(ledger, probe, 1)
    return ledger.close()


def test_the_manifest_is_written_before_anything_is_sent_and_read_back_the_same() -> None:
    audit = opened()

    assert tuple(entries_of(audit.instances.order_by("position"), "2.25.1")) == study().entries


def test_evidence_waits_for_its_batch_and_no_longer() -> None:
    ledger = Ledger(opened(200))
    ledger.begin_round()

    observe(ledger, EvidenceKind.SENT, *range(1, 200))
    waiting = Evidence.objects.count()
    observe(ledger, EvidenceKind.SENT, 200)

    assert (waiting, Evidence.objects.count()) == (0, 200)


def test_evidence_carries_its_round_and_the_digest_goes_to_the_instance() -> None:
    ledger = Ledger(opened())
    ledger.begin_round()
    ledger.begin_round()
    observe(ledger, EvidenceKind.SENT, 2, sha256="ab")
    ledger.flush()

    assert Evidence.objects.get().round == 2
    assert ledger.audit.instances.get(sha256="ab").sop_instance_uid == "2.25.1.2"


def test_an_observation_about_a_stranger_is_refused() -> None:
    ledger = Ledger(opened())

    with pytest.raises(KeyError):
        observe(ledger, EvidenceKind.PRESENT, 4)


def test_all_present_is_committed_with_its_proof_and_its_numbers() -> None:
    ledger = Ledger(opened())
    ledger.begin_round()
    observe(ledger, EvidenceKind.ACKNOWLEDGED, 1, 2, 3)
    observe(ledger, EvidenceKind.PRESENT, 1, 2, 3)

    audit = ledger.close()

    assert (audit.verdict, audit.proof) == ("committed", "present")
    assert audit.reason == "All 3 instances were found at the destination when it was asked afterwards."
    assert counts_of(audit) == {"instances": 3, "confirmed": 3, "refuted": 0, "unproven": 0, "pending": 0}


def test_files_that_were_left_out_end_the_reason() -> None:
    ledger = Ledger(opened(1, files_left_out=2))
    ledger.begin_round()
    observe(ledger, EvidenceKind.ACKNOWLEDGED, 1)
    observe(ledger, EvidenceKind.PRESENT, 1)

    assert ledger.close().reason.endswith("2 files of the input could not be read and are not part of this")


def test_one_missing_is_partial_and_said_with_its_status_code() -> None:
    ledger = Ledger(opened())
    ledger.begin_round()
    observe(ledger, EvidenceKind.REFUSED, 2, status_code="0xA700", meaning="Refused: out of resources")
    observe(ledger, EvidenceKind.ACKNOWLEDGED, 1, 3)
    observe(ledger, EvidenceKind.PRESENT, 1, 3)

    audit = ledger.close()

    assert audit.verdict == "partial"
    assert "Only 2 of 3 instances are proved" in audit.reason
    assert "1 refused (0xA700 Refused: out of resources)" in audit.reason


def test_a_part_is_never_said_to_be_stored_when_nothing_is_confirmed() -> None:
    ledger = Ledger(opened())
    ledger.begin_round()
    observe(ledger, EvidenceKind.ACKNOWLEDGED, 1, 2)
    observe(ledger, EvidenceKind.REFUSED, 3)

    audit = ledger.close()

    assert audit.verdict == "partial"
    assert audit.reason.startswith("The study is not complete, since 1 of 3 instances is missing")


def test_nothing_known_is_unverifiable() -> None:
    audit = Ledger(opened()).close()

    assert (audit.verdict, audit.proof) == ("unverifiable", "")


def test_a_sealed_audit_takes_no_more_evidence() -> None:
    audit = opened()
    late = Ledger(Audit.objects.get(pk=audit.pk))
    Ledger(audit).close()
    observe(late, EvidenceKind.PRESENT, 1)

    with pytest.raises(AuditIsSealed):
        late.flush()

    assert Evidence.objects.count() == 0


def test_an_open_audit_counts_what_is_not_decided_as_pending() -> None:
    ledger = Ledger(opened())
    ledger.begin_round()
    observe(ledger, EvidenceKind.ACKNOWLEDGED, 1)
    observe(ledger, EvidenceKind.REFUSED, 2)
    ledger.flush()

    assert counts_of(ledger.audit) == {"instances": 3, "confirmed": 0, "refuted": 1, "unproven": 0, "pending": 2}


def test_a_later_audit_is_judged_over_the_whole_chain() -> None:
    first = sealed()
    ledger = Ledger(continue_audit(first, Policy()))
    ledger.begin_round()
    observe(ledger, EvidenceKind.ABSENT, 1)

    later = ledger.close()

    assert (first.verdict, later.verdict) == ("committed", "nothing-stored")
    assert "It was committed when it was asked about on" in later.reason
    (document,) = instance_documents(later)
    assert [evidence["kind"] for evidence in document["evidence"]] == ["sent", "acknowledged", "present", "absent"]
    assert [evidence["round"] for evidence in document["evidence"]] == [1, 1, 2, 3]


@pytest.mark.parametrize(
    ("earlier", "verdict"),
    [
        ({}, "committed"),
        ({"sha256": "bb"}, "unverifiable"),
        ({"before": "unknown"}, "unverifiable"),
        ({"before": "yes"}, "unverifiable"),
        ({"probe": EvidenceKind.PROBE_FAILED}, "unverifiable"),
        ({"probe": EvidenceKind.ABSENT}, "unverifiable"),
    ],
    ids=["proved", "other-content", "unknown-before", "there-before", "never-proved", "absent"],
)
def test_what_was_there_before_is_confirmed_only_by_our_own_earlier_proof(
    earlier: dict[str, str], verdict: str
) -> None:
    sealed(**earlier)  # type: ignore[arg-type]

    assert sealed(before="yes").verdict == verdict


def test_content_sent_there_later_by_another_transfer_stands_against_an_older_one() -> None:
    first = sealed()
    ledger = Ledger(opened(1))
    ledger.begin_round()
    observe(ledger, EvidenceKind.SENT, 1, sha256="bb")
    ledger.flush()  # and breaks off unsealed
    again = Ledger(continue_audit(first, Policy()))
    again.begin_round()
    observe(again, EvidenceKind.PRESENT, 1)

    later = again.close()

    assert (first.verdict, later.verdict) == ("committed", "unverifiable")
    assert "sent there with other content too" in later.reason


def by_job(md5: str, said: EvidenceKind | None) -> Ledger:
    """The audit of one instance that a source was to send by itself: nobody saw its bytes, but it told their MD5."""
    (entry,) = study(1).entries
    manifest = replace(study(1), entries=(replace(entry, file_md5=md5),))
    ledger = Ledger(open_audit(manifest, at=DESTINATION, policy=Policy()))
    ledger.note_was_there_before([], [])
    ledger.begin_round()
    if said is not None:
        observe(ledger, said, 1)
    ledger.flush()
    return ledger


@pytest.mark.parametrize(
    ("md5", "said", "verdict"),
    [
        ("b" * 32, EvidenceKind.NO_ANSWER, "unverifiable"),
        ("b" * 32, EvidenceKind.JOB_FAILED, "unverifiable"),
        ("b" * 32, EvidenceKind.JOB_SUCCEEDED, "unverifiable"),
        ("b" * 32, EvidenceKind.NOT_SENT, "committed"),
        ("b" * 32, None, "committed"),
        ("a" * 32, EvidenceKind.NO_ANSWER, "committed"),
        ("", EvidenceKind.NO_ANSWER, "committed"),
    ],
)
def test_what_two_jobs_sent_under_one_uid_is_told_apart_by_the_md5_of_the_source(
    md5: str, said: EvidenceKind | None, verdict: str
) -> None:
    by_job(md5, said)
    ledger = by_job("a" * 32, EvidenceKind.JOB_SUCCEEDED)
    ledger.begin_round()
    observe(ledger, EvidenceKind.PRESENT, 1)

    assert ledger.close().verdict == verdict


def test_an_earlier_proof_is_void_once_other_content_was_sent_since() -> None:
    sealed()
    sealed(before="yes", sha256="bb")

    assert sealed(before="yes").verdict == "unverifiable"


def test_an_earlier_proof_at_another_destination_says_nothing() -> None:
    first = sealed()
    other = open_audit(study(1), at=AskedAt(uuid4(), "pacs:104 PACS"), policy=Policy())
    ledger = Ledger(other)
    ledger.note_was_there_before(["2.25.1.1"], [])
    ledger.begin_round()
    observe(ledger, EvidenceKind.SENT, 1, sha256="aa")
    observe(ledger, EvidenceKind.ACKNOWLEDGED, 1)
    observe(ledger, EvidenceKind.PRESENT, 1)

    assert (first.verdict, ledger.close().verdict) == ("committed", "unverifiable")


def test_evidence_of_another_audit_whose_instances_lie_between_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where two audits are opened at the same moment."""
    every_other = iter([range(1_000_001, 1_000_007, 2), range(1_000_002, 1_000_008, 2)])
    with monkeypatch.context() as patch:
        patch.setattr("audit.rows._next_ids", lambda *_: next(every_other))
        one, other = Ledger(opened()), Ledger(opened())
    for ledger, answer, found in (
        (one, EvidenceKind.ACKNOWLEDGED, EvidenceKind.PRESENT),
        (other, EvidenceKind.REFUSED, EvidenceKind.PROBE_FAILED),
    ):
        ledger.note_was_there_before([], [])
        ledger.begin_round()
        observe(ledger, EvidenceKind.SENT, 1, 2, 3)
        observe(ledger, answer, 1, 2, 3, meaning=f"{answer}")
        ledger.begin_round()
        observe(ledger, found, 1, 2, 3, reason=f"{found}")

    refused, stored = other.close(), one.close()

    assert (refused.verdict, stored.verdict) == ("nothing-stored", "committed")
    assert stored.reason == "All 3 instances were found at the destination when it was asked afterwards."


def test_a_nul_in_what_a_peer_said_does_not_keep_evidence_from_being_written() -> None:
    ledger = Ledger(opened(1))
    ledger.begin_round()

    observe(ledger, EvidenceKind.REFUSED, 1, error_comment="disk\0 full")
    ledger.flush()

    assert Evidence.objects.get().detail == {"error_comment": "disk full"}
