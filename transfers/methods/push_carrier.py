"""Fills buckets from the files of a transaction, each file read once from its beginning to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from transfers.errors import SourceError
from transfers.methods.push_task import PushedFile, PushTask
from transfers.sources.base import InstanceReaders
from transfers.wire.accelerator import Bucket, Chunk


class FilledBucket(NamedTuple):
    place: int
    content: memoryview
    """To be used before the next one is asked for."""
    ended: Sequence[PushedFile]
    """Files whose last bytes it holds."""


class Carrier:
    """For one thread: all goes through one buffer."""

    def __init__(
        self,
        tasks: Mapping[str, PushTask],
        buckets: Sequence[Bucket],
        readers: InstanceReaders,
        spoiled: Callable[[PushTask, SourceError], None],
    ) -> None:
        """`spoiled` is told whose file cannot be read, or is not what was announced."""
        self._tasks = tasks
        self._buckets = buckets
        self._readers = readers
        self._spoiled = spoiled
        largest = max((_size_of(bucket) for bucket in buckets), default=0)
        self._buffer = memoryview(bytearray(largest))
        self._file: PushedFile | None = None

    def fill(self, load: range) -> Iterator[FilledBucket]:
        """The buckets at these places, one after another. Raises SourceError, TransferStopped."""
        try:
            for place in load:
                yield self._filled(place)
        finally:
            self._close()

    def _filled(self, place: int) -> FilledBucket:
        ended: list[PushedFile] = []
        position = 0
        for chunk in self._buckets[place]:
            file = self._read(chunk, self._buffer[position : position + chunk.size_bytes])
            position += chunk.size_bytes
            if file.is_read:
                self._close()
                ended.append(file)
        return FilledBucket(place, self._buffer[:position], ended)

    def _read(self, chunk: Chunk, into: memoryview) -> PushedFile:
        task = self._tasks[chunk.key]
        try:
            if self._file is None:
                self._file = PushedFile(task, self._readers)
            self._file.read(into)
        except SourceError as error:
            self._spoiled(task, error)
            raise
        return self._file

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _size_of(bucket: Bucket) -> int:
    return sum(chunk.size_bytes for chunk in bucket)
