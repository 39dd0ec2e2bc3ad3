"""Compares the data set that was sent with the one that was read back, element by element, in bounded memory.

The same values may be encoded otherwise (PS3.5): with or without VRs, in another byte order, deflated, with defined or
undefined lengths, with or without group lengths and padding, text in another character set, compressed frames in other
fragments. Everything else is a difference, also what an archive may add or coerce. What cannot be read or told is
never taken for the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from pydicom.config import IGNORE
from pydicom.uid import UID

from audit.byte_sources import StreamBytes, StreamCut, Window
from audit.comparing import differences, has_pixels
from audit.encoded_data_sets import DataSetStream, DataSetUnreadable, EncodedDataSet, NotComparable
from audit.left_out import LeftOut
from audit.observations import EvidenceKind
from audit.part10 import locate_data_set as locate_in_part10
from audit.values import SLICE_BYTES

__all__ = ["Comparison", "DataSetStream", "NotComparable", "compare", "locate_data_set"]

SENT, FOUND = "What was sent", "What was read back"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two data sets have in common."""

    kind: EvidenceKind
    """IDENTICAL (byte for byte, in the same transfer syntax), EQUIVALENT or DIFFERENT."""
    elements: tuple[str, ...] = ()
    """The first 50 elements that differ, such as "(0008,1030)" or "(0040,0275)[2].(0040,0007)"; items count from 1."""
    elements_differing: int = 0
    pixels_differ: bool | None = None
    """None where neither side has pixels, or both are the same bytes that are no data set to read."""


def locate_data_set(stream: BinaryIO) -> DataSetStream:
    """The data set of a Part 10 file (PS3.10 7.1). Raises NotComparable where there is none."""
    size = stream.seek(0, 2)
    try:
        start, transfer_syntax_uid = locate_in_part10(Window(StreamBytes(stream, 0, size)), size)
    except LeftOut as fault:
        raise DataSetUnreadable(f"A file cannot be compared: {fault.reason}.") from fault
    return DataSetStream(stream, start, size - start, transfer_syntax_uid)


def compare(sent: DataSetStream, found: DataSetStream) -> Comparison:
    """What the two have in common.

    Raises NotComparable where that cannot be told, and what the streams raise (OSError, the errors of ZIP files).
    """
    if not (sent.size and found.size):
        raise DataSetUnreadable(f"{FOUND if sent.size else SENT} cannot be compared: it is empty.")
    if sent.transfer_syntax_uid == found.transfer_syntax_uid:
        if _are_same_bytes(sent, found):
            return Comparison(EvidenceKind.IDENTICAL, pixels_differ=_same_pixels(sent))
    elif not (_is_standard(sent) and _is_standard(found)):
        raise NotComparable("The two are in different transfer syntaxes, of which one is not in the DICOM standard.")
    differing = differences(EncodedDataSet(sent, SENT), EncodedDataSet(found, FOUND))
    kind = EvidenceKind.DIFFERENT if differing.count else EvidenceKind.EQUIVALENT
    return Comparison(kind, tuple(differing.names), differing.count, differing.pixels_differ)


def _are_same_bytes(sent: DataSetStream, found: DataSetStream) -> bool:
    return sent.size == found.size and all(
        one == other for one, other in zip(_slices(sent, SENT), _slices(found, FOUND), strict=True)
    )


def _slices(of: DataSetStream, name: str) -> Iterator[bytes]:
    source = StreamBytes(of.stream, of.start, of.size)
    try:
        for position in range(0, of.size, SLICE_BYTES):
            yield source.read_at(position, SLICE_BYTES)
    except StreamCut as error:
        raise DataSetUnreadable(f"{name} cannot be compared: it ends before it should.") from error


def _same_pixels(of: DataSetStream) -> bool | None:
    """False where there are pixels, which are the same on both sides."""
    try:
        return False if has_pixels(EncodedDataSet(of, SENT)) else None
    except NotComparable:
        return None


def _is_standard(of: DataSetStream) -> bool:
    return UID(of.transfer_syntax_uid, validation_mode=IGNORE).type == "Transfer Syntax"
