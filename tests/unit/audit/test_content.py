"""What two data sets have in common: each way to encode the same, and each thing that is a difference all the same."""

from __future__ import annotations

import tracemalloc
from io import BytesIO, RawIOBase
from typing import cast

import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
)

from audit.content import Comparison, DataSetStream, NotComparable, compare, locate_data_set
from audit.observations import EvidenceKind
from tests.unit.audit.compared import (
    IDENTIFIED,
    OTHER_TEXT,
    PIXELS,
    SAME_BYTES,
    SYNTAXES,
    TEXT,
    big,
    differing,
    explicit,
    implicit,
    reason,
    stream,
)
from tests.unit.audit.encoded import BIG, EXPLICIT, IMPLICIT, Coding, deflated, part10


def test_the_same_bytes_are_identical() -> None:
    assert compare(explicit(TEXT), explicit(TEXT)) == SAME_BYTES


def test_the_same_bytes_are_identical_even_where_they_are_no_data_set() -> None:
    assert compare(stream(b"nonsense"), stream(b"nonsense")) == SAME_BYTES


def test_identical_images_have_pixels_that_do_not_differ() -> None:
    image = EXPLICIT.element(0x7FE00010, "OW", PIXELS)

    assert compare(explicit(image), explicit(image)) == Comparison(EvidenceKind.IDENTICAL, pixels_differ=False)


def test_the_same_bytes_in_another_transfer_syntax_are_not_identical() -> None:
    found = stream(IDENTIFIED + TEXT, JPEG2000Lossless)

    assert compare(explicit(TEXT), found).kind is EvidenceKind.EQUIVALENT


def test_a_data_set_may_begin_anywhere_in_its_stream() -> None:
    content = IDENTIFIED + TEXT
    sent = DataSetStream(BytesIO(b"before" + content + b"after"), 6, len(content), ExplicitVRLittleEndian)

    assert compare(sent, explicit(TEXT)) == SAME_BYTES


def test_a_changed_value_is_named() -> None:
    comparison = compare(explicit(TEXT), explicit(OTHER_TEXT))

    assert comparison == Comparison(EvidenceKind.DIFFERENT, ("(0008,1030)",), 1, None)


def test_a_value_is_never_in_what_is_said() -> None:
    assert "Knee" not in repr(compare(explicit(TEXT), explicit(OTHER_TEXT)))


def test_an_element_on_one_side_only_is_named() -> None:
    assert differing(explicit(), explicit(TEXT)) == ("(0008,1030)",)


def test_an_empty_element_is_not_a_missing_one() -> None:
    assert differing(explicit(), explicit(EXPLICIT.element(0x00081030, "LO", b""))) == ("(0008,1030)",)


def test_changed_pixels_are_said_to_differ() -> None:
    sent, found = (explicit(EXPLICIT.element(0x7FE00010, "OW", pixels)) for pixels in (PIXELS, PIXELS[::-1]))

    assert compare(sent, found) == Comparison(EvidenceKind.DIFFERENT, ("(7FE0,0010)",), 1, pixels_differ=True)


def test_missing_pixels_are_said_to_differ() -> None:
    image = explicit(EXPLICIT.element(0x7FE00010, "OW", PIXELS))

    assert compare(image, explicit(TEXT)).pixels_differ is True


def test_only_the_first_fifty_elements_are_named_and_all_are_counted() -> None:
    many = (EXPLICIT.element(0x00090000 + number, "LO", b"AB") for number in range(0x1000, 0x1000 + 70))
    comparison = compare(explicit(), explicit(*many))

    assert len(comparison.elements) == 50
    assert comparison.elements[-1] == "(0009,1031)"
    assert comparison.elements_differing == 70


@pytest.mark.parametrize(
    ("vr", "sent", "found"),
    [
        ("LO", b"Head", b"Head  "),
        ("LO", b"Head\0\0", b"Head"),
        ("LO", b"  ", b""),
        ("UI", b"1.2\0", b"1.2 "),
        ("DS", b"1.50", b"1.50  "),
        ("OB", b"odd", b"odd\0"),
        ("UN", b"odd", b"odd "),
    ],
)
def test_padding_is_no_difference(vr: str, sent: bytes, found: bytes) -> None:
    assert not differing(*(explicit(EXPLICIT.element(0x00091001, vr, value)) for value in (sent, found)))


