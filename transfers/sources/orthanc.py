"""An Orthanc that studies are taken from: its instances, each read while it is sent."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import ExitStack
from threading import Event

from audit.byte_sources import StreamBytes, Window
from audit.entries import ManifestEntry
from audit.left_out import LeftOut
from audit.part10 import locate_data_set
from transfers.endpoints import OrthancEndpoint
from transfers.errors import (
    AnswerCut,
    CredentialsRefused,
    RequestError,
    RequestInterrupted,
    RequestTimedOut,
    RequestTlsFailed,
    ResourceNotFound,
    ServiceAddressUnknown,
    ServiceBusy,
    ServiceUnreachable,
    SourceError,
    SourceInstanceChanged,
    SourceInstanceGone,
    SourceStopped,
    SourceUnavailable,
)
from transfers.sources.base import Closing
from transfers.wire.http import HttpSession
from transfers.wire.orthanc import Orthanc

_HEAD_BYTES = 16 * 1024
_LONGEST_HEAD = 1024 * 1024
"""Of preamble and file meta group together."""
_WAITS_SECONDS = (0.5, 1.0, 2.0)
"""Between tries to reach the source, in a row; after these each instance is tried once."""
_MOST_FAILURES = 6
"""In a row, before the source is given up: what is left is not sent, and the same send continues it."""
_OF_THE_SOURCE = (
    ServiceUnreachable,
    ServiceAddressUnknown,
    RequestTlsFailed,
    RequestTimedOut,
    AnswerCut,
    ServiceBusy,
    CredentialsRefused,
)
"""Faults that are hardly those of one instance."""


class OrthancSource:
    """Instances of a source Orthanc, each read when it is sent."""

    kind = "orthanc"

    def __init__(self, endpoint: OrthancEndpoint) -> None:
        self.endpoint = endpoint

    def readers(self, stop: Event) -> OrthancReaders:
        return OrthancReaders(self.endpoint, stop)


class OrthancReaders(Closing):
    """As InstanceReaders promises, over one kept-alive connection."""

    def __init__(self, endpoint: OrthancEndpoint, stop: Event) -> None:
        self._endpoint = endpoint
        self._stop = stop
        self._session: HttpSession | None = None
        self._failures = 0
        """Of the source itself, in a row."""
        self._given_up: SourceError | None = None

    def open(self, entry: ManifestEntry) -> OrthancReader:
        return self._opened(entry, whole_file=False)

    def open_file(self, entry: ManifestEntry) -> OrthancReader:
        return self._opened(entry, whole_file=True)

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def _opened(self, entry: ManifestEntry, *, whole_file: bool) -> OrthancReader:
        """Waits and tries again where the source itself is to blame, until it was so too often in a row."""
        while True:
            if self._given_up is not None:
                raise type(self._given_up)(str(self._given_up))
            try:
                reader = self._open(entry, whole_file=whole_file)
            except SourceError as error:
                if not isinstance(error.__cause__, _OF_THE_SOURCE) or not self._is_worth_another_try(error):
                    raise
                continue
            self._failures = 0
            return reader

    def _is_worth_another_try(self, error: SourceError) -> bool:
        """After a while, where it is."""
        self._failures += 1
        if self._failures >= _MOST_FAILURES:
            self._given_up = error
        is_passing = isinstance(error.__cause__, RequestError) and error.__cause__.retriable
        if not is_passing or self._failures > len(_WAITS_SECONDS):
            return False
        if self._stop.wait(_WAITS_SECONDS[self._failures - 1]):
            raise SourceStopped
        return True

    def _open(self, entry: ManifestEntry, *, whole_file: bool) -> OrthancReader:
        if not entry.source_id:
            raise SourceInstanceGone("The manifest does not say by what the source knows the instance.")
        try:
            self._session = self._session or HttpSession(self._endpoint, self._stop)
        except RequestError as error:
            raise fault_of_source(error) from error
        return OrthancReader(Orthanc(self._session), entry, whole_file=whole_file)


class OrthancReader(Closing):
    """As InstanceReader promises. Where the source told the MD5 of the file, what comes must have it."""

    def __init__(self, orthanc: Orthanc, entry: ManifestEntry, *, whole_file: bool) -> None:
        self._entry = entry
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._taken = 0
        """Bytes of the file that have come."""
        self._stack = ExitStack()
        self._held = memoryview(b"")
        """What has come and was not handed out."""
        try:
            answer = self._stack.enter_context(orthanc.open_file(entry.source_id))
            if answer.headers.get("Content-Length", str(entry.file_size)) != str(entry.file_size):
                raise SourceInstanceChanged
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
        self._left = self.size

    def readinto(self, buffer: memoryview) -> int:
        if not self._left or not len(buffer):
            return 0
        if not self._held and not self._take():
            raise SourceInstanceChanged
        length = min(len(buffer), len(self._held))
        buffer[:length] = self._held[:length]
        self._held = self._held[length:]
        self._left -= length
        return length

    def check_unchanged(self) -> None:
        """Before all was read nothing more is known than at its beginning."""
        if self._left:
            return
        if self._take() or self._taken != self._entry.file_size:
            raise SourceInstanceChanged
        if self._entry.file_md5 and self._entry.file_md5 != self._md5.hexdigest():
            raise SourceInstanceChanged

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
                    raise SourceInstanceChanged(
                        f"The source holds no such instance any more: {fault.reason}."
                    ) from fault
                wanted *= 4
                continue
            if transfer_syntax_uid != self._entry.transfer_syntax_uid:
                raise SourceInstanceChanged
            self._held = memoryview(head)
            return start

    def _take(self) -> bool:
        self._held = memoryview(self._next())
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
            raise SourceInstanceChanged
        return chunk


def fault_of_source(error: RequestError) -> SourceError:
    """What a request that the source did not answer means for an instance."""
    if isinstance(error, RequestInterrupted):
        return SourceStopped()
    if isinstance(error, ResourceNotFound):
        return SourceInstanceGone()
    return SourceUnavailable(f"The source did not hand over the instance: {error}")
