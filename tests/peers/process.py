"""A peer's process: started on ports that are free, waited for, and ended by the handle that started it."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

HOST = "127.0.0.1"
PORTS = range(20000, 32000)
"""Below the range from which the kernel takes the ports of outgoing connections."""
READY_SECONDS = 20.0
STOP_SECONDS = 10.0
TAIL_LINES = 40


class PeerFailed(AssertionError):
    """The peer did not start, or not stop; the message ends with what it wrote last."""


class Process:
    """Started when made; everything it writes goes to `log`."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.log = log
        self._name = Path(command[0]).name
        self._stop_signal = stop_signal
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | dict(environment or {}),
                cwd=log.parent,
                user=user,
                group=user,
                extra_groups=[] if user else None,
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    def wait_until_ready(self, is_ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not is_ready():
            if self._popen.poll() is not None:
                raise PeerFailed(f"{self._name} ended with {self._popen.returncode} before it was ready{self.tail()}")
            if time.monotonic() > deadline:
                self.stop()
                raise PeerFailed(f"{self._name} was not ready after {READY_SECONDS:g} seconds{self.tail()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it: asked to, then made to."""
        if self._popen.poll() is None:
            self._popen.send_signal(self._stop_signal)
        try:
            self._popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._popen.kill()
        self._popen.wait(STOP_SECONDS)

    def tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        return "\n".join(["; it wrote last:", *lines])


def free_port() -> int:
    """A port of loopback on which nothing listens."""
    for port in random.sample(PORTS, 100):
        with closing(socket.socket()) as candidate:
            try:
                candidate.bind((HOST, port))
            except OSError:
                continue
            return port
    raise PeerFailed("no free port was found")


def is_listening(port: int) -> bool:
    with closing(socket.socket()) as attempt:
        attempt.settimeout(1)
        return attempt.connect_ex((HOST, port)) == 0
