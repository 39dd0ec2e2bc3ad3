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


@pytest.mark.parametrize("worker", [None, ""], ids=["held", "waiting"])
def test_what_somebody_works_on_is_not_queued_again(create: Create, worker: str | None) -> None:
    transfer = create(worker)

    with pytest.raises(queue.TransferIsHeld):
        services.retry(transfer)
    with pytest.raises(queue.TransferIsHeld):
        services.reverify(transfer, "presence")

    assert Transfer.objects.get().state == transfer.state


@pytest.mark.parametrize("state", [State.QUEUED, State.DRAFT])
def test_a_question_of_the_command_line_takes_nothing_that_is_still_to_be_sent(create: Create, state: State) -> None:
    transfer = create("")
    Transfer.objects.update(state=state)
    transfer.refresh_from_db()

    with pytest.raises(queue.TransferIsHeld):
        services.reverify(transfer, "presence", queue.this_process())

    transfer.refresh_from_db()
    assert (transfer.state, transfer.worker, transfer.sends) == (state, "", True)


def test_a_send_of_the_command_line_sends_what_was_meant_for_a_draft(create: Create) -> None:
    transfer = create()
    Transfer.objects.update(stops_before_sending=True)
    queue.move(transfer, State.FAILED)

    services.resume(transfer, queue.this_process(), verify="presence")

    assert not Transfer.objects.get().stops_before_sending


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


# Retry, seen beforehand


def test_what_a_retry_would_send_is_what_it_sends(create: Create) -> None:
    transfer = create()
    finish(transfer, i1=EvidenceKind.PRESENT, i2=REFUSED, i3=ACKNOWLEDGED)

    previewed = services.preview_retry(transfer)

    assert previewed == (2, 2_000)
    services.retry(transfer)
    assert numbers_to_send(transfer) == ["2", "3"]
    assert (transfer.state, transfer.is_in_background) == ("queued", True)


def test_nothing_is_previewed_while_a_transfer_runs_or_where_all_is_confirmed(create: Create) -> None:
    running, done = create(), create()
    finish(done, i1=EvidenceKind.PRESENT, i2=EvidenceKind.PRESENT, i3=EvidenceKind.PRESENT)

    assert services.preview_retry(running) == (0, 0)
    assert services.preview_retry(done) == (0, 0)


def test_a_retry_is_pending_again_in_lists(create: Create) -> None:
    transfer = create()
    finish(transfer, i1=EvidenceKind.PRESENT, i2=REFUSED, i3=ACKNOWLEDGED)
    assert Transfer.objects.get().verdict == "partial"

    services.retry(transfer)

    assert Transfer.objects.get().verdict == transfer.audit.verdict == "pending"


# Cancel


def test_a_queued_transfer_is_cancelled_at_once_and_judged(create: Create) -> None:
    transfer = create(worker="")

    services.cancel(transfer, by="operator")

    transfer.refresh_from_db()
    assert (transfer.state, transfer.verdict) == ("cancelled", "nothing-stored")
    assert transfer.audit.is_sealed
    assert transfer.audit.reason == (
        "Nothing was sent by this transfer; what was there before was not asked (Cancelled before it was sent)."
    )
    assert transfer.events.get(name="cancel_requested").detail == {"by": "operator"}


def test_an_interrupted_transfer_that_is_cancelled_keeps_what_was_answered(create: Create) -> None:
    transfer = create()
    observe(transfer, i1=ACKNOWLEDGED)
    for state in (State.PREPARING, State.INTERRUPTED):
        queue.move(transfer, state)

    services.cancel(transfer)

    assert transfer.audit.verdict == "partial"
    assert transfer.audit.tally["acknowledged"] == 1


def test_a_transfer_that_runs_is_asked_to_end_and_left_to_its_process(create: Create) -> None:
    transfer = create()

    services.cancel(transfer)
    services.cancel(Transfer.objects.get())

    transfer.refresh_from_db()
    assert transfer.state == "claimed"
    assert transfer.cancel_requested_at is not None
    assert transfer.events.filter(name="cancel_requested").count() == 1


def test_what_has_ended_cannot_be_cancelled(create: Create) -> None:
    transfer = create()
    finish(transfer, i1=EvidenceKind.PRESENT)

    with pytest.raises(services.NothingToCancel, match="ended already"):
        services.cancel(transfer)


def test_a_cancelled_transfer_can_be_sent_after_all(create: Create) -> None:
    transfer = create(worker="")
    services.cancel(transfer)

    services.retry(transfer)

    assert (transfer.state, transfer.cancel_requested_at) == ("queued", None)
    assert numbers_to_send(transfer) == ["1", "2", "3"]


def test_the_revision_only_grows(create: Create) -> None:
    transfer = create()
    seen = [transfer.live_revision]
    for change in (
        lambda: observe(transfer, i1=ACKNOWLEDGED),
        lambda: finish(transfer, i2=REFUSED),
        lambda: services.retry(transfer),
        lambda: observe(transfer, i2=ACKNOWLEDGED),
    ):
        change()
        seen.append(Transfer.objects.get(pk=transfer.pk).live_revision)

    assert seen == sorted(set(seen))
