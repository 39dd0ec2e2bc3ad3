"""Data sets for Hypothesis, and pydicom's encoding of them in one of many ways: the reference to compare against."""

from __future__ import annotations

import zlib
from array import array
from copy import deepcopy
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from hypothesis import strategies as st
from pydicom import DataElement, Dataset, Sequence
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from audit.content import DataSetStream

WORD_SIZES = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}
TYPE_CODES = {2: "H", 4: "I", 8: "Q"}


@dataclass(frozen=True)
class Way:
    """How a data set is encoded."""

    transfer_syntax_uid: str = ExplicitVRLittleEndian
    has_undefined_lengths: bool = False
    character_set: str = "ISO_IR 100"


def text(alphabet: str = "abcXYZ 0189-_é£ÿ") -> st.SearchStrategy[str]:
    return st.text(alphabet, max_size=12).map(str.strip)


def bytes_of_words(size: int) -> st.SearchStrategy[bytes]:
    return st.integers(0, 6).flatmap(lambda words: st.binary(min_size=words * size, max_size=words * size))


VALUES: dict[int, tuple[str, st.SearchStrategy[Any]]] = {
    0x00080008: ("CS", st.lists(st.sampled_from(["ORIGINAL", "PRIMARY", "AXIAL", "M"]), max_size=3)),
    0x00080020: ("DA", st.sampled_from(["20260105", "20251231", ""])),
    0x00080030: ("TM", st.sampled_from(["101500", "101500.25", ""])),
    0x00080054: ("AE", st.sampled_from(["ARCHIVE", "PACS", ""])),
    0x00080119: ("UC", text()),
    0x00080120: ("UR", st.sampled_from(["http://localhost/a", "urn:1"])),
    0x00081030: ("LO", text()),
    0x00090010: ("LO", st.just("A MAKER")),
    0x00091001: ("LO", text("abc ")),  # without VRs nobody knows that it is text
    0x00091002: ("SL", st.integers(-(2**31), 2**31 - 1)),
    0x00091003: ("OB", bytes_of_words(2)),
    0x00100010: ("PN", text("abcÄö^")),
    0x00104000: ("LT", text("abc é\r\n")),
    0x00180050: ("DS", st.sampled_from(["1.5", "-0.25", "1e5", "42", ""])),
    0x00189087: ("FD", st.floats(allow_nan=False)),
    0x00189219: ("SS", st.lists(st.integers(-(2**15), 2**15 - 1), max_size=3)),
    0x00189073: ("FD", st.lists(st.floats(allow_nan=False), max_size=3)),
    0x00200013: ("IS", st.integers(-9999, 9999)),
    0x00209165: ("AT", st.integers(0, 2**32 - 1)),
    0x00280009: ("AT", st.lists(st.integers(0, 2**32 - 1), max_size=3)),
    0x00280010: ("US", st.integers(0, 2**16 - 1)),
    0x00280106: ("US", st.integers(0, 2**15 - 1)),
    0x00420011: ("OB", bytes_of_words(2)),
    0x00660016: ("OF", bytes_of_words(4)),
    0x7FE00010: ("OW", bytes_of_words(2)),
}
SEQUENCES = (0x00081110, 0x00091004, 0x00400275, 0x52009230)


def items() -> st.SearchStrategy[Dataset]:
    """Data sets within sequences, and sequences within those."""
    return st.recursive(_leaves(), lambda inner: st.builds(_with_sequence, _leaves(), _sequences(inner)), max_leaves=6)


def data_sets() -> st.SearchStrategy[Dataset]:
    return items().map(_identified)


def encode(data_set: Dataset, way: Way) -> DataSetStream:
    """The data set as pydicom encodes it."""
    is_big = way.transfer_syntax_uid == ExplicitVRBigEndian
    prepared = _prepared(data_set, way, is_big_endian=is_big)
    prepared.SpecificCharacterSet = way.character_set
    file = DicomBytesIO()
    file.is_implicit_VR = way.transfer_syntax_uid == ImplicitVRLittleEndian
    file.is_little_endian = not is_big
    write_dataset(file, prepared)
    content = file.getvalue()
    if way.transfer_syntax_uid == DeflatedExplicitVRLittleEndian:
        compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        content = compressor.compress(content) + compressor.flush()
        content += b"\0" * (len(content) % 2)
    return DataSetStream(BytesIO(content), 0, len(content), way.transfer_syntax_uid)


def ways() -> st.SearchStrategy[Way]:
    return st.builds(
        Way,
        st.sampled_from(
            [
                DeflatedExplicitVRLittleEndian,
                ExplicitVRBigEndian,
                ExplicitVRLittleEndian,
                ImplicitVRLittleEndian,
            ]
        ),
        st.booleans(),
        st.sampled_from(["ISO_IR 100", "ISO_IR 192"]),
    )


def leaves_of(data_set: Dataset, path: str = "") -> list[tuple[Dataset, int, str]]:
    """Every element that is no sequence: the data set that it is in, its tag, and what a comparison calls it."""
    found = []
    for element in data_set:
        name = f"{path}({element.tag.group:04X},{element.tag.element:04X})"
        if element.VR != "SQ":
            found.append((data_set, int(element.tag), name))
            continue
        for number, item in enumerate(element.value, start=1):
            found += leaves_of(item, f"{name}[{number}].")
    return found


def _leaves() -> st.SearchStrategy[Dataset]:
    return st.fixed_dictionaries({}, optional={tag: value for tag, (_, value) in VALUES.items()}).map(_data_set)


def _data_set(values: dict[int, Any]) -> Dataset:
    data_set = Dataset()
    for tag, value in values.items():
        data_set[tag] = DataElement(tag, VALUES[tag][0], value)
    return data_set


def _sequences(inner: st.SearchStrategy[Dataset]) -> st.SearchStrategy[dict[int, list[Dataset]]]:
    return st.dictionaries(st.sampled_from(SEQUENCES), st.lists(inner, max_size=3), min_size=1, max_size=2)


def _with_sequence(data_set: Dataset, sequences: dict[int, list[Dataset]]) -> Dataset:
    for tag, of_sequence in sequences.items():
        data_set[tag] = DataElement(tag, "SQ", Sequence(deepcopy(of_sequence)))
    return data_set


def _identified(data_set: Dataset) -> Dataset:
    data_set.SOPInstanceUID = "1.2.3.4"
    return data_set


def _prepared(data_set: Dataset, way: Way, *, is_big_endian: bool) -> Dataset:
    """A copy with the lengths as wanted; pydicom leaves it to its caller to put bytes in order."""
    prepared = deepcopy(data_set)
    for element in prepared:
        if element.VR == "SQ":
            element.is_undefined_length = way.has_undefined_lengths
            element.value = Sequence([_prepared(item, way, is_big_endian=is_big_endian) for item in element.value])
            for item in element.value:
                item.is_undefined_length_sequence_item = way.has_undefined_lengths
        elif is_big_endian and element.VR in WORD_SIZES:
            words = array(TYPE_CODES[WORD_SIZES[element.VR]], element.value)
            words.byteswap()
            element.value = words.tobytes()
    return prepared