@pytest.mark.parametrize(
    ("vr", "sent", "found"),
    [
        ("LO", b"Head", b" Head "),
        ("LO", b"A \\B", b"A\\B "),
        ("DS", b"1.50", b"1.5 "),
        ("IS", b"07", b"7 "),
        ("OB", b"even", b"even\0\0"),
        ("OB", b"odd", b"odd "),
        ("OB", b"ab", b"ab\0"),
        ("US", b"\1\0", b"\1\0\0\0"),
    ],
)
def test_what_is_more_than_padding_is_a_difference(vr: str, sent: bytes, found: bytes) -> None:
    assert differing(*(explicit(EXPLICIT.element(0x00091001, vr, value)) for value in (sent, found)))


def test_group_lengths_and_trailing_padding_say_nothing() -> None:
    group_length = EXPLICIT.element(0x00080000, "UL", b"\1\2\3\4")
    padding = EXPLICIT.element(0xFFFCFFFC, "OB", b"\0" * 100)

    assert not differing(stream(group_length + IDENTIFIED + TEXT), explicit(TEXT, padding))


def test_what_only_looks_like_a_group_length_is_an_element() -> None:
    assert differing(explicit(EXPLICIT.element(0x00090000, "LO", b"Head  ")), explicit()) == ("(0009,0000)",)


def test_zeros_after_a_data_set_are_no_part_of_it() -> None:
    assert not differing(explicit(TEXT), explicit(TEXT, b"\0" * 5000))
    assert not differing(implicit(), implicit(b"\0" * 5000))


ENCODED_OTHERWISE = {
    "without VRs": implicit(IMPLICIT.element(0x00280010, "US", b"\1\2")),
    "big endian": big(BIG.element(0x00280010, "US", b"\2\1")),
    "deflated": stream(
        deflated(IDENTIFIED + EXPLICIT.element(0x00280010, "US", b"\1\2")), DeflatedExplicitVRLittleEndian
    ),
    "VR not known": explicit(EXPLICIT.element(0x00280010, "UN", b"\1\2")),
}


@pytest.mark.parametrize("found", ENCODED_OTHERWISE.values(), ids=ENCODED_OTHERWISE.keys())
def test_the_same_number_in_another_encoding_is_the_same(found: DataSetStream) -> None:
    assert not differing(explicit(EXPLICIT.element(0x00280010, "US", b"\1\2")), found)
    assert differing(explicit(EXPLICIT.element(0x00280010, "US", b"\2\1")), found)


def test_pixels_in_words_are_the_same_in_another_byte_order() -> None:
    sent = explicit(EXPLICIT.element(0x7FE00010, "OW", b"\1\2\3\4"))

    assert not differing(sent, big(BIG.element(0x7FE00010, "OW", b"\2\1\4\3")))
    assert not differing(sent, big(BIG.element(0x7FE00010, "OB", b"\1\2\3\4")))
    assert differing(sent, big(BIG.element(0x7FE00010, "OW", b"\1\2\3\4")))


def test_a_vr_that_the_dictionary_leaves_open_may_be_chosen_otherwise() -> None:
    words, octets = (explicit(EXPLICIT.element(0x7FE00010, vr, PIXELS)) for vr in ("OW", "OB"))

    assert not differing(words, octets)


def test_a_number_that_has_a_sign_by_one_vr_only_is_another() -> None:
    def numbers(value: bytes) -> list[DataSetStream]:
        return [explicit(EXPLICIT.element(0x00280106, vr, value)) for vr in ("US", "SS")]

    assert not differing(*numbers(b"\xff\x7f"))
    assert differing(*numbers(b"\0\x80"))


def test_a_vr_that_the_dictionary_does_not_list_is_a_difference() -> None:
    assert differing(explicit(TEXT), explicit(EXPLICIT.element(0x00081030, "SH", b"Head"))) == ("(0008,1030)",)


def test_bytes_of_a_vr_against_the_dictionary_are_only_the_same_as_they_are() -> None:
    without_vr = implicit(IMPLICIT.element(0x00280010, "US", b"A "))

    assert not differing(without_vr, explicit(EXPLICIT.element(0x00280010, "LO", b"A ")))
    assert differing(without_vr, explicit(EXPLICIT.element(0x00280010, "LO", b"A\0")))


