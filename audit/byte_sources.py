"""Bytes that are read where they are needed: of a file, of a member of a ZIP file, of a deflated data set."""

from __future__ import annotations

import os
import zlib
from typing import IO, BinaryIO, Protocol

READ_BYTES = 8192
SKIPPED_AT_ONCE = 65536


class ByteSource(Protocol):
    """Something that holds bytes, read from any position."""

    @property
    def size(self) -> int | None:
        """How many bytes it holds; None while that is not known."""
        ...

    def read_at(self, position: int, length: int) -> bytes:
        """So many bytes, fewer only where the source ends (after which `size` is known)."""
        ...


class FileBytes:
    """An open regular file."""

    __slots__ = ("_descriptor", "size")

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor = descriptor
        self.size = size

    def read_at(self, position: int, length: int) -> bytes:
        return os.pread(self._descriptor, length, position)


class StreamCut(Exception):
    """A stream ends before what it was said to hold does."""


class StreamBytes:
    """So many bytes of a seekable stream, from a position on. Raises StreamCut where the stream holds fewer."""

    __slots__ = ("_start", "_stream", "size")

    def __init__(self, stream: BinaryIO, start: int, size: int) -> None:
        self._stream = stream
        self._start = start
        self.size = size

    def read_at(self, position: int, length: int) -> bytes:
        left = min(length, self.size - position)
        if left <= 0:
            return b""
        self._stream.seek(self._start + position)
        content = self._stream.read(left)
        while len(content) < left:
            piece = self._stream.read(left - len(content))
            if not piece:
                raise StreamCut
            content += piece
        return content


class MemberBytes:
    """An open member of a ZIP file. Going back means to decompress from its beginning again."""

    __slots__ = ("_stream", "size")

    def __init__(self, stream: IO[bytes], declared_size: int) -> None:
        self._stream = stream
        self.size = declared_size

    def read_at(self, position: int, length: int) -> bytes:
        if position < self._stream.tell():
            self._stream.seek(position)
        # Seeking forward in a stored member would end the check of its CRC (Python 3.13).
        while (ahead := position - self._stream.tell()) > 0 and self._stream.read(min(ahead, SKIPPED_AT_ONCE)):
            pass
        return self._stream.read(length)


class InflationLimitExceeded(Exception):
    """A deflated data set inflates to more than the limit."""


class DeflateStreamCut(Exception):
    """A deflated data set ends before its deflate stream does."""


class InflatedBytes:
    """A deflated data set as it is inflated (PS3.5 A.5). Going back means to inflate from its beginning again.

    Raises zlib.error for what is no deflate stream, DeflateStreamCut where it does not end, and
    InflationLimitExceeded beyond `limit` bytes.
    """

    def __init__(self, source: ByteSource, offset: int, limit: int) -> None:
        self._source = source
        self._offset = offset
        self._limit = limit
        self._restart()

    @property
    def size(self) -> int | None:
        return self._position if self._inflater.eof else None

    @property
    def deflated_end(self) -> int:
        """Position in the source after the deflate stream, once its end was reached."""
        return self._fed_to - len(self._inflater.unused_data)

    def read_at(self, position: int, length: int) -> bytes:
        if position < self._position:
            self._restart()
        while position > self._position and self._take(min(position - self._position, SKIPPED_AT_ONCE)):
            pass
        content = bytearray()
        while len(content) < length and (piece := self._take(length - len(content))):
            content += piece
        return bytes(content)

    def _restart(self) -> None:
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._fed_to = self._offset
        self._position = 0

    def _take(self, length: int) -> bytes:
        """Up to so many bytes from where it stands; none at the end."""
        while not self._inflater.eof:
            deflated = self._inflater.unconsumed_tail or self._source.read_at(self._fed_to, SKIPPED_AT_ONCE)
            if not self._inflater.unconsumed_tail:
                self._fed_to += len(deflated)
            if piece := self._inflater.decompress(deflated, length):
                return self._count(piece)
            if not deflated and not self._inflater.eof:
                raise DeflateStreamCut
        return b""

    def _count(self, piece: bytes) -> bytes:
        self._position += len(piece)
        if self._position > self._limit:
            raise InflationLimitExceeded
        return piece


class Window:
    """The bytes of a source around one position, moved as needed."""

    __slots__ = ("_history", "_source", "_start", "buffer")

    def __init__(self, source: ByteSource, *, history: int = 0) -> None:
        """`history`: how many bytes before a position are kept, for who goes back a little."""
        self._source = source
        self._history = history
        self._start = 0
        self.buffer = source.read_at(0, READ_BYTES)

    @property
    def size(self) -> int | None:
        return self._source.size

    def with_history(self, history: int) -> Window:
        """Another window on the same source."""
        return Window(self._source, history=history)

    def find_size(self) -> int:
        """How many bytes the source holds, which may mean to read it to its end."""
        position = self._start + len(self.buffer)
        while self._source.size is None:
            position += len(self._source.read_at(position, SKIPPED_AT_ONCE))
        return self._source.size

    def locate(self, position: int, length: int) -> int:
        """The index in `buffer` at which so many bytes of this position begin; fewer only where the source ends."""
        index = position - self._start
        if index >= 0 and index + length <= len(self.buffer):
            return index
        self._move(position, length)
        return min(position - self._start, len(self.buffer))

    def read(self, position: int, length: int) -> bytes:
        """So many bytes, fewer only where the source ends."""
        index = self.locate(position, length)
        return self.buffer[index : index + length]

    def _move(self, position: int, length: int) -> None:
        end = self._start + len(self.buffer)
        start = max(self._start, position - self._history)
        if position < self._start:
            start = position
        elif position > end:
            start = max(end, position - self._history)
        kept = self.buffer[start - self._start :] if start >= self._start else b""
        fetched_from = start + len(kept)
        self.buffer = kept + self._source.read_at(fetched_from, max(position + length - fetched_from, READ_BYTES))
        self._start = start
