"""Ways by which a report of storage commitment could make more of a transfer than there is, or get lost."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from threading import Barrier, Thread

import pytest
from django.db import connection
from django.utils import timezone

from audit.ledger import Ledger
from audit.models import Evidence
from audit.observations import EvidenceKind, Observation
from tests.integration.transfers.test_commitments import report_on, waiting
from transfers import commitments, ending, queue, runner, services
from transfers.models import CommitmentReport, CommitmentRequest, Transfer
from transfers.queue import this_process
from transfers.run import Run
from transfers.runner import run_transfer
from transfers.states import State
from transfers.wire import commitment
from transfers.wire.commitment import FailedReference, Reference

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("whole_ledger")]

OTHER_CLASS = "1.2.840.10008.5.1.4.1.1.7"


def classes_of(transfer: Transfer) -> dict[str, str]:
    return dict(transfer.audit.instances.values_list("sop_instance_uid", "sop_class_uid"))


def observe(transfer: Transfer, kind: EvidenceKind) -> None:
    """Of all instances, in a round of its own."""
    ledger = Ledger(transfer.audit)
    ledger.begin_round()
    for uid in classes_of(transfer):
        ledger.record(Observation(uid, kind, timezone.now()))
    ledger.flush()


def bring(transfer: Transfer, committed: Sequence[Reference] = (), failed: Sequence[FailedReference] = ()) -> None:
    report = commitment.CommitmentReport("2.25.77", 2 if failed else 1, tuple(committed), tuple(failed))
    commitments.keep_report(report, calling_ae_title=transfer.destination.called_ae_title)
    transfer.refresh_from_db()


@pytest.mark.parametrize("reasons", [(0x0112, 0x0110), (0x0110, 0x0112)], ids=["denied first", "denied last"])
def test_what_a_report_lists_twice_as_failed_is_denied_by_either(
    create: Callable[..., Transfer], reasons: Sequence[int]
) -> None:
    transfer = waiting(create())
    observe(transfer, EvidenceKind.PRESENT)

    bring(
        transfer,
        failed=[FailedReference(of, uid, each) for uid, of in classes_of(transfer).items() for each in reasons],
    )

    assert transfer.verdict == "unverifiable"


@pytest.mark.parametrize("is_turned", [False, True], ids=["right first", "right last"])
def test_what_a_report_commits_under_two_sop_classes_is_not_committed(
    create: Callable[..., Transfer], *, is_turned: bool
) -> None:
    transfer = waiting(create())
    both = [[Reference(of, uid), Reference(OTHER_CLASS, uid)] for uid, of in classes_of(transfer).items()]

    bring(transfer, committed=[each for pair in both for each in (pair[::-1] if is_turned else pair)])

    assert transfer.verdict == "unverifiable"


def test_a_denial_that_comes_after_the_reading_back_is_not_settled_by_it(create: Callable[..., Transfer]) -> None:
    transfer = waiting(create())
    observe(transfer, EvidenceKind.IDENTICAL)

    report_on(transfer, all_committed=False)
    transfer.refresh_from_db()

    assert transfer.verdict == "unverifiable"


def test_a_denial_that_came_before_the_reading_back_is_settled_by_it(create: Callable[..., Transfer]) -> None:
    transfer = waiting(create())
    queue.claim(transfer, this_process())
    report_on(transfer, all_committed=False)
    observe(transfer, EvidenceKind.IDENTICAL)
    queue.move(transfer, State.PREPARING)
    queue.move(transfer, State.AWAITING_COMMITMENT)

    commitments.weigh_what_is_left(timezone.now())
    transfer.refresh_from_db()

    assert (transfer.verdict, transfer.audit.proof) == ("committed", "identical")


@pytest.mark.parametrize("intent", [services.retry, lambda transfer: services.reverify(transfer, "presence")])
def test_what_was_reported_since_a_transfer_was_read_is_part_of_what_comes_next(
    create: Callable[..., Transfer], intent: Callable[[Transfer], None]
) -> None:
    transfer = waiting(create())
    commitments.weigh_what_is_left(timezone.now() + timedelta(seconds=70))
    read = Transfer.objects.select_related("audit").get()

    report_on(transfer, all_committed=False)
    intent(read)

    reported = Transfer.objects.get().audit.continues
    assert reported is not None
    assert reported.verdict == "nothing-stored"


def test_who_is_cancelled_in_the_last_moment_waits_for_no_report(
    create: Callable[..., Transfer], monkeypatch: pytest.MonkeyPatch
) -> None:
    transfer = waiting(create())
    Transfer.objects.update(purpose="verify", verify="none")
    queue.claim(transfer, this_process())
    close = runner.close

    def cancel_and_close(run: Run) -> None:
        services.cancel(Transfer.objects.get())
        close(run)

    monkeypatch.setattr(runner, "close", cancel_and_close)
    run_transfer(transfer)

    assert Transfer.objects.get().state == State.CANCELLED


def test_what_could_not_be_weighed_to_the_end_is_weighed_once(
    create: Callable[..., Transfer], monkeypatch: pytest.MonkeyPatch
) -> None:
    transfer = waiting(create())
    Transfer.objects.update(purpose="verify", verify="none")
    queue.claim(transfer, this_process())
    report_on(transfer, all_committed=True)
    with monkeypatch.context() as patch:
        patch.setattr(commitments, "_answer", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run_transfer(transfer)
    assert not Evidence.objects.filter(kind="committed").exists()

    commitments.weigh_what_is_left(timezone.now())

    assert Evidence.objects.filter(kind="committed").count() == 3


def test_a_transfer_that_cannot_be_weighed_keeps_no_other_from_it(
    create: Callable[..., Transfer], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = waiting(create()), waiting(create(), "2.25.78")
    end = ending.end

    def end_but_the_first(transfer: Transfer, ledger: Ledger) -> None:
        if transfer.pk == first.pk:
            raise RuntimeError("an error of ours")
        end(transfer, ledger)

    monkeypatch.setattr(ending, "end", end_but_the_first)
    with suppress(RuntimeError):
        commitments.weigh_what_is_left(timezone.now() + timedelta(seconds=70))
    first.refresh_from_db()
    second.refresh_from_db()

    assert (first.state, second.state) == (State.AWAITING_COMMITMENT, State.FINISHED)
    assert not CommitmentReport.objects.exists()
    assert CommitmentRequest.objects.filter(closed_at=None).count() == 1


@pytest.mark.parametrize("seed", range(8))
def test_reports_overdue_cancelled_and_taken_up_at_once_lose_nothing(
    create: Callable[..., Transfer], seed: int
) -> None:
    """Two listeners with the same report, one with another, a worker that closes what is overdue, and two people."""
    transfer = waiting(create())
    committed = [Reference(of, uid) for uid, of in classes_of(transfer).items()]
    failed = [FailedReference(*each, 0x0112) for each in committed]
    together = Barrier(6)
    wrong: list[BaseException] = []
    intent = random.Random(seed).choice([services.retry, lambda read: services.reverify(read, "presence")])

    def do(what: Callable[[Transfer], object]) -> None:
        read = Transfer.objects.get()
        together.wait()
        try:
            what(read)
        except (queue.TransferIsHeld, services.NothingToCancel, services.NothingToRetry):
            """Somebody else was first."""
        except BaseException as error:  # noqa: BLE001  told to the test
            wrong.append(error)
        finally:
            connection.close()

    threads = [
        Thread(target=do, args=[what])
        for what in (
            lambda read: bring(read, committed=committed),
            lambda read: bring(read, committed=committed),
            lambda read: bring(read, failed=failed),
            lambda _: commitments.weigh_what_is_left(timezone.now() + timedelta(seconds=70)),
            services.cancel,
            intent,
        )
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    commitments.weigh_what_is_left(timezone.now() + timedelta(seconds=70))

    transfer.refresh_from_db()
    assert wrong == []
    assert CommitmentReport.objects.count() == 3
    assert not CommitmentReport.objects.filter(weighed_at=None, orphaned_because="").exists()
    assert not CommitmentRequest.objects.filter(closed_at=None).exists()
    assert transfer.state in {State.FINISHED, State.CANCELLED, State.QUEUED}
    assert transfer.audit.is_sealed == (transfer.state != State.QUEUED)
    assert transfer.verdict != "committed"
    kinds = set(Evidence.objects.values_list("kind", flat=True))
    assert {"committed", "commitment-refused"} <= kinds
