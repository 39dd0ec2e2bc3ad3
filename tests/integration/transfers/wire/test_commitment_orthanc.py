"""Storage commitment with a real Orthanc, whose entry for us points at our listener."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Queue
from threading import Event
from typing import Any

import pytest
from pydicom.uid import MRImageStorage
from pynetdicom import AE

from tests.datasets import unique_uid, write_instance, write_study
from tests.entries import entries_of
from tests.fakes.requestor import Requestor
from tests.peers.orthanc import Orthanc
from tests.peers.process import free_port
from transfers.endpoints import DicomEndpoint
from transfers.errors import AssociationError
from transfers.wire import report_server
from transfers.wire.association import Association
from transfers.wire.commitment import (
    COMMITMENT_CONTEXT,
    STORAGE_COMMITMENT,
    CommitmentReport,
    FailedReference,
    Reference,
    await_reports,
    request_commitment,
)
from transfers.wire.report_server import ReceivedReport, ReportServer

SECONDS = 20.0
OUR_AE_TITLE = "TALLYMAN"
NO_SUCH_INSTANCE, CLASS_CONFLICT = 0x0112, 0x0119


class Mailbox:
    """Our listener's place, and what came to it."""

    def __init__(self) -> None:
        self.port = free_port()
        self.received: Queue[ReceivedReport] = Queue()

    def open(self) -> ReportServer:
        return ReportServer(self.received.put, host="127.0.0.1", port=self.port)

    def report_on(self, transaction_uid: str) -> ReceivedReport:
        received = self.received.get(timeout=SECONDS)
        assert received.report.transaction_uid == transaction_uid
        return received


