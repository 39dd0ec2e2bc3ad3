"""Walks over the element headers of an encoded data set, seeking over the values (PS3.5 7.1, 7.5 and A.4)."""

from __future__ import annotations

import struct
from collections.abc import Collection
from dataclasses import dataclass, field
from struct import Struct

from pydicom.valuerep import EXPLICIT_VR_LENGTH_16, EXPLICIT_VR_LENGTH_32

from audit.byte_sources import Window
from audit.left_out import broken

UNDEFINED_LENGTH = 0xFFFFFFFF
ITEM = 0xFFFEE000
ITEM_DELIMITATION = 0xFFFEE00D
SEQUENCE_DELIMITATION = 0xFFFEE0DD
LONGEST_HEADER = 12
LONGEST_WANTED_VALUE = 1024
MAXIMUM_ITEMS = 5_000_000
"""Items and elements looked at within one element of undefined length."""

HEADER_SIZES = {vr.value.encode(): 8 for vr in EXPLICIT_VR_LENGTH_16} | {
    vr.value.encode(): 12 for vr in EXPLICIT_VR_LENGTH_32
}

Header = tuple[int, bytes, int, int]
"""Tag, VR (empty where none is encoded), length of the value, and size of the header itself."""


def tag_name(tag: int) -> str:
    """As the standard writes it: (7FE0,0010)."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


class HeaderCut(Exception):
    """The source ends inside an element header."""


class VrUnknown(Exception):
    """No VR of PS3.5 6.2 is where one must be."""


class NotFollowed(Exception):
    """Something is in place of an element or an item that this walk does not know, at a position in the source."""

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.position = position


class EndMissing(Exception):
    """The source ends inside an element of undefined length."""


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


@dataclass(slots=True)
class Outline:
    """What a walk over the elements of a data set found so far."""

    position: int
    """Where the next element begins."""
    last_tag: int = -1
    """Of the element before that."""
    last_start: int = -1
    """Where that one begins."""
    tag_before: int = -1
    """Of the element before the last."""
    values: dict[int, bytes] = field(default_factory=dict)
    """The values of the wanted elements, of a longer one its first 1024 bytes."""


def walk(window: Window, outline: Outline, encoding: Encoding, wanted: Collection[int]) -> None:
    """Move the outline over elements in ascending order, up to the end or to the first header that is none of those.

    The value of the last element may go beyond the end of the source, and `outline.position` with it.

    Raises HeaderCut and VrUnknown where `outline.position` is no whole header, and NotFollowed, EndMissing and their
    like over an element of undefined length, which is then the last.
    """
    while outline.position != window.size:
        _skim(window, outline, encoding, wanted)
        if outline.position == window.size:
            return
        header = encoding.header(window, outline.position)
        if header[0] <= outline.last_tag:
            return
        step_over(window, outline, encoding, header, wanted)


def _skim(window: Window, outline: Outline, encoding: Encoding, wanted: Collection[int]) -> None:
    """Move the outline over the elements that lie whole in the window, up to the first that is anything but plain.

    Only for speed: it does nothing that `step_over` would not do for each of them.
    """
    start = before = window.locate(outline.position, LONGEST_HEADER)
    shift = outline.position - start
    buffer, size = window.buffer, len(window.buffer)
    tag, tag_before = outline.last_tag, outline.tag_before
    while start <= size - LONGEST_HEADER:
        if encoding.is_implicit:
            group, element, length = encoding.without_vr(buffer, start)
            value = start + 8
        else:
            group, element, vr, length = encoding.with_vr(buffer, start)
            value = start + HEADER_SIZES.get(vr, size)
            if value == start + 12:
                (length,) = encoding.long_length(buffer, start + 8)
        next_tag = group << 16 | element
        if value + length > size or next_tag <= tag or group == 0xFFFE:
            break
        if next_tag in wanted:
            outline.values[next_tag] = buffer[value : value + length][:LONGEST_WANTED_VALUE]
        tag_before, tag = tag, next_tag
        before, start = start, value + length
    if tag != outline.last_tag:
        outline.tag_before, outline.last_tag = tag_before, tag
        outline.last_start, outline.position = shift + before, shift + start


def step_over(window: Window, outline: Outline, encoding: Encoding, header: Header, wanted: Collection[int]) -> None:
    """Move the outline over one element. Raises as `walk` does over an element of undefined length."""
    tag, _, length, header_size = header
    if tag >> 16 == 0xFFFE:
        raise NotFollowed(outline.position)
    outline.last_start = outline.position
    outline.tag_before = outline.last_tag
    outline.last_tag = tag
    start = outline.position + header_size
    if length == UNDEFINED_LENGTH:
        outline.position = _end_of_undefined_length(window, start, encoding)
        return
    outline.position = start + length
    if tag in wanted:
        outline.values[tag] = window.read(start, min(length, LONGEST_WANTED_VALUE))


class _Nest:
    """Where a walk through an element of undefined length stands: which sequences and items are open around it."""

    def __init__(self, position: int, encoding: Encoding) -> None:
        self.position = position
        self._sequences = [encoding]
        """The encoding of each open sequence, the innermost last."""
        self._items: list[Encoding] = []
        """The encoding of the open item of each of them; the innermost sequence may have none open."""
        self._steps = 0

    def step(self, window: Window) -> bool:
        """Move over one header and, where its length is defined, its value. False after the last delimiter."""
        self._steps += 1
        if self._steps > MAXIMUM_ITEMS:
            raise broken(f"one of its elements has more than {MAXIMUM_ITEMS} items and elements in them, the limit")
        if len(self._items) == len(self._sequences):
            self._step_in_item(window)
        else:
            self._step_between_items(window)
        return bool(self._sequences)

    def _step_between_items(self, window: Window) -> None:
        encoding = self._sequences[-1]
        tag, _, length, size = encoding.item_header(window, self.position)
        self.position += size
        if tag == SEQUENCE_DELIMITATION:
            self._sequences.pop()
        elif tag != ITEM:
            raise NotFollowed(self.position - size)
        elif length != UNDEFINED_LENGTH:
            self.position += length
        else:
            self._items.append(_of_item(encoding, window, self.position))

    def _step_in_item(self, window: Window) -> None:
        encoding = self._items[-1]
        try:
            tag, _, length, size = encoding.header(window, self.position)
        except VrUnknown:
            raise NotFollowed(self.position) from None
        self.position += size
        if tag == ITEM_DELIMITATION:
            self._items.pop()
        elif tag >> 16 == 0xFFFE:
            raise NotFollowed(self.position - size)
        elif length != UNDEFINED_LENGTH:
            self.position += length
        else:
            self._sequences.append(encoding)


def _of_item(encoding: Encoding, window: Window, position: int) -> Encoding:
    """An item may be without VRs in a data set with VRs (PS3.5 6.2.2, UN of undefined length), never the reverse."""
    return encoding if encoding.is_implicit else encoding.found_at(window, position)


def _end_of_undefined_length(window: Window, position: int, encoding: Encoding) -> int:
    """The position after the sequence delimiter that belongs to the items at a position (PS3.5 7.5.2, A.4)."""
    nest = _Nest(position, encoding)
    try:
        while nest.step(window):
            pass
    except HeaderCut:
        raise EndMissing from None
    return nest.position