def sequence(coding: Coding, *names: bytes, delimited: bool, vr: str = "SQ") -> bytes:
    items = [coding.item(coding.element(0x00400007, "LO", name), is_delimited=delimited) for name in names]
    if delimited:
        return coding.undefined(0x00400275, vr, *items)
    return coding.element(0x00400275, vr, b"".join(items))


def test_lengths_of_sequences_and_items_may_be_defined_or_not() -> None:
    assert not differing(
        explicit(sequence(EXPLICIT, b"Head", b"Knee", delimited=True)),
        explicit(sequence(EXPLICIT, b"Head", b"Knee", delimited=False)),
    )


def test_an_empty_sequence_may_be_delimited_or_not() -> None:
    assert not differing(explicit(sequence(EXPLICIT, delimited=True)), explicit(sequence(EXPLICIT, delimited=False)))


@pytest.mark.parametrize("delimited", [False, True])
def test_a_sequence_of_unknown_vr_has_items_without_vrs(delimited: bool) -> None:
    items = b"".join(IMPLICIT.item(IMPLICIT.element(0x00400007, "LO", name)) for name in (b"Head", b"Knee"))
    unknown = EXPLICIT.undefined(0x00400275, "UN", items) if delimited else EXPLICIT.element(0x00400275, "UN", items)

    assert not differing(explicit(sequence(EXPLICIT, b"Head", b"Knee", delimited=True)), explicit(unknown))
    assert differing(explicit(sequence(EXPLICIT, b"Head", b"Head", delimited=True)), explicit(unknown))


def test_a_private_sequence_without_vr_is_seen_by_its_items() -> None:
    def private(*, delimited: bool) -> bytes:
        inner = IMPLICIT.element(0x00091001, "LO", b"Head")
        return IMPLICIT.element(0x00091003, "SQ", IMPLICIT.item(inner, is_delimited=delimited))

    assert not differing(implicit(private(delimited=True)), implicit(private(delimited=False)))


def test_an_element_in_an_item_is_named_by_its_path() -> None:
    sent = explicit(sequence(EXPLICIT, b"Head", b"Knee", delimited=True))
    found = explicit(sequence(EXPLICIT, b"Head", b"Foot", delimited=False))

    assert differing(sent, found) == ("(0040,0275)[2].(0040,0007)",)


@pytest.mark.parametrize("delimited", [False, True])
def test_an_item_on_one_side_only_is_named(delimited: bool) -> None:
    sent = explicit(sequence(EXPLICIT, b"Head", b"Knee", b"Foot", delimited=delimited), OTHER_PIXELS)
    found = explicit(sequence(EXPLICIT, b"Head", delimited=not delimited), OTHER_PIXELS)

    assert differing(sent, found) == ("(0040,0275)[2]", "(0040,0275)[3]")


OTHER_PIXELS = EXPLICIT.element(0x7FE00010, "OW", PIXELS)


def test_elements_that_are_not_in_order_are_compared_all_the_same() -> None:
    pieces = [sequence(EXPLICIT, b"Head", delimited=True), TEXT]

    assert not differing(explicit(*pieces), explicit(*reversed(pieces)))
    assert differing(explicit(*pieces), explicit(OTHER_TEXT, pieces[0])) == ("(0008,1030)",)


def test_an_element_that_is_there_twice_cannot_be_compared() -> None:
    assert "is there twice" in reason(explicit(TEXT), explicit(TEXT, OTHER_TEXT))


MALFORMED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "it is empty"),
    "no data set": (b"NONSENSE" * 8, "VR that is not in PS3.5"),
    "cut in a value": (IDENTIFIED + TEXT[:-1], "is longer than what it is in"),
    "cut in a header": (IDENTIFIED + TEXT[:5], "inside the header of an element"),
    "cut in a sequence": (
        IDENTIFIED + sequence(EXPLICIT, b"Head", delimited=True)[:-1],
        "inside the header of an element",
    ),
    "a delimiter alone": (IDENTIFIED + EXPLICIT.header(0xFFFEE0DD, "", 0), "where an element should be"),
    "no item in a sequence": (
        IDENTIFIED + EXPLICIT.element(0x00400275, "SQ", TEXT),
        "where an item of a sequence should be",
    ),
    "an item longer than its sequence": (
        IDENTIFIED + EXPLICIT.element(0x00400275, "SQ", EXPLICIT.header(0xFFFEE000, "", 100)) + TEXT * 20,
        "longer than the sequence",
    ),
}


