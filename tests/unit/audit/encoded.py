"""Encodes elements and Part 10 files byte by byte, so that tests can get them wrong (PS3.5 7.1 and 7.5, PS3.10 7.1)."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from pydicom.uid import (
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
)

from audit.byte_sources import Window
from audit.left_out import LeftOut
from audit.part10 import Instance, is_part10, not_part10, read_instance
from tests.datasets import preamble_and_file_meta

UNDEFINED = 0xFFFFFFFF
SOP_INSTANCE_UID = "1.2.3.4"
STUDY_INSTANCE_UID = "1.2.3"
SERIES_INSTANCE_UID = "1.2.3.1"
LONG_VRS = {"OB", "OW", "SQ", "UN", "UT"}


@dataclass(frozen=True)
class Coding:
    """How to encode elements."""

    is_implicit: bool = False
    order: str = "<"

    def header(self, tag: int, vr: str, length: int) -> bytes:
        group, element = tag >> 16, tag & 0xFFFF
        if self.is_implicit or group == 0xFFFE:
            return struct.pack(self.order + "HHL", group, element, length)
        if vr in LONG_VRS:
            return struct.pack(self.order + "HH2sHL", group, element, vr.encode(), 0, length)
        return struct.pack(self.order + "HH2sH", group, element, vr.encode(), length)

    def element(self, tag: int, vr: str, value: bytes) -> bytes:
        return self.header(tag, vr, len(value)) + value

    def uid(self, tag: int, value: str) -> bytes:
        return self.element(tag, "UI", value.encode("latin-1") + b"\0" * (len(value) % 2))

    def undefined(self, tag: int, vr: str, *items: bytes) -> bytes:
        """An element of undefined length: its items and the sequence delimiter."""
        return self.header(tag, vr, UNDEFINED) + b"".join(items) + self.header(0xFFFEE0DD, "", 0)

    def item(self, content: bytes, *, is_delimited: bool = False) -> bytes:
        if is_delimited:
            return self.header(0xFFFEE000, "", UNDEFINED) + content + self.header(0xFFFEE00D, "", 0)
        return self.header(0xFFFEE000, "", len(content)) + content

    def identity(self, before_series: bytes = b"", **uids: str) -> bytes:
        """The elements up to Series Instance UID, with something before (0020,000D) if wanted."""
        return (
            self.uid(0x00080016, uids.get("sop_class_uid", CTImageStorage))
            + self.uid(0x00080018, uids.get("sop_instance_uid", SOP_INSTANCE_UID))
            + before_series
            + self.uid(0x0020000D, uids.get("study_instance_uid", STUDY_INSTANCE_UID))
            + self.uid(0x0020000E, uids.get("series_instance_uid", SERIES_INSTANCE_UID))
        )

    def image(self, before_series: bytes = b"", pixels: bytes = b"pixels" * 100) -> bytes:
        """A data set of native pixels."""
        return self.identity(before_series) + self.described(len(pixels)) + self.element(0x7FE00010, "OW", pixels)

    def described(self, pixels: int) -> bytes:
        """The six elements of an image of so many pixels of one byte, two in a frame."""

        def unsigned(tag: int, value: int) -> bytes:
            return self.element(tag, "US", struct.pack(self.order + "H", value))

        frames = str(pixels // 2).encode()
        return (
            unsigned(0x00280002, 1)
            + self.element(0x00280004, "CS", b"MONOCHROME2 ")
            + self.element(0x00280008, "IS", frames + b" " * (len(frames) % 2))
            + unsigned(0x00280010, 1)
            + unsigned(0x00280011, 2)
            + unsigned(0x00280100, 8)
        )


EXPLICIT = Coding()
IMPLICIT = Coding(is_implicit=True)
BIG = Coding(order=">")


def deflated(data_set: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data_set) + compressor.flush()


def compressed_image(*fragments: bytes) -> bytes:
    """A data set of encapsulated pixels (PS3.5 A.4), with an empty basic offset table."""
    items = [EXPLICIT.item(fragment) for fragment in (b"", *fragments)]
    return EXPLICIT.identity() + EXPLICIT.undefined(0x7FE00010, "OB", *items)


WHOLE_DATA_SETS: dict[UID, bytes] = {
    ExplicitVRLittleEndian: EXPLICIT.image(),
    ImplicitVRLittleEndian: IMPLICIT.image(),
    ExplicitVRBigEndian: BIG.image(),
    DeflatedExplicitVRLittleEndian: deflated(EXPLICIT.image()),
    JPEG2000Lossless: compressed_image(b"fragment" * 10, b"fragment" * 20),
}
"""A whole data set in each kind of transfer syntax."""


def part10(
    data_set: bytes,
    transfer_syntax_uid: str = ExplicitVRLittleEndian,
    *,
    sop_class_uid: str = CTImageStorage,
    sop_instance_uid: str = SOP_INSTANCE_UID,
) -> bytes:
    return preamble_and_file_meta(sop_class_uid, sop_instance_uid, transfer_syntax_uid) + data_set


class Content:
    """A source that is already in memory, and remembers how much was read of it."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.size = len(content)
        self.bytes_read = 0

    def read_at(self, position: int, length: int) -> bytes:
        piece = self.content[position : position + length]
        self.bytes_read += len(piece)
        return piece


def read(content: bytes | Content, *, inflation_limit: int = 1 << 20) -> Instance:
    """The instance in a file's content. Raises LeftOut."""
    source = content if isinstance(content, Content) else Content(content)
    window = Window(source)
    if not is_part10(window):
        raise not_part10(window, source.size)
    return read_instance(window, source, source.size, inflation_limit=inflation_limit)


def verdict(content: bytes) -> Instance | LeftOut:
    """What is made of a file's content, either way."""
    try:
        return read(content)
    except LeftOut as fault:
        return fault


def left_out(content: bytes) -> LeftOut:
    """Why a file is left out."""
    found = verdict(content)
    assert isinstance(found, LeftOut)
    return found
