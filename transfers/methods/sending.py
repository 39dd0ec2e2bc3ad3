"""One send: its threads, and the generator that hands on what they see."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Sequence
from threading import Event, Lock, Thread
from typing import Protocol

from transfers.errors import TransferError, TransferStopped
from transfers.methods.base import Seen
from transfers.methods.journal import Journal
from transfers.methods.task import SendTask

LOOK_SECONDS = 0.05
"""How often what was seen is handed on: woken for each instance, the reader would take the senders' time."""
GRACE_SECONDS = 2.0
"""How long a stopped send waits for the answers that are under way."""


class SenderThread(Thread):
    """One of the threads of a send. It ends by itself once nothing is left to do."""

    error: BaseException | None = None
    """An error of ours, never the destination's."""

    def interrupt(self) -> None:
        """End at once whatever it waits for."""
        raise NotImplementedError

    def close(self) -> None:
        """Once it has ended: let go of what it held."""


class Course(Protocol):
    """What the senders of one send agree on: whether to go on."""

    reason: TransferError | None
    """Why it is over, while something was still to be sent."""

    def stop(self) -> None:
        """Begin nothing more."""
        ...


class Waiting(Protocol):
    """What is still to be sent."""

    def take_all(self) -> Iterable[SendTask]:
        """Everything that waits, taken."""
        ...


class Sending:
    """The threads of one send, and the thread that reads what they see."""

    def __init__(self, course: Course, queue: Waiting, journal: Journal, stop: Event) -> None:
        self._course = course
        self._queue = queue
        self._journal = journal
        self._stop = stop
        self._stopped_at: float | None = None
        self._lock = Lock()
        self._all_ended = Event()
        self._senders: Sequence[SenderThread] = ()
        self._running = 0

    def one_ended(self) -> None:
        """To be told by each of the threads when it ends."""
        with self._lock:
            self._running -= 1
            if not self._running:
                self._all_ended.set()

    def observations(self, senders: Sequence[SenderThread]) -> Generator[Seen, None, None]:
        """Start the threads, and yield what they see; closing it ends them. Raises an error of ours."""
        self._senders, self._running = senders, len(senders)
        if self._stop.is_set():
            self._stop_in_time()
        try:
            for sender in senders:
                sender.start()
            while self._is_under_way():
                yield None
                yield from self._journal.read()
            yield from self._journal.read()
            self._raise_error()
            self._record_leftovers()
            yield from self._journal.read()
        finally:
            self._end()

    def _is_under_way(self) -> bool:
        """Wait a moment; whether a sender still runs."""
        if self._all_ended.wait(LOOK_SECONDS):
            return False
        if self._stop.is_set():
            self._stop_in_time()
        return True

    def _stop_in_time(self) -> None:
        if self._stopped_at is None:
            self._stopped_at = time.monotonic()
            self._course.stop()
        elif time.monotonic() - self._stopped_at > GRACE_SECONDS:
            self._interrupt()

    def _raise_error(self) -> None:
        for sender in self._senders:
            if sender.error is not None:
                raise sender.error

    def _record_leftovers(self) -> None:
        """Say of everything that still waits why it was not sent."""
        reason = self._course.reason or TransferStopped()
        for task in self._queue.take_all():
            if task.losses:
                self._journal.no_answer(task, reason, will_be_sent_again=False)
            else:
                self._journal.not_sent(task, reason)

    def _end(self) -> None:
        """End the threads at once, if they have not ended by themselves, and wait until they have."""
        if not self._all_ended.is_set():
            self._course.stop()
            self._interrupt()
        for sender in self._senders:
            if sender.ident is not None:
                sender.join()
            sender.close()

    def _interrupt(self) -> None:
        for sender in self._senders:
            sender.interrupt()
