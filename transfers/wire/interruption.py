"""How one thread ends another's waiting for the network, at once."""

from __future__ import annotations

import os


class Interruption:
    """Polled beside a socket: once set, every wait of the association that was given it ends with an error.

    Safe to set from any thread, and more than once. Close it when no association uses it any more.
    """

    def __init__(self) -> None:
        self._read_end, self._write_end = os.pipe()
        os.set_blocking(self._write_end, False)
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
