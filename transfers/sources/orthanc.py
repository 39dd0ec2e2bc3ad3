"""An Orthanc that studies are taken from: its instances, each read while it is sent."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import ExitStack
from threading import Event
from types import TracebackType
from typing import Self

from audit.byte_sources import StreamBytes, Window
from audit.entries import ManifestEntry
from audit.left_out import LeftOut
from audit.part10 import locate_data_set
from transfers.endpoints import OrthancEndpoint
from transfers.errors import (
    RequestError,
    RequestInterrupted,
    ResourceNotFound,
    SourceError,
    SourceFileChanged,
    SourceInstanceGone,
    SourceStopped,
    SourceUnavailable,
)
from transfers.wire.http import HttpSession
from transfers.wire.orthanc import Orthanc

_HEAD_BYTES = 16 * 1024
_LONGEST_HEAD = 1024 * 1024
"""Of preamble and file meta group together."""


class OrthancSource:
    """Instances of a source Orthanc, each read when it is sent."""

    kind = "orthanc"

    def __init__(self, endpoint: OrthancEndpoint) -> None:
        self.endpoint = endpoint

    def readers(self, stop: Event) -> OrthancReaders:
        return OrthancReaders(self.endpoint, stop)


class OrthancReaders:
    """As InstanceReaders promises, over one kept-alive connection."""

    def __init__(self, endpoint: OrthancEndpoint, stop: Event) -> None:
        self._endpoint = endpoint
        self._stop = stop
        self._session: HttpSession | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def open(self, entry: ManifestEntry) -> OrthancReader:
        return self._open(entry, whole_file=False)

    def open_file(self, entry: ManifestEntry) -> OrthancReader:
        return self._open(entry, whole_file=True)

    def close(self) -> None:
        if self._session is not None:
            self._session.close()

    def _open(self, entry: ManifestEntry, *, whole_file: bool) -> OrthancReader:
        if not entry.source_id:
            raise SourceInstanceGone("The manifest does not say by what the source knows the instance.")
        try:
            self._session = self._session or HttpSession(self._endpoint, self._stop)
        except RequestError as error:
            raise fault_of_source(error) from error
        return OrthancReader(Orthanc(self._session), entry, whole_file=whole_file)


class OrthancReader:
    """As InstanceReader promises. Where the source told the MD5 of the file, what comes must have it."""

    def __init__(self, orthanc: Orthanc, entry: ManifestEntry, *, whole_file: bool) -> None:
        self._entry = entry
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._taken = 0
        """Bytes of the file that have come."""
        self._stack = ExitStack()
        self._held = b""
        """What has come and was not handed out."""
        try:
            answer = self._stack.enter_context(orthanc.open_file(entry.source_id))
            self._chunks: Iterator[bytes] = answer.chunks()
            start = self._read_head()
        except BaseException as error:
            self._stack.close()
            if isinstance(error, RequestError):
                raise fault_of_source(error) from error
            raise
        self.data_set_offset = start if whole_file else 0
        self.size = entry.file_size if whole_file else entry.file_size - start
        if not whole_file:
            self._held = self._held[start:]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def readinto(self, buffer: memoryview) -> int:
        if not self._held and not self._take():
            return 0
        length = min(len(buffer), len(self._held))
        buffer[:length] = self._held[:length]
        self._held = self._held[length:]
        return length

    def check_unchanged(self) -> None:
        if self._held or self._take():
            raise SourceFileChanged
        if self._taken != self._entry.file_size or self._entry.file_md5 not in {"", self._md5.hexdigest()}:
            raise SourceFileChanged

    def descriptor(self) -> None:
        """None: it comes over the network, once."""

    def close(self) -> None:
        self._stack.close()

    def _read_head(self) -> int:
        """Take what comes before the data set; returns how much that is."""
        head, wanted = b"", _HEAD_BYTES
        while True:
            while len(head) < wanted and (chunk := self._next()):
                head += chunk
            try:
                window = Window(StreamBytes(io.BytesIO(head), 0, len(head)))
                start, transfer_syntax_uid = locate_data_set(window, len(head))
            except LeftOut as fault:
                if len(head) < wanted or wanted >= _LONGEST_HEAD:
                    raise SourceFileChanged(f"The source holds no such instance any more: {fault.reason}.") from fault
                wanted *= 4
                continue
            if transfer_syntax_uid != self._entry.transfer_syntax_uid:
                raise SourceFileChanged
            self._held = head
            return start

    def _take(self) -> bool:
        self._held = self._next()
        return bool(self._held)

    def _next(self) -> bytes:
        """The next bytes of the file; nothing at its end."""
        try:
            chunk = next(self._chunks, b"")
        except RequestError as error:
            raise fault_of_source(error) from error
        self._taken += len(chunk)
        self._md5.update(chunk)
        if self._taken > self._entry.file_size:
            raise SourceFileChanged
        return chunk


def fault_of_source(error: RequestError) -> SourceError:
    """What a request that the source did not answer means for an instance."""
    if isinstance(error, RequestInterrupted):
        return SourceStopped()
    if isinstance(error, ResourceNotFound):
        return SourceInstanceGone()
    return SourceUnavailable(f"The source did not hand over the instance: {error}")
