"""The same text in another character set is the same, and another text is another whatever its bytes."""

from __future__ import annotations

import pytest

from audit.content import DataSetStream
from tests.unit.audit.compared import IDENTIFIED, differing, stream
from tests.unit.audit.encoded import EXPLICIT

LATIN = b"ISO_IR 100"
UTF_8 = b"ISO_IR 192"
JAPANESE = b"\\ISO 2022 IR 87"


def texts(character_set: bytes, value: bytes, vr: str = "LO") -> DataSetStream:
    named = EXPLICIT.element(0x00080005, "CS", character_set) if character_set else b""
    return stream(named + IDENTIFIED + EXPLICIT.element(0x00104000, vr, value))


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        (texts(LATIN, b"Kn\xf6chel"), texts(UTF_8, "Knöchel".encode())),
        (texts(b"", b"Head"), texts(UTF_8, b"Head")),
        (texts(LATIN, b"Head"), texts(b"ISO_IR 144", b"Head")),
        (texts(JAPANESE, b"\x1b$B;3ED\x1b(B^A", "PN"), texts(UTF_8, "山田^A".encode(), "PN")),
        (texts(b"\\ISO 2022 IR 149", b"\x1b$)C\xb1\xe8", "PN"), texts(UTF_8, "김".encode(), "PN")),
        (texts(b"GB18030", "头".encode("gb18030")), texts(UTF_8, "头".encode())),
    ],
    ids=["latin", "default repertoire", "ascii", "japanese", "korean", "chinese"],
)
def test_the_same_text_in_another_character_set_is_the_same(sent: DataSetStream, found: DataSetStream) -> None:
    assert not differing(sent, found)


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        (texts(LATIN, b"Kn\xf6chel"), texts(UTF_8, b"Kn\xf6chel")),
        (texts(LATIN, b"Kn\xf6chel"), texts(UTF_8, "Kn�chel".encode())),
        (texts(b"", b"Kn\xf6chel"), texts(LATIN, b"Kn\xf6chel")),
        (texts(LATIN, b"\xf6\xf6"), texts(b"ISO_IR 144", b"\xf6\xf6")),
        (texts(JAPANESE, b"\x1b$B;3ED\x1b(B^A"), texts(UTF_8, b"\x1b$B;3ED\x1b(B^A")),
        (texts(LATIN, b"\xf6\xf6"), texts(b"ISO_IR 999", b"\xf6\xf6")),
    ],
    ids=["not transcoded", "replaced", "named later", "another alphabet", "escapes kept", "unknown set"],
)
def test_another_text_is_a_difference_whatever_the_bytes(sent: DataSetStream, found: DataSetStream) -> None:
    assert "(0010,4000)" in differing(sent, found)


def test_a_character_set_that_is_not_known_is_a_difference() -> None:
    assert differing(texts(LATIN, b"Head"), texts(b"ISO_IR 999", b"Head")) == ("(0008,0005)",)


def test_items_are_in_the_character_set_around_them_or_in_their_own() -> None:
    def with_item(outer: bytes, *item: bytes) -> DataSetStream:
        named = EXPLICIT.element(0x00080005, "CS", outer)
        return stream(named + IDENTIFIED + EXPLICIT.element(0x00400275, "SQ", EXPLICIT.item(b"".join(item))))

    latin = with_item(LATIN, EXPLICIT.element(0x00400007, "LO", b"\xf6 "))
    utf_8 = with_item(UTF_8, EXPLICIT.element(0x00400007, "LO", "ö".encode()))
    own = with_item(UTF_8, EXPLICIT.element(0x00080005, "CS", LATIN), EXPLICIT.element(0x00400007, "LO", b"\xf6 "))

    assert not differing(latin, utf_8)
    assert not differing(latin, own)
    assert differing(utf_8, with_item(UTF_8, EXPLICIT.element(0x00400007, "LO", b"\xf6 ")))
