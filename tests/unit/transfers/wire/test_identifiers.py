"""Identifiers of C-FIND are written and read as pydicom writes and reads them."""

from __future__ import annotations

import struct
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.dsutils import decode, encode

from audit.escaping import quoted
from transfers.errors import MalformedPDU
from transfers.wire.identifiers import MOST_WANTED, Level, Query, Row, Wanted, encode_query, encode_wanted, read_row

SYNTAXES = pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian], ids=["explicit", "implicit"]
)
UIDS = st.from_regex(r"[1-9](\.[1-9][0-9]{0,8}){1,6}", fullmatch=True)


def encoded(data_set: Dataset, syntax: str) -> bytes:
    return encode(data_set, syntax == ImplicitVRLittleEndian, True) or b""


def answer(**values: object) -> Dataset:
    data_set = Dataset()
    for keyword, value in values.items():
        setattr(data_set, keyword, value)
    return data_set


FULL = {
    "QueryRetrieveLevel": "IMAGE",
    "SOPClassUID": "1.2.4",
    "SOPInstanceUID": "1.2.33",
    "StudyInstanceUID": "1.2.1",
    "SeriesInstanceUID": "1.2.22",
}


@SYNTAXES
@given(study=UIDS, series=UIDS, instance=st.one_of(st.just(""), UIDS))
def test_a_question_is_the_identifier_that_pydicom_would_write(
    syntax: str, study: str, series: str, instance: str
) -> None:
    written = encode_query(Query(study, series, instance), syntax)

    identifier = answer(
        SOPClassUID="",
        SOPInstanceUID=instance,
        QueryRetrieveLevel="IMAGE",
        StudyInstanceUID=study,
        SeriesInstanceUID=series,
    )
    assert written == encoded(identifier, syntax)


@SYNTAXES
def test_a_question_for_counts_asks_at_series_level(syntax: str) -> None:
    written = encode_query(Query("1.2.3", "", level=Level.SERIES), syntax)

    identifier = decode(BytesIO(written), syntax == ImplicitVRLittleEndian, True)
    assert identifier.QueryRetrieveLevel == "SERIES"
    assert identifier.StudyInstanceUID == "1.2.3"
    assert not identifier.SeriesInstanceUID
    assert "NumberOfSeriesRelatedInstances" in identifier
    assert "SOPInstanceUID" not in identifier


@SYNTAXES
def test_a_row_is_read(syntax: str) -> None:
    identifier = encoded(answer(**FULL), syntax)

    assert read_row(identifier, syntax) == Row("1.2.1", "1.2.22", "1.2.33", "1.2.4")


@SYNTAXES
def test_what_a_row_does_not_give_is_empty(syntax: str) -> None:
    identifier = encoded(answer(SOPInstanceUID="1.2.33", StudyInstanceUID=None), syntax)

    assert read_row(identifier, syntax) == Row("", "", "1.2.33")


@SYNTAXES
def test_what_was_not_asked_for_is_skipped(syntax: str) -> None:
    others = {"SpecificCharacterSet": "ISO_IR 100", "RetrieveAETitle": "ORTHANC", "LongCodeValue": "x" * 300}

    identifier = encoded(answer(**FULL, **others), syntax)

    assert read_row(identifier, syntax) == Row("1.2.1", "1.2.22", "1.2.33", "1.2.4")


@SYNTAXES
@pytest.mark.parametrize("is_undefined_length", [True, False], ids=["undefined", "defined"])
def test_sequences_are_skipped(syntax: str, is_undefined_length: bool) -> None:
    data_set = answer(**FULL, ReferencedStudySequence=Sequence([answer(ReferencedSOPInstanceUID="1.2.9")]))
    data_set["ReferencedStudySequence"].is_undefined_length = is_undefined_length

    assert read_row(encoded(data_set, syntax), syntax) == Row("1.2.1", "1.2.22", "1.2.33", "1.2.4")


@SYNTAXES
@pytest.mark.parametrize(
    ("text", "count"), [("12", 12), (" 7 ", 7), ("", None), ("many", None), ("-1", None), ("9" * 5_000, None)]
)
def test_a_count_is_a_number_or_nothing(syntax: str, text: str, count: int | None) -> None:
    element = b"\x20\x00\x09\x12"
    value = text.encode() + b" " * (len(text) % 2)
    length = len(value).to_bytes(2, "little")
    header = element + (length + b"\0\0" if syntax == ImplicitVRLittleEndian else b"IS" + length)

    assert read_row(header + value, syntax).series_related_instances == count


@SYNTAXES
@pytest.mark.parametrize("padding", [b"\0", b" ", b"\0\0\0", b"  \0"], ids=repr)
def test_padding_is_no_part_of_a_uid(syntax: str, padding: bytes) -> None:
    value = b"1.2.3" + padding
    length = len(value).to_bytes(2, "little")
    header = b"\x08\x00\x18\x00" + (length + b"\0\0" if syntax == ImplicitVRLittleEndian else b"UI" + length)

    assert read_row(header + value, syntax).sop_instance_uid == "1.2.3"


@SYNTAXES
@given(data=st.data())
def test_bytes_that_are_no_identifier_are_malformed_or_name_nothing_of_ours(syntax: str, data: st.DataObject) -> None:
    whole = encoded(answer(**FULL), syntax)
    broken = data.draw(st.one_of(st.binary(max_size=200), st.integers(1, len(whole) - 1).map(lambda end: whole[:end])))

    try:
        row = read_row(broken, syntax)
    except MalformedPDU:
        return
    assert row.sop_instance_uid in ("", "1.2.33")


@pytest.mark.parametrize("uid", ["1.2\0\x1b[31m3", "1.2 3", "1.2\u009b3", "1.2\\1.3", "1" * 65, "\x07"])
def test_a_uid_that_is_none_is_escaped_and_so_equals_no_other(uid: str) -> None:
    value = uid.encode("latin-1")
    identifier = struct.pack("<HHI", 0x0020, 0x000E, len(value)) + value

    read = read_row(identifier, ImplicitVRLittleEndian).series_instance_uid

    assert read == quoted(uid)
    assert read.isascii()
    assert read.isprintable()


@SYNTAXES
@given(study=UIDS, series=UIDS, instances=st.lists(UIDS, min_size=1, max_size=5))
def test_what_is_wanted_is_the_identifier_that_pydicom_would_write(
    syntax: str, study: str, series: str, instances: list[str]
) -> None:
    written = encode_wanted(Wanted(study, series, tuple(instances)), syntax)

    identifier = answer(
        SOPInstanceUID=instances, QueryRetrieveLevel="IMAGE", StudyInstanceUID=study, SeriesInstanceUID=series
    )
    assert written == encoded(identifier, syntax)


def test_the_most_that_may_be_wanted_fit_into_one_value() -> None:
    longest = "1." + "2" * 62
    wanted = Wanted(longest, longest, (longest,) * MOST_WANTED)

    identifier = decode(BytesIO(encode_wanted(wanted, ExplicitVRLittleEndian)), False, True)

    assert len(identifier.SOPInstanceUID) == MOST_WANTED
