"""Waiting for the network: always for a limited time, and ended at once by another thread that says so."""

from __future__ import annotations

import os
import select
import socket

from transfers.errors import AssociationInterrupted

READING = select.POLLIN
WRITING = select.POLLOUT


class Interruption:
    """Once set, every wait of the associations that were given it ends with AssociationInterrupted.

    Safe to set from any thread, and more than once. Close it when no association uses it any more.
    """

    def __init__(self) -> None:
        self._read_end, self._write_end = os.pipe()
        self.is_set = False

    def fileno(self) -> int:
        return self._read_end

    def set(self) -> None:
        if not self.is_set:
            self.is_set = True
            os.write(self._write_end, b"!")

    def close(self) -> None:
        os.close(self._read_end)
        os.close(self._write_end)


class Waiter:
    """Waits for a socket, and for an Interruption beside it."""

    def __init__(self, watched: socket.socket, interruption: Interruption | None) -> None:
        self._descriptor = watched.fileno()
        self._interruption = interruption
        self._poll = select.poll()
        if interruption is not None:
            self._poll.register(interruption.fileno(), select.POLLIN)

    def wait(self, events: int, seconds: float) -> int:
        """Return the events that came (an error or a hang-up counts as all of them), 0 after the time given."""
        self._poll.register(self._descriptor, events)
        ready = dict(self._poll.poll(max(0.0, seconds) * 1000))
        self.check_interruption()
        came = ready.get(self._descriptor, 0)
        return events if came & ~events else came

    def check_interruption(self) -> None:
        """Raise AssociationInterrupted where it was set."""
        if self._interruption is not None and self._interruption.is_set:
            raise AssociationInterrupted
