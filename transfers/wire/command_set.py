"""Command sets (PS3.7 6.3.1): always Implicit VR Little Endian, read no further than needed."""

from __future__ import annotations

from struct import Struct

from transfers.errors import MalformedPDU

COMMAND_FIELD = 0x0100
COMMAND_DATA_SET_TYPE = 0x0800
NO_DATA_SET = b"\x01\x01"

_ELEMENT = Struct("<HHI")


def read_elements(command_set: bytes) -> dict[int, bytes]:
    """Return the values of a command set by element number (the group is always 0000), as encoded.

    Raises MalformedPDU for a group other than 0000, and where lengths do not add up.
    """
    elements = {}
    offset = 0
    end = len(command_set)
    while offset < end:
        if offset + 8 > end:
            raise MalformedPDU("The destination sent a command set that ends inside an element.")
        group, element, length = _ELEMENT.unpack_from(command_set, offset)
        offset += 8
        if group or offset + length > end:
            raise MalformedPDU(f"The destination sent a command set with a broken element ({group:04x},{element:04x}).")
        elements[element] = command_set[offset : offset + length]
        offset += length
    return elements


def has_data_set(command_set: bytes) -> bool:
    """Whether a data set follows the command set (PS3.7 E.1). Raises MalformedPDU where it does not say."""
    data_set_type = read_elements(command_set).get(COMMAND_DATA_SET_TYPE)
    if data_set_type is None:
        raise MalformedPDU("The destination sent a command set without a Command Data Set Type.")
    return data_set_type != NO_DATA_SET
