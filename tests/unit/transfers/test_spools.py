"""Where an instance is kept while it is compared: bounded, digested, and gone afterwards."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian

from audit.entries import ManifestEntry
from audit.limits import most_bytes_of
from transfers.errors import InstanceTooLarge, SpoolFailed, TransferStopped
from transfers.spools import MEMORY_BYTES, Spool, StoppableStream

ENTRY = ManifestEntry("1.1", "1.2.3", "1.2", "1.3", "1.2.840.10008.1.2.1", "/file", "", 0, 1000, 0, 1000)


@pytest.mark.parametrize("size", [10, 3 * MEMORY_BYTES], ids=["in memory", "on disk"])
def test_what_was_written_is_read_again(tmp_path: Path, size: int) -> None:
    with Spool(2 * size, tmp_path, digests=True) as spool:
        for _ in range(2):
            spool.write(bytes(size // 2))

        assert spool.stream().read() == bytes(size)
        assert (spool.size, spool.status_code) == (size, 0x0000)
        assert spool.hexdigest() == hashlib.sha256(bytes(size)).hexdigest()
        assert list(tmp_path.iterdir()) == []


def test_more_than_the_limit_is_not_taken() -> None:
    with Spool(10) as spool:
        spool.write(bytes(10))
        with pytest.raises(InstanceTooLarge, match="10 bytes"):
            spool.write(b"!")


def test_without_room_the_rest_is_taken_and_the_fault_kept(tmp_path: Path) -> None:
    with Spool(1 << 30, tmp_path / "missing") as spool:
        spool.write(bytes(MEMORY_BYTES + 1))
        spool.write(bytes(10))

        assert spool.status_code == 0xA700
        assert spool.size == MEMORY_BYTES + 11
        with pytest.raises(SpoolFailed):
            spool.stream()


def test_the_limit_leaves_room_for_another_encoding() -> None:
    assert most_bytes_of(ENTRY) > 2 * ENTRY.data_set_size
    deflated = replace(ENTRY, transfer_syntax_uid=DeflatedExplicitVRLittleEndian, data_set_size=10_000_000)
    assert most_bytes_of(deflated) > 50 * deflated.data_set_size


def test_a_stop_ends_the_reading_of_a_stream() -> None:
    stop = Event()
    with Spool(100) as spool:
        spool.write(b"abcdef")
        stream = StoppableStream(spool.stream(), stop)
        assert stream.seek(2) == 2
        assert stream.read(2) == b"cd"
        assert (stream.tell(), stream.seekable(), stream.readable()) == (4, True, True)
        buffer = bytearray(8)
        assert (stream.readinto(buffer), bytes(buffer[:2])) == (2, b"ef")

        stop.set()

        with pytest.raises(TransferStopped):
            stream.read(1)
