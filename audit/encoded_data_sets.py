"""One of two data sets that are compared, read as it is encoded. Whatever is wrong with it makes it not comparable."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import BinaryIO

from audit.byte_sources import (
    ByteSource,
    DeflateStreamCut,
    InflatedBytes,
    InflationLimitExceeded,
    StreamBytes,
    StreamCut,
    Window,
)
from audit.elements import EndMissing, NotFollowed, end_of_undefined_length
from audit.encodings import EXPLICIT_LITTLE, UNDEFINED_LENGTH, Encoding, Header, HeaderCut, VrUnknown
from audit.left_out import LeftOut
from audit.limits import InputLimits
from audit.part10 import DEFLATED, ENCODINGS

MAXIMUM_ELEMENTS = 5_000_000
"""Headers of elements and items that are read of one data set."""
_READING_ERRORS = (
    DeflateStreamCut,
    EndMissing,
    HeaderCut,
    InflationLimitExceeded,
    LeftOut,
    NotFollowed,
    StreamCut,
    VrUnknown,
    zlib.error,
)
_FAULTS: dict[type[Exception], str] = {
    DeflateStreamCut: "its deflate stream ends too early",
    EndMissing: "it ends inside an element of undefined length",
    HeaderCut: "it ends inside the header of an element",
    InflationLimitExceeded: "it inflates to more than the limit",
    NotFollowed: "something is in place of an element or an item that is neither",
    StreamCut: "it ends before it should",
    VrUnknown: "one of its elements has a VR that is not in PS3.5",
    zlib.error: "it is no deflate stream, though its transfer syntax is deflated",
}


class NotComparable(Exception):
    """The two data sets cannot be compared; the message says why, for people."""

    code = "not_comparable"


class DataSetUnreadable(NotComparable):
    """A data set cannot be read; the message says which of the two, and why."""

    code = "data_set_unreadable"


class PixelsEncodedOtherwise(NotComparable):
    """The pixels are in another transfer syntax, which only a decoder could compare."""

    code = "pixels_encoded_otherwise"


@dataclass(frozen=True, slots=True)
class DataSetStream:
    """Where a data set lies in a seekable stream, which may stand anywhere."""

    stream: BinaryIO
    start: int
    """Where the data set begins: after preamble and file meta group, if there are any."""
    size: int
    """Bytes of the data set, as encoded."""
    transfer_syntax_uid: str


class EncodedDataSet:
    """Reads headers and bytes of one data set, best forward only.

    Every method raises DataSetUnreadable for what is no data set in its transfer syntax.
    """

    def __init__(self, of: DataSetStream, name: str) -> None:
        """`name`: what to call it in messages."""
        self.name = name
        self.transfer_syntax_uid = of.transfer_syntax_uid
        self.is_deflated = of.transfer_syntax_uid in DEFLATED
        source: ByteSource = StreamBytes(of.stream, of.start, of.size)
        if self.is_deflated:
            source = InflatedBytes(source, 0, InputLimits().max_inflated_bytes)
        try:
            self._window = Window(source)
            self.encoding = self._found_encoding(of.transfer_syntax_uid)
        except _READING_ERRORS as error:
            raise self._unreadable_by(error) from error
        self._headers = 0

    @property
    def size(self) -> int | None:
        """Of a deflated data set it is not known before its end was read."""
        return self._window.size

    def header(self, encoding: Encoding, position: int) -> Header:
        """The header of an element."""
        self._count()
        try:
            return encoding.header(self._window, position)
        except _READING_ERRORS as error:
            raise self._unreadable_by(error) from error

    def item_header(self, encoding: Encoding, position: int) -> Header:
        """The header of an item or a delimiter."""
        self._count()
        try:
            return encoding.item_header(self._window, position)
        except _READING_ERRORS as error:
            raise self._unreadable_by(error) from error

    def item_encoding(self, encoding: Encoding, position: int) -> Encoding:
        """Of an item whose first element is there: it may be without VRs in a data set with VRs (PS3.5 6.2.2)."""
        if encoding.is_implicit:
            return encoding
        try:
            return encoding.found_at(self._window, position)
        except _READING_ERRORS as error:
            raise self._unreadable_by(error) from error

    def read(self, position: int, length: int) -> bytes:
        """Exactly so many bytes."""
        content = self.read_up_to(position, length)
        if len(content) < length:
            raise self.unreadable("it ends inside an element")
        return content

    def read_up_to(self, position: int, length: int) -> bytes:
        """So many bytes, fewer only where the data set ends."""
        try:
            return self._window.read(position, length)
        except _READING_ERRORS as error:
            raise self._unreadable_by(error) from error

    def end_of(self, encoding: Encoding, position: int, length: int) -> int:
        """Where the value ends that begins there, of defined or undefined length."""
        if length != UNDEFINED_LENGTH:
            return position + length
        try:
            return end_of_undefined_length(self._window, position, encoding)
        except _READING_ERRORS as error:
            raise self._unreadable_by(error) from error

    def unreadable(self, fault: str) -> DataSetUnreadable:
        return DataSetUnreadable(f"{self.name} cannot be compared: {fault}.")

    def _found_encoding(self, transfer_syntax_uid: str) -> Encoding:
        declared = ENCODINGS.get(transfer_syntax_uid, EXPLICIT_LITTLE)
        return declared.found_at(self._window, 0)

    def _unreadable_by(self, error: Exception) -> DataSetUnreadable:
        fault = error.reason if isinstance(error, LeftOut) else _FAULTS[type(error)]
        return self.unreadable(fault)

    def _count(self) -> None:
        self._headers += 1
        if self._headers > MAXIMUM_ELEMENTS:
            raise self.unreadable(f"it has more than {MAXIMUM_ELEMENTS} elements and items, the limit")
