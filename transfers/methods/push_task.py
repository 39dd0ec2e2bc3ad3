"""What is still to be pushed, and its bytes: read once to announce them, and once more to send them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from transfers.errors import SourceFileChanged
from transfers.methods.task import SendTask
from transfers.sources.base import InstanceReader, InstanceReaders
from transfers.wire.accelerator import PushedInstance

_READ_BYTES = 1024 * 1024


@dataclass(slots=True)
class PushTask(SendTask):
    """An instance to push; what is lost over it is a commit."""

    instance: PushedInstance | None = None
    """As it is announced; None until its MD5 is known."""

    @property
    def key(self) -> str:
        """Its name within a transaction: of the form of Orthanc's IDs, and one of these where a source has it."""
        return self.entry.source_id or _orthanc_like(self.entry.sop_instance_uid)

    @property
    def size_bytes(self) -> int:
        """Of the whole file, to the end of its data set."""
        return self.entry.data_set_offset + self.entry.data_set_size

    def examine(self, readers: InstanceReaders) -> None:
        """Find out what to announce. Raises SourceError."""
        if self.instance is not None or self.entry.file_md5:
            md5 = self.instance.md5 if self.instance else self.entry.file_md5
            self.instance = PushedInstance(self.key, self.size_bytes, md5)
            return
        with readers.open_file(self.entry) as reader:
            self.instance = PushedInstance(self.key, reader.size, _md5_of(reader))

    def check_that_it_is_there(self, readers: InstanceReaders) -> None:
        """Raises SourceError where it is not, or is not what it was."""
        with readers.open_file(self.entry) as reader:
            reader.check_unchanged()


class PushedFile:
    """A task's file, read from its beginning to its end while it is sent."""

    def __init__(self, task: PushTask, readers: InstanceReaders) -> None:
        """Raises SourceError."""
        assert task.instance is not None, "it was not examined"
        self.task = task
        self._reader = readers.open_file(task.entry)
        self._size = task.instance.size_bytes
        self._expected_md5 = task.instance.md5
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256()
        self._position = 0

    def read(self, into: memoryview) -> None:
        """Fill it with the next bytes. Raises SourceError; at its end also where it is not what was announced."""
        _fill(self._reader, into)
        self._md5.update(into)
        begins = max(0, self._reader.data_set_offset - self._position)
        self._sha256.update(into[begins:])
        self._position += len(into)
        if self._position == self._size:
            self._reader.check_unchanged()
            if self._md5.hexdigest() != self._expected_md5:
                raise SourceFileChanged

    @property
    def is_read(self) -> bool:
        return self._position == self._size

    @property
    def sha256(self) -> str:
        """Of the data set (hex)."""
        return self._sha256.hexdigest()

    @property
    def data_set_bytes(self) -> int:
        return self._size - self._reader.data_set_offset

    def close(self) -> None:
        self._reader.close()


def parcels_of(tasks: Iterable[PushTask], most_bytes: int) -> Iterator[list[PushTask]]:
    """The tasks, in parcels of at most so many bytes (or one task); all in one where that is 0."""
    parcel: list[PushTask] = []
    total = 0
    for task in tasks:
        if parcel and most_bytes and total + task.size_bytes > most_bytes:
            yield parcel
            parcel, total = [], 0
        parcel.append(task)
        total += task.size_bytes
    if parcel:
        yield parcel


def _orthanc_like(sop_instance_uid: str) -> str:
    digest = hashlib.sha1(sop_instance_uid.encode(), usedforsecurity=False).hexdigest()
    return "-".join(digest[start : start + 8] for start in range(0, 40, 8))


def _md5_of(reader: InstanceReader) -> str:
    md5 = hashlib.md5(usedforsecurity=False)
    buffer = memoryview(bytearray(min(_READ_BYTES, max(1, reader.size))))
    while length := reader.readinto(buffer):
        md5.update(buffer[:length])
    reader.check_unchanged()
    return md5.hexdigest()


def _fill(reader: InstanceReader, into: memoryview) -> None:
    filled = 0
    while filled < len(into):
        length = reader.readinto(into[filled:])
        if not length:
            raise SourceFileChanged
        filled += length
