"""Walks over the elements of an encoded data set from header to header, seeking over the values (PS3.5 7 and A.4)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from audit.byte_sources import Window
from audit.encodings import (
    HEADER_SIZES,
    ITEM,
    ITEM_DELIMITATION,
    LONGEST_HEADER,
    SEQUENCE_DELIMITATION,
    UNDEFINED_LENGTH,
    Encoding,
    Header,
    HeaderCut,
    VrUnknown,
)
from audit.left_out import broken

LONGEST_WANTED_VALUE = 1024
MAXIMUM_ITEMS = 5_000_000
"""Items and elements looked at within one element of undefined length."""


class NotFollowed(Exception):
    """Something is in place of an element or an item that this walk does not know, at a position in the source."""

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.position = position


class EndMissing(Exception):
    """The source ends inside an element of undefined length."""


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
        outline.position = end_of_undefined_length(window, start, encoding)
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


def end_of_undefined_length(window: Window, position: int, encoding: Encoding) -> int:
    """The position after the sequence delimiter that belongs to the items at a position (PS3.5 7.5.2, A.4)."""
    nest = _Nest(position, encoding)
    try:
        while nest.step(window):
            pass
    except HeaderCut:
        raise EndMissing from None
    return nest.position
