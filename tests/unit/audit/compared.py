"""Data sets to compare, and what comparing them says."""

from __future__ import annotations

from io import BytesIO

import pytest
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
)

from audit.content import Comparison, DataSetStream, NotComparable, compare
from audit.observations import EvidenceKind
from tests.unit.audit.encoded import BIG, EXPLICIT, IMPLICIT

IDENTIFIED = EXPLICIT.uid(0x00080018, "1.2.3.4")
PIXELS = bytes(range(24))
SYNTAXES = {EXPLICIT: ExplicitVRLittleEndian, IMPLICIT: ImplicitVRLittleEndian, BIG: ExplicitVRBigEndian}
SAME_BYTES = Comparison(EvidenceKind.IDENTICAL)


def stream(content: bytes, transfer_syntax_uid: str = ExplicitVRLittleEndian) -> DataSetStream:
    return DataSetStream(BytesIO(content), 0, len(content), transfer_syntax_uid)


def explicit(*elements: bytes) -> DataSetStream:
    return stream(IDENTIFIED + b"".join(elements))


def implicit(*elements: bytes) -> DataSetStream:
    return stream(IMPLICIT.uid(0x00080018, "1.2.3.4") + b"".join(elements), ImplicitVRLittleEndian)


def big(*elements: bytes) -> DataSetStream:
    return stream(BIG.uid(0x00080018, "1.2.3.4") + b"".join(elements), ExplicitVRBigEndian)


def compressed(*items: bytes, frames: str = "", transfer_syntax_uid: str = JPEG2000Lossless) -> DataSetStream:
    """Of items the first is the basic offset table."""
    number = EXPLICIT.element(0x00280008, "IS", frames.encode() + b" " * (len(frames) % 2)) if frames else b""
    pixels = EXPLICIT.undefined(0x7FE00010, "OB", *map(EXPLICIT.item, items))
    return stream(IDENTIFIED + number + pixels, transfer_syntax_uid)


def differing(sent: DataSetStream, found: DataSetStream) -> tuple[str, ...]:
    """The elements that differ, which are the same whoever sent; none where the two are equivalent."""
    comparison = compare(sent, found)
    assert compare(found, sent) == comparison
    assert comparison.kind is (EvidenceKind.DIFFERENT if comparison.elements else EvidenceKind.EQUIVALENT)
    return comparison.elements


def reason(sent: DataSetStream, found: DataSetStream) -> str:
    with pytest.raises(NotComparable) as caught:
        compare(sent, found)
    return str(caught.value)


TEXT = EXPLICIT.element(0x00081030, "LO", b"Head")
OTHER_TEXT = EXPLICIT.element(0x00081030, "LO", b"Knee")
