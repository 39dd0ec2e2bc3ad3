"""When a sender may make another request, and when there is nothing more to do: what the senders agree on."""

from __future__ import annotations

import time
from threading import Condition

from transfers.errors import TransferError, TransferStopped
from transfers.methods.base import ReconnectPolicy

LONGEST_RETRY_AFTER_SECONDS = 120.0
"""A service that asks for more patience than this gets no more of it within one send."""


class HttpCourse:
    """Requests that fail at the same moment are one failure; after it all of them wait, as the policy has it.

    It is over when it was stopped, when a failure will not pass, or when too many in a row brought no answer.
    """

    def __init__(self, policy: ReconnectPolicy) -> None:
        self._policy = policy
        self._changed = Condition()
        self._not_before = 0.0
        self._failed_at = 0.0
        self._requests = 0
        self.failures = 0
        """Requests in a row that brought no answer."""
        self.reason: TransferError | None = None
        """Why it is over, while something was still to be sent."""

    @property
    def is_over(self) -> bool:
        return self.reason is not None

    def await_turn(self) -> int | None:
        """Wait until a request may be made; its number, from 1, or None when it need not be any more."""
        with self._changed:
            while not self.is_over:
                left = self._not_before - time.monotonic()
                if left <= 0:
                    self._requests += 1
                    return self._requests
                self._changed.wait(left)
        return None

    def answered(self) -> None:
        """A request was answered: whatever failed before is forgotten."""
        self.failures = 0

    def failed(self, error: TransferError, begun_at: float) -> None:
        """A request that began then (of the monotonic clock) brought no answer."""
        with self._changed:
            if begun_at < self._failed_at:
                return
            self._failed_at = time.monotonic()
            self.failures += 1
            asked = error.retry_after_seconds or 0.0
            is_final = not error.retriable or self.failures >= self._policy.attempts
            if is_final or asked > LONGEST_RETRY_AFTER_SECONDS:
                self._end(error)
            else:
                self._not_before = self._failed_at + max(asked, self._policy.wait_seconds(self.failures))

    def stop(self) -> None:
        """Begin nothing more."""
        with self._changed:
            self._end(TransferStopped())

    def _end(self, reason: TransferError) -> None:
        self.reason = self.reason or reason
        self._changed.notify_all()
