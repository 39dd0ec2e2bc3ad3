"""Questions put to a destination one after another, over a line of their own that is opened again when lost."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from threading import Event
from types import TracebackType
from typing import Any, Self

from audit.observations import Occurrence
from transfers.errors import (
    AssociationInterrupted,
    ListingEndless,
    RequestInterrupted,
    TransferError,
    TransferStopped,
)
from transfers.probes.answers import Answer
from transfers.probes.lines import STOPPED, Line, read_rows
from transfers.probes.side_lines import SideLines
from transfers.wire.identifiers import Query, Row

MOST_LOSSES = 3
"""Lines lost in a row after which the others wait for the next try."""
_FEWEST_QUESTIONS = 3
"""That one more line is opened for."""
_INTERRUPTIONS = (AssociationInterrupted, RequestInterrupted, TransferStopped)
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
    """A context manager: its line is closed when the block ends, aborted when the block raises or all is stopped."""

    def __init__(self, line: Line, stop: Event, retry_seconds: float) -> None:
        self._line = line
        self._stop = stop
        self._retry_seconds = retry_seconds
        self._is_open = False
        self._opened = 0
        self._losses = 0
        self._barrier: TransferError | None = None
        """Why nothing more is asked: for good, or until the next try."""
        self._occurrences: list[Occurrence] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        if not self._is_open:
            return
        if kind is None and not self._stop.is_set():
            self._line.close()
        else:
            self._line.abort()

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
            asked_to_wait = 0.0
            for answer, is_held_back in self._answers(pending):
                yield answer
                asked_to_wait = max(asked_to_wait, _asked_to_wait(answer.error))
                if answer.may_pass and is_open(answer.query):
                    (held_back if is_held_back else failed).append(answer.query)
            now = time.monotonic()
            retry_until = retry_until or now + self._retry_seconds
            pending = held_back + failed
            if not pending or now >= retry_until or self._stop.is_set():
                return
            pauses.pause(at_least=asked_to_wait, at_most=retry_until - now)
            self._lift_barrier()

    def ask_once(self, query: Query) -> Answer:
        """The answer to one question that is not worth waiting for."""
        return self._answer(query)

    def ask_for_copies(self, sop_instance_uids: Sequence[str]) -> tuple[Row, ...]:
        """Every copy of these instances that the destination tells of; nothing where something goes wrong."""
        rows: list[Row] = []
        if not self._stop.is_set() and self._barrier is None:
            self._read(lambda: self._line.ask_for_copies(sop_instance_uids), rows)
        return tuple(rows)

    def take_occurrences(self) -> Iterator[Occurrence]:
        """What happened to the association since the last time."""
        occurrences, self._occurrences = self._occurrences, []
        yield from occurrences

    def _answers(self, queries: Sequence[Query]) -> Iterator[tuple[Answer, bool]]:
        """An answer to each, and whether it was held back: not asked because of a barrier before it.

        The first is asked alone, so that a destination that refuses us does so once.
        """
        waiting = deque(queries)
        yield self._asked(waiting.popleft())
        with SideLines(self._lines_beside(len(waiting)), waiting, self._stop) as beside:
            while (query := _next_of(waiting)) is not None:
                yield self._asked(query)
                yield from ((answer, False) for answer in beside.answers())
            beside.wait()
            yield from ((answer, False) for answer in beside.answers())
        for query in waiting:  # what failed over a side line
            yield self._asked(query)

    def _asked(self, query: Query) -> tuple[Answer, bool]:
        is_held_back = self._barrier is not None
        return self._answer(query), is_held_back

    def _lines_beside(self, questions: int) -> Sequence[Line]:
        if self._barrier is not None or not self._is_open:
            return ()
        return self._line.beside()[: questions // _FEWEST_QUESTIONS]

    def _answer(self, query: Query) -> Answer:
        asked_at = time.monotonic()
        rows: list[Row] = []
        error = TransferStopped(STOPPED) if self._stop.is_set() else self._barrier
        if error is None:
            error = self._read(lambda: self._line.ask(query), rows)
        return Answer(query, tuple(rows), error, asked_at, time.monotonic())

    def _read(self, ask: Callable[[], Iterator[Row]], rows: list[Row]) -> TransferError | None:
        """Ask, and add what comes to the rows; returns what went wrong."""
        try:
            self._open()
        except TransferError as error:
            return self._not_opened(error)
        if (why := read_rows(ask, rows, self._stop)) is not None:
            return self._broken_off(why)
        self._losses = 0
        return None

    def _open(self) -> None:
        if self._is_open:
            return
        self._line.open()
        self._is_open = True
        self._opened += 1
        self._occurred(self._line.opened, asked=self._line.service)

    def _not_opened(self, error: TransferError) -> TransferError:
        if isinstance(error, _INTERRUPTIONS):
            return TransferStopped(STOPPED)
        self._barrier = error
        self._failed(self._line.name_of_failure(error), error)
        return error

    def _broken_off(self, error: TransferError) -> TransferError:
        is_interrupted = isinstance(error, _INTERRUPTIONS)
        if is_interrupted or self._line.is_lost_by(error):
            self._line.abort()
            self._is_open = False
        if is_interrupted:
            return TransferStopped(STOPPED)
        # A list without end is the fault of that list, though nothing more can be asked over the same line.
        if self._line.is_lost_by(error) and not isinstance(error, ListingEndless):
            self._lost(error)
        return error

    def _lost(self, error: TransferError) -> None:
        self._failed(self._line.lost, error)
        self._losses += 1
        if self._losses >= MOST_LOSSES or not error.retriable:
            self._barrier = error

    def _lift_barrier(self) -> None:
        """A reason that does not pass stays."""
        self._losses = 0
        if self._barrier is not None and self._barrier.retriable:
            self._barrier = None

    def _failed(self, name: str, error: TransferError) -> None:
        self._occurred(name, code=error.code, reason=str(error))

    def _occurred(self, name: str, **detail: Any) -> None:
        detail = {self._line.medium: f"listing {self._opened}"} | detail
        self._occurrences.append(Occurrence(name, datetime.now(UTC), detail))


def _next_of(waiting: deque[Query]) -> Query | None:
    """None where the side lines took the last one."""
    try:
        return waiting.popleft()
    except IndexError:
        return None


def _asked_to_wait(error: TransferError | None) -> float:
    """How many seconds a destination that is too busy asks us to wait."""
    return (error and error.retry_after_seconds) or 0.0
