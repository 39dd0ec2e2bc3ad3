"""A DICOM archive on loopback that does whatever its script says: for the faults that no real one can be made to show.

It speaks the real protocol over its own sockets; `log` keeps what it saw, `stored` what it has. Without a script it
takes every SOP class in every transfer syntax, keeps the bytes, and answers C-ECHO, C-STORE, C-FIND (Study Root) and
requests for storage commitment as it should.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Self

from tests.fakes.association import ServedAssociation
from tests.fakes.commitment import Report
from tests.fakes.holdings import Holding, holding_of
from tests.fakes.link import Link
from tests.fakes.log import Log
from tests.fakes.reporting import deliver
from tests.fakes.script import Row, Script
from tests.fakes.turns import Turns
from transfers.endpoints import DicomEndpoint, Timeouts

HOST = "127.0.0.1"


class Archive:
    """Starts listening when made; `stop` (or leaving the context) ends every connection and joins every thread."""

    host = HOST

    def __init__(
        self, script: Script | None = None, *, ae_title: str = "SCRIPTED", tls: ssl.SSLContext | None = None
    ) -> None:
        self.script = script or Script()
        self.ae_title = ae_title
        self.tls = tls
        self.log = Log()
        self.turns = Turns()
        self.turns.limit = self.script.associations_at_once
        self.stored: dict[str, Holding] = {holding.sop_instance_uid: holding for holding in self.script.holdings}
        self.stopping = Event()
        self._lock = Lock()
        self._links: set[Link] = set()
        self._threads: list[Thread] = []
        self._connections = count(1)
        # Bound but never listening: while the archive is dead its port stays free for nobody else.
        self._placeholder = _bound_socket(0)
        self.port: int = self._placeholder.getsockname()[1]
        self._listener: socket.socket | None = None
        self.come_back()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def endpoint(self, *, associations: int = 1, timeouts: Timeouts | None = None) -> DicomEndpoint:
        """Where it is, for what is tested."""
        return DicomEndpoint(
            HOST, self.port, self.ae_title, "TALLYMAN", timeouts=timeouts or Timeouts(), associations=associations
        )

    def hold(self, *paths: Path) -> None:
        """Have had these Part 10 files for long."""
        for path in paths:
            self.keep(holding_of(path))

    def keep(self, holding: Holding) -> None:
        with self._lock:
            if self.script.overwrites or holding.sop_instance_uid not in self.stored:
                self.stored[holding.sop_instance_uid] = holding

    def listed(self) -> list[Row]:
        """What a C-FIND may tell at this moment."""
        with self._lock:
            holdings = list(self.stored.values())
        until = time.monotonic() - self.script.late_seconds
        visible = [
            each for each in holdings if each.stored_at <= until and each.sop_instance_uid not in self.script.hides
        ]
        return [each.identity for each in visible if each.identity]

    def report(self, report: Report, *, port: int | None = None, asked_by: str = "TALLYMAN") -> None:
        """Bring a report over a new association, whether or not anybody asked; returns before it is there."""
        port = port or self.script.reports_to
        assert port is not None, "whereto?"
        self._start(deliver, self, report, port, asked_by)

    def wait_until(self, is_so: Callable[[Archive], bool], *, seconds: float = 10.0) -> None:
        """Wait for what another thread is about to bring; AssertionError where it does not."""
        deadline = time.monotonic() + seconds
        while not is_so(self):
            assert time.monotonic() < deadline, f"it was not so within {seconds} seconds; {vars(self.log)}"
            time.sleep(0.005)

    # Life and death

    def stop(self) -> None:
        self.stopping.set()
        self.turns.close()
        self._stop_listening()
        self._placeholder.close()
        for thread in self._threads:
            thread.join(timeout=10)
        alive = [thread.name for thread in self._threads if thread.is_alive()]
        assert not alive, f"threads of the scripted archive that do not end: {alive}"

    def die(self, *, returns_after_seconds: float | None = None) -> None:
        """Break every connection and leave the port, as a killed process does."""
        self._stop_listening()
        if returns_after_seconds is not None:
            self._start(self._come_back_later, returns_after_seconds)

    def come_back(self) -> None:
        """Listen (again) on the same port, with what was stored."""
        with self._lock:
            if self.stopping.is_set():
                return
            listener = _bound_socket(self.port)
            listener.listen(64)
            self._listener = listener
            self._start(self._accept, listener)

    def _come_back_later(self, seconds: float) -> None:
        self.stopping.wait(seconds)
        self.come_back()

    def _stop_listening(self) -> None:
        with self._lock:
            listener, self._listener = self._listener, None
            links = list(self._links)
        if listener is not None:
            listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            listener.close()
        for link in links:
            link.break_off()

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = Thread(target=target, args=arguments, name=f"scripted archive {self.port}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # it was closed
            link = Link(connection)
            if self._admit(link, listener):
                self._start(self._serve, link)
            else:
                link.close()

    def _admit(self, link: Link, listener: socket.socket) -> bool:
        with self._lock:
            if listener is not self._listener:
                return False
            self._links.add(link)
            return True

    def _serve(self, link: Link) -> None:
        served = ServedAssociation(self, link, next(self._connections))
        try:
            served.serve(self.tls)
        finally:
            self.turns.give_back(served)
            with self._lock:
                self._links.discard(link)


def _bound_socket(port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((HOST, port))
    return bound
