"""HTTP connections that another thread can end: when the transfer is stopped, or when an answer takes too long in all.

A time-out of a socket ends only a peer that is silent; one that sends a byte now and then has to be ended from outside.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Lock, Thread, local
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util import Url

_LOOK_SECONDS = 0.1


class Exchange:
    """One request and its answer; the connection that carries it makes itself known."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._socket: socket.socket | None = None
        self.is_connected = False
        """Whether there is, or was, a connection that it could be written to."""
        self.is_on_used_connection = False
        """Whether the connection had served another request before."""
        self.was_stopped = False
        self.is_overdue = False

    def renew(self) -> None:
        """Give it the same time again: something useful came."""
        self._deadline = time.monotonic() + self._seconds

    def is_carried_by(self, connected: socket.socket, *, is_used: bool) -> None:
        self._socket, self.is_connected, self.is_on_used_connection = connected, True, is_used

    def let_go(self) -> None:
        """The answer has been read: the connection may carry another by now."""
        self._socket = None

    def look(self, stop: Event) -> None:
        """End it where it has to end; whoever waits for its socket wakes up with an error."""
        self.was_stopped = self.was_stopped or stop.is_set()
        self.is_overdue = self.is_overdue or time.monotonic() > self._deadline
        carrier = self._socket
        if carrier is not None and (self.was_stopped or self.is_overdue):
            with suppress(OSError):  # not by the method of an SSLSocket, which is not made for a second thread
                socket.socket.shutdown(carrier, socket.SHUT_RDWR)


class Watch:
    """Looks after the exchanges of one session, in a thread of its own that ends when it is closed."""

    def __init__(self, stop: Event) -> None:
        self._stop = stop
        self._ended = Event()
        self._lock = Lock()
        self._exchanges: set[Exchange] = set()
        self._thread: Thread | None = None

    def begin(self, seconds: float) -> Exchange:
        exchange = Exchange(seconds)
        with self._lock:
            self._exchanges.add(exchange)
            if self._thread is None:
                self._thread = Thread(target=self._look, name="watch over HTTP requests", daemon=True)
                self._thread.start()
        return exchange

    def finish(self, exchange: Exchange) -> None:
        with self._lock:
            self._exchanges.discard(exchange)

    def close(self) -> None:
        """Once nothing is under way any more; its thread is gone then."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            with self._lock:
                exchanges = list(self._exchanges)
            for exchange in exchanges:
                exchange.look(self._stop)


_here = local()
"""`exchange`: what this thread is about to send."""


@contextmanager
def carrying(exchange: Exchange) -> Iterator[None]:
    """Whatever connection is used by this thread in the block carries this exchange."""
    _here.exchange = exchange
    try:
        yield
    finally:
        _here.exchange = None


def _make_known(connection: HTTPConnection, *, is_used: bool) -> None:
    exchange: Exchange | None = getattr(_here, "exchange", None)
    if exchange is not None and connection.sock is not None:
        exchange.is_carried_by(connection.sock, is_used=is_used)


class _Connection(HTTPConnection):
    def connect(self) -> None:
        super().connect()
        _make_known(self, is_used=False)

    def putrequest(self, *arguments: Any, **options: Any) -> None:
        _make_known(self, is_used=True)
        super().putrequest(*arguments, **options)


class _SecureConnection(HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        _make_known(self, is_used=False)

    def putrequest(self, *arguments: Any, **options: Any) -> None:
        _make_known(self, is_used=True)
        super().putrequest(*arguments, **options)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


def watched_pool(url: Url, **options: Any) -> HTTPConnectionPool:
    """Connections to the origin of a URL that make themselves known; `options` as urllib3 has them."""
    pool = _SecurePool if url.scheme == "https" else _Pool
    return pool(url.host or "", url.port, **options)
