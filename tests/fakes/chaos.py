"""A bad network: a TCP proxy on loopback that cuts, stalls and slows connections, whatever is spoken over them."""

from __future__ import annotations

import random
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Self

from tests.peers.process import HOST

RECEIVE_BYTES = 1 << 16
SLOW_PIECE_BYTES = 1024
SLOW_PIECE_SECONDS = 0.005
_LOOK_SECONDS = 0.05
_REACHES = (0, 400, 4_000, 30_000, 100_000)
"""How far into a connection a random fault may come: at its beginning, in a handshake, in a message, in the data."""


class Deed(StrEnum):
    """What is done to a connection."""

    CUT = "cut"
    """Both sides see it closed in good order, in the middle of whatever was said."""
    RESET = "reset"
    """Both sides see it broken."""
    STALL = "stall"
    """Nothing more comes through for a while; if one side hangs up meanwhile, what was held back is lost."""
    SLOW = "slow"
    """For a while little comes through."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Done once, in one direction of a connection."""

    deed: Deed
    after_bytes: int
    """So many came through in that direction before."""
    is_in_answers: bool = False
    """Counted from the server to the client, not from the client to the server."""
    seconds: float = 3600.0
    """How long it is stalled, or slow."""


Plan = Callable[[int], Fault | None]
"""From the number of a connection (from 1) to what is done to it."""


def undisturbed(_number: int) -> None:
    """Everything comes through."""


def random_faults(dice: random.Random, *, most: int, share: float = 0.7, longest_seconds: float = 2.0) -> Plan:
    """So many faults, each at a random point of this share of the connections; after them everything comes through."""
    left = most

    def plan(_number: int) -> Fault | None:
        nonlocal left
        if not left or dice.random() > share:
            return None
        left -= 1
        return Fault(
            deed=dice.choice(list(Deed)),
            after_bytes=dice.randint(0, dice.choice(_REACHES)),
            is_in_answers=dice.random() < 0.4,
            seconds=dice.uniform(0.1, longest_seconds),
        )

    return plan


class Chaos:
    """A context manager: stands on `port` in front of another port of this machine."""

    def __init__(self, behind: int, plan: Plan = undisturbed) -> None:
        self.behind = behind
        self.plan = plan
        """May be changed at any time: for the connections to come."""
        self.watch: Callable[[int], None] | None = None
        """Told how many bytes clients have sent in all, in the thread that is about to hand them on."""
        self.done: list[Fault] = []
        """What was done, in order."""
        self.connections = 0
        self._sent_bytes = 0
        self._lines: set[_Line] = set()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._listener = socket.create_server((HOST, 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, name="chaos", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.shut()
        with self._lock:
            lines = list(self._lines)
        for line in lines:
            line.end()

    def shut(self) -> None:
        """Refuse every connection to come."""
        self._ended.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._connect(client, self.plan(self.connections))

    def _connect(self, client: socket.socket, fault: Fault | None) -> None:
        try:
            server = socket.create_connection((HOST, self.behind), timeout=5)
        except OSError:
            _close(client, resets=True)
            return
        line = _Line(self, client, server, fault)
        with self._lock:
            self._lines.add(line)
        line.start()

    def count(self, length: int) -> None:
        with self._lock:
            self._sent_bytes += length
            total = self._sent_bytes
        if self.watch is not None:
            self.watch(total)

    def note(self, fault: Fault) -> None:
        self.done.append(fault)

    def forget(self, line: _Line) -> None:
        with self._lock:
            self._lines.discard(line)


class _Line:
    """One connection, with a thread for each of its directions."""

    def __init__(self, chaos: Chaos, client: socket.socket, server: socket.socket, fault: Fault | None) -> None:
        self._chaos = chaos
        self._client, self._server = client, server
        self._fault = fault
        self._ended = threading.Event()
        self._running = 2
        self._lock = threading.Lock()
        for each in (client, server):
            each.settimeout(None)
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start(self) -> None:
        for is_answer in (False, True):
            threading.Thread(target=self._run, args=(is_answer,), name="chaos-line", daemon=True).start()

    def end(self, *, resets: bool = False) -> None:
        """From any thread: both of its threads notice."""
        self._ended.set()
        for each in (self._client, self._server):
            with suppress(OSError):
                if resets:
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                else:
                    each.shutdown(socket.SHUT_WR)
            with suppress(OSError):
                each.shutdown(socket.SHUT_RD)

    def _run(self, is_answer: bool) -> None:
        source, sink = (self._server, self._client) if is_answer else (self._client, self._server)
        fault = self._fault if self._fault and self._fault.is_in_answers == is_answer else None
        try:
            self._pump(source, sink, fault, is_answer)
            if not self._ended.is_set():
                sink.shutdown(socket.SHUT_WR)
        except OSError:
            self.end()
        finally:
            self._leave()

    def _pump(self, source: socket.socket, sink: socket.socket, fault: Fault | None, is_answer: bool) -> None:
        passed = 0
        if fault and not fault.after_bytes:
            self._do(fault, source, sink, b"")
            fault = None
        while not self._ended.is_set() and (data := source.recv(RECEIVE_BYTES)):
            if not is_answer:
                self._chaos.count(len(data))
            if fault and passed + len(data) >= fault.after_bytes:
                reached = fault.after_bytes - passed
                sink.sendall(data[:reached])
                self._do(fault, source, sink, data[reached:])
                fault = None
            else:
                sink.sendall(data)
            passed += len(data)

    def _do(self, fault: Fault, source: socket.socket, sink: socket.socket, rest: bytes) -> None:
        self._chaos.note(fault)
        match fault.deed:
            case Deed.CUT:
                self.end()
            case Deed.RESET:
                self.end(resets=True)
            case Deed.STALL:
                self._stall(fault.seconds)
                sink.sendall(rest)
            case Deed.SLOW:
                self._trickle(source, sink, rest, fault.seconds)

    def _stall(self, seconds: float) -> None:
        """Until the time is over, or one side hangs up: then the other sees it, and gets no more."""
        poll = select.poll()
        for each in (self._client, self._server):
            poll.register(each, select.POLLRDHUP)
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._ended.is_set():
            if poll.poll(_LOOK_SECONDS * 1000):
                self.end()
        if self._ended.is_set():
            raise ConnectionAbortedError

    def _trickle(self, source: socket.socket, sink: socket.socket, rest: bytes, seconds: float) -> None:
        until = time.monotonic() + seconds
        while rest and not self._ended.is_set():
            for offset in range(0, len(rest), SLOW_PIECE_BYTES):
                sink.sendall(rest[offset : offset + SLOW_PIECE_BYTES])
                if time.monotonic() < until:
                    self._ended.wait(SLOW_PIECE_SECONDS)
            if time.monotonic() >= until:
                return
            rest = source.recv(RECEIVE_BYTES)

    def _leave(self) -> None:
        """The last of the two closes."""
        with self._lock:
            self._running -= 1
            is_last = not self._running
        if is_last:
            self._chaos.forget(self)
            _close(self._client)
            _close(self._server)


def _close(connection: socket.socket, *, resets: bool = False) -> None:
    with suppress(OSError):
        if resets:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
