"""When a push has to end: at once, or for a commit that is under way a moment later."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock

from transfers.errors import TransferStopped
from transfers.stopping import AnyOf

GRACE_SECONDS = 1.5
"""How long the answer to a commit is still waited for."""


class Halting:
    """Shared by the threads of a push, and the generator that looks after them."""

    def __init__(self, stop: Event) -> None:
        self._closed = Event()
        self._lock = Lock()
        self._is_committing = False
        self._halted_at: float | None = None
        self.stopping = AnyOf(stop, self._closed)
        """Nothing new begins."""
        self.cut = Event()
        """Requests that are under way end at once."""

    def look(self) -> None:
        """To be called again and again: cuts what is under way, soon after it was stopped."""
        if not self.stopping.is_set():
            return
        with self._lock:
            if self._halted_at is None:
                self._halted_at = time.monotonic()
            if not self._is_committing or time.monotonic() - self._halted_at > GRACE_SECONDS:
                self.cut.set()

    def close(self) -> None:
        """End everything now."""
        self._closed.set()
        self.cut.set()

    @contextmanager
    def committing(self) -> Iterator[None]:
        """A commit is under way in the block. Raises TransferStopped where none may begin any more."""
        with self._lock:
            if self.stopping.is_set():
                raise TransferStopped
            self._is_committing = True
        try:
            yield
        finally:
            with self._lock:
                self._is_committing = False
