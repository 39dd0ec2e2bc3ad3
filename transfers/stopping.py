"""An event for who listens to several others. Pure."""

from __future__ import annotations

import time
from threading import Event

_LOOK_SECONDS = 0.1


class AnyOf(Event):
    """Set when it is set itself, or any of those that it was made from; they know nothing of it."""

    def __init__(self, *events: Event) -> None:
        super().__init__()
        self._events = events

    def is_set(self) -> bool:
        return super().is_set() or any(event.is_set() for event in self._events)

    def wait(self, timeout: float | None = None) -> bool:
        """As `Event.wait`, up to a tenth of a second late where another one is set."""
        until = None if timeout is None else time.monotonic() + timeout
        while not self.is_set():
            left = _LOOK_SECONDS if until is None else min(_LOOK_SECONDS, until - time.monotonic())
            if left <= 0:
                return False
            super().wait(left)
        return True
