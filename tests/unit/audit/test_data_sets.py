"""Whether a data set is there to its end, and what may follow it."""

from __future__ import annotations

import pytest
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    EnhancedSRStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
)

from audit.entries import SkippedKind
from audit.left_out import LeftOut
from audit.part10 import Instance
from tests.unit.audit.encoded import (
    EXPLICIT,
    IMPLICIT,
    SERIES_INSTANCE_UID,
    SOP_INSTANCE_UID,
    WHOLE_DATA_SETS,
    Content,
    compressed_image,
    deflated,
    left_out,
    part10,
    read,
    verdict,
)


@pytest.mark.parametrize(
    ("transfer_syntax_uid", "undetectable"),
    [*zip(WHOLE_DATA_SETS, (7, 7, 7, 0, 1), strict=True)],
    ids=[uid.keyword for uid in WHOLE_DATA_SETS],
)
def test_a_file_that_is_cut_is_never_an_instance_but_between_two_elements(
    transfer_syntax_uid: UID, undetectable: int
) -> None:
    """There it looks like a whole one without pixel data, which is noted. A deflated one can always be told."""
    content = part10(WHOLE_DATA_SETS[transfer_syntax_uid], transfer_syntax_uid)

    found = [verdict(content[:length]) for length in range(132, len(content))]

    notes = [each.notes for each in found if isinstance(each, Instance)]
    assert notes == [("it is an image without pixel data",)] * undetectable


def test_the_reason_says_how_much_of_which_element_is_missing() -> None:
    content = part10(EXPLICIT.image())

    assert left_out(content[:-400]).reason == "the file ends 400 bytes before its element (7FE0,0010) does"
    assert left_out(content[:-1]).reason == "the file ends 1 byte before its element (7FE0,0010) does"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (compressed_image(b"fragment")[:-8], "the file ends inside its element (7FE0,0010)"),
        (compressed_image(b"fragment")[:-1], "the file ends inside its element (7FE0,0010)"),
        (compressed_image(b"fragment")[:-12], "the file ends inside its element (7FE0,0010)"),
    ],
    ids=["without sequence delimiter", "within it", "within a fragment"],
)
def test_encapsulated_pixels_must_end_with_their_delimiter(content: bytes, reason: str) -> None:
    fault = left_out(part10(content, JPEG2000Lossless))

    assert (fault.kind, fault.reason) == (SkippedKind.BROKEN, reason)


def test_only_the_header_of_each_fragment_is_read() -> None:
    source = Content(part10(compressed_image(*[bytes(1_000_000)] * 10), JPEG2000Lossless))

    read(source)

    assert source.bytes_read < 150_000


NESTED = EXPLICIT.element(0x00081150, "UI", b"9.9\0") + EXPLICIT.uid(0x00080018, "9.9.9")
NESTED_IMPLICIT = IMPLICIT.uid(0x00080018, "9.9.9") + IMPLICIT.undefined(0x00081140, "SQ", IMPLICIT.item(b""))


@pytest.mark.parametrize(
    "sequence",
    [
        EXPLICIT.element(0x00081140, "SQ", EXPLICIT.item(NESTED)),
        EXPLICIT.undefined(0x00081140, "SQ", EXPLICIT.item(NESTED), EXPLICIT.item(NESTED, is_delimited=True)),
        EXPLICIT.undefined(
            0x00081140,
            "SQ",
            EXPLICIT.item(EXPLICIT.undefined(0x00081199, "SQ", EXPLICIT.item(NESTED)), is_delimited=True),
        ),
        EXPLICIT.undefined(0x00091010, "UN", IMPLICIT.item(NESTED_IMPLICIT, is_delimited=True), EXPLICIT.item(NESTED)),
        EXPLICIT.undefined(0x00081140, "SQ", EXPLICIT.item(b"", is_delimited=True)),
        EXPLICIT.undefined(0x00081140, "SQ"),
    ],
    ids=["defined", "undefined", "nested twice", "unknown VR, implicit inside", "empty item", "empty sequence"],
)
def test_what_is_nested_in_a_sequence_is_stepped_over(sequence: bytes) -> None:
    assert read(part10(EXPLICIT.image(sequence))).sop_instance_uid == SOP_INSTANCE_UID


def test_a_sequence_nested_very_deep_is_stepped_over() -> None:
    nested = b""
    for _ in range(3000):
        nested = EXPLICIT.undefined(0x00081140, "SQ", EXPLICIT.item(nested, is_delimited=True))

    assert read(part10(EXPLICIT.image(nested))).notes == ()


