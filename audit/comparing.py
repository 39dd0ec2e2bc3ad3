"""Goes through two encoded data sets side by side, and notes what differs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

from audit.character_sets import character_set_of
from audit.cursors import Disorder, Element, Elements, Items, Level, Place
from audit.data_sets import SPECIFIC_CHARACTER_SET
from audit.encapsulation import Fragments, have_same_frames
from audit.encoded_data_sets import EncodedDataSet, NotComparable, PixelsEncodedOtherwise
from audit.encodings import ITEM, UNDEFINED_LENGTH, tag_name
from audit.pixel_data import NUMBER_OF_FRAMES
from audit.representations import SQ, UN, shared_vr
from audit.values import SLICE_BYTES, Value, are_same

ELEMENTS_NAMED = 50
DEEPEST_LEVEL = 60
"""How many sequences may lie within each other."""
LONGEST_REMEMBERED = 1024
SOP_INSTANCE_UID = 0x00080018
PIXEL_DATA = 0x7FE00010
PIXELS = frozenset({0x7FE00008, 0x7FE00009, PIXEL_DATA})
FRAGMENTED_VRS = (b"OB", b"OW")
NATIVE = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"})
"""Transfer syntaxes whose pixels are not compressed (PS3.5 A.1, A.2, A.3, A.5)."""


class Differences:
    """What differs: how many elements, the names of the first of them, and whether pixels do."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.count = 0
        self.pixels_differ: bool | None = None

    def note(self, name: str) -> None:
        self.count += 1
        if len(self.names) < ELEMENTS_NAMED:
            self.names.append(name)

    def mark(self) -> tuple[int, int, bool | None]:
        return len(self.names), self.count, self.pixels_differ

    def go_back(self, mark: tuple[int, int, bool | None]) -> None:
        """Forget what was noted since."""
        names, self.count, self.pixels_differ = mark
        del self.names[names:]


def differences(sent: EncodedDataSet, found: EncodedDataSet) -> Differences:
    """What differs between the two. Raises NotComparable."""
    comparing = _Comparing(pixels_are_alike=_is_encoded_alike(sent, found))
    levels = comparing.go_through(_top_level(sent), _top_level(found))
    if not (SOP_INSTANCE_UID in levels.sent.values or SOP_INSTANCE_UID in levels.found.values):
        raise NotComparable("Neither what was sent nor what was read back has a SOP Instance UID.")
    return comparing.differences


def has_pixels(data: EncodedDataSet) -> bool:
    """Whether pixel data is among the elements of a data set. Raises DataSetUnreadable."""
    level = _top_level(data)
    try:
        return any(element.tag in PIXELS for element in _elements(level))
    except Disorder:
        return any(element.tag in PIXELS for element in _elements(level.in_order()))


def _top_level(data: EncodedDataSet) -> Elements:
    return Elements(Place(data, data.encoding, 0, data.size))


def _elements(level: Level) -> Iterator[Element]:
    while (element := level.current) is not None:
        yield element
        level.go_on(_end_of(level, element))


def _end_of(level: Level, element: Element) -> int:
    return level.place.data.end_of(level.place.encoding, element.value, element.length)


def _is_encoded_alike(sent: EncodedDataSet, found: EncodedDataSet) -> bool:
    """Whether pixels can be compared as they are encoded."""
    syntaxes = {sent.transfer_syntax_uid, found.transfer_syntax_uid}
    return len(syntaxes) == 1 or syntaxes <= NATIVE


class _Levels(NamedTuple):
    """The same data set, or the same item of a sequence, on both sides."""

    sent: Level
    found: Level
    path: str = ""
    """What comes before the tag in the name of an element: empty where it is in no sequence."""
    depth: int = 0


