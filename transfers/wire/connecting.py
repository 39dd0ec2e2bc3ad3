"""How a TCP connection to a destination comes about, with TLS where it has settings for it."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any

from transfers.endpoints import DicomEndpoint
from transfers.errors import AddressUnknown, ConnectionFailed, TlsFailed
from transfers.wire.tls import client_context, tls_message
from transfers.wire.waiting import READING, WRITING, Interruption, Waiter

_UNDER_WAY = frozenset({0, errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR})

_Wait = Callable[[socket.socket, int], int]
"""Wait for events of a socket; 0 where the time to connect is over."""


def connected_socket(endpoint: DicomEndpoint, interruption: Interruption | None) -> socket.socket:
    """Return a connected socket that never blocks; an SSLSocket where the endpoint has TLS.

    Raises AddressUnknown, ConnectionFailed, TlsFailed, or AssociationInterrupted.
    """
    context = client_context(endpoint.tls) if endpoint.tls else None
    deadline = time.monotonic() + endpoint.timeouts.connect_seconds

    def wait(watched: socket.socket, events: int) -> int:
        return Waiter(watched, interruption).wait(events, deadline - time.monotonic())

    connected = _connected(endpoint, wait)
    if context is None:
        return connected
    return _secured(connected, context, endpoint.host, wait)


def _connected(endpoint: DicomEndpoint, wait: _Wait) -> socket.socket:
    failure = ConnectionFailed()
    for family, address in _addresses(endpoint):
        try:
            return _connected_to(family, address, endpoint, wait)
        except ConnectionFailed as error:
            failure = error
    raise failure


def _addresses(endpoint: DicomEndpoint) -> list[tuple[socket.AddressFamily, Any]]:
    try:
        found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise AddressUnknown(
            f"The host name “{endpoint.host}” is not known. Check its spelling and the name server."
        ) from error
    return [(family, address) for family, _, _, _, address in found]


def _connected_to(family: socket.AddressFamily, address: Any, endpoint: DicomEndpoint, wait: _Wait) -> socket.socket:
    where = f"{endpoint.host}:{endpoint.port}"
    try:
        candidate = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise _refused(where, error) from error
    try:
        candidate.setblocking(False)
        if not _connects(candidate, address, wait):
            raise ConnectionFailed(
                f"{where} did not answer within {endpoint.timeouts.connect_seconds:g} seconds. "
                "Check the host, the port and the firewall."
            )
        candidate.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    except OSError as error:
        candidate.close()
        raise _refused(where, error) from error
    except BaseException:
        candidate.close()
        raise
    return candidate


def _connects(candidate: socket.socket, address: Any, wait: _Wait) -> bool:
    """Whether the connection stands in time. Raises OSError where it is refused."""
    code = candidate.connect_ex(address)
    if code in _UNDER_WAY:
        if not wait(candidate, WRITING):
            return False
        code = candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))
    return True


def _refused(where: str, error: OSError) -> ConnectionFailed:
    return ConnectionFailed(
        f"No connection to {where}: {error.strerror or error}. "
        "Check the host, the port, and that the archive is running."
    )


def _secured(connected: socket.socket, context: ssl.SSLContext, host: str, wait: _Wait) -> ssl.SSLSocket:
    secured = context.wrap_socket(connected, server_hostname=host, do_handshake_on_connect=False)
    try:
        while wanted := _handshake(secured):
            if not wait(secured, wanted):
                raise TlsFailed("The TLS handshake was not answered in time. Check that the port speaks TLS.")
    except BaseException:
        secured.close()
        raise
    return secured


def _handshake(secured: ssl.SSLSocket) -> int:
    """Go on with the handshake; returns 0 once it is done, else what to wait for."""
    try:
        secured.do_handshake()
        return 0
    except ssl.SSLWantReadError:
        return READING
    except ssl.SSLWantWriteError:
        return WRITING
    except OSError as error:
        raise TlsFailed(tls_message(error)) from error
