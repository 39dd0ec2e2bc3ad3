"""The SCP that destinations bring their reports on Storage Commitment to (PS3.4 J.3.3); it answers C-ECHO too.

On pynetdicom's AE. Reports come over associations that the destination opens: it is the SCP of the service all the
same, and proposes to be (PS3.7 D.3.3.4), so every role that is proposed is accepted, and none is asked for. A report is
answered with success only once it was kept.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from threading import Lock, Thread, current_thread
from types import TracebackType
from typing import Self

from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.dimse_messages import N_EVENT_REPORT_RQ
from pynetdicom.dimse_primitives import N_EVENT_REPORT
from pynetdicom.events import Event

from transfers.endpoints import TlsSettings
from transfers.errors import ListenerNotStarted, ReportNotUnderstood, TlsFailed
from transfers.wire.bounded_server import BoundedServer, bounds_of
from transfers.wire.commitment import PROCESSING_FAILURE, STORAGE_COMMITMENT, SUCCESS
from transfers.wire.commitment_report import CommitmentReport, read_report
from transfers.wire.foreign_text import clean_text
from transfers.wire.identifiers import TRANSFER_SYNTAXES
from transfers.wire.tls import server_context

logger = logging.getLogger(__name__)

VERIFICATION = "1.2.840.10008.1.1"
MOST_ASSOCIATIONS = 32
ASSOCIATE_SECONDS = 10.0
"""How long an association request may take once the connection stands."""
IDLE_SECONDS = 60.0
"""How long an association may stand without anything being said."""
KEEPING_SECONDS = 5.0
"""How long a report that is being kept, and its answer, are waited for when the server is stopped."""
ENDING_SECONDS = 2.0


class Recognition(IntEnum):
    """Whether an association with these AE titles is taken, or else the reason why not (PS3.8 9.3.4)."""

    KNOWN = 0
    CALLING_AE_TITLE_NOT_RECOGNISED = 3
    CALLED_AE_TITLE_NOT_RECOGNISED = 7


@dataclass(frozen=True, slots=True)
class ReceivedReport:
    """A report, and who brought it. AE titles are what the peer says; nothing but TLS can prove them."""

    report: CommitmentReport
    calling_ae_title: str
    called_ae_title: str
    peer_address: str


KeepReport = Callable[[ReceivedReport], object]
"""Stores a report durably, in whatever thread it came; where it raises, or returns False, the peer is told to come
again (0x0110)."""
Recognise = Callable[[str, str], Recognition]
"""Judges calling and called AE title when an association is asked for, in the association's thread."""


def everybody(_calling_ae_title: str, _called_ae_title: str) -> Recognition:
    """Take any AE titles."""
    return Recognition.KNOWN


