"""The promise between the runner and a transfer method: entries in, observations out; no Django, no database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any, Protocol, TypeAlias, runtime_checkable

from audit.entries import ManifestEntry
from audit.observations import Observation, Occurrence
from transfers.endpoints import DicomEndpoint, DicomWebEndpoint, Endpoint, OrthancEndpoint
from transfers.errors import NoPresentationContext
from transfers.sources.base import InstanceSource
from transfers.sources.files import LocalFiles


@dataclass(frozen=True, slots=True)
class ReconnectPolicy:
    """How often, and how soon, a lost association is opened again within one send."""

    attempts: int = 5
    """Associations opened in a row without one answer before the sender gives up."""
    first_wait_seconds: float = 0.5
    factor: float = 2.0
    maximum_wait_seconds: float = 15.0
    losses_per_instance: int = 2
    """An instance at which this many associations were lost or timed out is set aside (a poison instance)."""

    def wait_seconds(self, failures: int) -> float:
        """How long to wait after the given number of failures in a row (1 or more)."""
        return min(self.maximum_wait_seconds, self.first_wait_seconds * self.factor ** (failures - 1))


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What must survive a crash, such as a job's id: it is saved before the method is asked for more."""

    kind: str
    """Stable, snake_case: `job`."""
    handle: Mapping[str, Any]
    """JSON values only, no secrets."""
    outlives_send: bool = False
    """Whether what it is about may go on once the send has ended; then it is kept until a later send deals with it."""


def uids_of(checkpoints: Iterable[Checkpoint]) -> frozenset[str]:
    """SOP Instance UIDs of the instances that they are about, as far as they name any."""
    return frozenset(uid for each in checkpoints for uid in each.handle.get("sop_instance_uids", ()))


def _all_of_them(entries: Sequence[ManifestEntry]) -> Sequence[ManifestEntry]:
    return entries


@dataclass(frozen=True, slots=True)
class SendContext:
    """All a method may know besides the entries."""

    endpoint: Endpoint
    reconnect: ReconnectPolicy = field(default_factory=ReconnectPolicy)
    options: Mapping[str, Any] = field(default_factory=dict)
    """Values for fields of the method's Options; what is not given keeps its default."""
    stop: Event = field(default_factory=Event)
    """Set from outside to stop: what is under way is finished or abandoned within seconds, nothing new begins."""
    source: InstanceSource = field(default_factory=LocalFiles)
    """Where the instances are read, or who sends them by itself."""
    checkpoints: tuple[Checkpoint, ...] = ()
    """What sends of this transfer yielded that no process lived to end, or that outlived them."""
    spool_folder: Path | None = None
    """Where temporary files go; None: where the system keeps them."""
    missing: Callable[[Sequence[ManifestEntry]], Sequence[ManifestEntry]] = _all_of_them
    """Which of these the destination does not list now, or could not be asked about; all, where it is not to be asked.

    For what names no instance, such as a job that failed: what is there already need not be sent once more.
    """

    @property
    def dicom_endpoint(self) -> DicomEndpoint:
        """Of a method that sends over an association, to destinations of kind `dicom` only."""
        assert isinstance(self.endpoint, DicomEndpoint), "a method was given a destination that it cannot send to"
        return self.endpoint

    @property
    def orthanc_endpoint(self) -> OrthancEndpoint:
        """Of a method that sends to destinations of kind `orthanc` only."""
        assert isinstance(self.endpoint, OrthancEndpoint), "a method was given a destination that it cannot send to"
        return self.endpoint

    @property
    def dicomweb_endpoint(self) -> DicomWebEndpoint:
        """Of a method that sends to destinations of kind `dicomweb` only."""
        assert isinstance(self.endpoint, DicomWebEndpoint), "a method was given a destination that it cannot send to"
        return self.endpoint


@dataclass(frozen=True, slots=True)
class Preflight:
    """What the destination would take, asked before the first byte."""

    unsendable: Mapping[str, str] = field(default_factory=dict)
    """SOP Instance UID → why it could not be sent, for people."""
    code: str = NoPresentationContext.code
    """Of those reasons."""
    occurrences: tuple[Occurrence, ...] = ()


Seen: TypeAlias = Observation | Occurrence | Checkpoint | None
"""What a method yields."""


class Method(Protocol):
    """A way to send instances."""

    key: str
    label: str
    kinds: tuple[str, ...]
    """Which kinds of destination can it send to?"""
    sources: tuple[str, ...]
    """Of which kinds of source: `files`, and kinds of Source (see InstanceSource)."""
    sender_can_trust: str
    """What does its own success say, for people? A claim of the destination: it is asked afterwards all the same."""
    destination_may_trust_stable_study: bool
    """Does the whole study appear at once, so that the destination's own "stable" event says it is complete?"""
    asks_commitment: bool
    """Is the destination asked to commit to what it holds, once all was sent?"""
    keeps_bytes: bool
    """Does it hand over files as they are, so that a digest of the stored file can be compared with that of ours?"""

    @property
    def Options(self) -> type[Any]:  # noqa: N802  # a nested class
        """A frozen dataclass whose fields have metadata: see `transfers.methods.options`."""
        ...

    def preflight(self, entries: Sequence[ManifestEntry], context: SendContext) -> Preflight:
        """Ask which entries the destination would take; sends no instance.

        Raises TransferError where the destination, or the source, cannot be asked (unreachable, rejected).
        """
        ...

    def send(self, entries: Sequence[ManifestEntry], context: SendContext) -> Iterator[Seen]:
        """Send the entries. Yields as things happen; never raises for a fault of the peer or of a file.

        Yields None at least every 0.2 s while nothing happens, so that what was yielded before can be saved.

        When the iterator ends, every entry has at least one observation: `acknowledged`, `refused`,
        `answer-unclear`, `job-succeeded`, `job-failed`, `no-answer` (sending began, no answer came), or `not-sent` (it
        never began, or broke off before its last byte on our side). An entry that was answered is never sent again.
        A Checkpoint is saved, with all that came before it, before the next value is asked for.
        """
        ...


@runtime_checkable
class Outliving(Protocol):
    """A method whose sending may go on without us: in a job, or a commit, of somebody else."""

    def under_way(self, context: SendContext) -> frozenset[str]:
        """SOP Instance UIDs of what may still be brought by what `context.checkpoints` are about.

        What the peer does not tell is under way. Raises RequestTlsFailed where a file of the TLS settings cannot be
        used.
        """
        ...
