"""One TCP connection of a scripted archive, and the PDUs on it (PS3.8 9.3.1): framing only."""

from __future__ import annotations

import select
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import suppress

RECEIVE_BYTES = 1 << 18
LARGEST_PDU = 1 << 28
"""Beyond any that a peer has reason to send."""

A_ASSOCIATE_RQ, A_ASSOCIATE_AC, A_ASSOCIATE_RJ, P_DATA_TF, A_RELEASE_RQ, A_RELEASE_RP, A_ABORT = range(1, 8)


class Ended(Exception):
    """The association is over; `how` goes into its record."""

    def __init__(self, how: str) -> None:
        super().__init__(how)
        self.how = how


class Link:
    """A connection that any thread may break: who waits on it then finds that it has ended."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection = connection
        # An SSLSocket may not be shut down while another thread reads from it; the descriptor's twin may.
        self._twin = connection.dup()
        self._buffer = bytearray()

    def secure(self, context: ssl.SSLContext) -> None:
        try:
            self._connection = context.wrap_socket(self._connection, server_side=True)
        except OSError as error:
            raise Ended(f"TLS failed: {error}") from error

    def read_pdu(self) -> tuple[int, bytes]:
        """The next PDU's type and body; Ended where the peer closes or breaks the connection."""
        kind, length = struct.unpack(">BxL", self.read(6))
        if length > LARGEST_PDU:
            raise ValueError(f"a PDU of type {kind} says it is {length} bytes long")
        return kind, self.read(length)

    def has_input(self) -> bool:
        """Whether a read would find something, be it the end."""
        if self._buffer or (isinstance(self._connection, ssl.SSLSocket) and self._connection.pending()):
            return True
        return bool(select.select([self._connection], [], [], 0)[0])

    def drain(self) -> None:
        """Read and forget until the peer has had enough."""
        while True:
            self._buffer.clear()
            self._receive()

    def idle(self) -> None:
        """Read nothing until the connection is broken off."""
        poll = select.poll()
        poll.register(self._twin, select.POLLRDHUP)
        poll.poll()
        raise Ended("lost")

    def send(self, data: bytes) -> None:
        try:
            self._connection.sendall(data)
        except OSError as error:
            raise Ended("lost") from error

    def half_close(self) -> None:
        self._twin.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Make the coming close a TCP reset."""
        self._twin.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def break_off(self) -> None:
        """End it from any thread."""
        with suppress(OSError):  # where the peer was quicker
            self._twin.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._connection.close()
        self._twin.close()

    def read(self, length: int) -> bytes:
        """So many bytes; Ended where they do not come."""
        while len(self._buffer) < length:
            self._receive()
        taken = bytes(memoryview(self._buffer)[:length])
        del self._buffer[:length]
        return taken

    def _receive(self) -> None:
        try:
            received = self._connection.recv(RECEIVE_BYTES)
        except OSError as error:
            raise Ended("lost") from error
        if not received:
            raise Ended("lost")
        self._buffer += received


def pdu(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxL", kind, len(body)) + body


def abort_pdu(source: int, reason: int) -> bytes:
    """PS3.8 9.3.8."""
    return pdu(A_ABORT, struct.pack(">xxBB", source, reason))


def reject_pdu(result: int, source: int, reason: int) -> bytes:
    """PS3.8 9.3.4."""
    return pdu(A_ASSOCIATE_RJ, struct.pack(">xBBB", result, source, reason))


def data_pdus(context_id: int, data: bytes, fragment_length: int, *, is_command: bool) -> Iterator[bytes]:
    """P-DATA-TF PDUs of one presentation data value each (PS3.8 9.3.5 and Annex E)."""
    for offset in range(0, len(data) or 1, fragment_length):
        fragment = data[offset : offset + fragment_length]
        is_last = offset + fragment_length >= len(data)
        header = struct.pack(">LBB", len(fragment) + 2, context_id, is_command | is_last << 1)
        yield pdu(P_DATA_TF, header + fragment)


def data_values(body: bytes) -> Iterator[tuple[int, bool, bool, bytes]]:
    """Context ID, whether it is of a command, whether it is the last, and the fragment of each value in a P-DATA-TF."""
    offset = 0
    while offset < len(body):
        length, context_id, control = struct.unpack_from(">LBB", body, offset)
        end = offset + 4 + length
        if length < 2 or end > len(body):
            raise ValueError(f"a presentation data value of length {length} in a P-DATA-TF of {len(body)} bytes")
        yield context_id, bool(control & 1), bool(control & 2), body[offset + 6 : end]
        offset = end
