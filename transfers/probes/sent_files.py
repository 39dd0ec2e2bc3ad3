"""The files of the input, for what is compared with them: as streams, and as digests, as they were when sent."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import BinaryIO, Self, cast

from audit.content import DataSetStream
from audit.entries import ManifestEntry
from transfers.errors import SourceError, SpoolFailed, TransferStopped
from transfers.sources.base import InstanceReader, InstanceSource
from transfers.spools import StoppableStream, temporary_file

_CHUNK_BYTES = 1 << 20


class SentFiles:
    """Opens what was sent, confined and held against the manifest as the senders do. A context manager, for one thread.

    All raise SourceError where a file is gone or not what the manifest found, and TransferStopped.
    """

    def __init__(self, source: InstanceSource, stop: Event, spool_folder: Path | None = None) -> None:
        self._readers = source.readers(stop)
        self._stop = stop
        self._spool_folder = spool_folder
        self._buffer = memoryview(bytearray(_CHUNK_BYTES))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        self._readers.close()

    def sha256_of(self, entry: ManifestEntry) -> str:
        """The SHA-256 (hex) of the data set."""
        sha256 = hashlib.sha256()
        with self._readers.open(entry) as reader:
            for chunk in self._chunks(reader):
                sha256.update(chunk)
            reader.check_unchanged()
        return sha256.hexdigest()

    def md5_of(self, entry: ManifestEntry) -> str | None:
        """The MD5 (hex) of the whole file, preamble and all; None for a member of a ZIP file, and where it fails."""
        if entry.member or entry.source_id:
            return entry.file_md5 or None
        md5 = hashlib.md5(usedforsecurity=False)
        try:
            with self._readers.open(entry) as reader, _reopened(reader) as stream:
                stream.seek(0)
                while chunk := stream.read(_CHUNK_BYTES):
                    self._check_stop()
                    md5.update(chunk)
                reader.check_unchanged()
        except SourceError:
            return None
        return md5.hexdigest()

    @contextmanager
    def open(self, entry: ManifestEntry) -> Iterator[DataSetStream]:
        """Give the data set to be read and moved about in; that the file is unchanged is looked at once more after.

        What is no plain file, as a member of a ZIP file, is unpacked for it. Raises SpoolFailed too.
        """
        with self._readers.open(entry) as reader:
            if reader.descriptor() is None:
                with self._unpacked(reader) as stream:
                    yield self._data_set(stream, 0, reader.size, entry)
            else:
                with _reopened(reader) as stream:
                    yield self._data_set(stream, entry.data_set_offset, reader.size, entry)
            reader.check_unchanged()

    def _data_set(self, stream: BinaryIO, start: int, size: int, entry: ManifestEntry) -> DataSetStream:
        stoppable = cast(BinaryIO, StoppableStream(stream, self._stop))
        return DataSetStream(stoppable, start, size, entry.transfer_syntax_uid)

    @contextmanager
    def _unpacked(self, reader: InstanceReader) -> Iterator[BinaryIO]:
        with temporary_file(self._spool_folder) as file:
            for chunk in self._chunks(reader):
                try:
                    file.write(chunk)
                except OSError as error:
                    raise SpoolFailed from error
            yield file

    def _chunks(self, reader: InstanceReader) -> Iterator[memoryview]:
        while length := reader.readinto(self._buffer):
            self._check_stop()
            yield self._buffer[:length]

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise TransferStopped


@contextmanager
def _reopened(reader: InstanceReader) -> Iterator[BinaryIO]:
    """The file that is open, as a stream."""
    descriptor = reader.descriptor()
    assert descriptor is not None
    with os.fdopen(os.dup(descriptor), "rb", buffering=0) as stream:
        yield cast(BinaryIO, stream)
