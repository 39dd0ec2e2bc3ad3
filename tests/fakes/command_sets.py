"""Command sets on the wire (PS3.7 6.3.1), in plain values, so that a fault can write any."""

from __future__ import annotations

import struct
from dataclasses import dataclass

NO_DATA_SET = 0x0101

C_STORE_RQ, C_GET_RQ, C_FIND_RQ, C_ECHO_RQ, C_CANCEL_RQ = 0x0001, 0x0010, 0x0020, 0x0030, 0x0FFF
N_EVENT_REPORT_RQ, N_ACTION_RQ = 0x0100, 0x0130
RESPONSE = 0x8000

AFFECTED_SOP_CLASS_UID = 0x0002
REQUESTED_SOP_CLASS_UID = 0x0003
COMMAND_FIELD = 0x0100
MESSAGE_ID = 0x0110
MESSAGE_ID_BEING_RESPONDED_TO = 0x0120
PRIORITY = 0x0700
COMMAND_DATA_SET_TYPE = 0x0800
STATUS = 0x0900
ERROR_COMMENT = 0x0902
AFFECTED_SOP_INSTANCE_UID = 0x1000
REQUESTED_SOP_INSTANCE_UID = 0x1001
EVENT_TYPE_ID = 0x1002
ACTION_TYPE_ID = 0x1008

UIDS = frozenset(
    {AFFECTED_SOP_CLASS_UID, REQUESTED_SOP_CLASS_UID, AFFECTED_SOP_INSTANCE_UID, REQUESTED_SOP_INSTANCE_UID}
)


@dataclass(frozen=True, slots=True)
class CommandSet:
    """The elements of group 0000 by their element number, as bytes."""

    elements: dict[int, bytes]

    def number(self, element: int) -> int:
        """A US value."""
        return int(struct.unpack("<H", self.elements[element])[0])

    def text(self, element: int) -> str:
        """A UI, AE or LO value without its padding."""
        return self.elements.get(element, b"").decode("ascii").rstrip("\0 ")

    @property
    def has_data_set(self) -> bool:
        return self.number(COMMAND_DATA_SET_TYPE) != NO_DATA_SET


def decode_command_set(encoded: bytes) -> CommandSet:
    """Raises ValueError where the bytes are no command set."""
    elements: dict[int, bytes] = {}
    offset = 0
    while offset < len(encoded):
        try:
            group, element, length = struct.unpack_from("<HHL", encoded, offset)
        except struct.error as error:
            raise ValueError("the command set ends inside an element") from error
        offset += 8
        if group != 0 or offset + length > len(encoded):
            raise ValueError(f"({group:04X},{element:04X}) of length {length} does not belong into a command set")
        elements[element] = encoded[offset : offset + length]
        offset += length
    return CommandSet(elements)


def encode_command_set(values: dict[int, int | str | None]) -> bytes:
    """Numbers as US, text padded to even length; None is left out. The group length comes first."""
    body = b"".join(_element(element, value) for element, value in sorted(values.items()) if value is not None)
    return struct.pack("<HHLL", 0, 0, 4, len(body)) + body


def _element(element: int, value: int | str) -> bytes:
    if isinstance(value, int):
        encoded = struct.pack("<H", value)
    else:
        padding = "\0" if element in UIDS else " "
        encoded = (value + padding * (len(value) % 2)).encode("ascii")
    return struct.pack("<HHL", 0, element, len(encoded)) + encoded
