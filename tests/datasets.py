"""Synthesises DICOM instances: CT slices as Part 10 files (PS3.10 7.1), packed by hand so that thousands take a second.

Nothing real is stored with the tests. Pixels are noise; under an encapsulated transfer syntax they are one fragment
that no decoder will like, which no archive looks at. Everything else is a valid CT image of a phantom.
"""

from __future__ import annotations

import random
import struct
import uuid
import zlib
from collections.abc import Iterable, Iterator
from math import isqrt
from pathlib import Path
from typing import Literal, NamedTuple

from pydicom.uid import (
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

Encoding = Literal["explicit", "implicit", "big"]
Element = tuple[int, str, bytes]
"""Tag as one number, VR, and the value as bytes, of even length."""

IMPLEMENTATION_CLASS_UID = "2.25.302063221164403155318519106011553205467"
LONG_VRS = frozenset({"OB", "OW", "SQ", "UN", "UT"})
NOISE_BYTES = 65536
UNCOMPRESSED_ENCODINGS: dict[str, Encoding] = {
    ImplicitVRLittleEndian: "implicit",
    ExplicitVRBigEndian: "big",
}


class Uids(NamedTuple):
    study_instance: str
    series_instance: str
    sop_instance: str
    sop_class: str


def unique_uid() -> str:
    """A UID that nothing else has (PS3.5 B.2)."""
    return f"2.25.{uuid.uuid4().int}"


def write_study(
    folder: Path,
    instances: int = 5,
    series: int = 1,
    *,
    size_bytes: int = 8192,
    study_instance_uid: str | None = None,
    sop_class_uid: str = CTImageStorage,
    transfer_syntax_uid: str = ExplicitVRLittleEndian,
    patient_id: str = "TEST",
) -> list[Path]:
    """Write a new study of so many instances, dealt over so many series; their paths in the order of InstanceNumber."""
    study_instance_uid = study_instance_uid or unique_uid()
    series_instance_uids = [unique_uid() for _ in range(series)]
    return [
        write_instance(
            folder,
            study_instance_uid=study_instance_uid,
            series_instance_uid=series_instance_uids[index % series],
            sop_class_uid=sop_class_uid,
            transfer_syntax_uid=transfer_syntax_uid,
            size_bytes=size_bytes,
            number=index + 1,
            patient_id=patient_id,
        )
        for index in range(instances)
    ]


def write_instance(  # noqa: PLR0913 one for each thing a test may want to choose
    folder: Path,
    *,
    study_instance_uid: str | None = None,
    series_instance_uid: str | None = None,
    sop_instance_uid: str | None = None,
    sop_class_uid: str = CTImageStorage,
    transfer_syntax_uid: str = ExplicitVRLittleEndian,
    size_bytes: int = 8192,
    number: int = 1,
    patient_id: str = "TEST",
    noise: int | None = None,
    odd_length: bool = False,
    name: str | None = None,
) -> Path:
    """Write one instance with pixel data of about `size_bytes`; a UID that is not given is a new one.

    `noise` chooses the pixels (else `number` does), so that two files can differ in their pixels alone.
    `odd_length` makes the data set of odd length, as a deflated one may be; only for the deflated transfer syntax.
    """
    sop_instance_uid = sop_instance_uid or unique_uid()
    rows, columns = _rows_and_columns(size_bytes)
    uids = Uids(
        study_instance_uid or unique_uid(), series_instance_uid or unique_uid(), sop_instance_uid, sop_class_uid
    )
    header = _header_elements(uids, number, patient_id)
    pixels = _noise(rows * columns * 2, number if noise is None else noise)
    data_set = _data_set(header, rows, columns, pixels, transfer_syntax_uid)
    if transfer_syntax_uid == DeflatedExplicitVRLittleEndian:
        data_set = [_deflated(b"".join(data_set), odd_length=odd_length)]
    elif odd_length:
        raise ValueError("Only a deflated data set can be of odd length.")
    path = folder / (name or f"{number:06d}-{sop_instance_uid}.dcm")
    with path.open("wb") as file:
        file.write(preamble_and_file_meta(sop_class_uid, sop_instance_uid, transfer_syntax_uid))
        file.writelines(data_set)
    return path


def data_set_bytes(path: Path) -> bytes:
    """The data set of a Part 10 file as it is encoded there, without preamble and file meta group."""
    content = path.read_bytes()
    group_length = struct.unpack_from("<L", content, 140)[0]
    return content[144 + group_length :]


def _rows_and_columns(size_bytes: int) -> tuple[int, int]:
    pixels = max(1, size_bytes // 2)
    columns = max(1, isqrt(pixels))
    return max(1, pixels // columns), columns


def _noise(length: int, seed: int) -> Iterator[bytes]:
    block = random.Random(seed).randbytes(min(length, NOISE_BYTES))
    for offset in range(0, length, NOISE_BYTES):
        yield block[: length - offset]


def _header_elements(uids: Uids, number: int, patient_id: str) -> Iterator[Element]:
    yield 0x00080005, "CS", b"ISO_IR 100"
    yield 0x00080008, "CS", b"ORIGINAL\\PRIMARY\\AXIAL"
    yield 0x00080016, "UI", _uid(uids.sop_class)
    yield 0x00080018, "UI", _uid(uids.sop_instance)
    yield 0x00080020, "DA", b"20260105"
    yield 0x00080030, "TM", b"101500"
    yield 0x00080050, "SH", b""
    yield 0x00080060, "CS", b"CT"
    yield 0x00080070, "LO", b"Tallyman"
    yield 0x00080090, "PN", b""
    yield 0x00100010, "PN", _text(f"{patient_id}^Phantom")
    yield 0x00100020, "LO", _text(patient_id)
    yield 0x00100030, "DA", b""
    yield 0x00100040, "CS", b"O "
    yield 0x0020000D, "UI", _uid(uids.study_instance)
    yield 0x0020000E, "UI", _uid(uids.series_instance)
    yield 0x00200010, "SH", b"1 "
    yield 0x00200011, "IS", b"1 "
    yield 0x00200013, "IS", _text(str(number))


def _image_elements(rows: int, columns: int, order: str) -> Iterator[Element]:
    def unsigned(value: int) -> bytes:
        return struct.pack(order + "H", value)

    yield 0x00280002, "US", unsigned(1)
    yield 0x00280004, "CS", b"MONOCHROME2 "
    yield 0x00280010, "US", unsigned(rows)
    yield 0x00280011, "US", unsigned(columns)
    yield 0x00280100, "US", unsigned(16)
    yield 0x00280101, "US", unsigned(16)
    yield 0x00280102, "US", unsigned(15)
    yield 0x00280103, "US", unsigned(0)
    yield 0x00281052, "DS", b"0 "
    yield 0x00281053, "DS", b"1 "


def _data_set(
    header: Iterable[Element], rows: int, columns: int, pixels: Iterable[bytes], transfer_syntax_uid: str
) -> list[bytes]:
    encoding = UNCOMPRESSED_ENCODINGS.get(transfer_syntax_uid, "explicit")
    order = ">" if encoding == "big" else "<"
    length = rows * columns * 2
    parts = [_element(element, encoding) for element in header]
    parts += [_element(element, encoding) for element in _image_elements(rows, columns, order)]
    if UID(transfer_syntax_uid).is_encapsulated:
        opening = struct.pack("<HHLHHL", 0xFFFE, 0xE000, 0, 0xFFFE, 0xE000, length)
        closing = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
        return [*parts, _element_header(0x7FE00010, "OB", 0xFFFFFFFF, encoding), opening, *pixels, closing]
    return [*parts, _element_header(0x7FE00010, "OW", length, encoding), *pixels]


def _element(element: Element, encoding: Encoding) -> bytes:
    tag, vr, value = element
    return _element_header(tag, vr, len(value), encoding) + value


def _element_header(tag: int, vr: str, length: int, encoding: Encoding) -> bytes:
    """PS3.5 7.1.2 and 7.1.3."""
    order = ">" if encoding == "big" else "<"
    group, element = tag >> 16, tag & 0xFFFF
    if encoding == "implicit":
        return struct.pack("<HHL", group, element, length)
    if vr in LONG_VRS:
        return struct.pack(order + "HH2sHL", group, element, vr.encode(), 0, length)
    return struct.pack(order + "HH2sH", group, element, vr.encode(), length)


def preamble_and_file_meta(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """What makes a Part 10 file of a data set (PS3.10 7.1)."""
    elements: list[Element] = [
        (0x00020001, "OB", b"\x00\x01"),
        (0x00020002, "UI", _uid(sop_class_uid)),
        (0x00020003, "UI", _uid(sop_instance_uid)),
        (0x00020010, "UI", _uid(transfer_syntax_uid)),
        (0x00020012, "UI", _uid(IMPLEMENTATION_CLASS_UID)),
    ]
    group = b"".join(_element(element, "explicit") for element in elements)
    group_length = _element((0x00020000, "UL", struct.pack("<L", len(group))), "explicit")
    return b"\0" * 128 + b"DICM" + group_length + group


EMPTY_DEFLATE_BLOCK = b"\xf8\x00\x00\xff\xff"
"""A stored block of no bytes (RFC 1951 3.2.4): five bytes that inflate to nothing, to turn an even length odd.

The five upper bits of the first are ignored by inflate; zeros would look like a command set to pydicom."""


def _deflated(data_set: bytes, *, odd_length: bool) -> bytes:
    """PS3.5 A.5: deflated without zlib header, padded to even length with one null byte (unless asked for odd)."""
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    stream = compressor.compress(data_set) + compressor.flush()
    if not odd_length:
        return stream + b"\0" * (len(stream) % 2)
    return stream if len(stream) % 2 else EMPTY_DEFLATE_BLOCK + stream


def _uid(value: str) -> bytes:
    encoded = value.encode("ascii")
    return encoded + b"\0" * (len(encoded) % 2)


def _text(value: str) -> bytes:
    encoded = value.encode("latin-1")
    return encoded + b" " * (len(encoded) % 2)
