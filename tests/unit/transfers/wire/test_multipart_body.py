"""Files as a multipart/related body, taken apart by parsers that are not ours, and by ours."""

from __future__ import annotations

from collections.abc import Iterator
from email.parser import BytesParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfers.wire.multipart import boundary_of, only_part
from transfers.wire.multipart_body import MultipartBody


class Part:
    """A file that comes in pieces."""

    def __init__(self, *pieces: bytes) -> None:
        self.size = sum(map(len, pieces))
        self.pieces = pieces
        self.is_read = False

    def chunks(self) -> Iterator[bytes]:
        yield from self.pieces
        self.is_read = True


CONTENTS = st.lists(st.lists(st.binary(min_size=1, max_size=50), max_size=4), min_size=1, max_size=5)


@given(CONTENTS)
def test_another_parser_finds_the_same_files(contents: list[list[bytes]]) -> None:
    body = MultipartBody()
    sizes = [sum(map(len, pieces)) for pieces in contents]

    written = b"".join(body.chunks(Part(*pieces) for pieces in contents))

    assert len(written) == body.length(sizes)
    message = BytesParser().parsebytes(f"Content-Type: {body.content_type}\r\n\r\n".encode() + written)
    parts = list(message.walk())[1:]
    assert message.get_param("type") == "application/dicom"
    assert [part["Content-Length"] for part in parts] == list(map(str, sizes))
    assert {part.get_content_type() for part in parts} == {"application/dicom"}
    # Python's parser takes the end of the last line for a part's own where that ends in CR or LF; count instead.
    for pieces in contents:
        assert b"".join(pieces) in written


@pytest.mark.parametrize("content", [b"", b"\r\n", b"--", b"a\r\n--b\r\n", bytes(range(256)) * 300], ids=len)
def test_a_file_comes_out_as_it_went_in(content: bytes) -> None:
    body = MultipartBody()
    written = b"".join(body.chunks([Part(content)] if content else [Part()]))

    taken = b"".join(only_part([written], boundary_of(body.content_type), "application/dicom"))

    assert taken == content


def test_a_part_is_read_only_when_its_turn_comes() -> None:
    first, second = Part(b"a"), Part(b"b")
    chunks = MultipartBody().chunks([first, second])

    assert next(chunks).endswith(b"\r\n\r\na")
    assert not first.is_read
    next(chunks)
    assert (first.is_read, second.is_read) == (True, False)


def test_no_two_bodies_have_the_same_boundary() -> None:
    assert MultipartBody().content_type != MultipartBody().content_type
