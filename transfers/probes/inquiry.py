"""Questions put to a destination one after another, over an association of their own that is opened again when lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from threading import Event
from types import TracebackType
from typing import Any, Self

from audit.observations import Occurrence
from transfers.endpoints import DicomEndpoint
from transfers.errors import (
    AssociationError,
    AssociationInterrupted,
    AssociationRejected,
    AssociationTimedOut,
    ListingEndless,
    ListingFailed,
    TransferError,
    TransferStopped,
)
from transfers.probes.answers import Answer
from transfers.wire.association import Association
from transfers.wire.dimse import FIND_CONTEXT, ListBounds, find, find_context
from transfers.wire.identifiers import Query, Row
from transfers.wire.waiting import Interruption

MOST_LOSSES = 3
"""Associations lost in a row after which the others wait for the next try."""
_STOPPED = "The transfer was stopped before the destination was asked."
_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 2.0
_PAUSE_FACTOR = 1.5


def _always(_: Query) -> bool:
    return True


class Pauses:
    """Growing, cut short when the transfer is stopped."""

    def __init__(self, stop: Event) -> None:
        self._stop = stop
        self._next_seconds = _FIRST_PAUSE_SECONDS

    def pause(self, *, at_least: float = 0.0, at_most: float = _LONGEST_PAUSE_SECONDS) -> None:
        self._stop.wait(max(0.0, min(max(self._next_seconds, at_least), at_most)))
        self._next_seconds = min(self._next_seconds * _PAUSE_FACTOR, _LONGEST_PAUSE_SECONDS)


class Inquiry:
    """A context manager: its association is released when the block ends, aborted when the block raises."""

    def __init__(
        self, endpoint: DicomEndpoint, bounds: ListBounds, stop: Event, interruption: Interruption, retry_seconds: float
    ) -> None:
        self._endpoint = endpoint
        self._bounds = bounds
        self._stop = stop
        self._interruption = interruption
        self._retry_seconds = retry_seconds
        self._association: Association | None = None
        self._opened = 0
        self._losses = 0
        self._barrier: TransferError | None = None
        """Why nothing more is asked: for good, or until the next try."""
        self._occurrences: list[Occurrence] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        if self._association is not None:
            if kind is None and not self._stop.is_set():
                self._association.release()
            else:
                self._association.abort()

    def ask(self, queries: Sequence[Query], is_open: Callable[[Query], bool] = _always) -> Iterator[Answer]:
        """Yield an answer to each question, and another one each time that it is asked again.

        What failed, may pass and is open still is asked again after all others, for as long as retries may take. A
        fault of the destination is an answer with an error, never raised; the last answer to a question counts.
        """
        pauses = Pauses(self._stop)
        pending = list(queries)
        retry_until = 0.0
        while pending:
            failed: list[Query] = []
            held_back: list[Query] = []
            for query in pending:
                again = held_back if self._barrier is not None else failed
                answer = self._answer(query)
                yield answer
                if answer.may_pass and is_open(query):
                    again.append(query)
            now = time.monotonic()
            retry_until = retry_until or now + self._retry_seconds
            pending = held_back + failed
            if not pending or now >= retry_until or self._stop.is_set():
                return
            pauses.pause(at_most=retry_until - now)
            self._lift_barrier()

    def ask_once(self, query: Query) -> Answer:
        """The answer to one question that is not worth waiting for."""
        return self._answer(query)

    def take_occurrences(self) -> Iterator[Occurrence]:
        """What happened to the association since the last time."""
        occurrences, self._occurrences = self._occurrences, []
        yield from occurrences

    def _answer(self, query: Query) -> Answer:
        asked_at = time.monotonic()
        rows: list[Row] = []
        error = TransferStopped(_STOPPED) if self._stop.is_set() else self._barrier
        if error is None:
            error = self._read(query, rows)
        return Answer(query, tuple(rows), error, asked_at, time.monotonic())

    def _read(self, query: Query, rows: list[Row]) -> TransferError | None:
        """Ask, and add what comes to the rows; returns what went wrong."""
        try:
            association = self._association or self._open()
        except AssociationError as error:
            return self._not_opened(error)
        try:
            for row in find(association, query, self._bounds):
                rows.append(row)
                if self._stop.is_set():
                    raise AssociationInterrupted
        except ListingEndless as error:
            self._drop(association)
            return error
        except ListingFailed as error:
            return error
        except AssociationError as error:
            self._drop(association)
            return self._lost(error)
        self._losses = 0
        return None

    def _open(self) -> Association:
        association = Association.open(self._endpoint, [FIND_CONTEXT], self._interruption)
        try:
            find_context(association)
        except AssociationError:
            association.release()
            raise
        self._opened += 1
        self._occurred("association_opened", asked="Study Root FIND")
        self._association = association
        return association

    def _drop(self, association: Association) -> None:
        association.abort()
        self._association = None

    def _not_opened(self, error: AssociationError) -> TransferError:
        if isinstance(error, AssociationInterrupted):
            return TransferStopped(_STOPPED)
        self._barrier = error
        self._failed(_why_not_opened(error), error)
        return error

    def _lost(self, error: AssociationError) -> TransferError:
        if isinstance(error, AssociationInterrupted):
            return TransferStopped(_STOPPED)
        self._failed("association_lost", error)
        self._losses += 1
        if self._losses >= MOST_LOSSES:
            self._barrier = error
        return error

    def _lift_barrier(self) -> None:
        """A reason that does not pass stays."""
        self._losses = 0
        if self._barrier is not None and self._barrier.retriable:
            self._barrier = None

    def _failed(self, name: str, error: TransferError) -> None:
        self._occurred(name, code=error.code, reason=str(error))

    def _occurred(self, name: str, **detail: Any) -> None:
        detail = {"association": f"listing {self._opened}"} | detail
        self._occurrences.append(Occurrence(name, datetime.now(UTC), detail))


def _why_not_opened(error: AssociationError) -> str:
    if isinstance(error, AssociationRejected):
        return "association_rejected"
    if isinstance(error, AssociationTimedOut):
        return "association_timed_out"
    return "association_failed"
