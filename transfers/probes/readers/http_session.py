"""What reading back from Orthanc and from DICOMweb services has in common: one instance a request."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from audit.entries import ManifestEntry
from audit.limits import most_bytes_of
from transfers.endpoints import DicomEndpoint
from transfers.errors import (
    CredentialsRefused,
    InstanceNotFound,
    RedirectRefused,
    RequestError,
    RequestInterrupted,
    RequestTimedOut,
    RequestTlsFailed,
    ResourceNotFound,
    ServiceAddressUnknown,
    ServiceBusy,
    ServiceUnreachable,
    TransferError,
    TransferStopped,
)
from transfers.probes.readers.base import Outcome, ReadingContext, Tally, Unreadable
from transfers.spools import Spool
from transfers.wire.http import HttpSession

_GENERAL = (
    CredentialsRefused,
    RedirectRefused,
    RequestTimedOut,
    RequestTlsFailed,
    ServiceAddressUnknown,
    ServiceBusy,
    ServiceUnreachable,
)
"""What says more about the service than about the instance."""


class HttpReading:
    """As Session promises, but for `outcomes`."""

    def __init__(self, context: ReadingContext) -> None:
        self.tally = Tally()
        self.context = context
        self._http: HttpSession | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        if self._http is not None:
            self._http.close()

    def open(self, entries: Sequence[ManifestEntry]) -> None:  # noqa: ARG002  # any will do
        """Raises RequestTlsFailed; whether the service answers shows with the first instance."""
        self.http  # noqa: B018  # it is made when it is first asked for

    def read(self, entries: Sequence[ManifestEntry]) -> Iterator[tuple[ManifestEntry, Outcome]]:
        """As Session promises."""
        for entry in entries:
            try:
                for outcome in self.outcomes(entry):
                    yield entry, outcome
            except RequestInterrupted:
                yield entry, Unreadable(TransferStopped())
            except ResourceNotFound:
                yield entry, Unreadable(InstanceNotFound())
            except RequestError as error:
                yield entry, Unreadable(error, is_general=isinstance(error, _GENERAL))
            except TransferError as error:
                yield entry, Unreadable(error)

    @property
    def http(self) -> HttpSession:
        """Raises RequestTlsFailed."""
        if self._http is None:
            assert not isinstance(self.context.endpoint, DicomEndpoint)
            self._http = HttpSession(self.context.endpoint, self.context.stop)
        return self._http

    def spool(self, entry: ManifestEntry) -> Spool:
        return Spool(most_bytes_of(entry), self.context.spool_folder)

    @abstractmethod
    def outcomes(self, entry: ManifestEntry) -> Iterator[Outcome]:
        """Yield an outcome for each copy there is. Raises RequestError and other TransferError."""
