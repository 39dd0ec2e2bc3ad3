"""The SCP of reports, as archives meet it: scripted ones, pynetdicom's, and whatever else connects."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from threading import Barrier, BrokenBarrierError, Event
from threading import enumerate as running_threads
from typing import Any

import pytest
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian
from pynetdicom.dimse_primitives import N_EVENT_REPORT

from tests.certificates import CertificateAuthority
from tests.fakes.archive import Archive
from tests.fakes.commitment import STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE, Delivery, Report
from tests.fakes.fixtures import MakeArchive
from tests.fakes.link import Ended, Link, pdu
from tests.fakes.reporting import request_pdus
from tests.fakes.requestor import Requestor
from tests.fakes.script import Script
from tests.peers.process import is_listening
from transfers.endpoints import DicomEndpoint, TlsSettings
from transfers.errors import AssociationError, AssociationLost, AssociationRejectedForNow, ListenerNotStarted
from transfers.wire import bounded_server, report_server
from transfers.wire.association import Association
from transfers.wire.commitment import COMMITMENT_CONTEXT
from transfers.wire.commitment_report import FailedReference, Reference, read_report
from transfers.wire.dimse import VERIFICATION_CONTEXT, echo
from transfers.wire.report_server import ReceivedReport, Recognition, ReportServer

VERIFICATION = "1.2.840.10008.1.1"
COMMITTED = (CTImageStorage, "1.2.3")
FAILED = (CTImageStorage, "1.2.4", 0x0112)
REPORT = Report("2.25.7", (COMMITTED,), (FAILED,))
SECONDS = 15.0
"""Longer than any stop may take."""

Serve = Callable[..., ReportServer]


class Kept(list[ReceivedReport]):
    """Keeps reports, or does what a database does that is away."""

    fault: Callable[[], object] = staticmethod(lambda: None)

    def keep(self, received: ReceivedReport) -> object:
        self.append(received)
        return self.fault()


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def serve(kept: Kept) -> Iterator[Serve]:
    """Starts servers that end with the test."""
    with ExitStack() as stack:

        def start(*arguments: Any, **options: Any) -> ReportServer:
            return stack.enter_context(ReportServer(kept.keep, *arguments, host="127.0.0.1", **options))

        yield start


def brought(peer: Archive, report: Report = REPORT, asked_by: str = "TALLYMAN") -> tuple[int | None, str]:
    """How a report was answered, or what prevented it."""
    before = len(peer.log.reports)
    peer.report(report, asked_by=asked_by)
    peer.wait_until(
        lambda peer: (
            len(peer.log.reports) > before
            and (peer.log.reports[before].status_code is not None or bool(peer.log.reports[before].problem))
        )
    )
    return peer.log.reports[before].status_code, peer.log.reports[before].problem


ROLES = {"none": None, "scp": (False, True), "both": (True, True), "scu": (True, False)}


@pytest.mark.parametrize("role", ROLES.values(), ids=ROLES)
def test_a_report_is_kept_whatever_roles_are_proposed(
    archive: MakeArchive, serve: Serve, kept: Kept, role: tuple[bool, bool] | None
) -> None:
    peer = archive(Script(reports_to=serve().port, delivery=Delivery(role=role)))

    assert brought(peer) == (0x0000, "")

    (received,) = kept
    assert (received.calling_ae_title, received.called_ae_title) == ("SCRIPTED", "TALLYMAN")
    assert received.peer_address == "127.0.0.1"
    assert received.report.committed == (Reference(*COMMITTED),)
    assert received.report.failed == (FailedReference(*FAILED),)
    assert (received.report.transaction_uid, received.report.event_type_id) == ("2.25.7", 2)


def fail() -> None:
    raise OSError("the disk is full")


@pytest.mark.parametrize("fault", [fail, lambda: False], ids=["raises", "false"])
def test_a_report_that_was_not_kept_is_answered_with_a_failure_and_taken_when_it_comes_again(
    archive: MakeArchive, serve: Serve, kept: Kept, fault: Callable[[], object]
) -> None:
    peer = archive(Script(reports_to=serve().port))

    kept.fault = fault
    first = brought(peer)
    kept.fault = lambda: None
    second = brought(peer)

    assert (first, second, len(kept)) == ((0x0110, ""), (0x0000, ""), 2)


def test_a_report_is_answered_only_once_it_is_kept(archive: MakeArchive, serve: Serve, kept: Kept) -> None:
    peer = archive(Script(reports_to=serve().port))
    goes_on = Event()
    kept.fault = lambda: goes_on.wait(SECONDS)

    peer.report(REPORT)
    peer.wait_until(lambda _: bool(kept))
    time.sleep(0.2)
    before = [sent.status_code for sent in peer.log.reports]
    goes_on.set()
    peer.wait_until(lambda peer: peer.log.reports[0].status_code is not None)

    assert (before, peer.log.reports[0].status_code) == ([None], 0x0000)


@pytest.mark.parametrize("data_set", [b"", b"\0" * 8, b"HTTP/1.1 400 Bad Request"], ids=["empty", "zeros", "text"])
def test_a_report_that_is_not_understood_is_no_success(
    archive: MakeArchive, serve: Serve, kept: Kept, data_set: bytes
) -> None:
    peer = archive(Script(reports_to=serve().port))

    status_code, _ = brought(peer, Report("2.25.7", data_set=data_set))

    assert status_code != 0x0000
    assert kept == []


def test_an_event_type_that_is_none_is_no_success(archive: MakeArchive, serve: Serve, kept: Kept) -> None:
    peer = archive(Script(reports_to=serve().port))

    assert brought(peer, Report("2.25.7", (COMMITTED,), event_type_id=3)) == (0x0110, "")
    assert kept == []


@pytest.mark.parametrize("reason", [3, 7])
def test_who_is_not_known_is_told_why(archive: MakeArchive, serve: Serve, kept: Kept, reason: int) -> None:
    asked: list[tuple[str, str]] = []

    def recognise(calling: str, called: str) -> Recognition:
        asked.append((calling, called))
        return Recognition.KNOWN if len(asked) > 1 else Recognition(reason)

    peer = archive(Script(reports_to=serve(recognise).port))

    rejected, taken = brought(peer, asked_by="ME"), brought(peer, asked_by="ME")

    assert rejected == (None, f"rejected: result 1, source 1, reason {reason}")
    assert taken == (0x0000, "")
    assert asked == [("SCRIPTED", "ME")] * 2
    assert len(kept) == 1


def test_where_nobody_can_say_who_is_known_it_is_for_now(archive: MakeArchive, serve: Serve) -> None:
    def recognise(_calling: str, _called: str) -> Recognition:
        raise OSError("the database is away")

    peer = archive(Script(reports_to=serve(recognise).port))

    assert brought(peer) == (None, "rejected: result 2, source 3, reason 1")


def endpoint(server: ReportServer, tls: TlsSettings | None = None) -> DicomEndpoint:
    return DicomEndpoint("127.0.0.1", server.port, "TALLYMAN", "ARCHIVE", tls=tls)


def test_an_echo_is_answered(serve: Serve) -> None:
    with Association.open(endpoint(serve()), [VERIFICATION_CONTEXT]) as association:
        assert echo(association) == 0x0000


def test_nothing_else_is_taken(serve: Serve) -> None:
    requestor = Requestor(Place(serve()), CTImageStorage, VERIFICATION)

    assert requestor.associate() == {1: 3, 3: 0}
    requestor.link.close()


class Place:
    """Where a bare SCU connects to."""

    host, ae_title = "127.0.0.1", "TALLYMAN"

    def __init__(self, server: ReportServer) -> None:
        self.port = server.port


def opened(server: ReportServer, tls: TlsSettings | None = None) -> Association:
    return Association.open(endpoint(server, tls), [COMMITMENT_CONTEXT])


def reported(association: Association) -> int:
    """The status code that the report is answered with."""
    request = N_EVENT_REPORT()
    request.MessageID = 1
    request.AffectedSOPClassUID = UID(STORAGE_COMMITMENT)
    request.AffectedSOPInstanceUID = UID(STORAGE_COMMITMENT_INSTANCE)
    request.EventTypeID = 2
    request.EventInformation = BytesIO(REPORT.encoded(ExplicitVRLittleEndian))
    association.send_message(1, request)
    _, answer = association.receive_message(SECONDS)
    assert isinstance(answer, N_EVENT_REPORT)
    return int(answer.Status or 0)


def test_several_reports_come_over_one_association(serve: Serve, kept: Kept) -> None:
    with opened(serve()) as association:
        answers = [reported(association) for _ in range(10)]

    assert answers == [0x0000] * 10
    assert len(kept) == 10


# TLS


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority(tmp_path)


@pytest.fixture
def listeners(authority: CertificateAuthority) -> TlsSettings:
    """TLS as the server speaks it to anybody."""
    identity = authority.issue("listener")
    return TlsSettings("", str(identity.certificate), str(identity.key))


def test_reports_come_over_tls(
    serve: Serve, kept: Kept, authority: CertificateAuthority, listeners: TlsSettings
) -> None:
    with opened(serve(tls=listeners), TlsSettings(str(authority.certificate))) as association:
        status_codes = [reported(association) for _ in range(3)]

    assert (status_codes, len(kept)) == ([0x0000] * 3, 3)


def test_plain_dicom_is_not_spoken_where_tls_is(serve: Serve, listeners: TlsSettings) -> None:
    with pytest.raises(AssociationLost):
        opened(serve(tls=listeners))


def test_with_a_ca_only_peers_with_a_certificate_are_let_in(
    serve: Serve, kept: Kept, authority: CertificateAuthority, listeners: TlsSettings
) -> None:
    server = serve(tls=replace(listeners, ca_file=str(authority.certificate)))
    identity = authority.issue("archive")

    with pytest.raises(AssociationError):
        opened(server, TlsSettings(str(authority.certificate)))
    with opened(
        server, TlsSettings(str(authority.certificate), str(identity.certificate), str(identity.key))
    ) as association:
        assert reported(association) == 0x0000


def test_who_does_not_shake_hands_keeps_nobody_waiting(
    serve: Serve, authority: CertificateAuthority, listeners: TlsSettings
) -> None:
    server = serve(tls=listeners)
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(5)]

    with opened(server, TlsSettings(str(authority.certificate))) as association:
        assert reported(association) == 0x0000
    for connection in silent:
        connection.close()


@pytest.mark.parametrize("missing", ["certificate_file", "key_file", "ca_file"])
def test_a_file_that_cannot_be_used_is_named(kept: Kept, tmp_path: Path, listeners: TlsSettings, missing: str) -> None:
    change: dict[str, Any] = {missing: str(tmp_path / "none")}
    settings = replace(listeners, **change)

    with pytest.raises(ListenerNotStarted, match="none"):
        ReportServer(kept.keep, host="127.0.0.1", tls=settings).start()


# Bounds


@pytest.fixture
def small_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_server, "LARGEST_MESSAGE", 100_000)
    monkeypatch.setattr(bounded_server, "MESSAGE_SECONDS", 0.5)
    monkeypatch.setattr(bounded_server, "SILENCE_SECONDS", 0.5)
    monkeypatch.setattr(report_server, "MOST_ASSOCIATIONS", 2)


def is_broken_off(link: Link, data: bytes) -> bool:
    """Whether somebody who goes on sending is stopped."""
    try:
        for _ in range(10_000):
            link.send(data)
    except Ended:
        return True
    finally:
        link.close()
    return False


def ended(link: Link) -> bool:
    """Whether the server ends the connection, within the patience of a socket."""
    try:
        while True:
            link.read_pdu()
    except Ended:
        return True
    finally:
        link.close()


def test_a_pdu_that_says_it_is_huge_is_not_read(serve: Serve, small_bounds: None) -> None:
    requestor = Requestor(Place(serve()), VERIFICATION)
    requestor.associate()

    requestor.link.send(struct.pack(">BxL", 0x04, 0xFFFFFFFF) + b"\0" * 200_000)

    assert ended(requestor.link)


def test_a_report_without_end_is_not_kept_in_memory(serve: Serve, kept: Kept, small_bounds: None) -> None:
    requestor = Requestor(Place(serve()), STORAGE_COMMITMENT)
    requestor.associate()
    fragment = struct.pack(">LBB", 16_002, 1, 1) + b"\0" * 16_000

    assert is_broken_off(requestor.link, pdu(0x04, fragment))

    assert kept == []


def test_a_long_report_is_kept(archive: MakeArchive, serve: Serve, kept: Kept) -> None:
    committed = tuple((CTImageStorage, f"2.25.{10**30 + number}") for number in range(5_000))
    peer = archive(Script(reports_to=serve().port))

    assert brought(peer, Report("2.25.7", committed)) == (0x0000, "")
    assert len(kept[0].report.committed) == 5_000


def test_one_report_at_a_time_is_read(
    archive: MakeArchive, serve: Serve, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = Barrier(2)
    met = []

    def read(*arguments: Any) -> Any:
        try:
            met.append(together.wait(1))
        except BrokenBarrierError:
            together.reset()
        return read_report(*arguments)

    monkeypatch.setattr(report_server, "read_report", read)
    port = serve().port
    peers = [archive(Script(reports_to=port)) for _ in range(2)]
    for peer in peers:
        peer.report(REPORT, asked_by="TALLYMAN")
    for peer in peers:
        peer.wait_until(lambda peer: bool(peer.log.reports) and peer.log.reports[0].status_code is not None)

    assert len(kept) == 2
    assert met == []


def test_one_association_may_stand_for_longer_than_a_message(
    serve: Serve, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_server, "MESSAGE_SECONDS", 0.3)

    with opened(serve()) as association:
        for _ in range(3):
            time.sleep(0.3)
            assert reported(association) == 0x0000


def test_who_sends_without_waiting_for_answers_is_broken_off(serve: Serve, kept: Kept) -> None:
    goes_on = Event()
    kept.fault = lambda: goes_on.wait(SECONDS)
    requestor = Requestor(Place(serve()), STORAGE_COMMITMENT)
    requestor.associate()

    assert is_broken_off(requestor.link, request_pdus(1, REPORT, ExplicitVRLittleEndian))
    goes_on.set()

    assert len(kept) <= 2 * bounded_server.MOST_UNDER_WAY


def test_more_associations_than_it_takes_are_rejected_for_now(serve: Serve, small_bounds: None) -> None:
    server = serve()
    with opened(server), opened(server), pytest.raises(AssociationRejectedForNow):
        opened(server)

    assert is_taken_within(server, SECONDS)


def is_taken_within(server: ReportServer, seconds: float) -> bool:
    """Whether an association is taken, sooner or later."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            opened(server).release()
        except AssociationError:
            time.sleep(0.05)
        else:
            return True
    return False