class _Comparing:
    def __init__(self, *, pixels_are_alike: bool) -> None:
        self.differences = Differences()
        self._pixels_are_alike = pixels_are_alike

    def go_through(self, sent: Elements, found: Elements, path: str = "", depth: int = 0) -> _Levels:
        """Compare two data sets or items; they are returned at their end."""
        levels = _Levels(sent, found, path, depth)
        if depth > DEEPEST_LEVEL:
            raise NotComparable(f"More than {DEEPEST_LEVEL} sequences lie within each other, the limit.")
        mark = self.differences.mark()
        try:
            self._merge(levels)
        except Disorder:
            self.differences.go_back(mark)
            for data in (sent.place.data, found.place.data):
                if data.is_deflated:
                    raise data.unreadable("it is deflated, and elements are not in ascending order") from None
            levels = _Levels(sent.in_order(), found.in_order(), path, depth)
            self._merge(levels)
        return levels

    def _merge(self, levels: _Levels) -> None:
        sent, found, *_ = levels
        while True:
            one, other = sent.current, found.current
            if one is None and other is None:
                return
            if other is not None and (one is None or other.tag < one.tag):
                self._pass_alone(found, other, levels.path)
            elif one is not None and (other is None or one.tag < other.tag):
                self._pass_alone(sent, one, levels.path)
            elif one is not None and other is not None:
                end_of_one, end_of_other = self._compare(levels, one, other)
                sent.go_on(end_of_one)
                found.go_on(end_of_other)

    def _pass_alone(self, level: Level, element: Element, path: str) -> None:
        """An element that the other level does not have; without a character set it is the one around it."""
        _remember(level, element)
        if element.tag != SPECIFIC_CHARACTER_SET or not level.character_set.is_known:
            self.differences.note(f"{path}{tag_name(element.tag)}")
        if element.tag in PIXELS and not path:
            self.differences.pixels_differ = True
        level.go_on(_end_of(level, element))

    def _compare(self, levels: _Levels, one: Element, other: Element) -> tuple[int, int]:
        """Compare an element that both have; where its values end."""
        sent, found, path, _ = levels
        if one.tag in _REMEMBERED:
            _remember(sent, one)
            _remember(found, other)
        if one.tag in PIXELS and not path:
            return self._compare_pixels(levels, one, other)
        if _are_encoded_the_same(levels, one, other):
            return one.value + one.length, other.value + other.length
        if one.tag == SPECIFIC_CHARACTER_SET:
            if not (sent.character_set.is_known and found.character_set.is_known):
                self.differences.note(f"{path}{tag_name(one.tag)}")
            return _end_of(sent, one), _end_of(found, other)
        return self._compare_values(levels, one, other)

    def _compare_pixels(self, levels: _Levels, one: Element, other: Element) -> tuple[int, int]:
        if not self._pixels_are_alike:
            raise PixelsEncodedOtherwise(f"{PixelsEncodedOtherwise.__doc__}")
        differing = self.differences.count
        ends = self._compare_values(levels, one, other)
        is_different = self.differences.count > differing
        self.differences.pixels_differ = is_different or bool(self.differences.pixels_differ)
        return ends

    def _compare_values(self, levels: _Levels, one: Element, other: Element) -> tuple[int, int]:
        sent, found, path, _ = levels
        vr = shared_vr(one.tag, one.vr, other.vr)
        is_undefined = UNDEFINED_LENGTH in (one.length, other.length)
        if vr and is_undefined and (one.tag == PIXEL_DATA or vr in FRAGMENTED_VRS):
            return self._compare_fragments(levels, one, other)
        if vr == SQ or (vr and is_undefined):
            return self._compare_items(levels, one, other)
        if vr and are_same(_value(sent, one), _value(found, other), vr):
            return one.value + one.length, other.value + other.length
        if vr == UN and _begins_with_item(sent, one) and _begins_with_item(found, other):
            return self._compare_items(levels, one, other)
        self.differences.note(f"{path}{tag_name(one.tag)}")
        return _end_of(sent, one), _end_of(found, other)

    def _compare_fragments(self, levels: _Levels, one: Element, other: Element) -> tuple[int, int]:
        if one.length != other.length:
            raise PixelsEncodedOtherwise(f"{PixelsEncodedOtherwise.__doc__}")
        sent, found = Fragments(levels.sent, one), Fragments(levels.found, other)
        if not have_same_frames(sent, found):
            self.differences.note(f"{levels.path}{tag_name(one.tag)}")
        return sent.end, found.end

    def _compare_items(self, levels: _Levels, one: Element, other: Element) -> tuple[int, int]:
        sent, found, path, depth = levels
        of_sent, of_found = Items(sent, one), Items(found, other)
        for number in count(1):
            item, counterpart = of_sent.next(), of_found.next()
            name = f"{path}{tag_name(one.tag)}[{number}]"
            if item is not None and counterpart is not None:
                inner = self.go_through(item, counterpart, f"{name}.", depth + 1)
                of_sent.pass_by(inner.sent)
                of_found.pass_by(inner.found)
            elif item is not None:
                self.differences.note(name)
                of_sent.skip(item)
            elif counterpart is not None:
                self.differences.note(name)
                of_found.skip(counterpart)
            else:
                break
        return of_sent.end, of_found.end


_REMEMBERED = frozenset({SPECIFIC_CHARACTER_SET, SOP_INSTANCE_UID, NUMBER_OF_FRAMES})


def _remember(level: Level, element: Element) -> None:
    """Keep what later elements of a level are read by."""
    if element.tag not in _REMEMBERED:
        return
    if element.length > LONGEST_REMEMBERED:
        raise level.place.data.unreadable(f"its element {tag_name(element.tag)} is too long")
    level.values[element.tag] = value = level.place.data.read(element.value, element.length)
    if element.tag == SPECIFIC_CHARACTER_SET:
        level.character_set = character_set_of(value)


def _are_encoded_the_same(levels: _Levels, one: Element, other: Element) -> bool:
    """Whether the values are the same bytes and mean the same; only short ones are looked at. For speed."""
    sent, found, *_ = levels
    if one.length != other.length or one.length > SLICE_BYTES or sent.character_set != found.character_set:
        return False
    if sent.place.encoding is not found.place.encoding or one.vr != other.vr:
        is_plain = b"" in (one.vr, other.vr) and not {SQ, UN} & {one.vr, other.vr}
        if not (is_plain and sent.place.encoding.is_little_endian and found.place.encoding.is_little_endian):
            return False
    return sent.place.data.read(one.value, one.length) == found.place.data.read(other.value, one.length)


def _value(level: Level, element: Element) -> Value:
    place = level.place
    is_little_endian = place.encoding.is_little_endian
    return Value(place.data, element.value, element.length, element.vr, is_little_endian, level.character_set)


def _begins_with_item(level: Level, element: Element) -> bool:
    data, encoding, *_ = level.place
    return element.length >= 8 and data.item_header(encoding, element.value)[0] == ITEM
