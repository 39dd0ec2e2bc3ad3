"""The commitment clock of a transfer's page: what was asked, until when it is due, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from tests.integration.transfers.views.reading import words_of
from transfers import commitments
from transfers.commitment_clock import askings_of
from transfers.models import CommitmentRequest, Destination, Transfer
from transfers.states import State
from transfers.wire.commitment import CommitmentReport, FailedReference, Reference

pytestmark = pytest.mark.django_db

CT = "1.2.840.10008.5.1.4.1.1.2"
Create = Callable[..., Transfer]


@pytest.fixture
def waiting(create: Create, destination: Destination) -> Transfer:
    """Of four instances, all sent; the destination was not asked yet."""
    Destination.objects.update(offers_commitment=True)
    transfer = create(instances=4, asks_commitment=True)
    Transfer.objects.update(state=State.AWAITING_COMMITMENT, worker="", lease_until=None)
    transfer.refresh_from_db()
    return transfer


def ask(transfer: Transfer, *numbers: int, at: datetime | None = None, due_in: float = 3600) -> CommitmentRequest:
    now = at or timezone.now()
    return CommitmentRequest.objects.create(
        transfer=transfer,
        transaction_uid=f"2.25.{CommitmentRequest.objects.count() + 1}",
        round=CommitmentRequest.objects.count() + 1,
        sop_instance_uids=[f"2.25.1.{number}" for number in numbers],
        called_ae_title="ARCHIVE",
        created_at=now,
        sent_at=now,
        due_at=now + timedelta(seconds=due_in),
    )


def report(
    request: CommitmentRequest, *committed: int, failed: Sequence[tuple[int, int | None]] = (), by: str = ""
) -> None:
    told = CommitmentReport(
        request.transaction_uid,
        2 if failed else 1,
        tuple(Reference(CT, f"2.25.1.{number}") for number in committed),
        tuple(FailedReference(CT, f"2.25.1.{number}", reason) for number, reason in failed),
    )
    commitments.keep_report(told, calling_ae_title=by or "ARCHIVE")


def said(browser: Client, transfer: Transfer) -> str:
    return words_of(browser.get(f"/transfers/{transfer.public_id}/part/commitment/"))


def test_what_is_waited_for_says_when_it_is_due(operator: Client, waiting: Transfer) -> None:
    now = timezone.now()
    ask(waiting, 1, 2, at=now)
    ask(waiting, 3, 4, at=now)

    words = said(operator, waiting)

    assert "Asked to commit to 4 instances in 2 requests" in words
    assert "The report about 4 instances is due in 59 min" in words or "is due in 1 h 0 min" in words
    assert "Ask again" not in words


def test_what_is_overdue_says_since_when_and_can_be_asked_again(operator: Client, waiting: Transfer) -> None:
    ask(waiting, 1, 2, 3, 4, at=timezone.now() - timedelta(hours=2))
    commitments.weigh_what_is_left(timezone.now())

    words = said(operator, waiting)

    assert "Overdue: no report about 4 instances. One that comes late still counts." in words
    assert "Ask again" in words


def test_an_answer_says_how_many_are_committed_and_why_others_are_not(operator: Client, waiting: Transfer) -> None:
    report(ask(waiting, 1, 2, 3, 4), 1, failed=[(2, 0x0122), (3, None)])

    words = said(operator, waiting)

    assert "Answered: 1 committed, 2 not committed, 1 not mentioned." in words
    assert "1 with 0x0122 : The archive does not offer storage commitment for this SOP class." in words
    assert "1: The archive gives no reason." in words


def test_once_all_is_committed_there_is_nothing_to_ask(operator: Client, waiting: Transfer) -> None:
    report(ask(waiting, 1, 2, 3, 4), 1, 2, 3, 4)

    words = said(operator, waiting)

    assert "Answered: 4 committed." in words
    assert "Ask again" not in words


def test_what_was_asked_earlier_stays_below_what_was_asked_anew(operator: Client, waiting: Transfer) -> None:
    ask(waiting, 1, 2, 3, 4, at=timezone.now() - timedelta(hours=2))
    commitments.weigh_what_is_left(timezone.now())
    waiting.refresh_from_db()
    report(ask(waiting, 1, 2, 3, 4), 1, 2, 3, 4)

    words = said(operator, waiting)

    assert words.index("Answered: 4 committed.") < words.index("Overdue: no report about 4 instances.")
    assert "Ask again" not in words


def test_reports_that_were_not_used_say_why(operator: Client, waiting: Transfer) -> None:
    request = ask(waiting, 1, 2, 3, 4)
    report(request, 1, 2, 3, 4, by="STRANGER")
    report(request, 99)

    words = said(operator, waiting)

    assert "Reports that were not used" in words
    assert "It came from another AE title than the one that was asked." in words
    assert "It names instances that were not asked about." in words


def test_a_request_that_was_not_taken_is_told_apart(waiting: Transfer) -> None:
    request = ask(waiting, 1, 2)
    CommitmentRequest.objects.filter(pk=request.pk).update(sent_at=None, closed_at=timezone.now())

    (asking,) = askings_of(waiting)

    assert (asking.not_taken, asking.waiting, asking.overdue) == (2, 0, 0)


def test_where_nobody_asked_there_is_no_clock(operator: Client, create: Create) -> None:
    assert "Storage commitment" not in said(operator, create())


def test_a_viewer_may_look_and_not_ask(viewer: Client, waiting: Transfer) -> None:
    ask(waiting, 1, 2, 3, 4, at=timezone.now() - timedelta(hours=2))
    commitments.weigh_what_is_left(timezone.now())

    assert "Ask again" not in said(viewer, waiting)
    assert viewer.post(f"/transfers/{waiting.public_id}/ask-to-commit/").status_code == 403


def test_the_button_has_it_asked_again(operator: Client, waiting: Transfer) -> None:
    ask(waiting, 1, 2, 3, 4, at=timezone.now() - timedelta(hours=2))
    commitments.weigh_what_is_left(timezone.now())

    operator.post(f"/transfers/{waiting.public_id}/ask-to-commit/")

    waiting.refresh_from_db()
    assert (waiting.state, waiting.purpose, waiting.asks_commitment) == ("queued", "verify", True)


def test_a_destination_that_does_not_offer_it_is_not_asked(operator: Client, waiting: Transfer) -> None:
    Destination.objects.update(offers_commitment=False)

    answer = operator.post(f"/transfers/{waiting.public_id}/ask-to-commit/", follow=True)

    assert "not set to offer Storage Commitment" in words_of(answer)
    waiting.refresh_from_db()
    assert waiting.state == State.AWAITING_COMMITMENT
