"""When a sender may open an association, and when there is nothing more to do: what the senders agree on."""

from __future__ import annotations

import time
from enum import Enum, auto
from threading import Condition, Event

from transfers.errors import AssociationError, TransferError, TransferStopped
from transfers.methods.base import ReconnectPolicy
from transfers.methods.store_queue import StoreQueue
from transfers.wire.waiting import Interruption

EXTRA_AFTER_SECONDS = 0.05
"""An extra association is worth its while only if there is still something to send by then."""


class Turn(Enum):
    FIRST = auto()
    """No association stands: this one has to."""
    EXTRA = auto()
    """Another one works; if this one cannot be opened, nothing is lost."""


class Fleet:
    """One sender opens the first association, the others join once it stands.

    Where none stands any more, one sender opens again with the policy's waits, and the others wait for it. So
    associations that are lost at the same moment, with the last of them, are one failure; one that is lost while
    another stands is none, but the next extra one waits as after a failure.
    The fleet is over when it was stopped, or gave up because too many associations in a row brought no answer.
    """

    def __init__(self, policy: ReconnectPolicy, queue: StoreQueue) -> None:
        self._policy = policy
        self._queue = queue
        self._changed = Condition()
        self._over = Event()
        self._connected = 0
        self._first_is_opening = False
        self._extras_opening: set[Interruption] = set()
        self._failures = 0
        self._lost_beside = 0
        """Lost without an answer while another one stood, since the last failure or answer."""
        self._numbers = 0
        self.reason: TransferError | None = None
        """Why it is over, while something was still to be sent."""

    @property
    def is_over(self) -> bool:
        return self._over.is_set()

    @property
    def failures(self) -> int:
        """Associations in a row that brought no answer."""
        return self._failures

    def next_number(self) -> int:
        """A number for the next association, from 1."""
        with self._changed:
            self._numbers += 1
            return self._numbers

    def await_turn(self, interruption: Interruption) -> Turn | None:
        """Wait until the sender may open an association; None when it need not any more.

        An extra one may be interrupted by `interruption` as soon as nothing is left to send over it.
        """
        while turn := self._next_turn():
            if turn is Turn.FIRST:
                waits = self._policy.wait_seconds(self._failures) if self._failures else 0.0
                return None if self._over.wait(waits) else turn
            if self._may_open_extra(interruption):
                return turn
        return None

    def opened(self, turn: Turn, interruption: Interruption) -> bool:
        """Whether the association is to be used: not where it was interrupted just then."""
        with self._changed:
            self._end_turn(turn, interruption)
            if interruption.is_set:
                return False
            self._connected += 1
            return True

    def open_failed(self, turn: Turn, interruption: Interruption, error: AssociationError) -> bool:
        """Whether the sender should ask for another turn: not where it was an extra and another one works."""
        with self._changed:
            self._end_turn(turn, interruption)
            if turn is Turn.EXTRA:
                return not self._connected and not interruption.is_set
        self._failed(error, is_final=not error.retriable)
        return True

    def answered(self) -> None:
        """An instance was answered: whatever failed before is forgotten."""
        self._failures = self._lost_beside = 0

    def ended(self, error: AssociationError | None = None, *, had_answers: bool = True) -> None:
        """An association was released, aborted by us, or (with an error) lost."""
        with self._changed:
            self._connected -= 1
            self._changed.notify_all()
            if error is None or had_answers:
                return
            if self._connected:
                self._lost_beside += 1
            else:
                self._failed(error)

    def nothing_waits(self) -> None:
        """Where the whole queue is empty, who still waits for an association need not."""
        with self._changed:
            if not self._queue.is_empty():
                return
            for interruption in self._extras_opening:
                interruption.set()
            self._changed.notify_all()

    def stop(self) -> None:
        """Begin nothing more."""
        self._end(TransferStopped())

    def _next_turn(self) -> Turn | None:
        with self._changed:
            while not self._is_idle():
                if self._connected:
                    return Turn.EXTRA
                if not self._first_is_opening:
                    self._first_is_opening = True
                    return Turn.FIRST
                self._changed.wait()
        return None

    def _may_open_extra(self, interruption: Interruption) -> bool:
        """Wait a moment, and longer after losses; whether another association stands all that time."""
        waits = self._policy.wait_seconds(self._lost_beside) if self._lost_beside else EXTRA_AFTER_SECONDS
        until = time.monotonic() + waits
        with self._changed:
            while self._connected and not self._is_idle():
                left = until - time.monotonic()
                if left <= 0:
                    self._extras_opening.add(interruption)
                    return True
                self._changed.wait(left)
        return False

    def _is_idle(self) -> bool:
        return self.is_over or self._queue.is_empty()

    def _end_turn(self, turn: Turn, interruption: Interruption) -> None:
        if turn is Turn.FIRST:
            self._first_is_opening = False
        self._extras_opening.discard(interruption)
        self._changed.notify_all()

    def _failed(self, error: AssociationError, *, is_final: bool = False) -> None:
        self._failures += 1
        self._lost_beside = 0
        if is_final or self._failures >= self._policy.attempts:
            self._end(error)

    def _end(self, reason: TransferError) -> None:
        with self._changed:
            self.reason = self.reason or reason
            self._over.set()
            for interruption in self._extras_opening:
                interruption.set()
            self._changed.notify_all()
