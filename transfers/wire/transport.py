"""The TCP connection under an association: written by scatter-gather, watched while writing, never waited on for ever.

The socket never blocks; every wait is a poll with a time limit that an Interruption ends. What goes wrong is one of
the named errors of `transfers.errors`.
"""

from __future__ import annotations

import contextlib
import math
import socket
import ssl
import struct
import time
from collections.abc import Sequence
from typing import TypeAlias

from transfers.endpoints import DicomEndpoint, Timeouts
from transfers.errors import (
    AssociationAborted,
    AssociationLost,
    NetworkTimedOut,
    TlsFailed,
)
from transfers.wire.connecting import connected_socket
from transfers.wire.pdu import PduType
from transfers.wire.tls import tls_message
from transfers.wire.waiting import READING, WRITING, Interruption, Waiter

Buffer: TypeAlias = bytes | bytearray | memoryview

MOST_BUFFERS = 1_024
"""IOV_MAX: what one sendmsg takes."""
_RECEIVE_SIZE = 65_536
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class EarlyAbort(AssociationAborted):
    """An A-ABORT came while a message was being written; it waits in the receive buffer."""


class Transport:
    """A connected socket that never blocks. Used by one thread; only its Interruption may be set by another."""

    def __init__(self, connected: socket.socket, timeouts: Timeouts, interruption: Interruption | None = None) -> None:
        self._socket = connected
        self._network_seconds = timeouts.network_seconds
        self._waiter = Waiter(connected, interruption)
        self._received = bytearray(_RECEIVE_SIZE)
        self._received_view = memoryview(self._received)
        self._start = self._end = 0
        self._writing_is_unfinished = False
        self._quick_acknowledgement = getattr(socket, "TCP_QUICKACK", None)

    @classmethod
    def connect(cls, endpoint: DicomEndpoint, interruption: Interruption | None = None) -> Transport:
        """Return a connection to the endpoint, with TLS where it has settings for it.

        Raises AddressUnknown, ConnectionFailed, TlsFailed, or AssociationInterrupted.
        """
        connected = connected_socket(endpoint, interruption)
        kind = TlsTransport if endpoint.tls else cls
        return kind(connected, endpoint.timeouts, interruption)

    def write(self, buffers: Sequence[Buffer]) -> None:
        """Write all of the buffers.

        Raises EarlyAbort where the peer aborts meanwhile (other early bytes are kept for `read`), AssociationLost,
        NetworkTimedOut or AssociationInterrupted; the peer then has a part of them at most.
        """
        self._writing_is_unfinished = True
        rest = buffers
        watched = READING | WRITING
        events = watched
        while rest:
            sent = self._send(rest)
            if not sent and not events:
                raise NetworkTimedOut
            rest = _after(rest, sent)
            if rest:
                # A socket is reported writable only with a third of its buffer free: whether nothing at all
                # has moved meanwhile is told by trying.
                events = self._wait_until_writable(watched)
                watched &= ~(events & READING)
        self._writing_is_unfinished = False

    def check_interruption(self) -> None:
        """Raise AssociationInterrupted where it was set; `write` asks only when it has to wait."""
        self._waiter.check_interruption()

    def receive(self, seconds: float) -> bool:
        """Wait for bytes from the peer and keep them for `read`; False where none come in time.

        Raises AssociationLost where the peer has closed, or AssociationInterrupted.
        """
        deadline = 0.0
        while True:
            wanted = self._receive_available()
            if not wanted:
                return True
            now = time.monotonic()
            deadline = deadline or now + seconds
            if not self._waiter.wait(wanted, deadline - now):
                return False

    def has_received(self) -> bool:
        """Whether bytes wait to be read without asking the network."""
        return self._end > self._start

    def read(self, size: int, deadline: float = math.inf) -> bytes:
        """Return exactly so many bytes; after the deadline (by `time.monotonic`) nothing is waited for.

        Raises AssociationLost where the peer closes before, NetworkTimedOut or AssociationInterrupted.
        """
        taken = self._take(size)
        while len(taken) < size:
            if not self.receive(min(self._network_seconds, deadline - time.monotonic())):
                raise NetworkTimedOut
            taken += self._take(size - len(taken))
        return taken

    def acknowledge_quickly(self) -> None:
        """Acknowledge what has come and comes next at once, not after 40 ms.

        A peer without TCP_NODELAY holds the second part of its answer back until then. The option is not
        sticky (tcp(7)), so it is set again before each receive. Linux only; elsewhere nothing is done.
        """
        if self._quick_acknowledgement is not None:
            self._socket.setsockopt(socket.IPPROTO_TCP, self._quick_acknowledgement, 1)

    @property
    def is_between_messages(self) -> bool:
        """Whether all that was begun was written, so that another PDU would be understood."""
        return not self._writing_is_unfinished

    def close(self) -> None:
        """Close, by a reset where a message was left unfinished. May be called more than once."""
        if self._writing_is_unfinished:
            with contextlib.suppress(OSError):  # closed already
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._socket.close()

    def _send(self, buffers: Sequence[Buffer]) -> int:
        try:
            return self._socket.sendmsg(buffers if len(buffers) <= MOST_BUFFERS else buffers[:MOST_BUFFERS])
        except BlockingIOError:
            return 0
        except OSError as error:
            raise _lost("while an instance or a request was being sent", error) from error

    def _wait_until_writable(self, watched: int) -> int:
        events = self._waiter.wait(watched, self._network_seconds)
        if events & READING and not self._receive_available() and self._received[self._start] == PduType.A_ABORT:
            raise EarlyAbort
        return events

    def _receive_available(self) -> int:
        """Receive what is there; returns 0, or the events to wait for where nothing is."""
        if self._end == _RECEIVE_SIZE:
            return 0
        try:
            self.acknowledge_quickly()
            size = self._socket.recv_into(self._received_view[self._end :])
        except (BlockingIOError, ssl.SSLWantReadError):
            return READING
        except ssl.SSLWantWriteError:
            return WRITING
        except ssl.SSLError as error:
            raise TlsFailed(tls_message(error)) from error
        except OSError as error:
            raise _lost("while an answer was awaited", error) from error
        if not size:
            raise AssociationLost("The destination closed the connection without a word. Its log may say why.")
        self._end += size
        return 0

    def _take(self, size: int) -> bytes:
        end = min(self._end, self._start + size)
        taken = bytes(self._received_view[self._start : end])
        self._start = end
        if self._start == self._end:
            self._start = self._end = 0
        return taken


class TlsTransport(Transport):
    """The same over TLS; an SSLSocket has no sendmsg, so the buffers are joined."""

    def write(self, buffers: Sequence[Buffer]) -> None:
        super().write([b"".join(buffers)])

    def _send(self, buffers: Sequence[Buffer]) -> int:
        try:
            return self._socket.send(buffers[0])
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0
        except ssl.SSLError as error:
            raise TlsFailed(tls_message(error)) from error
        except OSError as error:
            raise _lost("while an instance or a request was being sent", error) from error


def _lost(when: str, error: OSError) -> AssociationLost:
    return AssociationLost(
        f"The connection broke {when} ({error.strerror or error}). "
        "Check the network and that the archive is still running."
    )


def _after(buffers: Sequence[Buffer], sent: int) -> Sequence[Buffer]:
    """What is left of the buffers once so many bytes of them are sent."""
    for index, buffer in enumerate(buffers):
        if sent < len(buffer):
            return [memoryview(buffer)[sent:], *buffers[index + 1 :]]
        sent -= len(buffer)
    return ()
