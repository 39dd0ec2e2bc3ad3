"""Compares encapsulated pixel data frame by frame: how frames are cut into fragments says nothing (PS3.5 A.4)."""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from audit.cursors import Element, Level
from audit.encoded_data_sets import EncodedDataSet, NotComparable
from audit.encodings import ITEM, SEQUENCE_DELIMITATION, UNDEFINED_LENGTH
from audit.pixel_data import NUMBER_OF_FRAMES
from audit.values import are_same_bytes

MAXIMUM_FRAGMENTS = 1_000_000


class FramesUnclear(NotComparable):
    """Compressed pixels are cut into fragments in two ways, and what belongs to which frame is not certain."""

    code = "frames_unclear"


class Fragments:
    """Where the fragments of an element lie."""

    def __init__(self, level: Level, element: Element) -> None:
        """Raises DataSetUnreadable."""
        self.data: EncodedDataSet = level.place.data
        self.table = b""
        """The basic offset table: a number of 4 bytes for each frame, or nothing."""
        self.positions = array("Q")
        self.offsets = array("Q", [0])
        """Of each fragment in the bytes of all, and at last how many they are."""
        self.end = element.value
        self._take_all(level)
        self._number_of_frames = level.values.get(NUMBER_OF_FRAMES, b"")

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def number_of_frames(self) -> int:
        """1 for an image that says nothing (PS3.3 C.7.6.6), 0 where it cannot be read."""
        text = self._number_of_frames.strip(b" \0") or b"1"
        return int(text) if text.isdigit() and len(text) < 12 else 0

    def frames_by_table(self) -> Sequence[int]:
        """The first fragment of each frame by the basic offset table; none where that cannot be right."""
        if len(self.table) % 4 or not self.positions:
            return ()
        offsets = struct.unpack(f"<{len(self.table) // 4}L", self.table)
        origin = self.positions[0]
        index_of = {position - origin: index for index, position in enumerate(self.positions)}
        frames = [index_of.get(offset, -1) for offset in offsets]
        ascends = all(one < other for one, other in pairwise(frames))
        return frames if frames[:1] == [0] and ascends and len(frames) == self.number_of_frames else ()

    def frames(self) -> Sequence[int]:
        """The first fragment of each frame; none where it is not certain which fragments belong to which frame."""
        if self.number_of_frames == 1:
            return (0,)
        if self.number_of_frames == len(self):
            return range(len(self))
        return self.frames_by_table()

    def _take_all(self, level: Level) -> None:
        data, encoding, _, limit, _ = level.place
        is_table = True
        while True:
            tag, _, length, header_size = data.item_header(encoding, self.end)
            start = self.end + header_size
            if tag == SEQUENCE_DELIMITATION:
                self.end = start
                return
            if tag != ITEM or length == UNDEFINED_LENGTH or (limit is not None and start + length > limit):
                raise data.unreadable("something else is where a fragment of its pixel data should be")
            self.end = start + length
            if is_table:
                self._take_table(start, length)
            else:
                self._take(start, length)
            is_table = False

    def _take_table(self, start: int, length: int) -> None:
        if length > 4 * MAXIMUM_FRAGMENTS:
            raise self.data.unreadable(f"its basic offset table has more than {MAXIMUM_FRAGMENTS} entries, the limit")
        self.table = self.data.read(start, length)

    def _take(self, start: int, length: int) -> None:
        if len(self) == MAXIMUM_FRAGMENTS:
            raise self.data.unreadable(f"its pixel data has more than {MAXIMUM_FRAGMENTS} fragments, the limit")
        self.positions.append(start)
        self.offsets.append(self.offsets[-1] + length)


class Run(NamedTuple):
    """Consecutive fragments, read as one."""

    fragments: Fragments
    first: int
    end: int
    """After the last of them."""

    @property
    def length(self) -> int:
        return self.fragments.offsets[self.end] - self.fragments.offsets[self.first]

    def read(self, offset: int, length: int) -> bytes:
        return b"".join(self._pieces(self.fragments.offsets[self.first] + offset, length))

    def _pieces(self, offset: int, length: int) -> Iterator[bytes]:
        positions, offsets = self.fragments.positions, self.fragments.offsets
        index = bisect_right(offsets, offset) - 1
        while length:
            taken = min(offsets[index + 1] - offset, length)
            yield self.fragments.data.read(positions[index] + offset - offsets[index], taken)
            offset, length, index = offset + taken, length - taken, index + 1


def have_same_frames(sent: Fragments, found: Fragments) -> bool:
    """Whether each frame is the same compressed bytes. Raises NotComparable.

    A basic offset table may be there on one side only, if it is right (PS3.5 A.4).
    """
    is_cut_alike = sent.offsets == found.offsets
    if not (is_cut_alike and sent.table == found.table):
        for fragments in (sent, found):
            if fragments.table and not fragments.frames_by_table():
                raise FramesUnclear("A basic offset table does not fit the frames, and the other side has another.")
    if is_cut_alike and (sent.table == found.table or not (sent.table and found.table)):
        return _are_same(sent, found, range(len(sent)), range(len(found)))
    if (of_sent := sent.frames()) and (of_found := found.frames()):
        return _are_same(sent, found, of_sent, of_found)
    if _are_same(sent, found, (0,), (0,)):
        raise FramesUnclear(f"{FramesUnclear.__doc__}")
    return False


def _are_same(sent: Fragments, found: Fragments, of_sent: Sequence[int], of_found: Sequence[int]) -> bool:
    if len(of_sent) != len(of_found):
        return False
    runs = zip(_runs(sent, of_sent), _runs(found, of_found), strict=True)
    return all(are_same_bytes(one, other) for one, other in runs)


def _runs(fragments: Fragments, starts: Sequence[int]) -> Iterator[Run]:
    for number, start in enumerate(starts, start=1):
        yield Run(fragments, start, starts[number] if number < len(starts) else len(fragments))