@pytest.mark.parametrize(
    ("padding", "shown"), [(1, "1 byte"), (2, "2 bytes"), (512, "512 bytes"), (9999, "9999 bytes")]
)
def test_zeros_after_an_image_are_noted_and_not_sent(padding: int, shown: str) -> None:
    instance = read(part10(EXPLICIT.image() + bytes(padding)))

    assert instance.data_set_size == len(EXPLICIT.image())
    assert instance.notes == (f"after the data set, and no part of it: {shown} of zeros",)


@pytest.mark.parametrize("coding", [EXPLICIT, IMPLICIT], ids=["explicit", "implicit"])
def test_garbage_after_an_image_is_noted_and_not_sent(coding: object) -> None:
    implicit = coding is IMPLICIT
    image = IMPLICIT.image() if implicit else EXPLICIT.image()

    instance = read(
        part10(image + b"\r\n--boundary--\r\n", ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian)
    )

    assert instance.data_set_size == len(image)
    assert instance.notes == ("after the data set, and no part of it: 16 bytes that are no elements",)


@pytest.mark.parametrize("rest", [bytes(512), b"\r\n--boundary--\r\n"], ids=["zeros", "garbage"])
def test_other_bytes_where_pixel_data_may_be_missing_are_no_ending(rest: bytes) -> None:
    fault = left_out(part10(EXPLICIT.identity() + rest))

    assert fault.kind is SkippedKind.BROKEN
    assert fault.reason.startswith("its elements end at (0020,000E), before any pixel data; then come ")


@pytest.mark.parametrize("rest", [bytes(512), b"\r\n--boundary--\r\n"], ids=["zeros", "garbage"])
def test_other_bytes_after_pixel_data_that_is_too_short_are_no_ending(rest: bytes) -> None:
    data_set = EXPLICIT.identity() + EXPLICIT.described(200) + EXPLICIT.element(0x7FE00010, "OW", bytes(198))

    assert left_out(part10(data_set + rest)).reason.startswith("its pixel data is shorter than its image; then come ")


def test_zeros_too_few_for_an_element_are_padding_of_any_data_set() -> None:
    instance = read(
        part10(EXPLICIT.identity(sop_class_uid=EnhancedSRStorage) + bytes(7), sop_class_uid=EnhancedSRStorage)
    )

    assert instance.data_set_size == len(EXPLICIT.identity(sop_class_uid=EnhancedSRStorage))
    assert instance.notes == ("after the data set, and no part of it: 7 bytes of zeros",)


def test_a_file_of_nothing_but_disorder_is_given_up() -> None:
    same = EXPLICIT.element(0x00080020, "DA", b"") * 10_001

    assert left_out(part10(EXPLICIT.identity() + same)).reason == (
        "more than 10000 of its elements are not in ascending order, the limit"
    )


def test_zeros_inside_a_sequence_to_the_end_of_the_file_are_a_hole_and_not_an_ending() -> None:
    sequence = EXPLICIT.undefined(0x0040A730, "SQ", EXPLICIT.item(EXPLICIT.element(0x00080100, "SH", b"AB")))
    content = part10(EXPLICIT.identity() + sequence[:-8] + bytes(4096))

    assert left_out(content).reason.startswith("nothing but zeros is left of the file from byte ")


@pytest.mark.parametrize("gap", [b"", bytes(512)], ids=["at once", "after padding"])
def test_a_second_file_appended_is_not_lost_silently(gap: bytes) -> None:
    content = part10(EXPLICIT.image())

    fault = left_out(content + gap + content)

    assert fault.kind is SkippedKind.BROKEN
    assert fault.reason == f"a second DICOM file follows in the same file, at byte {len(content)}, and would be lost"


def test_elements_in_the_wrong_order_are_all_read() -> None:
    data_set = (
        EXPLICIT.uid(0x0020000E, "1.6") + EXPLICIT.identity()[: -len(EXPLICIT.uid(0x0020000E, SERIES_INSTANCE_UID))]
    )

    instance = read(part10(data_set + EXPLICIT.element(0x7FE00010, "OW", b"12")))

    assert instance.series_instance_uid == "1.6"
    assert instance.notes == ("its elements are not in ascending order",)


def test_two_different_values_of_an_identifying_element_are_no_identity() -> None:
    fault = left_out(part10(EXPLICIT.image() + EXPLICIT.uid(0x00080018, "6.6.6")))

    assert (fault.kind, fault.reason) == (
        SkippedKind.BROKEN,
        "its element (0008,0018) is there twice, with different values",
    )


DESCRIPTIONS = {0x00080020: "DA", 0x00080060: "CS", 0x00081030: "LO"}
EACH_DESCRIPTION = pytest.mark.parametrize(("tag", "vr"), DESCRIPTIONS.items(), ids=["date", "modality", "text"])


