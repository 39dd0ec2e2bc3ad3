"""A server of reports that keeps what it is told, and those who bring them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from io import BytesIO
from typing import Any

import pytest
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian
from pynetdicom.dimse_primitives import N_EVENT_REPORT

from tests.fakes.archive import Archive
from tests.fakes.commitment import STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE, Report
from transfers.endpoints import DicomEndpoint, TlsSettings
from transfers.wire.association import Association
from transfers.wire.commitment import COMMITMENT_CONTEXT
from transfers.wire.report_server import ReceivedReport, ReportServer

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


def endpoint(server: ReportServer, tls: TlsSettings | None = None) -> DicomEndpoint:
    return DicomEndpoint("127.0.0.1", server.port, "TALLYMAN", "ARCHIVE", tls=tls)


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
