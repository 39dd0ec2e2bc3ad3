"""The DICOM listener of this installation: archives bring their reports on Storage Commitment to it (PS3.4 J.3.3).

Joins the server, which knows the network, to what keeps reports and knows destinations. Both are asked each time, so
that a destination that is added while the listener runs may report at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connections

from transfers import commitments
from transfers.endpoints import TlsSettings
from transfers.models import Destination
from transfers.wire.report_server import ReceivedReport, Recognition, ReportServer


def make_listener(*, port: int | None = None) -> ReportServer:
    """The listener as the settings describe it, not started yet; `start` raises ListenerNotStarted."""
    return ReportServer(
        keep,
        recognise,
        host=settings.LISTENER_HOST,
        port=settings.DICOM_PORT if port is None else port,
        ae_title=settings.DICOM_AE_TITLE,
        tls=_tls(),
    )


def describe(listener: ReportServer) -> str:
    """What it listens on, as a line for people."""
    tls = " with TLS" if _tls() else ""
    lenient = ", from and to any AE title" if settings.LISTENER_LENIENT else ""
    host = f"[{listener.host}]" if ":" in listener.host else listener.host
    return f"DICOM listener {settings.DICOM_AE_TITLE} on {host}:{listener.port}{tls}{lenient}"


def keep(received: ReceivedReport) -> None:
    """Returns once the report is committed to the database. Raises DatabaseError."""
    with _own_connection():
        commitments.keep_report(
            received.report, calling_ae_title=received.calling_ae_title, peer_address=received.peer_address
        )


def recognise(calling_ae_title: str, called_ae_title: str) -> Recognition:
    """Take who is a destination, by the AE title that we call ourselves there; with LISTENER_LENIENT, anybody."""
    if settings.LISTENER_LENIENT:
        return Recognition.KNOWN
    with _own_connection():
        if commitments.knows(calling_ae_title, called_ae_title):
            return Recognition.KNOWN
        if _is_a_destination(calling_ae_title):
            return Recognition.CALLED_AE_TITLE_NOT_RECOGNISED
    return Recognition.CALLING_AE_TITLE_NOT_RECOGNISED


def _is_a_destination(ae_title: str) -> bool:
    archives = Destination.objects.filter(kind="dicom").values_list("called_ae_title", flat=True)
    return ae_title.strip() in {each.strip() for each in archives}


def _tls() -> TlsSettings | None:
    if not settings.LISTENER_TLS_CERTIFICATE:
        return None
    return TlsSettings(
        ca_file=settings.LISTENER_TLS_CA,
        certificate_file=settings.LISTENER_TLS_CERTIFICATE,
        key_file=settings.LISTENER_TLS_KEY,
    )


@contextmanager
def _own_connection() -> Iterator[None]:
    """The threads of the listener live as long as an association does; what they opened must not outlive them."""
    try:
        yield
    finally:
        connections.close_all()