@pytest.fixture(scope="module")
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture(scope="module")
def orthanc(mailbox: Mailbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """One that knows us, and keeps nothing in memory that it should look up on its disk."""
    us = (OUR_AE_TITLE, "127.0.0.1", mailbox.port)
    settings = {"MaximumStorageCacheSize": 0}
    folder = tmp_path_factory.mktemp("committing-orthanc")
    with Orthanc(folder, modalities={"us": us}, settings=settings) as peer:
        yield peer


@pytest.fixture
def listener(mailbox: Mailbox) -> Iterator[ReportServer]:
    with mailbox.open() as started:
        yield started


def stored(orthanc: Orthanc, *paths: Path) -> list[Reference]:
    entries = entries_of(paths)
    requestor = Requestor(orthanc, entries[0].sop_class_uid)
    requestor.associate()
    for path, entry in zip(paths, entries, strict=True):
        assert requestor.store(path, entry.sop_instance_uid) == 0x0000
    requestor.link.close()
    return [Reference(entry.sop_class_uid, entry.sop_instance_uid) for entry in entries]


@pytest.fixture
def study(orthanc: Orthanc, tmp_path: Path) -> list[Reference]:
    """Five instances that Orthanc has stored."""
    return stored(orthanc, *write_study(tmp_path, instances=5, size_bytes=512))


def ask(orthanc: Orthanc, references: list[Reference], calling_ae_title: str = OUR_AE_TITLE) -> str:
    """The Transaction UID of the request; Orthanc is given a moment to report over the same association."""
    transaction_uid = unique_uid()
    endpoint = DicomEndpoint(orthanc.host, orthanc.port, orthanc.ae_title, calling_ae_title)
    with Association.open(endpoint, [COMMITMENT_CONTEXT]) as association:
        request_commitment(association, transaction_uid, references)
        assert await_reports(association, 0.2, _never, Event()) == 0
    return transaction_uid


def _never(_: CommitmentReport) -> bool:
    raise AssertionError("Orthanc reports over an association of its own")


def test_a_whole_study_is_committed(
    orthanc: Orthanc, mailbox: Mailbox, listener: ReportServer, study: list[Reference]
) -> None:
    transaction_uid = ask(orthanc, study)

    received = mailbox.report_on(transaction_uid)
    assert (received.report.event_type_id, set(received.report.committed)) == (1, set(study))
    assert received.report.failed == ()
    assert (received.calling_ae_title, received.called_ae_title) == (orthanc.ae_title, OUR_AE_TITLE)


def test_an_instance_that_is_not_there_fails_alone(
    orthanc: Orthanc, mailbox: Mailbox, listener: ReportServer, study: list[Reference]
) -> None:
    missing = Reference(study[0].sop_class_uid, unique_uid())

    transaction_uid = ask(orthanc, [*study, missing])

    report = mailbox.report_on(transaction_uid).report
    assert (report.event_type_id, set(report.committed)) == (2, set(study))
    assert report.failed == (FailedReference(*missing, NO_SUCH_INSTANCE),)


def test_a_study_that_is_not_there_fails_as_a_whole(
    orthanc: Orthanc, mailbox: Mailbox, listener: ReportServer, study: list[Reference]
) -> None:
    missing = [Reference(study[0].sop_class_uid, unique_uid()) for _ in range(3)]

    transaction_uid = ask(orthanc, missing)

    report = mailbox.report_on(transaction_uid).report
    assert (report.committed, {failed.sop_instance_uid for failed in report.failed}) == (
        (),
        {each.sop_instance_uid for each in missing},
    )


def test_another_sop_class_is_a_conflict(
    orthanc: Orthanc, mailbox: Mailbox, listener: ReportServer, study: list[Reference]
) -> None:
    first, *others = study
    other_class = Reference(MRImageStorage, first.sop_instance_uid)

    transaction_uid = ask(orthanc, [other_class, *others])

    report = mailbox.report_on(transaction_uid).report
    assert set(report.committed) == set(others)
    assert report.failed == (FailedReference(*other_class, CLASS_CONFLICT),)


def test_a_file_that_is_gone_from_its_disk_is_found_out(
    orthanc: Orthanc, mailbox: Mailbox, listener: ReportServer, study: list[Reference]
) -> None:
    lost = study[2]
    file_of(orthanc, lost.sop_instance_uid).unlink()

    transaction_uid = ask(orthanc, study)

    report = mailbox.report_on(transaction_uid).report
    assert report.failed == (FailedReference(*lost, NO_SUCH_INSTANCE),)
    assert set(report.committed) == set(study) - {lost}
    assert lost.sop_instance_uid in orthanc.instances()  # its index lists it all the same


def test_the_same_uid_under_two_patients_is_ambiguous(
    orthanc: Orthanc, mailbox: Mailbox, listener: ReportServer, tmp_path: Path
) -> None:
    uid = unique_uid()
    first = write_instance(tmp_path, sop_instance_uid=uid, patient_id="ONE", name="one.dcm")
    second = write_instance(tmp_path, sop_instance_uid=uid, patient_id="TWO", name="two.dcm")
    references = stored(orthanc, first, second)

    transaction_uid = ask(orthanc, references[:1])

    report = mailbox.report_on(transaction_uid).report
    assert (report.committed, report.failed) == ((), (FailedReference(*references[0], NO_SUCH_INSTANCE),))


def test_a_listener_that_was_down_gets_the_report_once_orthanc_is_told_to_try_again(
    orthanc: Orthanc, mailbox: Mailbox, study: list[Reference]
) -> None:
    transaction_uid = ask(orthanc, study)
    job = job_of(orthanc, transaction_uid)

    with mailbox.open():
        with pytest.raises(Empty):
            mailbox.received.get(timeout=1.0)  # it does not try again by itself
        orthanc.rest(f"/jobs/{job}/resubmit", body={})
        report = mailbox.report_on(transaction_uid).report

    assert set(report.committed) == set(study)


def job_of(orthanc: Orthanc, transaction_uid: str) -> str:
    """The failed job of Orthanc that has this report to bring."""
    deadline = Event()
    for _ in range(int(SECONDS / 0.1)):
        for job in orthanc.rest("/jobs?expand"):
            if job["Content"].get("TransactionUid") == transaction_uid and job["State"] == "Failure":
                return str(job["ID"])
        deadline.wait(0.1)
    raise AssertionError(f"no failed job for {transaction_uid}: {orthanc.rest('/jobs?expand')}")


def test_a_report_that_was_not_kept_comes_again_when_orthanc_is_told_to(
    orthanc: Orthanc, mailbox: Mailbox, study: list[Reference]
) -> None:
    refused: list[ReceivedReport] = []

    def keep(received: ReceivedReport) -> bool:
        if not refused:
            refused.append(received)
            return False
        mailbox.received.put(received)
        return True

    with ReportServer(keep, host="127.0.0.1", port=mailbox.port):
        transaction_uid = ask(orthanc, study)
        job = job_of(orthanc, transaction_uid)
        orthanc.rest(f"/jobs/{job}/resubmit", body={})
        received = mailbox.report_on(transaction_uid)

    assert refused == [received]


def test_an_ae_title_that_orthanc_does_not_know_gets_no_answer(orthanc: Orthanc, study: list[Reference]) -> None:
    endpoint = DicomEndpoint(orthanc.host, orthanc.port, orthanc.ae_title, "STRANGER")

    with pytest.raises(AssociationError), Association.open(endpoint, [COMMITMENT_CONTEXT]) as association:
        request_commitment(association, unique_uid(), study)


ROLES: dict[str, Any] = {"none": (None, None), "scp": (False, True), "both": (True, True)}


@pytest.mark.parametrize("roles", ROLES.values(), ids=ROLES)
def test_orthanc_reports_whatever_of_these_roles_the_listener_takes(
    orthanc: Orthanc, mailbox: Mailbox, study: list[Reference], roles: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _take_roles(monkeypatch, *roles)

    with mailbox.open():
        transaction_uid = ask(orthanc, study)
        report = mailbox.report_on(transaction_uid).report

    assert set(report.committed) == set(study)


def test_orthanc_loses_the_report_where_it_may_only_be_the_scu(
    orthanc: Orthanc, mailbox: Mailbox, study: list[Reference], monkeypatch: pytest.MonkeyPatch
) -> None:
    _take_roles(monkeypatch, True, False)

    with mailbox.open():
        job_of(orthanc, ask(orthanc, study))

    assert mailbox.received.empty()


def _take_roles(monkeypatch: pytest.MonkeyPatch, scu_role: bool | None, scp_role: bool | None) -> None:
    make = report_server._entity

    def entity(ae_title: str) -> AE:
        made = make(ae_title)
        made.remove_supported_context(STORAGE_COMMITMENT)
        made.add_supported_context(STORAGE_COMMITMENT, scu_role=scu_role, scp_role=scp_role)
        return made

    monkeypatch.setattr(report_server, "_entity", entity)


def file_of(orthanc: Orthanc, sop_instance_uid: str) -> Path:
    """Where Orthanc keeps an instance on its disk."""
    (found,) = orthanc.rest("/tools/find", body={"Level": "Instance", "Query": {"SOPInstanceUID": sop_instance_uid}})
    uuid = orthanc.rest(f"/instances/{found}/attachments/dicom/info")["Uuid"]
    path: Path = orthanc.folder / "storage" / uuid[:2] / uuid[2:4] / uuid
    assert path.is_file()
    return path
