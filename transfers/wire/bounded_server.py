"""pynetdicom's association server with bounds on what a peer may make it hold, wait for and start."""

from __future__ import annotations

import contextlib
import logging
import math
import socket
import ssl
import sys
import time
from socketserver import BaseServer
from threading import Lock
from typing import Any

from pynetdicom.association import Association
from pynetdicom.transport import ThreadedAssociationServer

logger = logging.getLogger(__name__)

LARGEST_MESSAGE = 16_777_216
"""Bytes; a report of 100,000 instances has 12 million."""
MESSAGE_SECONDS = 60.0
"""From the first byte of a message to its last."""
SILENCE_SECONDS = 30.0
"""Within a PDU, or a TLS handshake."""
MOST_UNDER_WAY = 4
"""Messages of one connection that are being worked on; pynetdicom starts a thread for each."""


class Bounds:
    """What one connection may bring, beside a socket; reading more than that breaks the connection off."""

    under_way = 0
    """Counted by whoever works on the messages."""
    _received = 0
    _deadline = math.inf

    def expect_message(self) -> None:
        """Begin to count anew."""
        self._received = 0

    def check(self, size: int) -> None:
        """Raise ConnectionAbortedError where so many bytes more are too many, or come too late."""
        if not self._received:
            self._deadline = time.monotonic() + MESSAGE_SECONDS
        self._received += size
        if self._received > LARGEST_MESSAGE or time.monotonic() > self._deadline or self.under_way > MOST_UNDER_WAY:
            logger.warning("A peer of the DICOM listener goes beyond all bounds", extra={"action": "peer_broken_off"})
            raise ConnectionAbortedError("more than a peer may send")


class _PlainSocket(Bounds, socket.socket):
    def recv(self, size: int, flags: int = 0) -> bytes:
        self.check(size)
        return super().recv(size, flags)


class _TlsSocket(Bounds, ssl.SSLSocket):
    def recv(self, size: int = 1024, flags: int = 0) -> bytes:
        self.check(size)
        return super().recv(size, flags)


class BoundedServer(ThreadedAssociationServer):
    """Made by `AE.make_server`; shakes hands for TLS in the thread of the connection, so that nobody else waits."""

    daemon_threads = True
    tls: ssl.SSLContext | None = None
    most_connections = 64

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._connections: set[socket.socket] = set()
        self._lock = Lock()
        self._being_begun = 0
        self._is_stopping = False
        super().__init__(*arguments, **options)

    def get_request(self) -> tuple[socket.socket, Any]:
        assert self.socket is not None
        accepted, address = self.socket.accept()
        connection = _PlainSocket(fileno=accepted.detach())
        connection.settimeout(SILENCE_SECONDS)
        return connection, address

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002
        """Whether there is room for one more connection, before anything is read of it."""
        self._connections = {each for each in self._connections if each.fileno() >= 0}
        if len(self._connections) >= self.most_connections:
            logger.warning("The DICOM listener has no room for a connection", extra={"action": "connection_refused"})
            return False
        self._connections.add(request)
        return True

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._being_begun += 1
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._being_begun -= 1

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self._is_stopping:
            self.shutdown_request(request)
            return
        connection = request
        if self.tls is not None:
            self.tls.sslsocket_class = _TlsSocket
            connection = self.tls.wrap_socket(request, server_side=True)
            self._connections.add(connection)
        super().finish_request(connection, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        error = sys.exc_info()[1]
        logger.warning(
            "A connection to the DICOM listener failed", extra={"action": "connection_failed", "reason": str(error)}
        )

    def shutdown(self) -> None:
        """Stop listening; what was connected stays so. (pynetdicom's own wants to be known to the AE.)"""
        self._is_stopping = True
        BaseServer.shutdown(self)
        self.server_close()

    @property
    def is_beginning(self) -> bool:
        """Whether a connection that was made has no association yet that could be ended."""
        return self._being_begun > 0

    def break_connections(self) -> None:
        """End every connection, whatever is waited for on it."""
        for connection in tuple(self._connections):
            with contextlib.suppress(OSError):  # it has ended by itself
                connection.shutdown(socket.SHUT_RDWR)


def bounds_of(association: Association) -> Bounds:
    """Those of the connection under an association of a BoundedServer; of one that is gone, any."""
    below: object = getattr(association.dul.socket, "socket", None)
    return below if isinstance(below, Bounds) else Bounds()
