"""What the lines over HTTP have in common: a session, and which faults are the session's own."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event

from transfers.endpoints import HttpEndpoint
from transfers.errors import (
    AnswerTooLarge,
    ListingFailed,
    MalformedAnswer,
    RequestRefused,
    ResourceNotFound,
    ServiceFailed,
    TransferError,
)
from transfers.probes.lines import Line
from transfers.wire.http import HttpSession

_OF_ONE_QUESTION = (
    ListingFailed,
    ResourceNotFound,
    RequestRefused,
    ServiceFailed,
    MalformedAnswer,
    AnswerTooLarge,
)


class HttpLine:
    """The session's part of a Line."""

    medium = "session"
    opened = "session_opened"
    lost = "session_lost"

    def __init__(self, endpoint: HttpEndpoint, stop: Event) -> None:
        self._endpoint = endpoint
        self._stop = stop
        self._session: HttpSession | None = None

    def _new_session(self) -> HttpSession:
        self._session = HttpSession(self._endpoint, self._stop)
        return self._session

    def beside(self) -> Sequence[Line]:
        """None, unless a line says otherwise."""
        return ()

    def is_lost_by(self, error: TransferError) -> bool:
        return not isinstance(error, _OF_ONE_QUESTION)

    def name_of_failure(self, error: TransferError) -> str:  # noqa: ARG002 all are called the same
        return "session_failed"

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def abort(self) -> None:
        self.close()
