"""Bytes are the same wherever they come from and in whatever order they are asked for."""

from __future__ import annotations

import os
import random
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from audit.byte_sources import (
    ByteSource,
    DeflateStreamCut,
    FileBytes,
    InflatedBytes,
    InflationLimitExceeded,
    MemberBytes,
    Window,
)
from tests.unit.audit.encoded import Content, deflated

CONTENT = random.Random(1).randbytes(100_000) + bytes(200_000)


@pytest.fixture(params=["file", "stored member", "deflated member", "inflated"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ByteSource]:
    with ExitStack() as stack:
        if request.param == "file":
            (tmp_path / "file").write_bytes(CONTENT)
            descriptor = os.open(tmp_path / "file", os.O_RDONLY)
            stack.callback(os.close, descriptor)
            yield FileBytes(descriptor, len(CONTENT))
        elif request.param == "inflated":
            yield InflatedBytes(Content(b"before" + deflated(CONTENT) + b"after"), len(b"before"), limit=len(CONTENT))
        else:
            method = zipfile.ZIP_STORED if request.param == "stored member" else zipfile.ZIP_DEFLATED
            with zipfile.ZipFile(tmp_path / "zip", "w", method) as archive:
                archive.writestr("member", CONTENT)
            archive = stack.enter_context(zipfile.ZipFile(tmp_path / "zip"))
            yield MemberBytes(stack.enter_context(archive.open("member")), len(CONTENT))


def test_a_source_reads_from_any_position(source: ByteSource) -> None:
    for position, length in ((0, 10), (50, 5000), (99_990, 100_000), (3, 7), (299_999, 10), (300_000, 1), (400_000, 9)):
        assert source.read_at(position, length) == CONTENT[position : position + length]


def test_the_size_of_a_source_is_known_at_its_end(source: ByteSource) -> None:
    source.read_at(len(CONTENT) - 1, 10)

    assert source.size == len(CONTENT)


@pytest.mark.parametrize("history", [0, 4096])
def test_a_window_shows_the_bytes_of_its_source(source: ByteSource, history: int) -> None:
    window = Window(source, history=history)
    chance = random.Random(2)
    position = 0

    for _ in range(300):
        position = max(0, position + chance.choice([-3, -8, 0, 1, 100, 8000, 20_000]))
        length = chance.choice([1, 12, 5000, 20_000])
        assert window.read(position, length) == CONTENT[position : position + length]


def test_a_window_with_history_goes_back_a_little_without_asking_its_source_again() -> None:
    content = Content(CONTENT)
    window = Window(content, history=1000)
    window.read(50_000, 10)
    before = content.bytes_read

    assert window.read(49_100, 10) == CONTENT[49_100:49_110]
    assert content.bytes_read == before


def test_a_window_finds_the_size_of_what_is_still_to_be_inflated() -> None:
    window = Window(InflatedBytes(Content(deflated(CONTENT)), 0, limit=len(CONTENT)))

    assert window.size is None
    assert window.find_size() == len(CONTENT)


def test_what_follows_a_deflate_stream_is_not_inflated() -> None:
    stream = deflated(CONTENT)
    inflated = InflatedBytes(Content(stream + b"after"), 0, limit=len(CONTENT))

    inflated.read_at(len(CONTENT), 1)

    assert inflated.deflated_end == len(stream)


@pytest.mark.parametrize("missing", [1, 2, 100, 50_000])
def test_a_deflate_stream_that_is_cut_is_never_taken_for_a_whole_one(missing: int) -> None:
    inflated = InflatedBytes(Content(deflated(CONTENT)[:-missing]), 0, limit=len(CONTENT))

    with pytest.raises(DeflateStreamCut):
        inflated.read_at(0, len(CONTENT) + 1)


def test_what_is_no_deflate_stream_is_named_by_zlib() -> None:
    with pytest.raises(zlib.error):
        InflatedBytes(Content(b"\xff" * 100), 0, limit=100).read_at(0, 100)


def test_a_deflate_stream_is_inflated_up_to_its_limit_only() -> None:
    bomb = InflatedBytes(Content(deflated(bytes(10_000_000))), 0, limit=1_000_000)

    assert len(bomb.read_at(0, 900_000)) == 900_000
    with pytest.raises(InflationLimitExceeded):
        bomb.read_at(900_000, 9_000_000)
