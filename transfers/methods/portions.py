"""What is still to be sent in requests: one queue that all senders take from, portion by portion."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from threading import Lock
from typing import NamedTuple

from audit.entries import ManifestEntry
from transfers.methods.task import SendTask


class PortionLimits(NamedTuple):
    """How much goes in one request; one instance always does."""

    instances: int = 1
    size_bytes: int | None = None


class PortionQueue:
    """Shared by the senders; every task is taken by one of them at a time."""

    def __init__(self, entries: Sequence[ManifestEntry], limits: PortionLimits) -> None:
        self._limits = limits
        self._lock = Lock()
        self._waiting = deque(SendTask(entry) for entry in entries)
        self._again: deque[list[SendTask]] = deque()
        """Requests that were lost: each is sent again as it was, once nothing else waits."""

    def take(self) -> list[SendTask]:
        """What goes in the next request; empty where nothing waits."""
        with self._lock:
            if self._waiting:
                return self._next()
            return self._again.popleft() if self._again else []

    def limit_to(self, instances: int) -> None:
        """From now on, no more than so many in a request that was not sent yet."""
        with self._lock:
            self._limits = self._limits._replace(instances=min(self._limits.instances, max(1, instances)))

    def give_back(self, portion: Sequence[SendTask]) -> None:
        """Put back what was not begun: it is the next."""
        with self._lock:
            self._waiting.extendleft(reversed(portion))

    def put_last(self, portion: Sequence[SendTask]) -> None:
        """Put back a request that was lost: the others first, for something in it may be to blame."""
        with self._lock:
            self._again.append(list(portion))

    def take_all(self) -> Iterator[SendTask]:
        """Everything that waits, taken."""
        while portion := self.take():
            yield from portion

    def _next(self) -> list[SendTask]:
        portion = [self._waiting.popleft()]
        size = portion[0].entry.data_set_size
        while self._waiting and len(portion) < self._limits.instances:
            size += self._waiting[0].entry.data_set_size
            if self._limits.size_bytes is not None and size > self._limits.size_bytes:
                break
            portion.append(self._waiting.popleft())
        return portion
