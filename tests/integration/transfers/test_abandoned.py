"""What a process that died while sending may have sent is never called "not sent", and nothing else is in doubt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from django.utils import timezone

from audit.ledger import Ledger
from audit.models import Evidence
from audit.observations import EvidenceKind, Observation
from transfers import queue, services
from transfers.abandoned import end_abandoned_attempts
from transfers.models import Attempt, Transfer
from transfers.states import State

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("whole_ledger")]

Create = Callable[..., Transfer]
LOST: Mapping[str, Any] = {"code": "association_lost", "reason": "Too many associations were lost"}
HELD_BACK: Mapping[str, Any] = {"code": "no_presentation_context", "reason": "Not accepted"}


def attempt(transfer: Transfer, ledger: Ledger, *, is_ended: bool) -> None:
    now = timezone.now()
    Attempt.objects.create(
        transfer=transfer,
        round=ledger.begin_round(),
        instances=3,
        size_bytes=3,
        started_at=now,
        ended_at=now if is_ended else None,
    )


def observe(ledger: Ledger, kind: EvidenceKind, *numbers: int, detail: Mapping[str, Any] | None = None) -> None:
    for number in numbers:
        ledger.record(Observation(f"2.25.1.{number}", kind, timezone.now(), dict(detail or {})))
    ledger.flush()


def said_to_have_ended() -> list[str]:
    rows = Evidence.objects.filter(kind="no-answer", detail__code="process_ended")
    return sorted(uid.rpartition(".")[2] for uid in rows.values_list("instance__sop_instance_uid", flat=True))


def test_what_has_no_answer_and_was_not_held_back_may_have_been_sent(create: Create) -> None:
    transfer = create()
    ledger = Ledger(transfer.audit)
    ledger.begin_round()
    observe(ledger, EvidenceKind.NOT_SENT, 2, detail=HELD_BACK)
    attempt(transfer, ledger, is_ended=False)
    observe(ledger, EvidenceKind.ACKNOWLEDGED, 1)

    end_abandoned_attempts(transfer, ledger)

    assert said_to_have_ended() == ["3"]
    assert not transfer.attempts.filter(ended_at__isnull=True).exists()


def test_what_an_earlier_attempt_never_came_to_may_have_been_sent_by_the_one_that_died(create: Create) -> None:
    transfer = create()
    ledger = Ledger(transfer.audit)
    attempt(transfer, ledger, is_ended=True)
    observe(ledger, EvidenceKind.NOT_SENT, 1, 2, detail=LOST)
    observe(ledger, EvidenceKind.ANSWER_UNCLEAR, 3)
    attempt(transfer, ledger, is_ended=False)

    end_abandoned_attempts(transfer, ledger)

    assert said_to_have_ended() == ["1", "2", "3"]


def test_a_retry_that_died_leaves_what_it_never_set_out_to_send_as_it_was(create: Create) -> None:
    transfer = create()
    ledger = Ledger(transfer.audit)
    attempt(transfer, ledger, is_ended=True)
    observe(ledger, EvidenceKind.ACKNOWLEDGED, 1, 2)
    observe(ledger, EvidenceKind.NO_ANSWER, 3)
    ledger.begin_round()
    observe(ledger, EvidenceKind.PRESENT, 1, 2)
    observe(ledger, EvidenceKind.ABSENT, 3)
    ledger.close()
    for state in (State.PREPARING, State.PREFLIGHT, State.FINISHED):
        queue.move(transfer, state)
    services.retry(transfer)
    ledger = Ledger(transfer.audit)
    attempt(transfer, ledger, is_ended=False)

    end_abandoned_attempts(transfer, ledger)
    ledger.close()

    verdicts = transfer.audit.instances.order_by("position").values_list("verdict", flat=True)
    assert said_to_have_ended() == ["3"]
    assert list(verdicts) == ["confirmed", "confirmed", "unproven"]  # the third it may have sent


def test_what_is_cancelled_after_a_process_died_over_it_is_not_called_not_sent(create: Create) -> None:
    transfer = create()
    ledger = Ledger(transfer.audit)
    attempt(transfer, ledger, is_ended=False)
    observe(ledger, EvidenceKind.ACKNOWLEDGED, 1)
    queue.move(transfer, State.INTERRUPTED)

    services.cancel(transfer)

    verdicts = transfer.audit.instances.order_by("position").values_list("verdict", "ground")
    assert said_to_have_ended() == ["2", "3"]
    assert list(verdicts) == [("unproven", "acknowledged-only"), ("unproven", "no-answer"), ("unproven", "no-answer")]
    assert (transfer.state, transfer.verdict) == ("cancelled", "unverifiable")
