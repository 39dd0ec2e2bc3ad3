"""Reports that prove nothing: whoever brings many, or large ones, fills neither the database nor a history."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.transfers.test_commitments import report_on, waiting
from transfers import commitments, orphans
from transfers.models import CommitmentReport, Transfer
from transfers.wire.commitment import CommitmentReport as Report
from transfers.wire.commitment import FailedReference, Reference

pytestmark = pytest.mark.django_db(transaction=True)

CT = "1.2.840.10008.5.1.4.1.1.2"


def bring(uid: str, references: int = 1) -> None:
    """A report to the listener, of a transaction and instances that we know nothing of unless the UID is ours."""
    committed = tuple(Reference(CT, f"1.2.3.{number}") for number in range(references))
    failed = tuple(FailedReference(CT, f"1.2.4.{number}", None) for number in range(references))
    commitments.keep_report(Report(uid, 1, committed, failed), calling_ae_title="ARCHIVE")


def test_of_a_large_one_the_beginning_is_kept() -> None:
    bring("2.25.1", references=orphans.MOST_REFERENCES + 1)

    kept = CommitmentReport.objects.get()
    assert (len(kept.committed), len(kept.failed)) == (orphans.MOST_REFERENCES, orphans.MOST_REFERENCES)
    assert kept.orphaned_because == commitments.UNKNOWN_TRANSACTION


def test_of_many_the_newest_are_kept(create: Callable[..., Transfer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orphans, "MOST_KEPT", 5)
    monkeypatch.setattr(orphans, "LOOK_EVERY", 1)
    report_on(waiting(create()), all_committed=True)

    for number in range(8):
        bring(f"2.25.{number}")

    kept = CommitmentReport.objects.order_by("pk")
    assert [each.transaction_uid for each in kept] == ["2.25.77", *(f"2.25.{number}" for number in range(3, 8))]


def test_many_of_one_request_are_told_a_few_times(
    create: Callable[..., Transfer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphans, "MOST_TOLD", 2)
    transfer = waiting(create())

    for _ in range(4):
        bring("2.25.77")

    assert CommitmentReport.objects.count() == 4
    assert transfer.events.filter(name="commitment_report_orphaned").count() == 2


def test_what_counts_is_kept_whole_however_large(create: Callable[..., Transfer]) -> None:
    transfer = waiting(create(instances=orphans.MOST_REFERENCES + 1))

    report_on(transfer, all_committed=True)

    assert len(CommitmentReport.objects.get().committed) == orphans.MOST_REFERENCES + 1


@pytest.mark.parametrize("all_committed", [True, False])
def test_who_reads_the_evidence_does_not_learn_how_to_report_in_the_name_of_the_archive(
    create: Callable[..., Transfer], all_committed: bool
) -> None:
    transfer = waiting(create())

    report_on(transfer, all_committed=all_committed)

    transfer.refresh_from_db()
    details = transfer.audit.instances.values_list("evidence__detail", flat=True)
    assert "2.25.77" not in str(list(details))
    assert "2.25.77" not in str(list(transfer.events.values_list("detail", flat=True)))
