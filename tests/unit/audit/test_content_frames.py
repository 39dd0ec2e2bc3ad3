"""Pixels that are compressed: the same frames in other fragments are the same, others are not."""

from __future__ import annotations

import struct

import pytest
from pydicom.uid import (
    JPEG2000Lossless,
    RLELossless,
)

from audit.content import Comparison, DataSetStream, compare
from audit.observations import EvidenceKind
from tests.unit.audit.compared import IDENTIFIED, PIXELS, TEXT, compressed, differing, explicit, reason, stream
from tests.unit.audit.encoded import EXPLICIT


def table(*offsets: int) -> bytes:
    return struct.pack(f"<{len(offsets)}L", *offsets)


ONE_FRAME = compressed(b"", b"abcdefgh")
TWO_FRAMES = compressed(b"", b"abcd", b"efgh", frames="2")


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        (ONE_FRAME, compressed(b"", b"abcd", b"efgh")),
        (ONE_FRAME, compressed(table(0), b"ab", b"cd", b"efgh")),
        (compressed(b"", b"abc"), compressed(b"", b"abc\0")),
        (TWO_FRAMES, compressed(table(0, 12), b"abcd", b"efgh", frames="2")),
        (TWO_FRAMES, compressed(table(0, 20), b"ab", b"cd", b"efgh", frames="2")),
        (
            compressed(b"", b"ab", b"cd", b"efgh", frames="2"),
            compressed(table(0, 20), b"ab", b"cd", b"efgh", frames="2"),
        ),
    ],
    ids=["cut", "table and cut", "filled up", "table", "table and cut, two frames", "table lost"],
)
def test_the_same_frames_in_other_fragments_are_the_same(sent: DataSetStream, found: DataSetStream) -> None:
    assert not differing(sent, found)
    assert compare(sent, found).pixels_differ is False


@pytest.mark.parametrize(
    "found",
    [
        compressed(b"", b"abcd", b"efgX", frames="2"),
        compressed(b"", b"abcdef", b"gh", frames="2"),
        compressed(b"", b"abcd", frames="2"),
        compressed(table(0, 20), b"ab", b"cX", b"efgh", frames="2"),
        compressed(table(0, 10), b"ab", b"cd", b"efgh", frames="2"),
    ],
    ids=["changed", "divided otherwise", "one missing", "changed and cut", "divided otherwise by its table"],
)
def test_other_frames_are_a_difference(found: DataSetStream) -> None:
    assert differing(TWO_FRAMES, found) == ("(7FE0,0010)",)
    assert compare(TWO_FRAMES, found).pixels_differ is True


def test_fragments_of_which_nothing_says_what_frame_they_belong_to_cannot_be_compared() -> None:
    cut = compressed(b"", b"ab", b"cd", b"efgh", frames="2")

    assert "what belongs to which frame is not certain" in reason(TWO_FRAMES, cut)


@pytest.mark.parametrize("offsets", [(0,), (0, 11), (4, 12), (12, 0)])
def test_an_offset_table_that_is_wrong_cannot_be_compared(offsets: tuple[int, ...]) -> None:
    found = compressed(table(*offsets), b"abcd", b"efgh", frames="2")

    assert "offset table does not fit" in reason(TWO_FRAMES, found)


def test_pixels_that_were_compressed_otherwise_cannot_be_compared() -> None:
    native = explicit(EXPLICIT.element(0x7FE00010, "OW", PIXELS))

    for found in (native, compressed(b"", b"abcdefgh", transfer_syntax_uid=RLELossless)):
        assert "only a decoder could compare" in reason(ONE_FRAME, found)


def test_other_transfer_syntaxes_are_no_matter_where_there_are_no_pixels() -> None:
    sent, found = (stream(IDENTIFIED + TEXT, uid) for uid in (JPEG2000Lossless, RLELossless))

    assert compare(sent, found) == Comparison(EvidenceKind.EQUIVALENT)


def test_a_private_transfer_syntax_cannot_be_compared_with_another() -> None:
    assert "not in the DICOM standard" in reason(explicit(), stream(IDENTIFIED, "1.2.840.113619.5.2"))
