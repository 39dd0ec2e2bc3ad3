"""The connection test of an HTTP service: is it there, is it the right one, does it let us in? Nothing is stored."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from transfers.endpoints import DicomEndpoint, DicomWebEndpoint, Endpoint, OrthancEndpoint
from transfers.errors import (
    RequestError,
    RequestInterrupted,
    RequestTlsFailed,
    ServiceAddressUnknown,
    ServiceUnreachable,
)
from transfers.wire.connection_test import ConnectionReport, test_connection
from transfers.wire.dicomweb import DicomWeb
from transfers.wire.foreign_text import clean_text
from transfers.wire.http import HttpSession
from transfers.wire.orthanc import Orthanc

_Answer = TypeVar("_Answer")
_NOT_REACHED = (ServiceUnreachable, ServiceAddressUnknown, RequestTlsFailed, RequestInterrupted)


@dataclass(frozen=True, slots=True)
class ServiceReport:
    """What an HTTP service said of itself."""

    is_reachable: bool = False
    """Whether anything answered."""
    is_ok: bool = False
    """Whether it let us in, and is the service that it should be."""
    seconds: float = 0.0
    """From connecting to the first answer."""
    can_be_listed: bool = False
    """Whether it lets us ask what it holds, by which Tallyman asks afterwards what arrived."""
    tells_changes: bool = False
    """Whether it lets us read its log of changes (Orthanc)."""
    name: str = ""
    """"Orthanc 1.10.1", where it says so."""
    plugins: tuple[str, ...] = ()
    says_yes_to_anything: bool = False
    """Whether it claims to hold a study that was made up a moment ago, so that its lists prove nothing."""
    error_code: str = ""
    """Of what went wrong; empty where all could be asked."""
    error: str = ""
    """The same in plain words."""


def test_endpoint(endpoint: Endpoint) -> ConnectionReport | ServiceReport:
    """The connection test for whatever kind of destination. Never raises for a fault of the destination."""
    return test_connection(endpoint) if isinstance(endpoint, DicomEndpoint) else test_service(endpoint)


def test_service(endpoint: OrthancEndpoint | DicomWebEndpoint) -> ServiceReport:
    """Ask for what says most about it; the report has everything that was found out before something went wrong."""
    look = _look_at_orthanc if isinstance(endpoint, OrthancEndpoint) else _look_at_dicom_web
    found = _Found()
    try:
        with HttpSession(endpoint) as session:
            look(session, found)
    except RequestError as error:
        return replace(
            found.report,
            is_reachable=found.report.is_reachable or not isinstance(error, _NOT_REACHED),
            error_code=error.code,
            error=str(error),
        )
    return found.report


class _Found:
    """The report while it is being made."""

    def __init__(self) -> None:
        self.report = ServiceReport()
        self._began_at = time.monotonic()

    def answered(self, name: str = "") -> None:
        seconds = time.monotonic() - self._began_at
        self.report = replace(self.report, is_reachable=True, is_ok=True, seconds=seconds, name=name)


def _look_at_orthanc(session: HttpSession, found: _Found) -> None:
    orthanc = Orthanc(session)
    found.answered(f"Orthanc {clean_text(str(orthanc.system()['Version']))}")
    made_up = {"StudyInstanceUID": _made_up_uid()}
    says_yes = bool(orthanc.find("Study", made_up))
    found.report = replace(found.report, can_be_listed=True, says_yes_to_anything=says_yes)
    found.report = replace(found.report, plugins=_offered(orthanc.plugins) or ())
    found.report = replace(found.report, tells_changes=_offered(orthanc.last_change) is not None)


def _look_at_dicom_web(session: HttpSession, found: _Found) -> None:
    says_yes = bool(DicomWeb(session).search_studies(_made_up_uid()))
    found.answered()
    found.report = replace(found.report, can_be_listed=True, says_yes_to_anything=says_yes)


def _offered(ask: Callable[[], _Answer]) -> _Answer | None:
    """What is of use, but not needed."""
    try:
        return ask()
    except RequestError:
        return None


def _made_up_uid() -> str:
    """One that nothing has yet (PS3.5 B.2)."""
    return f"2.25.{uuid.uuid4().int}"