@pytest.mark.parametrize(("content", "fault"), MALFORMED.values(), ids=MALFORMED.keys())
def test_what_cannot_be_read_cannot_be_compared_and_is_said_to_be_which_of_the_two(content: bytes, fault: str) -> None:
    whole = explicit(sequence(EXPLICIT, b"Head", delimited=False))

    assert (said := reason(whole, stream(content))).startswith("What was read back")
    assert fault in said
    assert reason(stream(content), whole).startswith("What was sent")


@pytest.mark.parametrize("content", [b"\0" * 100, deflated(b"\0" * 100)], ids=["zeros", "deflated zeros"])
def test_two_that_hold_nothing_are_never_the_same(content: bytes) -> None:
    uid = ExplicitVRLittleEndian if not any(content) else DeflatedExplicitVRLittleEndian

    assert reason(stream(content, uid), stream(b"\0" * 90))


def test_a_stream_that_ends_before_it_should_cannot_be_compared() -> None:
    sent = explicit(TEXT)
    short = DataSetStream(BytesIO(b""), 0, sent.size, sent.transfer_syntax_uid)

    assert reason(sent, short) == "What was read back cannot be compared: it ends before it should."


def nested(depth: int, content: bytes, *, delimited: bool) -> bytes:
    for _ in range(depth):
        item = EXPLICIT.item(content, is_delimited=delimited)
        content = EXPLICIT.undefined(0x00400275, "SQ", item) if delimited else EXPLICIT.element(0x00400275, "SQ", item)
    return content


def test_sequences_lie_within_each_other_as_deep_as_the_limit() -> None:
    deep, too_deep = (
        [explicit(nested(depth, TEXT, delimited=delimited)) for delimited in (False, True)] for depth in (60, 61)
    )

    assert not differing(*deep)
    assert "within each other, the limit" in reason(*too_deep)


class Zeros(RawIOBase):
    """A stream of zeros after a head, of any length."""

    def __init__(self, head: bytes, length: int) -> None:
        super().__init__()
        self._head = head
        self._length = length
        self._position = 0

    def seek(self, offset: int, _whence: int = 0, /) -> int:
        self._position = offset
        return offset

    def read(self, size: int = -1, /) -> bytes:
        content = self._head[self._position : self._position + size]
        content += bytes(min(size, self._length - self._position) - len(content))
        self._position += len(content)
        return content

    def data_set(self, transfer_syntax_uid: str) -> DataSetStream:
        return DataSetStream(cast(BytesIO, self), 0, self._length, transfer_syntax_uid)


@pytest.mark.parametrize("coding", [EXPLICIT, IMPLICIT, BIG], ids=["same bytes", "without VRs", "big endian"])
def test_a_large_data_set_takes_no_more_memory_than_a_small_one(coding: Coding) -> None:
    def large(of: Coding) -> DataSetStream:
        head = of.uid(0x00080018, "1.2.3.4") + of.header(0x7FE00010, "OW", 100_000_000)
        return Zeros(head, len(head) + 100_000_000).data_set(SYNTAXES[of])

    tracemalloc.start()
    comparison = compare(large(EXPLICIT), large(coding))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert comparison.kind in {EvidenceKind.IDENTICAL, EvidenceKind.EQUIVALENT}
    assert comparison.pixels_differ is False
    assert peak < 4_000_000


def test_the_data_set_of_a_file_is_located() -> None:
    file = BytesIO(part10(IDENTIFIED + TEXT))

    assert locate_data_set(file).transfer_syntax_uid == ExplicitVRLittleEndian
    assert compare(locate_data_set(file), explicit(TEXT)) == SAME_BYTES


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\0" * 128 + b"DICM" + TEXT], ids=["empty", "other", "no meta"])
def test_in_what_is_no_part10_file_no_data_set_is_located(content: bytes) -> None:
    with pytest.raises(NotComparable):
        locate_data_set(BytesIO(content))
