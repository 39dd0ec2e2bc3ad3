"""An SCP that has its answers ready, in a process of its own: what remains of a list's time is the SCU's."""

from __future__ import annotations

import multiprocessing
import socket
from collections.abc import Sequence
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

from tests.fakes import command_sets as wire
from tests.fakes.command_sets import decode_command_set, encode_command_set
from tests.fakes.finding import STUDY_ROOT_FIND
from tests.fakes.link import A_RELEASE_RP, A_RELEASE_RQ, Ended, Link, data_pdus, data_values, pdu
from tests.fakes.negotiation import negotiate
from tests.fakes.script import Script
from transfers.endpoints import DicomEndpoint

HOST = "127.0.0.1"
FRAGMENT_LENGTH = 16378
ANY_INSTANCE = b"\x08\x00\x18\x00UI\x00\x00"
"""An empty SOP Instance UID, Explicit VR Little Endian."""
PENDING, SUCCESS = 0xFF00, 0x0000


class PreparedScp:
    """Answers every list with the same identifiers; a context manager, ended when its block ends."""

    def __init__(self, identifiers: Sequence[bytes]) -> None:
        ours, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.Process(target=_serve, args=(identifiers, theirs), daemon=True)
        self._process.start()
        self.endpoint = DicomEndpoint(HOST, ours.recv(), "PREPARED", "TALLYMAN")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.join()


def _serve(identifiers: Sequence[bytes], port: Connection) -> None:
    with socket.create_server((HOST, 0)) as listener:
        port.send(listener.getsockname()[1])
        while True:
            connection, _ = listener.accept()
            link = Link(connection)
            try:
                _answer(link, identifiers)
            except Ended:
                link.close()


def _answer(link: Link, identifiers: Sequence[bytes]) -> None:
    _, body = link.read_pdu()
    link.send(negotiate(body, Script()).accept_pdu)
    while True:
        kind, body = link.read_pdu()
        if kind == A_RELEASE_RQ:
            link.send(pdu(A_RELEASE_RP, b"\0" * 4))
            continue
        for context_id, is_command, _, fragment in data_values(body):
            if is_command:
                request = decode_command_set(fragment)
            else:
                # Asked for an instance by name, as by the control question, it knows none.
                rows = identifiers if ANY_INSTANCE in fragment else ()
                link.send(_list(context_id, request.number(wire.MESSAGE_ID), rows))


def _list(context_id: int, message_id: int, identifiers: Sequence[bytes]) -> bytes:
    pending = _message(context_id, _response(message_id, PENDING))
    rows = (pending + _message(context_id, identifier, is_command=False) for identifier in identifiers)
    return b"".join((*rows, _message(context_id, _response(message_id, SUCCESS))))


def _response(message_id: int, status_code: int) -> bytes:
    return encode_command_set(
        {
            wire.AFFECTED_SOP_CLASS_UID: STUDY_ROOT_FIND,
            wire.COMMAND_FIELD: wire.C_FIND_RQ | wire.RESPONSE,
            wire.MESSAGE_ID_BEING_RESPONDED_TO: message_id,
            wire.COMMAND_DATA_SET_TYPE: 0x0001 if status_code == PENDING else wire.NO_DATA_SET,
            wire.STATUS: status_code,
        }
    )


def _message(context_id: int, encoded: bytes, *, is_command: bool = True) -> bytes:
    return b"".join(data_pdus(context_id, encoded, FRAGMENT_LENGTH, is_command=is_command))
