"""Reports of Storage Commitment: as pydicom writes them, as peers get them wrong, and cut at every byte."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.dataelem import DataElement
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.dsutils import decode, encode

from transfers.errors import ReportNotUnderstood
from transfers.wire.commitment_report import (
    CommitmentReport,
    FailedReference,
    Reference,
    encode_request,
    read_report,
)

SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
TRANSACTION_UID = "2.25.11"
Item = tuple[str | None, str | None, int | None]


def item_of(sop_class_uid: str | None, sop_instance_uid: str | None, reason: int | None = None) -> Dataset:
    item = Dataset()
    if sop_class_uid is not None:
        item.ReferencedSOPClassUID = sop_class_uid
    if sop_instance_uid is not None:
        item.ReferencedSOPInstanceUID = sop_instance_uid
    if reason is not None:
        item.FailureReason = reason
    return item


def report_of(committed: Iterable[str] | None = (), failed: Sequence[Item] | None = None) -> Dataset:
    data_set = Dataset()
    data_set.TransactionUID = TRANSACTION_UID
    if failed is not None:
        data_set.FailedSOPSequence = [item_of(*each) for each in failed]
    if committed is not None:
        data_set.ReferencedSOPSequence = [item_of(CTImageStorage, uid) for uid in committed]
    return data_set


def encoded(data_set: Dataset, syntax: str, *, undefined_lengths: bool = False) -> bytes:
    if undefined_lengths:
        for element in data_set:
            if element.VR == "SQ":
                element.is_undefined_length = True
                for item in element.value:
                    item.is_undefined_length_sequence_item = True
    written = encode(data_set, syntax == ImplicitVRLittleEndian, True)
    assert written is not None
    return written


@pytest.mark.parametrize("undefined_lengths", [False, True], ids=["defined", "undefined"])
@pytest.mark.parametrize("syntax", SYNTAXES, ids=["explicit", "implicit"])
def test_a_report_is_read_as_it_was_written(syntax: str, undefined_lengths: bool) -> None:
    data_set = report_of(
        ["1.2.3", "1.2.34"], [(CTImageStorage, "1.2.5", 0x0112), (None, "1.2.66", None), ("", "1.2.7", 1)]
    )

    report = read_report(2, encoded(data_set, syntax, undefined_lengths=undefined_lengths), syntax)

    assert report == CommitmentReport(
        TRANSACTION_UID,
        2,
        (Reference(CTImageStorage, "1.2.3"), Reference(CTImageStorage, "1.2.34")),
        (
            FailedReference(CTImageStorage, "1.2.5", 0x0112),
            FailedReference("", "1.2.66", None),
            FailedReference("", "1.2.7", 1),
        ),
    )


def test_what_a_report_has_beside_is_stepped_over() -> None:
    data_set = report_of(["1.2.3"])
    data_set.RetrieveAETitle = "ARCHIVE"
    data_set.SpecificCharacterSet = "ISO_IR 192"
    block = data_set.private_block(0x0009, "SOMEBODY", create=True)
    block.add_new(1, "SQ", [item_of("1.2", "1.9.9.9")])
    block.add_new(2, "UT", "x" * 70_000)
    data_set[0x00091001].is_undefined_length = True
    data_set.ReferencedSOPSequence[0].RetrieveURL = "https://archive.example/1.2.3"

    for syntax in SYNTAXES:
        assert read_report(1, encoded(data_set, syntax), syntax).committed == (Reference(CTImageStorage, "1.2.3"),)


def test_the_lists_are_told_as_they_are_whatever_the_event_type_says() -> None:
    data_set = report_of(["1.2.3", "1.2.3"], [(CTImageStorage, "1.2.3", 0x0110)])

    report = read_report(1, encoded(data_set, ExplicitVRLittleEndian), ExplicitVRLittleEndian)

    assert report.committed == (Reference(CTImageStorage, "1.2.3"),) * 2
    assert report.failed == (FailedReference(CTImageStorage, "1.2.3", 0x0110),)


def test_an_empty_list_is_one_and_a_missing_one_is_not() -> None:
    empty = encoded(report_of([]), ExplicitVRLittleEndian)
    missing = encoded(report_of(None), ExplicitVRLittleEndian)

    assert read_report(1, empty, ExplicitVRLittleEndian).committed == ()
    with pytest.raises(ReportNotUnderstood, match="neither"):
        read_report(1, missing, ExplicitVRLittleEndian)


@pytest.mark.parametrize("padding", [b"", b"\0", b" ", b"\0\0\0", b"  "])
def test_padding_is_no_part_of_a_uid(padding: bytes) -> None:
    uid = b"1.2.345" + padding
    item = struct.pack("<HHI", 8, 0x1150, 4) + b"1.2\0" + struct.pack("<HHI", 8, 0x1155, len(uid)) + uid
    data_set = b"".join(
        [
            struct.pack("<HHI", 8, 0x1195, 6) + b"1.2.9 ",
            struct.pack("<HHIHHI", 8, 0x1199, len(item) + 8, 0xFFFE, 0xE000, len(item)) + item,
        ]
    )

    report = read_report(1, data_set, ImplicitVRLittleEndian)

    assert (report.transaction_uid, report.committed) == ("1.2.9", (Reference("1.2", "1.2.345"),))


@pytest.mark.parametrize("uid", ["1.2.*", "1.2.3\\1.2.4", "1.2.ä", "1." * 40])
def test_a_uid_that_could_do_harm_equals_no_other(uid: str) -> None:
    value = uid.encode("latin-1")
    value += b"\0" * (len(value) % 2)
    item = struct.pack("<HHI", 8, 0x1155, len(value)) + value
    data_set = b"".join(
        [
            struct.pack("<HHI", 8, 0x1195, 4) + b"1.2\0",
            struct.pack("<HHIHHI", 8, 0x1198, len(item) + 8, 0xFFFE, 0xE000, len(item)) + item,
        ]
    )

    (failed,) = read_report(2, data_set, ImplicitVRLittleEndian).failed

    assert failed.sop_instance_uid.startswith("'")
    assert failed.sop_instance_uid.isascii()


def with_element(tag: int, vr: str, value: object) -> bytes:
    """A report in which one element is of another VR."""
    data_set = report_of(["1.2.3"])
    target = data_set if tag in data_set else data_set.ReferencedSOPSequence[0]
    target[tag] = DataElement(tag, vr, value)
    return encoded(data_set, ExplicitVRLittleEndian)


NOT_UNDERSTOOD = {
    "empty": b"",
    "no transaction": encoded(Dataset(), ExplicitVRLittleEndian),
    "transaction empty": with_element(0x00081195, "UI", ""),
    "transaction too long": with_element(0x00081195, "UI", "1." * 40),
    "transaction with a wildcard": with_element(0x00081195, "LO", "1.2.*"),
    "transaction is a sequence": with_element(0x00081195, "SQ", [Dataset()]),
    "list is a text": with_element(0x00081199, "LO", "1.2.3"),
    "list is bytes": with_element(0x00081199, "LO", "x").replace(b"LO\2\0x ", b"UN\0\0\2\0\0\0x "),
    "instance empty": with_element(0x00081155, "UI", ""),
    "instance is a sequence": with_element(0x00081155, "SQ", []),
    "item without instance": encoded(report_of([], [(CTImageStorage, None, 0x0112)]), ExplicitVRLittleEndian),
    "class empty": with_element(0x00081150, "UI", ""),
    "twice the same list": encoded(report_of(["1.2.3"]), ExplicitVRLittleEndian)
    + encoded(report_of(["1.2.3"]), ExplicitVRLittleEndian)[16:],
    "implicit where explicit": encoded(report_of(["1.2.3"]), ImplicitVRLittleEndian),
    "an item outside": encoded(report_of(["1.2.3"]), ExplicitVRLittleEndian) + struct.pack("<HHI", 0xFFFE, 0xE000, 0),
    "web server": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "zeros": b"\0" * 4096,
}


@pytest.mark.parametrize("information", NOT_UNDERSTOOD.values(), ids=NOT_UNDERSTOOD)
def test_what_is_not_understood_is_no_report(information: bytes) -> None:
    with pytest.raises(ReportNotUnderstood):
        read_report(1, information, ExplicitVRLittleEndian)


@pytest.mark.parametrize("event_type_id", [None, 0, 3, 65_535])
def test_an_event_type_that_is_none_is_no_report(event_type_id: int | None) -> None:
    information = encoded(report_of(["1.2.3"]), ExplicitVRLittleEndian)

    with pytest.raises(ReportNotUnderstood, match="event type"):
        read_report(event_type_id, information, ExplicitVRLittleEndian)


@pytest.mark.parametrize("undefined_lengths", [False, True], ids=["defined", "undefined"])
@pytest.mark.parametrize("syntax", SYNTAXES, ids=["explicit", "implicit"])
def test_a_report_that_is_cut_is_none_unless_it_ends_between_its_elements(syntax: str, undefined_lengths: bool) -> None:
    data_set = report_of(["1.2.3", "1.2.4"], [(CTImageStorage, "1.2.5", 0x0112)])
    information = encoded(data_set, syntax, undefined_lengths=undefined_lengths)

    understood = [end for end in range(len(information)) if is_understood(information[:end], syntax)]

    (end,) = understood  # after the failures: the list of successes is missing, and so is every success
    assert read_report(2, information[:end], syntax).committed == ()


def is_understood(information: bytes, syntax: str) -> bool:
    try:
        read_report(2, information, syntax)
    except ReportNotUnderstood:
        return False
    return True


@given(
    st.binary(max_size=64),
    st.integers(min_value=0, max_value=400),
    st.sampled_from(SYNTAXES),
)
def test_a_damaged_report_raises_nothing_else(damage: bytes, position: int, syntax: str) -> None:
    information = bytearray(encoded(report_of(["1.2.3"] * 3, [(CTImageStorage, "1.2.5", 1)]), syntax))
    information[position : position + len(damage)] = damage

    is_understood(bytes(information), syntax)


def test_sequences_without_end_are_not_followed_for_ever() -> None:
    nested = struct.pack("<HHIHHI", 9, 0x1001, 0xFFFFFFFF, 0xFFFE, 0xE000, 0xFFFFFFFF) * 5000

    with pytest.raises(ReportNotUnderstood):
        read_report(1, nested, ImplicitVRLittleEndian)


@pytest.mark.parametrize("syntax", SYNTAXES, ids=["explicit", "implicit"])
def test_a_request_is_written_as_pydicom_writes_it(syntax: str) -> None:
    references = [Reference(CTImageStorage, f"1.2.{number}") for number in (1, 22, 333)]
    data_set = report_of([each.sop_instance_uid for each in references])

    assert encode_request(TRANSACTION_UID, references, syntax) == encoded(data_set, syntax)


def test_a_long_list_is_written_and_read() -> None:
    references = [Reference(CTImageStorage, f"2.25.{number}") for number in range(20_000)]

    information = encode_request(TRANSACTION_UID, references, ExplicitVRLittleEndian)

    assert read_report(1, information, ExplicitVRLittleEndian).committed == tuple(references)
    assert len(decode(BytesIO(information), False, True).ReferencedSOPSequence) == 20_000
