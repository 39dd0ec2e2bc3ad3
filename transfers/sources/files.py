"""Reads local files and members of ZIP files while they are sent: their data sets, or all of them.

Each sender thread has one `FileReaders`, which keeps the ZIP files open that it has met last, so that a ZIP file
with 10,000 members is parsed once a thread. A plain file costs five system calls: open, fstat, preadv, fstat, close.
"""

from __future__ import annotations

import os
from pathlib import Path
from threading import Event
from typing import IO, Protocol

from audit.confinement import Confinement
from audit.entries import ManifestEntry
from audit.zip_files import ZIP_ERRORS, ZipFiles, descriptor
from transfers.errors import SourceFileChanged, SourceFileUnreadable
from transfers.sources.base import Closing

SKIPPED_AT_ONCE = 65536


class _Content(Protocol):
    """Where an entry's bytes come from."""

    def readinto(self, buffer: memoryview) -> int: ...

    def descriptor(self) -> int:
        """Of the file, or of the ZIP file; it is the reader's, and its position nobody's."""
        ...

    def close(self) -> None: ...


class _File:
    """A Part 10 file."""

    def __init__(self, entry: ManifestEntry, start: int, confinement: Confinement) -> None:
        self._entry = entry
        self._offset = start
        self._end = entry.data_set_offset + entry.data_set_size
        self._fd = confinement.open(entry.path)
        try:
            _check_unchanged(os.fstat(self._fd), entry)
        except SourceFileChanged:
            self.close()
            raise

    def readinto(self, buffer: memoryview) -> int:
        left = self._end - self._offset
        if left <= 0:
            return 0
        length = os.preadv(self._fd, (buffer if len(buffer) <= left else buffer[:left],), self._offset)
        if not length and len(buffer):
            raise SourceFileChanged
        self._offset += length
        return length

    def descriptor(self) -> int:
        return self._fd

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class _Member:
    """A Part 10 file within a ZIP file. Its CRC is known to be right before the last bytes are handed out."""

    def __init__(self, entry: ManifestEntry, start: int, zip_files: ZipFiles) -> None:
        archive = zip_files.get(entry.path)
        self._descriptor = descriptor(archive)
        self._left = entry.data_set_offset + entry.data_set_size - start
        _check_unchanged(os.fstat(self._descriptor), entry)
        self._stream: IO[bytes] = archive.open(entry.member)
        try:
            self._skip(start)
            if not self._left:
                self._read_to_the_end()
        except ZIP_ERRORS:
            self.close()
            raise

    def readinto(self, buffer: memoryview) -> int:
        if not self._left or not len(buffer):
            return 0
        content = self._stream.read(min(len(buffer), self._left))
        if not content:
            raise EOFError("the member ends before its data set does")
        buffer[: len(content)] = content
        self._left -= len(content)
        if not self._left:
            self._read_to_the_end()
        return len(content)

    def descriptor(self) -> int:
        return self._descriptor

    def close(self) -> None:
        self._stream.close()

    def _skip(self, length: int) -> None:
        while length:
            skipped = len(self._stream.read(min(length, SKIPPED_AT_ONCE)))
            if not skipped:
                raise EOFError("the member ends before its data set begins")
            length -= skipped

    def _read_to_the_end(self) -> None:
        while self._stream.read(SKIPPED_AT_ONCE):
            pass


class FileReader(Closing):
    """The data set of one entry, or its whole file, as InstanceReader promises.

    Raises SourceFileChanged where the size or the time of modification differ from what the manifest says, and
    SourceFileUnreadable where the file vanished, may not be read, or is a damaged member of a ZIP file.
    """

    def __init__(
        self,
        entry: ManifestEntry,
        zip_files: ZipFiles | None = None,
        confinement: Confinement | None = None,
        *,
        whole_file: bool = False,
    ) -> None:
        """`zip_files`: where ZIP files are kept open; without it one is opened for this entry alone.

        `confinement`: where the file must lie; for ZIP files that are kept open, theirs counts.
        """
        self._entry = entry
        self._start = 0 if whole_file else entry.data_set_offset
        self.data_set_offset = entry.data_set_offset - self._start
        self.size = self.data_set_offset + entry.data_set_size
        self._confinement = confinement or Confinement()
        self._own_zip_files = ZipFiles(confinement=confinement) if entry.member and zip_files is None else None
        try:
            self._content: _Content = self._open(zip_files)
        except ZIP_ERRORS as error:
            self._close_own_zip_files()
            raise _unreadable(error) from error
        except SourceFileChanged:
            self._close_own_zip_files()
            raise

    def readinto(self, buffer: memoryview) -> int:
        """Put the next bytes into the buffer; how many, and 0 at the end."""
        try:
            return self._content.readinto(buffer)
        except ZIP_ERRORS as error:
            raise _unreadable(error) from error

    def check_unchanged(self) -> None:
        """Raise SourceFileChanged if the file (or the ZIP file) is not as the manifest found it any more."""
        _check_unchanged(os.fstat(self._content.descriptor()), self._entry)

    def descriptor(self) -> int | None:
        """Of the file; it is the reader's, and its position nobody's. None for a member of a ZIP file."""
        return None if self._entry.member else self._content.descriptor()

    def close(self) -> None:
        self._content.close()
        self._close_own_zip_files()

    def _open(self, zip_files: ZipFiles | None) -> _Content:
        if not self._entry.member:
            return _File(self._entry, self._start, self._confinement)
        holder = zip_files or self._own_zip_files
        assert holder is not None
        return _Member(self._entry, self._start, holder)

    def _close_own_zip_files(self) -> None:
        if self._own_zip_files is not None:
            self._own_zip_files.close()


class FileReaders(Closing):
    """Opens entries one after another, keeping ZIP files open between them. One a sender thread.

    What was put in place of a file meanwhile and leads out of the folder `within` is unreadable.
    """

    def __init__(self, within: str | Path | None = None) -> None:
        self._confinement = Confinement(within)
        self._zip_files = ZipFiles(confinement=self._confinement)

    def open(self, entry: ManifestEntry) -> FileReader:
        """Its data set; raises as FileReader does."""
        return FileReader(entry, self._zip_files, self._confinement)

    def open_file(self, entry: ManifestEntry) -> FileReader:
        """The whole file, to the end of its data set; raises as FileReader does."""
        return FileReader(entry, self._zip_files, self._confinement, whole_file=True)

    def close(self) -> None:
        """Close the ZIP files; readers of their members must be closed before."""
        self._zip_files.close()


class LocalFiles:
    """Files on this machine."""

    kind = "files"

    def __init__(self, within: str | Path | None = None) -> None:
        """`within`: the folder that no file may lead out of, even if links were put in place of files meanwhile."""
        self.within = within

    def readers(self, stop: Event) -> FileReaders:  # noqa: ARG002  a local file keeps nobody waiting
        return FileReaders(self.within)


def _check_unchanged(found: os.stat_result, entry: ManifestEntry) -> None:
    if found.st_size != entry.file_size or found.st_mtime_ns != entry.modified_ns:
        raise SourceFileChanged


def _unreadable(error: BaseException) -> SourceFileUnreadable:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else f"{type(error).__name__}: {error}"
    return SourceFileUnreadable(f"{SourceFileUnreadable()} ({reason})")
