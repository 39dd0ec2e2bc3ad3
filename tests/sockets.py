"""Closes every socket of pynetdicom's, also that of a peer that has reset the connection.

pynetdicom 3 shuts a socket down and then closes it, and where shutting down fails leaves the closing to the garbage
collector, which warns: a warning that would be an error of whichever test runs by then.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from pynetdicom.transport import AssociationSocket


@pytest.fixture(autouse=True, scope="session")
def _sockets_closed() -> Iterator[None]:
    shut_down = AssociationSocket._shutdown_socket

    def shut_down_and_close(association_socket: AssociationSocket) -> None:
        shut_down(association_socket)
        if association_socket.socket is not None:
            with contextlib.suppress(OSError):
                association_socket.socket.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AssociationSocket, "_shutdown_socket", shut_down_and_close)
        yield
