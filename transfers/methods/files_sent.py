"""The whole file of an instance as the body of a request, or as a part of one, digested while it goes out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime

from audit.observations import Observation
from transfers.errors import SourceFileChanged
from transfers.methods.journal import sent_observation
from transfers.methods.task import SendTask
from transfers.sources.base import InstanceReader, InstanceReaders

CHUNK_BYTES = 120 * 1024
"""Less than what the allocator takes from the system, and gives back, each time: that would cost a third more."""


class FileSent:
    """One file on its way out, for one thread."""

    def __init__(self, task: SendTask, reader: InstanceReader) -> None:
        """`reader`: as `open_file` gives it."""
        self.task = task
        self.size = reader.size
        self._reader = reader
        self._before_data_set = reader.data_set_offset
        self._data_set_size = reader.size - reader.data_set_offset
        self._sha256 = hashlib.sha256()
        self._ended_at: datetime | None = None

    def chunks(self) -> Iterator[bytes]:
        """The file; its last bytes come only after all was read and found unchanged. Raises SourceError."""
        left = self.size
        buffer = memoryview(bytearray(min(CHUNK_BYTES, max(left, 1))))
        while left:
            length = self._reader.readinto(buffer[: min(left, len(buffer))])
            if not length:
                raise SourceFileChanged
            left -= length
            self._digest(buffer[:length])
            if not left:
                self._reader.check_unchanged()
            yield bytes(buffer[:length])
        self._ended_at = datetime.now(UTC)

    @property
    def sha256(self) -> str:
        """Of its data set (hex), once it has gone out."""
        return self._sha256.hexdigest()

    def observation(self, request: int) -> Observation:
        """That it was sent, once all of it has gone out."""
        at = self._ended_at or datetime.now(UTC)
        return sent_observation(self.task.entry, self.sha256, self._data_set_size, at, request=request)

    @property
    def is_out(self) -> bool:
        """Whether all of it was handed on to be written."""
        return self._ended_at is not None

    def _digest(self, content: memoryview) -> None:
        skipped = min(self._before_data_set, len(content))
        self._before_data_set -= skipped
        self._sha256.update(content[skipped:])


def md5_of_file_sent(sent: FileSent, readers: InstanceReaders) -> str:
    """The MD5 (hex) of a file that has gone out, read once more. Raises SourceError, also where it is not the same.

    It is seldom asked for, and would take longer than the SHA-256 if each were given one on its way out.
    """
    md5 = hashlib.md5(usedforsecurity=False)
    with readers.open_file(sent.task.entry) as reader:
        again = FileSent(sent.task, reader)
        for chunk in again.chunks():
            md5.update(chunk)
    if again.sha256 != sent.sha256:
        raise SourceFileChanged
    return md5.hexdigest()
