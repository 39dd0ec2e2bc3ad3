"""How the headers of elements are encoded (PS3.5 7.1 and 7.5)."""

from __future__ import annotations

import struct
from struct import Struct

from pydicom.datadict import dictionary_has_tag, repeater_has_tag
from pydicom.valuerep import EXPLICIT_VR_LENGTH_16, EXPLICIT_VR_LENGTH_32

from audit.byte_sources import Window

UNDEFINED_LENGTH = 0xFFFFFFFF
ITEM = 0xFFFEE000
ITEM_DELIMITATION = 0xFFFEE00D
SEQUENCE_DELIMITATION = 0xFFFEE0DD
LONGEST_HEADER = 12

HEADER_SIZES = {vr.value.encode(): 8 for vr in EXPLICIT_VR_LENGTH_16} | {
    vr.value.encode(): 12 for vr in EXPLICIT_VR_LENGTH_32
}

Header = tuple[int, bytes, int, int]
"""Tag, VR (empty where none is encoded), length of the value, and size of the header itself."""


def tag_name(tag: int) -> str:
    """As the standard writes it: (7FE0,0010)."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def is_known(tag: int) -> bool:
    """Whether the tag is in PS3.6, a group length, or private."""
    return bool(tag >> 16 & 1) or tag & 0xFFFF == 0 or dictionary_has_tag(tag) or repeater_has_tag(tag)


class HeaderCut(Exception):
    """The source ends inside an element header."""


class VrUnknown(Exception):
    """No VR of PS3.5 6.2 is where one must be."""


class Encoding:
    """How element headers are encoded: with or without VR, little or big endian (PS3.5 7.1)."""

    def __init__(self, *, is_implicit: bool, is_little_endian: bool = True) -> None:
        order = "<" if is_little_endian else ">"
        self.is_implicit = is_implicit
        self.is_little_endian = is_little_endian
        self.without_vr = Struct(order + "HHL").unpack_from
        self.with_vr = Struct(order + "HH2sH").unpack_from
        self.long_length = Struct(order + "L").unpack_from

    def tag(self, encoded: bytes) -> int:
        """The tag in its four bytes."""
        group, element, _ = self.without_vr(encoded + b"\0" * 4)
        return int(group << 16 | element)

    def header(self, window: Window, position: int) -> Header:
        """The element header at a position. Raises HeaderCut and VrUnknown."""
        index = window.locate(position, LONGEST_HEADER)
        buffer = window.buffer
        try:
            if self.is_implicit:
                group, element, length = self.without_vr(buffer, index)
                return group << 16 | element, b"", length, 8
            group, element, vr, length = self.with_vr(buffer, index)
            size = HEADER_SIZES.get(vr)
            if size == 8:
                return group << 16 | element, vr, length, 8
            if size == 12:
                return group << 16 | element, vr, self.long_length(buffer, index + 8)[0], 12
        except struct.error:
            raise HeaderCut from None
        if group == 0xFFFE:
            return group << 16 | element, b"", self.long_length(buffer, index + 4)[0], 8
        raise VrUnknown

    def item_header(self, window: Window, position: int) -> Header:
        """The header of an item or a delimiter, which never has a VR (PS3.5 7.5). Raises HeaderCut."""
        index = window.locate(position, 8)
        try:
            group, element, length = self.without_vr(window.buffer, index)
        except struct.error:
            raise HeaderCut from None
        return group << 16 | element, b"", length, 8

    def found_at(self, window: Window, position: int) -> Encoding:
        """This encoding, or its twin with or without VR if the first header of a data set shows so."""
        vr = window.read(position, 6)[4:]
        if len(vr) < 2 or (vr.isalpha() and vr.isupper()) != self.is_implicit:
            return self
        return {EXPLICIT_LITTLE: IMPLICIT_LITTLE, IMPLICIT_LITTLE: EXPLICIT_LITTLE}.get(self, IMPLICIT_BIG)


EXPLICIT_LITTLE = Encoding(is_implicit=False)
IMPLICIT_LITTLE = Encoding(is_implicit=True)
EXPLICIT_BIG = Encoding(is_implicit=False, is_little_endian=False)
IMPLICIT_BIG = Encoding(is_implicit=True, is_little_endian=False)
"""Only within elements of unknown VR in big endian data sets."""
