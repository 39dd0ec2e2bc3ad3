"""What each method came to at each destination: counts of all, medians of the newest that are committed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from audit.models import Audit
from transfers import method_figures as figures_module
from transfers.method_figures import Figures, method_figures
from transfers.models import Destination, Transfer

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


def finish(
    transfer: Transfer, *, sent: float = 10, sealed: float = 12, verdict: str = "committed", after: float = 0
) -> Transfer:
    """Sent in `sent` seconds, sealed so many seconds after sending began, `after` seconds after noon."""
    began_at = NOON + timedelta(seconds=after)
    transfer.attempts.create(
        round=1,
        instances=100,
        size_bytes=50_000_000,
        started_at=began_at,
        ended_at=began_at + timedelta(seconds=sent),
    )
    seal(transfer.audit, began_at + timedelta(seconds=sealed), verdict)
    Transfer.objects.filter(pk=transfer.pk).update(verdict=verdict)
    return transfer


def by(transfer: Transfer, method: str | None) -> Transfer:
    Transfer.objects.filter(pk=transfer.pk).update(method=method)
    return transfer


def continued(earlier: Audit, at: datetime) -> Audit:
    """Found committed again."""
    return Audit.objects.create(
        continues=earlier,
        destination_public_id=earlier.destination_public_id,
        destination_address=earlier.destination_address,
        study_instance_uid=earlier.study_instance_uid,
        opened_at=NOON,
        sealed_at=at,
        verdict="committed",
    )


def seal(audit: Audit, at: datetime, verdict: str) -> None:
    Audit.objects.filter(pk=audit.pk).update(sealed_at=at, verdict=verdict)


def only() -> Figures:
    (found,) = method_figures()
    return found


def test_where_nothing_was_sent_there_are_none(create: Callable[..., Transfer]) -> None:
    by(create(), None)

    assert method_figures() == []


def test_verdicts_are_counted_by_method_and_destination(
    create: Callable[..., Transfer], destination: Destination
) -> None:
    finish(create())
    finish(create(), verdict="partial")
    create()
    finish(by(create(), "c-store-commitment"))

    plain, with_commitment = method_figures()

    assert (plain.method, plain.destination, plain.transfers) == ("c-store", destination.name, 3)
    assert plain.verdicts == {"committed": 1, "partial": 1, "pending": 1}
    assert with_commitment.verdicts == {"committed": 1}


def test_medians_are_of_what_is_committed(create: Callable[..., Transfer]) -> None:
    for sent, sealed in ((5, 6), (10, 12), (20, 30)):
        finish(create(), sent=sent, sealed=sealed)
    finish(create(), sent=1, sealed=1, verdict="partial")

    found = only()

    assert found.timed == 3
    assert found.bytes_per_second == 5_000_000
    assert found.instances_per_second == 10
    assert found.seconds_to_verified == 12


def test_of_what_was_resent_the_speed_is_not_told_but_how_long_it_took(create: Callable[..., Transfer]) -> None:
    transfer = finish(create(), sealed=100)
    transfer.attempts.create(round=2, instances=1, size_bytes=1, started_at=NOON + timedelta(seconds=90))

    found = only()

    assert (found.bytes_per_second, found.instances_per_second) == (None, None)
    assert found.seconds_to_verified == 100


def test_what_was_verified_again_counts_as_of_its_first_seal(create: Callable[..., Transfer]) -> None:
    transfer = finish(create(), sealed=12)
    audit = transfer.audit
    for hours in (1, 24):
        audit = continued(audit, NOON + timedelta(hours=hours))
    Transfer.objects.filter(pk=transfer.pk).update(audit=audit)

    assert only().seconds_to_verified == 12


def test_what_was_committed_at_a_second_try_counts_to_that(create: Callable[..., Transfer]) -> None:
    transfer = finish(create(), sealed=12, verdict="partial")
    audit = continued(transfer.audit, NOON + timedelta(seconds=70))
    Transfer.objects.filter(pk=transfer.pk).update(audit=audit, verdict="committed")

    assert only().seconds_to_verified == 70


def test_only_the_newest_are_timed(create: Callable[..., Transfer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures_module, "TIMED", 2)
    for sealed in (1_000, 20, 10):
        finish(create(), sealed=sealed)

    found = only()

    assert (found.transfers, found.timed, found.seconds_to_verified) == (3, 2, 15)


def test_what_ended_as_it_began_has_no_speed(create: Callable[..., Transfer]) -> None:
    finish(create(), sent=0)

    assert only().bytes_per_second is None


def test_few_questions_are_asked_of_the_database(
    create: Callable[..., Transfer], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(5):
        finish(create())
    finish(by(create(), "c-store-commitment"))

    with django_assert_max_num_queries(6):
        method_figures()
