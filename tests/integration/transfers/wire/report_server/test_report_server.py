"""The SCP of reports, as archives meet it: scripted ones and pynetdicom's."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event
from threading import enumerate as running_threads
from typing import Any

import pytest
from pydicom.uid import CTImageStorage
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dul import DULServiceProvider

from tests.certificates import CertificateAuthority
from tests.fakes.commitment import Delivery, Report
from tests.fakes.fixtures import MakeArchive
from tests.fakes.requestor import Requestor
from tests.fakes.script import Script
from tests.integration.transfers.wire.report_server.conftest import (
    COMMITTED,
    FAILED,
    REPORT,
    SECONDS,
    VERIFICATION,
    Kept,
    Place,
    Serve,
    brought,
    endpoint,
    opened,
    reported,
)
from tests.peers.process import is_listening
from transfers.endpoints import TlsSettings
from transfers.errors import AssociationError, AssociationLost, ListenerNotStarted
from transfers.wire.association import Association
from transfers.wire.commitment_report import FailedReference, Reference
from transfers.wire.dimse import VERIFICATION_CONTEXT, echo
from transfers.wire.report_server import Recognition, ReportServer

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


def test_an_echo_is_answered(serve: Serve) -> None:
    with Association.open(endpoint(serve()), [VERIFICATION_CONTEXT]) as association:
        assert echo(association) == 0x0000


def test_nothing_else_is_taken(serve: Serve) -> None:
    requestor = Requestor(Place(serve()), CTImageStorage, VERIFICATION)

    assert requestor.associate() == {1: 3, 3: 0}
    requestor.link.close()


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


def test_what_is_being_kept_when_it_is_stopped_is_answered(serve: Serve, archive: MakeArchive, kept: Kept) -> None:
    server = serve()
    peer = archive(Script(reports_to=server.port))
    kept.fault = lambda: time.sleep(0.5)

    peer.report(REPORT)
    peer.wait_until(lambda _: bool(kept))
    server.stop()

    peer.wait_until(lambda peer: peer.log.reports[0].status_code == 0x0000)


@pytest.mark.parametrize("slow", [(DIMSEServiceProvider, "send_msg"), (DULServiceProvider, "_send")])
def test_what_was_kept_is_answered_before_the_association_is_broken_off(
    serve: Serve, archive: MakeArchive, kept: Kept, monkeypatch: pytest.MonkeyPatch, slow: tuple[type, str]
) -> None:
    send = getattr(*slow)

    def send_late(*arguments: Any) -> None:
        time.sleep(0.5)
        send(*arguments)

    monkeypatch.setattr(*slow, send_late)
    server = serve()
    peer = archive(Script(reports_to=server.port))

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
