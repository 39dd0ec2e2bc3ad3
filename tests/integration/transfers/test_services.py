"""The intents: create, resume, retry, ask again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from django.utils import timezone

from audit.entries import StudyManifest
from audit.ledger import Ledger
from audit.observations import EvidenceKind, Observation
from tests.manifests import study
from transfers import queue, services
from transfers.models import Destination, Transfer
from transfers.selection import instances_to_send, uids_begun
from transfers.states import State

pytestmark = pytest.mark.django_db

Create = Callable[..., Transfer]
ACKNOWLEDGED, REFUSED, SENT = EvidenceKind.ACKNOWLEDGED, EvidenceKind.REFUSED, EvidenceKind.SENT


def observe(transfer: Transfer, **evidence: EvidenceKind) -> Ledger:
    """`observe(transfer, i1=SENT)`: one round with evidence about instance 1. What is listed was acknowledged."""
    ledger = Ledger(transfer.audit)
    ledger.begin_round()
    for name, kind in evidence.items():
        for each in [ACKNOWLEDGED, kind] if kind is EvidenceKind.PRESENT else [kind]:
            ledger.record(Observation(f"2.25.1.{name[1:]}", each, timezone.now()))
    ledger.flush()
    return ledger


def finish(transfer: Transfer, **evidence: EvidenceKind) -> None:
    observe(transfer, **evidence).close()
    for state in (State.PREPARING, State.PREFLIGHT, State.FINISHED):
        queue.move(transfer, state)


def numbers_to_send(transfer: Transfer) -> list[str]:
    return [instance.sop_instance_uid.rpartition(".")[2] for instance in instances_to_send(transfer.audit)]


def test_a_new_transfer_has_a_row_an_instance_and_is_to_be_sent_whole(create: Create) -> None:
    transfer = create(worker="")

    assert transfer.state == "queued"
    assert numbers_to_send(transfer) == ["1", "2", "3"]


def test_a_resumed_transfer_sends_what_has_no_answer(create: Create) -> None:
    transfer = create()
    observe(transfer, i1=ACKNOWLEDGED, i2=SENT)

    assert numbers_to_send(transfer) == ["2", "3"]
    assert uids_begun(transfer.audit) == {"2.25.1.1", "2.25.1.2"}


def test_a_resumed_transfer_does_not_send_what_was_refused(create: Create) -> None:
    transfer = create()
    observe(transfer, i1=REFUSED)

    assert numbers_to_send(transfer) == ["2", "3"]


def test_a_retry_sends_what_is_refuted_or_unproven_and_nothing_else(create: Create) -> None:
    transfer = create()
    finish(transfer, i1=EvidenceKind.PRESENT, i2=REFUSED, i3=ACKNOWLEDGED)

    services.retry(transfer, queue.this_process())

    assert numbers_to_send(transfer) == ["2", "3"]
    assert transfer.audit.continues is not None
    assert (transfer.state, transfer.sends) == ("claimed", True)


def test_a_retry_of_a_committed_transfer_is_refused(create: Create) -> None:
    transfer = create(instances=1)
    finish(transfer, i1=EvidenceKind.PRESENT)

    with pytest.raises(services.NothingToRetry):
        services.retry(transfer)


def test_asking_again_sends_nothing_and_keeps_the_audit_before(create: Create) -> None:
    transfer = create()
    finish(transfer, i1=ACKNOWLEDGED)
    before = transfer.audit

    services.reverify(transfer, "presence")

    assert (transfer.state, transfer.sends) == ("queued", False)
    assert [audit.pk for audit in transfer.audit.chain()] == [transfer.audit.pk, before.pk]


def unfinished(destination: Destination, manifest: StudyManifest) -> Transfer | None:
    return services.find_unfinished(manifest, destination=destination, method="c-store")


def test_the_same_files_find_their_interrupted_transfer(create: Create, destination: Destination) -> None:
    transfer = create()
    queue.move(transfer, State.INTERRUPTED)

    assert unfinished(destination, study()) == transfer


def test_a_finished_transfer_is_never_taken_up_by_a_new_send(create: Create, destination: Destination) -> None:
    finish(create())

    assert unfinished(destination, study()) is None


def test_an_interrupted_question_is_no_unfinished_send(create: Create, destination: Destination) -> None:
    transfer = create()
    finish(transfer)
    services.reverify(transfer, "presence", queue.this_process())
    queue.move(transfer, State.INTERRUPTED)

    assert unfinished(destination, study()) is None


def test_a_file_touched_since_makes_a_new_transfer(create: Create, destination: Destination) -> None:
    queue.move(create(), State.INTERRUPTED)
    first, *others = study().entries
    touched = StudyManifest("2.25.1", (replace(first, modified_ns=2), *others))

    assert unfinished(destination, touched) is None


def test_a_transfer_that_somebody_works_on_is_not_resumed(create: Create) -> None:
    transfer = create()

    with pytest.raises(queue.TransferIsHeld):
        services.resume(transfer, "other", verify="none")
