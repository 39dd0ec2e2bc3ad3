"""The two hot messages, packed and read by hand, as SCU and as SCP: C-STORE-RQ and C-STORE-RSP (PS3.7 9.3.1).

pynetdicom's encoding and decoding of them costs more than sending a small instance; the tests hold these to the
same bytes and values.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from audit.uids import is_regular
from transfers.errors import MalformedPDU, UnexpectedAnswer
from transfers.wire.command_set import read_elements
from transfers.wire.foreign_text import uid_text

C_STORE_RQ = 0x0001
C_STORE_RSP = 0x8001
PRIORITY_MEDIUM = 0x0000
DATA_SET_FOLLOWS = 0x0001
NO_DATA_SET_FOLLOWS = 0x0101

_ELEMENT = Struct("<HHI")
_GROUP_LENGTH = Struct("<HHII")
_NUMBERS = Struct("<" + "HHIH" * 4)
_NUMBER = Struct("<H")
_AFFECTED_SOP_CLASS_UID = 0x0002
_COMMAND_FIELD = 0x0100
_MESSAGE_ID = 0x0110
_MESSAGE_ID_BEING_RESPONDED_TO = 0x0120
_PRIORITY = 0x0700
_COMMAND_DATA_SET_TYPE = 0x0800
_STATUS = 0x0900
_ERROR_COMMENT = 0x0902
_AFFECTED_SOP_INSTANCE_UID = 0x1000


class StoreResponse(NamedTuple):
    """A C-STORE-RSP, as far as it matters."""

    message_id: int
    sop_instance_uid: str
    """Empty where the destination did not repeat it (it need not, PS3.7 table 9.1-1)."""
    status_code: int
    error_comment: str = ""
    """As the destination sent it."""


def encode_store_request(sop_class_uid: str, sop_instance_uid: str, message_id: int) -> bytes:
    """Return the command set of a C-STORE-RQ of medium priority (PS3.7 table 9.3-1)."""
    sop_class = _uid_element(_AFFECTED_SOP_CLASS_UID, sop_class_uid)
    numbers = _NUMBERS.pack(
        *(0, _COMMAND_FIELD, 2, C_STORE_RQ),
        *(0, _MESSAGE_ID, 2, message_id),
        *(0, _PRIORITY, 2, PRIORITY_MEDIUM),
        *(0, _COMMAND_DATA_SET_TYPE, 2, DATA_SET_FOLLOWS),
    )
    sop_instance = _uid_element(_AFFECTED_SOP_INSTANCE_UID, sop_instance_uid)
    length = len(sop_class) + len(numbers) + len(sop_instance)
    return b"".join((_GROUP_LENGTH.pack(0, 0x0000, 4, length), sop_class, numbers, sop_instance))


class StoreRequest(NamedTuple):
    """A C-STORE-RQ, as far as it matters."""

    message_id: int
    sop_class_uid: str
    sop_instance_uid: str


def read_store_request(command_set: bytes) -> StoreRequest:
    """Return what a C-STORE-RQ says. Raises MalformedPDU, or UnexpectedAnswer for any other message."""
    elements = read_elements(command_set)
    command_field = _number(elements, _COMMAND_FIELD)
    if command_field != C_STORE_RQ:
        raise UnexpectedAnswer(f"The destination sent message type 0x{command_field:04X} in place of an instance.")
    return StoreRequest(
        _number(elements, _MESSAGE_ID),
        uid_text(elements.get(_AFFECTED_SOP_CLASS_UID, b"")),
        uid_text(elements.get(_AFFECTED_SOP_INSTANCE_UID, b"")),
    )


def encode_store_response(request: StoreRequest, status_code: int) -> bytes:
    """Return the command set of the C-STORE-RSP to a request (PS3.7 table 9.3-2)."""
    numbers = _NUMBERS.pack(
        *(0, _COMMAND_FIELD, 2, C_STORE_RSP),
        *(0, _MESSAGE_ID_BEING_RESPONDED_TO, 2, request.message_id),
        *(0, _COMMAND_DATA_SET_TYPE, 2, NO_DATA_SET_FOLLOWS),
        *(0, _STATUS, 2, status_code),
    )
    sop_class = _repeated_uid(_AFFECTED_SOP_CLASS_UID, request.sop_class_uid)
    sop_instance = _repeated_uid(_AFFECTED_SOP_INSTANCE_UID, request.sop_instance_uid)
    length = len(sop_class) + len(numbers) + len(sop_instance)
    return b"".join((_GROUP_LENGTH.pack(0, 0x0000, 4, length), sop_class, numbers, sop_instance))


def read_store_response(command_set: bytes) -> StoreResponse:
    """Return what a C-STORE-RSP says. Raises MalformedPDU, or UnexpectedAnswer for any other message."""
    elements = read_elements(command_set)
    command_field = _number(elements, _COMMAND_FIELD)
    if command_field != C_STORE_RSP:
        raise UnexpectedAnswer(f"The destination answered a C-STORE request with message type 0x{command_field:04X}.")
    return StoreResponse(
        _number(elements, _MESSAGE_ID_BEING_RESPONDED_TO),
        _text(elements, _AFFECTED_SOP_INSTANCE_UID),
        _number(elements, _STATUS),
        _text(elements, _ERROR_COMMENT),
    )


def _uid_element(element: int, uid: str) -> bytes:
    value = uid.encode("ascii")
    if len(value) % 2:
        value += b"\0"
    return _ELEMENT.pack(0, element, len(value)) + value


def _repeated_uid(element: int, uid: str) -> bytes:
    """A response need not repeat a UID (PS3.7 table 9.1-1), and one that is none (see `uid_text`) it does not."""
    return _uid_element(element, uid) if is_regular(uid) else b""


def _number(elements: dict[int, bytes], element: int) -> int:
    value = elements.get(element, b"")
    if len(value) != _NUMBER.size:
        raise MalformedPDU(f"The destination sent a C-STORE message without a usable (0000,{element:04X}).")
    number: int = _NUMBER.unpack(value)[0]
    return number


def _text(elements: dict[int, bytes], element: int) -> str:
    """Latin-1 has a character for every byte, so that no comment can make an answer unreadable."""
    return elements.get(element, b"").rstrip(b"\0 ").decode("latin-1")
