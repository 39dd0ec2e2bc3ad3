"""The one part of a multipart answer, however it is cut into pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfers.errors import AnswerCut, MalformedAnswer, NotTheService
from transfers.wire.multipart import boundary_of, only_part

BOUNDARY = b"a-boundary"
TYPE = "application/dicom"


def message(content: bytes, *, head: bytes = b"Content-Type: application/dicom\r\n", end: bytes = b"--\r\n") -> bytes:
    return b"--a-boundary\r\n" + head + b"\r\n" + content + b"\r\n--a-boundary" + end


def in_pieces(body: bytes, size: int) -> list[bytes]:
    return [body[start : start + size] for start in range(0, len(body), size)]


def read(body: bytes, size: int = 7) -> bytes:
    return b"".join(only_part(in_pieces(body, size), BOUNDARY, TYPE))


@given(st.binary(max_size=200), st.integers(1, 60))
def test_the_content_comes_out_as_it_is(content: bytes, size: int) -> None:
    if b"--a-boundary" not in content:
        assert read(message(content), size) == content


@pytest.mark.parametrize(
    "content",
    [b"", b"\r\n", b"--", b"\r\n--a-bound", b"x\r\n--a-boundar\r\n", b"\r\n\r\n\r\n"],
    ids=["nothing", "line-end", "dashes", "almost", "almost-and-more", "line-ends"],
)
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_what_looks_like_a_boundary_is_content(content: bytes, size: int) -> None:
    assert read(message(content), size) == content


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_a_preamble_and_an_epilogue_are_no_content(size: int) -> None:
    assert read(b"preamble\r\n" + message(b"DICM", end=b"--\r\nepilogue"), size) == b"DICM"


@pytest.mark.parametrize("head", [b"", b"content-type: APPLICATION/DICOM; transfer-syntax=1.2\r\nX: y\r\n"])
def test_the_head_of_the_part_may_say_much_or_nothing(head: bytes) -> None:
    assert read(message(b"DICM", head=head)) == b"DICM"


@pytest.mark.parametrize("size", [1, 9, 1000])
def test_wherever_it_is_cut_it_is_noticed(size: int) -> None:
    whole = message(b"some content", end=b"--")
    for length in range(len(whole)):
        with pytest.raises(AnswerCut):
            read(whole[:length], size)


def test_a_second_part_is_one_too_many() -> None:
    two = message(b"first", end=b"\r\n") + message(b"second")

    with pytest.raises(MalformedAnswer):
        read(two)


def test_no_part_is_too_few() -> None:
    with pytest.raises(MalformedAnswer):
        read(b"--a-boundary--\r\n")


def test_another_type_is_not_read() -> None:
    with pytest.raises(NotTheService):
        read(message(b"{}", head=b"Content-Type: application/json\r\n"))


def test_what_never_begins_is_given_up() -> None:
    with pytest.raises(MalformedAnswer):
        read(b"x" * 100_000)


def test_little_is_held_at_a_time() -> None:
    pieces = list(only_part([message(b"x" * 100_000)[:50], *[b"y" * 1000] * 50, b"\r\n--a-boundary--"], BOUNDARY, TYPE))

    assert max(map(len, pieces)) <= 1100


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ('multipart/related; type="application/dicom"; boundary=abc', b"abc"),
        ('multipart/related; BOUNDARY="a b:c"; type=x', b"a b:c"),
    ],
)
def test_the_boundary_is_read(content_type: str, boundary: bytes) -> None:
    assert boundary_of(content_type) == boundary


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/related",
        "multipart/related; boundary=" + "x" * 71,
        "multipart/related; boundary*1*=a; boundary*=b",
    ],
)
def test_without_a_boundary_nothing_can_be_read(content_type: str) -> None:
    with pytest.raises(MalformedAnswer):
        boundary_of(content_type)
