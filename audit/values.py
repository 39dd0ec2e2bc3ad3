"""Compares two values of an element in slices: in another byte order, or padded otherwise, they are still the same."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Protocol

from audit.character_sets import CharacterSet, are_same_text
from audit.encoded_data_sets import EncodedDataSet, NotComparable
from audit.representations import SIGN_IN_DOUBT, STRINGS, TEXT, UN, WORD_SIZES

SLICE_BYTES = 1 << 18
LONGEST_TEXT = 1 << 22
"""Of a text that is not encoded the same on both sides; 4 MB."""
STRING_PADDING = b" \0"
"""PS3.5 6.2: strings end with spaces, UIDs with a null; writers confuse them."""
_TYPE_CODES = {2: "H", 4: "I", 8: "Q"}


class Content(Protocol):
    """Bytes that are read from their first to their last."""

    @property
    def length(self) -> int: ...

    def read(self, offset: int, length: int) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Value:
    """The value of an element, as it is encoded on one side."""

    data: EncodedDataSet
    position: int
    length: int
    vr: bytes
    is_little_endian: bool
    character_set: CharacterSet

    def read(self, offset: int, length: int) -> bytes:
        return self.data.read(self.position + offset, length)

    def word_size(self, vr: bytes) -> int:
        """Of which size its words are in big endian order; 1 where they are in little endian order."""
        return 1 if self.is_little_endian else WORD_SIZES.get(self.vr or vr, 1)


def are_same(sent: Value, found: Value, vr: bytes) -> bool:
    """Whether two values are the same by a VR. Raises NotComparable."""
    if vr in STRINGS:
        return _are_same_strings(sent, found, vr)
    if {sent.vr, found.vr} == SIGN_IN_DOUBT and (_has_sign(sent) or _has_sign(found)):
        return False
    return are_same_bytes(sent, found, _filling(vr), (sent.word_size(vr), found.word_size(vr)))


def are_same_bytes(sent: Content, found: Content, filling: bytes = b"\0", word_sizes: tuple[int, int] = (1, 1)) -> bool:
    """Whether both are the same bytes in little endian order, but for one that fills up an odd length (PS3.5 7.1.1)."""
    shorter, longer = sorted((sent, found), key=lambda content: content.length)
    if shorter.length != longer.length and not (shorter.length % 2 and longer.length == shorter.length + 1):
        return False
    if word_sizes[0] == word_sizes[1] or shorter.length % max(word_sizes):
        word_sizes = (1, 1)
    for offset in range(0, shorter.length, SLICE_BYTES):
        length = min(SLICE_BYTES, shorter.length - offset)
        if _in_order(sent.read(offset, length), word_sizes[0]) != _in_order(found.read(offset, length), word_sizes[1]):
            return False
    return shorter.length == longer.length or longer.read(shorter.length, 1) in _each(filling)


def _are_same_strings(sent: Value, found: Value, vr: bytes) -> bool:
    is_transcoded = vr in TEXT and sent.character_set != found.character_set
    if max(sent.length, found.length) <= LONGEST_TEXT:
        one, other = (value.read(0, value.length).rstrip(STRING_PADDING) for value in (sent, found))
        return are_same_text(one, other, sent.character_set, found.character_set, vr) if is_transcoded else one == other
    if is_transcoded:
        raise NotComparable(f"A text of more than {LONGEST_TEXT} bytes is in two character sets.")
    return are_same_bytes(sent, found, STRING_PADDING)


def _has_sign(value: Value) -> bool:
    """Whether a word of it is one number with a sign, and another without."""
    content = value.read(0, value.length)
    return any(byte & 0x80 for byte in content[1 if value.is_little_endian else 0 :: 2])


def _filling(vr: bytes) -> bytes:
    return STRING_PADDING if vr == UN else b"\0"


def _each(filling: bytes) -> tuple[bytes, ...]:
    return tuple(bytes([byte]) for byte in filling)


def _in_order(content: bytes, word_size: int) -> bytes:
    if word_size == 1:
        return content
    words = array(_TYPE_CODES[word_size], content)
    words.byteswap()
    return words.tobytes()