def test_connections_that_say_nothing_do_not_fill_it_for_ever(
    serve: Serve, small_bounds: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_server, "ASSOCIATE_SECONDS", 0.5)
    server = serve()
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(30)]

    assert is_taken_within(server, SECONDS)
    for connection in silent:
        connection.close()


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\0", b"\1"], ids=["http", "tls", "one"])
def test_what_is_not_dicom_does_no_harm(serve: Serve, data: bytes) -> None:
    server = serve()
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(data)

    with Association.open(endpoint(server), [VERIFICATION_CONTEXT]) as association:
        assert echo(association) == 0x0000


# Starting and stopping


def test_a_port_that_is_taken_is_named(serve: Serve, kept: Kept) -> None:
    server = serve()

    with pytest.raises(ListenerNotStarted, match=rf"Port {server.port} .*DICOM_PORT"):
        ReportServer(kept.keep, host="127.0.0.1", port=server.port).start()


@pytest.mark.parametrize("host", ["no.such.host.invalid", "256.1.1.1"])
def test_a_host_that_is_none_is_an_error(kept: Kept, host: str) -> None:
    with pytest.raises(ListenerNotStarted):
        ReportServer(kept.keep, host=host).start()


def test_a_stopped_server_leaves_nothing_behind(kept: Kept) -> None:
    server = ReportServer(kept.keep, host="127.0.0.1")
    server.start()
    silent = socket.create_connection(("127.0.0.1", server.port))
    half = socket.create_connection(("127.0.0.1", server.port))
    half.sendall(b"\1\0\0\0")
    association = opened(server)

    begun = time.monotonic()
    server.stop()
    server.stop()

    assert time.monotonic() - begun < SECONDS
    assert not is_listening(server.port)
    with pytest.raises(AssociationError):
        association.receive_message(SECONDS)
    assert [thread.name for thread in running_threads() if "Acceptor" in thread.name] == []
    for connection in (silent, half, association):
        connection.close()


def test_what_is_being_kept_when_it_is_stopped_is_answered(archive: MakeArchive, kept: Kept) -> None:
    server = ReportServer(kept.keep, host="127.0.0.1")
    server.start()
    peer = archive(Script(reports_to=server.port))
    kept.fault = lambda: time.sleep(0.5)

    peer.report(REPORT)
    peer.wait_until(lambda _: bool(kept))
    server.stop()

    peer.wait_until(lambda peer: peer.log.reports[0].status_code == 0x0000)


def test_it_can_be_started_again_on_its_port(serve: Serve, kept: Kept) -> None:
    server = serve()
    with Association.open(endpoint(server), [VERIFICATION_CONTEXT]) as association:
        echo(association)

    server.stop()
    server.start()

    with Association.open(endpoint(server), [VERIFICATION_CONTEXT]) as association:
        assert echo(association) == 0x0000
