"""How many associations a scripted archive serves at once."""

from __future__ import annotations

from threading import Condition


class Turns:
    """A turn is taken by whoever serves an association, and given back at its end."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._holders: set[object] = set()
        self._closed = False
        self.limit: int | None = None
        self.most_at_once = 0

    def take(self, holder: object, *, patiently: bool) -> bool:
        """Whether there is a turn to have; patiently, as soon as there is."""
        with self._changed:
            if patiently:
                self._changed.wait_for(lambda: self._closed or self._is_free())
            elif not self._is_free():
                return False
            self._holders.add(holder)
            self.most_at_once = max(self.most_at_once, len(self._holders))
            return True

    def give_back(self, holder: object) -> None:
        with self._changed:
            self._holders.discard(holder)
            self._changed.notify_all()

    def close(self) -> None:
        """Let all who wait go on, to find their connections broken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _is_free(self) -> bool:
        return self.limit is None or len(self._holders) < self.limit
