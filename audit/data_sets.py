"""Reads the identifying and describing elements of an encoded data set, and judges whether it is there to its end.

A cut file is the prefix of a whole one: so where the elements end before the file does, the rest decides. If it could
be the beginning of one more element the file is cut; if it cannot, it does not belong to the data set.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.config import IGNORE
from pydicom.uid import UID

from audit.byte_sources import SKIPPED_AT_ONCE, Window
from audit.elements import EndMissing, NotFollowed, Outline, step_over, walk
from audit.encodings import (
    HEADER_SIZES,
    UNDEFINED_LENGTH,
    Encoding,
    Header,
    HeaderCut,
    VrUnknown,
    is_known,
    tag_name,
)
from audit.left_out import broken, cut, in_bytes
from audit.pixel_data import DESCRIBING_PIXELS, ROWS, native_length
from audit.second_opinion import values_by_pydicom

SPECIFIC_CHARACTER_SET = 0x00080005
SOP_CLASS_UID = 0x00080016
STUDY_DATE = 0x00080020
MODALITY = 0x00080060
STUDY_DESCRIPTION = 0x00081030
FIRST_PIXEL_DATA = 0x7FE00008
IDENTIFYING = frozenset({SOP_CLASS_UID, 0x00080018, 0x0020000D, 0x0020000E})
DESCRIBING = frozenset({STUDY_DATE, MODALITY, STUDY_DESCRIPTION})
"""Only shown to people: whatever is wrong with them is no reason to leave a file out."""
WANTED = IDENTIFYING | DESCRIBING | {SPECIFIC_CHARACTER_SET, ROWS}
ODD_VRS = {b"??", b"--", b"  ", b"\0\0"}
"""What some writers put where they know no VR."""
ZEROS = "of zeros"
OTHER_IMAGES = {"Segmentation Storage", "Parametric Map Storage"}
GROUP_SIZE = 2
SHORTEST_ELEMENT = 8
MAXIMUM_DISORDERED = 10_000
DISORDER = "its elements are not in ascending order"


@dataclass(slots=True)
class Contents:
    """What was read of a data set."""

    values: dict[int, bytes]
    end: int
    """Where the data set ends, in the source that it was read from."""
    notes: list[str]


def read_contents(window: Window, start: int, declared: Encoding) -> Contents:
    """The wanted elements of the data set that begins at `start` and should end with the source.

    Raises LeftOut where it does not, or where pydicom cannot read it either.
    """
    if window.read(start, 2) == b"\0\0" and any(window.read(start, 8)):
        raise broken("a command set (group 0000) is where its data set should be")
    encoding = declared.found_at(window, start)
    reading = _Reading(window, start, encoding)
    if encoding is not declared:
        reading.notes.append(
            f"the data set is encoded with{'out' * encoding.is_implicit} VRs, unlike its transfer syntax"
        )
    try:
        reading.follow()
        if reading.is_clear():
            return Contents(reading.outline.values, reading.outline.position, reading.notes)
    except NotFollowed as lost:
        reading.note_lost(lost.position)
    values = values_by_pydicom(window, start, encoding, WANTED, of_any_vr=DESCRIBING)
    return Contents(values, window.find_size(), reading.notes)


def describe_rest(window: Window, start: int, size: int) -> str:
    """What the bytes from `start` on are, if not elements. Raises LeftOut where they are another DICOM file."""
    content_start = _first_not_zero(window, start, size)
    if b"DICM" in (window.read(start + 128, 4), window.read(content_start, 4)):
        raise broken(f"a second DICOM file follows in the same file, at byte {start}, and would be lost")
    return f"{in_bytes(size - start)} {ZEROS if content_start == size else 'that are no elements'}"


def note_of_rest(rest: str) -> str:
    return f"after the data set, and no part of it: {rest}"


class _Reading:
    """A walk over one data set that goes on after elements in the wrong order, and judges where it ends."""

    def __init__(self, window: Window, start: int, encoding: Encoding) -> None:
        self.window = window
        self.encoding = encoding
        self.outline = Outline(start)
        self._start = start
        self.notes: list[str] = []
        self._highest_tag = -1
        self._disordered = 0

    def follow(self) -> None:
        """Walk to the end of the source. Raises LeftOut and NotFollowed."""
        self._walk()
        while self.outline.position != (size := self.window.find_size()):
            if not self._goes_on(size):
                return
            self._walk()
        if self._highest_tag < FIRST_PIXEL_DATA and self._is_image():
            self.notes.append("it is an image without pixel data")

    def is_clear(self) -> bool:
        """Whether all was found, and nothing that pydicom may choke on."""
        values = self.outline.values
        return values.keys() >= IDENTIFYING and b"\0" not in values.get(SPECIFIC_CHARACTER_SET, b"").rstrip(b"\0 ")

    def note_lost(self, position: int) -> None:
        """Say that the walk cannot go on at a position. Raises LeftOut where nothing but zeros is left."""
        tag = tag_name(self.outline.last_tag)
        if _first_not_zero(self.window, position, size := self.window.find_size()) == size:
            raise broken(f"nothing but zeros is left of the file from byte {position} on, inside its element {tag}")
        self.notes.append(f"from its element {tag} on it was not checked whether the file is whole")

    def _walk(self) -> None:
        try:
            walk(self.window, self.outline, self.encoding, WANTED)
        except EndMissing:
            raise broken(f"the file ends inside its element {tag_name(self.outline.last_tag)}") from None
        except (HeaderCut, VrUnknown):
            pass
        finally:
            self._highest_tag = max(self._highest_tag, self.outline.last_tag)

    def _goes_on(self, size: int) -> bool:
        """Whether one more element follows, though not in order; else everything is said about what follows instead."""
        position = self.outline.position
        if position > size:
            return self._judge_overrun(size)
        rest = describe_rest(self.window, position, size)
        if rest.endswith(ZEROS):
            is_padding = GROUP_SIZE <= size - position < SHORTEST_ELEMENT
            return self._end_with_padding(rest) if is_padding else self._end(rest)
        try:
            header = self.encoding.header(self.window, position)
        except HeaderCut:
            return self._judge_cut_header(size, rest)
        except VrUnknown:
            return self._judge_unknown_vr(rest)
        if not self._is_credible(header[0]) or position + header[3] + header[2] > size:
            return self._end(rest)
        self._step_over(header)
        return True

    def _step_over(self, header: Header) -> None:
        tag = header[0]
        before = self.outline.values.get(tag)
        try:
            step_over(self.window, self.outline, self.encoding, header, WANTED)
        except EndMissing:
            raise broken(f"the file ends inside its element {tag_name(tag)}") from None
        if before is not None and self.outline.values[tag] != before and tag not in DESCRIBING:
            raise broken(f"its element {tag_name(tag)} is there twice, with different values")
        if DISORDER not in self.notes:
            self.notes.append(DISORDER)
        self._disordered += 1
        if self._disordered > MAXIMUM_DISORDERED:
            raise broken(f"more than {MAXIMUM_DISORDERED} of its elements are not in ascending order, the limit")

    def _judge_overrun(self, size: int) -> bool:
        outline = self.outline
        rest = describe_rest(self.window, outline.last_start, size)
        if self._is_credible(outline.last_tag):
            raise cut(tag_name(outline.last_tag), outline.position - size)
        outline.position, outline.last_tag = outline.last_start, outline.tag_before
        self._highest_tag = outline.last_tag
        return self._end(rest)

    def _judge_cut_header(self, size: int, rest: str) -> bool:
        start = self.window.read(self.outline.position, size - self.outline.position)
        tag = self.encoding.tag(start.ljust(4, b"\xff"))
        is_credible = len(start) < 4 or self._is_credible(tag)
        if not self.encoding.is_implicit and len(start) >= 6:
            is_credible = start[4:6] in HEADER_SIZES
        if is_credible and tag > self.outline.last_tag:
            raise broken("the file ends inside the header of an element")
        return self._end(rest)

    def _judge_unknown_vr(self, rest: str) -> bool:
        tag = self.encoding.item_header(self.window, self.outline.position)[0]
        vr = self.window.read(self.outline.position, 6)[4:]
        looks_like_vr = vr in ODD_VRS or (vr.isalpha() and vr.isupper())
        if tag > self.outline.last_tag and is_known(tag) and looks_like_vr:
            self.outline.last_tag = tag
            raise NotFollowed(self.outline.position)
        return self._end(rest)

    def _is_credible(self, tag: int) -> bool:
        """Whether an element header is more than a coincidence: it has a VR, or a tag that is known or private."""
        return not self.encoding.is_implicit or is_known(tag)

    def _is_image(self) -> bool:
        sop_class_uid = self.outline.values.get(SOP_CLASS_UID, b"").rstrip(b"\0 ").decode("latin-1")
        name = UID(sop_class_uid, validation_mode=IGNORE).name
        return ROWS in self.outline.values or "Image Storage" in name or name in OTHER_IMAGES

    def _end_with_padding(self, rest: str) -> bool:
        """Nothing is missing where no element would fit, and none begins: a single zero may be half of its group."""
        self.notes.append(note_of_rest(rest))
        return False

    def _end(self, rest: str) -> bool:
        """Take what follows for no part of the data set, which is safe only after an image's last element."""
        if self._highest_tag < 0:
            raise broken("what follows its file meta group is no data set in its transfer syntax")
        if self._highest_tag < FIRST_PIXEL_DATA:
            raise broken(f"its elements end at {tag_name(self._highest_tag)}, before any pixel data; then come {rest}")
        if not self._has_all_pixels():
            raise broken(f"its pixel data is shorter than its image; then come {rest}")
        self.notes.append(note_of_rest(rest))
        return False

    def _has_all_pixels(self) -> bool:
        """Whether native pixel data is as long as the image; encapsulated pixel data has a mark at its end."""
        image = Outline(self._start)
        length = 0
        while image.last_tag < FIRST_PIXEL_DATA:
            header = self.encoding.header(self.window, image.position)
            step_over(self.window, image, self.encoding, header, DESCRIBING_PIXELS)
            length = header[2]
        needed = native_length(image.values, is_little_endian=self.encoding.is_little_endian)
        is_native = length != UNDEFINED_LENGTH
        return image.last_tag >> 16 == 0x7FE0 and not (is_native and (needed is None or length < needed))


def _first_not_zero(window: Window, position: int, size: int) -> int:
    while position < size:
        piece = window.read(position, SKIPPED_AT_ONCE)
        if content := piece.lstrip(b"\0"):
            return position + len(piece) - len(content)
        position += len(piece)
    return size
