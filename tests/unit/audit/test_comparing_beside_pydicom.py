"""The comparison of data sets beside pydicom's encoding and reading of them, over any data set."""

from __future__ import annotations

import warnings
from dataclasses import replace
from io import BytesIO

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydicom import DataElement, Dataset
from pydicom.filereader import read_dataset
from pydicom.uid import ExplicitVRLittleEndian

from audit.content import Comparison, DataSetStream, NotComparable, compare
from audit.observations import EvidenceKind
from tests.unit.audit.encoded_by_pydicom import VALUES, Way, data_sets, encode, leaves_of, ways

UNTIMED = settings(deadline=None, derandomize=True)
SAME = {EvidenceKind.IDENTICAL, EvidenceKind.EQUIVALENT}


@UNTIMED
@given(data_sets(), ways(), ways())
def test_the_same_data_set_in_another_encoding_is_never_different(data_set: Dataset, one: Way, other: Way) -> None:
    found = compare(encode(data_set, one), encode(data_set, other))

    assert found.kind in SAME, found
    assert found.elements_differing == 0
    assert not found.pixels_differ
    assert (found.pixels_differ is None) == ("PixelData" not in data_set)


@UNTIMED
@given(data_sets(), ways(), ways(), st.data())
def test_a_changed_value_is_named_whatever_the_encodings(
    data_set: Dataset, one: Way, other: Way, data: st.DataObject
) -> None:
    sent = encode(data_set, one)
    changed, tag, name = data.draw(st.sampled_from(leaves_of(data_set)))
    assume(tag in VALUES)
    vr, values = VALUES[tag]
    before = changed[tag].value
    changed[tag] = DataElement(tag, vr, data.draw(values))
    assume(changed[tag].value != before and (changed[tag].value or before))

    assert compare(sent, encode(data_set, other)) == Comparison(
        EvidenceKind.DIFFERENT, (name,), 1, pixels_differ=_pixels(data_set, is_changed=name == "(7FE0,0010)")
    )


@UNTIMED
@given(data_sets(), ways(), ways(), st.data())
def test_a_missing_element_is_named_on_whichever_side(
    data_set: Dataset, one: Way, other: Way, data: st.DataObject
) -> None:
    sent = encode(data_set, one)
    changed, tag, name = data.draw(st.sampled_from(leaves_of(data_set)))
    pixels_differ = _pixels(data_set, is_changed=name == "(7FE0,0010)")
    del changed[tag]
    found = encode(data_set, other)

    expected = Comparison(EvidenceKind.DIFFERENT, (name,), 1, pixels_differ)
    assert compare(sent, found) == expected
    assert compare(found, sent) == expected


@UNTIMED
@given(data_sets(), data_sets(), ways(), ways())
def test_the_sides_may_be_exchanged(data_set: Dataset, counterpart: Dataset, one: Way, other: Way) -> None:
    sent, found = encode(data_set, one), encode(counterpart, other)

    assert compare(sent, found) == compare(found, sent)


@UNTIMED
@given(data_sets(), ways(), st.data())
def test_damaged_bytes_are_the_same_only_where_pydicom_reads_the_same(
    data_set: Dataset, way: Way, data: st.DataObject
) -> None:
    sent = encode(data_set, replace(way, transfer_syntax_uid=ExplicitVRLittleEndian))
    content = bytearray(bytes_of(sent))
    for _ in range(data.draw(st.integers(1, 2))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    found = DataSetStream(BytesIO(content), 0, len(content), sent.transfer_syntax_uid)

    said = outcome(sent, found)

    assert said is None or said.kind is EvidenceKind.DIFFERENT or reads_the_same(sent, found)


@UNTIMED
@given(data_sets(), ways(), st.data())
def test_a_data_set_that_was_cut_is_never_the_same(data_set: Dataset, way: Way, data: st.DataObject) -> None:
    sent = encode(data_set, way)
    content = bytes_of(sent)
    cut = content[: data.draw(st.integers(0, len(content.rstrip(b"\0")) - 1))]

    said = outcome(sent, DataSetStream(BytesIO(cut), 0, len(cut), way.transfer_syntax_uid))

    assert said is None or said.kind is EvidenceKind.DIFFERENT


def outcome(sent: DataSetStream, found: DataSetStream) -> Comparison | None:
    """None where the two cannot be compared; any other exception is a fault."""
    try:
        return compare(sent, found)
    except NotComparable:
        return None


def bytes_of(encoded: DataSetStream) -> bytes:
    encoded.stream.seek(encoded.start)
    return encoded.stream.read(encoded.size)


def _pixels(data_set: Dataset, *, is_changed: bool) -> bool | None:
    return is_changed if "PixelData" in data_set else None


def reads_the_same(sent: DataSetStream, found: DataSetStream) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bool(text_decoded(sent) == text_decoded(found))


def text_decoded(encoded: DataSetStream) -> Dataset:
    """As pydicom reads it, whatever the character set was."""
    data_set = read_dataset(BytesIO(bytes_of(encoded)), False, True)
    data_set.decode()
    data_set.pop("SpecificCharacterSet", None)
    return data_set
