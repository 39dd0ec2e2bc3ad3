"""The promise between whoever sends or compares instances and where these come from. No Django, no database."""

from __future__ import annotations

from threading import Event
from types import TracebackType
from typing import Protocol, Self

from audit.entries import ManifestEntry


class Closing:
    """A context manager that closes itself at the end of the block."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """May be called more than once."""
        raise NotImplementedError


class InstanceReader(Protocol):
    """One instance opened for reading, for one thread. A context manager."""

    size: int
    """How many bytes it hands out in all."""
    data_set_offset: int
    """How many of them come before the data set."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def readinto(self, buffer: memoryview) -> int:
        """Put the next bytes into the buffer; how many, and 0 at the end. Raises SourceError."""
        ...

    def check_unchanged(self) -> None:
        """Asked once all was read, before the last byte goes out. Raises SourceError if it changed."""
        ...

    def descriptor(self) -> int | None:
        """Of a local file in which the data set lies as it is; None: it can only be read from its beginning, once."""
        ...

    def close(self) -> None:
        """May be called more than once."""
        ...


class InstanceReaders(Protocol):
    """Opens entries one after another, for one thread. A context manager.

    Both raise SourceError where the instance is gone, cannot be read, or is not what the manifest found.
    """

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def close(self) -> None:
        """Readers must be closed before."""
        ...

    def open(self, entry: ManifestEntry) -> InstanceReader:
        """Its data set, byte for byte as its file encodes it."""
        ...

    def open_file(self, entry: ManifestEntry) -> InstanceReader:
        """The whole Part 10 file, from its preamble to the end of its data set, byte for byte."""
        ...


class InstanceSource(Protocol):
    """Where the instances of a manifest come from."""

    kind: str
    """`files`, or a kind of Source: which methods can send from it?"""

    def readers(self, stop: Event) -> InstanceReaders:
        """For one thread; whatever it waits for ends within a second after `stop` is set, with SourceStopped."""
        ...
