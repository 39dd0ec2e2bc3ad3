"""Which UIDs may go into requests, lists and reports."""

from __future__ import annotations

import pytest

from audit.uids import UnsafeUid, is_regular, uid_of


@pytest.mark.parametrize("padding", [b"", b"\0", b" ", b"\0\0 \0"], ids=repr)
def test_padding_at_the_end_does_not_count(padding: bytes) -> None:
    assert uid_of(b"1.2.3" + padding) == "1.2.3"


@pytest.mark.parametrize("value", [b"", b"\0", b"   "], ids=repr)
def test_padding_alone_is_no_uid(value: bytes) -> None:
    assert uid_of(value) == ""


@pytest.mark.parametrize(
    "value", [b"1" * 64, b"05fa52f0e599f17b", b"1.2.A/B-<>'\"%_~"], ids=["long", "hexadecimal", "odd"]
)
def test_what_no_query_or_terminal_takes_for_something_else_is_kept(value: bytes) -> None:
    assert uid_of(value) == value.decode()


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (b"1.2.*", "holds a wildcard: '1.2.*'"),
        (b"1.?.3", "holds a wildcard: '1.?.3'"),
        (b"1.2\\1.3", r"has more than one value: '1.2\\1.3'"),
        (b"1.2\n3", r"holds white space or a control character: '1.2\n3'"),
        (b" 1.2.3", "holds white space or a control character: ' 1.2.3'"),
        (b"1.2\x7f", r"holds white space or a control character: '1.2\x7f'"),
        (b"1.2\0003", r"holds white space or a control character: '1.2\x003'"),
        (b"1.2\xe43", r"holds a character that is not ASCII: '1.2\xe43'"),
        (b"1" * 65, f"is longer than 64 characters: '{'1' * 65}'"),
        (b"1" * 1000, f"is longer than 64 characters: '{'1' * 80}...'"),
    ],
    ids=["star", "question mark", "backslash", "newline", "leading space", "delete", "nul", "umlaut", "65", "1000"],
)
def test_what_could_do_harm_is_unsafe_and_shown_escaped(value: bytes, fault: str) -> None:
    with pytest.raises(UnsafeUid) as caught:
        uid_of(value)

    assert str(caught.value) == fault


def test_only_digits_and_dots_are_regular() -> None:
    assert is_regular("1.2.840.10008.1.2")
    assert not is_regular("1.2.a")
