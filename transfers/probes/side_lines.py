"""Questions over several lines at once: for archives that take longer to think than to tell."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from queue import Empty, SimpleQueue
from threading import Event, Thread
from types import TracebackType
from typing import Self

from transfers.errors import TransferError
from transfers.probes.answers import Answer
from transfers.probes.lines import Line, read_rows
from transfers.wire.identifiers import Query, Row


class SideLines:
    """A context manager: one thread a line, each taking questions from the queue that it shares with the owner.

    Only finished answers come of it. A question that fails goes back to the front of the queue, and its thread ends:
    what follows from a failure is decided where the owner meets it.
    """

    def __init__(self, lines: Sequence[Line], questions: deque[Query], stop: Event) -> None:
        self._questions = questions
        self._stop = stop
        self._ending = Event()
        self._answers: SimpleQueue[Answer] = SimpleQueue()
        self._error: BaseException | None = None
        """An error of ours, never the destination's."""
        self._threads = [Thread(target=self._work, args=(line,), name="side-line", daemon=True) for line in lines]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        self._ending.set()
        self._join()

    def answers(self) -> Iterator[Answer]:
        """What has come since the last time."""
        while True:
            try:
                yield self._answers.get_nowait()
            except Empty:
                return

    def wait(self) -> None:
        """Until nothing is asked any more: each thread finds the queue empty, or has given back its question."""
        self._join()
        if self._error is not None:
            raise self._error

    def _join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _work(self, line: Line) -> None:
        try:
            line.open()
        except TransferError:
            return
        try:
            while not (self._stop.is_set() or self._ending.is_set()) and self._ask_next(line):
                pass
        except BaseException as error:  # noqa: BLE001  # handed to the owner
            self._error = error
        finally:
            line.abort()

    def _ask_next(self, line: Line) -> bool:
        """Whether there may be another one after it."""
        try:
            query = self._questions.popleft()
        except IndexError:
            return False
        asked_at = time.monotonic()
        rows: list[Row] = []
        if read_rows(lambda: line.ask(query), rows, self._stop) is not None:
            self._questions.appendleft(query)
            return False
        self._answers.put(Answer(query, tuple(rows), None, asked_at, time.monotonic()))
        return True
