"""What tests mend of pynetdicom: sockets left open, and answers that go to the wrong thread."""

from __future__ import annotations

import socket
import struct
from queue import Queue
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_primitives import C_ECHO
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


def test_an_answer_is_left_to_who_waits_for_it() -> None:
    provider = DIMSEServiceProvider(Association(AE(), "requestor"))
    answer = C_ECHO()
    provider.msg_queue.put((1, answer))

    assert provider.get_msg(block=False) == (None, None)
    assert provider.get_msg(block=True) == (1, answer)


def test_a_request_is_taken_by_who_serves_it() -> None:
    provider = DIMSEServiceProvider(Association(AE(), "acceptor"))
    request = C_ECHO()
    provider.msg_queue.put((1, request))

    assert provider.get_msg(block=False) == (1, request)