class ReportServer:
    """Listens between `start` and `stop`; with port 0 the port is one that is free."""

    def __init__(
        self,
        keep: KeepReport,
        recognise: Recognise = everybody,
        *,
        host: str = "",
        port: int = 0,
        ae_title: str = "TALLYMAN",
        tls: TlsSettings | None = None,
    ) -> None:
        """`host` empty: every address of this machine."""
        self.host = host
        self.port = port
        self._keep = keep
        self._recognise = recognise
        self._tls = tls
        self._entity = _entity(ae_title)
        self._server: BoundedServer | None = None
        self._keeping: set[Thread] = set()
        self._lock = Lock()
        self._reading = Lock()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listen. Raises ListenerNotStarted where the port is taken, or a file of the TLS settings cannot be used."""
        try:
            context = server_context(self._tls) if self._tls else None
            server = self._entity.make_server(
                (self.host, self.port),
                evt_handlers=[
                    (evt.EVT_REQUESTED, self._judge_request),
                    (evt.EVT_ACCEPTED, _begin_message),
                    (evt.EVT_DIMSE_RECV, _end_message),
                    (evt.EVT_N_EVENT_REPORT, self._answer_report),
                ],
                server_class=BoundedServer,
            )
        except TlsFailed as error:
            raise ListenerNotStarted(str(error)) from error
        except (OSError, OverflowError) as error:
            raise ListenerNotStarted(
                f"Port {self.port} cannot be listened on for DICOM ({getattr(error, 'strerror', '') or error}). "
                "End the program that listens there, or set another DICOM_PORT, and tell the archives."
            ) from error
        assert isinstance(server, BoundedServer)
        server.tls, server.most_connections = context, 2 * MOST_ASSOCIATIONS
        self._server = server
        self.port = int(server.server_address[1])
        Thread(target=server.serve_forever, name="DICOM listener", daemon=True).start()

    def stop(self) -> None:
        """Take no more associations, keep and answer what has begun, and abort the rest; some seconds at most."""
        server, self._server = self._server, None
        if server is None:
            return
        server.shutdown()
        _wait_while(self._is_keeping, KEEPING_SECONDS)
        aborted = self._established()
        for association in aborted:
            association.abort(block=False)
        _wait_while(lambda: any(map(_has_to_be_told, aborted)), ENDING_SECONDS)
        _wait_while(lambda: self._breaks_off(server), ENDING_SECONDS)

    def _is_keeping(self) -> bool:
        """pynetdicom hears each report in a thread of its own, which ends once the answer is on its way."""
        return any(each.is_alive() for each in self._keeping)

    def _breaks_off(self, server: BoundedServer) -> bool:
        """Whether there was anything left to break off."""
        server.break_connections()
        left = self._entity.active_associations
        for association in left:
            association.dul.to_user_queue.put(None)  # as if no request had come in time, should it wait for one
        return bool(left) or server.is_beginning

    def _established(self) -> list[Association]:
        return [each for each in self._entity.active_associations if each.is_established]

    def _judge_request(self, event: Event) -> None:
        calling, called = _ae_titles(event.assoc)
        try:
            recognition = self._recognise(calling, called)
        except Exception as error:  # whatever a database does: who asks has to get an answer
            logger.exception(
                "An association could not be judged", extra={"action": "not_judged", "error": type(error).__name__}
            )
            _reject(event.assoc, result=2, source=3, reason=1)  # temporary congestion
            return
        if recognition is not Recognition.KNOWN:
            logger.warning(
                "The DICOM listener rejected an association",
                extra={
                    "action": "association_rejected",
                    "reason": recognition.name.lower(),
                    "calling_ae_title": calling,
                    "called_ae_title": called,
                    "peer": event.assoc.requestor.address,
                },
            )
            _reject(event.assoc, result=1, source=1, reason=recognition)

    def _answer_report(self, event: Event) -> tuple[int, None]:
        with self._lock:
            self._keeping = {each for each in self._keeping if each.is_alive()} | {current_thread()}
        try:
            return (SUCCESS if self._is_kept(event) else PROCESSING_FAILURE), None
        finally:
            bounds_of(event.assoc).under_way -= 1

    def _is_kept(self, event: Event) -> bool:
        try:
            with self._reading:  # a malicious one takes twenty times its size in memory while it is read
                received = _received(event)
            return self._keep(received) is not False
        except ReportNotUnderstood as error:
            logger.warning(
                "A report was not understood", extra={"action": "report_not_understood", "reason": str(error)}
            )
        except Exception as error:  # whatever a database does: the destination has to know that it was not stored
            logger.exception(
                "A report was not kept", extra={"action": "report_not_kept", "error": type(error).__name__}
            )
        return False


def _entity(ae_title: str) -> AE:
    entity = AE(ae_title=ae_title)
    entity.maximum_associations = MOST_ASSOCIATIONS
    entity.maximum_pdu_size = 131_072
    entity.acse_timeout = ASSOCIATE_SECONDS
    entity.network_timeout = IDLE_SECONDS
    entity.add_supported_context(VERIFICATION, list(TRANSFER_SYNTAXES))
    entity.add_supported_context(STORAGE_COMMITMENT, list(TRANSFER_SYNTAXES), scu_role=True, scp_role=True)
    return entity


def _received(event: Event) -> ReceivedReport:
    request = event.request
    assert isinstance(request, N_EVENT_REPORT)
    information = request.EventInformation.getvalue() if request.EventInformation else b""
    calling, called = _ae_titles(event.assoc)
    return ReceivedReport(
        read_report(request.EventTypeID, information, str(event.context.transfer_syntax)),
        calling,
        called,
        str(event.assoc.requestor.address),
    )


def _ae_titles(association: Association) -> tuple[str, str]:
    request = association.requestor.primitive
    assert request is not None
    return clean_text(str(request.calling_ae_title or "")), clean_text(str(request.called_ae_title or ""))


def _reject(association: Association, *, result: int, source: int, reason: int) -> None:
    association.acse.send_reject(result, source, reason)
    association.kill()  # returns once it is sent


def _has_to_be_told(aborted: Association) -> bool:
    """Whether the A-ABORT, or an answer before it, has not gone out yet: it has where only the connection's end is
    waited for, or there is none (PS3.8 9.2.1)."""
    return aborted.dul.state_machine.current_state not in ("Sta13", "Sta1")


def _begin_message(event: Event) -> None:
    bounds_of(event.assoc).expect_message()


def _end_message(event: Event) -> None:
    bounds = bounds_of(event.assoc)
    bounds.expect_message()
    if isinstance(event.message, N_EVENT_REPORT_RQ):
        bounds.under_way += 1


def _wait_while(is_so: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while is_so() and time.monotonic() < deadline:
        time.sleep(0.02)