@EACH_DESCRIPTION
def test_two_different_values_of_what_only_describes_are_no_fault(tag: int, vr: str) -> None:
    twice = EXPLICIT.image(EXPLICIT.element(tag, vr, b"20260105")) + EXPLICIT.element(tag, vr, b"20260106")

    assert read(part10(twice)).notes == ("its elements are not in ascending order",)


@EACH_DESCRIPTION
def test_an_unknown_vr_of_what_only_describes_is_no_fault(tag: int, vr: str) -> None:
    odd = EXPLICIT.element(tag, vr, b"20260105").replace(vr.encode(), b"ZZ")

    assert read(part10(EXPLICIT.image(odd))).sop_instance_uid == SOP_INSTANCE_UID


@EACH_DESCRIPTION
def test_a_sequence_in_place_of_what_only_describes_is_no_fault(tag: int, vr: str) -> None:
    sequence = EXPLICIT.undefined(tag, "SQ", EXPLICIT.item(NESTED))

    assert read(part10(EXPLICIT.image(sequence))).notes == ()


@pytest.mark.parametrize(
    ("data_set", "transfer_syntax_uid", "note"),
    [
        (IMPLICIT.image(), ExplicitVRLittleEndian, "the data set is encoded without VRs, unlike its transfer syntax"),
        (EXPLICIT.image(), ImplicitVRLittleEndian, "the data set is encoded with VRs, unlike its transfer syntax"),
    ],
    ids=["implicit", "explicit"],
)
def test_an_encoding_unlike_its_transfer_syntax_is_noted(data_set: bytes, transfer_syntax_uid: str, note: str) -> None:
    assert read(part10(data_set, transfer_syntax_uid)).notes == (note,)


def test_what_is_no_data_set_at_all_is_broken() -> None:
    assert left_out(part10(b"<html>" * 100, ImplicitVRLittleEndian)).reason == (
        "what follows its file meta group is no data set in its transfer syntax"
    )


def test_a_command_set_is_no_part_of_a_data_set() -> None:
    command_set = IMPLICIT.element(0x00000000, "UL", b"\x0a\0\0\0") + IMPLICIT.element(0x00000100, "US", b"\1\0")

    assert left_out(part10(command_set + IMPLICIT.image(), ImplicitVRLittleEndian)).kind is SkippedKind.BROKEN


def test_what_only_pydicom_can_follow_is_kept_with_a_note() -> None:
    odd = EXPLICIT.element(0x00091010, "LO", b"AB").replace(b"LO", b"ZZ")

    instance = read(part10(EXPLICIT.image(odd)))

    assert instance.series_instance_uid == SERIES_INSTANCE_UID
    assert instance.notes == ("from its element (0009,1010) on it was not checked whether the file is whole",)


def test_pixel_data_cut_behind_what_only_pydicom_can_follow_is_still_noticed() -> None:
    odd = EXPLICIT.element(0x00091010, "LO", b"AB").replace(b"LO", b"ZZ")

    assert (
        left_out(part10(EXPLICIT.image(odd))[:-7]).reason == "the file ends 7 bytes before its element (7FE0,0010) does"
    )


def test_what_pydicom_raises_is_named_without_quoting_the_file() -> None:
    charset = EXPLICIT.element(0x00080005, "CS", b"Doe\0Jane")

    fault = left_out(part10(charset + EXPLICIT.image()))

    assert (fault.kind, fault.reason) == (SkippedKind.BROKEN, "it cannot be read: pydicom raises ValueError")


def test_a_deflated_data_set_with_its_padding_goes_out_whole() -> None:
    stream = deflated(EXPLICIT.image())

    instance = read(part10(stream + b"\0", DeflatedExplicitVRLittleEndian))

    assert (instance.data_set_size, instance.notes) == (len(stream) + 1, ())


def test_bytes_after_a_deflated_data_set_are_noted() -> None:
    stream = deflated(EXPLICIT.image())

    instance = read(part10(stream + b"12345678", DeflatedExplicitVRLittleEndian))

    assert instance.data_set_size == len(stream)
    assert instance.notes == ("after the data set, and no part of it: 8 bytes that are no elements",)


def test_a_data_set_that_is_not_deflated_though_it_should_be_is_broken() -> None:
    fault = left_out(part10(b"\xff" * 500, DeflatedExplicitVRLittleEndian))

    assert fault.reason == "its transfer syntax is deflated, but its data set is no deflate stream"


def test_a_deflated_data_set_is_inflated_up_to_the_limit_only() -> None:
    bomb = part10(deflated(EXPLICIT.image(pixels=bytes(3_000_000))), DeflatedExplicitVRLittleEndian)

    with pytest.raises(LeftOut, match="more than the limit of 1048576 bytes"):
        read(bomb, inflation_limit=1 << 20)
