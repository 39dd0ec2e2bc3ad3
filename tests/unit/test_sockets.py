"""A connection that its peer has reset leaves no open socket of pynetdicom's behind."""

from __future__ import annotations

import socket
import struct
from queue import Queue
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pynetdicom.transport import AssociationSocket


def test_what_the_peer_has_reset_is_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.create_connection(listening.getsockname()) as peer:
        accepted, _ = listening.accept()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with pytest.raises(ConnectionResetError):
        accepted.recv(1)
    association = SimpleNamespace(dul=SimpleNamespace(event_queue=Queue()))

    AssociationSocket(cast("Any", association), client_socket=accepted).close()

    assert accepted.fileno() == -1
