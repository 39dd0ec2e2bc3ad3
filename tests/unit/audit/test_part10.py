"""What identifies an instance, and what is no instance to send."""

from __future__ import annotations

import pytest
from pydicom.uid import (
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
)

from audit.entries import SkippedKind
from audit.part10 import Instance
from tests.unit.audit.encoded import (
    BIG,
    EXPLICIT,
    IMPLICIT,
    SERIES_INSTANCE_UID,
    SOP_INSTANCE_UID,
    STUDY_INSTANCE_UID,
    WHOLE_DATA_SETS,
    Content,
    left_out,
    part10,
    read,
)

EACH_TRANSFER_SYNTAX = pytest.mark.parametrize("transfer_syntax_uid", WHOLE_DATA_SETS, ids=lambda uid: uid.keyword)


@EACH_TRANSFER_SYNTAX
def test_a_whole_instance_is_identified_in_every_kind_of_transfer_syntax(transfer_syntax_uid: UID) -> None:
    data_set = WHOLE_DATA_SETS[transfer_syntax_uid]
    content = part10(data_set, transfer_syntax_uid)

    assert read(content) == Instance(
        sop_class_uid=CTImageStorage,
        sop_instance_uid=SOP_INSTANCE_UID,
        study_instance_uid=STUDY_INSTANCE_UID,
        series_instance_uid=SERIES_INSTANCE_UID,
        transfer_syntax_uid=transfer_syntax_uid,
        data_set_offset=len(content) - len(data_set),
        data_set_size=len(data_set),
        notes=(),
    )


def test_only_what_is_needed_of_a_file_is_read() -> None:
    before = EXPLICIT.element(0x00091010, "OB", bytes(200_000))
    source = Content(
        part10(EXPLICIT.image(before, pixels=bytes(5_000_000)) + EXPLICIT.element(0xFFFCFFFC, "OB", b"\0\0"))
    )

    assert read(source).sop_instance_uid == SOP_INSTANCE_UID
    assert source.bytes_read < 50_000


def test_identity_comes_from_the_data_set_and_what_file_meta_says_else_is_noted() -> None:
    instance = read(part10(EXPLICIT.image(), sop_instance_uid="7.7", sop_class_uid="8.8"))

    assert instance.sop_instance_uid == SOP_INSTANCE_UID
    assert instance.notes == (
        "the file meta group has another SOPClassUID: '8.8'",
        "the file meta group has another SOPInstanceUID: '7.7'",
    )


@pytest.mark.parametrize("value", ["", None], ids=["empty", "missing"])
@pytest.mark.parametrize(
    ("keyword", "tag"),
    [
        ("SOPClassUID", 0x00080016),
        ("SOPInstanceUID", 0x00080018),
        ("StudyInstanceUID", 0x0020000D),
        ("SeriesInstanceUID", 0x0020000E),
    ],
)
def test_an_instance_without_one_of_its_uids_is_named_for_it(keyword: str, tag: int, value: str | None) -> None:
    uids = {0x00080016: CTImageStorage, 0x00080018: "1.4", 0x0020000D: "1.5", 0x0020000E: "1.6"}
    data_set = b"".join(
        EXPLICIT.uid(each, "" if each == tag else uid) for each, uid in uids.items() if each != tag or value is not None
    )

    fault = left_out(part10(data_set))

    assert fault.kind is SkippedKind.NO_UID
    assert fault.reason.startswith(f"{keyword} (")
    assert fault.reason.endswith("is missing" if value is None else "is empty")


@pytest.mark.parametrize(
    ("uid", "reason"),
    [
        ("1.2.*", "SOPInstanceUID (0008,0018) holds a wildcard: '1.2.*'"),
        ("1.2\\1.3", "SOPInstanceUID (0008,0018) has more than one value: '1.2\\\\1.3'"),
        ("1.2\x1b[2J", "SOPInstanceUID (0008,0018) holds white space or a control character: '1.2\\x1b[2J'"),
        ("1" * 65, f"SOPInstanceUID (0008,0018) is longer than 64 characters: '{'1' * 65}'"),
    ],
    ids=["wildcard", "two values", "escape sequence", "too long"],
)
def test_an_unsafe_uid_is_named_and_shown_harmlessly(uid: str, reason: str) -> None:
    fault = left_out(part10(EXPLICIT.identity(sop_instance_uid=uid), sop_instance_uid="1.2"))

    assert (fault.kind, fault.reason) == (SkippedKind.UNSAFE, reason)


def test_an_unsafe_transfer_syntax_is_not_proposed_to_anybody() -> None:
    assert left_out(part10(EXPLICIT.image(), "1.2.840.*")).kind is SkippedKind.UNSAFE


def test_a_uid_with_letters_is_sent_with_a_note() -> None:
    instance = read(part10(EXPLICIT.identity(study_instance_uid="05fa52f0e5"), sop_class_uid=CTImageStorage))

    assert instance.study_instance_uid == "05fa52f0e5"
    assert "StudyInstanceUID has other characters than digits and dots" in instance.notes


def test_a_dicomdir_is_known_by_its_class_whatever_its_name() -> None:
    directory = EXPLICIT.element(0x00041130, "CS", b"")

    assert left_out(part10(directory, sop_class_uid=MediaStorageDirectoryStorage)).kind is SkippedKind.DICOMDIR


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"PNG or so", "not a DICOM file"),
        (b"\0" * 500, "not a DICOM file"),
        (EXPLICIT.image(), "no DICM prefix (not a Part 10 file), though it seems to be a DICOM data set"),
        (IMPLICIT.image(), "no DICM prefix (not a Part 10 file), though it seems to be a DICOM data set"),
        (BIG.image(), "no DICM prefix (not a Part 10 file), though it seems to be a DICOM data set"),
        (part10(EXPLICIT.image())[132:], "no DICM prefix (not a Part 10 file), though it seems to be a DICOM data set"),
        (
            part10(b"").replace(b"DICM", b"dicm"),
            "no DICM prefix (not a Part 10 file), though it seems to be a DICOM data set",
        ),
    ],
    ids=["empty", "other", "zeros", "explicit", "implicit", "big endian", "no preamble", "lower case"],
)
def test_a_file_without_the_prefix_is_no_dicom_file_and_told_what_it_seems_to_be(content: bytes, reason: str) -> None:
    fault = left_out(content)

    assert (fault.kind, fault.reason) == (SkippedKind.NOT_DICOM, reason)


def test_a_file_without_transfer_syntax_is_broken() -> None:
    content = b"\0" * 128 + b"DICM" + EXPLICIT.uid(0x00020002, CTImageStorage) + EXPLICIT.image()

    fault = left_out(content)

    assert (fault.kind, fault.reason) == (
        SkippedKind.BROKEN,
        "its file meta group has no TransferSyntaxUID (0002,0010)",
    )


def test_a_wrong_group_length_in_the_file_meta_group_does_no_harm() -> None:
    content = bytearray(part10(EXPLICIT.image()))
    content[140:144] = (999_999).to_bytes(4, "little")

    assert read(bytes(content)) == read(part10(EXPLICIT.image()))


def test_a_file_meta_group_of_implicit_vr_is_read_too() -> None:
    meta = IMPLICIT.uid(0x00020002, CTImageStorage) + IMPLICIT.uid(0x00020010, ExplicitVRLittleEndian)

    assert read(b"\0" * 128 + b"DICM" + meta + EXPLICIT.image()).transfer_syntax_uid == ExplicitVRLittleEndian
