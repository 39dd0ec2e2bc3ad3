"""The demo archive commits to what its files hold, read again, and reports where it is told to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from pydicom.uid import CTImageStorage, MRImageStorage

from tests.datasets import unique_uid, write_study
from tests.entries import entries_of
from tests.fakes.fixtures import Request
from tests.peers.process import free_port
from transfers import demo_commitment
from transfers.demo_archive import DemoArchive
from transfers.endpoints import DicomEndpoint
from transfers.errors import CommitmentRefused
from transfers.wire import commitment
from transfers.wire.association import Association
from transfers.wire.commitment import COMMITMENT_CONTEXT, Reference, request_commitment
from transfers.wire.report_server import ReceivedReport, ReportServer

SECONDS = 15.0


class Mailbox:
    """A listener and what came to it."""

    def __init__(self) -> None:
        self.received: list[ReceivedReport] = []
        self.has_mail = Event()
        self.fails = 0
        self.server = ReportServer(self._keep, host="127.0.0.1", port=free_port())

    def _keep(self, received: ReceivedReport) -> bool:
        if self.fails:
            self.fails -= 1
            return False
        self.received.append(received)
        self.has_mail.set()
        return True

    def report(self) -> ReceivedReport:
        """The one report that comes."""
        assert self.has_mail.wait(SECONDS), "no report came"
        (received,) = self.received
        return received


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    monkeypatch.setattr(demo_commitment, "PAUSES_SECONDS", (0.1,) * 50)
    mailbox = Mailbox()
    yield mailbox
    mailbox.server.stop()


@pytest.fixture
def archive(tmp_path: Path, mailbox: Mailbox) -> Iterator[DemoArchive]:
    with DemoArchive(tmp_path / "archive", report_port=mailbox.server.port) as started:
        yield started


@pytest.fixture
def stored(archive: DemoArchive, request_of: Request, tmp_path: Path) -> tuple[Reference, ...]:
    """A study of three that is in the archive."""
    requestor = request_of(archive, CTImageStorage)
    requestor.associate()
    paths = write_study(tmp_path, instances=3, size_bytes=64)
    entries = entries_of(paths)
    for path, entry in zip(paths, entries, strict=True):
        assert requestor.store(path, entry.sop_instance_uid) == 0x0000
    return tuple(Reference(entry.sop_class_uid, entry.sop_instance_uid) for entry in entries)


def ask(archive: DemoArchive, *references: Reference, calling_ae_title: str = "ME") -> str:
    """Ask to commit to these; the Transaction UID."""
    transaction_uid = unique_uid()
    endpoint = DicomEndpoint(archive.host, archive.port, archive.ae_title, calling_ae_title)
    with Association.open(endpoint, [COMMITMENT_CONTEXT]) as association:
        request_commitment(association, transaction_uid, references)
    return transaction_uid


def file_of(archive: DemoArchive, reference: Reference) -> Path:
    known = archive.store.index.get(reference.sop_instance_uid)
    assert known is not None
    return known.path


def test_it_commits_to_what_it_holds(archive: DemoArchive, mailbox: Mailbox, stored: tuple[Reference, ...]) -> None:
    mailbox.server.start()

    transaction_uid = ask(archive, *stored)

    received = mailbox.report()
    assert received.report.transaction_uid == transaction_uid
    assert (received.report.event_type_id, received.report.committed, received.report.failed) == (1, stored, ())
    assert (received.calling_ae_title, received.called_ae_title) == (archive.ae_title, "ME")


def test_it_says_what_it_does_not_hold(archive: DemoArchive, mailbox: Mailbox, stored: tuple[Reference, ...]) -> None:
    mailbox.server.start()
    never_sent = Reference(CTImageStorage, unique_uid())
    other_class = Reference(MRImageStorage, stored[0].sop_instance_uid)
    file_of(archive, stored[1]).unlink()
    with file_of(archive, stored[2]).open("r+b") as file:
        file.truncate(file.seek(0, 2) - 2)

    ask(archive, never_sent, other_class, stored[1], stored[2])

    report = mailbox.report().report
    assert (report.event_type_id, report.committed) == (2, ())
    assert {(each.sop_instance_uid, each.failure_reason) for each in report.failed} == {
        (never_sent.sop_instance_uid, 0x0112),
        (other_class.sop_instance_uid, 0x0119),
        (stored[1].sop_instance_uid, 0x0112),
        (stored[2].sop_instance_uid, 0x0112),
    }


def test_it_holds_nothing_else_under_the_name_of_an_instance(
    archive: DemoArchive, mailbox: Mailbox, stored: tuple[Reference, ...]
) -> None:
    mailbox.server.start()
    file_of(archive, stored[0]).write_bytes(file_of(archive, stored[1]).read_bytes())

    ask(archive, *stored)

    report = mailbox.report().report
    assert [each.sop_instance_uid for each in report.failed] == [stored[0].sop_instance_uid]


def test_a_listener_that_is_down_or_fails_at_first_gets_the_report_later(
    archive: DemoArchive, mailbox: Mailbox, stored: tuple[Reference, ...]
) -> None:
    mailbox.fails = 2
    ask(archive, *stored)
    assert not mailbox.has_mail.wait(0.5)

    mailbox.server.start()

    assert mailbox.report().report.committed == stored


def test_it_reports_where_it_is_told_to(tmp_path: Path, mailbox: Mailbox) -> None:
    mailbox.server.start()
    told = {"ELSEWHERE": ("127.0.0.1", mailbox.server.port)}

    with DemoArchive(tmp_path / "told", report_to=told, report_port=free_port()) as archive:
        ask(archive, Reference(CTImageStorage, "1.2.3"), calling_ae_title="SOMEBODY")
        ask(archive, Reference(CTImageStorage, "1.2.4"), calling_ae_title="ELSEWHERE")
        received = mailbox.report()

    assert received.called_ae_title == "ELSEWHERE"


def test_a_request_about_nothing_is_refused(archive: DemoArchive) -> None:
    with pytest.raises(CommitmentRefused, match="0x0115"):
        ask(archive)


def test_a_request_for_something_else_is_refused(archive: DemoArchive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commitment, "_REQUEST_STORAGE_COMMITMENT", 2)
    with pytest.raises(CommitmentRefused, match="0x0123"):
        ask(archive, Reference(CTImageStorage, "1.2.3"))

    monkeypatch.setattr(commitment, "STORAGE_COMMITMENT_INSTANCE", "1.2.3")
    with pytest.raises(CommitmentRefused, match="0x0112"):
        ask(archive, Reference(CTImageStorage, "1.2.3"))
