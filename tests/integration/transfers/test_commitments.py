"""Whole transfers to archives that report on storage commitment, rightly or not."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from audit.ledger import Ledger
from audit.observations import EvidenceKind, Observation
from tests.commands import Outcome, destination_for, run, send, uids_of
from tests.datasets import write_study
from tests.fakes.acts import Abort, Answer
from tests.fakes.commitment import (
    STORAGE_COMMITMENT,
    Delivery,
    Over,
    Rewrite,
    all_failed,
    dropping,
    empty,
    lying,
    of_event_type,
    of_transaction,
    omitting,
    repeated,
    silent,
    under_sop_class,
    with_foreign,
)
from tests.fakes.fixtures import MakeArchive
from tests.fakes.script import Script
from tests.peers.process import free_port
from transfers import commitment_requests, commitments, services
from transfers.models import CommitmentReport, CommitmentRequest, Destination, Transfer
from transfers.states import State
from transfers.wire import commitment

pytestmark = pytest.mark.django_db(transaction=True)

IMPATIENT = "commitment_timeout_seconds=1"


@pytest.fixture(autouse=True)
def port(settings: Settings) -> int:
    """Where our listener is."""
    settings.DICOM_PORT = free_port()
    settings.LISTENER_HOST = "127.0.0.1"
    return int(settings.DICOM_PORT)


@pytest.fixture
def asked(archive: MakeArchive, folder: Path, port: int) -> Callable[..., Outcome]:
    """Send four instances to an archive with this script, and ask it to commit."""

    def asked(*arguments: str, **script: Any) -> Outcome:
        peer = archive(Script(**({"reports_to": port} | script)))
        write_study(folder, 4)
        return send(destination_for(peer, offers_commitment=True), str(folder), *arguments)

    return asked


def kinds_of(outcome: Outcome) -> Counter[str]:
    """Of the evidence of commitment."""
    evidence = (each["kind"] for instance in outcome.transfer["instances"] for each in instance["evidence"])
    return Counter(kind for kind in evidence if kind.startswith("commit") or kind == "not-mentioned")


@pytest.mark.parametrize(
    "delivery",
    [
        Delivery(),
        Delivery(role=None),
        Delivery(role=(True, True)),
        Delivery(over=Over.SAME_ASSOCIATION),
        Delivery(over=Over.BEFORE_THE_ANSWER),
        Delivery(over=Over.NEW_ASSOCIATION_BEFORE_THE_ANSWER),
    ],
    ids=lambda delivery: f"{delivery.over} {delivery.role}",
)
def test_what_is_reported_as_committed_is_proved(asked: Callable[..., Outcome], delivery: Delivery) -> None:
    outcome = asked("--verify", "none", delivery=delivery)

    assert (outcome.exit_code, outcome.transfer["method"]) == (0, "c-store-commitment")
    assert (outcome.transfer["verdict"], outcome.transfer["proof"]) == ("committed", "committed")
    assert kinds_of(outcome) == {"committed": 4}
    assert Transfer.objects.get().state == State.FINISHED


def test_the_request_is_written_down_before_it_is_sent(
    asked: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = []

    def spy(association: Any, transaction_uid: str, references: Any, keep: Any) -> None:
        known.append(CommitmentRequest.objects.filter(transaction_uid=transaction_uid, sent_at=None).exists())
        commitment.request_commitment(association, transaction_uid, references, keep)

    monkeypatch.setattr(commitment_requests, "request_commitment", spy)

    assert asked("--verify", "none").exit_code == 0
    assert known == [True]


def test_many_instances_are_asked_about_in_batches(archive: MakeArchive, folder: Path, port: int) -> None:
    peer = archive(Script(reports_to=port))
    write_study(folder, 5)

    outcome = send(destination_for(peer, offers_commitment=True, commitment_batch_size=2), folder, "--verify", "none")

    assert (outcome.exit_code, outcome.transfer["proof"]) == (0, "committed")
    assert [len(request.references) for request in peer.log.commitments] == [2, 2, 1]
    assert len({request.association for request in peer.log.commitments}) == 1
    assert len({request.transaction_uid for request in peer.log.commitments}) == 3


def test_an_extra_commitment_can_be_asked_with_plain_c_store(archive: MakeArchive, folder: Path, port: int) -> None:
    peer = archive(Script(reports_to=port))
    write_study(folder, 2)

    outcome = send(destination_for(peer), folder, "--method", "c-store", "--commitment", "--verify", "none")

    assert (outcome.exit_code, outcome.transfer["method"], outcome.transfer["proof"]) == (0, "c-store", "committed")


@pytest.mark.parametrize("reason", [0x0112, 0x0119])
def test_a_denial_of_what_is_not_listed_refutes(asked: Callable[..., Outcome], folder: Path, reason: int) -> None:
    outcome = asked("--verify", "none", reports=all_failed(reason))

    assert (outcome.exit_code, outcome.transfer["verdict"]) == (4, "nothing-stored")
    assert kinds_of(outcome) == {"commitment-refused": 4}
    assert "denied by storage commitment" in outcome.transfer["reason"]


def test_a_denial_of_what_is_listed_is_a_contradiction(archive: MakeArchive, folder: Path, port: int) -> None:
    paths = write_study(folder, 4)
    denied = uids_of(paths)[1]
    peer = archive(Script(reports_to=port, reports=dropping(denied)))

    outcome = send(destination_for(peer, offers_commitment=True), folder)

    assert (outcome.exit_code, outcome.transfer["verdict"]) == (5, "unverifiable")
    assert outcome.verdicts[denied] == "unproven"
    assert "contradict" in outcome.transfer["reason"]
    assert Transfer.objects.get().audit.instances.get(is_contradiction=True).sop_instance_uid == denied


def test_a_lying_commitment_is_caught_by_presence(archive: MakeArchive, folder: Path, port: int) -> None:
    paths = write_study(folder, 4)
    dropped = uids_of(paths)[2]
    peer = archive(Script(reports_to=port, reports=lying, on_store={dropped: Answer(0x0000, stores=False)}))

    outcome = send(destination_for(peer, offers_commitment=True), folder)

    assert (outcome.exit_code, outcome.transfer["verdict"]) == (3, "partial")
    assert outcome.verdicts[dropped] == "refuted"
    assert "contradict" in outcome.transfer["reason"]


@pytest.mark.parametrize("reason", [0x0110, 0x0122, 0x0213, 0x9999, None])
def test_any_other_reason_only_says_that_it_does_not_commit(asked: Callable[..., Outcome], reason: int | None) -> None:
    outcome = asked(reports=all_failed(reason))

    assert (outcome.exit_code, outcome.transfer["proof"]) == (0, "present")
    assert kinds_of(outcome) == {"commitment-failed": 4}
    said = next(e for e in outcome.transfer["instances"][0]["evidence"] if e["kind"] == "commitment-failed")
    assert "does not say that it does not hold" in said["detail"]["reason"]


@pytest.mark.parametrize(
    ("reports", "kinds"),
    [
        (empty, {"not-mentioned": 4}),
        (of_event_type(2), {"committed": 4}),
        (under_sop_class("1.2.840.10008.5.1.4.1.1.7"), {"commitment-failed": 4}),
    ],
    ids=["empty success", "wrong event type", "other SOP class"],
)
def test_the_lists_count_and_not_the_event_type(
    asked: Callable[..., Outcome], reports: Rewrite, kinds: dict[str, int]
) -> None:
    outcome = asked("--verify", "none", reports=reports)

    assert kinds_of(outcome) == kinds
    assert outcome.transfer["verdict"] == ("committed" if kinds == {"committed": 4} else "unverifiable")


def test_what_is_omitted_is_not_mentioned_and_not_proved(archive: MakeArchive, folder: Path, port: int) -> None:
    paths = write_study(folder, 4)
    omitted = uids_of(paths)[0]
    peer = archive(Script(reports_to=port, reports=omitting(omitted)))

    outcome = send(destination_for(peer, offers_commitment=True), folder, "--verify", "none")

    assert (outcome.exit_code, outcome.transfer["verdict"]) == (5, "unverifiable")
    assert kinds_of(outcome) == {"committed": 3, "not-mentioned": 1}
    assert outcome.verdicts[omitted] == "unproven"


@pytest.mark.parametrize(
    "script",
    [
        {"reports": silent},
        {"reports": of_transaction("2.25.1")},
        {"reports": with_foreign("1.2.3.4")},
        {"delivery": Delivery(calling_ae_title="SOMEBODY")},
        {"delivery": Delivery(delay_seconds=30)},
    ],
    ids=["silent", "other transaction", "foreign instances", "wrong AE title", "late"],
)
def test_without_a_report_in_time_it_is_overdue_and_proves_nothing(
    asked: Callable[..., Outcome], script: dict[str, Any]
) -> None:
    outcome = asked("--verify", "none", "--option", IMPATIENT, **script)

    assert (outcome.exit_code, outcome.transfer["verdict"]) == (5, "unverifiable")
    assert kinds_of(outcome) == {"commitment-overdue": 4}
    assert CommitmentRequest.objects.get().is_overdue
    assert not CommitmentReport.objects.filter(orphaned_because="").exists()


@pytest.mark.parametrize(
    ("script", "because"),
    [
        ({"reports": of_transaction("2.25.1")}, commitments.UNKNOWN_TRANSACTION),
        ({"reports": with_foreign("1.2.3.4")}, commitments.FOREIGN_INSTANCES),
    ],
    ids=["other transaction", "foreign instances"],
)
def test_a_report_that_answers_nothing_is_kept_as_an_orphan(
    asked: Callable[..., Outcome], script: dict[str, Any], because: str
) -> None:
    asked("--verify", "none", "--option", IMPATIENT, **script)

    assert CommitmentReport.objects.get().orphaned_because == because


def test_a_report_from_another_archive_is_an_orphan(asked: Callable[..., Outcome], folder: Path) -> None:
    Destination.objects.create(name="other", host="127.0.0.1", port=1, called_ae_title="OTHER")

    outcome = asked("--verify", "none", "--option", IMPATIENT, delivery=Delivery(calling_ae_title="OTHER"))

    assert outcome.transfer["verdict"] == "unverifiable"
    assert CommitmentReport.objects.get().orphaned_because == commitments.WRONG_AE_TITLE


@pytest.mark.parametrize(
    "script",
    [
        {"on_commitment": Answer(0x0122)},
        {"on_commitment": Answer(0x0112)},
        {"without_sop_classes": [STORAGE_COMMITMENT]},
    ],
    ids=["0x0122", "0x0112", "not offered"],
)
def test_who_does_not_take_the_request_is_sent_to_all_the_same(
    asked: Callable[..., Outcome], script: dict[str, Any]
) -> None:
    outcome = asked(**script)

    assert (outcome.exit_code, outcome.transfer["proof"]) == (0, "present")
    assert kinds_of(outcome) == {"commitment-failed": 4}
    assert Transfer.objects.get().state == State.FINISHED


def test_a_report_counts_though_the_request_was_aborted(asked: Callable[..., Outcome]) -> None:
    outcome = asked("--verify", "none", on_commitment=Abort(stores=True))

    assert kinds_of(outcome)["committed"] >= 4


def test_a_repeated_report_changes_nothing(asked: Callable[..., Outcome]) -> None:
    outcome = asked(reports=repeated(3), delivery=Delivery(over=Over.SAME_ASSOCIATION))

    assert outcome.transfer["verdict"] == "committed"
    assert kinds_of(outcome) == {"committed": 4}
    orphans = CommitmentReport.objects.exclude(orphaned_because="").values_list("orphaned_because", flat=True)
    assert set(orphans) <= {commitments.REPEATED}


def test_a_second_report_that_denies_puts_in_doubt_what_the_first_committed(create: Callable[..., Transfer]) -> None:
    transfer = waiting(create())

    report_on(transfer, all_committed=True)
    report_on(transfer, all_committed=False)
    transfer.refresh_from_db()

    assert transfer.verdict != "committed"


def test_a_late_report_still_counts_in_an_audit_of_its_own(asked: Callable[..., Outcome]) -> None:
    outcome = asked("--verify", "none", "--option", IMPATIENT, reports=silent)
    before = Transfer.objects.get()

    report_on(before, all_committed=True)
    transfer = Transfer.objects.get()

    assert (outcome.transfer["verdict"], transfer.verdict) == ("unverifiable", "committed")
    assert (transfer.audit.continues, transfer.state) == (before.audit, State.FINISHED)
    assert before.audit.verdict == "unverifiable"
    assert not CommitmentRequest.objects.get().is_overdue


def test_a_late_denial_takes_back_what_was_committed(asked: Callable[..., Outcome]) -> None:
    asked("--option", IMPATIENT, reports=silent)
    assert Transfer.objects.get().verdict == "committed"

    report_on(Transfer.objects.get(), all_committed=False)

    assert Transfer.objects.get().verdict == "unverifiable"  # it is listed, and denied


def test_a_late_answer_to_an_old_question_does_not_overrule_the_newer_one(
    archive: MakeArchive, folder: Path, port: int
) -> None:
    peer = archive(Script(reports_to=port, reports=silent))
    write_study(folder, 2)
    sent = send(destination_for(peer, offers_commitment=True), folder, "--verify", "none", "--option", IMPATIENT)
    old = CommitmentRequest.objects.get()
    peer.script.reports = None

    again = run("verify", sent.transfer["id"], "--commitment", "--verify", "presence", "--json")
    report_on(Transfer.objects.get(), all_committed=False, request=old)

    assert (sent.transfer["verdict"], again.transfer["verdict"]) == ("unverifiable", "committed")
    assert Transfer.objects.get().verdict == "committed"


def test_waiting_holds_nobody_and_ends_when_the_report_comes(create: Callable[..., Transfer]) -> None:
    transfer = waiting(create())

    report_on(transfer, all_committed=True)
    transfer.refresh_from_db()

    assert (transfer.state, transfer.worker, transfer.audit.is_sealed) == (State.FINISHED, "", True)


def test_waiting_ends_when_the_report_is_overdue(create: Callable[..., Transfer]) -> None:
    transfer = waiting(create())

    commitments.weigh_what_is_left(timezone.now() + timedelta(seconds=50))
    transfer.refresh_from_db()
    assert transfer.state == State.AWAITING_COMMITMENT

    commitments.weigh_what_is_left(timezone.now() + timedelta(seconds=70))
    transfer.refresh_from_db()
    assert transfer.state == State.FINISHED
    assert CommitmentRequest.objects.get().is_overdue


def test_a_report_that_comes_while_a_process_holds_the_transfer_is_weighed_by_that_or_later(
    create: Callable[..., Transfer],
) -> None:
    transfer = waiting(create())
    Transfer.objects.update(state=State.VERIFYING, worker="elsewhere/1/1", lease_until=timezone.now())

    report_on(transfer, all_committed=True)
    assert CommitmentReport.objects.get().weighed_at is None

    Transfer.objects.update(state=State.AWAITING_COMMITMENT, worker="", lease_until=None)
    commitments.weigh_what_is_left(timezone.now())
    transfer.refresh_from_db()
    assert transfer.state == State.FINISHED
    assert CommitmentReport.objects.get().weighed_at is not None


def test_a_waiting_transfer_can_be_cancelled_and_judged(create: Callable[..., Transfer]) -> None:
    transfer = waiting(create())

    services.cancel(transfer, by="somebody")
    report_on(transfer, all_committed=True)
    transfer.refresh_from_db()

    assert (transfer.state, transfer.verdict) == (State.CANCELLED, "committed")


def test_a_run_that_broke_off_does_not_ask_again_what_may_still_be_reported(
    archive: MakeArchive, folder: Path, port: int
) -> None:
    peer = archive(Script(reports=silent))
    write_study(folder, 2)
    destination = destination_for(peer, offers_commitment=True)
    stopped = Thread(target=stop_once_it_waits)
    stopped.start()
    first = send(destination, folder, "--verify", "none")
    stopped.join()
    assert (first.exit_code, Transfer.objects.get().state) == (130, State.AWAITING_COMMITMENT)

    reporter = Thread(target=report_once_it_waits, args=[Transfer.objects.get().audit.revision])
    reporter.start()
    second = send(destination, folder, "--verify", "none")
    reporter.join()

    assert (second.exit_code, second.transfer["id"]) == (0, first.transfer["id"])
    assert len(peer.log.commitments) == 1


def stop_once_it_waits() -> None:
    """As somebody who presses Ctrl-C."""
    until(lambda: Transfer.objects.filter(state=State.AWAITING_COMMITMENT).exists())
    os.kill(os.getpid(), signal.SIGINT)


def report_once_it_waits(since: int) -> None:
    until(
        lambda: (
            Transfer.objects.filter(state=State.AWAITING_COMMITMENT, audit__revision__gt=since).exists()
            or Transfer.objects.filter(events__name="resumed", state=State.AWAITING_COMMITMENT).exists()
        )
    )
    report_on(Transfer.objects.get(), all_committed=True)
    connection.close()


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.05)
    connection.close()


def waiting(transfer: Transfer, transaction_uid: str = "2.25.77") -> Transfer:
    """As the runner leaves a transfer that was sent and acknowledged, a minute before the report is due."""
    ledger = Ledger(transfer.audit)
    ledger.begin_round()
    uids = list(transfer.audit.instances.values_list("sop_instance_uid", flat=True))
    for uid in uids:
        ledger.record(Observation(uid, EvidenceKind.ACKNOWLEDGED, timezone.now()))
    CommitmentRequest.objects.create(
        transfer=transfer,
        transaction_uid=transaction_uid,
        round=ledger.begin_round(),
        sop_instance_uids=uids,
        called_ae_title=transfer.destination.called_ae_title,
        created_at=timezone.now(),
        sent_at=timezone.now(),
        due_at=timezone.now() + timedelta(seconds=60),
    )
    Transfer.objects.filter(pk=transfer.pk).update(state=State.AWAITING_COMMITMENT, worker="", lease_until=None)
    transfer.refresh_from_db()
    return transfer


def report_on(transfer: Transfer, *, all_committed: bool, request: CommitmentRequest | None = None) -> None:
    """A report to the listener, about all that was asked in the transfer's last request."""
    request = request or transfer.commitment_requests.last()
    assert request is not None
    classes = dict(transfer.audit.instances.values_list("sop_instance_uid", "sop_class_uid"))
    asked = [(classes[uid], uid) for uid in request.sop_instance_uids]
    report = commitment.CommitmentReport(
        transaction_uid=request.transaction_uid,
        event_type_id=1 if all_committed else 2,
        committed=tuple(commitment.Reference(*each) for each in asked) if all_committed else (),
        failed=() if all_committed else tuple(commitment.FailedReference(*each, 0x0112) for each in asked),
    )
    commitments.keep_report(report, calling_ae_title=request.called_ae_title)
