"""A data set leaves the buffer as fragments that are even, fit, and add up to it; the reader is watched to its end."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfers.errors import SourceFileChanged
from transfers.wire.digests import Digest, Digester
from transfers.wire.pdu import HEADER_LENGTH, PresentationDataValue, decode_header, decode_values
from transfers.wire.store import FragmentBuffer, LoadedInstance, Outgoing
from transfers.wire.transport import MOST_BUFFERS

FRAGMENT_SIZES = st.integers(1, 1000).map(lambda half: 2 * half)


@dataclass
class Content:
    """A reader of bytes that hands out a few at a time."""

    data: bytes
    at_once: int = 1000
    is_changed: bool = False
    is_closed: bool = False
    offset: int = field(default=0)

    def readinto(self, buffer: memoryview) -> int:
        piece = self.data[self.offset : self.offset + min(self.at_once, len(buffer))]
        buffer[: len(piece)] = piece
        self.offset += len(piece)
        return len(piece)

    def check_unchanged(self) -> None:
        if self.is_changed:
            raise SourceFileChanged

    def close(self) -> None:
        self.is_closed = True


def values_of(framed: list[bytes | bytearray | memoryview], fragment_size: int) -> list[PresentationDataValue]:
    sent = b"".join(framed)
    values, offset = [], 0
    while offset < len(sent):
        _, length = decode_header(sent[offset : offset + HEADER_LENGTH])
        assert length <= fragment_size + HEADER_LENGTH
        values += decode_values(sent[offset + HEADER_LENGTH : offset + HEADER_LENGTH + length])
        offset += HEADER_LENGTH + length
    return values


@given(FRAGMENT_SIZES, st.integers(1, 1_000_000), st.booleans())
def test_fragments_are_even_and_add_up(fragment_size: int, length: int, is_last: bool) -> None:
    buffer = FragmentBuffer(fragment_size)
    length = min(length, buffer.size)
    buffer.view[:length] = bytes(value % 251 for value in range(length))

    framed = buffer.framed(5, length, is_last=is_last)

    values = values_of(framed, fragment_size)
    assert all(len(value.fragment) % 2 == 0 and not value.is_command and value.context_id == 5 for value in values)
    assert b"".join(value.fragment for value in values) == bytes(buffer.view[:length]) + b"\0" * (length % 2)
    assert [value.is_last for value in values] == [False] * (len(values) - 1) + [is_last]
    assert len(framed) + 2 <= MOST_BUFFERS


@pytest.mark.parametrize("fragment_size", [2, 16_378, 131_066])
def test_the_buffer_is_bounded_however_small_the_fragments(fragment_size: int) -> None:
    assert fragment_size <= FragmentBuffer(fragment_size).size <= 1_048_576


@pytest.fixture
def digester() -> Iterator[Digester]:
    with closing(Digester()) as digester:
        yield digester


def loaded(content: Content, size: int, digester: Digester) -> LoadedInstance:
    instance = LoadedInstance(Outgoing("1.2.3", "1.2.4", size), content, FragmentBuffer(1024), Digest(digester))
    instance.fill()
    return instance


def test_an_instance_that_fits_is_read_checked_and_closed_at_once(digester: Digester) -> None:
    content = Content(b"ab" * 3000 + b"c")

    instance = loaded(content, 6001, digester)

    assert (instance.filled, instance.left, instance.is_padded, content.is_closed) == (6001, 0, True, True)
    assert instance.digest.hexdigest() == hashlib.sha256(content.data).hexdigest()


def test_a_large_instance_is_checked_before_its_last_part_is_handed_out(digester: Digester) -> None:
    content = Content(bytes(1_000_000), at_once=1 << 20)
    instance = loaded(content, 1_000_000, digester)
    content.is_changed = True

    while instance.left > instance.buffer.size:
        instance.fill()

    with pytest.raises(SourceFileChanged):
        instance.fill()
    assert content.is_closed


def test_a_file_that_ends_too_early_has_changed(digester: Digester) -> None:
    content = Content(bytes(99))

    with pytest.raises(SourceFileChanged):
        loaded(content, 100, digester)
    assert content.is_closed
