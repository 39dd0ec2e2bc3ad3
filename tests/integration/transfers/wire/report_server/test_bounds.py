"""Whatever else connects to the SCP of reports: sizes, numbers and times are bounded."""

from __future__ import annotations

import socket
import struct
import time
from threading import Barrier, BrokenBarrierError, Event
from typing import Any

import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from tests.fakes.commitment import STORAGE_COMMITMENT, Report
from tests.fakes.fixtures import MakeArchive
from tests.fakes.link import Ended, Link, pdu
from tests.fakes.reporting import request_pdus
from tests.fakes.requestor import Requestor
from tests.fakes.script import Script
from tests.integration.transfers.wire.report_server.conftest import (
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
from transfers.errors import AssociationError, AssociationRejectedForNow
from transfers.wire import bounded_server, report_server
from transfers.wire.association import Association
from transfers.wire.commitment_report import read_report
from transfers.wire.dimse import VERIFICATION_CONTEXT, echo
from transfers.wire.report_server import ReportServer


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
