"""C-GET-RQ and C-GET-RSP (PS3.7 9.3.3): requests encoded by pynetdicom, responses, one an instance, read by hand."""

from __future__ import annotations

from io import BytesIO
from struct import Struct
from typing import NamedTuple

from pydicom.uid import UID
from pynetdicom.dimse_primitives import C_GET

from transfers.errors import MalformedPDU, UnexpectedAnswer
from transfers.wire.command_set import read_elements
from transfers.wire.foreign_text import clean_text

C_GET_RSP = 0x8010

_NUMBER = Struct("<H")
_COMMAND_FIELD = 0x0100
_MESSAGE_ID_BEING_RESPONDED_TO = 0x0120
_STATUS = 0x0900
_ERROR_COMMENT = 0x0902
_FAILED_SUBOPERATIONS = 0x1022


class GetResponse(NamedTuple):
    """A C-GET-RSP, as far as it matters."""

    message_id: int
    status_code: int
    failed: int
    """Number of failed sub-operations; 0 where the response does not say."""
    error_comment: str


def get_request(abstract_syntax: str, message_id: int, identifier: bytes) -> C_GET:
    """Return a C-GET-RQ of medium priority."""
    request = C_GET()
    request.MessageID = message_id
    request.AffectedSOPClassUID = UID(abstract_syntax)
    request.Priority = 0
    request.Identifier = BytesIO(identifier)
    return request


def read_get_response(command_set: bytes) -> GetResponse:
    """Return what a C-GET-RSP says. Raises MalformedPDU, or UnexpectedAnswer for any other message."""
    elements = read_elements(command_set)
    command_field = _number(elements, _COMMAND_FIELD)
    if command_field != C_GET_RSP:
        raise UnexpectedAnswer(f"The destination answered a C-GET request with message type 0x{command_field:04X}.")
    return GetResponse(
        _number(elements, _MESSAGE_ID_BEING_RESPONDED_TO),
        _number(elements, _STATUS),
        _number(elements, _FAILED_SUBOPERATIONS) if _FAILED_SUBOPERATIONS in elements else 0,
        clean_text(elements.get(_ERROR_COMMENT, b"").rstrip(b"\0 ").decode("latin-1")),
    )


def _number(elements: dict[int, bytes], element: int) -> int:
    value = elements.get(element, b"")
    if len(value) != _NUMBER.size:
        raise MalformedPDU(f"The destination answered a C-GET request without a usable (0000,{element:04X}).")
    number: int = _NUMBER.unpack(value)[0]
    return number
