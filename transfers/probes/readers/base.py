"""The promise between the content probe and a way of reading instances back. No Django, no database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any, Protocol, Self, TypeAlias

from audit.content import DataSetStream
from audit.entries import ManifestEntry
from audit.observations import Occurrence
from transfers.endpoints import Endpoint
from transfers.errors import TransferError


@dataclass(frozen=True, slots=True)
class Copy:
    """An instance as the destination handed it back; gone as soon as the next outcome is asked for."""

    data_set: DataSetStream
    sha256: str
    """Of the data set, in hex."""
    is_corrupt: bool = False
    """Whether the destination itself says that its file is not what it once stored."""


@dataclass(frozen=True, slots=True)
class SameFile:
    """The destination's own digest of its file, taken just now, is that of ours."""

    md5: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The instance was not handed back."""

    error: TransferError
    is_general: bool = False
    """Whether it says more about the destination than about this instance, so that others will fare the same."""


Outcome: TypeAlias = Copy | SameFile | Unreadable


class FileDigests(Protocol):
    """Digests of the files of the input."""

    def md5_of(self, entry: ManifestEntry) -> str | None:
        """The MD5 (hex) of the whole file; None where it cannot be told."""
        ...


@dataclass(frozen=True, slots=True)
class ReadingContext:
    """All a reader may know besides the entries."""

    endpoint: Endpoint
    stop: Event
    """Set from outside: whatever is under way ends within a second."""
    spool_folder: Path | None = None
    """Where temporary files go; None: where the system keeps them. They have no name there."""
    digests: FileDigests | None = None
    """Given where the destination keeps files byte for byte, so that its own digests of them may be asked for."""


@dataclass(slots=True)
class Tally:
    """What a session met with, for the record."""

    occurrences: list[Occurrence] = field(default_factory=list)
    unasked: int = 0
    """Instances that came though nobody had asked for them."""


class Session(Protocol):
    """One conversation with a destination, for one thread. A context manager."""

    tally: Tally

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: Any) -> None: ...

    def open(self, entries: Sequence[ManifestEntry]) -> None:
        """Make ready to read these, as far as that can fail for all of them alike. Raises TransferError."""
        ...

    def read(self, entries: Sequence[ManifestEntry]) -> Iterator[tuple[ManifestEntry, Outcome]]:
        """Yield what the destination hands back, at least one outcome an entry, two where it has two copies.

        Raises TransferError where the session cannot go on at all: the rest is then for another one to read.
        """
        ...


@dataclass(frozen=True, slots=True)
class Readability:
    """Whether and how a destination can be read, as far as can be told beforehand."""

    reader: str
    """The key of the reader."""
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """SOP Instance UID → why it could not be read back, for people."""
    error: TransferError | None = None
    """Why nothing can be read at all."""

    @property
    def is_readable(self) -> bool:
        return self.error is None


class Reader(Protocol):
    """A way of reading instances back."""

    key: str
    most_at_once: int
    """How many instances of one series it can ask for in one go."""

    def can_read(self, entries: Sequence[ManifestEntry], context: ReadingContext) -> Readability:
        """Ask the destination, reading nothing back. Never raises for a fault of the destination."""
        ...

    def session(self, entries: Sequence[ManifestEntry], context: ReadingContext) -> Session:
        """A session that can read any of these entries; nothing is opened yet."""
        ...
