"""Whether two files hold the same data set, asked only where both have the same SOP Instance UID."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager

from audit.byte_sources import ByteSource, FileBytes, MemberBytes
from audit.confinement import Confinement
from audit.entries import ManifestEntry
from audit.zip_files import ZipFiles

READ_AT_ONCE = 1024 * 1024


class DataSetDigests:
    """SHA-256 of data sets as they are encoded, each computed once."""

    def __init__(self, zip_files: ZipFiles, confinement: Confinement) -> None:
        self._zip_files = zip_files
        self._confinement = confinement
        self._digests: dict[tuple[str, str], bytes] = {}

    def is_same(self, one: ManifestEntry, other: ManifestEntry) -> bool:
        """Whether both data sets are the same bytes in the same transfer syntax. Raises ZIP_ERRORS (and so OSError)."""
        if (one.transfer_syntax_uid, one.data_set_size) != (other.transfer_syntax_uid, other.data_set_size):
            return False
        return self._digest(one) == self._digest(other)

    def _digest(self, entry: ManifestEntry) -> bytes:
        key = (entry.path, entry.member)
        if key not in self._digests:
            with self._opened(entry) as source:
                self._digests[key] = _digest(source, entry)
        return self._digests[key]

    @contextmanager
    def _opened(self, entry: ManifestEntry) -> Iterator[ByteSource]:
        if entry.member:
            with self._zip_files.get(entry.path).open(entry.member) as stream:
                yield MemberBytes(stream, entry.data_set_offset + entry.data_set_size)
            return
        descriptor = self._confinement.open(entry.path)
        try:
            yield FileBytes(descriptor, entry.file_size)
        finally:
            os.close(descriptor)


def _digest(source: ByteSource, entry: ManifestEntry) -> bytes:
    digest = hashlib.sha256()
    position = entry.data_set_offset
    end = position + entry.data_set_size
    while piece := source.read_at(position, min(end - position, READ_AT_ONCE)):
        digest.update(piece)
        position += len(piece)
    return digest.digest()
