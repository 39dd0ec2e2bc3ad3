"""Goes through the elements and items of an encoded data set one after the other, forward only (PS3.5 7.1 and 7.5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from audit.character_sets import DEFAULT_REPERTOIRE, CharacterSet
from audit.encoded_data_sets import DataSetUnreadable, EncodedDataSet
from audit.encodings import ITEM, ITEM_DELIMITATION, SEQUENCE_DELIMITATION, UNDEFINED_LENGTH, Encoding, Header, tag_name

DATA_SET_TRAILING_PADDING = 0xFFFCFFFC
GROUP_LENGTH_SIZE = 4
"""PS3.5 7.2: one UL."""
SHORTEST_ELEMENT = 8
SLICE_BYTES = 1 << 16
MAXIMUM_DISORDERED_LEVEL = 100_000
"""Elements of a data set or item that are put in order."""


class Element(NamedTuple):
    """The header of an element, and where its value begins."""

    tag: int
    vr: bytes
    """Empty where none is encoded."""
    length: int
    value: int

    @property
    def is_of_undefined_length(self) -> bool:
        return self.length == UNDEFINED_LENGTH


class Disorder(Exception):
    """The elements of a data set or item are not in ascending order."""


class Place(NamedTuple):
    """Where a data set, or an item of one of its sequences, lies."""

    data: EncodedDataSet
    encoding: Encoding
    start: int
    end: int | None
    """Nothing of it lies beyond; None while the end of a deflated data set is not known."""
    is_delimited: bool = False
    """It ends with an item delimitation item, somewhere before `end`."""


class Level(Protocol):
    """The elements of one data set or item, in ascending order; those that say nothing of its content are left out."""

    place: Place
    current: Element | None
    """None after the last."""
    character_set: CharacterSet
    values: dict[int, bytes]
    """What was kept of it while it was gone through, by tag."""
    end: int
    """Where the level ends with its delimiter, once `current` is None."""

    def go_on(self, position: int) -> None:
        """Take the next element as the current one; the value of this one ends at the position.

        Raises Disorder where the next one should have come before.
        """
        ...


class Elements:
    """A level as it is encoded."""

    def __init__(self, place: Place, character_set: CharacterSet = DEFAULT_REPERTOIRE) -> None:
        self.place = place
        self.character_set = self._inherited = character_set
        self.values: dict[int, bytes] = {}
        self.current: Element | None = None
        self.end = -1
        self._last_tag = -1
        self.go_on(place.start)

    def in_order(self) -> SortedElements:
        """The same from its beginning, for one whose elements are not in ascending order."""
        return SortedElements(self.place, self._inherited)

    def go_on(self, position: int) -> None:
        data, encoding, _, end, is_delimited = self.place
        while (header := self._header(position)) is not None:
            tag, vr, length, header_size = header
            value = position + header_size
            if is_delimited and tag == ITEM_DELIMITATION:
                return self._finish(value)
            if tag >> 16 == 0xFFFE:
                raise data.unreadable("an item or a delimiter is where an element should be")
            if end is not None and length != UNDEFINED_LENGTH and value + length > end:
                raise data.unreadable(f"its element {tag_name(tag)} is longer than what it is in")
            if not _says_nothing(tag, length):
                return self._take(Element(tag, vr, length, value))
            position = data.end_of(encoding, value, length)
        return self._finish(position if end is None else end)

    def _header(self, position: int) -> Header | None:
        """The next header; None where the level is at its end."""
        data, encoding, *_ = self.place
        if self._is_end(position):
            return None
        try:
            header = data.header(encoding, position)
        except DataSetUnreadable:
            if self._nothing_but_zeros_follows(position):
                return None
            raise
        return header if header[0] or not self._nothing_but_zeros_follows(position) else None

    def _take(self, element: Element) -> None:
        if element.tag <= self._last_tag:
            raise Disorder
        self._last_tag = element.tag
        self.current = element

    def _is_end(self, position: int) -> bool:
        data, _, _, end, is_delimited = self.place
        if end is None:
            return not (is_delimited or data.read_up_to(position, 1))
        if position > end or (is_delimited and position == end):
            raise data.unreadable("one of its elements is longer than what it is in")
        # Less than a header would be, and zeros, is padding.
        is_short = not is_delimited and end - position < SHORTEST_ELEMENT
        return is_short and not any(data.read(position, end - position))

    def _nothing_but_zeros_follows(self, position: int) -> bool:
        """Whether only zeros are left of the source of a data set: those are no part of it."""
        data, _, start, _, _ = self.place
        if start:
            return False
        while piece := data.read_up_to(position, SLICE_BYTES):
            if any(piece):
                return False
            position += len(piece)
        return True

    def _finish(self, position: int) -> None:
        self.current = None
        self.end = position


def _says_nothing(tag: int, length: int) -> bool:
    """Whether an element is a group length (PS3.5 7.2) or padding (PS3.10 7.2), not content."""
    return (not tag & 0xFFFF and length == GROUP_LENGTH_SIZE) or tag == DATA_SET_TRAILING_PADDING


class SortedElements:
    """A level that is encoded in another order than the ascending one."""

    def __init__(self, place: Place, character_set: CharacterSet) -> None:
        """Raises DataSetUnreadable where an element is there twice."""
        self.place = place
        self.character_set = character_set
        self.values: dict[int, bytes] = {}
        self._elements = self._found()
        self._next = 0
        self.current: Element | None = None
        self.go_on(-1)

    def go_on(self, position: int) -> None:  # noqa: ARG002  each element knows where it is
        self.current = self._elements[self._next] if self._next < len(self._elements) else None
        self._next += 1

    def _found(self) -> Sequence[Element]:
        data, encoding, position, _, _ = self.place
        found: dict[int, Element] = {}
        while (element := self._first_from(position)) is not None:
            if element.tag in found:
                raise data.unreadable(f"its element {tag_name(element.tag)} is there twice")
            if len(found) == MAXIMUM_DISORDERED_LEVEL:
                raise data.unreadable(f"more than {len(found)} of its elements are not in ascending order, the limit")
            found[element.tag] = element
            position = data.end_of(encoding, element.value, element.length)
        return [found[tag] for tag in sorted(found)]

    def _first_from(self, position: int) -> Element | None:
        elements = Elements(self.place._replace(start=position))
        self.end = elements.end
        return elements.current


class Items:
    """The items of a sequence, one after the other."""

    def __init__(self, level: Level, element: Element) -> None:
        """`element`: one of undefined length, or whose value is known to be items."""
        self._level = level
        self._is_delimited = element.is_of_undefined_length
        self._end = level.place.end if self._is_delimited else element.value + element.length
        self._is_over = False
        self.end = element.value
        """Where the sequence ends with its delimiter, once there is no next item."""

    def next(self) -> Elements | None:
        """The next item, after the one before was gone through and `pass_by` said where it ends; None at the end."""
        data, encoding, *_ = self._level.place
        if self._is_over or (not self._is_delimited and self.end == self._end):
            return None
        tag, _, length, header_size = data.item_header(encoding, self.end)
        start = self.end + header_size
        if tag == SEQUENCE_DELIMITATION and self._is_delimited:
            self.end = start
            self._is_over = True
            return None
        if tag != ITEM:
            raise data.unreadable("something else is where an item of a sequence should be")
        is_delimited = length == UNDEFINED_LENGTH
        end = self._end if is_delimited else start + length
        if end is not None and self._end is not None and end > self._end:
            raise data.unreadable("one of its items is longer than the sequence that it is in")
        encoding = data.item_encoding(encoding, start)
        return Elements(Place(data, encoding, start, end, is_delimited), self._level.character_set)

    def pass_by(self, item: Level) -> None:
        """Go on after an item that was gone through."""
        self.end = item.end

    def skip(self, item: Elements) -> None:
        """Go on after an item that was not gone through."""
        if item.place.is_delimited:
            self.end = item.in_order().end
        elif item.place.end is not None:
            self.end = item.place.end
