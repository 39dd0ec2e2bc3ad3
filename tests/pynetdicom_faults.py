"""Mends what pynetdicom 3 does wrong and tests would stumble over, whichever runs by then."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.transport import AssociationSocket


@pytest.fixture(autouse=True, scope="session")
def _sockets_closed() -> Iterator[None]:
    """A socket is shut down and then closed; where shutting down fails, since the peer has reset the connection, it is
    left to the garbage collector, which warns."""
    shut_down = AssociationSocket._shutdown_socket

    def shut_down_and_close(association_socket: AssociationSocket) -> None:
        shut_down(association_socket)
        if association_socket.socket is not None:
            with contextlib.suppress(OSError):
                association_socket.socket.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AssociationSocket, "_shutdown_socket", shut_down_and_close)
        yield


@pytest.fixture(autouse=True, scope="session")
def _answers_left_to_who_asked() -> Iterator[None]:
    """A requestor's own thread, which nobody asks anything here, may take the answer from whoever waits for it: it is
    told to pause, and has said that it does, when it looks once more."""
    take = DIMSEServiceProvider.get_msg

    def take_where_it_is_waited_for(provider: DIMSEServiceProvider, block: bool = False) -> Any:
        return take(provider, block) if block or provider.assoc.is_acceptor else (None, None)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DIMSEServiceProvider, "get_msg", take_where_it_is_waited_for)
        yield
